"""Errors that an audit found and people corrected are not in what is certified."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import hypergeom

from labelops.errors import UsageError
from labelops.gate.certificate import certify
from labelops.gate.weighted_audit import certify_weighted
from labelops.measure.codes import BoolArray, IntArray
from labelops.measure.eprocess import (
    clean_looks_needed,
    log_e_value_above,
    log_wanted,
    running_maximum,
)
from labelops.measure.finite import tolerated_errors
from labelops.measure.staircase import clean_looks_to_certify, step_looks
from labelops.measure.weighted import (
    audit_chances,
    log_e_values_weighted,
    weighted_order,
)

SIZE, BOUND, RISK = 400, 0.05, 0.05
TOLERATED = tolerated_errors(BOUND, SIZE)
MOST = 40
"""Errors found for which tables are made: no set here holds more."""


@cache
def _table() -> IntArray:
    """Give after how many looks, k errors among them and c corrected by now, it passes.

    What is corrected by now counts at earlier looks too, so c may be more than k.
    """
    looks = np.full((MOST + 1, MOST + 1), 10 * SIZE)
    for c in range(MOST + 1):
        steps = step_looks(BOUND, RISK, SIZE, c)
        for k in range(min(c + TOLERATED, MOST) + 1):
            certain = SIZE + k - c - TOLERATED
            looks[k, c] = max(k, min(certain, int(steps[k]) if k < len(steps) else certain))
    return looks


def _first_pass(places: IntArray, corrected: IntArray) -> tuple[int, int]:
    """Give the look at which an audit passes, and how many errors are corrected by then.

    Parameters
    ----------
    places : (M,) int
        The looks, from 1, that find an error.
    corrected : (M + 1,) int
        How many are corrected once 0, 1, … errors are found.
    """
    table = _table()
    last = np.append(places - 1, SIZE)
    first = np.append(0, places)
    for k, c in enumerate(corrected):
        if k and (last[:k] >= table[:k, c]).any():
            return int(first[k]), int(c)
        if last[k] >= table[k, c]:
            return int(max(first[k], table[k, c])), int(c)
    return SIZE, int(corrected[-1])


def _places(errors: int, rng: np.random.Generator) -> IntArray:
    return np.sort(rng.choice(SIZE, errors, replace=False)).astype(np.int64) + 1


@pytest.mark.slow
@pytest.mark.parametrize("more", [1, 4, 12])
def test_size_with_every_error_corrected(more: int) -> None:
    """A set too bad by a few errors passes while still too bad in ≤ 6.4 % of audits."""
    rng, runs, errors, wrongly = np.random.default_rng(1), 2000, TOLERATED + more, 0
    for _ in range(runs):
        _, corrected = _first_pass(_places(errors, rng), np.arange(errors + 1))
        wrongly += errors - corrected > TOLERATED
    assert wrongly / runs <= 0.064


@pytest.mark.slow
@pytest.mark.parametrize("more", [1, 4, 12])
def test_size_against_whoever_corrects_at_the_worst_time(more: int) -> None:
    """Correcting as many as still leave too many, at each look, passes in 1 to 6.4 % of audits."""
    rng, runs, errors = np.random.default_rng(2), 2000, TOLERATED + more
    worst = np.minimum(np.arange(errors + 1), more - 1)
    passed = sum(_first_pass(_places(errors, rng), worst)[0] <= SIZE - 40 for _ in range(runs))
    assert 0.01 <= passed / runs <= 0.064


@pytest.mark.slow
def test_counting_corrected_labels_as_clean_breaks() -> None:
    """The naive rule passes half as bad again as allowed, after corrections, nearly always."""
    rng, runs, errors = np.random.default_rng(3), 300, int(1.5 * TOLERATED) + 10
    clean = clean_looks_to_certify(0, 0, BOUND, RISK, SIZE)
    assert clean is not None
    naive = ours = 0
    for _ in range(runs):
        places = _places(errors, rng)
        # Found errors are dropped from the sample, and the rest of it is clean.
        looks = clean
        while looks - int((places <= looks).sum()) < clean:
            looks += 1
        naive += errors - int((places <= looks).sum()) > TOLERATED
        _, corrected = _first_pass(places, np.arange(errors + 1))
        ours += errors - corrected > TOLERATED
    assert naive / runs > 0.9
    assert ours / runs <= 0.064


@pytest.mark.slow
def test_corrections_save_looks_near_the_bound() -> None:
    """At half and three quarters of the bound it takes under .75 and .6 of the looks it took."""
    rng, runs = np.random.default_rng(4), 400
    for errors, factor in ((TOLERATED // 2, 0.75), (3 * TOLERATED // 4, 0.6)):
        found = [_places(errors, rng) for _ in range(runs)]
        left = [_first_pass(p, np.zeros(errors + 1, dtype=np.int64))[0] for p in found]
        mended = [_first_pass(p, np.arange(errors + 1))[0] for p in found]
        assert np.mean(mended) <= factor * np.mean(left)
        assert (np.array(mended) <= np.array(left)).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_certificate_agrees_with_the_table(seed: int) -> None:
    """It passes at the look that the table gives, and not at the one before."""
    rng = np.random.default_rng(seed)
    places = _places(8 + 4 * seed, rng)
    outcomes = np.isin(np.arange(1, SIZE + 1), places)
    look, corrected = _first_pass(places, np.arange(places.size + 1))
    seen = outcomes[:look]
    assert certify(seen, BOUND, RISK, SIZE, corrected).status == "pass"
    before = certify(seen[:-1], BOUND, RISK, SIZE, int(seen[:-1].sum()))
    assert before.status == "inconclusive"


def _ever(reached: BoolArray, errors: int) -> float:
    """Give the exact chance that a set with so many errors ever comes to one of these counts.

    Parameters
    ----------
    reached : (errors + 1, n) bool
        By errors found, from 0, and looks, from 1.
    """
    k, alive, chance = np.arange(errors + 1), np.zeros(errors + 1), 0.0
    alive[0] = 1.0
    for n, now in enumerate(reached.T):
        moved = alive * np.clip((errors - k) / (SIZE - n), 0, 1)
        alive -= moved
        alive[1:] += moved[:-1]
        chance += float(alive[now].sum())
        alive[now] = 0.0
    return chance


@pytest.mark.slow
@pytest.mark.parametrize("more", [0, 5, 20])
def test_a_good_set_fails_with_the_risk_that_is_told(more: int) -> None:
    """Exactly: once as many are corrected as leave the bound, it is ever said to be exceeded.

    More than half of the risk is used, so that twice of it breaks this; so does a test a look.
    """
    errors = TOLERATED + more
    k, n = np.ogrid[: errors + 1, 1 : SIZE + 1]
    inside = (k <= n) & (n - k <= SIZE - errors)
    evidence = log_e_value_above(np.minimum(k, n), n, BOUND, SIZE, more)
    chance, double = (_ever(inside & (evidence >= log_wanted(r)), errors) for r in (RISK, 2 * RISK))
    assert RISK / 2 < chance <= RISK < double
    once = hypergeom.sf(k - 1, SIZE, errors, n)
    assert _ever(inside & (once <= RISK), errors) > 3 * RISK


@pytest.mark.slow
def test_a_bad_set_fails_though_it_is_corrected() -> None:
    """Ten times the bound wrong: it fails within 30 looks, each error found corrected."""
    rng = np.random.default_rng(6)
    wrong = rng.permutation(np.arange(4000) < 2000)[:30]
    assert certify(wrong, BOUND, RISK, 4000, int(wrong.sum())).status == "fail"


def test_fail_turns_when_enough_is_corrected() -> None:
    """What proved too many passes once all of them but the bound's share are corrected."""
    wrong = np.arange(100) < 12
    assert certify(wrong, BOUND, RISK, 100, 0).status == "fail"
    assert certify(wrong, BOUND, RISK, 100, 6).status == "fail"
    mended = certify(wrong, BOUND, RISK, 100, 7)
    assert (mended.status, mended.certified) == ("pass", 0.05)
    assert certify(wrong, BOUND, RISK, 100, 12).certified == 0.0


def test_what_it_says() -> None:
    """Found, corrected and certified are there apart, and every share is of what is left."""
    wrong = np.isin(np.arange(320), [100, 200, 300])
    found = certify(wrong, 0.02, RISK, 1797, 2)
    whole = certify(wrong, 0.02, RISK, 1797)
    assert (found.errors, found.corrected, whole.corrected) == (3, 2, 0)
    assert found.reason.startswith("3 of 320 audited labels were wrong, 2 of them corrected: ")
    assert whole.reason.startswith("3 of 320 audited labels are wrong: ")
    assert whole.estimate - found.estimate == pytest.approx(2 / 1797)
    assert found.interval is not None and whole.interval is not None
    for less, more in ((found.anytime, whole.anytime), (found.interval, whole.interval)):
        assert more.low - 2 / 1797 <= less.low < more.low
        assert more.high - less.high == pytest.approx(2 / 1797)
    assert found.needed is not None and whole.needed is not None
    assert found.needed < whole.needed
    assert found.certified < whole.certified


@pytest.mark.parametrize("corrected", [0, 3, 9])
def test_the_certified_share_never_runs_ahead_of_the_verdict(corrected: int) -> None:
    """At any look the certified share is within the bound exactly when the verdict is a pass."""
    wrong = np.zeros(SIZE, dtype=bool)
    wrong[::40] = True
    for n in range(361, SIZE, 3):
        found = certify(wrong[:n], BOUND, RISK, SIZE, corrected)
        assert (found.certified <= BOUND) == (found.status == "pass")


def test_needed_audits_are_enough_and_not_too_many() -> None:
    """Adding the clean audits it asks for passes; one less does not."""
    wrong = np.isin(np.arange(120), [3, 50, 90])
    even = np.full(SIZE, 1 / SIZE)
    for more in (certify(wrong, BOUND, RISK, SIZE, 3).needed,
                 certify_weighted(wrong, even, BOUND, RISK, 3).needed):  # fmt: skip
        assert more
    needed = certify(wrong, BOUND, RISK, SIZE, 3).needed or 0
    clean = np.zeros(needed, dtype=bool)
    assert certify(np.append(wrong, clean), BOUND, RISK, SIZE, 3).status == "pass"
    assert certify(np.append(wrong, clean[1:]), BOUND, RISK, SIZE, 3).needed == 1


def _drawn(errors: int, rng: np.random.Generator, doubt: str) -> tuple[BoolArray, ...]:
    """Return which of a set are wrong, in the order of draws by doubt, and their chances."""
    wrong = np.arange(SIZE) < errors
    noise = rng.random(SIZE)
    worth = {
        "telling": np.where(wrong, 0.4, 0.1 * noise**8),
        "adversarial": np.where(wrong, 0.0, noise),
    }[doubt]
    chances = audit_chances(worth)
    order = weighted_order(rng.random(SIZE), chances)
    return wrong[order], chances[order]


@pytest.mark.slow
@pytest.mark.parametrize("doubt", ["telling", "adversarial"])
def test_size_by_doubt_against_whoever_corrects_at_the_worst_time(doubt: str) -> None:
    """Draws by doubt: correcting as many as still leave too many passes in ≤ 6.4 % of audits."""
    rng, runs, more, passed = np.random.default_rng(7), 500, 8, 0
    for _ in range(runs):
        wrong, odds = _drawn(TOLERATED + more, rng, doubt)
        wrong = wrong[: SIZE - 40]
        spent = 0
        for c in range(more):
            # From the look on at which c are found, with what is corrected by then.
            found = np.flatnonzero(np.cumsum(wrong) >= c)
            share = (TOLERATED + c + 1) / SIZE
            grown = log_e_values_weighted(wrong, np.arange(wrong.size), odds, share)
            end = wrong.size if c == more - 1 else int((np.cumsum(wrong) <= c).sum())
            if found.size and grown[:end].max(initial=0.0) >= log_wanted(RISK):
                spent = 1
        passed += spent
    assert passed / runs <= 0.064


@pytest.mark.parametrize("doubt", ["telling", "adversarial"])
def test_evidence_by_doubt_grows_with_the_count(doubt: str) -> None:
    """At every look the evidence against "more than m" grows with m: what the proof rests on."""
    rng = np.random.default_rng(8)
    wrong, odds = _drawn(30, rng, doubt)
    places = np.arange(SIZE)
    shares = np.arange(1, SIZE - 1) / SIZE
    grown = np.stack([log_e_values_weighted(wrong, places, odds, s) for s in shares])
    finite = np.nan_to_num(grown, posinf=1e6, neginf=-1e6)
    assert (np.diff(finite, axis=0) >= -1e-6 * np.abs(finite[:-1])).all()


@pytest.mark.slow
@pytest.mark.parametrize("corrected", [0, 2])
def test_by_doubt_with_even_chances_is_nearly_the_even_audit(corrected: int) -> None:
    """With all chances alike it asks for a few looks more than the e-process of even draws."""
    wrong = np.isin(np.arange(200), [20, 90])
    by_doubt = certify_weighted(wrong, np.full(2000, 1 / 2000), 0.02, RISK, corrected)
    evenly = certify(wrong, 0.02, RISK, 2000, corrected)
    needed = clean_looks_needed(2, 200, 0.02, RISK, 2000, corrected)
    assert by_doubt.needed is not None and needed is not None
    assert needed <= by_doubt.needed + 3 <= 1.2 * needed + 6
    assert by_doubt.corrected == corrected
    assert by_doubt.certified == pytest.approx(evenly.certified, rel=0.1)


@pytest.mark.parametrize(
    ("population", "corrected", "message"),
    [
        (100, 2, "2 errors corrected of 1 found"),
        (100, -1, "-1 errors corrected of 1 found"),
        (None, 1, "known size"),
    ],
)
def test_wrong_use(population: int | None, corrected: int, message: str) -> None:
    """More corrected than found, or of an endless stream, is refused in one line."""
    with pytest.raises(UsageError, match=message):
        certify([True, False], BOUND, RISK, population, corrected)
    with pytest.raises(UsageError, match="corrected"):
        running_maximum([True, False], BOUND, None, 1)
