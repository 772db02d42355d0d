"""Many e-values at once, at many looks."""

from __future__ import annotations

from collections.abc import Callable

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


@pytest.mark.parametrize("people", [1, 3, 7])
@pytest.mark.parametrize("rejected", [1, 2])
def test_exactly_enough_is_enough(people: int, rejected: int) -> None:
    """The k-th largest of A needs A / (k risk), and a thousandth less is too little."""
    k, risk = min(rejected, people), 0.05
    values = np.full(people, -np.inf)
    values[:k] = np.log(people / (risk * k))
    assert e_benjamini_hochberg(values, risk).tolist() == (np.arange(people) < k).tolist()
    assert not e_benjamini_hochberg(values - 1e-3, risk).any()


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


def _false_share(
    evidence: np.ndarray, guilty: int, accuse: Callable[[np.ndarray], np.ndarray]
) -> float:
    """Return the mean share of false accusations, each for good; (years, looks, people).

    The last `guilty` people are.
    """
    shares = []
    for year in evidence:
        accused = np.zeros(year.shape[1], dtype=bool)
        for look in year:
            accused |= accuse(look)
        shares.append(accused[: accused.size - guilty].sum() / max(int(accused.sum()), 1))
    return float(np.mean(shares))


@pytest.mark.parametrize("guilty", [0, 3])
@pytest.mark.slow
def test_people_who_err_together_are_accused_no_more_often(guilty: int) -> None:
    """Nine exactly at the floor, of whom six answer all alike: false accusations, for good, ≤ 10 %.

    Whoever is accused at one look stays so, though the evidence may fall again: that is each
    person's first time at the threshold, a stopping time. So the share stays within the risk
    whoever copies whom, beside people who are guilty too. Fresh tests go far beyond.
    """
    rng, years, looks, risk, floor = np.random.default_rng(2), 400, 50, 0.1, 0.8
    share = np.full(9 + guilty, 1 - floor)
    share[9:] = 1.6 * (1 - floor)
    wrong = rng.binomial(8, share, (years, looks, share.size))
    wrong[:, :, 1:6] = wrong[:, :, :1]
    n = 8 * np.arange(1, looks + 1)[None, :, None]
    log_e = log_e_value_above(wrong.cumsum(axis=1), n, 1 - floor)
    found = _false_share(log_e, guilty, lambda look: e_benjamini_hochberg(look, risk))
    assert found <= risk
    fresh = bdtrc(wrong.cumsum(axis=1) - 1.0, np.broadcast_to(n, wrong.shape), 1 - floor)[:60]
    assert _false_share(fresh, guilty, lambda p: false_discovery_control(p) <= risk) > 1.5 * risk
    if guilty:
        ever = (log_e[:, :, 9:] >= np.log(share.size / risk)).any(axis=1)
        assert ever.mean() > 0.8, "the guilty are found all the same"


@pytest.mark.slow
def test_people_who_come_one_after_another() -> None:
    """Eight at the floor, each gone when the next comes: at most 1 + 1/2 + … + 1/8 times the risk.

    Each is one of all who came so far, so the first has the whole risk and the eighth an eighth.
    Who does not count those that are gone accuses more.
    """
    rng, years, risk, floor, people = np.random.default_rng(3), 400, 0.1, 0.8, 8
    false = alone = 0
    for _ in range(years):
        wrong = rng.binomial(1, 1 - floor, (people, 300)).cumsum(axis=1)
        log_e = log_e_value_above(wrong, np.arange(1, 301)[None, :], 1 - floor)
        most = log_e.max(axis=1)
        # With the others gone at what they had in the end, alone or with all of those.
        false += any(
            e_benjamini_hochberg(np.append(log_e[:j, -1], most[j]), risk)[j] for j in range(people)
        )
        alone += any(e_benjamini_hochberg(most[j : j + 1], risk)[0] for j in range(people))
    bound = risk * (1 / np.arange(1, people + 1)).sum()
    assert risk / 2 < false / years <= bound + 0.03 < alone / years
