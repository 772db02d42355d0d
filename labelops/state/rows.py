"""What is read: a workspace's tables, newest revisions only."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from .workspace import Workspace

__all__ = ["NO_VOTES", "Rows"]

NO_VOTES = f"{0:016x}"
"""The `votes_digest` of an empty table."""


@dataclass(frozen=True)
class Rows:
    """The tables of a workspace, newest revisions only.

    Parameters
    ----------
    workspace : Workspace
    items, votes, plan, proposals, labels, findings, events : frames
    revised : series
        When each item whose content was revised got its present content, by item id.
    """

    workspace: Workspace
    items: pd.DataFrame
    votes: pd.DataFrame
    plan: pd.DataFrame
    proposals: pd.DataFrame
    labels: pd.DataFrame
    findings: pd.DataFrame
    events: pd.DataFrame
    revised: pd.Series = field(default_factory=lambda: pd.Series(dtype="datetime64[us, UTC]"))

    def latest(self, kind: str) -> pd.DataFrame:
        """Return the newest event of each subject of one kind, by subject."""
        rows = self.events.loc[self.events["kind"] == kind]
        rows = rows.sort_values(["subject", "revision"], kind="stable")
        return rows.drop_duplicates("subject", keep="last").reset_index(drop=True)

    @cached_property
    def item_ids(self) -> npt.NDArray[np.object_]:
        """All items' ids, sorted."""
        ids: npt.NDArray[np.object_] = self.items["item_id"].to_numpy(dtype=object)
        return ids

    @cached_property
    def votes_digest(self) -> str:
        """Which votes there are, in which revision; the same in any order."""
        rows = pd.util.hash_pandas_object(self.votes[["vote_id", "revision"]], index=False)
        return f"{int(rows.to_numpy().sum(dtype=np.uint64)):016x}"

    @cached_property
    def flagged(self) -> tuple[str, ...]:
        """Annotators whose votes no longer count."""
        return tuple(sorted(self.latest("annotator_flagged")["subject"]))

    @cached_property
    def gold(self) -> dict[str, str]:
        """Item id → the answer its owner knows."""
        rows = self.latest("gold")
        return {
            s: json.loads(b)["value"] for s, b in zip(rows["subject"], rows["body"], strict=True)
        }
