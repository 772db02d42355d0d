"""Events: what was said and decided, each of it once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

import pandas as pd

from ..digest import canonical_json
from ..errors import ConflictError
from ..tables import EVENTS, frame_of
from .labels import State
from .reading import load
from .rows import Event, Rows
from .workspace import Workspace

__all__ = ["decide", "events_frame", "say"]

T = TypeVar("T")

_ATTEMPTS = 50
"""Each one lost is one that somebody else got through with."""


def say(state: Rows, events: Sequence[Event], now: datetime) -> None:
    """Append events that were not said before: facts, which hold whatever else is said.

    The id of an event is its kind, subject and revision, so saying it again, in a re-run or
    in another process, is saying it once. Of two processes that say different things under one
    id the first is heard; what must then be concluded anew is said by `decide`.
    """
    tables, version = state.workspace.tables, state.versions.get("events")
    known = set(state.events["event_id"])
    for _ in range(_ATTEMPTS):
        fresh = [event for event in events if _id(event) not in known]
        if not fresh:
            return
        if version is not None and _appended(state.workspace, fresh, now, version):
            return
        # The version first: what comes in between is then known, and the append is refused.
        version = tables.version("events")
        known = set(tables.read("events", columns=["event_id"])["event_id"])
    raise ConflictError("events: others said something at each attempt; run again")


def decide(
    workspace: Workspace,
    conclude: Callable[[State], tuple[T, Sequence[Event]]],
    now: datetime,
    *,
    read: Callable[[Workspace], State] = load,
) -> T:
    """Say what follows from the state of a workspace, in no other state than that.

    Where another process says something in the meantime, it is concluded anew from what holds by
    then. So two processes never open one hypothesis for two models, nor look at one run of the
    stream twice, and none goes on with an acceptance that the other is closing: one of them is
    first, and the other sees it.

    Parameters
    ----------
    workspace : Workspace
    conclude : callable
        The state → what is returned, and the events that say it; all of them hold, or none.
    now : datetime
    read : callable
        Reads the state: `load`, or `load_events` where events are all that counts.

    Raises
    ------
    ConflictError
        If others said something at each of fifty attempts.
    """
    for _ in range(_ATTEMPTS):
        state = read(workspace)
        found, events = conclude(state)
        known = set(state.events["event_id"])
        fresh = [event for event in events if _id(event) not in known]
        if not fresh or _appended(workspace, fresh, now, state.versions["events"]):
            return found
    raise ConflictError("events: others said something at each attempt; run again")


def _id(event: Event) -> str:
    kind, subject, revision, _ = event
    return f"{kind}/{subject}/{revision}"


def _appended(workspace: Workspace, events: Sequence[Event], now: datetime, version: int) -> bool:
    """Append events to the table as it was at a version; say whether it was still at that."""
    try:
        workspace.tables.append("events", events_frame(events, now), after=version)
    except ConflictError:
        return False
    return True


def events_frame(events: Sequence[Event], now: datetime) -> pd.DataFrame:
    """Return events said now as rows of their table."""
    return frame_of(
        EVENTS,
        {
            "event_id": [_id(event) for event in events],
            "kind": [kind for kind, _, _, _ in events],
            "subject": [subject for _, subject, _, _ in events],
            "revision": [revision for _, _, revision, _ in events],
            "body": [b if isinstance(b, str) else canonical_json(b) for _, _, _, b in events],
            "at": now,
        },
        len(events),
    )
