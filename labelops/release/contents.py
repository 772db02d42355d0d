"""What a release holds: the decided labels, and the rows of the other tables that they rest on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from ..errors import UsageError, shown
from ..schema import Schema
from ..tables import ITEMS, LABELS, PROPOSALS, VOTES, TableSpec, newest
from .diff import canonical_values

__all__ = ["frames_of", "refuse_planted"]


def frames_of(
    labels: pd.DataFrame,
    items: pd.DataFrame,
    votes: pd.DataFrame,
    proposals: pd.DataFrame,
    schema: Schema,
) -> dict[str, pd.DataFrame]:
    """Collapse each table, keep what the labels rest on, sort by key: one form for equal facts."""
    decided = newest(LABELS, labels)
    decided = decided.loc[decided["value"].notna()].reset_index(drop=True)
    if decided.empty:
        raise UsageError(f"label set {schema.name!r} has no decided label to release")
    decided["value"] = canonical_values(decided["value"], schema)
    evidence = _evidence(decided)
    return {
        "labels": decided,
        "votes": _counted(votes, evidence),
        "items": _needed(ITEMS, items, decided["item_id"], "items"),
        "proposals": _in_force(proposals, evidence),
    }


@dataclass(frozen=True, slots=True)
class _Evidence:
    item_ids: pd.Series
    vote_ids: tuple[str, ...]
    labeler_versions: pd.Series  # by row; None where the label names none


def _evidence(labels: pd.DataFrame) -> _Evidence:
    votes: list[str] = []
    versions: list[str | None] = []
    for row, text in enumerate(labels["evidence"]):
        said = json.loads(text)
        own, version = said.get("votes") or [], said.get("labeler_version")
        if not own and version is None:
            raise UsageError(
                f"label of item {shown(labels['item_id'].iloc[row])} names neither votes nor a "
                "labeler as evidence; only labels that something vouches for are released"
            )
        votes += own
        versions.append(version)
    return _Evidence(labels["item_id"], tuple(votes), pd.Series(versions, dtype=object))


def _counted(votes: pd.DataFrame, evidence: _Evidence) -> pd.DataFrame:
    wanted = pd.Series(evidence.vote_ids, dtype=object).drop_duplicates()
    return _needed(VOTES, votes, wanted, "votes")


def _needed(spec: TableSpec, frame: pd.DataFrame, wanted: pd.Series, what: str) -> pd.DataFrame:
    key = spec.key[0]
    kept = newest(spec, frame.loc[frame[key].isin(wanted)])
    absent = wanted.loc[~wanted.isin(kept[key])]
    if len(absent):
        raise UsageError(
            f"{len(absent)} {what} that labels rest on are not in the {what} table, first "
            f"{shown(absent.iloc[0])}"
        )
    return kept[spec.names]


def _in_force(proposals: pd.DataFrame, evidence: _Evidence) -> pd.DataFrame:
    """Keep one proposal an item: the one its label names, else the last one made."""
    named = pd.Series(evidence.labeler_versions.to_numpy(), index=evidence.item_ids.to_numpy())
    own = proposals.loc[proposals["item_id"].isin(named.index)]
    rows = newest(PROPOSALS, own)
    wanted = rows["item_id"].map(named).to_numpy(dtype=object)
    hit = rows["labeler_version"].to_numpy(dtype=object) == wanted
    absent = named.loc[named.notna() & ~named.index.isin(rows.loc[hit, "item_id"])]
    if len(absent):
        raise UsageError(
            f"the label of item {shown(absent.index[0])} rests on a proposal of labeler version "
            f"{shown(absent.iloc[0])}, which is not in the proposals table"
        )
    ranked = rows.assign(_hit=hit).sort_values(
        ["item_id", "_hit", "proposed_at", "labeler_version"], kind="stable"
    )
    last = ranked.drop_duplicates("item_id", keep="last")
    return last[PROPOSALS.names].reset_index(drop=True)


def refuse_planted(frames: Mapping[str, pd.DataFrame], findings: pd.DataFrame) -> None:
    """Refuse a planted value that no counted vote and no proposal in force gave."""
    planted = findings.loc[findings["planted"].astype(bool), ["item_id", "value"]]
    labels = frames["labels"][["item_id", "value"]]
    suspects = labels.merge(planted.drop_duplicates(), on=["item_id", "value"])
    vouched = pd.concat([frames[role][["item_id", "value"]] for role in ("votes", "proposals")])
    bare = suspects.merge(
        vouched.drop_duplicates(), on=["item_id", "value"], how="left", indicator="_from"
    )
    bare = bare.loc[bare["_from"] == "left_only"]
    if len(bare):
        raise UsageError(
            f"the label of item {shown(bare['item_id'].iloc[0])} is an error planted to measure "
            "recall; planted errors are never released"
        )
