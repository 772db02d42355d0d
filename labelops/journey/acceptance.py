"""Acceptance closes by itself: when what it rests on is gone, its labels go back to people."""

from __future__ import annotations

from datetime import datetime

from ..state import Event, State, Workspace, decide
from ..state.watch import closings

__all__ = ["close_void"]


def close_void(workspace: Workspace, now: datetime) -> tuple[str, ...]:
    """Close every hypothesis that is void now, with its reason; return the reasons.

    Said before anything is decided or tried: a label rests on a hypothesis only as long as
    that is open, so deciding anew takes back what it had accepted.
    """

    def conclude(state: State) -> tuple[tuple[str, ...], list[Event]]:
        found = closings(state)
        reasons = tuple(f"hypothesis {h.number}: {h.closed}" for h in found)
        return reasons, [state.hypothesis_event(h) for h in found]

    return decide(workspace, conclude, now)
