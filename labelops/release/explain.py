"""Why an item has the label it has: every vote, proposal, finding and look, in one answer."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from ..errors import NotFoundError, shown
from ..tables import FINDINGS, LABELS, PLAN, PROPOSALS, VOTES, TableSpec, newest

__all__ = ["Explanation", "explain"]

Facts = tuple[dict[str, object], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is known about an item's label; all of it is JSON.

    Parameters
    ----------
    item_id : str
    decided : dict or None
        The newest label: value, posterior, method, reason, evidence, when; None if there is none.
    history : tuple of dict
        Earlier labels, oldest first.
    votes : tuple of dict
        The newest revision of every vote, by time; `counted` says whether the label rests on it,
        `earlier` whether it is about earlier content, `split` whether it is from before the item's
        class was split, `revisions` how often it was given or changed.
    proposals : tuple of dict
        By time; `accepted` marks the one the label rests on, `encoder` is the version of the text
        encoder whose vectors its labeler learned from, None where there was none.
    looks : tuple of dict
        Plan rows: who was asked for, in which round, why.
    findings : tuple of dict
        Suspicions, oldest audit first; planted ones are marked.
    events : tuple of dict
        Events about the item, by time.
    refusals : tuple of dict
        Versions of labelers whose model refused the item, by time: labeler_version, reason, when.
    contents : tuple of dict
        What the item said, by time, the last one now: payload, source, since.
    """

    item_id: str
    decided: dict[str, object] | None
    history: Facts
    votes: Facts
    proposals: Facts
    looks: Facts
    findings: Facts
    events: Facts
    refusals: Facts = ()
    contents: Facts = ()

    @property
    def known_answer(self) -> object:
        """What the item's owner knows (`gold`), which measures people; None if nothing."""
        said = [e["body"] for e in self.events if e["kind"] == "gold"]
        body = said[-1] if said else None
        return json.loads(body["value"]) if isinstance(body, dict) and body["value"] else None

    @property
    def withdrawn(self) -> dict[str, object] | None:
        """Why, by whom and when the item was taken out of the label set; None if it is in it."""
        said = [e for e in self.events if e["kind"] == "withdrawn"]
        body = said[-1]["body"] if said else None
        if not isinstance(body, dict) or not body["out"]:
            return None
        return {"because": body["because"], "by": body["by"], "at": said[-1]["at"]}

    @property
    def reviews(self) -> Facts:
        """The votes of people who looked again: purposes `review` and `audit`."""
        return tuple(v for v in self.votes if v["purpose"] in ("review", "audit"))

    def to_json(self) -> dict[str, object]:
        """Return the explanation as a JSON object."""
        return {
            **asdict(self),
            "reviews": list(self.reviews),
            "withdrawn": self.withdrawn,
            "known_answer": self.known_answer,
        }


def explain(
    item_id: str,
    labels: pd.DataFrame,
    votes: pd.DataFrame,
    proposals: pd.DataFrame,
    plan: pd.DataFrame,
    findings: pd.DataFrame,
    events: pd.DataFrame | None = None,
    *,
    fits: pd.DataFrame | None = None,
    refused: pd.DataFrame | None = None,
    items: pd.DataFrame | None = None,
    revised: pd.Timestamp | None = None,
    split: Collection[str] = (),
) -> Explanation:
    """Gather what led to an item's label.

    Parameters
    ----------
    item_id : str
    labels, votes, proposals, plan, findings : rows of those tables
        As they were read, all revisions; rows of other items do no harm.
    events : EVENTS rows, optional
        Those whose subject is the item are told.
    fits : EVENTS rows, optional
        Those of the kind `fit`: what the labelers learned from.
    refused : EVENTS rows, optional
        Those of the kind `refused`: which items a model took no part in.
    items : ITEMS rows, optional
        All revisions. If the item is among them, that nothing happened to it yet is an answer.
    revised : Timestamp, optional
        When the item's present content replaced another; votes given before, or later to what was
        asked before, are `earlier`.
    split : collection of vote ids
        Those from before the item's class was split.

    Raises
    ------
    NotFoundError
        If no table knows the item.
    """
    own = [frame.loc[frame["item_id"] == item_id] for frame in (labels, votes, proposals, plan)]
    suspicions = newest(FINDINGS, findings.loc[findings["item_id"] == item_id])
    contents = _contents(item_id, items)
    if not contents and not any(len(frame) for frame in (*own, suspicions)):
        raise NotFoundError(
            f"no item {shown(item_id)} among the items; ids are those of the source's key "
            "column, of a folder the files' paths in it"
        )
    decisions = _facts(
        LABELS,
        own[0]
        .sort_values("revision", kind="stable")
        .drop_duplicates(["revision", "value", "evidence"], keep="last"),
    )
    last = decisions[-1] if decisions else None
    evidence = last["evidence"] if last else None
    rests_on = evidence if isinstance(evidence, dict) else {}
    return Explanation(
        item_id=item_id,
        decided=last,
        history=decisions[:-1],
        votes=_votes(own[1], rests_on, own[3], revised, split),
        proposals=_proposals(own[2], rests_on, _encoders(fits)),
        looks=_facts(PLAN, newest(PLAN, own[3]).sort_values(["round", "purpose"])),
        findings=_facts(FINDINGS, suspicions.sort_values(["round", "kind"])),
        events=_events(item_id, events),
        refusals=_refusals(item_id, refused),
        contents=contents,
    )


def _contents(item_id: str, items: pd.DataFrame | None) -> Facts:
    """Tell each content that differs from the one before it."""
    if items is None:
        return ()
    own = items.loc[items["item_id"] == item_id].sort_values("revision", kind="stable")
    own = own.loc[own["payload_digest"] != own["payload_digest"].shift()]
    return tuple(
        {"payload": payload, "source": source, "since": since.isoformat()}
        for payload, source, since in zip(
            own["payload"], own["source"], own["ingested_at"], strict=True
        )
    )


def _refusals(item_id: str, events: pd.DataFrame | None) -> Facts:
    """Find the item among those that each version's model refused, as it was said last."""
    if events is None:
        return ()
    rows = events.sort_values("revision", kind="stable").drop_duplicates("subject", keep="last")
    return tuple(
        {"labeler_version": row["subject"], "reason": why, "refused_at": row["at"].isoformat()}
        for row in rows.sort_values(["at", "subject"], kind="stable").to_dict("records")
        for why, items in json.loads(row["body"])["reasons"].items()
        if item_id in items
    )


def _votes(
    rows: pd.DataFrame,
    rests_on: dict[str, object],
    plan: pd.DataFrame,
    revised: pd.Timestamp | None,
    split: Collection[str],
) -> Facts:
    counted = rests_on.get("votes")
    counted = counted if isinstance(counted, list) else []
    revisions = rows.drop_duplicates(["vote_id", "revision"])["vote_id"].value_counts()
    found = newest(VOTES, rows).sort_values(["given_at", "vote_id"], kind="stable")
    earlier = np.zeros(len(found), dtype=bool)
    if revised is not None:
        asked = pd.MultiIndex.from_frame(plan.loc[plan["planned_at"] < revised, list(PLAN.key)])
        seats = pd.MultiIndex.from_frame(found[list(PLAN.key)])
        earlier = (found["given_at"] < revised).to_numpy(dtype=bool) | seats.isin(asked)
    return tuple(
        {
            **fact,
            "counted": fact["vote_id"] in counted,
            "earlier": bool(before),
            "split": fact["vote_id"] in split,
            "revisions": int(revisions[fact["vote_id"]]),
        }
        for fact, before in zip(_facts(VOTES, found), earlier, strict=True)
    )


def _encoders(fits: pd.DataFrame | None) -> dict[str, str | None]:
    if fits is None:
        return {}
    rows = fits.loc[fits["kind"] == "fit"].sort_values("revision", kind="stable")
    return {
        s: json.loads(b).get("encoder") for s, b in zip(rows["subject"], rows["body"], strict=True)
    }


def _proposals(
    rows: pd.DataFrame, rests_on: dict[str, object], encoders: dict[str, str | None]
) -> Facts:
    accepted = rests_on.get("labeler_version")
    found = newest(PROPOSALS, rows).sort_values(["proposed_at", "labeler_version"], kind="stable")
    return tuple(
        {
            **fact,
            "accepted": fact["labeler_version"] == accepted,
            "encoder": encoders.get(str(fact["labeler_version"])),
        }
        for fact in _facts(PROPOSALS, found)
    )


def _events(item_id: str, events: pd.DataFrame | None) -> Facts:
    if events is None:
        return ()
    own = events.loc[events["subject"] == item_id].drop_duplicates(["event_id", "revision"])
    own = own.sort_values(["at", "event_id", "revision"], kind="stable")
    return tuple(
        {
            "event_id": row["event_id"],
            "kind": row["kind"],
            "body": json.loads(row["body"]),
            "at": row["at"].isoformat(),
        }
        for row in own.to_dict("records")
    )


def _facts(spec: TableSpec, frame: pd.DataFrame) -> Facts:
    """Turn an item's few rows into JSON objects, without the item's own id."""
    columns = [c for c in spec.columns if c.name != "item_id"]
    return tuple(
        {c.name: _plain(row[c.name], c.type) for c in columns} for row in frame.to_dict("records")
    )


def _plain(cell: object, kind: str) -> object:
    if isinstance(cell, np.ndarray):
        return cell.tolist()
    if cell is None or cell is pd.NaT or cell is pd.NA or cell != cell:
        return None
    if kind == "json":
        return json.loads(str(cell))
    if isinstance(cell, pd.Timestamp):
        return cell.isoformat()
    return cell.item() if isinstance(cell, np.generic) else cell
