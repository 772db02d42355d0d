"""Exact binomial intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from labelops.errors import UsageError
from labelops.measure.intervals import (
    Interval,
    binomial_upper,
    clopper_pearson,
    clopper_pearson_arrays,
)


@pytest.mark.parametrize(
    ("k", "n"),
    [(0, 1), (1, 1), (0, 10), (1, 10), (3, 10), (9, 10), (10, 10), (7, 1000), (999, 1000)],
)
def test_oracle_scipy(k: int, n: int) -> None:
    """The interval is scipy's exact one."""
    theirs = binomtest(k, n).proportion_ci(0.9, method="exact")
    ours = clopper_pearson(k, n, 0.9)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize("risk", [1e-6, 1e-12, 1e-15, 1e-17, 1e-20, 1e-100])
def test_a_small_risk_is_kept(risk: float) -> None:
    """Both ends have their own tail, which 1 - risk has no digits for; no bound is too low."""
    clean = clopper_pearson(0, 1000, risk=risk)
    assert clean.high == pytest.approx(-np.expm1(np.log(risk / 2) / 1000), rel=1e-9)
    assert binomial_upper(0, 1000, risk) == pytest.approx(-np.expm1(np.log(risk) / 1000), rel=1e-9)
    for k in (1, 30, 500):
        one, other = clopper_pearson(k, 1000, risk=risk), clopper_pearson(1000 - k, 1000, risk=risk)
        assert one.high == pytest.approx(1 - other.low, rel=1e-9)
        assert binom.cdf(k, 1000, one.high) == pytest.approx(risk / 2, rel=1e-6)


def test_nothing_seen() -> None:
    """Without a look the share may be anything."""
    assert clopper_pearson(0, 0) == Interval(0.0, 1.0)


def test_coverage_where_wald_fails() -> None:
    """At a share of .5 % and 200 looks it covers at least 95 %; the Wald interval does not."""
    n, p = 200, 0.005
    k = np.arange(n + 1)
    mass = binom.pmf(k, n, p)
    low, high = clopper_pearson_arrays(k, n)
    assert mass[(low <= p) & (p <= high)].sum() >= 0.95
    half = 1.96 * np.sqrt(k / n * (1 - k / n) / n)
    assert mass[np.abs(k / n - p) <= half].sum() == pytest.approx(0.63, abs=0.01)


@pytest.mark.parametrize(("k", "n"), [(0, 50), (3, 50), (49, 50)])
def test_upper_is_where_the_tail_is_the_risk(k: int, n: int) -> None:
    """At the upper bound so few errors have exactly the risk as probability."""
    assert binom.cdf(k, n, binomial_upper(k, n, 0.05)) == pytest.approx(0.05, abs=1e-9)


def test_upper_of_only_errors() -> None:
    """When every look was an error, or there was none, nothing below 1 is excluded."""
    assert binomial_upper(5, 5, 0.05) == binomial_upper(0, 0, 0.05) == 1.0


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (0.5, 5), (np.nan, 5), (0, np.inf)])
def test_impossible_counts(k: float, n: float) -> None:
    """Counts that cannot be are refused."""
    with pytest.raises(UsageError, match="expected whole numbers"):
        clopper_pearson_arrays(k, n)
