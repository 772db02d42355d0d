"""Events: what was said and decided, each of it once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from ..digest import canonical_json
from ..tables import EVENTS, frame_of
from .rows import Rows

__all__ = ["last_body", "say"]


def say(
    state: Rows,
    events: Sequence[tuple[str, str, int, str | Mapping[str, object]]],
    now: datetime,
) -> None:
    """Append events (kind, subject, revision, body) that were not said before.

    The id of an event is its kind, subject and revision, so saying it again, in a re-run or
    in another process, is saying it once.
    """
    known = set(state.events["event_id"])
    fresh = [e for e in events if f"{e[0]}/{e[1]}/{e[2]}" not in known]
    if not fresh:
        return
    bodies = [b if isinstance(b, str) else canonical_json(b) for _, _, _, b in fresh]
    frame = frame_of(
        EVENTS,
        {
            "event_id": [f"{kind}/{subject}/{revision}" for kind, subject, revision, _ in fresh],
            "kind": [e[0] for e in fresh],
            "subject": [e[1] for e in fresh],
            "revision": [e[2] for e in fresh],
            "body": bodies,
            "at": now,
        },
        len(fresh),
    )
    state.workspace.tables.append("events", frame)


def last_body(rows: pd.DataFrame) -> Any:
    """Return the body of the last of these events, read from its JSON text."""
    return json.loads(rows["body"].iloc[-1])
