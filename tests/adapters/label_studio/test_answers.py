"""Label Studio's answers become votes, each once; what a reader remembers between readings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.adapters.label_studio import answers, offers
from labelops.adapters.label_studio.answers import votes_frame, votes_of
from labelops.adapters.label_studio.config import Known
from labelops.adapters.label_studio.cursor import Place, Where, read_cursor, write_cursor
from labelops.errors import (
    UsageError,
)
from labelops.tables import VOTES, check
from labelops.testing.queues import PETS

from .tasks import KEY, PETS_KNOWN, annotation, task_of

NAMES = {1: "human:away", 2: "human:ann", 3: "human:bob"}


def _read(
    task: dict[str, Any],
    seen: answers.Seen = frozenset(),
    known: tuple[Known, ...] = PETS_KNOWN,
) -> tuple[list[answers.VoteRow], list[str]]:
    rejected: list[str] = []
    found = list(votes_of(task, "q", known, NAMES.__getitem__, seen, rejected, KEY))
    check(VOTES, votes_frame([row for _, row in found], "q"))
    return [row for _, row in found], rejected


def test_an_annotation_is_a_vote() -> None:
    """Every column of a vote comes from where it should."""
    (vote,), rejected = _read(task_of(annotation()))
    assert not rejected
    when = datetime(2026, 1, 5, 12, 0, 0, 123, tzinfo=UTC)
    assert (vote.item_id, vote.round, vote.purpose) == ("a", 3, "audit")
    assert (vote.annotator, vote.value, vote.status) == ("human:ann", '"cat"', "given")
    assert (vote.seconds, vote.saw_proposal, vote.given_at) == (2.5, False, when)
    assert vote.revision == round(when.timestamp() * 1e6)
    assert vote.schema_digest == PETS.digest


def test_whoever_could_see_a_pre_label_saw_it() -> None:
    """A prediction on the task, or one the answer was made from, counts as seen."""
    (vote,), _ = _read({**task_of(annotation()), "total_predictions": 1})
    assert vote.saw_proposal
    (vote,), _ = _read(task_of(annotation(parent_prediction=5)))
    assert vote.saw_proposal


@pytest.mark.parametrize("lead_time", [None, -1, float("nan"), float("inf"), 10**400, "2", True])
def test_an_unknown_time_is_missing(lead_time: object) -> None:
    """A lead time that is none is NaN, never 0."""
    (vote,), _ = _read(task_of(annotation(lead_time=lead_time)))
    assert vote.seconds != vote.seconds


def test_a_person_has_one_vote_the_newest() -> None:
    """Of two annotations of one person the newest counts, in whatever order they come."""
    old = annotation("dog", id=9, updated_at="2026-01-05T11:00:00Z")
    for task in (task_of(old, annotation()), task_of(annotation(), old)):
        votes, _ = _read(task)
        assert [v.value for v in votes] == ['"cat"']


def test_a_skip_that_keeps_somebody_away_is_no_vote() -> None:
    """Our own skips in the name of excluded people are not reported; other skips are."""
    away = annotation(completed_by=1, was_cancelled=True, result=[])
    skip = annotation(completed_by=3, was_cancelled=True, result=[])
    votes, _ = _read(task_of(away, skip))
    assert [(v.annotator, v.status, v.value) for v in votes] == [("human:bob", "skipped", None)]
    came_anyway, _ = _read(task_of(annotation(completed_by=1)))
    assert [v.annotator for v in came_anyway] == ["human:away"]


@pytest.mark.parametrize(
    "edit",
    [
        {"labelops_item": "b"},
        {"labelops_round": 4},
        {"labelops_round": "3"},
        {"labelops_key": offers.key_of(b"another", "a", 3, "audit")},
        {"labelops_key": None},
        {"labelops_schema": 5},
        {"labelops_exclude": "human:away"},
    ],
)
def test_a_task_whose_data_was_edited_gives_no_votes(edit: dict[str, object]) -> None:
    """An answer is never moved to another item, round or purpose by who edits the task's data."""
    task = task_of(annotation())
    task["data"] |= edit
    votes, (line,) = _read(task, frozenset({(11, 3)}))
    assert not votes
    assert "task 11" in line and "somebody edited it" in line and "LABELOPS_KEY" in line


def test_an_answer_that_is_gone_was_deleted() -> None:
    """A known answer that is no longer there is a newer revision of the same vote."""
    (before,), _ = _read(task_of(annotation()))
    (after,), _ = _read(task_of(), frozenset({(11, 2), (12, 3)}))
    assert (after.vote_id, after.status, after.value) == (before.vote_id, "deleted", None)
    assert after.revision > before.revision
    assert not _read(task_of())[0]


def test_vote_ids_differ_by_plan_row_and_person() -> None:
    """Item, round, purpose and person make the id; the answer and its time do not."""
    variants = [
        task_of(annotation()),
        task_of(annotation(completed_by=3)),
        task_of(annotation(), item="b"),
        task_of(annotation(), round=4),
        task_of(annotation(), purpose="gold"),
    ]
    ids = [_read(task)[0][0].vote_id for task in variants]
    assert len(set(ids)) == len(ids)
    edited = annotation("dog", id=99, updated_at="2026-02-01T00:00:00Z")
    assert _read(task_of(edited))[0][0].vote_id == ids[0]


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ([], "without an answer"),
        ([{"type": "textarea"}], "one choice"),
        (annotation()["result"] * 2, "one choice"),
        ("cat", "not a list"),
        (annotation("unicorn")["result"], "unicorn"),
        (annotation(5)["result"], "exactly one"),
        ([{**annotation()["result"][0], "value": {"choices": ["cat", "dog"]}}], "exactly one"),
        ([{**annotation()["result"][0], "value": None}], "exactly one"),
        ([{**annotation()["result"][0], "from_name": "other"}], "other"),
    ],
)
def test_an_odd_answer_is_a_line_and_the_others_arrive(result: object, says: str) -> None:
    """An answer nobody can understand is named with item and person; the rest is read."""
    votes, rejected = _read(task_of(annotation(result=result), annotation(completed_by=3)))
    assert [v.annotator for v in votes] == ["human:bob"]
    (line,) = rejected
    assert says in line
    assert "'a'" in line
    assert "human:ann" in line


def test_a_task_that_is_not_ours_is_left_alone() -> None:
    """A task somebody else imported gives no vote, and a line if it has answers."""
    stranger = {"id": 5, "annotations": [annotation()], "data": {"text": "mine"}}
    votes, rejected = _read(stranger)
    assert not votes
    assert "not made by labelops" in rejected[0]
    assert _read({**stranger, "annotations": []}) == ([], [])


def test_an_open_task_can_get_a_class_that_is_new() -> None:
    """A vote names the schema it fits: the task's own, or the grown one if only that has it."""
    wider = Known("wider", (*PETS.classes, "fox"))
    known = (*PETS_KNOWN, wider)
    assert _read(task_of(annotation("cat")), known=known)[0][0].schema_digest == PETS.digest
    assert _read(task_of(annotation("fox")), known=known)[0][0].schema_digest == "wider"


_PAIRS = st.frozensets(st.tuples(st.integers(1, 2**40), st.integers(1, 2**31)), max_size=50)


_WHERE = st.builds(Where, st.integers(1, 10**6), st.text(max_size=30))


@pytest.mark.slow
@given(st.dictionaries(_WHERE, st.builds(Place, st.text(max_size=30), _PAIRS), max_size=4))
def test_a_cursor_says_what_was_written(places: dict[Where, Place]) -> None:
    """Reading a cursor gives the places that were written, in any order."""
    assert read_cursor(write_cursor(places)) == places


@pytest.mark.slow
def test_a_cursor_stays_small() -> None:
    """A hundred thousand answers by seven people in a mixed order take under 4 bytes each."""
    seen = frozenset((n // 2 + 5, 1 + (n * 7919) % 7) for n in range(100_000))
    place = Place("2026-01-05T12:00:00Z", seen)
    assert len(write_cursor({Where(1, "2026-01-04T12:00:00Z"): place})) < 4 * len(seen)


def test_a_cursor_of_before_reads_everything_again() -> None:
    """It did not say which server's projects it meant."""
    assert read_cursor('{"label-studio":1,"projects":{"1":["2026-01-05T12:00:00Z","x"]}}') == {}


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "17",
        "[]",
        "{}",
        '{"label-studio":2,"projects":[["x"]]}',
        '{"label-studio":3,"projects":[]}',
    ],
)
def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    """A cursor of another queue, or half of one, is a usage error with a remedy."""
    with pytest.raises(UsageError, match="without a cursor"):
        read_cursor(cursor)
