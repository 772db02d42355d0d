"""Planned from the bound: the smallest sample that shows it with one error, and never a smaller."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.autolabel.acceptance import joint_threshold
from labelops.autolabel.anytime import joint_anytime
from labelops.errors import UsageError
from labelops.measure.eprocess import hypothesis_risk
from labelops.measure.from_bound import calibration_size, least_posterior, model_posterior

BOUNDS = st.sampled_from([0.005, 0.013, 0.02, 0.05, 0.1, 0.25])


def _one_wrong(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores of n looks, of which one that is neither first nor last is wrong."""
    wrong = np.zeros(n, dtype=bool)
    wrong[n // 2] = True
    return np.ones(n), wrong


@pytest.mark.parametrize("bound", [0.02, 0.05])
def test_one_error_is_borne_and_one_look_less_bears_none(bound: float) -> None:
    """What is planned is what the tests themselves need, as an e-process and as one look."""
    risk = hypothesis_risk(1, 0.05)
    for n, passes in (
        (calibration_size(bound, 0.05), True),
        (calibration_size(bound, 0.05) - 1, False),
    ):
        scores, wrong = _one_wrong(n)
        found = joint_anytime(scores, scores, wrong, error=bound, risk=risk, planned=n)
        assert (found.threshold is not None) == passes
    for size, fewer in ((1797, 0), (1799, 0), (1799, 1)):
        # No larger set tolerates as few errors as 1,799 do: what is planned is the least there.
        scores, wrong = _one_wrong(calibration_size(bound, 0.05, size) - fewer)
        once = joint_threshold(np.ones(size), scores, wrong, error=bound, risk=risk, pool_size=size)
        assert (once.threshold is not None) == (not fewer)


@given(BOUNDS, st.integers(1, 5000), st.integers(0, 200))
def test_more_items_never_want_fewer_looks(bound: float, size: int, more: int) -> None:
    """A plan that grows only adds looks, and never asks for more than there is."""
    now, later = (calibration_size(bound, 0.05, n) for n in (size, size + more))
    assert now <= later <= min(size + more, calibration_size(bound, 0.05))


@given(BOUNDS, st.sampled_from([0.01, 0.05, 0.2]))
def test_a_stricter_promise_wants_more_looks(bound: float, risk: float) -> None:
    """A smaller bound and a smaller risk each take more looks."""
    size = calibration_size(bound, risk)
    assert calibration_size(bound / 2, risk) > size
    assert calibration_size(bound, risk / 2) > size


def test_labels_as_sure_as_their_set() -> None:
    """Labels that are each wrong no oftener than the bound are wrong on no more on average."""
    rng = np.random.default_rng(4)
    sure = rng.uniform(least_posterior(0.1), 1.0, 20_000)
    assert (rng.uniform(size=sure.size) > sure).mean() < 0.1
    assert least_posterior(0.1) == 0.9


@pytest.mark.parametrize("bound", [0.0, 1.0, float("nan")])
def test_no_bound_no_plan(bound: float) -> None:
    """Nothing is planned for a bound that promises nothing, or all."""
    with pytest.raises(UsageError):
        calibration_size(bound, 0.05)
    with pytest.raises(UsageError):
        least_posterior(bound)


def test_a_models_label_may_be_in_more_doubt_than_the_bound_and_never_unlikely() -> None:
    """It asks for less than people's labels do, for no more where more is borne, and for half."""
    bounds = np.linspace(0.001, 0.4, 50)
    found = np.array([model_posterior(b) for b in bounds])
    assert (np.diff(found) <= 0).all() and (found >= 0.5).all()
    assert all(model_posterior(b) <= least_posterior(b) for b in bounds)
