"""Many e-values at once, at many looks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import bdtrc
from scipy.stats import false_discovery_control

from labelops.errors import UsageError
from labelops.measure.eprocess import log_e_value_above
from labelops.measure.evalues import e_benjamini_hochberg


def test_worked_example() -> None:
    """Of four at 10 %: 40 stands for one, 20 for two, 13.3 for three."""
    values = np.log([41.0, 21.0, 12.0, 0.1])
    assert e_benjamini_hochberg(values, 0.1).tolist() == [True, True, False, False]
    assert not e_benjamini_hochberg(np.log([39.0, 0.1, 0.1, 0.1]), 0.1).any()
    assert e_benjamini_hochberg([np.inf, -np.inf], 0.1).tolist() == [True, False]
    assert e_benjamini_hochberg([], 0.1).size == 0


def test_order_is_nothing() -> None:
    """Permuted e-values give permuted rejections."""
    rng = np.random.default_rng(0)
    values, order = rng.normal(2, 3, 40), rng.permutation(40)
    found = e_benjamini_hochberg(values, 0.05)
    assert (e_benjamini_hochberg(values[order], 0.05) == found[order]).all()


def test_a_risk_of_one_is_refused() -> None:
    with pytest.raises(UsageError, match="risk"):
        e_benjamini_hochberg([1.0], 1.0)


@pytest.mark.slow
def test_a_year_of_looks_at_ten_people_at_the_floor() -> None:
    """Anybody is ever accused in ≤ 5 % of years, by e-BH; in most, by a fresh test each week.

    Ten people exactly as accurate as they must be, ten judged votes a week each, 52 looks. One
    with half as many errors more is found in nine years of ten.
    """
    rng, years, risk, floor = np.random.default_rng(1), 200, 0.05, 0.8
    wrong = rng.binomial(10, 1 - floor, (years, 52, 10)).cumsum(axis=1)
    n = 10 * np.arange(1, 53)[None, :, None]
    log_e = log_e_value_above(wrong, n, 1 - floor)
    ever = [any(e_benjamini_hochberg(look, risk).any() for look in year) for year in log_e]
    assert np.mean(ever) <= risk + 2 * np.sqrt(risk * (1 - risk) / years)
    naive = bdtrc(wrong - 1.0, np.broadcast_to(n, wrong.shape), 1 - floor)
    fresh = [any((false_discovery_control(p) <= risk).any() for p in year) for year in naive[:80]]
    assert np.mean(fresh) > 2 * risk
    careless = rng.binomial(10, 1.5 * (1 - floor), (years, 52)).cumsum(axis=1)
    log_e[:, :, 0] = log_e_value_above(careless, n[:, :, 0], 1 - floor)
    found = [e_benjamini_hochberg(year[-1], risk)[0] for year in log_e]
    assert np.mean(found) >= 0.9
