"""The schema in force: adopted when a workspace is opened, never to the loss of answers."""

from __future__ import annotations

from datetime import datetime

from ..errors import SchemaError, shown
from ..schema import Schema
from ..state import Workspace, last_body, load_events, say

__all__ = ["adopt_schema"]


def adopt_schema(workspace: Workspace, *, now: datetime) -> None:
    """Record the schema in force, and refuse one that would lose answers already given.

    Raises
    ------
    SchemaError
        If a class of the schema before is gone and no rename says what it is called now, or
        the kind, media or name changed.
    """
    state = load_events(workspace)
    rows = state.latest("schema").sort_values("revision", kind="stable")
    schema = workspace.schema
    if len(rows):
        before = Schema.from_json(last_body(rows))
        if before.digest == schema.digest:
            return
        _refuse_lost(before, schema)
    say(state, [("schema", schema.digest, len(rows), schema.to_json())], now)


def _refuse_lost(before: Schema, schema: Schema) -> None:
    for what in ("name", "kind", "media"):
        old, new = getattr(before, what), getattr(schema, what)
        if old != new:
            raise SchemaError(
                f"schema.{what} was {old!r} in this workspace and is {new!r} now; "
                "use another workspace for another label set"
            )
    for name in before.classes:
        if name not in schema.classes and name not in schema.renames:
            raise SchemaError(
                f"class {shown(name)} was in the schema and is gone; say what it is called now "
                f"under [schema.renames], or put it back"
            )
