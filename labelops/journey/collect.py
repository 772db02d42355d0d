"""Collect: what people answered becomes votes, each of them once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..collect import accept_votes
from ..ports import Queue
from ..state import Workspace, last_body, load, say

__all__ = ["Collected", "collect"]


@dataclass(frozen=True, slots=True)
class Collected:
    """What `collect` found.

    Parameters
    ----------
    received, new, rejected : int
        Answers the queue gave; those not known before; those refused.
    skipped, deleted : int
        New ones that give no vote.
    reasons : tuple of str
        Why answers were refused.
    broken : tuple of str
        Parts of the queue that could not be read, and why; all others were.
    """

    received: int
    new: int
    rejected: int
    reasons: tuple[str, ...]
    skipped: int = 0
    deleted: int = 0
    broken: tuple[str, ...] = ()


def collect(workspace: Workspace, queue: Queue, *, now: datetime) -> Collected:
    """Take new, edited, skipped and deleted answers from the queue into the votes table."""
    state = load(workspace)
    cursors = state.latest("collected")
    mine = cursors.loc[cursors["subject"] == queue.name]
    since, number = (
        (None, 0) if mine.empty else (last_body(mine)["cursor"], int(mine["revision"].iloc[-1]))
    )
    received = queue.receive(since)
    votes = workspace.tables.read("votes")
    found = accept_votes(received.votes, votes, state.items, workspace.schema)
    workspace.tables.append("votes", found.new)
    if received.cursor != since:
        say(state, [("collected", queue.name, number + 1, {"cursor": received.cursor})], now)
    reasons = (*found.rejected["message"], *received.rejected)
    skipped, deleted = (int((found.new["status"] == said).sum()) for said in ("skipped", "deleted"))
    return Collected(
        received=len(received.votes),
        new=len(found.new),
        rejected=len(reasons),
        reasons=reasons,
        skipped=skipped,
        deleted=deleted,
        broken=received.broken,
    )
