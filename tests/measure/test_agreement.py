"""Krippendorff's alpha for classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.errors import UsageError
from labelops.measure.agreement import (
    agreement_partial,
    alpha_by_class,
    finish_agreement,
    krippendorff_alpha,
)
from labelops.measure.codes import IntArray

# Krippendorff 2011, section C: four observers, twelve units, missing data; 0 stands for missing.
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
)


def _long(table: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Items, annotators and codes of a table (annotators, items) of codes from 1, 0 missing."""
    annotators, items = np.indices(table.shape)
    return items.ravel(), annotators.ravel(), table.ravel() - 1


def _textbook(table: IntArray, n_classes: int) -> float:
    """Alpha by the coincidence matrix, value pair by value pair."""
    coincidences = np.zeros((n_classes, n_classes))
    for column in table.T:
        values = column[column > 0] - 1
        for i, a in enumerate(values):
            for j, b in enumerate(values):
                if i != j:
                    coincidences[a, b] += 1 / (len(values) - 1)
    margin = coincidences.sum(axis=1)
    n = margin.sum()
    observed = n - np.trace(coincidences)
    expected = (n**2 - (margin**2).sum()) / (n - 1)
    return float(1 - observed / expected) if expected > 0 else float("nan")


def test_worked_example() -> None:
    """Krippendorff's example with missing data has a nominal alpha of .743."""
    result = krippendorff_alpha(*_long(OBSERVERS), 5, rng=np.random.default_rng(0))
    assert result.alpha == pytest.approx(0.743, abs=5e-4)
    assert (result.items, result.votes) == (11, 40)
    assert result.low is not None
    assert result.high is not None
    assert result.low < 0.743 < result.high


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 12), st.integers(2, 4))
def test_oracle_textbook(seed: int, annotators: int, items: int, n_classes: int) -> None:
    """It equals the coincidence-matrix formula, and per class the formula on two classes."""
    rng = np.random.default_rng(seed)
    table = rng.integers(0, n_classes + 1, size=(annotators, items))
    result = krippendorff_alpha(*_long(table), n_classes, rng=rng, resamples=1)
    expected = _textbook(table, n_classes) if result.items else float("nan")
    if np.isnan(expected):
        assert result.alpha is None
        return
    assert result.alpha == pytest.approx(expected)
    by_class = alpha_by_class(agreement_partial(*_long(table), n_classes))
    for code in range(n_classes):
        binary = np.where(table == 0, 0, np.where(table == code + 1, 2, 1))
        assert by_class[code] == pytest.approx(_textbook(binary, 2), nan_ok=True)


def test_order_of_votes_and_names_do_not_matter() -> None:
    """Shuffled votes, renamed items and permuted classes give the same alpha."""
    items, annotators, codes = _long(OBSERVERS)
    rng = np.random.default_rng(1)
    order = rng.permutation(items.size)
    swap = np.array([3, 0, 4, 1, 2, -1])
    one = krippendorff_alpha(items, annotators, codes, 5, rng=rng)
    two = krippendorff_alpha(
        1000 - 7 * items[order], 9 - annotators[order], swap[codes[order]], 5, rng=rng
    )
    assert one.alpha == pytest.approx(two.alpha)


def test_merging_shards_changes_nothing() -> None:
    """Partials of shards, merged in any order, give the alpha of the whole."""
    items, annotators, codes = _long(OBSERVERS)
    shards = [
        agreement_partial(items[s], annotators[s], codes[s], 5)
        for s in (items < 4, (items >= 4) & (items < 5), items >= 5)
    ]
    whole = agreement_partial(items, annotators, codes, 5)
    for merged in (
        shards[0].merge(shards[1]).merge(shards[2]),
        shards[2].merge(shards[0].merge(shards[1])),
    ):
        alphas = [finish_agreement(p, rng=np.random.default_rng(0)).alpha for p in (merged, whole)]
        assert alphas[0] == pytest.approx(alphas[1])
    with pytest.raises(UsageError, match="cannot merge"):
        whole.merge(agreement_partial([], [], [], 2))


@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        (([], [], []), "no item has two votes"),
        (([0, 1], [0, 0], [0, 1]), "no item has two votes"),
        (([0, 0], [0, 1], [0, -1]), "no item has two votes"),
        (([0, 0], [0, 0], [0, 1]), "no item has two votes"),
        (([0, 0], [0, 1], [1, 1]), "all votes name one class"),
    ],
)
def test_says_why_there_is_none(votes: tuple[list[int], list[int], list[int]], reason: str) -> None:
    """Without pairs, or without variation, alpha is None with the reason."""
    result = krippendorff_alpha(*votes, 2, rng=np.random.default_rng(0))
    assert result.alpha is result.low is result.high is None
    assert reason in result.reason


def test_later_vote_of_an_annotator_counts() -> None:
    """A second vote of an annotator on an item replaces the first instead of agreeing with it."""
    once = agreement_partial([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 1], 2)
    twice = agreement_partial([0, 0, 1, 0, 1], [0, 1, 0, 0, 1], [1, 1, 1, 0, 1], 2)
    rng = np.random.default_rng(0)
    assert finish_agreement(once, rng=rng).alpha == finish_agreement(twice, rng=rng).alpha


def test_interval_covers() -> None:
    """Over 60 samples of 150 items the 95 % interval covers the population's alpha 52 times."""
    rng = np.random.default_rng(2)

    def votes(items: int) -> tuple[IntArray, IntArray, IntArray]:
        truth = rng.integers(0, 3, size=items)
        hard = rng.random(items) < 0.3
        noise = np.where(hard, 0.8, 0.1)
        wrong = rng.random((4, items)) < noise
        table = np.where(wrong, rng.integers(0, 3, size=(4, items)), truth) + 1
        return _long(table)

    truth = krippendorff_alpha(*votes(50_000), 3, rng=rng, resamples=2).alpha
    assert truth is not None
    covered = 0
    for _ in range(60):
        result = krippendorff_alpha(*votes(150), 3, rng=rng, resamples=200)
        assert result.low is not None
        assert result.high is not None
        covered += result.low <= truth <= result.high
    assert 52 <= covered <= 60


def test_seeded() -> None:
    """The same generator state gives the same interval."""
    results = [
        krippendorff_alpha(*_long(OBSERVERS), 5, rng=np.random.default_rng(3)) for _ in range(2)
    ]
    assert results[0] == results[1]


def test_lengths_must_match() -> None:
    """Arrays of different length are refused."""
    with pytest.raises(UsageError, match="one length"):
        agreement_partial([0], [0, 1], [0], 2)
