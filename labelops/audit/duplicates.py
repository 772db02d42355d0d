"""Items that are the same thing and yet carry different labels."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from labelops.audit.findings import findings_of
from labelops.kinds.choice import codes_of
from labelops.schema import Schema
from labelops.tables import FINDINGS, empty

__all__ = ["duplicate_conflicts"]


def duplicate_conflicts(
    items: pd.DataFrame,
    labels: pd.DataFrame,
    schema: Schema,
    *,
    round: int,  # noqa: A002 - the column's name
    now: datetime,
) -> pd.DataFrame:
    """Find items whose exact or near duplicates are labeled differently.

    Same payload digest, or same leakage group where the owner gave no group of their own (an
    owner's group is a user or a document, not a duplicate). Where one label is the cluster's
    commonest, only the items with another one are findings; otherwise all are.

    Parameters
    ----------
    items : items frame
        One row an item.
    labels : labels frame
        One row an item; a missing value takes no part.
    schema : Schema
    round : int
        The audit's number.
    now : datetime
        When it happened.

    Returns
    -------
    Findings of kind ``duplicate_conflict``; the score is the share of the cluster that carries
    the item's label.
    """
    both = items[["item_id", "payload_digest", "group", "owner_group"]].merge(
        labels.loc[labels["value"].notna(), ["item_id", "value"]], on="item_id"
    )
    if both.empty:
        return empty(FINDINGS)
    clusters = both.assign(code=codes_of(both["value"], schema), cluster=_clusters(both))
    return _conflicts(clusters, schema, round, now)


def _clusters(both: pd.DataFrame) -> pd.Series[str]:
    owned = both["owner_group"].notna().groupby(both["group"]).transform("any")
    return ("group " + both["group"]).where(~owned, "payload " + both["payload_digest"])


def _conflicts(
    both: pd.DataFrame,
    schema: Schema,
    round: int,  # noqa: A002
    now: datetime,
) -> pd.DataFrame:
    counts = both.groupby(["cluster", "code"]).size().rename("same").reset_index()
    by = counts.groupby("cluster")["same"]
    counts["size"], counts["most"] = by.transform("sum"), by.transform("max")
    counts["classes"] = by.transform("size")
    counts["leads"] = counts["same"] == counts["most"]
    alone = counts.groupby("cluster")["leads"].transform("sum") == 1
    leader = counts[counts["leads"] & alone]
    counts["better"] = counts["cluster"].map(leader.set_index("cluster")["code"]).fillna(-1)
    found = both.merge(counts[counts["classes"] > 1], on=["cluster", "code"])
    found = found[found["code"] != found["better"]].sort_values("item_id")
    return findings_of(
        "duplicate_conflict",
        found["item_id"].to_numpy(dtype=object),
        found["code"].to_numpy(dtype=np.int64),
        (found["same"] / found["size"]).to_numpy(dtype=np.float64),
        schema,
        detector="duplicates",
        round=round,
        now=now,
        suggestions=found["better"].to_numpy(dtype=np.int64),
        evidence={
            "cluster": found["cluster"].to_numpy(dtype=object),
            "cluster_size": found["size"].to_numpy(dtype=np.int64),
        },
    )
