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
from ..audit.graph import graph_if_quick
from ..audit.noise import NoiseAudit, audit_noise, reviews_for, votes_for
from ..audit.views import LookedAt, Surroundings, look_at_views
from ..digest import seed_of
from ..errors import counted
from ..gate.candidate import ADJUDICATED, labels_digest
from ..kinds.choice import codes_of
from ..parts import as_a_part
from ..ports import Detector, Features, NeighbourSearch, WithWords
from ..schema import Schema
from ..state import Event, State, Workspace, decide
from ..state.late import labels_to_freeze
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


@dataclass(frozen=True, slots=True)
class _Asked:
    """The labels that an audit looks at, in the order of their items, and what is settled of them.

    Parameters
    ----------
    settled : frame
        Findings that reviewers confirmed, or whose label was changed.
    looked_at : frame
        Verdicts of random audits.
    """

    state: State
    items: pd.DataFrame
    labels: pd.DataFrame
    number: int
    now: datetime
    settled: pd.DataFrame
    looked_at: pd.DataFrame

    @classmethod
    def of(cls, state: State, now: datetime) -> _Asked:
        """Take all labels that the next candidate would have."""
        labels = labels_to_freeze(state)
        number = _cut_short(state, labels_digest(labels)) or 1 + len(state.latest("audited"))
        items = state.items.loc[state.items["item_id"].isin(labels["item_id"])]
        items = items.reset_index(drop=True)
        labels = labels.set_index("item_id").loc[items["item_id"]].reset_index()
        return cls(state, items, labels, number, now, _settled(state), audit_verdicts(state))

    @property
    def schema(self) -> Schema:
        return self.state.workspace.schema

    @property
    def digest(self) -> str:
        """What is audited; the seed of all draws."""
        return labels_digest(self.labels)

    def rng(self, what: str) -> np.random.Generator:
        return np.random.default_rng(seed_of(self.state.workspace.key, what, self.digest))


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
        Looks for neighbours among more than 50,000 items; with fewer, or without it among up to
        100,000, every pair is compared.
    """
    state = up_to_date(workspace, now)
    reason = audit_not_due(state)
    if reason:
        return Audited(0, 0, 0, 0, reason)
    asked = _Asked.of(state, now)
    # Without them no audit is done, and no candidate is frozen; all else goes on.
    with as_a_part():
        read = features(asked.items)
    near, words = (read.features, read.words) if isinstance(read, WithWords) else (read, None)
    around = _surroundings(asked, near, search)
    found = _wrong_labels(asked, around, words, detectors)
    looked = _other_views(asked, around, found)
    return _say(asked, found, looked, *_for_people(asked, found, looked))


def _wrong_labels(
    asked: _Asked, around: Surroundings, words: Any, detectors: Sequence[Detector]
) -> NoiseAudit:
    """Look for label errors; learners read the words, where there are any beside the features."""
    policy, ids = asked.state.workspace.policies.audit, asked.items["item_id"]
    return audit_noise(
        ids,
        around.features if words is None else words,
        codes_of(asked.labels["value"], asked.schema),
        asked.items["group"].tolist(),
        asked.schema,
        rng=asked.rng("audit"),
        round=asked.number,
        now=asked.now,
        votes=around.votes,
        reviews=reviews_for(ids, asked.settled, asked.looked_at, asked.schema),
        detectors=detectors,
        planted_share=policy.planted,
        repeats=policy.repeats,
        graph=around.graph,
        embeddings=None if words is None else around.features,
    )


def _other_views(asked: _Asked, around: Surroundings, found: NoiseAudit) -> LookedAt:
    """Look at what else is odd: it is shown, and nobody is asked about it."""
    policy = asked.state.workspace.policies.audit
    codes = codes_of(asked.labels["value"], asked.schema)
    return look_at_views(
        asked.items["item_id"],
        codes,
        found.report.flagged,
        around,
        asked.schema,
        rng=asked.rng("views"),
        round=asked.number,
        now=asked.now,
        views=policy.views,
        shown=policy.shown,
        better=found.report.likeliest_other(codes),
        wrong=found.report.probability,
    )


def _for_people(
    asked: _Asked, found: NoiseAudit, looked: LookedAt
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return all findings that nobody has settled, and those of them that go back to people."""
    state, items, labels = asked.state, asked.items, asked.labels
    conflicts = duplicate_conflicts(items, labels, asked.schema, round=asked.number, now=asked.now)
    every = pd.concat([found.findings, conflicts], ignore_index=True)
    # Another look at what people really disagree on settles nothing: it is shown instead.
    torn = items["item_id"][looked.ambiguous]
    known = [*asked.settled["item_id"], *_stands(labels, asked.looked_at)]
    settled = [*known, *state.nobody_left, *torn]
    every = every.loc[every["planted"] | ~every["item_id"].isin(settled)]
    policies = state.workspace.policies
    share = min(policies.audit.suspects, policies.route.review_share)
    return every, suspects(every, len(items), share).drop(columns="place")


def _say(
    asked: _Asked, found: NoiseAudit, looked: LookedAt, every: pd.DataFrame, chosen: pd.DataFrame
) -> Audited:
    """Say what was found, and store the findings."""
    workspace, planted = asked.state.workspace, found.recall.planted
    rows = pd.concat([every.loc[every["planted"]], chosen, looked.findings], ignore_index=True)
    event = {
        "candidates": len(asked.state.candidates),
        "findings": len(every) - planted,
        "found": found.recall.found,
        "planted": planted,
        "rows": len(rows),
        "suspects": len(chosen),
        "views": looked.facts,
    }
    # The event first: killed in between, the same labels are audited again before anything
    # else happens to them. The other way round, reviews would come before the second audit.
    if not decide(workspace, _first(asked.digest, asked.number, event), asked.now):
        return Audited(0, 0, 0, 0, "another run audited labels meanwhile")
    workspace.tables.append("findings", rows)
    reason = f"{counted(len(chosen), 'label goes', 'labels go')} back to people"
    return Audited(asked.number, len(chosen), planted, found.recall.found, reason)


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


def _surroundings(asked: _Asked, features: Any, search: NeighbourSearch | None) -> Surroundings:
    """Gather what is known of the items beside their labels."""
    items, texts = asked.items, asked.schema.media == "text"
    splits = pd.Series([json.loads(text).get("split") for text in items["attributes"]])
    looked_at = asked.looked_at["item_id"]
    return Surroundings(
        graph=graph_if_quick(features, search),
        features=features,
        groups=items["group"],
        digests=items["payload_digest"],
        # Labels from before are meant to tell labels, and are no slices of the items.
        attributes=attributes_of(items, texts=texts, without=asked.state.earlier_labels),
        splits=splits.fillna("none").astype(str) if splits.notna().any() else None,
        texts=items["payload"].tolist() if texts else None,
        votes=votes_for(items["item_id"], asked.state.votes, asked.schema, looked_at),
        reviewed=items["item_id"].isin(asked.settled["item_id"]).to_numpy(),
    )


def audit_not_due(state: State) -> str:
    """Say why these labels need no audit now; empty if they do."""
    if state.candidate is not None:
        return "the labels are frozen for a release"
    waiting = work_in_flight(state)
    if waiting:
        return waiting
    labels = labels_to_freeze(state)
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
    status = finding_status(real, state.reviews, state.labels)
    return real.assign(status=status).loc[status.isin(["confirmed", "corrected"])]


def _stands(labels: pd.DataFrame, looked_at: pd.DataFrame) -> list[str]:
    """Return the items whose label an audit found right, or corrected and nobody changed since.

    Not those found right before a class was added: they might be that.
    """
    right = looked_at.loc[~looked_at["wrong"] & looked_at["able"], ["item_id", "value"]]
    found = labels.merge(right, on=["item_id", "value"])["item_id"]
    mended = labels["method"] == ADJUDICATED
    return [*found, *labels.loc[mended, "item_id"]]
