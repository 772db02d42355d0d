"""The audit of a frozen candidate: a prefix of a random order, errors stay errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.gate.audit_state import AuditState, audit_state
from labelops.gate.candidate import attempt_risk
from labelops.gate.certificate import certify
from labelops.gate.policy import GatePolicy
from labelops.measure.adjudication import AGREES, NO_VOTE, PENDING, WRONG, Adjudication
from labelops.measure.intervals import Interval
from labelops.measure.samples import RandomSample, WeightedSample, draw_sample, draw_weighted

from ..examples import examples

POLICY = GatePolicy(error=0.02, confidence=0.95)


STATUS = st.lists(st.sampled_from([NO_VOTE, PENDING, AGREES, WRONG]), min_size=1, max_size=60)


def _state(
    status: list[int], fixed: list[int] | None = None, fallen: list[int] | None = None
) -> AuditState:
    n = len(status)
    codes = np.asarray(status, dtype=np.int64)
    needed = np.select([codes == NO_VOTE, codes == PENDING], [1, 2])
    given = (codes > NO_VOTE).astype(np.int64)
    looks = Adjudication(codes, given, np.where(codes > 1, 1, -1), needed)
    mask = np.isin(np.arange(n), fixed or [])
    standing = ~np.isin(np.arange(n), fallen or [])
    return audit_state(_order(n), mask, looks, POLICY, standing=standing)


def _order(n: int) -> RandomSample:
    """Draw n items."""
    return draw_sample(b"k", "audit/1", [f"i{i}" for i in range(n)])


@examples(30)
@given(STATUS)
def test_prefix_stops_at_the_first_open_look(status: list[int]) -> None:
    """Only looks before the first open one count, whatever is known beyond it."""
    codes = np.asarray(status)
    open_looks = np.flatnonzero((codes == NO_VOTE) | (codes == PENDING))
    settled = int(open_looks[0]) if len(open_looks) else len(codes)
    found = _state(status)
    assert found.certificate == certify(
        codes[:settled] == WRONG,
        POLICY.error,
        attempt_risk(1, POLICY.risk),
        size=len(codes),
    )
    assert len(found.planned) <= len(status)


def test_nothing_seen_plans_the_first_looks() -> None:
    """Of 1,000 labels nobody looked at, the first ones in order are planned, not all."""
    found = _state([NO_VOTE] * 1000)
    assert found.certificate.status == "inconclusive"
    assert found.planned.ids.tolist() == _order(1000).ids[: found.certificate.needed].tolist()
    assert 132 <= len(found.planned) < 200
    assert found.unseen.all() and not found.pending.any()


def test_clean_looks_certify() -> None:
    """When the planned looks all agree, the candidate passes and no more are planned."""
    size = len(_state([NO_VOTE] * 1000).planned)
    found = _state([AGREES] * size + [NO_VOTE] * (1000 - size))
    assert found.certificate.status == "pass"
    assert len(found.planned) == size


def test_a_pending_look_holds_the_rest_back() -> None:
    """A doubtful look in the middle stops the count there: leaving it out would hide errors."""
    found = _state([AGREES] * 100 + [PENDING] + [AGREES] * 400 + [NO_VOTE] * 499)
    assert found.certificate.n == 100
    assert found.pending[100] and not found.pending[:100].any()
    assert found.certificate.status == "inconclusive"


def test_adjudicated_stays_an_error() -> None:
    """A label that was corrected because a look found it wrong is counted as wrong for good."""
    status = [AGREES] * 300 + [NO_VOTE] * 700
    assert _state(status).certificate.errors == 0
    found = _state(status, fixed=[3, 7])
    assert found.certificate.errors == 2
    assert found.wrong[[3, 7]].all()
    assert found.certificate.certified > _state(status).certificate.certified


def test_adjudicated_is_not_in_what_is_certified() -> None:
    """What was corrected is taken off; not what is only found, could not be settled, or fell."""
    status = [AGREES] * 300 + [NO_VOTE] * 700
    found = _state(status, fixed=[3, 7]).certificate
    assert (found.errors, found.corrected) == (2, 2)
    fell = _state(status, fixed=[3, 7], fallen=[7]).certificate
    assert (fell.errors, fell.corrected) == (2, 1)
    status[9] = WRONG
    stuck = _state(status, fixed=[3, 7]).certificate
    assert (stuck.errors, stuck.corrected) == (3, 2)
    # Ahead of a look that is still open nothing counts, neither as found nor as corrected.
    assert _state([NO_VOTE] * 300, fixed=[3]).certificate.corrected == 0


def test_adjudicated_is_not_asked_again() -> None:
    """A corrected label needs no further vote, though the one before was on the old value."""
    found = _state([NO_VOTE] * 500, fixed=[0])
    assert not found.unseen[0] and found.certificate.n == 1


def test_correction_is_named() -> None:
    """Where people agree on another class it is given, elsewhere -1."""
    found = _state([WRONG, AGREES] + [NO_VOTE] * 400)
    assert found.correction[:2].tolist() == [1, -1]


def test_too_many_errors_fail() -> None:
    """More errors than the whole set may hold end the audit."""
    found = _state([WRONG] * 5 + [NO_VOTE] * 195)
    assert found.certificate.status == "fail"
    assert len(found.planned) == 5


def test_errors_ahead_cost_more_looks() -> None:
    """Errors found beyond the settled beginning are planned for."""
    plain = _state([NO_VOTE] * 1000)
    ahead = _state([NO_VOTE] * 50 + [WRONG] + [NO_VOTE] * 949)
    assert len(ahead.planned) > len(plain.planned)


def test_what_left_is_met_before_all_other_looks() -> None:
    """A clean label that leaves late must not make an earlier error that stays a corrected one."""
    status = np.array([WRONG] * 3 + [AGREES] * 200 + [NO_VOTE] * 300)
    given = (status > NO_VOTE).astype(np.int64)
    looks = Adjudication(status, given, np.full(status.size, -1), 1 - given)
    left = np.isin(np.arange(status.size), [198, 202])
    found = audit_state(
        _order(status.size), np.zeros(status.size, dtype=bool), looks, POLICY, left=left
    )
    first = certify(
        [True] * 5 + [False] * 198,
        POLICY.error * (1 - 2 / status.size),
        attempt_risk(1, POLICY.risk),
        size=status.size,
        corrected=2,
    )
    assert (found.certificate.n, found.certificate.errors) == (203, 5)
    assert found.certificate.needed == first.needed
    assert found.certificate.e_value == first.e_value


def test_shares_are_of_the_labels_that_are_there() -> None:
    """Where all were looked at and a quarter left the set, one wrong label is one of the others."""
    codes = np.array([AGREES] * 40)
    codes[5] = WRONG
    looks = Adjudication(codes, np.ones(40, int), np.ones(40, int), np.zeros(40, int))
    gone = np.arange(40) >= 30
    found = audit_state(_order(40), np.zeros(40, bool), looks, POLICY, left=gone).certificate
    assert (found.bound, found.size) == (POLICY.error, 40)
    assert found.estimate == pytest.approx(1 / 30)
    assert found.interval is not None and found.interval.high == pytest.approx(1 / 30)


def test_fewer_wrong_labels_are_tolerated_where_fewer_labels_are_there() -> None:
    """Of 200 four may be wrong, of the 140 that are left two: three that stay are too many."""
    none = np.zeros(200, dtype=bool)
    for wrong, status in ((2, "pass"), (3, "fail")):
        codes = np.where(np.arange(200) < wrong, WRONG, AGREES)
        looks = Adjudication(codes, np.ones(200, int), np.full(200, -1), np.zeros(200, int))
        gone = np.arange(200) >= 140
        found = audit_state(_order(200), none, looks, POLICY, left=gone).certificate
        assert (found.status, found.needed) == (status, 0 if status == "pass" else None)


@pytest.mark.parametrize("status", [AGREES, WRONG, NO_VOTE])
def test_of_no_label_nothing_is_shown(status: int) -> None:
    """Where all labels under audit left the set, every share of what is there is 1, and a number.

    That no wrong one is there ends an even audit, so that newer labels are tried.
    """
    looks = Adjudication(np.full(40, status), *np.ones((2, 40), int), np.zeros(40, int))
    for order in (_order(40), draw_weighted(b"k", "audit/1", _order(40).ids, np.ones(40))):
        gone = np.ones(40, dtype=bool)
        found = audit_state(order, np.zeros(40, bool), looks, POLICY, left=gone).certificate
        assert found.status == ("pass" if found.audit == "uniform" else "fail")
        assert (found.estimate, found.anytime) == (1.0, Interval(1.0, 1.0))
        assert found.certified == (POLICY.error if found.status == "pass" else 1.0)


@pytest.mark.parametrize(
    "drawn", ["steps", pytest.param("e-process", marks=pytest.mark.slow), "by doubt"]
)
def test_a_look_that_counts_as_wrong_never_helps(drawn: str) -> None:
    """Whatever the looks are that nobody is left to give: what passes so passes with them right."""
    rng, policy = np.random.default_rng(5), GatePolicy(error=0.1)
    ids, passed = [f"i{i}" for i in range(21_000 if drawn == "e-process" else 200)], 0
    order: RandomSample | WeightedSample = draw_sample(b"k", "audit/1", ids)
    if drawn == "by doubt":
        order = draw_weighted(b"k", "audit/1", ids, rng.uniform(0.5, 2, len(ids)))
    for _ in range(25):
        n = int(rng.integers(30, 150))
        status = np.full(len(ids), NO_VOTE)
        status[:n] = np.where(rng.random(n) < rng.choice([0.01, 0.05]), WRONG, AGREES)
        lost = (rng.random(len(ids)) < 0.03) & (np.arange(len(ids)) < n)
        mended = (rng.random(len(ids)) < 0.5) & (status == WRONG) & ~lost
        none = np.zeros(len(ids), dtype=int)
        with_them, known = (
            audit_state(
                order,
                mended,
                Adjudication(np.where(wrong, WRONG, status), none, none - 1, none, lost=wrong),
                policy,
            )
            for wrong in (lost, none > 0)
        )
        assert with_them.lost == lost.sum() and known.lost == 0
        if with_them.certificate.status == "pass":
            assert known.certificate.status == "pass"
            passed += bool(lost.any())
        if known.certificate.status == "fail":
            assert with_them.certificate.status == "fail" and not with_them.unproven
    assert passed > 0
