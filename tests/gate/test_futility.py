"""An audit is ended where looking at doubtful labels again is cheaper, and only there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.gate.candidate import attempt_risk
from labelops.gate.certificate import Certificate, certify
from labelops.gate.futility import better_again, held_by
from labelops.measure.eprocess import clean_looks_needed
from labelops.measure.intervals import Interval
from labelops.route.again import looks_again

N, BOUND = 1797, 0.02
FIRST, SECOND = attempt_risk(1, 0.05), attempt_risk(2, 0.05)
DOUBTS = st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3]), min_size=1, max_size=30)


@given(DOUBTS, DOUBTS, st.integers(1, 40))
def test_held_is_a_share_that_grows_with_the_labels(
    doubt: list[float], wrong: list[float], again: int
) -> None:
    """More labels hold no fewer errors; all labels hold all that are as doubtful as any."""
    held = held_by(doubt, again, wrong)
    assert 0 <= held <= held_by(doubt, again + 1, wrong) <= 1
    every = held_by(doubt, len(doubt), wrong)
    assert every == pytest.approx(np.mean(np.asarray(wrong) >= min(doubt)))
    shuffled = np.random.default_rng(0).permutation(doubt)
    assert held_by(shuffled, again, wrong[::-1]) == pytest.approx(held)


def test_equal_doubts_tell_nothing() -> None:
    """Where all are in equal doubt, the labels hold the share that any so many would."""
    assert held_by([0.2] * 50, 10, [0.2] * 3) == pytest.approx(0.2)
    assert held_by([0.2] * 50, 10, []) == held_by([], 10, [0.2]) == 0.0


def test_what_is_not_known_is_not_held() -> None:
    """Unknown doubts count among the errors, and no label that is looked at again holds them."""
    assert held_by([0.2] * 50, 50, [0.2, np.nan, np.nan, np.nan]) == pytest.approx(0.25)
    assert held_by([0.2] * 50, 50, [np.nan]) == 0.0


def _ends(share: float, told: bool, rng: np.random.Generator) -> bool:
    """Audit a set until the first number of looks that could certify it; say whether to end it.

    Doubts are exact posteriors from one measurement in which wrong labels stand 2.5 deviations
    apart, or the same numbers in random places.
    """
    wrong = np.zeros(N, dtype=bool)
    wrong[rng.choice(N, round(share * N), replace=False)] = True
    x = rng.normal(size=N) + 2.5 * wrong
    ratio = share * np.exp(-((x - 2.5) ** 2) / 2)
    doubt: npt.NDArray[np.float64] = ratio / (ratio + (1 - share) * np.exp(-(x**2) / 2))
    if not told:
        doubt = rng.permutation(doubt)
    order, looks = rng.permutation(N), clean_looks_needed(0, 0, BOUND, FIRST, N) or 0
    seen = order[:looks]
    found = certify(wrong[seen], BOUND, FIRST, N, corrected=int(wrong[seen].sum()))
    open_ = doubt.copy()
    open_[seen] = 0.0
    again = looks_again(open_, found.estimate, BOUND)
    held = held_by(np.delete(open_, seen), again, doubt[seen[wrong[seen]]])
    return better_again(found, again, held, SECOND)


@pytest.mark.slow
def test_ended_where_doubts_tell_and_not_where_they_do_not() -> None:
    """At twice the bound most audits are ended if doubts tell, none if they do not; few at half.

    The naive rule, which trusts the doubts and never asks where the errors were, would end the
    worthless ones as well.
    """
    rng = np.random.default_rng(5)
    ended = [sum(_ends(0.04, told, rng) for _ in range(40)) for told in (True, False)]
    assert ended[0] >= 24 and ended[1] <= 1
    assert sum(_ends(0.01, True, rng) for _ in range(40)) <= 6
    assert sum(_ends(0.0025, True, rng) for _ in range(40)) == 0


@pytest.mark.slow
def test_never_where_nothing_is_gained() -> None:
    """A clean audit, a decided one, one with few looks to go and one by doubt go on."""
    clean = certify([False] * 100, BOUND, FIRST, N)
    assert not better_again(clean, 10, 1.0, SECOND)
    bad = certify([True] * 100, BOUND, FIRST, N)
    assert bad.status == "fail" and not better_again(bad, 10, 1.0, SECOND)
    late = certify(([False] * 90 + [True]) * 4, BOUND, FIRST, N, corrected=4)
    assert late.needed is not None and not better_again(late, late.needed, 1.0, SECOND)
    early = certify(([False] * 25 + [True]) * 7, BOUND, FIRST, N, corrected=7)
    assert better_again(early, 150, 0.8, SECOND)
    assert not better_again(early, 0, 0.8, SECOND)
    assert not better_again(early, early.needed or 0, 0.8, SECOND)


OPEN = Certificate(
    status="inconclusive", bound=BOUND, risk=FIRST, certified=0.1, errors=7, n=182,
    size=None, e_value=0.5, needed=1000, interval=None, anytime=Interval(0.0, 0.2),
    estimate=0.03,
)  # fmt: skip
AFRESH = clean_looks_needed(0, 0, BOUND, SECOND) or 0
"""Clean looks of a new audit, of an endless set."""


@pytest.mark.parametrize(
    ("change", "again", "ends"),
    [
        ({"needed": 151 + AFRESH}, 150, True),
        ({"needed": 150 + AFRESH}, 150, False),
        ({"needed": None}, 150, True),
        ({"needed": 1 + AFRESH}, 0, False),
        ({"needed": 2 + AFRESH}, 1, True),
        ({"status": "fail", "needed": None}, 150, False),
        ({"status": "pass", "needed": 0}, 150, False),
        ({"audit": "weighted"}, 150, False),
        ({"errors": 0}, 150, False),
        ({"errors": 1}, 150, True),
        # Of three times the bound the labels hold three quarters: .75 of the bound is left.
        ({"estimate": 3 * BOUND}, 150, True),
        ({"estimate": 3.01 * BOUND}, 150, False),
        # Nothing certifies that none is wrong, so there is no new audit to win by.
        ({"bound": 0.0, "estimate": 0.0}, 150, False),
        # With one look in ten missed a new audit takes longer.
        ({"needed": 151 + AFRESH, "missed": 0.1}, 150, False),
    ],
)
def test_what_it_takes_to_end_an_audit(change: dict[str, Any], again: int, ends: bool) -> None:
    """Each condition by itself, on both sides of where it turns."""
    assert better_again(replace(OPEN, **change), again, 0.75, SECOND) is ends


def test_a_dearer_new_audit_is_not_begun() -> None:
    """What a next attempt may risk decides how long its audit is."""
    found = replace(OPEN, needed=151 + AFRESH)
    assert better_again(found, 150, 1.0, SECOND)
    assert not better_again(found, 150, 1.0, attempt_risk(3, 0.05))


def test_labels_held_by_hand() -> None:
    """The third most doubtful is one of two in equal doubt: of those that were wrong, half."""
    assert held_by([0.1, 0.4, 0.2, 0.3, 0.2], 3, [0.9, 0.2, 0.2, 0.1]) == pytest.approx(0.5)
    assert held_by([0.1, 0.2], 9, [0.1, 0.05]) == pytest.approx(0.5)
    assert held_by([0.2, 0.1], 0, [0.2]) == 0.0
    assert held_by([0.2, 0.1], 1, [0.2]) == 1.0
