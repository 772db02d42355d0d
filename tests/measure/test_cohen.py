"""Cohen's kappa of pairs of annotators."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from labelops.errors import UsageError
from labelops.measure.cohen import cohen_kappa


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(2, 30), st.integers(2, 4))
def test_oracle_scikit_learn(seed: int, annotators: int, items: int, n_classes: int) -> None:
    """Every pair has scikit-learn's kappa of the items that both saw, and the mean their mean."""
    rng = np.random.default_rng(seed)
    table = rng.integers(-1, n_classes, size=(annotators, items))
    who, item = np.indices(table.shape)
    order = rng.permutation(table.size)
    found = cohen_kappa(
        item.ravel()[order],
        who.ravel()[order],
        table.ravel()[order],
        n_classes,
        rng=rng,
        resamples=0,
    )
    seen = {(int(a), int(b)): i for i, (a, b) in enumerate(found.annotators)}
    total = weight = 0.0
    for a in range(annotators):
        for b in range(a + 1, annotators):
            both = (table[a] >= 0) & (table[b] >= 0)
            assert ((a, b) in seen) == both.any()
            if not both.any():
                continue
            at = seen[a, b]
            assert found.items[at] == both.sum()
            if np.unique(table[[a, b]][:, both]).size == 1:
                assert np.isnan(found.kappa[at])
                continue
            expected = cohen_kappa_score(table[a, both], table[b, both])
            assert found.kappa[at] == pytest.approx(expected)
            total, weight = total + both.sum() * expected, weight + both.sum()
    if weight:
        assert found.mean.value == pytest.approx(total / weight)
    else:
        assert found.mean.value is None


def test_worked_example() -> None:
    """Two readers of 50 proposals, 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no, have .4."""
    first = np.repeat([1, 1, 0, 0], [20, 5, 10, 15])
    second = np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    found = cohen_kappa(
        np.tile(np.arange(50), 2), np.repeat(["a", "b"], 50), np.concatenate([first, second]), 2,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert found.kappa.tolist() == pytest.approx([0.4])
    assert found.mean.low is not None
    assert found.mean.high is not None
    assert found.mean.low < 0.4 < found.mean.high
    # Fleiss, Cohen, Everitt 1969 give a standard error of .126 for this table's kappa.
    assert found.mean.high - found.mean.low == pytest.approx(2 * 1.96 * 0.126, rel=0.2)


@pytest.mark.slow
def test_the_interval_covers() -> None:
    """Over 40 samples of 80 items the 95 % interval covers the population's mean 33 times."""
    rng = np.random.default_rng(3)

    def votes(items: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        truth = rng.integers(0, 3, items)
        right = rng.random((3, items)) < 0.8
        table = np.where(right, truth, rng.integers(0, 3, (3, items)))
        who, item = np.indices(table.shape)
        return item.ravel(), who.ravel(), table.ravel()

    truth = cohen_kappa(*votes(50_000), 3, rng=rng, resamples=0).mean.value
    assert truth is not None
    covered = 0
    for _ in range(40):
        mean = cohen_kappa(*votes(80), 3, rng=rng, resamples=100).mean
        assert mean.low is not None
        assert mean.high is not None
        covered += mean.low <= truth <= mean.high
    assert covered >= 33


def test_nothing_to_compare() -> None:
    """Without a shared item there is no pair, and the mean says so."""
    found = cohen_kappa([0, 1], ["a", "b"], [0, 0], 2, rng=np.random.default_rng(0))
    assert (found.mean.value, found.kappa.size, found.annotators.shape) == (None, 0, (0, 2))
    assert "no item" in found.mean.reason
    same = cohen_kappa([0, 0], ["a", "b"], [0, 0], 2, rng=np.random.default_rng(0))
    assert same.mean.value is None
    assert "one class" in same.mean.reason


def test_lengths_must_match() -> None:
    """Arrays of different length are refused."""
    with pytest.raises(UsageError, match="one length"):
        cohen_kappa([0], [0, 1], [0], 2, rng=np.random.default_rng(0))


def test_the_order_of_rows_does_not_matter() -> None:
    """The interval resamples items as they are numbered, not as they first appear."""
    rng = np.random.default_rng(5)
    items, codes = np.repeat(np.arange(60), 3), rng.integers(0, 3, 180)
    who = np.concatenate([rng.choice(5, 3, replace=False) for _ in range(60)])
    order = rng.permutation(180)
    one, other = (
        cohen_kappa(items[o], who[o], codes[o], 3, rng=np.random.default_rng(0), resamples=50).mean
        for o in (np.arange(180), order)
    )
    assert one == other


@pytest.mark.parametrize(
    ("items", "annotators", "message"),
    [
        ([0.0, np.nan], ["a", "b"], "ids: row 1 is nan"),
        ([0, 0], ["a", None], "annotators: row 1 is None; every vote needs an annotator"),
        ([[0], [0]], [["a"], ["b"]], "expected one dimension"),
    ],
)
def test_votes_of_nobody_are_refused(items: object, annotators: object, message: str) -> None:
    """A vote without item or annotator is named."""
    codes = np.zeros(np.shape(items), dtype=int)
    with pytest.raises(UsageError, match=message):
        cohen_kappa(items, annotators, codes, 2, rng=np.random.default_rng(0))  # type: ignore[arg-type]


def test_one_item_has_no_interval() -> None:
    """Two people who share one item have a κ, and nothing says how sure it is."""
    found = cohen_kappa([0, 0, 1], ["x", "y", "x"], [0, 1, 1], 2, rng=np.random.default_rng(0)).mean
    assert (found.value, found.low, found.high) == (0.0, None, None)
    assert found.reason.startswith("one item")
