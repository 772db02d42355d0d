"""Audit: labels that look wrong go back to people before a candidate is frozen."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from ..audit.attributes import attributes_of
from ..audit.duplicates import duplicate_conflicts
from ..audit.findings import SHOWN, finding_status, suspects
from ..audit.graph import NeighbourGraph, nearest_graph
from ..audit.noise import audit_noise, reviews_for, votes_for
from ..audit.views import Surroundings, look_at_views
from ..digest import seed_of
from ..errors import counted
from ..gate.candidate import ADJUDICATED, labels_digest
from ..kinds.choice import codes_of
from ..ports import Detector, Features, NeighbourSearch, WithWords
from ..state import Event, State, Workspace, decide
from ..state.needs import work_in_flight
from ..state.verdicts import audit_verdicts
from .consolidate import up_to_date

__all__ = ["Audited", "audit", "audit_not_due"]


@dataclass(frozen=True, slots=True)
class Audited:
    """What `audit` found.

    Parameters
    ----------
    round : int
        The audit's number; 0 when none was due.
    suspects : int
        Items suspected of a wrong label, to be reviewed.
    planted, found : int
        Errors planted to measure recall, and how many of them were found.
    reason : str
        In words.
    """

    round: int
    suspects: int
    planted: int
    found: int
    reason: str


_EXACT = 50_000


def audit(
    workspace: Workspace,
    features: Features,
    detectors: Sequence[Detector] = (),
    *,
    now: datetime,
    search: NeighbourSearch | None = None,
) -> Audited:
    """Look for wrong labels once all items are decided, before a candidate is frozen.

    Parameters
    ----------
    workspace : Workspace
    features : callable
        May give words beside them (`WithWords`), which learners then read.
    detectors : sequence of Detector
        Second opinions.
    now : datetime
    search : NeighbourSearch, optional
        Looks for neighbours among more than 50,000 items; with fewer every pair is compared.
    """
    state = up_to_date(workspace, now)
    reason = audit_not_due(state)
    if reason:
        return Audited(0, 0, 0, 0, reason)
    labels = state.labels.loc[state.labels["value"].notna()]
    number = _cut_short(state, labels_digest(labels)) or 1 + len(state.latest("audited"))
    items = state.items.loc[state.items["item_id"].isin(labels["item_id"])].reset_index(drop=True)
    labels = labels.set_index("item_id").loc[items["item_id"]].reset_index()
    policy = workspace.policies
    seed = seed_of(workspace.key, "audit", labels_digest(labels))
    settled_before, looked_at = _settled(state), audit_verdicts(state)
    codes = codes_of(labels["value"], workspace.schema)
    read = features(items)
    near, words = (read.features, read.words) if isinstance(read, WithWords) else (read, None)
    around = _surroundings(state, items, settled_before, looked_at, near, search)
    found = audit_noise(
        items["item_id"],
        near if words is None else words,
        codes,
        items["group"].tolist(),
        workspace.schema,
        rng=np.random.default_rng(seed),
        round=number,
        now=now,
        votes=around.votes,
        reviews=reviews_for(items["item_id"], settled_before, looked_at, workspace.schema),
        detectors=detectors,
        planted_share=policy.audit.planted,
        repeats=policy.audit.repeats,
        graph=around.graph,
        embeddings=None if words is None else near,
    )
    looked = look_at_views(
        items["item_id"],
        codes,
        found.report.flagged,
        around,
        workspace.schema,
        rng=np.random.default_rng(seed_of(workspace.key, "views", labels_digest(labels))),
        round=number,
        now=now,
        views=policy.audit.views,
        shown=policy.audit.shown,
    )
    conflicts = duplicate_conflicts(items, labels, workspace.schema, round=number, now=now)
    every = pd.concat([found.findings, conflicts], ignore_index=True)
    # Another look at what people really disagree on settles nothing: it is shown instead.
    torn = items["item_id"][looked.ambiguous]
    known = [*settled_before["item_id"], *_stands(labels, looked_at)]
    settled = [*known, *state.seen_by_all, *torn]
    every = every.loc[every["planted"] | ~every["item_id"].isin(settled)]
    share = min(policy.audit.suspects, policy.route.review_share)
    chosen = suspects(every, len(items), share).drop(columns="place")
    rows = pd.concat([every.loc[every["planted"]], chosen, looked.findings], ignore_index=True)
    event = {
        "candidates": len(state.candidates),
        "findings": len(every) - found.recall.planted,
        "found": found.recall.found,
        "planted": found.recall.planted,
        "rows": len(rows),
        "suspects": len(chosen),
        "views": looked.facts,
    }
    # The event first: killed in between, the same labels are audited again before anything
    # else happens to them. The other way round, reviews would come before the second audit.
    if not decide(workspace, _first(labels_digest(labels), number, event), now):
        return Audited(0, 0, 0, 0, "another run audited labels meanwhile")
    workspace.tables.append("findings", rows)
    return Audited(
        number,
        len(chosen),
        found.recall.planted,
        found.recall.found,
        f"{counted(len(chosen), 'label goes', 'labels go')} back to people",
    )


def _first(
    digest_of_labels: str, number: int, body: dict[str, object]
) -> Callable[[State], tuple[bool, list[Event]]]:
    """Say an audit, unless another one took its number: the findings of two would mix."""

    def conclude(state: State) -> tuple[bool, list[Event]]:
        done = state.latest("audited")
        others = done.loc[done["subject"] != digest_of_labels, "revision"]
        if number in others.to_numpy():
            return False, []
        return True, [("audited", digest_of_labels, number, body)]

    return conclude


def _graph(features: Any, search: NeighbourSearch | None) -> NeighbourGraph | None:
    """Find all neighbours; None where that would take hours, and nothing quicker is there."""
    if len(features) <= _EXACT:
        return nearest_graph(features)
    return None if search is None else nearest_graph(features, search=search)


def _surroundings(
    state: State,
    items: pd.DataFrame,
    settled: pd.DataFrame,
    looked_at: pd.DataFrame,
    features: Any,
    search: NeighbourSearch | None,
) -> Surroundings:
    """Gather what is known of the items beside their labels."""
    schema = state.workspace.schema
    texts = schema.media == "text"
    splits = pd.Series([json.loads(text).get("split") for text in items["attributes"]])
    return Surroundings(
        graph=_graph(features, search),
        features=features,
        groups=items["group"],
        digests=items["payload_digest"],
        attributes=attributes_of(items, texts=texts),
        splits=splits.fillna("none").astype(str) if splits.notna().any() else None,
        texts=items["payload"].tolist() if texts else None,
        votes=votes_for(items["item_id"], state.votes, schema, looked_at["item_id"]),
        reviewed=items["item_id"].isin(settled["item_id"]).to_numpy(),
    )


def audit_not_due(state: State) -> str:
    """Say why these labels need no audit now; empty if they do."""
    if state.candidate is not None:
        return "the labels are frozen for a release"
    waiting = work_in_flight(state)
    if waiting:
        return waiting
    labels = state.labels.loc[state.labels["value"].notna()]
    if labels["value"].nunique() < 2:
        return "there are labels of fewer than two classes"
    done = state.latest("audited")
    if _cut_short(state, labels_digest(labels)):
        return ""
    if labels_digest(labels) in set(done["subject"]):
        return "these labels were audited already"
    before = [json.loads(body)["candidates"] for body in done["body"]]
    if before.count(len(state.candidates)) >= state.workspace.policies.audit.rounds:
        return "audited often enough before this release"
    return ""


def _cut_short(state: State, digest_of_labels: str) -> int:
    """Return the number of an audit of these labels that died before it stored findings, or 0."""
    done = state.latest("audited")
    mine = done.loc[done["subject"] == digest_of_labels]
    if mine.empty or not json.loads(mine["body"].iloc[-1])["rows"]:
        return 0
    number = int(mine["revision"].iloc[-1])
    return 0 if (state.findings["round"] == number).any() else number


def _settled(state: State) -> pd.DataFrame:
    """Return findings that reviewers confirmed, or whose label was changed, with the status."""
    real = state.findings.loc[~state.findings["planted"] & ~state.findings["kind"].isin(SHOWN)]
    status = finding_status(real, state.votes, state.labels)
    return real.assign(status=status).loc[status.isin(["confirmed", "corrected"])]


def _stands(labels: pd.DataFrame, looked_at: pd.DataFrame) -> list[str]:
    """Return the items whose label an audit found right, or corrected and nobody changed since."""
    right = looked_at.loc[~looked_at["wrong"], ["item_id", "value"]]
    found = labels.merge(right, on=["item_id", "value"])["item_id"]
    mended = labels["method"] == ADJUDICATED
    return [*found, *labels.loc[mended, "item_id"]]
