"""One drift alarm over all runs: rare without a change, soon after one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import binom, chi2_contingency, hypergeom, kstest

from labelops.audit.drift import (
    _SHIFTS,
    _entering,
    _law,
    _tails,
    accumulate,
    class_indicators,
    find_drift,
    run_places,
)
from labelops.errors import UsageError

CLASSES = tuple("abcdef")


def year(
    rng: np.random.Generator, *, batch: int, shift: float, at: int, runs: int = 53
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Simulate a reference of 500 items and weekly batches; from run `at` one class is commoner."""
    when = np.repeat(np.arange(runs), np.r_[500, np.full(runs - 1, batch)])
    even = np.full(6, 1 / 6)
    moved = even + shift * np.r_[1, np.full(5, -1 / 5)]
    before, after = (rng.choice(6, when.size, p=p) for p in (even, moved))
    codes = np.where(when < at, before, after)
    statistics = class_indicators(codes, CLASSES) | {"confidence": rng.beta(5, 1, when.size)}
    return statistics, when, codes


@pytest.mark.slow
def test_places_are_uniform_and_independent() -> None:
    """Places of a stream that goes on as it was are uniform, one run after the other."""
    rng = np.random.default_rng(1)
    sizes = (20, 3, 40, 7, 25)
    new = [np.arange(sum(sizes[: r + 1])) >= sum(sizes[:r]) for r in range(5)]
    found = []
    for _ in range(1500):
        values = rng.random(sum(sizes)) < 0.15
        run = [run_places({"x": values[: row.size]}, row, rng)["x"][0] for row in new[1:]]
        found.append(run)
    places = np.array(found)
    for column in places.T:
        assert kstest(column, "uniform").pvalue > 0.01
    assert np.abs(np.corrcoef(places.T) - np.eye(4)).max() < 0.08


def test_tails_are_the_hypergeometric_law() -> None:
    """Against scipy's, far out on both sides as well."""
    for count, total, many, batch in ((0, 50, 5, 20), (5, 50, 5, 20), (30, 2000, 60, 400)):
        law = hypergeom(total, many, batch)
        expected = (law.cdf(count - 1), law.pmf(count), law.sf(count))
        least = max(0, batch + many - total)
        assert _tails(count - least, _law(total, many, batch)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
def test_a_fair_game() -> None:
    """Over all places of two runs, what statistics that hang together own is 1 on average.

    By quadrature: exact but for rounding. Evidence that counts double is 2, and so is more than 1
    what goes by the best statistic or the best family.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(14)
    weights = weights / weights.sum()
    mean = np.zeros(3)
    for (u, share), (v, other) in product(zip(ndtr(nodes), weights, strict=True), repeat=2):
        runs = [
            {"x": [0.5], "y": [0.5], "z": [0.5, 0.5]},
            {"x": [u], "y": [1 - u], "z": [u, 1 - u]},
            {"x": [v], "y": [v], "z": [1 - v, v]},
        ]
        found = accumulate(
            runs, risk=0.05, statistics=["x", "y", "z"], families={"x": "a", "y": "a", "z": "b"}
        )
        mean += share * other * found.e_values
    assert mean == pytest.approx(1.0, abs=1e-5)


def test_an_alarm_takes_one_over_the_risk() -> None:
    """At just less evidence there is none: a fair game reaches 1/risk with at most that chance."""
    moved = [{"x": [0.5]}] + [{"x": [0.97]}] * 3
    reached = accumulate(moved, risk=0.5, statistics=["x"]).e_values[-1]
    assert reached > 10
    for risk, alarm in ((1.001 / reached, 3), (0.999 / reached, None)):
        assert accumulate(moved, risk=risk, statistics=["x"]).alarm == alarm


def _most(runs: int, risk: float) -> int:
    """Give how many of so many independent streams may give an alarm; more do in one of 1,000."""
    return int(binom.ppf(0.999, runs, risk))


@pytest.mark.slow
def test_the_promise_is_kept_and_the_best_bet_breaks_it() -> None:
    """On uniform places 1/risk is reached in at most `risk` of streams; by the luckiest bet, more.

    Nobody knows beforehand which bet will be the luckiest: that is the rule we do not use.
    """
    rng, runs, risk = np.random.default_rng(10), 40, 0.2
    streams = rng.random((600, runs))
    ever = [
        accumulate([{"x": [p]} for p in row], risk=risk, statistics=["x"]).drifting
        for row in streams
    ]
    owned = np.exp(np.cumsum(ndtri(streams)[:, :, None] * _SHIFTS - _SHIFTS**2 / 2, axis=1))
    luckiest = (owned.max(axis=(1, 2)) >= 1 / risk).sum()
    assert sum(ever) <= _most(600, risk) < luckiest


def test_families_share_alike() -> None:
    """One family of a hundred statistics weighs no more than a family of one."""
    moved = [{"score": [0.99]} | {f"class {i}": [0.5] for i in range(100)} for _ in range(5)]
    names = list(moved[0])
    families = {name: name.split()[0] for name in names}
    found = accumulate(moved, risk=0.05, statistics=names, families=families)
    alone = accumulate(moved, risk=0.05, statistics=["score"])
    assert found.e_values == pytest.approx((alone.e_values + 1) / 2)


def _weekly(seed: int, weekend: float, later: float = 0.0) -> tuple[np.ndarray, ...]:
    """Simulate 100 items of all weekdays and 52 daily runs of 20; two days have another share."""
    rng = np.random.default_rng([15, seed])
    when = np.repeat(np.arange(53), np.r_[100, np.full(52, 20)])
    day = np.where(when == 0, np.arange(when.size), when) % 7
    share = np.where(day >= 5, weekend, 0.2) + later * (when >= 26)
    return rng.random(when.size) < share, when, day


@pytest.mark.slow
def test_weekends_that_differ_are_no_change_within_weekdays() -> None:
    """60 % on weekends for 20 %: an alarm in ≤ 5 % of 100 streams, in most without strata.

    A rise by 20 points on all days is found nevertheless, in 90 %.
    """
    ours = naive = found = 0
    for seed in range(100):
        x, when, day = _weekly(seed, 0.6)
        rng = np.random.default_rng(seed)
        ours += find_drift({"x": x}, when, rng=rng, strata=day).drifting
        naive += find_drift({"x": x}, when, rng=rng).drifting
        x, when, day = _weekly(seed, 0.6, later=0.2)
        found += find_drift({"x": x}, when, rng=rng, strata=day).drifting
    assert ours <= _most(100, 0.05) < 60 < naive
    assert found >= 90


@pytest.mark.slow
def test_places_within_strata_are_uniform() -> None:
    """Whatever the shares of the strata, and however many items of each a run brings."""
    rng, found = np.random.default_rng(16), []
    strata = np.r_[np.zeros(30), np.ones(30), np.zeros(3), np.ones(17)].astype(int)
    new = np.arange(80) >= 60
    for _ in range(1500):
        values = rng.random(80) < np.where(strata == 1, 0.7, 0.1)
        found.append(run_places({"x": values}, new, rng, strata=strata)["x"][0])
    assert kstest(found, "uniform").pvalue > 0.01
    alone = [
        run_places({"x": rng.random(80) < np.where(strata == 1, 0.7, 0.1)}, new, rng)["x"][0]
        for _ in range(1500)
    ]
    assert kstest(alone, "uniform").pvalue < 1e-6


def test_a_stratum_bets_when_it_is_known() -> None:
    """One of 19 earlier items is left out; strata of another length are refused."""
    rng = np.random.default_rng(0)
    values, new = np.r_[np.zeros(19), np.ones(5)], np.arange(24) >= 19
    assert run_places({"x": values}, new, rng, strata=np.ones(24))["x"] == [0.5]
    more, fresh = np.r_[0, values], np.r_[False, new]
    assert run_places({"x": more}, fresh, rng, strata=np.ones(25))["x"][0] > 0.99
    assert run_places({"x": more}, fresh, rng, strata=np.arange(25) < 20)["x"] == [0.5]
    with pytest.raises(UsageError, match="strata: found shape"):
        find_drift({"x": values}, np.zeros(24, int), rng=rng, strata=[1])


def test_money_never_runs_out() -> None:
    """What enters over all runs is less than all there is, and most of it."""
    spent = sum(_entering(run) for run in range(1, 200_000))
    assert 0.95 < spent < 1 - 0.235 / np.log(200_000) * 0.9


def test_early_items_keep_their_evidence() -> None:
    """The e-values of past runs are the same when later runs have come."""
    rng = np.random.default_rng(3)
    statistics, when, _ = year(rng, batch=50, shift=0.2, at=3, runs=8)
    whole = find_drift(statistics, when, rng=np.random.default_rng(9))
    past = when < 5
    part = find_drift(
        {name: values[past] for name, values in statistics.items()},
        when[past],
        rng=np.random.default_rng(9),
    )
    assert part.e_values == pytest.approx(whole.e_values[:5])


def test_finds_what_moved() -> None:
    """A class that doubles is found within three runs and named; so is a falling confidence."""
    rng = np.random.default_rng(4)
    statistics, when, _ = year(rng, batch=200, shift=0.16, at=20, runs=30)
    found = find_drift(statistics, when, rng=rng)
    assert found.alarm in (20, 21, 22)
    assert found.suspect == "share of a"
    steady, when, _ = year(rng, batch=200, shift=0.0, at=20, runs=30)
    steady["confidence"] = np.where(when < 20, steady["confidence"], rng.beta(4, 2, when.size))
    found = find_drift(steady, when, rng=rng)
    assert found.alarm in (20, 21, 22)
    assert found.suspect == "confidence"


@pytest.mark.slow
def test_a_year_without_change_is_quiet_and_a_test_a_week_is_not() -> None:
    """Of unchanged years at most 5 % may give an alarm; of fresh tests each week nearly all do."""
    rng, years, alarms, weekly = np.random.default_rng(5), 25, 0, 0
    for _ in range(years):
        statistics, when, codes = year(rng, batch=60, shift=0.0, at=0)
        alarms += find_drift(statistics, when, rng=rng).drifting
        reference = np.bincount(codes[when == 0], minlength=6)
        tests = [
            chi2_contingency([reference, np.bincount(codes[when == run], minlength=6)]).pvalue
            for run in range(1, 53)
        ]
        weekly += min(tests) < 0.05
    assert alarms <= _most(years, 0.05) < 0.8 * years < weekly


@pytest.mark.slow
def test_a_shift_of_five_points_is_found() -> None:
    """With 400 items a week it is found in 95 % of years, within six weeks on average."""
    rng, delays = np.random.default_rng(7), []
    for _ in range(25):
        statistics, when, _ = year(rng, batch=400, shift=0.05, at=26)
        alarm = find_drift(statistics, when, rng=rng).alarm
        delays.append(np.inf if alarm is None else alarm - 25)
    delays = np.array(delays)
    assert np.isfinite(delays).mean() >= 0.95
    assert np.median(delays) <= 6
    assert delays[np.isfinite(delays)].mean() <= 6


def test_unknown_values_do_not_bet() -> None:
    """Missing values change nothing about the others; too short a reference stays at 1."""
    rng = np.random.default_rng(8)
    when = np.repeat([0, 1], 100)
    values = rng.random(200)
    short = np.where((when == 0) & (np.arange(200) >= 19), np.nan, values)
    assert find_drift({"x": short}, when, rng=rng).e_values.tolist() == [1.0, 1.0]
    none = find_drift({"x": np.full(200, np.nan)}, when, rng=rng)
    assert (none.alarm, none.suspect, none.drifting) == (None, "", False)
    constant = find_drift({"x": np.ones(200)}, when, rng=rng)
    assert not constant.drifting


def test_wrong_input() -> None:
    rng = np.random.default_rng(9)
    for statistics, runs, match in (
        ({"x": [1.0]}, [0, 1], "x has 1 values for 2 items"),
        ({"x": [1.0, 2.0]}, [1, 0], "a later item has an earlier run"),
        ({"x": [1.0, 2.0]}, np.array([1, 0], dtype=np.uint8), "a later item has an earlier run"),
        ({"x": [1.0, 2.0]}, [-1, 0], "expected one whole number of 0 or more an item"),
        ({}, [0], "there is no statistic to watch"),
        ({"x": [1.0]}, [0.5], "expected one whole number of 0 or more an item"),
        ({"x": ["a"]}, [0], "x: expected numbers"),
        ({"x": np.array(["2026-01-01"], dtype="M8[D]")}, [0], "x: expected numbers"),
        ({"x": [1.0, 2.0]}, [0, 1_795_000_000], "the last one is 1795000000; number them"),
    ):
        with pytest.raises(UsageError, match=match):
            find_drift(statistics, runs, rng=rng)
    assert find_drift({"x": []}, [], rng=rng).e_values.size == 0
