"""Confidence sequences are what the e-processes do not reject."""

from __future__ import annotations

import math

import numpy as np
import pytest

from labelops.measure.eprocess import log_e_value, log_e_value_above
from labelops.measure.sequences import (
    certified_bound,
    confidence_sequence,
    proven_lower_bound,
)

RISK = 0.05
WANTED = math.log(1 / RISK)


def test_bounds_agree_with_the_test() -> None:
    """The certified bound is where the evidence just suffices; every looser bound is certified."""
    for k, n in ((0, 50), (2, 300), (40, 90)):
        bound = float(certified_bound(k, n, RISK))
        assert float(log_e_value(k, n, bound)) == pytest.approx(WANTED, abs=1e-5)
        looser = np.linspace(bound, 1.0, 50)
        assert (log_e_value(k, n, looser) >= WANTED - 1e-6).all()
    for k, n in ((2, 10), (20, 300)):
        bound = float(proven_lower_bound(k, n, RISK))
        assert float(log_e_value_above(k, n, bound)) == pytest.approx(WANTED, abs=1e-5)
        lower = np.linspace(0.0, bound, 50)
        assert (log_e_value_above(k, n, lower) >= WANTED - 1e-6).all()


def test_each_end_has_half_of_the_risk() -> None:
    """Where either e-process just reaches what half the risk takes."""
    found = confidence_sequence(12, 200, 1 - RISK)
    for share, evidence in ((found.low, log_e_value_above), (found.high, log_e_value)):
        assert float(evidence(12, 200, share)) == pytest.approx(math.log(2 / RISK), abs=1e-5)


def test_bounds_without_evidence() -> None:
    """Without looks, or with only errors, nothing below 1 is certified."""
    assert certified_bound(0, 0, RISK) == 1.0
    assert certified_bound(4, 4, RISK) == pytest.approx(1.0)
    assert proven_lower_bound(0, 10, RISK) == 0.0


@pytest.mark.slow
def test_sequence_covers_at_every_look() -> None:
    """The interval misses the true share at any of 300 looks in at most 5 % of 300 streams."""
    rng = np.random.default_rng(2)
    truth, looks = 0.05, np.arange(1, 301)
    errors = (rng.random((300, 300)) < truth).cumsum(axis=1)
    risk = RISK / 2
    below = log_e_value(errors, looks, truth) >= -math.log(risk)
    above = log_e_value_above(errors, looks, truth) >= -math.log(risk)
    missed = (below | above).any(axis=1).mean()
    assert 0.001 < missed <= 0.064
    interval = confidence_sequence(15, 300)
    assert interval.low < 0.05 < interval.high
