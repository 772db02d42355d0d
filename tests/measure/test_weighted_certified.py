"""Audits by doubt whose looks miss some errors: the limits for the evidence spend the risk."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from labelops.measure.codes import FloatArray
from labelops.measure.weighted import audit_chances, log_e_values_count
from labelops.measure.weighted_certified import _limits, log_e_values_seen, most_found_weighted


@pytest.mark.parametrize("worth", [np.zeros(400), np.arange(400.0)])
@pytest.mark.parametrize(("wrong", "missed"), [(1, 0.001), (5, 0.05), (9, 0.3), (130, 0.1)])
def test_limits_of_what_would_be_found_spend_the_risk(
    worth: FloatArray, wrong: int, missed: float
) -> None:
    """With one too many wrong, the limits come to the risk by the chance to find so many.

    So few errors as are held against nothing are found with a twentieth of it at most; numbers
    between two that are told apart go with the lower one. More than half of the risk is used, so
    that twice of it breaks this.
    """
    chances, risk = audit_chances(worth), 0.04
    counts, limits = _limits(np.sort(chances).tobytes(), wrong, missed, risk)
    found = np.arange(wrong + 1)
    group = np.searchsorted(counts, found, side="right") - 1
    share = binom.pmf(found, wrong, 1 - missed)
    spent = (share * np.where(group < 0, 1.0, np.exp(limits[np.maximum(group, 0)]))).sum()
    assert risk / 2 < spent <= risk
    assert binom.cdf(counts[0] - 1, wrong, 1 - missed) <= 0.05 * risk
    assert (np.diff(limits) <= 0).all(), "the more would be found, the more evidence is asked for"


@pytest.mark.parametrize("corrected", [0, 2])
def test_where_nothing_is_missed_it_is_the_evidence_against_the_count(corrected: int) -> None:
    """Of 300 labels 3 may be wrong, and those that are corrected; at its largest so far."""
    chances = audit_chances(np.arange(300.0))
    looks = np.arange(200) % 90 == 45, np.arange(200), chances
    found = log_e_values_seen(*looks, 0.01, 0.05, corrected)
    expected = np.maximum.accumulate(log_e_values_count(*looks, 3 + corrected))
    assert found.tolist() == expected.tolist()
    missing = log_e_values_seen(*looks, 0.01, 0.05, corrected, missed=0.05)
    assert (missing <= found + 1e-9).all() and (np.diff(missing) >= 0).all()


@pytest.mark.parametrize("missed", [0.02, 0.1, 0.3])
def test_a_look_at_all_has_a_twentieth_of_the_risk(missed: float) -> None:
    """The chance that looks at all find so few of one too many; one more would be too likely."""
    most = most_found_weighted(0.02, 0.04, 300, missed=missed)
    assert binom.cdf(most, 7, 1 - missed) <= 0.002 < binom.cdf(most + 1, 7, 1 - missed)
