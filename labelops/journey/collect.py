"""Collect: what people answered becomes votes, each of them once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from ..collect import MENDED_HERE, accept_votes
from ..errors import shown
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
    """Take new, edited, skipped and deleted answers from the queue into the votes table.

    While answers are refused that items or the schema can mend, those that came since are read
    again at each run.
    """
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
    # What was refused comes again at the next run, and counts once what was wrong is mended here.
    comes_again = found.rejected["reason"].isin(MENDED_HERE).any()
    if received.cursor != since and not comes_again:
        say(state, [("collected", queue.name, number + 1, {"cursor": received.cursor})], now)
    reasons = (*_said(found.rejected), *received.rejected)
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


def _said(rejected: pd.DataFrame) -> list[str]:
    """Say which answers were refused, and what to do."""
    columns = ["annotator", "item_id", "value", "message"]
    return [
        f"{who} on item {shown(item)}{'' if value is None else f', {value}'}: {message}"
        for who, item, value, message in rejected[columns].itertuples(index=False, name=None)
    ]
