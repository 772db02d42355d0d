"""Intervals of agreement: by item, seeded, and none where one item is all there is."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.measure.agreement import (
    krippendorff_alpha,
    measure_agreement,
)
from labelops.measure.codes import IntArray

from .ratings import OBSERVERS, PATIENTS, from_counts, long_of


def test_no_interval_on_request() -> None:
    """Without resamples the values come without an interval, and say so."""
    found = measure_agreement(*from_counts(PATIENTS), 5, rng=np.random.default_rng(0), resamples=0)
    assert found.alpha.low is found.alpha.high is None
    assert "no interval" in found.alpha.reason


def test_interval_is_by_item() -> None:
    """Every vote given three times over makes no interval narrower, for the items are as many."""
    items, who, codes = from_counts(PATIENTS)
    thrice = (
        np.tile(items, 3),
        np.concatenate([who + 10 * i for i in range(3)]),
        np.tile(codes, 3),
    )
    widths = []
    for votes in ((items, who, codes), thrice):
        kappa = measure_agreement(*votes, 5, rng=np.random.default_rng(1)).kappa
        assert kappa.low is not None
        assert kappa.high is not None
        widths.append(kappa.high - kappa.low)
    assert widths[1] > 0.8 * widths[0]


@pytest.mark.slow
def test_interval_covers() -> None:
    """Over 60 samples of 150 items the 95 % interval covers the population's alpha 52 times."""
    rng = np.random.default_rng(2)

    def votes(items: int) -> tuple[IntArray, IntArray, IntArray]:
        truth = rng.integers(0, 3, size=items)
        hard = rng.random(items) < 0.3
        noise = np.where(hard, 0.8, 0.1)
        wrong = rng.random((4, items)) < noise
        table = np.where(wrong, rng.integers(0, 3, size=(4, items)), truth) + 1
        return long_of(table)

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
        krippendorff_alpha(*long_of(OBSERVERS), 5, rng=np.random.default_rng(3)) for _ in range(2)
    ]
    assert results[0] == results[1]


@pytest.mark.parametrize("said", [[0, 1, 0], [0, 0, 1], [1, 1, 1]])
def test_one_item_has_no_interval(said: list[int]) -> None:
    """However many single votes lie around it, one item that two people saw shows no spread."""
    rng = np.random.default_rng(0)
    votes = ([7, 7, 9], ["x", "y", "x"], said)
    found = measure_agreement(*votes, 2, rng=rng)
    for one in (found.alpha, found.kappa, found.ac, found.percent):
        assert (one.low, one.high) == (None, None)
        assert one.reason.startswith("one item" if one.value is not None else "all votes")
    assert found.percent.value == float(said[0] == said[1])
    alone = krippendorff_alpha(*votes, 2, rng=rng)
    assert (alone.alpha, alone.low) == (found.alpha.value, None)
    # What few items bear is as wide as it was, for whoever decides by it.
    if alone.alpha is not None:
        ends = alone.cautious()
        assert ends is not None and ends[0] <= alone.alpha < 0.9 < ends[1]
    two = measure_agreement([7, 7, 9, 9], ["x", "y"] * 2, [0, 1, 1, 1], 2, rng=rng)
    assert two.alpha.low is not None and two.alpha.high is not None
    assert two.alpha.low < two.alpha.high
