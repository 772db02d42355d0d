"""Exact steps of an audit: the risk is kept, and hardly any of it is left unused."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from labelops.measure.codes import IntArray
from labelops.measure.eprocess import clean_looks_needed
from labelops.measure.finite import tolerated_errors
from labelops.measure.staircase import (
    _left,
    _steps,
    clean_looks_to_certify,
    is_certified,
    most_found_evenly,
    step_looks,
)
from labelops.measure.step_chances import least_looks, log_at_most, passing_wrongly

SETS = [(613, 0.02, 0.04), (1797, 0.02, 0.04), (613, 0.05, 0.04), (400, 0.05, 0.05)]


def _wrongly(
    size: int, bound: float, risk: float, errors: int, corrected: int, missed: float = 0.0
) -> float:
    """Chance, look by look, to pass with so many corrected by the end while too many are left."""
    steps = step_looks(bound, risk, size, corrected, missed)
    most = most_found_evenly(bound, risk, size, corrected, missed)
    alive, passed = np.zeros(errors + 1), 0.0
    alive[0] = 1.0
    for n in range(1, size + 1):
        found = np.arange(errors + 1)
        share = np.clip((errors - found) / (size - n + 1), 0, 1)
        moved = alive * share
        alive = alive - moved
        alive[1:] += moved[:-1]
        met = (found < len(steps)) & (steps[np.minimum(found, len(steps) - 1)] <= n)
        # Errors that nobody corrected, too few labels left, and looks that missed the rest.
        met |= (found + size - n <= most) if missed else False
        passed += float(alive[met].sum())
        alive[met] = 0.0
    return passed


@pytest.mark.slow
@pytest.mark.parametrize(("size", "bound", "risk"), SETS)
def test_size_and_power(size: int, bound: float, risk: float) -> None:
    """Whatever is corrected, a wrong pass has at most the risk; at some count nine tenths of it.

    The e-process, whose risk is the same on paper, runs three quarters of it at most.
    """
    tolerated = tolerated_errors(bound, size)
    chances = [
        _wrongly(size, bound, risk, tolerated + c + 1, c) for c in (0, 1, 2, 3, 5, 8, 13, 30)
    ]
    assert max(chances) <= risk * (1 + 1e-9)
    assert max(chances) >= 0.9 * risk
    worse = [_wrongly(size, bound, risk, tolerated + 6, c) for c in range(6)]
    assert worse == sorted(worse) and worse[-1] <= risk


def _missing(size: int, bound: float, missed: float, allowed: float) -> list[float]:
    """Chance to pass wrongly where looks miss so many, by errors that were there at first.

    How many of them looks would find is binomial; what is found is corrected.
    """
    tolerated, risk = tolerated_errors(bound, size), 0.04
    chances = []
    for c in (0, 1, 2, 3, 5, 8):
        errors = tolerated + 1 + c
        there = np.arange(errors + 1)
        share = binom.pmf(there, errors, 1 - missed)
        # Steps for as many as may be corrected while too many are left, found or not.
        each = [_wrongly(size, bound, risk, int(m), c, allowed) for m in there]
        chances.append(float(share @ each))
    return chances


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "bound", "missed"), [(300, 0.01, 0.05), (300, 0.02, 0.1), (400, 0.02, 0.05)]
)
def test_what_looks_miss_is_allowed_for(size: int, bound: float, missed: float) -> None:
    """Exactly: within the risk, with little of it unused; who takes looks for sure is over it."""
    chances = _missing(size, bound, missed, missed)
    assert 0.85 * 0.04 <= max(chances) <= 0.04 * (1 + 1e-9)
    assert max(_missing(size, bound, missed, 0.0)) > 1.15 * 0.04


@pytest.mark.parametrize("missed", [0.01, 0.03, 0.05, 0.2])
@pytest.mark.parametrize(
    ("size", "bound"),
    [(40, 0.02), (30, 0.1), *(pytest.param(n, 0.02, marks=pytest.mark.slow) for n in (60, 110))],
)
def test_a_look_at_all_of_a_small_set_keeps_the_risk(
    size: int, bound: float, missed: float
) -> None:
    """Exactly, whatever is corrected: where little may be wrong, or much was, looks miss too much.

    Without an error it passes just where one too many, all missed, is rarer than the risk.
    """
    assert max(_missing(size, bound, missed, missed)) <= 0.04 * (1 + 1e-9)
    clean = clean_looks_to_certify(0, 0, bound, 0.04, size, missed=missed)
    assert (clean is None) == (missed ** (tolerated_errors(bound, size) + 1) >= 0.04)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "bound", "risk"), SETS)
def test_fewer_looks_than_the_e_process(size: int, bound: float, risk: float) -> None:
    """With every error corrected each step comes sooner, the by 3 % and more."""
    start = 0
    for k in range(8):
        more = clean_looks_needed(k, max(start, k), bound, risk, size, k)
        assert more is not None
        start = max(start, k) + more
        steps = step_looks(bound, risk, size, k)
        assert steps[k] <= 0.97 * start


@pytest.mark.slow
@pytest.mark.parametrize(("size", "bound", "risk"), [(9, 0.12, 0.3), (10, 0.2, 0.2), (8, 0.0, 0.3)])
def test_every_order_of_a_small_set(size: int, bound: float, risk: float) -> None:
    """Oracle: of all orders of a set that is too bad, so many pass wrongly at most."""
    tolerated = tolerated_errors(bound, size)
    for errors in range(tolerated + 1, size + 1):
        corrected, wrongly = errors - tolerated - 1, 0
        orders = list(combinations(range(size), errors))
        for places in orders:
            outcomes = np.isin(np.arange(size), places)
            wrongly += any(
                is_certified(outcomes[:n], bound, risk, size, min(corrected, outcomes[:n].sum()))
                for n in range(1, size + 1)
            )
        assert wrongly / len(orders) <= risk + 1e-9


@pytest.mark.slow
@given(st.integers(1, 300), st.sampled_from([0.0, 0.02, 0.05, 0.3, 1.0]), st.integers(0, 12))
def test_steps_rise_with_errors_and_fall_with_corrections(
    size: int, bound: float, corrected: int
) -> None:
    """More errors take no fewer looks; the same errors, one more of them corrected, no more."""
    one, more = (step_looks(bound, 0.05, size, c) for c in (corrected, corrected + 1))
    assert (np.diff(one) >= 0).all()
    assert (more <= one).all()


@pytest.mark.slow
def test_looks_asked_for_are_enough_and_not_too_many() -> None:
    """So many clean looks certify, one less does not; none can where too many are left."""
    for errors, corrected in ((0, 0), (3, 3), (2, 1), (4, 0)):
        wrong: IntArray = np.zeros(100, dtype=np.int64)
        wrong[20 : 20 + errors] = 1
        more = clean_looks_to_certify(errors, 100, 0.02, 0.04, 1797, corrected)
        assert more is not None and more > 1
        clean = np.concatenate([wrong, np.zeros(more, dtype=np.int64)])
        assert is_certified(clean, 0.02, 0.04, 1797, corrected)
        assert not is_certified(clean[:-1], 0.02, 0.04, 1797, corrected)
    assert clean_looks_to_certify(40, 60, 0.02, 0.04, 1797, 0) is None


def test_large_and_endless_sets_are_the_e_process() -> None:
    """Above 20,000 items, and without a size, it asks for what the e-process asks for."""
    for size in (None, 30_000):
        assert clean_looks_to_certify(1, 50, 0.02, 0.05, size) == clean_looks_needed(
            1, 50, 0.02, 0.05, size
        )


@pytest.mark.parametrize("risk", [1e-16, 1e-300, 5e-324])
def test_a_risk_that_is_next_to_nothing(risk: float) -> None:
    """Steps come near the whole set, and nothing overflows."""
    steps = step_looks(0.02, risk, 500)
    assert steps[0] > 400 and not is_certified(np.zeros(400, bool), 0.02, risk, 500)


@pytest.mark.parametrize(
    ("size", "bound", "missed"),
    [pytest.param(300, 0.2, 0.4, marks=pytest.mark.slow), (613, 0.05, 0.2)],
)
def test_later_corrections_take_nothing_back(size: int, bound: float, missed: float) -> None:
    """With more corrected, looks at all may find more: else who corrects late would gain by it."""
    most = [most_found_evenly(bound, 0.008, size, c, missed) for c in range(30)]
    assert most == sorted(most)


@pytest.mark.parametrize("size", [1, 2, 10, 30])
@pytest.mark.parametrize("bound", [0.0, 0.1, 1.0])
def test_a_set_of_errors_only(size: int, bound: float) -> None:
    """All were wrong and all are corrected: nothing is left, and that is certain; else it is not.

    Corrections may be more than the tolerated and one more error would be in the set at all.
    """
    wrong = np.ones(size, dtype=bool)
    assert clean_looks_to_certify(size, size, bound, 0.05, size, size) == 0
    assert is_certified(wrong, bound, 0.05, size, size) in (True, False)
    left = clean_looks_to_certify(size, size, bound, 0.05, size, 0)
    assert left == (0 if tolerated_errors(bound, size) == size else None)


def test_no_step_where_no_look_is_enough() -> None:
    """It lies beyond the whole set; where only a look at all will do, at its end."""
    k, size, wrong = np.array([0, 0]), 10, np.array([1, 1])

    def few(n: IntArray) -> np.ndarray:
        return log_at_most(k, size, wrong, n, 0.0)

    never, all_ = -1e9, -1e-9
    assert least_looks(size, k, np.array([never, all_]), few).tolist() == [10, 1]

    def missing(n: IntArray) -> np.ndarray:
        return log_at_most(k, size, wrong, n, 0.1)

    # Of one that is wrong looks at all ten miss it with a chance of .1.
    chance = np.log([0.0999, 0.1001])
    assert least_looks(size, k, chance, missing).tolist() == [11, 10]


@pytest.mark.parametrize("missed", [0.05, 0.3])
def test_what_is_missed_never_saves_a_look(missed: float) -> None:
    """Also in a set so large that the e-process alone certifies it, and there it does certify."""
    for size in (300, 30_000):
        sure = clean_looks_to_certify(0, 0, 0.02, 0.05, size)
        more = clean_looks_to_certify(0, 0, 0.02, 0.05, size, missed=missed)
        assert sure is not None and more is not None and sure < more < 3 * sure
        clean = np.zeros(more, dtype=bool)
        assert is_certified(clean, 0.02, 0.05, size, missed=missed)
        assert not is_certified(clean[:-1], 0.02, 0.05, size, missed=missed)


@pytest.mark.parametrize(
    ("size", "missed"),
    [(200, 0.0), (200, 0.05), (3000, 0.0), pytest.param(3000, 0.05, marks=pytest.mark.slow),
     (30_000, 0.0), (30_000, 0.05)],
)  # fmt: skip
def test_the_parts_of_the_risk_are_no_more_than_all_of_it(size: int, missed: float) -> None:
    """What steps risk, the e-process beyond them, and that of one too many it finds too few.

    Of a set that tolerates few errors, of one that tolerates more than there are steps, and of one
    without any. More than five sixths are used by errors that are corrected.
    """
    bound, risk = 0.02, 0.04
    tolerated = tolerated_errors(bound, size)
    _, steps, _ = _steps(size, tolerated, risk, missed)
    stepping = passing_wrongly(steps, size, tolerated, missed).max() if steps.size else 0.0
    seen, beyond = _left(bound, risk, size, 0, missed)
    found_too_few = binom.cdf(round(seen * size), tolerated + 1, 1 - missed) if missed else 0.0
    assert steps.size == {200: 18, 3000: 100, 30_000: 0}[size]
    assert (beyond > 0) == (size > 200)
    spent = stepping + beyond + (found_too_few if beyond else 0.0)
    assert 5 / 6 * risk <= spent <= risk * (1 + 1e-9)


@pytest.mark.parametrize("missed", [0.0, 0.1, 0.5])
def test_steps_are_met_wrongly_as_often_as_counted(missed: float) -> None:
    """Oracle: over all places of the wrong items, and all ways to miss some of them."""
    size, tolerated, steps = 9, 1, np.array([5, 7, 8])
    found = passing_wrongly(steps, size, tolerated, missed)
    for k, chance in enumerate(found):
        wrong, expected = tolerated + 1 + k, 0.0
        orders = list(combinations(range(1, size + 1), wrong))
        for places in orders:
            for heard in product([False, True], repeat=wrong):
                seen = np.array(places)[list(heard)]
                # On the steps 0 to k only: beyond, too few would be left.
                met = any((seen <= steps[j]).sum() <= j and steps[j] <= size for j in range(k + 1))
                weight = (1 - missed) ** sum(heard) * missed ** (wrong - sum(heard))
                expected += met * weight / len(orders)
        assert chance == pytest.approx(expected)
