"""The commands that show a label set as it stands; none of them changes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import counted, percent
from .base import Session, command, writing
from .stages import said_verdict
from .words import columns, cut, emphasised, safe, section, short

if TYPE_CHECKING:
    import pandas as pd

    from ..release import Explanation
    from ..schema import Schema
    from ..state.drift import DriftWatch
    from ..state.plan import LabelingPlan
    from .standing import Standing

__all__ = ["READING", "said_drift", "said_plan"]


# --- status ------------------------------------------------------------------------------


def _listed(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{safe(k)} {counted(n)}" for k, n in counts.items())


def _said_standing(found: Standing, workspace: str) -> str:
    decided = found.by_people + found.accepted
    given = sum(found.votes.values())
    rows = [
        ["Items", counted(found.items), f"in {counted(found.groups, 'leakage group')}"],
        ["Labels", counted(decided), _said_labels(found)],
        ["Votes", counted(given), _listed(found.votes)],
        ["Waiting", counted(sum(found.waiting.values())), _listed(found.waiting)],
        ["People", counted(found.annotators), _said_flagged(found.flagged)],
        ["Releases", counted(len(found.releases)), _said_releases(found)],
    ]
    if found.usage:
        rows.append(["Paid", counted(sum(u.answers for u in found.usage)), _said_usage(found)])
    candidate = found.candidate
    about = (
        "as the labels stand; none are frozen for a release"
        if candidate is None
        else f"candidate {getattr(candidate, 'number', '')}"
    )
    head = f"{click.style(safe(found.name), bold=True)}: " + (
        f"{safe(found.kind)} of {counted(found.classes, 'class', 'classes')} for "
        f"{'images' if found.media == 'image' else 'texts'}, in {safe(workspace)}"
    )
    parts = [head, columns(rows, right=[1]), said_plan(found.plan)]
    parts += [_said_acceptance(found), said_drift(found.drift)]
    if found.released_as is not None:
        same = f"The labels as they stand are those of {safe(found.released_as)}, which passed."
        parts += [f"{emphasised('released', 'RELEASED')}  {same}"]
    if found.released_as is None or found.verdict["status"] == "fail":
        parts += [said_verdict(found.verdict, about)]
    parts.append(f"Next: {safe(found.next)}.")
    return "\n\n".join(part for part in parts if part)


def said_plan(plan: LabelingPlan) -> str:
    """Return the plan in two lines."""
    return "Plan: " + ";\n      ".join(plan.in_words) + "."


def _said_labels(found: Standing) -> str:
    parts = [f"{counted(found.by_people)} by people"]
    parts.append(f"{counted(found.accepted)} accepted from the model")
    if found.undecided:
        parts.append(f"{counted(found.undecided, 'item')} without")
    return " · ".join(parts)


def _said_usage(found: Standing) -> str:
    """Say what the labeler's answers have cost, a model and prompt each."""
    parts = []
    for used in found.usage:
        cost = "" if used.cost is None else f", {used.cost:,.4f} spent"
        tokens = f"{counted(used.input_tokens)} + {counted(used.output_tokens)} tokens"
        parts.append(f"answers of {safe(used.model)}: {tokens}{cost}")
    return " · ".join(parts)


def _said_flagged(flagged: tuple[str, ...]) -> str:
    if not flagged:
        return ""
    return f"not counting {', '.join(map(safe, flagged))} (flagged)"


def _said_releases(found: Standing) -> str:
    if not found.releases:
        return ""
    names = {ref: [a for a, r in found.names.items() if r == ref] for ref in found.releases}
    newest = found.releases[-1]
    rest = [f"{safe(a)} = {safe(r)}" for a, r in found.names.items() if r != newest]
    also = f" ({', '.join(map(safe, names[newest]))})" if names[newest] else ""
    return " · ".join([f"newest {safe(newest)}{also}", *rest])


def _said_acceptance(found: Standing) -> str:
    if found.labeler_version is None:
        return "No labeler has learned yet."
    hypothesis: Any = found.acceptance
    labeler = f"Labeler {short(found.labeler_version)}"
    if hypothesis is None:
        why = f"\n{emphasised('closed', 'CLOSED')}  {safe(found.closed)}" if found.closed else ""
        return f"{labeler} proposes; none of its proposals stand as labels.{why}"
    whole = "all labels" if hypothesis.rule == "joint" else "them"
    own = "its" if hypothesis.labeler_version == found.labeler_version else "an earlier version's"
    return (
        f"{labeler} proposes; {own} proposals from confidence {hypothesis.threshold:.3f} up stand "
        f"as labels:\n{counted(hypothesis.accepted, 'item')}, by hypothesis {hypothesis.number} "
        f"(≤ {percent(hypothesis.error)} of {whole} wrong, at risk {hypothesis.risk:.3g})."
        + _said_classes(hypothesis)
    )


_CLASSES = 6
"""Classes shown of a hypothesis; all are under `labelops certificates`."""


def _said_classes(hypothesis: Any) -> str:
    """List the classes of which the calibration items allow for most errors."""
    known = [c for c in hypothesis.by_class if c.n]
    if not known:
        return ""
    worst = sorted(known, key=lambda c: (-c.at_most, c.value))
    rows = [
        [safe(json.loads(c.value)), counted(c.n), counted(c.errors), percent(c.at_most, fixed=True)]
        for c in worst[:_CLASSES]
    ]
    rest = len(known) - len(rows)
    title = "Its calibration items by proposed class" + (", the least sure first" if rest else "")
    more = f"\n  … and {counted(rest)} more: labelops certificates" if rest else ""
    head = ["class", "looked at", "wrong", "at most (95 %)"]
    return f"\n\n{section(title, rows, head, right=range(1, 4))}{more}"


def said_drift(watch: DriftWatch) -> str:
    """Say what the watch over the random stream found; empty before its second look."""
    if watch.alarms:
        last = watch.alarms[-1]
        return (
            f"{emphasised('fail', 'DRIFT')}  {safe(last.reason)}; alarm {last.number}, "
            f"{last.at:%Y-%m-%d %H:%M}. What comes in now is compared with what came since then."
        )
    if watch.looks < 2:
        return ""
    return (
        f"No drift in {counted(watch.looks, 'run')} of {counted(watch.items, 'random item')}: "
        f"evidence {watch.e_value:.3g}, an alarm from {watch.wanted:.3g}."
    )


@command("labelops status", "labelops status --json")
def status(session: Session) -> None:
    """Say where the label set stands and what happens next."""
    from ..state import load
    from .standing import standing_of

    app = session.app
    releases = tuple(m.reference for m in app.manifests())
    found = standing_of(load(app.workspace), app.verdict(), releases)
    session.show(found, _said_standing(found, app.settings.workspace))


# --- one item ----------------------------------------------------------------------------


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
                    safe(p["labeler"]),
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


def _counts(vote: Mapping[str, Any]) -> str:
    if vote["status"] != "given":
        return safe(vote["status"])
    edits = vote["revisions"] - 1
    said = "the label rests on it" if vote["counted"] else ""
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


# --- people, promises, schema ------------------------------------------------------------


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


@command("labelops annotators", "labelops annotators --json")
def annotators(session: Session) -> None:
    """Show everybody's accuracy, who is flagged, and what is odd.

    Accuracies have intervals. People are judged by gold answers where there are any, else by
    what the others are sure of. Remarks take no vote away: one class said for another, hasty or
    swayed answers, an accuracy that changed, and who copies whom.
    """
    from ..state import load
    from ..state.people import annotator_table, remarks

    state = load(session.app.workspace)
    said = remarks(state)
    rows = _records(annotator_table(state))
    for row in rows:
        row["counts"] = row["annotator"] not in state.flagged
        row["remarks"] = said.get(row["annotator"], ())
    table = [
        [
            safe(r["annotator"]),
            counted(r["votes"]),
            counted(r["judged"]),
            percent(r["accuracy"], fixed=True),
            f"{percent(r['low'], fixed=True)} – {percent(r['high'], fixed=True)}",
            "–" if r["seconds"] != r["seconds"] else f"{r['seconds']:.1f}",
            _said_counting(r),
        ]
        for r in rows
    ]
    head = ["annotator", "votes", "judged", "accuracy", "95 % interval", "seconds", ""]
    odd = [[safe(r["annotator"]), m.kind, safe(m.text)] for r in rows for m in r["remarks"]]
    text = columns(table, head, right=[1, 2, 3, 4, 5]) or "Nobody has voted yet."
    session.show(rows, "\n\n".join(p for p in (text, section("Remarks", odd, [])) if p))


def _said_counting(row: Mapping[str, Any]) -> str:
    if row["flagged"]:
        return emphasised("fail", "flagged: ") + safe(row["reason"])
    return "" if row["counts"] else emphasised("fail", "flagged before: ") + "votes do not count"


def _said_schema(schema: Schema) -> str:
    old = {new: [o for o, n in schema.renames.items() if n == new] for new in schema.classes}
    rows = [
        [str(code), safe(name), f"was {', '.join(map(safe, old[name]))}" if old[name] else ""]
        for code, name in enumerate(schema.classes)
    ]
    kind = f"{safe(schema.kind)} for {'images' if schema.media == 'image' else 'texts'}"
    return (
        f"{click.style(safe(schema.name), bold=True)}: {kind}, digest {short(schema.digest)}\n"
        f"“{safe(schema.question)}”\n\n{columns(rows, ['code', 'class', ''], right=[0])}"
    )


@command("labelops schema")
def schema(session: Session) -> None:
    """Show the classes in their order."""
    found = session.app.settings.schema
    session.show(found, _said_schema(found))


@command("labelops report --output report.html", "labelops report --json | jq .verdict")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="The HTML file to write; an earlier one is replaced.",
)
def report(session: Session, output: Path) -> None:
    """Write an HTML report on the labels as they stand.

    One file that works offline. With --json, write the same facts on stdout and no file.
    """
    session.note("report: gathering facts")
    html, facts = session.app.report()
    if not session.as_json:
        with writing(output):
            output.write_text(html, encoding="utf-8")
    session.show(json.loads(facts), f"Wrote {safe(output)} ({counted(len(html.encode()))} bytes).")


READING = (status, explain, annotators, schema, report)
