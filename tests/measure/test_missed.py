"""What looks miss: by the definition, from the binomial chance to find so few."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from labelops.errors import UsageError
from labelops.measure.missed import check_missed, most_found, most_wrong, seen_bound

MISSED = st.sampled_from([0.01, 0.05, 0.3, 0.9])
CHANCE = st.sampled_from([1e-6, 0.002, 0.05, 0.5])


@given(st.integers(0, 12), MISSED, CHANCE, st.integers(0, 25))
def test_oracle_most_wrong(found: int, missed: float, chance: float, more: int) -> None:
    """The largest number of which so few are found with more than the chance, of those there."""
    size = found + more
    fits = [m for m in range(found, size + 1) if binom.cdf(found, m, 1 - missed) > chance]
    assert most_wrong(found, missed, chance, size) == max(fits)
    assert most_wrong(found, 0.0, chance, size) == found


def test_a_set_of_any_size_takes_no_longer() -> None:
    """Of two thousand million, nine found at most: 25 may be wrong where half are missed."""
    fits = [m for m in range(9, 60) if binom.cdf(9, m, 0.5) > 0.02]
    assert most_wrong(9, 0.5, 0.02, 2**31) == max(fits) == most_wrong(9, 0.5, 0.02, 60)


@given(st.integers(0, 8), st.integers(0, 8), MISSED, CHANCE)
def test_oracle_most_found(tolerated: int, corrected: int, missed: float, chance: float) -> None:
    """The largest number that looks find, or fewer, with at most the chance, of one too many."""
    wrong = tolerated + corrected + 1
    fits = [k for k in range(wrong) if binom.cdf(k, wrong, 1 - missed) <= chance]
    assert most_found(tolerated, corrected, missed, chance) == max(fits, default=-1)
    assert most_found(tolerated, corrected, 0.0, chance) == tolerated + corrected


@pytest.mark.parametrize("corrected", [0, 5, 20, 300, 500])
def test_errors_that_were_corrected_were_missed_as_well(corrected: int) -> None:
    """With t left and c corrected, t + c were wrong; a share of these is missed, and c are gone."""
    size, tolerated, missed = 1000, 20, 0.05
    seen = (1 - missed) * (tolerated + corrected) - corrected
    assert seen_bound(0.02, missed, size, corrected) == pytest.approx(max(seen, 0) / size)
    assert seen_bound(0.02, 0.0, size, corrected) == 0.02


def test_a_stream_has_nothing_to_correct() -> None:
    """Of its share looks find so much."""
    assert seen_bound(0.02, 0.25) == pytest.approx(0.015)


def test_looks_that_find_nothing_are_refused() -> None:
    """All but nothing may be missed, and no less than nothing."""
    check_missed(0.999)
    check_missed(0.0)
    for missed in (1.0, -0.1, 1.1):
        with pytest.raises(UsageError, match="missed is"):
            check_missed(missed)
