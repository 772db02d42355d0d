"""Evidence that may be looked at after every audit."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import beta as beta_distribution

from labelops.errors import UsageError
from labelops.gate.certificate import certified_at
from labelops.measure.codes import BoolArray, IntArray
from labelops.measure.eprocess import (
    check_outcomes,
    clean_looks_needed,
    exceeded_at,
    hypothesis_risk,
    log_e_value,
    log_e_value_above,
    running_maximum,
)

BOUND, RISK = 0.02, 0.05
WANTED = -math.log(RISK)


def test_certifies_where_it_was_published_to() -> None:
    """For 2 % at 95 % it certifies at 178, 325, 438, 539, 633 looks with 0 to 4 errors."""
    needed = [clean_looks_needed(k, k, BOUND, RISK) for k in range(5)]
    assert [k + more for k, more in enumerate(needed) if more is not None] == [
        178, 325, 438, 539, 633,
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", [bool, int, float, object, np.uint8, np.float32])
def test_outcomes_of_any_kind_are_the_same_looks(dtype: type) -> None:
    """A column that held a missing value once is of floats; what is missing is no look, ever."""
    found = check_outcomes(np.array([False, True, True]).astype(dtype))
    assert found.dtype == np.bool_ and found.tolist() == [False, True, True]
    for bad in (np.nan, 2, -1, "yes", None):
        with pytest.raises(UsageError, match="expected true"):
            check_outcomes(np.array([True, bad], dtype=object))


@pytest.mark.parametrize(("k", "n", "bound"), [(0, 10, 0.1), (3, 40, 0.1), (5, 20, 0.6)])
def test_closed_form_is_the_mixture(k: int, n: int, bound: float) -> None:
    """The closed form equals the integral of likelihood ratios over the truncated prior."""
    b = 0.5 * (1 - bound / 2) / (bound / 2)
    prior = beta_distribution(0.5, b)

    def ratio(q: float) -> float:
        likelihood = (q / bound) ** k * ((1 - q) / (1 - bound)) ** (n - k)
        return float(likelihood * prior.pdf(q) / prior.cdf(bound))

    integral, _ = quad(ratio, 0, bound, limit=200)
    assert float(log_e_value(k, n, bound)) == pytest.approx(math.log(integral), abs=1e-5)


@pytest.mark.parametrize(
    ("k", "n", "bound", "mean"),
    [(2, 10, 0.1, 0.2), (9, 12, 0.6, 0.8), (1, 4, 0.3, 0.6), (1, 400, 1e-4, 1e-3)],
)
def test_closed_form_above_is_the_mixture(k: int, n: int, bound: float, mean: float) -> None:
    """Shares around twice the bound, half-way to 1 where that is less, a thousandth at least."""
    prior = beta_distribution(0.5, 0.5 * (1 - mean) / mean)

    def ratio(q: float) -> float:
        likelihood = (q / bound) ** k * ((1 - q) / (1 - bound)) ** (n - k)
        return float(likelihood * prior.pdf(q) / prior.sf(bound))

    middle = min(1.0, 5 * max(k / n, bound))
    integral = sum(quad(ratio, *ends, limit=400)[0] for ends in ((bound, middle), (middle, 1)))
    assert float(log_e_value_above(k, n, bound)) == pytest.approx(math.log(integral), abs=1e-5)


@pytest.mark.parametrize("bound", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("evidence", [log_e_value, log_e_value_above])
def test_expectation_is_one_at_the_bound(evidence: object, bound: float) -> None:
    """At a true share equal to the bound the e-value has mean 1 at any fixed look."""
    n = 40
    k = np.arange(n + 1)
    choose = np.array([math.comb(n, int(i)) for i in k], dtype=float)
    mass = choose * bound**k * (1 - bound) ** (n - k)
    assert (mass * np.exp(evidence(k, n, bound))).sum() == pytest.approx(1.0)  # type: ignore[operator]


def test_expectation_is_one_without_replacement() -> None:
    """At the edge of the hypothesis the finite e-value has mean 1, less what becomes certain."""
    size, bound, n = 60, 0.1, 25
    for evidence, wrong, least in ((log_e_value, 7, 1 - 1e-9), (log_e_value_above, 6, 0.3)):
        k = np.arange(min(n, wrong) + 1)
        ways = [math.comb(wrong, int(i)) * math.comb(size - wrong, n - int(i)) for i in k]
        mass = np.array(ways, dtype=float) / math.comb(size, n)
        mean = (mass * np.exp(evidence(k, n, bound, size))).sum()
        assert least <= mean <= 1 + 1e-9


@pytest.mark.parametrize("corrected", [1, 5, 12])
def test_expectation_is_one_with_corrections(corrected: int) -> None:
    """Where one error too many is left, or as many as allowed, the mean is still at most 1."""
    size, bound, n = 60, 0.1, 25
    for evidence, left, least in ((log_e_value, 7, 1 - 1e-9), (log_e_value_above, 6, 0.2)):
        wrong = left + corrected
        k = np.arange(max(0, n - size + wrong), min(n, wrong) + 1)
        ways = [math.comb(wrong, int(i)) * math.comb(size - wrong, n - int(i)) for i in k]
        mass = np.array(ways, dtype=float) / math.comb(size, n)
        mean = (mass * np.exp(evidence(k, n, bound, size, corrected))).sum()
        assert least <= mean <= 1 + 1e-9


def _reachable(size: int) -> tuple[IntArray, IntArray]:
    """Give counts of errors and looks, from one look to all."""
    pairs = [
        (k, n)
        for n in np.unique(np.geomspace(1, size, 12).astype(int))
        for k in np.unique(np.r_[0 : min(n, 8) + 1, np.linspace(0, n, 5).astype(int)])
    ]
    k, n = np.array(pairs, dtype=np.int64).T
    return k, n


@pytest.mark.parametrize(("size", "bound"), [(20, 0.2), (100, 0.02), (300, 0.02), (120, 0.3)])
def test_evidence_moves_with_what_is_corrected(size: int, bound: float) -> None:
    """Each error corrected raises the evidence of too few and lowers that of too many, anywhere.

    This is what the proof rests on: log-concave likelihoods of the counts.
    """
    k, n = _reachable(size)
    for evidence, sign in ((log_e_value, 1), (log_e_value_above, -1)):
        rows = [evidence(k, n, bound, size, c) for c in range(size)]
        with np.errstate(invalid="ignore"):
            steps = sign * np.diff(rows, axis=0)
        assert (np.isnan(steps) | (steps >= -1e-9)).all()


@pytest.mark.parametrize("size", [20, 100, 300])
def test_evidence_grows_with_the_bound(size: int) -> None:
    """Where there is any, a larger bound has more: the smallest that is certified is one number."""
    k, n = _reachable(size)
    rows = np.array([log_e_value(k, n, m / size, size) for m in range(size)])
    with np.errstate(invalid="ignore"):
        steps = np.diff(rows, axis=0)
    assert (np.isnan(steps) | (steps >= -1e-9) | (rows[:-1] < 0)).all()


def test_large_sets_are_streams() -> None:
    """For a very large set the finite e-value is close to the one for a stream."""
    for k, n in ((0, 178), (3, 539), (30, 700)):
        stream = float(log_e_value(k, n, BOUND))
        assert float(log_e_value(k, n, BOUND, 1_000_000)) == pytest.approx(stream, abs=0.02)


def test_a_small_set_needs_fewer_looks() -> None:
    """Knowing the size of a set saves audits, never costs any."""
    for k in range(4):
        stream = clean_looks_needed(k, k, BOUND, RISK)
        finite = clean_looks_needed(k, k, BOUND, RISK, 1000)
        assert stream is not None
        assert finite is not None
        assert finite < stream


def test_certainty_in_a_set() -> None:
    """When the rest of a set cannot change the answer, the evidence is infinite, or none at all."""
    assert log_e_value(2, 100, 0.02, 100) == np.inf
    assert log_e_value(0, 98, 0.02, 100) == np.inf
    assert log_e_value(3, 10, 0.02, 100) == -np.inf
    assert log_e_value_above(3, 10, 0.02, 100) == np.inf
    assert log_e_value_above(2, 100, 0.02, 100) == -np.inf


@pytest.mark.parametrize("size", [None, 50])
def test_before_any_look(size: int | None) -> None:
    """Without a look there is no evidence either way."""
    assert log_e_value(0, 0, 0.3, size) == pytest.approx(0.0, abs=1e-9)
    assert log_e_value_above(0, 0, 0.3, size) == pytest.approx(0.0, abs=1e-9)
    assert running_maximum([], 0.3, size).size == 0
    assert certified_at([], 0.3, RISK, size) is None


def test_bounds_at_the_edge() -> None:
    """Bound 0 can never be certified on a stream, bound 1 is by one clean look; no NaN appears."""
    assert log_e_value(0, 1000, 0.0) == 0.0
    assert log_e_value(0, 1, 1.0) == np.inf
    assert log_e_value(3, 3, 1.0) < 0
    assert log_e_value_above(1, 5, 0.0) == np.inf
    assert log_e_value_above(0, 5, 0.0) < 0
    assert log_e_value_above(5, 5, 1.0) == 0.0
    assert clean_looks_needed(0, 0, 0.0, RISK) is None
    assert clean_looks_needed(0, 0, 0.0, RISK, size=100) == 95
    assert clean_looks_needed(3, 3, 0.02, RISK, size=100) is None


def test_no_nan_in_extreme_counts() -> None:
    """Underflow means no evidence, never a missing or an infinite value."""
    for k, n in ((100_000, 100_000), (0, 1_000_000), (50_000, 100_000)):
        for evidence in (log_e_value, log_e_value_above):
            value = float(evidence(k, n, BOUND))
            assert not math.isnan(value)
            assert value < np.inf


def test_maximum_runs() -> None:
    """The running maximum never falls, and holds the largest value so far."""
    outcomes = np.random.default_rng(1).random(500) < 0.01
    maximum = running_maximum(outcomes, BOUND)
    assert (np.diff(maximum) >= 0).all()
    direct = max(float(log_e_value(outcomes[:n].sum(), n, BOUND)) for n in range(1, 501))
    assert maximum[-1] == pytest.approx(max(direct, 0.0))


def test_needed_looks_are_the_fewest() -> None:
    """After the looks needed it is certified, one before it is not."""
    for size in (None, 800):
        more = clean_looks_needed(2, 150, BOUND, RISK, size)
        assert more is not None
        assert log_e_value(2, 150 + more, BOUND, size) >= WANTED
        assert log_e_value(2, 150 + more - 1, BOUND, size) < WANTED


def test_risk_of_many_hypotheses() -> None:
    """The shares of risk spent on ever new hypotheses sum to the risk."""
    assert sum(hypothesis_risk(j, RISK) for j in range(1, 200_000)) == pytest.approx(RISK, rel=1e-4)
    with pytest.raises(UsageError, match="hypothesis number"):
        hypothesis_risk(0, RISK)


def _errors(rng: np.random.Generator, share: float, streams: int, looks: int) -> IntArray:
    return (rng.random((streams, looks)) < share).cumsum(axis=1)


def _boundary(looks: int, size: int | None = None) -> BoolArray:
    """Whether (errors, n) is certified, as a table."""
    k = np.arange(80)[:, None]
    n = np.arange(looks + 1)[None, :]
    table = np.full((80, looks + 1), -np.inf)
    inside = np.broadcast_to(k <= n, table.shape)
    k, n = np.broadcast_arrays(k, n)
    table[inside] = log_e_value(k[inside], n[inside], BOUND, size)
    return table >= WANTED


def test_size_when_looking_after_every_audit() -> None:
    """At exactly 2 % wrong, 2,000 looks certify falsely sometimes, at most 6.4 % of the time."""
    certified = _boundary(2000)
    errors = _errors(np.random.default_rng(3), BOUND, 1000, 2000)
    hits = certified[np.minimum(errors, 79), np.arange(1, 2001)] & (errors < 80)
    assert 0.005 <= hits.any(axis=1).mean() <= 0.064


def test_size_in_a_set() -> None:
    """A set with one error too many is certified falsely at most 6.4 % of the time."""
    size, wrong = 500, 11
    rng = np.random.default_rng(4)
    items = np.arange(size) < wrong
    errors = np.array([rng.permutation(items) for _ in range(1000)]).cumsum(axis=1)
    certified = _boundary(size, size)
    hits = certified[errors, np.arange(1, size + 1)].any(axis=1).mean()
    assert 0.01 <= hits <= 0.064


@pytest.mark.slow
@pytest.mark.parametrize(("size", "share"), [(None, 0.02), (500, 0.02)])
def test_alarm_has_size_and_power(size: int | None, share: float) -> None:
    """The alarm stays silent at the bound and rings within 400 looks at four times the bound."""
    rng = np.random.default_rng(5)

    def alarms(wrong: float) -> float:
        if size is None:
            streams = rng.random((300, 400)) < wrong
        else:
            items = np.arange(size) < round(wrong * size)
            streams = np.array([rng.permutation(items)[:400] for _ in range(60)])
        looks = np.arange(1, 401)
        value = log_e_value_above(streams.cumsum(axis=1), looks, BOUND, size)
        return float((value.max(axis=1) >= WANTED).mean())

    assert alarms(share) <= 0.064
    assert alarms(4 * share) >= 0.9


def test_exceeded_after_errors_only() -> None:
    """A run of errors raises the alarm at once; clean looks never do."""
    assert exceeded_at(np.ones(10, bool), BOUND, RISK) == 2
    assert exceeded_at(np.zeros(5000, bool), BOUND, RISK) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: log_e_value(0, 1, 1.5), "bound is 1.5"),
        (lambda: log_e_value(2, 1, 0.5), "2 errors among 1 looks"),
        (lambda: log_e_value(0, 11, 0.5, 10), "set of 10 items"),
        (lambda: log_e_value(0, 1, 0.5, 10.5), "size is 10.5"),
        (lambda: log_e_value(0, 1, 0.5, 10, -1), "corrected is -1"),
        (lambda: log_e_value("one", 1, 0.5), "'one' among 1 looks"),
        (lambda: certified_at([0, 1], 0.5, 0.0), "risk is 0.0"),
        (lambda: running_maximum([0.5], 0.5), "expected true"),
        (lambda: running_maximum([True, pd.NA], 0.5), "expected true"),
        (lambda: running_maximum([[True]], 0.5), "one dimension"),
    ],
)
def test_wrong_use(call: object, message: str) -> None:
    """Impossible bounds, counts, risks and outcomes are refused in one line."""
    with pytest.raises(UsageError, match=message):
        call()  # type: ignore[operator]
