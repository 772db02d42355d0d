"""Evidence that is sharpest at one look: fair at the bound, exact by plan, valid at all looks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from labelops.errors import UsageError
from labelops.measure.eprocess import log_e_value, log_wanted
from labelops.measure.planned import log_e_value_planned, most_errors

from ..examples import examples

RISK = 0.05


@examples(80)
@given(
    st.sampled_from([0.01, 0.05, 0.2]), st.integers(0, 300), st.integers(0, 320), st.integers(0, 20)
)
def test_fair_at_the_bound_and_losing_above(bound: float, planned: int, n: int, k: int) -> None:
    """One more look changes the expected evidence by nothing at the bound, and lowers it beyond."""
    k = min(k, n)
    # Errors by the plan, where that is over: any that came by then.
    by_plan = k // 2 if n > planned else k
    args = {"bound": bound, "risk": RISK, "planned": planned}

    def value(errors: int, looks: int) -> float:
        at = by_plan if looks and n >= planned else errors
        return float(np.exp(log_e_value_planned(errors, looks, by_plan=at, **args)))

    now, clean, wrong = value(k, n), value(k, n + 1), value(k + 1, n + 1)
    assert value(0, 0) == pytest.approx(1.0), "it begins with all there is to bet and no more"
    assert bound * wrong + (1 - bound) * clean == pytest.approx(now, rel=1e-6, abs=1e-12)
    worse = min(1.0, 1.5 * bound)
    assert worse * wrong + (1 - worse) * clean <= now * (1 + 1e-9) + 1e-12
    assert wrong <= clean * (1 + 1e-12), "an error never adds to it"


@pytest.mark.parametrize("more", [0, 1, 25])
@pytest.mark.parametrize("planned", [60, 90])
def test_its_mean_is_one_at_any_look(planned: int, more: int) -> None:
    """Exactly, at the bound, over all errors by the plan and after it; before it as well.

    Twice the evidence at the plan and beyond would have a mean of two thirds more.
    """
    bound, later = 0.1, np.arange(more + 1)
    mean = 0.0
    for k in range(planned + 1):
        found = log_e_value_planned(
            k + later, planned + more, bound, RISK, planned=planned, by_plan=k
        )
        chance = binom.pmf(k, planned, bound) * binom.pmf(later, more, bound)
        mean += float((chance * np.exp(found)).sum())
    assert mean == pytest.approx(1.0)
    for n in (1, planned // 2, planned - 1):
        errors = np.arange(n + 1)
        before = log_e_value_planned(errors, n, bound, RISK, planned=planned, by_plan=0)
        assert (binom.pmf(errors, n, bound) * np.exp(before)).sum() == pytest.approx(1.0)


def test_errors_by_the_plan_are_read_beyond_it_only() -> None:
    """Up to the planned look, its own included, they are those there are."""
    for n in (200, 300):
        told = [
            log_e_value_planned(3, n, 0.05, RISK, planned=300, by_plan=k).item() for k in (3, 250)
        ]
        assert told[0] == told[1]
    most = most_errors(300, 0.05, 2 / 3 * RISK)
    late = [
        log_e_value_planned(most + 1, 301, 0.05, RISK, planned=300, by_plan=k).item()
        for k in (most, most + 1)
    ]
    assert late[0] > late[1]


@examples(60)
@given(st.integers(0, 400), st.sampled_from([0.01, 0.02, 0.1, 0.3]), st.sampled_from([0.03, 0.2]))
def test_oracle_most_errors(n: int, bound: float, risk: float) -> None:
    """The exact binomial test, by its definition."""
    passing = np.flatnonzero(binom.cdf(np.arange(n + 1), n, bound) <= risk) if n else []
    assert most_errors(n, bound, risk) == max(passing, default=-1)


@pytest.mark.parametrize("planned", [67, 200, 500, 1000])
def test_by_plan_it_passes_what_a_fixed_test_at_two_thirds_of_the_risk_does(planned: int) -> None:
    """At the planned look the most errors borne are those of the exact test, which are more."""
    errors = np.arange(60)
    found = log_e_value_planned(errors, planned, 0.05, RISK, planned=planned, by_plan=errors)
    borne = int((found >= log_wanted(RISK)).sum()) - 1
    mixture = int((log_e_value(errors, planned, 0.05) >= log_wanted(RISK)).sum()) - 1
    assert borne == most_errors(planned, 0.05, 2 / 3 * RISK) > mixture


def test_without_a_plan_it_is_the_mixture() -> None:
    """No plan, or one of too few looks to show anything: nothing is staked on it."""
    errors, n = np.array([0, 1, 5]), np.array([0, 50, 300])
    for planned in (0, 20):
        found = log_e_value_planned(errors, n, 0.05, RISK, planned=planned, by_plan=0)
        assert found.tolist() == log_e_value(errors, n, 0.05).tolist()
    for bound in (0.0, 1.0):
        found = log_e_value_planned(errors, n, bound, RISK, planned=300, by_plan=0)
        assert found.tolist() == log_e_value(errors, n, bound).tolist()


@pytest.mark.parametrize(
    "change", [{"planned": -1}, {"planned": 9.5}, {"risk": 0.0}, {"bound": 1.5}]
)
def test_impossible_plans_are_refused(change: dict[str, float]) -> None:
    args = {"bound": 0.1, "risk": RISK, "planned": 10, **change}
    with pytest.raises(UsageError):
        log_e_value_planned(0, 5, by_plan=0, **args)  # type: ignore[arg-type]


def _streams(share: float, repetitions: int) -> np.ndarray:
    """Return errors up to each of 2,000 looks, (repetitions, looks)."""
    return (np.random.default_rng(21).random((repetitions, 2000)) < share).cumsum(axis=1)


def _ever(errors: np.ndarray, planned: int) -> float:
    """How often evidence below 5 % suffices at one of the looks."""
    n, at = np.arange(1, errors.shape[1] + 1), errors[:, planned - 1 : planned]
    values = log_e_value_planned(errors, n, 0.05, RISK, planned=planned, by_plan=at)
    return float((values >= log_wanted(RISK)).any(axis=1).mean())


@pytest.mark.slow
@pytest.mark.parametrize("planned", [100, 500])
def test_size_over_two_thousand_looks(planned: int) -> None:
    """At the bound at most 5 % of 4,000 streams are ever passed, and no risk is left unused."""
    found = np.mean([_ever(part, planned) for part in np.split(_streams(0.05, 4000), 8)])
    assert 0.03 <= found <= RISK + 2 * np.sqrt(RISK * (1 - RISK) / 4000)


@pytest.mark.slow
def test_a_plan_made_at_each_look_is_none() -> None:
    """Who calls every hundredth look the planned one errs in more than 10 % of streams."""
    errors, wanted = _streams(0.05, 300), log_wanted(RISK)
    passed = np.zeros(300, dtype=bool)
    for m in range(100, 2001, 100):
        now = errors[:, m - 1]
        passed |= log_e_value_planned(now, m, 0.05, RISK, planned=m, by_plan=now) >= wanted
    assert passed.mean() > 0.1


@pytest.mark.slow
def test_power_after_the_plan() -> None:
    """A stream at half the bound that the planned look missed is passed by later ones."""
    assert _ever(_streams(0.025, 200), 100) > 0.9
