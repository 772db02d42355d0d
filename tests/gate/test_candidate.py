"""The audit of a frozen candidate: a prefix of a random order, errors stay errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.errors import UsageError
from labelops.gate.candidate import (
    AuditState,
    Candidate,
    attempt_of,
    attempt_risk,
    audit_state,
    labels_digest,
    read_candidates,
    tried_doubt,
)
from labelops.gate.certificate import certify
from labelops.gate.policy import GatePolicy
from labelops.gate.weighted_audit import certify_weighted
from labelops.measure.adjudication import AGREES, NO_VOTE, PENDING, WRONG, Adjudication
from labelops.measure.samples import RandomSample, draw_sample

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


@settings(max_examples=30, deadline=None)
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
        population=len(codes),
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
    plain = _state([NO_VOTE] * 2000)
    ahead = _state([NO_VOTE] * 50 + [WRONG] + [NO_VOTE] * 1949)
    assert len(ahead.planned) > len(plain.planned)


def test_labels_digest() -> None:
    """The pairs count, not their order; one label changed is another candidate."""
    labels = pd.DataFrame({"item_id": ["a", "b"], "value": ['"x"', '"y"']})
    assert labels_digest(labels.iloc[::-1]) == labels_digest(labels)
    swapped = labels.assign(value=['"y"', '"x"'])
    assert labels_digest(swapped) != labels_digest(labels)


def test_attempts_share_the_risk() -> None:
    """All attempts that can ever follow one another spend the risk, no more."""
    shares = [attempt_risk(j, 0.05) for j in range(1, 60)]
    assert np.isclose(sum(shares), 0.05) and sum(shares) <= 0.05 + 1e-12
    assert shares == sorted(shares, reverse=True)
    with pytest.raises(UsageError, match="attempt is 0"):
        attempt_risk(0, 0.05)


@pytest.mark.parametrize("attempt", [23, 200, 1000])
@pytest.mark.slow
def test_an_attempt_whose_confidence_rounds_to_one_is_judged(attempt: int) -> None:
    """The risk is carried, not the confidence: inconclusive until all is known, and never a crash.

    A whole set that was looked at and is clean passes at any risk; one that is too bad fails.
    """
    risk = attempt_risk(attempt, 0.05)
    assert 0 < risk < 1e-16 and 1 - risk == 1.0
    for population in (None, 200, 5000):
        found = certify([True] + [False] * 100, 0.02, risk, population=population)
        assert found.status == "inconclusive" and f"at risk {risk:.2g}" in found.reason
        assert found.interval is not None and found.interval.low <= 1 / 101 <= found.interval.high
        assert found.anytime.low <= 1 / 101 <= found.anytime.high
    assert certify([False] * 200, 0.02, risk, population=200).status == "pass"
    assert certify([True] * 5 + [False] * 10, 0.02, risk, population=200).status == "fail"
    weighted = certify_weighted([True] + [False] * 100, [1.0] * 300, 0.02, risk)
    assert weighted.status == "inconclusive"


def test_attempt_counts_from_the_last_release() -> None:
    """Failed candidates since the last release count; a release starts anew."""
    ends = ["failed: x", "failed: y", "released a@1.0.0", "failed: z", ""]
    all_ = [
        Candidate(n, n, stream, 1, "d", end)
        for n, (stream, end) in enumerate(zip([1, 2, 3, 3, 4], ends, strict=True), 1)
    ]
    assert [attempt_of(c, all_) for c in all_] == [1, 2, 3, 1, 2]


def test_every_order_that_was_begun_is_paid_for() -> None:
    """Even, by doubt, even again: two orders never have the same share of one release's risk."""
    ways = ["uniform", "uniform", "weighted", "uniform", "weighted"]
    all_ = [Candidate(n, n, 1, 1, "d", "withdrawn: x", 0, way) for n, way in enumerate(ways, 1)]
    attempts = [attempt_of(c, all_) for c in all_]
    assert attempts == [1, 1, 2, 2, 3]
    first: dict[str, int] = {}
    for c, attempt in zip(all_, attempts, strict=True):
        first.setdefault(c.order, attempt)
    assert sum(attempt_risk(j, 0.05) for j in first.values()) <= 0.05


def test_candidate_round_trip() -> None:
    """A candidate read from its event is the same one; they come by number."""
    one = Candidate(1, 3, 1, 10, "d")
    two = Candidate(2, 4, 1, 12, "e", "failed")
    assert read_candidates(pd.Series([two.to_body(), one.to_body()])) == [one, two]


def test_doubts_are_calmed_by_looks_and_never_stirred() -> None:
    """Clean looks scale a kind's doubts down, in their order; few or bad looks leave them."""
    rng = np.random.default_rng(0)
    doubt = rng.random(200)
    kind = np.arange(200) < 120
    calm = tried_doubt(doubt, kind, wrong=0, looks=398)
    assert calm[kind].mean() == pytest.approx(1 / 400)
    assert (np.argsort(calm[kind]) == np.argsort(doubt[kind])).all()
    np.testing.assert_array_equal(calm[~kind], doubt[~kind])
    np.testing.assert_array_equal(tried_doubt(doubt, kind, wrong=9, looks=10), doubt)
    np.testing.assert_array_equal(tried_doubt(doubt, kind, wrong=0, looks=0), doubt)
    np.testing.assert_array_equal(tried_doubt(doubt, ~kind & kind, wrong=0, looks=9), doubt)


@pytest.mark.parametrize(("attempt", "risk"), [(1.5, 0.05), (0, 0.05), (1, 0.0), (1, 1.5)])
def test_an_attempt_that_is_none(attempt: Any, risk: float) -> None:
    """Attempts are counted, and there is something to share."""
    with pytest.raises(UsageError, match=r"attempt is|risk is"):
        attempt_risk(attempt, risk)


def test_a_population_is_counted() -> None:
    """Half a label would put the bound below zero."""
    with pytest.raises(UsageError, match=r"population is 10\.5, expected a whole number"):
        certify([False] * 10, 0.02, 0.05, population=10.5)  # type: ignore[arg-type]


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
        population=status.size,
        corrected=2,
    )
    assert (found.certificate.n, found.certificate.errors) == (203, 5)
    assert found.certificate.needed == first.needed
    assert found.certificate.e_value == first.e_value
