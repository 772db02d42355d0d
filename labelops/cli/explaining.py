"""`labelops explain`: the story of one item."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from .base import Session, command
from .words import cut, safe, section, short

if TYPE_CHECKING:
    from ..release import Explanation

__all__ = ["explain"]


def _value(value: object) -> str:
    """Return a label's value as a person would write it."""
    if value is None:
        return "–"
    return safe(value) if isinstance(value, str) else safe(json.dumps(value))


def _when(fact: Mapping[str, Any], column: str) -> str:
    return safe(fact.get(column) or "–")[:16].replace("T", " ")


def _undecided(found: Explanation) -> str:
    """Say why an item has no label row yet."""
    if found.votes:
        return "its votes were not weighed yet; `labelops consolidate` does"
    if found.looks:
        return "people are asked about it, and nobody has answered yet"
    if found.proposals:
        return "a model proposed for it, and nobody was asked about it yet"
    return "nothing was planned for it yet; `labelops run send` plans who looks at what"


def _said_explanation(found: Explanation, payload: str | None) -> str:
    label = found.decided
    if label is None or label["value"] is None:
        why = _undecided(found) if label is None else label["reason"]
        decided = f"No label: {safe(why)}."
    else:
        posterior: Any = label["posterior"]
        sure = "" if posterior is None else f" (posterior {posterior:.3f})"
        name = click.style(_value(label["value"]), bold=True)
        method = safe(label["method"]).replace("_", " ")
        reason = safe(label["reason"]).removeprefix(f"{safe(label['method'])}: ")
        decided = f"Label: {name}{sure}, {method}: {reason}."
    parts = [f"Item {click.style(safe(found.item_id), bold=True)}"]
    if payload:
        parts[0] += f"\n  {cut(payload, 200)}"
    parts += [decided, *_evidence_of(found)]
    return "\n\n".join(part for part in parts if part)


def _evidence_of(found: Explanation) -> list[str]:
    votes: list[Any] = [dict(v) for v in found.votes]
    proposals: list[Any] = [dict(p) for p in found.proposals]
    looks: list[Any] = [dict(p) for p in found.looks]
    return [
        section(
            "Votes",
            [
                [
                    _when(v, "given_at"),
                    safe(v["annotator"]),
                    _value(v["value"]),
                    safe(v["purpose"]),
                    "yes" if v["saw_proposal"] else "",
                    _counts(v),
                ]
                for v in votes
            ],
            ["given", "annotator", "vote", "purpose", "saw proposal", ""],
        ),
        section(
            "Proposals",
            [
                [
                    _when(p, "proposed_at"),
                    _labeler(p),
                    short(p["labeler_version"]),
                    _value(p["value"]),
                    _share(p["confidence"]),
                    "the label rests on it" if p["accepted"] else "",
                ]
                for p in proposals
            ],
            ["proposed", "labeler", "version", "proposal", "confidence", ""],
            right=[4],
        ),
        section(
            "Refused by a model",
            [
                [_when(r, "refused_at"), short(r["labeler_version"]), safe(r["reason"])]
                for r in found.refusals
            ],
            ["refused", "version", "why"],
        ),
        section(
            "Asked for",
            [
                [safe(p["round"]), safe(p["purpose"]), safe(p["annotators"]), safe(p["reason"])]
                for p in looks
            ],
            ["round", "purpose", "people", "why"],
            right=[0, 2],
        ),
        section(
            "Suspicions",
            [
                [
                    safe(f["round"]),
                    safe(f["kind"]),
                    _share(f["score"]),
                    _value(f.get("suggestion")),
                    "planted" if f.get("planted") else "",
                ]
                for f in found.findings
            ],
            ["audit", "kind", "score", "suggests", ""],
            right=[0, 2],
        ),
        section(
            "Earlier labels",
            [
                [_when(e, "decided_at"), _value(e["value"]), safe(e["method"]), safe(e["reason"])]
                for e in found.history
            ],
            ["decided", "label", "method", "why"],
        ),
    ]


def _labeler(proposal: Mapping[str, Any]) -> str:
    encoder = proposal.get("encoder")
    return safe(proposal["labeler"]) + (f" with {safe(encoder)}" if encoder else "")


def _counts(vote: Mapping[str, Any]) -> str:
    if vote["status"] != "given":
        return safe(vote["status"])
    edits = vote["revisions"] - 1
    said = "the label rests on it" if vote["counted"] else ""
    said = "on earlier content" if vote["earlier"] else said
    return said + (f" (edited {edits}×)" if edits else "")


def _share(number: Any) -> str:
    return "–" if number is None else f"{number:.3f}"


@command("labelops explain T-0042")
@click.argument("item")
def explain(session: Session, item: str) -> None:
    """Say why an item has its label.

    Shows its votes, proposals, who was asked to look and why, suspicions and earlier labels.
    """
    app = session.app
    found = app.explain(item)
    rows = app.workspace.tables.read("items", where={"item_id": item})
    payload = str(rows.sort_values("revision")["payload"].iloc[-1]) if len(rows) else None
    session.show({**found.to_json(), "payload": payload}, _said_explanation(found, payload))
