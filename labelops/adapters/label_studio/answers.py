"""Label Studio's annotations as votes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd

from labelops.digest import canonical_json, digest
from labelops.errors import EndProtocolError, shown
from labelops.tables import VOTES, empty, frame_of

from .api import Json, integer
from .config import CONTROL, OBJECT, Known
from .offers import person_of, purpose_of

__all__ = ["Seen", "VoteRow", "moment", "votes_frame", "votes_of"]

Seen = frozenset[tuple[int, int]]
"""(task, user) pairs with an answer that was already reported."""

_LONGEST = 1e9
"""Seconds beyond which a time that somebody took is none: some thirty years."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class VoteRow:
    """One row of the votes table, without the columns that every vote of a queue shares."""

    vote_id: str
    revision: int
    item_id: str
    annotator: str
    value: str | None
    status: str
    purpose: str
    round: int
    saw_proposal: bool
    seconds: float
    schema_digest: str
    given_at: datetime


@dataclass(frozen=True, slots=True)
class _Key:
    """The plan row a task was made from, as its data says, and that data's own key."""

    key: str
    item_id: str
    round: int
    purpose: str
    schema_digest: str
    exclude: frozenset[str]


class _OddAnswer(Exception):
    """An answer that says nothing the schema knows; the message says why."""


def moment(raw: object) -> datetime:
    """Read one of the server's times.

    Raises
    ------
    EndProtocolError
        If it is none.

    Examples
    --------
    >>> moment("2026-01-05T12:00:00.000001Z").microsecond
    1
    """
    try:
        read = datetime.fromisoformat(raw if isinstance(raw, str) else "")
    except ValueError:
        raise EndProtocolError(f"Label Studio: {shown(raw)} is not a time") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _microseconds(when: datetime) -> int:
    return (when - _EPOCH) // timedelta(microseconds=1)


def votes_of(
    task: Json,
    queue: str,
    known: Sequence[Known],
    named: Callable[[int], str],
    seen: Seen,
    rejected: list[str],
    secret: bytes,
) -> Iterator[tuple[int, VoteRow]]:
    """Yield one vote a person who answered, skipped or took an answer back, with the user.

    A person has one vote a plan row: of several annotations the newest counts. Skips that
    only keep somebody away are no votes.

    Parameters
    ----------
    task : dict
        With its annotations.
    queue : str
        The queue's name and when the project was made, parts of the vote ids: another server
        has other people under the same numbers.
    known : sequence of Known
        The schemas of the project, oldest first.
    named : callable
        User number → annotator.
    seen : set of (task, user)
        Answers reported before: one that is gone was deleted.
    rejected : list of str
        A line is added for each answer that could not be understood.
    secret : bytes
        The workspace's key.
    """
    identity = integer(task, "id")
    answers = _newest_by_user(task)
    try:
        key = _key_of(task, secret)
    except _OddAnswer as odd:
        if answers:
            rejected.append(f"task {identity}: {odd}")
        return
    for user, answer in answers.items():
        away = person_of(secret, key.key, named(user)) in key.exclude
        if away and answer.get("was_cancelled") is True:
            continue
        try:
            yield user, _vote(task, key, answer, queue, known, named(user), user)
        except _OddAnswer as odd:
            rejected.append(
                f"task {identity} (item {shown(key.item_id)}), annotation {answer.get('id')} by "
                f"{named(user)}: {odd}"
            )
    for gone in sorted(u for t, u in seen if t == identity and u not in answers):
        yield gone, _deleted(task, key, queue, named(gone), gone)


def _newest_by_user(task: Json) -> dict[int, Json]:
    """Return each person's newest annotation; those nobody signed are not answers."""
    annotations = task.get("annotations")
    if not isinstance(annotations, list):
        raise EndProtocolError(f"Label Studio: task {task.get('id')} came without annotations")
    newest: dict[int, tuple[datetime, int, Json]] = {}
    for annotation in annotations:
        user = annotation.get("completed_by")
        if isinstance(user, dict):
            user = user.get("id")
        if not isinstance(user, int):
            continue
        rank = (moment(annotation.get("updated_at")), integer(annotation, "id"))
        if user not in newest or rank > newest[user][:2]:
            newest[user] = (*rank, annotation)
    return {user: found[2] for user, found in newest.items()}


def _key_of(task: Json, secret: bytes) -> _Key:
    """Return the plan row a task was made from; whoever may label may have edited its data."""
    data = task.get("data")
    if not isinstance(data, dict) or "labelops_key" not in data:
        raise _OddAnswer("not made by labelops, its answers are left alone")
    said = {name: data.get(f"labelops_{name}") for name in ("key", "item", "schema")}
    round_, exclude = data.get("labelops_round"), data.get("labelops_exclude", [])
    if (
        all(isinstance(v, str) for v in said.values())
        and isinstance(round_, int)
        and isinstance(exclude, list)
    ):
        key, item_id, schema_digest = map(str, said.values())
        purpose = purpose_of(secret, key, item_id, round_)
        if purpose is not None:
            away = frozenset(map(str, exclude))
            return _Key(key, item_id, round_, purpose, schema_digest, away)
    raise _OddAnswer(
        "its data is not what this workspace sent: somebody edited it, or the workspace has "
        "another key now (LABELOPS_KEY); its answers are left alone"
    )


def _vote_id(queue: str, key: _Key, user: int) -> str:
    return digest(["label-studio", queue, key.item_id, key.round, key.purpose, user])


def _vote(
    task: Json,
    key: _Key,
    answer: Json,
    queue: str,
    known: Sequence[Known],
    annotator: str,
    user: int,
) -> VoteRow:
    when = moment(answer.get("updated_at"))
    skipped = answer.get("was_cancelled") is True
    chosen = None if skipped else _choice(answer.get("result"))
    return VoteRow(
        vote_id=_vote_id(queue, key, user),
        revision=_microseconds(when),
        item_id=key.item_id,
        annotator=annotator,
        value=None if chosen is None else canonical_json(chosen),
        status="skipped" if skipped else "given",
        purpose=key.purpose,
        round=key.round,
        saw_proposal=bool(task.get("total_predictions")) or bool(answer.get("parent_prediction")),
        seconds=_seconds(answer.get("lead_time")),
        schema_digest=_schema_of(chosen, key, known),
        given_at=when,
    )


def _deleted(task: Json, key: _Key, queue: str, annotator: str, user: int) -> VoteRow:
    when = moment(task.get("updated_at"))
    return VoteRow(
        vote_id=_vote_id(queue, key, user),
        revision=_microseconds(when),
        item_id=key.item_id,
        annotator=annotator,
        value=None,
        status="deleted",
        purpose=key.purpose,
        round=key.round,
        saw_proposal=bool(task.get("total_predictions")),
        seconds=math.nan,
        schema_digest=key.schema_digest,
        given_at=when,
    )


def _choice(result: object) -> str:
    """Return the one class an annotation's result names."""
    if not isinstance(result, list) or not all(isinstance(r, dict) for r in result):
        raise _OddAnswer("its result is not a list of objects")
    if not result:
        raise _OddAnswer("it was submitted without an answer")
    regions = [r for r in result if r.get("type") == "choices"]
    if len(regions) != 1 or len(result) != 1:
        raise _OddAnswer(f"{len(result)} results, expected one choice")
    region = regions[0]
    if region.get("from_name") != CONTROL or region.get("to_name") != OBJECT:
        raise _OddAnswer(f"control {shown(region.get('from_name'))} is not {CONTROL!r}")
    value = region.get("value")
    choices = value.get("choices") if isinstance(value, dict) else None
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], str):
        raise _OddAnswer(f"chose {shown(choices)}, expected exactly one class")
    return choices[0]


def _schema_of(chosen: str | None, key: _Key, known: Sequence[Known]) -> str:
    """Return the schema an answer was given under: the task's own if it has that class.

    A task that was open when the schema grew may be answered with a new class.
    """
    if chosen is None:
        return key.schema_digest
    fitting = [k.digest for k in known if chosen in k.classes]
    if not fitting:
        raise _OddAnswer(f"class {shown(chosen)} is in no schema of this project")
    return key.schema_digest if key.schema_digest in fitting else fitting[-1]


def _seconds(lead_time: object) -> float:
    if isinstance(lead_time, bool) or not isinstance(lead_time, int | float):
        return math.nan
    # Compared, not converted: JSON holds whole numbers that no float does.
    return float(lead_time) if 0 <= lead_time <= _LONGEST else math.nan


def votes_frame(rows: Sequence[VoteRow], queue: str) -> pd.DataFrame:
    """Return rows of the votes table."""
    if not rows:
        return empty(VOTES)
    columns: Mapping[str, object] = {
        name: [getattr(row, name) for row in rows] for name in VOTES.names if name != "queue"
    }
    return frame_of(VOTES, {**columns, "queue": queue}, len(rows))
