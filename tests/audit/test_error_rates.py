"""Predicted beside seen errors."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from labelops.audit.error_rates import calibration_error, reliability
from labelops.errors import UsageError


def test_verdicts_are_counted_in_bins() -> None:
    """Every label lies in one bin; 1 is in the last; means are exact."""
    chance = np.array([0.0, 0.005, 0.3, 0.3, 1.0])
    bins = reliability(chance, seen=np.array([False, False, True, False, True]))
    assert [(b.labels, b.predicted, b.seen) for b in bins] == [
        (2, 0.0025, 0.0), (2, 0.3, 0.5), (1, 1.0, 1.0),
    ]  # fmt: skip
    assert all(b.low <= b.predicted <= b.high and b.low < b.high for b in bins)
    assert all(one.high <= two.low for one, two in pairwise(bins))
    assert calibration_error(bins) == pytest.approx((2 * 0.0025 + 2 * 0.2) / 5)
    assert np.isnan(calibration_error(()))


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_calibrated_probabilities_show_no_error_and_others_do(power: float) -> None:
    """By verdicts and by planted errors alike."""
    rng = np.random.default_rng(0)
    right = rng.beta(0.3, 2, 60_000)
    wrong = rng.random(60_000) < right
    said = right**power
    seen = calibration_error(reliability(said, seen=wrong))
    planted = calibration_error(reliability(said, implied_by=said[wrong]))
    if power == 1:
        assert max(seen, planted) < 0.01
    else:
        assert min(seen, planted) > 0.02


def test_either_or() -> None:
    """Verdicts and planted errors at once, neither, or another length."""
    chance = np.array([0.1])
    for arguments in ({}, {"seen": np.array([True]), "implied_by": chance}):
        with pytest.raises(UsageError, match="either"):
            reliability(chance, **arguments)
    with pytest.raises(UsageError, match="2 verdicts"):
        reliability(chance, seen=np.array([True, False]))
