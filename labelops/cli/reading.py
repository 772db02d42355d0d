"""The commands that show a label set as it stands; none of them changes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import counted, percent
from .base import Session, command, refuse_unwritable, write_whole
from .explaining import explain
from .status import status
from .words import columns, emphasised, safe, section, short

if TYPE_CHECKING:
    import pandas as pd

    from ..schema import Schema
    from ..state.people import Remark

__all__ = ["READING", "remarks_to_print"]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


@command("labelops annotators", "labelops annotators --json")
def annotators(session: Session) -> None:
    """Show everybody's accuracy, who is flagged, and what is odd.

    Accuracies have intervals. People are judged by gold answers where there are any, else by
    what the others are sure of. Remarks take no vote away: one class said for another, hasty or
    swayed answers, an accuracy that changed, who copies whom, and names written almost alike.
    """
    from ..state import load
    from ..state.people import annotator_table, remarks

    state = load(session.app.to_read)
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
    odd = [[safe(r["annotator"]), m.kind, safe(m.text)] for r in rows for m in remarks_to_print(r)]
    text = columns(table, head, right=[1, 2, 3, 4, 5]) or "Nobody has voted yet."
    session.show(rows, "\n\n".join(p for p in (text, section("Remarks", odd, [])) if p))


def remarks_to_print(row: Mapping[str, Any]) -> Sequence[Remark]:
    """Return the remarks to print: one line for all that somebody flagged confuses."""
    said: Sequence[Remark] = row["remarks"]
    confused = [m for m in said if m.kind == "confuses"]
    if not row["flagged"] or len(confused) < 2:
        return said
    text = f"{len(confused)} pairs of classes; `labelops annotators --json` names them"
    return [*(m for m in said if m.kind != "confuses"), replace(confused[0], text=text)]


def _said_counting(row: Mapping[str, Any]) -> str:
    if row["flagged"]:
        return emphasised("fail", "flagged: ") + safe(row["reason"])
    return "" if row["counts"] else emphasised("fail", "flagged before: ") + "votes do not count"


def _said_schema(schema: Schema) -> str:
    old = {new: [o for o, n in schema.renames.items() if n == new] for new in schema.classes}
    parts = {part: whole for whole, parts in schema.splits.items() for part in parts}
    said = {
        name: [
            *([f"was {', '.join(map(safe, old[name]))}"] if old[name] else []),
            *([f"cut out of {safe(parts[name])}"] if name in parts else []),
            *([safe(schema.descriptions[name])] if name in schema.descriptions else []),
        ]
        for name in schema.classes
    }
    rows = [
        [str(code), safe(name), "; ".join(said[name])] for code, name in enumerate(schema.classes)
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
    if not session.as_json:
        refuse_unwritable(output)
    html, facts = session.begin("report: gathering facts", to="to_read").report()
    if not session.as_json:
        write_whole(output, lambda to: to.write_text(html, encoding="utf-8"))
    session.show(json.loads(facts), f"Wrote {safe(output)} ({counted(len(html.encode()))} bytes).")


READING = (status, explain, annotators, schema, report)
