"""The certificate from a random audit."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.special import bdtr, bdtrc
from scipy.stats import binom

from labelops.errors import UsageError
from labelops.gate.certificate import certified_at, certify
from labelops.measure.codes import BoolArray, IntArray
from labelops.measure.eprocess import (
    clean_looks_needed,
    log_e_value,
    log_e_value_above,
    log_wanted,
)
from labelops.measure.finite import tolerated_errors
from labelops.measure.intervals import Interval, clopper_pearson_arrays
from labelops.measure.staircase import step_looks

BOUND, RISK = 0.02, 0.05


@cache
def _boundary(size: int | None = None) -> IntArray:
    """Give the looks at which the bound is certified with 0, 1, 2 … errors."""
    if size is not None:
        # Errors that stay: with none of them corrected.
        return np.asarray(step_looks(BOUND, RISK, size)[: tolerated_errors(BOUND, size) + 1])
    needed = (clean_looks_needed(k, k, BOUND, RISK) for k in range(140))
    return np.array([k + more for k, more in enumerate(needed) if more is not None])


def _first_pass(wrong: BoolArray, boundary: IntArray) -> int | None:
    """First certified look of a stream of outcomes, by the table of looks needed."""
    errors = wrong.cumsum()
    looks = np.arange(1, wrong.size + 1)
    inside = errors < boundary.size
    hits = np.flatnonzero(inside & (looks >= boundary[np.minimum(errors, boundary.size - 1)]))
    return int(hits[0]) + 1 if hits.size else None


def _ever(reached: BoolArray) -> float:
    """Give the exact chance that a stream at the bound ever comes to one of these counts.

    Parameters
    ----------
    reached : (K, n) bool
        By errors, from 0, and looks, from 1. More errors than that reach nothing.
    """
    alive, chance = np.zeros(len(reached)), 0.0
    alive[0] = 1.0
    for now in reached.T:
        moved = alive * BOUND
        alive -= moved
        alive[1:] += moved[:-1]
        chance += float(alive[now].sum())
        alive[now] = 0.0
    return chance


@pytest.mark.slow
@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_the_risk_at_every_look_is_the_one_told(verdict: str) -> None:
    """Exactly, for a stream at the bound: a false verdict at any of 1,800 looks is within the risk.

    More than half of it is used, so that twice the risk breaks it. A fixed test at every look does.
    """
    k, n = np.ogrid[:90, 1:1801]
    if verdict == "pass":
        evidence, once = log_e_value(np.minimum(k, n), n, BOUND), bdtr(k * 1.0, n, BOUND)
    else:
        evidence, once = log_e_value_above(np.minimum(k, n), n, BOUND), bdtrc(k - 1.0, n, BOUND)
    chance, double = (_ever((k <= n) & (evidence >= log_wanted(r))) for r in (RISK, 2 * RISK))
    assert RISK / 2 < chance <= RISK < double
    assert _ever((k <= n) & (once <= RISK)) > 3 * RISK


@pytest.mark.parametrize("size", [None, 900, pytest.param(30_000, marks=pytest.mark.slow)])
def test_a_verdict_takes_one_over_the_risk(size: int | None) -> None:
    """At just less evidence there is none, either way."""
    clean, bad = np.zeros(120, dtype=bool), np.arange(60) % 4 == 3
    for outcomes, evidence, status in (
        (clean, log_e_value, "pass"),
        (bad, log_e_value_above, "fail"),
    ):
        if (size, status) == (900, "pass"):
            continue  # Of exact steps: see `measure/test_staircase.py`.
        looks = np.arange(1, outcomes.size + 1)
        most = np.exp(evidence(outcomes.cumsum(), looks, BOUND, size).max())
        assert most > 5
        for risk, expected in ((1.001 / most, status), (0.999 / most, "inconclusive")):
            assert certify(outcomes, BOUND, risk, size).status == expected


@pytest.mark.slow
def test_a_wald_interval_at_every_look_breaks() -> None:
    """The usual interval, read after every audit, certifies sets at exactly 2 % far too often."""
    rng, looks, passed = np.random.default_rng(8), np.arange(1, 3001), 0
    for _ in range(300):
        share = (rng.random(3000) < BOUND).cumsum() / looks
        upper = share + 1.645 * np.sqrt(share * (1 - share) / looks)
        passed += bool((upper[100:] <= BOUND).any())
    assert passed / 300 > 0.3


@pytest.mark.slow
def test_the_interval_for_all_looks_covers() -> None:
    """It misses at some look in ≤ 6.4 % of audits; Clopper–Pearson, for one look, in > 10 %."""
    rng, runs, looks = np.random.default_rng(9), 400, np.arange(1, 401)
    always = once = 0
    for _ in range(runs):
        errors = rng.permutation(np.arange(800) < 24)[:400].cumsum()
        above = log_e_value_above(errors, looks, 24 / 800, 800)
        below = log_e_value(errors, looks, 23 / 800, 800)
        always += max(above.max(), below.max()) >= log_wanted(RISK / 2)
        low, high = clopper_pearson_arrays(errors, looks, 1 - RISK)
        once += bool(((low > 0.03) | (high < 0.03)).any())
    assert always / runs <= 0.064
    assert once / runs > 0.1


def test_the_interval_is_what_neither_rejects() -> None:
    """Its ends are the last counts of errors that are not rejected, each at half the risk."""
    found = certify([True] * 6 + [False] * 94, BOUND, RISK, 800)
    low, high = round(found.anytime.low * 800), round(found.anytime.high * 800)
    assert log_e_value_above(6, 100, low / 800, 800) < log_wanted(RISK / 2)
    assert log_e_value_above(6, 100, (low - 1) / 800, 800) >= log_wanted(RISK / 2)
    assert log_e_value(6, 100, (high - 1) / 800, 800) < log_wanted(RISK / 2)
    assert log_e_value(6, 100, high / 800, 800) >= log_wanted(RISK / 2)


def test_the_interval_of_one_look_has_half_of_the_risk_at_each_end() -> None:
    """At its own ends as many errors, or as few, are as likely as half of the risk told."""
    outcomes = [True] * 7 + [False] * 93
    found = certify(outcomes, 0.02, RISK).interval
    assert found is not None
    assert bdtrc(6, 100, found.low) == pytest.approx(RISK / 2)
    assert bdtr(7, 100, found.high) == pytest.approx(RISK / 2)


@pytest.mark.slow
def test_the_two_intervals() -> None:
    """The one for all looks holds the one for a single look, and is a point once all are seen."""
    found = certify([True] * 3 + [False] * 197, BOUND, RISK, 2000)
    assert found.interval is not None
    assert found.anytime.low <= found.interval.low < found.interval.high <= found.anytime.high
    whole = certify(np.arange(50) < 2, 0.1, RISK, 50).anytime
    assert whole.low == whole.high == pytest.approx(0.04)
    assert certify([], BOUND, RISK, 100).anytime == Interval(0.0, 1.0)


def _mean_audits(share: float, streams: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    boundary = _boundary()
    found = [_first_pass(rng.random(8000) < share, boundary) for _ in range(streams)]
    assert None not in found[:20]
    return float(np.mean([8000 if first is None else first for first in found]))


LONG = pytest.param(0.01, 1161, marks=pytest.mark.slow)


@pytest.mark.parametrize(("share", "audits"), [(0.0025, 260), (0.005, 413), LONG])
def test_power(share: float, audits: int) -> None:
    """It needs on average 260, 413, 1161 audits at a true error of .25, .5 and 1 %."""
    assert _mean_audits(share, 400, seed=1) == pytest.approx(audits, rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_certificate_agrees_with_the_table(seed: int) -> None:
    """The verdict passes exactly from the first look at which the table of looks says so."""
    wrong = np.random.default_rng(seed).random(1500) < 0.002
    first = _first_pass(wrong, _boundary())
    assert first is not None
    assert certify(wrong[:first], BOUND, RISK).status == "pass"
    before = certify(wrong[: first - 1], BOUND, RISK)
    assert (before.status, before.needed) == ("inconclusive", 1)


def test_needed_audits_are_enough_and_not_too_many() -> None:
    """Adding the clean audits it asks for passes; one less does not."""
    for population in (None, 900):
        wrong = [True] + [False] * 99
        found = certify(wrong, BOUND, RISK, population)
        assert found.status == "inconclusive"
        assert found.needed is not None
        more = wrong + [False] * found.needed
        assert certify(more, BOUND, RISK, population).status == "pass"
        assert certify(more[:-1], BOUND, RISK, population).status == "inconclusive"


def test_published_looks() -> None:
    """For 2 % at 95 % it passes at 178 clean audits, and at 325 with one error."""
    assert certify([False] * 178, BOUND, RISK).status == "pass"
    assert certify([True] + [False] * 324, BOUND, RISK).status == "pass"
    assert certify([True] + [False] * 323, BOUND, RISK).status == "inconclusive"


def test_proven_worse_fails() -> None:
    """Many errors prove the set to be worse than the bound: fail, and no audit can help."""
    found = certify([True, False] * 10, BOUND, RISK)
    assert (found.status, found.needed) == ("fail", None)
    assert found.certified > 0.5
    assert "10 of 20 audited labels are wrong: more than 0.02" in found.reason


def test_later_proof_of_failure_outweighs_an_early_pass() -> None:
    """A certificate is taken back when later audits prove the opposite."""
    early = [False] * 178
    assert certify(early, BOUND, RISK).status == "pass"
    late = certify(early + [True] * 30, BOUND, RISK)
    assert late.status == "fail"
    assert late.certified > BOUND


def test_no_audit_is_inconclusive() -> None:
    """Without an audit nothing is known, and it says how many would do."""
    found = certify([], BOUND, RISK)
    assert (found.status, found.needed, found.certified) == ("inconclusive", 178, 1.0)
    assert found.interval == Interval(0.0, 1.0)
    assert found.e_value == 1.0


def test_known_population_needs_fewer() -> None:
    """In a set of 1,000 a clean audit passes after 146 items instead of 178."""
    assert certify([False] * 146, BOUND, RISK, size=1000).status == "pass"
    assert certify([False] * 145, BOUND, RISK, size=1000).status == "inconclusive"


@pytest.mark.parametrize(("wrong", "status"), [(2, "pass"), (3, "fail")])
@pytest.mark.parametrize("seed", range(4))
def test_whole_population_audited_is_exact(wrong: int, status: str, seed: int) -> None:
    """When everything was audited the verdict is the plain count, in whatever order."""
    outcomes = np.random.default_rng(seed).permutation(np.arange(100) < wrong)
    found = certify(outcomes, BOUND, RISK, size=100)
    assert found.status == status
    assert found.certified == pytest.approx(wrong / 100)
    assert np.isfinite(found.e_value)


def test_size_and_power_in_a_population() -> None:
    """In 500 labels 11 errors pass in ≤ 6.4 % of runs until all but 20 are audited; 2 mostly do."""
    rng = np.random.default_rng(3)
    boundary = _boundary(500)

    def passes(wrong: int, looks: int) -> float:
        runs = (rng.permutation(np.arange(500) < wrong)[:looks] for _ in range(800))
        return float(np.mean([_first_pass(run, boundary) is not None for run in runs]))

    assert 0.01 <= passes(11, 480) <= 0.064
    assert passes(2, 350) >= 0.95


@pytest.mark.slow
def test_certified_bound_is_never_too_low_too_often() -> None:
    """The certified share lies below the true one in at most 6 of 60 runs."""
    rng = np.random.default_rng(4)
    for population in (None, 400):
        low = 0
        for _ in range(60):
            if population is None:
                outcomes = rng.random(300) < 0.05
            else:
                outcomes = rng.permutation(np.arange(population) < 20)[:300]
            low += certify(outcomes, 1e-3, RISK, population).certified < 0.05
        assert low <= 6


@pytest.mark.slow
def test_certified_bound_matches_the_verdict() -> None:
    """A stream passes at every bound at or above the certified one and at none clearly below.

    In a known set, where errors stay, the steps pass at one that is a fifth larger.
    """
    wrong = np.random.default_rng(5).random(700) < 0.01
    for population, more in ((None, 1.0), (2000, 1.2)):
        certified = certify(wrong, 0.5, RISK, population).certified
        assert certify(wrong, more * certified + 1e-9, RISK, population).status == "pass"
        assert certify(wrong, certified - 1e-3, RISK, population).status != "pass"


def test_nothing_tolerated() -> None:
    """At bound 0 a stream can only fail; a set passes when almost all of it is clean."""
    assert certify([False] * 500, 0.0, RISK).needed is None
    assert certify([False] * 500, 0.0, RISK).status == "inconclusive"
    assert certify([False, True], 0.0, RISK).status == "fail"
    assert certify([False] * 95, 0.0, RISK, size=100).status == "pass"


@pytest.mark.parametrize("population", [None, 100])
@pytest.mark.parametrize("outcomes", [[True] * 10, [False, True], []])
def test_anything_tolerated(outcomes: list[bool], population: int | None) -> None:
    """At bound 1 every audit passes at once, the empty one too: no share is larger."""
    found = certify(outcomes, 1.0, RISK, population)
    assert (found.status, found.needed) == ("pass", 0)
    assert found.reason.endswith("at most 1 of all, at 95 % confidence")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([False], 1.2, RISK), "bound is 1.2"),
        (([False], BOUND, 1.0), "risk is 1.0"),
        (([None, True], BOUND, RISK), "true"),
        (([False] * 5, BOUND, RISK, 4), "5 audited labels in a set of 4"),
    ],
)
def test_wrong_use(arguments: tuple[object, ...], message: str) -> None:
    """Impossible shares, outcomes and populations are refused in one line."""
    with pytest.raises(UsageError, match=message):
        certify(*arguments)  # type: ignore[arg-type]


@pytest.mark.slow
def test_what_is_proven_is_not_overlooked() -> None:
    """Half of the looks found an error: too many are wrong, however few looks miss."""
    looks = [True, False] * 25
    for missed in (0.0, 0.05):
        found = certify(looks, 0.02, 0.04, 1000, corrected=25, missed=missed)
        assert (found.status, found.overlooked) == ("fail", False)
        assert "more than 0.02 of all" in found.reason


def test_a_population_is_counted() -> None:
    """Half a label would put the bound below zero."""
    with pytest.raises(UsageError, match=r"size is 10\.5, expected a whole number"):
        certify([False] * 10, 0.02, 0.05, size=10.5)  # type: ignore[arg-type]


def test_what_looks_miss_of_a_stream_is_added_to_its_share() -> None:
    """Looks that miss a tenth find nine tenths of a share; no share is more than 1."""
    clean = [False] * 400
    with_misses = certify(clean, bound=0.05, risk=RISK, missed=0.1)
    # A twentieth of the risk is for looks that miss more than is likely.
    without = certify(clean, bound=0.05, risk=0.95 * RISK)
    assert with_misses.certified == pytest.approx(without.certified / 0.9)
    assert with_misses.anytime.high == pytest.approx(without.anytime.high / 0.9)
    assert with_misses.anytime.low == without.anytime.low
    all_wrong = certify([True] * 40, bound=0.05, risk=RISK, missed=0.1)
    assert all_wrong.certified == all_wrong.anytime.high == 1


@pytest.mark.parametrize("missed", [0.1, 0.5])
def test_a_stream_whose_errors_are_missed_takes_more_looks(missed: float) -> None:
    """It passes where looks that miss nothing would show as much less."""
    bound = 0.02 * (1 - missed)
    enough = certify([], bound, RISK).needed
    assert enough is not None and enough == certify([], 0.02, RISK, missed=missed).needed
    for looks, status in ((enough - 1, "inconclusive"), (enough, "pass")):
        assert certify([False] * looks, 0.02, RISK, missed=missed).status == status
    assert certified_at([False] * 2 * enough, 0.02, RISK, missed=missed) == enough


@pytest.mark.parametrize("looks", [250, 613])
def test_what_looks_miss_of_a_set_is_added_to_its_share(looks: int) -> None:
    """As many may be wrong as would not be found, so few of them, with a twentieth of the risk."""
    outcomes, size, missed = [True] * 2 + [False] * (looks - 2), 613, 0.1
    found = certify(outcomes, 1e-3, RISK, size, missed=missed)
    without = certify(outcomes, 1e-3, 0.95 * RISK, size)
    for share, seen in ((found.certified, without.certified),
                        (found.anytime.high, without.anytime.high)):  # fmt: skip
        count, wrong = round(share * size), round(seen * size)
        assert binom.cdf(wrong, count, 1 - missed) > 0.05 * RISK
        assert binom.cdf(wrong, count + 1, 1 - missed) <= 0.05 * RISK
    assert found.anytime.low == without.anytime.low


@pytest.mark.parametrize("population", [None, 1000])
def test_the_estimate_is_the_share_that_was_seen(population: int | None) -> None:
    """Nothing seen is nothing estimated."""
    assert certify([True] * 3 + [False] * 97, BOUND, RISK, population).estimate == 0.03
    assert certify([], BOUND, RISK, population).estimate == 0.0
