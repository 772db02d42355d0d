"""One drift alarm over all runs: rare without a change, soon after one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency, kstest

from labelops.audit.drift import _entering, class_indicators, find_drift, places_among_earlier
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


def test_places_are_uniform_and_independent() -> None:
    """Places of exchangeable values, with many ties, are uniform, one after the other."""
    rng = np.random.default_rng(1)
    places = places_among_earlier(rng.poisson(2, 5000), rng.random(5000))
    assert kstest(places, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(places[1:], places[:-1])[0, 1]) < 0.04


def test_places_by_hand() -> None:
    """Against a count of all earlier values, one by one."""
    rng = np.random.default_rng(2)
    values, draws = rng.integers(0, 30, 1300).astype(float), rng.random(1300)
    expected = [
        ((values[:i] < v).sum() + draws[i] * ((values[:i] == v).sum() + 1)) / (i + 1)
        for i, v in enumerate(values)
    ]
    assert places_among_earlier(values, draws) == pytest.approx(expected)


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
    # The draws of a statistic are made for all its items in order.
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
def test_a_year_without_change_is_quiet() -> None:
    """Of 150 unchanged years at most 5 % (and Monte-Carlo error) give an alarm."""
    rng, alarms = np.random.default_rng(5), 0
    for _ in range(150):
        statistics, when, _ = year(rng, batch=60, shift=0.0, at=0)
        alarms += find_drift(statistics, when, rng=rng).drifting
    assert alarms / 150 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 150)


@pytest.mark.slow
def test_a_test_a_week_is_not() -> None:
    """A fresh test each week at 5 % cries wolf in most unchanged years: the rule we don't use."""
    rng, alarms = np.random.default_rng(6), 0
    for _ in range(60):
        _, when, codes = year(rng, batch=100, shift=0.0, at=0)
        reference = np.bincount(codes[when == 0], minlength=6)
        tests = [
            chi2_contingency([reference, np.bincount(codes[when == run], minlength=6)]).pvalue
            for run in range(1, 53)
        ]
        alarms += min(tests) < 0.05
    assert alarms / 60 > 0.85


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
    for statistics, runs in (
        ({"x": [1.0]}, [0, 1]),
        ({"x": [1.0, 2.0]}, [1, 0]),
        ({"x": [1.0, 2.0]}, [-1, 0]),
        ({}, [0]),
        ({"x": [1.0]}, [0.5]),
    ):
        with pytest.raises(UsageError):
            find_drift(statistics, runs, rng=rng)
    assert find_drift({"x": []}, [], rng=rng).e_values.size == 0
