"""What is left of an audit: looks answered behind an open one are not asked for again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.gate.audit_state import AuditState, audit_state
from labelops.gate.checks import Facts, evaluate
from labelops.gate.policy import GatePolicy
from labelops.gate.progress import AuditProgress, audit_progress
from labelops.measure.adjudication import AGREES, NO_VOTE, PENDING, WRONG, Adjudication
from labelops.measure.samples import draw_sample

POLICY = GatePolicy(error=0.02, confidence=0.95)
STATUS = st.lists(st.sampled_from([NO_VOTE, PENDING, AGREES, WRONG]), min_size=1, max_size=60)


def _state(status: list[int], size: int = 1000) -> AuditState:
    """Audit `size` labels, the first of which stand as said and the others are not seen."""
    codes = np.array(status + [NO_VOTE] * (size - len(status)), dtype=np.int64)
    needed = np.select([codes == NO_VOTE, codes == PENDING], [1, 2])
    looks = Adjudication(codes, (codes > NO_VOTE).astype(np.int64), codes * 0 - 1, needed)
    order = draw_sample(b"k", "audit/1", [f"i{i}" for i in range(size)])
    return audit_state(order, np.zeros(size, dtype=bool), looks, POLICY)


def _planned() -> int:
    return len(_state([]).planned)


def test_a_disputed_look_is_what_is_left() -> None:
    """Of an audit answered but for one look, that look is asked for, and not all behind it."""
    rest = _planned() - 5
    audit = _state([AGREES] * 4 + [PENDING] + [AGREES] * rest)
    assert audit.certificate.n == 4 and (audit.certificate.needed or 0) > 100
    found = audit.progress
    assert found == AuditProgress(rest, wrong=0, before=1, disputed=1, to_come=1, votes=2)
    facts = Facts(1000, 1000, {"cat": 1000}, audit.certificate, None, progress=found)
    check = evaluate(facts, POLICY).checks[0]
    assert check.needed == 1
    assert check.message == (
        f"0 wrong in 4 blind random audits; {rest} later looks are answered and wait for 1 "
        "disputed look before them; 1 more clean audit certifies ≤ 2 % at 95 % confidence "
        "(2 votes or more)"
    )


@given(st.lists(st.sampled_from([NO_VOTE, PENDING, AGREES]), max_size=150))
@pytest.mark.slow
def test_so_many_clean_looks_certify(status: list[int]) -> None:
    """Settled as right, the looks to come make it pass; without the last of them it does not."""
    audit = _state(status)
    asked = audit.progress.to_come
    assert asked == int((audit.unseen | audit.pending).sum())
    codes = np.array(status + [NO_VOTE] * _planned())[: len(audit.planned)]
    done = np.where((codes == NO_VOTE) | (codes == PENDING), AGREES, codes)
    assert _state(done.tolist()).certificate.status == "pass"
    if asked:
        done[np.flatnonzero(audit.unseen | audit.pending)[-1]] = PENDING
        assert _state(done.tolist()).certificate.status == "inconclusive"


@pytest.mark.slow
@given(STATUS)
def test_every_look_is_read_answered_or_to_come(status: list[int]) -> None:
    """Planned looks are those the certificate read, those behind an open one, and open ones."""
    audit = _state(status)
    found = audit.progress
    if audit.certificate.status == "inconclusive":
        assert audit.certificate.n + found.answered + found.to_come == len(audit.planned)
    assert found.disputed <= found.before <= found.to_come
    assert (found.before > 0) == (found.answered > 0) == bool(found.held_up)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (AuditProgress(1, 0, 1, 1), "1 later look is answered and waits for 1 disputed look "
                                    "before it"),
        (AuditProgress(2, 1, 3, 2), "2 later looks, 1 of them wrong, are answered and wait for 3 "
                                    "looks, 2 of them disputed, before them"),
        (AuditProgress(2, 0, 1, 0), "2 later looks are answered and wait for 1 look before them"),
        (AuditProgress(to_come=9), ""),
        (AuditProgress(1, 0, 1), "1 later look is answered and waits for 1 look before it"),
        (AuditProgress(), ""),
    ],
)  # fmt: skip
def test_what_waits_in_words(found: AuditProgress, said: str) -> None:
    """One and many, disputed and not, right and wrong."""
    assert found.held_up == said


def test_an_error_behind_makes_it_a_least_number() -> None:
    """A wrong look that is not read yet will cost more looks: the number is the least one."""
    audit = _state([AGREES] * 4 + [PENDING] + [WRONG] + [AGREES] * 20)
    assert audit.progress.certifies.startswith("at least ")
    assert not _state([AGREES] * 4 + [PENDING] + [AGREES] * 20).progress.certifies.startswith("at")


def test_the_cost_is_named_where_looks_take_more_than_a_vote_each() -> None:
    """One vote a look is what a reader expects."""
    assert AuditProgress(to_come=3, votes=3).cost == ""
    assert AuditProgress(to_come=3, votes=4).cost == "4 votes or more"
    assert AuditProgress(to_come=3).certifies == "3 more clean audits certify"
    assert AuditProgress(to_come=3, wrong=1).certifies == "at least 3 more clean audits certify"


def test_the_first_look_may_be_the_one_that_holds_up() -> None:
    """All that is answered lies behind it; and behind no open look nothing waits."""
    flags = np.array([True, False, False]), np.zeros(3, bool), np.array([False, True, False])
    found = audit_progress(*flags, np.array([1, 0, 0]))
    assert found == AuditProgress(2, wrong=1, before=1, disputed=0, to_come=1, votes=1)
    done = audit_progress(*(np.zeros(3, bool),) * 2, flags[2], np.zeros(3, np.int64))
    assert done == AuditProgress()


def test_all_open_looks_before_the_last_answered_one_hold_up() -> None:
    """Of five looks the first, the third and the last are open; two wait, for two."""
    open_ = np.array([True, False, True, False, True])
    disputed = np.array([False, False, True, False, False])
    found = audit_progress(open_ & ~disputed, disputed, ~open_ & False, open_.astype(np.int64))
    assert found == AuditProgress(2, wrong=0, before=2, disputed=1, to_come=3, votes=3)
