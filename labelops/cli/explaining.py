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

_CUT = 80
"""Characters of each content, where there were several."""


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


def _said_explanation(found: Explanation) -> str:
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
    if found.contents:
        now = found.contents[-1]
        parts[0] += f", from {safe(now['source'])}"
        # A content that was erased is empty.
        parts[0] += f"\n  {cut(now['payload'], 200)}" if now["payload"] else ""
    if found.known_answer is not None:
        parts[0] += f"\n  Its owner knows: {_value(found.known_answer)} (gold: judges people)"
    if found.withdrawn is not None:
        why, who = safe(found.withdrawn["because"]), safe(found.withdrawn["by"])
        said = f"Withdrawn {_when(found.withdrawn, 'at')} by {who}: {why}."
        # What it had: nothing of it holds while it is out.
        decided = f"{said}\nBefore: {decided[0].lower()}{decided[1:]}" if label else said
    parts += [decided, *_evidence_of(found)]
    return "\n\n".join(part for part in parts if part)


def _evidence_of(found: Explanation) -> list[str]:
    """Write a table of each sort of evidence; one without rows is no text."""
    votes = ["given", "annotator", "vote", "purpose", "saw proposal", ""]
    proposals = ["proposed", "labeler", "version", "proposal", "confidence", ""]
    looks, findings = ["round", "purpose", "people", "why"], ["audit", "kind", "score", "suggests"]
    return [
        section("Contents", [_content(c) for c in found.contents if len(found.contents) > 1],
                ["since", "from", "content"]),
        section("Votes", [_vote(v) for v in found.votes], votes),
        section("Proposals", [_proposal(p) for p in found.proposals], proposals, right=[4]),
        section("Refused by a model", [_refusal(r) for r in found.refusals],
                ["refused", "version", "why"]),
        section("Asked for", [_look(p) for p in found.looks], looks, right=[0, 2]),
        section("Suspicions", [_finding(f) for f in found.findings], [*findings, ""],
                right=[0, 2]),
        section("Earlier labels", [_earlier(e) for e in found.history],
                ["decided", "label", "method", "why"]),
    ]  # fmt: skip


def _content(content: Mapping[str, Any]) -> list[str]:
    return [_when(content, "since"), safe(content["source"]), cut(content["payload"], _CUT)]


def _vote(vote: Mapping[str, Any]) -> list[str]:
    return [
        _when(vote, "given_at"),
        safe(vote["annotator"]),
        _value(vote["value"]),
        safe(vote["purpose"]),
        "yes" if vote["saw_proposal"] else "",
        _counts(vote),
    ]


def _proposal(proposal: Mapping[str, Any]) -> list[str]:
    return [
        _when(proposal, "proposed_at"),
        _labeler(proposal),
        short(proposal["labeler_version"]),
        _value(proposal["value"]),
        _share(proposal["confidence"]),
        "the label rests on it" if proposal["accepted"] else "",
    ]


def _refusal(refusal: Mapping[str, Any]) -> list[str]:
    version, why = short(refusal["labeler_version"]), safe(refusal["reason"])
    return [_when(refusal, "refused_at"), version, why]


def _look(look: Mapping[str, Any]) -> list[str]:
    return [safe(look[name]) for name in ("round", "purpose", "annotators", "reason")]


def _finding(finding: Mapping[str, Any]) -> list[str]:
    planted = "planted" if finding.get("planted") else ""
    score, suggests = _share(finding["score"]), _value(finding.get("suggestion"))
    return [safe(finding["round"]), safe(finding["kind"]), score, suggests, planted]


def _earlier(label: Mapping[str, Any]) -> list[str]:
    how = [safe(label["method"]), safe(label["reason"])]
    return [_when(label, "decided_at"), _value(label["value"]), *how]


def _labeler(proposal: Mapping[str, Any]) -> str:
    encoder = proposal.get("encoder")
    return safe(proposal["labeler"]) + (f" with {safe(encoder)}" if encoder else "")


def _counts(vote: Mapping[str, Any]) -> str:
    if vote["status"] != "given":
        return safe(vote["status"])
    edits = vote["revisions"] - 1
    said = "the label rests on it" if vote["counted"] else ""
    said = "before its class was split" if vote["split"] else said
    said = "on earlier content" if vote["earlier"] else said
    return said + (f" (edited {edits}×)" if edits else "")


def _share(number: Any) -> str:
    return "–" if number is None else f"{number:.3f}"


@command("labelops explain T-0042")
@click.argument("item")
def explain(session: Session, item: str) -> None:
    """Say why an item has its label.

    Shows its contents, votes, proposals, who was asked to look and why, suspicions and earlier
    labels.
    """
    found = session.app.explain(item)
    payload = found.contents[-1]["payload"] if found.contents else None
    session.show({**found.to_json(), "payload": payload}, _said_explanation(found))
