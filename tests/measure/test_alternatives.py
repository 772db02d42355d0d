"""Mixtures of error counts in sets of a known size."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.measure import alternatives
from labelops.measure.alternatives import count_alternatives


@pytest.mark.parametrize(("first", "last"), [(0, 20), (0, 2000), (2001, 100_000), (5, 5)])
def test_alternatives_are_a_distribution(first: int, last: int) -> None:
    """Weights sum to one over few counts inside the range, starting with the first."""
    counts, log_weights = count_alternatives(100_000, first, last, 0.5, 49.5)
    assert np.exp(log_weights).sum() == pytest.approx(1.0)
    assert counts[0] == first
    assert counts[-1] <= last
    assert counts.size <= 400


@pytest.mark.parametrize(("size", "first", "last"), [(90_000, 0, 40_000), (90_000, 1_801, 90_000)])
def test_bins_of_many_counts_weigh_as_all_of_them(
    monkeypatch: pytest.MonkeyPatch, size: int, first: int, last: int
) -> None:
    """Reading a bin at points says the same of it as adding up every count in it."""
    found, weights = count_alternatives.__wrapped__(size, first, last, 0.5, 49.5)
    monkeypatch.setattr(alternatives, "_ALL", size)
    every, exact = count_alternatives.__wrapped__(size, first, last, 0.5, 49.5)
    assert found.tolist() == every.tolist()
    assert np.exp(weights).sum() == pytest.approx(1.0)
    np.testing.assert_allclose(np.exp(weights), np.exp(exact), rtol=1e-3, atol=1e-12)
