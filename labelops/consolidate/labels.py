"""Rows of the labels table: a decided value and its posterior, or what is missing."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..digest import canonical_json
from ..kinds.choice import values_of
from ..schema import Schema
from ..tables import LABELS, empty, frame_of
from .votes import Consensus

__all__ = ["UNDECIDED", "changed_labels", "label_rows"]

UNDECIDED = "undecided"
"""The method of an item that has not enough evidence for a label."""


def label_rows(
    consensus: Consensus,
    accepted: pd.DataFrame,
    schema: Schema,
    *,
    revision: int,
    now: datetime,
) -> pd.DataFrame:
    """Decide every item: by its votes, else by an accepted proposal, else not yet.

    Votes go first: an accepted proposal that people contradict is no longer accepted, it is
    undecided until people settle it.

    Parameters
    ----------
    consensus : Consensus
    accepted : PROPOSALS rows
        Proposals that standing hypotheses accept, with the number of the `hypothesis` and what
        each `stands_as`, in words; `confidence` is what the label's posterior is to be.
    schema : Schema
    revision, now
        Of the new rows.

    Returns
    -------
    LABELS rows, one an item in the consensus' order.
    """
    n = len(consensus.item_ids)
    by_people = consensus.codes >= 0
    rows = accepted.set_index("item_id").reindex(consensus.item_ids)
    by_model = (consensus.votes == 0) & rows["value"].notna().to_numpy()
    value = np.where(by_model, rows["value"].to_numpy(), values_of(consensus.codes, schema))
    peak = np.where(
        by_model,
        rows["confidence"].to_numpy(dtype=np.float64),
        consensus.posterior.max(axis=1, initial=0.0),
    )
    method = np.select(
        [by_people, by_model], [consensus.method, "accepted"], default=UNDECIDED
    ).astype(object)
    reason = np.select(
        [by_people, by_model, consensus.votes > 0],
        [
            f"{consensus.method}: {consensus.reason}",
            rows["stands_as"].to_numpy(dtype=object),
            "the votes so far are not enough evidence",
        ],
        default="nobody has looked and no proposal is accepted",
    ).astype(object)
    cells = np.empty(n, dtype=object)
    cells[:] = list(consensus.posterior)
    cells[by_model] = rows["probs"].to_numpy(dtype=object)[by_model]
    return frame_of(
        LABELS,
        {
            "item_id": consensus.item_ids,
            "revision": revision,
            "value": value,
            "posterior": np.where(method == UNDECIDED, np.nan, peak),
            "probs": cells,
            "method": method,
            "reason": reason,
            "evidence": _evidence_texts(consensus.evidence, by_model, rows),
            "schema_digest": schema.digest,
            "decided_at": now,
        },
        n,
    )


def _evidence_texts(
    votes: npt.NDArray[np.object_],
    by_model: npt.NDArray[np.bool_],
    rows: pd.DataFrame,
) -> npt.NDArray[np.object_]:
    versions, numbers = rows["labeler_version"].to_numpy(dtype=object), _numbers(rows)
    texts: npt.NDArray[np.object_] = np.full(len(votes), canonical_json({"votes": []}), object)
    for number in np.unique(numbers[by_model]):
        # A hypothesis is about one version.
        mine = by_model & (numbers == number)
        version = versions[mine][0]
        accepted = {"hypothesis": int(number), "labeler_version": version, "votes": []}
        texts[mine] = canonical_json(accepted)
    voted = np.fromiter(map(bool, votes), dtype=bool, count=len(votes))
    for place in np.flatnonzero(voted & ~by_model):
        texts[place] = canonical_json({"votes": list(votes[place])})
    return texts


def _numbers(rows: pd.DataFrame) -> npt.NDArray[np.int64]:
    numbers: npt.NDArray[np.int64] = rows["hypothesis"].fillna(0).to_numpy(dtype=np.int64)
    return numbers


def changed_labels(new: pd.DataFrame, old: pd.DataFrame, frozen: npt.ArrayLike) -> pd.DataFrame:
    """Keep the rows of `new` whose evidence differs from the newest label so far.

    A decided label is decided anew only when its own evidence changed: other items' votes
    move every posterior a little, and labels must not flicker.

    Parameters
    ----------
    new : LABELS rows, one an item
    old : LABELS rows, newest of each item
    frozen : item ids
        Labels under audit; they do not change by votes.

    Returns
    -------
    The rows of `new` to append.
    """
    if new.empty:
        return empty(LABELS)
    before = old.set_index("item_id").reindex(new["item_id"])
    same_evidence = before["evidence"].to_numpy() == new["evidence"].to_numpy()
    was_decided = before["value"].notna().to_numpy()
    stays_undecided = (new["method"] == UNDECIDED).to_numpy()
    keeps = same_evidence & (was_decided | stays_undecided)
    keeps |= new["item_id"].isin(np.asarray(frozen, dtype=object)).to_numpy()
    return new.loc[~keeps].reset_index(drop=True)
