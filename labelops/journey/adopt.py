"""The schema in force: adopted when work begins in a workspace, never to the loss of answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pandas as pd

from ..digest import canonical_json
from ..errors import SchemaError, counted, shown
from ..schema import Schema
from ..state import (
    Event,
    ForeseenTables,
    State,
    Workspace,
    events_frame,
    last_body,
    load_events,
    say,
)

__all__ = ["adopt_schema", "foresee_schema"]


def adopt_schema(workspace: Workspace, *, now: datetime) -> None:
    """Record the schema in force, and refuse one that would lose answers already given.

    Raises
    ------
    SchemaError
        If a class is gone that a vote, a label, a proposal shown to people or gold names and no
        rename says what it is called now, or the kind, media or name changed.
    """
    state = load_events(workspace)
    say(state, _to_say(state, workspace.schema), now)


def foresee_schema(workspace: Workspace, *, now: datetime) -> Workspace:
    """Return the workspace as it is once its schema is adopted, to read from; nothing is said.

    Raises
    ------
    SchemaError
        As `adopt_schema`.
    """
    said = events_frame(_to_say(load_events(workspace), workspace.schema), now)
    return replace(workspace, tables=ForeseenTables(workspace.tables, said), cache={})


def _to_say(state: State, schema: Schema) -> list[Event]:
    """Return what has to be said for a schema to be in force; refuse one that loses answers."""
    rows = state.latest("schema").sort_values("revision", kind="stable")
    number = 0
    if len(rows):
        before = Schema.from_json(last_body(rows))
        if before.digest == schema.digest:
            return []
        _refuse_other(before, schema)
        if not set(before.classes) <= {*schema.classes, *schema.renames}:
            _refuse_lost(state, schema)
        # Not how many there were: one that comes back is the newest again.
        number = int(rows["revision"].iloc[-1]) + 1
    return [("schema", schema.digest, number, schema.to_json())]


def _refuse_other(before: Schema, schema: Schema) -> None:
    for what in ("name", "kind", "media"):
        old, new = getattr(before, what), getattr(schema, what)
        if old != new:
            raise SchemaError(
                f"schema.{what} was {old!r} in this workspace and is {new!r} now; "
                "use another workspace for another label set"
            )


def _refuse_lost(state: State, schema: Schema) -> None:
    """Refuse where something names no class any more, also under a name it had before."""
    known = {canonical_json(name) for name in (*schema.classes, *schema.renames)}
    uses: dict[str, list[str]] = {}
    for what, rows in _said(state):
        other = rows.loc[rows["value"].notna() & ~rows["value"].isin(known)]
        for value, items in other.groupby("value")["item_id"].nunique().items():
            uses.setdefault(str(value), []).append(f"{what} {counted(int(items), 'item')}")
    for value, by in uses.items():
        raise SchemaError(
            f"class {shown(json.loads(value))} was in the schema and is gone, but is named by "
            f"{', '.join(by)}; say under [schema.renames] which class that is now, or put it back"
        )


def _said(state: State) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield what may name a class, with `item_id` and `value`.

    Labels that were released are among the labels, since every revision stays there.
    """
    tables, columns = state.workspace.tables, ["item_id", "value"]
    yield "votes on", tables.read("votes", columns=columns)
    yield "labels of", tables.read("labels", columns=columns)
    plan = tables.read("plan", columns=[*columns, "show_proposal"])
    yield "proposals shown for", plan.loc[plan["show_proposal"].astype(bool), columns]
    yield "gold of", pd.DataFrame(list(state.gold.items()), columns=columns, dtype=object)
