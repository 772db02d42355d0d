"""Votes, needs and plans of twelve items, written short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from labelops.measure.samples import RandomSample, draw_sample
from labelops.route import (
    RoutePolicy,
    Worth,
    label_needs,
    make_plan,
    overlap_needs,
)
from labelops.route.needs import CROWD
from labelops.tables import PLAN, PROPOSALS, VOTES, empty, frame_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
IDS = [f"i{i}" for i in range(12)]
DRAWS = {i: n / len(IDS) for n, i in enumerate(IDS)}
NO_VOTES, NO_PLAN, NO_PROPOSALS = empty(VOTES), empty(PLAN), empty(PROPOSALS)


def drawn(*ids: str) -> RandomSample:
    """Draw all of some items."""
    return draw_sample(b"k", "test", ids)


def vote_rows(rows: list[tuple[str, str, str, str, int]]) -> pd.DataFrame:
    """Make votes from (item, annotator, purpose, status, round)."""
    cells = list(zip(*rows, strict=True)) if rows else [()] * 5
    return frame_of(
        VOTES,
        {
            "vote_id": [f"v{n}" for n in range(len(rows))],
            "revision": 0,
            "item_id": list(cells[0]),
            "annotator": list(cells[1]),
            "purpose": list(cells[2]),
            "status": list(cells[3]),
            "round": list(cells[4]),
            "value": None,
            "saw_proposal": False,
            "seconds": np.nan,
            "queue": "q",
            "schema_digest": "d",
            "given_at": NOW,
        },
        len(rows),
    )


def proposal_rows(ids: list[str]) -> pd.DataFrame:
    """Propose a cat for each item."""
    return frame_of(
        PROPOSALS,
        {
            "item_id": ids,
            "labeler": "model:m",
            "labeler_version": "v1",
            "value": ['"cat"'] * len(ids),
            "confidence": 0.9,
            "schema_digest": "d",
            "proposed_at": NOW,
        },
        len(ids),
    )


def plan_for(
    needs: list[pd.DataFrame],
    plan: pd.DataFrame = NO_PLAN,
    votes: pd.DataFrame = NO_VOTES,
    proposals: pd.DataFrame = NO_PROPOSALS,
    policy: RoutePolicy | None = None,
    draws: Mapping[str, float] = DRAWS,
    round_number: int = 1,
) -> pd.DataFrame:
    """Plan a round; without votes, plans and proposals that are not given."""
    return make_plan(
        needs,
        plan,
        votes,
        proposals,
        draws,
        policy or RoutePolicy(),
        round_number=round_number,
        schema_digest="d",
        now=NOW,
    )


def needs_of(ids: Sequence[str], given: Sequence[int], value: npt.ArrayLike) -> pd.DataFrame:
    """Ask for labels as if a vote were worth `value`: up to the next odd number of votes."""
    counts, worth = np.asarray(given, dtype=np.int64), np.asarray(value, dtype=np.float64)
    action = np.full(len(counts), CROWD, dtype=object)
    return label_needs(ids, counts, Worth(action, 1 + counts % 2, worth, worth))


def labels_wanted(n: int, given_votes: int = 0, twice: bool = False) -> pd.DataFrame:
    """Ask for labels of the first n items, the last ones most, or for an overlap of two votes."""
    if twice:
        return overlap_needs(drawn(*IDS[:n]), [0] * n, [2] * n, "label")
    return needs_of(IDS[:n], [given_votes] * n, np.linspace(0, 1, n))
