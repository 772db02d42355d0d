"""Plan rows as Label Studio's tasks: what is in them, and what is already there.

Whoever may label may read all of a task's data. So it names neither the purpose, by which a gold
question could be told from any other, nor colleagues: those are digests under the workspace's key,
which only the workspace can tell apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from labelops.digest import keyed_digest
from labelops.errors import EndProtocolError
from labelops.schema import Schema
from labelops.tables import PURPOSES

from .api import Api, Json, condition, integer
from .config import CONTROL, OBJECT
from .projects import MODEL_VERSION, Project, kind_of

__all__ = [
    "Row",
    "Task",
    "batches",
    "key_of",
    "known_tasks",
    "person_of",
    "purpose_of",
    "rows_of",
]

_BATCH_TASKS = 500
_BATCH_BYTES = 8 * 1024 * 1024
_KEYS_A_QUERY = 100
"""Keys of one filter: the query is part of the address, which proxies cut at 8 kB."""


def key_of(secret: bytes, item_id: str, round_: int, purpose: str) -> str:
    """Return what a plan row's task is found by, 32 characters whatever the item is called.

    Examples
    --------
    >>> key_of(b"s", "a", 1, "gold") == key_of(b"s", "a", 1, "audit")
    False
    """
    return keyed_digest(secret, item_id, str(round_), purpose)


def purpose_of(secret: bytes, key: str, item_id: str, round_: int) -> str | None:
    """Return the purpose that a task's key was made with; None if its data is not what was sent.

    Examples
    --------
    >>> purpose_of(b"s", key_of(b"s", "a", 1, "gold"), "a", 1)
    'gold'
    """
    of = {key_of(secret, item_id, round_, purpose): purpose for purpose in PURPOSES}
    return of.get(key)


def person_of(secret: bytes, key: str, annotator: str) -> str:
    """Return how a task says that somebody should not get it, without naming them."""
    return keyed_digest(secret, key, annotator)


@dataclass(frozen=True, slots=True)
class Row:
    """One plan row, ready to become a task."""

    key: str
    kind: str
    item_id: str
    round: int
    purpose: str
    annotators: int
    shown: str | None
    labeler_version: str | None
    exclude: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One task as found on the server.

    Parameters
    ----------
    id, project : int
    overlap : int
        How many annotators it gets.
    answers : int
        How many it has, skips not counted.
    touched : bool
        Whether anybody answered or skipped, or somebody is kept away from it.
    closed : bool
        Whether it is no longer served.
    """

    id: int
    project: int
    overlap: int
    answers: int
    touched: bool
    closed: bool


def rows_of(plan: pd.DataFrame, secret: bytes) -> list[Row]:
    """Return the plan's rows in the order they should be served: largest priority first."""
    ordered = plan.sort_values("priority", ascending=False, kind="stable")
    rows = []
    for cells in ordered.itertuples(index=False):
        shows = bool(cells.show_proposal) and cells.value is not None
        kind = kind_of(cells.purpose, shows)
        row = Row(
            key=key_of(secret, cells.item_id, int(cells.round), cells.purpose),
            kind=kind,
            item_id=cells.item_id,
            round=int(cells.round),
            purpose=cells.purpose,
            annotators=int(cells.annotators),
            shown=cells.value if kind == "label" else None,
            labeler_version=cells.labeler_version,
            exclude=tuple(json.loads(cells.exclude)),
        )
        rows.append(row)
    return rows


def known_tasks(
    api: Api, projects: Sequence[Project], keys: Sequence[str]
) -> dict[str, list[Task]]:
    """Return which of the keys the projects already hold, each key's tasks by id."""
    found: dict[str, list[Task]] = {}
    for project in projects:
        if not project.tasks:
            continue
        for start in range(0, len(keys), _KEYS_A_QUERY):
            wanted = list(keys[start : start + _KEYS_A_QUERY])
            only = [condition("data.labelops_key", "in_list", wanted, "List")]
            for record in api.tasks(project.id, only, answers=False):
                key = _data(record).get("labelops_key")
                found.setdefault(str(key), []).append(_task(record, project.id))
    return {key: sorted(tasks, key=lambda t: t.id) for key, tasks in found.items()}


def _data(record: Json) -> Mapping[str, object]:
    data = record.get("data")
    if not isinstance(data, dict):
        raise EndProtocolError(f"Label Studio: task {record.get('id')} has no data")
    return data


def _task(record: Json, project: int) -> Task:
    answers = integer(record, "total_annotations")
    return Task(
        id=integer(record, "id"),
        project=project,
        overlap=integer(record, "overlap"),
        answers=answers,
        touched=answers + integer(record, "cancelled_annotations") > 0,
        closed=record.get("is_labeled") is True,
    )


def batches(
    rows: Sequence[Row],
    shows: Mapping[str, str],
    schema: Schema,
    people: Mapping[str, int],
    secret: bytes,
) -> Iterator[list[Json]]:
    """Yield tasks in lists small enough for one import.

    Parameters
    ----------
    rows : sequence of Row
    shows : mapping
        item_id → text, data URI or the server's own path of an uploaded file.
    schema : Schema
    people : mapping
        Annotator → the server's number of that user.
    secret : bytes
        The workspace's key.
    """
    batch: list[Json] = []
    size = 0
    for row in rows:
        task = _new_task(row, shows[row.item_id], schema, people, secret)
        weight = len(shows[row.item_id]) + 1000
        if batch and (len(batch) >= _BATCH_TASKS or size + weight > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(task)
        size += weight
    if batch:
        yield batch


def _new_task(
    row: Row, shows: str, schema: Schema, people: Mapping[str, int], secret: bytes
) -> Json:
    data: Json = {
        "text" if schema.media == "text" else "image": shows,
        "labelops_key": row.key,
        "labelops_item": row.item_id,
        "labelops_round": row.round,
        "labelops_schema": schema.digest,
        "labelops_labeler_version": row.labeler_version or "",
        "labelops_exclude": sorted(person_of(secret, row.key, who) for who in row.exclude),
    }
    task: Json = {"data": data, "annotations": [], "predictions": []}
    if row.shown is not None:
        task["predictions"] = [_prediction(row.shown)]
    kept_away = sorted({people[who] for who in row.exclude if who in people})
    # A skip in their name is all that keeps people from a task in this edition of the server.
    task["annotations"] = [
        {"completed_by": user, "was_cancelled": True, "ground_truth": False, "result": []}
        for user in kept_away
    ]
    return task


def _prediction(shown_value: str) -> Json:
    result = {
        "from_name": CONTROL,
        "to_name": OBJECT,
        "type": "choices",
        "value": {"choices": [json.loads(shown_value)]},
    }
    return {"model_version": MODEL_VERSION, "result": [result]}
