"""Ingest: what sources hold becomes items, and files are stored under their digests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd

from ..digest import canonical_json
from ..errors import ChangedPayloadError, LabelopsError, SchemaError, SourceError
from ..ingest import RAW_COLUMNS, Ingested, Rights, ingest_rows
from ..kinds import kind_of
from ..parts import Parts, as_a_part
from ..ports import BatchObjects, Objects, Source
from ..state import Refusal, Workspace, load, load_events, say
from ..tables import ITEMS, empty, newest

__all__ = ["Intake", "ingest", "ingest_apart"]


@dataclass(frozen=True, slots=True)
class Intake:
    """A source and what its owner says of it.

    Parameters
    ----------
    source : Source
    rights : Rights
        What the source's owner allows.
    gold : str
        Name of the attribute that holds known answers; empty for none.
    """

    source: Source
    rights: Rights
    gold: str = ""


def ingest(
    workspace: Workspace,
    intakes: Sequence[Intake],
    *,
    now: datetime,
    revise: bool = False,
    apart: bool = False,
) -> dict[str, Ingested]:
    """Take all rows of all sources into the items table, or none of any.

    Parameters
    ----------
    workspace : Workspace
    intakes : sequence of Intake
    now : datetime
    revise : bool
        Take another payload under a known key as its next revision.
    apart : bool
        Else: set rows with such a payload aside, and take all others.

    Returns
    -------
    mapping of source's name to Ingested
        What was found; without the rows, which are in the table.

    Raises
    ------
    SourceError, ChangedPayloadError
        For what is wrong with a file; the workspace stays as it was.
    """
    state = load(workspace)
    items, found, known = state.items, {}, []
    held: dict[str, bytes] = {}
    for intake in intakes:
        raw = _raw_rows(intake.source, held)
        took = ingest_rows(
            raw,
            items,
            source=intake.source.name,
            rights=intake.rights,
            key=workspace.key,
            now=now,
            revise=revise,
            apart=apart,
            withdrawn=state.withdrawn,
        )
        known += _gold_events(took.new, raw, intake.gold, workspace)
        found[intake.source.name] = took
        del raw
        if len(intakes) > 1:
            items = newest(ITEMS, pd.concat([items, took.new], ignore_index=True))
    stored = _files_of(state.items)
    for intake in intakes:
        wanted = _files_of(found[intake.source.name].new) - stored
        _store_payloads(workspace, intake.source, wanted, held)
    # Known answers first: a run killed in between finds the items new, and says both again.
    say(state, known, now)
    every = [took.new for took in found.values() if len(took.new)]
    if every:
        new = every[0] if len(every) == 1 else pd.concat(every, ignore_index=True)
        workspace.tables.append("items", new)
    for name, took in found.items():
        _say_refused(workspace, name, took.why, took.set_aside, now)
    # The rows are in the table now; who keeps the counts should not keep them too.
    return {name: replace(took, new=empty(ITEMS)) for name, took in found.items()}


def ingest_apart(
    workspace: Workspace, intake: Intake, parts: Parts, *, now: datetime
) -> dict[str, Ingested]:
    """Take in one source by itself, in a pass that goes on with the others.

    Rows that have another payload than their known key had are set aside, and all others taken;
    for what else is wrong with the source nothing of it is. Either is said, and kept in `parts`.

    Returns
    -------
    mapping of source's name to Ingested
        Empty where the source was refused.
    """
    name = intake.source.name
    try:
        with as_a_part():
            found = ingest(workspace, [intake], now=now, apart=True)
            if found[name].set_aside:
                raise ChangedPayloadError(found[name].why)
    except ChangedPayloadError as error:
        parts.keep(error)
    except LabelopsError as error:
        parts.keep(error)
        _say_refused(workspace, name, str(error), (), now)
        return {}
    return found


def _say_refused(
    workspace: Workspace, source: str, why: str, set_aside: Sequence[str], now: datetime
) -> None:
    """Say what was refused of a source this time, if that is news."""
    state = load_events(workspace)
    found = Refusal(why, tuple(set_aside))
    if state.refusals.get(source, Refusal("")) != found:
        body = {"why": why, "set_aside": list(set_aside)}
        say(state, [state.next_event("intake", source, body)], now)


_HELD = 64_000_000
"""Bytes of files kept from the first reading; what is beyond is read a second time."""


def _raw_rows(source: Source, held: dict[str, bytes]) -> pd.DataFrame:
    """Return all rows without what files hold; keep the files, by URI, as far as they are few."""
    blocks, size = [], sum(map(len, held.values()))
    for block in source.rows():
        blocks.append(block.frame.drop(columns="content"))
        # Of files that are items already there is no content: it is stored.
        files = block.frame.loc[block.frame["content"].notna(), ["uri", "content"]]
        for uri, content in files.itertuples(index=False):
            if uri not in held and size + len(content) <= _HELD:
                held[uri] = content
                size += len(content)
    return pd.concat(blocks, ignore_index=True) if blocks else _no_rows()


def _no_rows() -> pd.DataFrame:
    return pd.DataFrame({name: [] for name in RAW_COLUMNS if name != "content"}, dtype=object)


def _files_of(items: pd.DataFrame) -> set[str]:
    """Return the files that items refer to; there are none of texts."""
    # Not by `.str`: pandas ties the frame to it in a circle, which keeps all rows for a while.
    files = [not media.startswith("text/") for media in items["media_type"]]
    return {uri for uri in items.loc[files, "payload"] if uri.startswith("object:")}


def _store_payloads(
    workspace: Workspace, source: Source, wanted: set[str], held: Mapping[str, bytes]
) -> None:
    """Store the files that items refer to, under their digests, before any item does."""
    _put_all(workspace.objects, {uri: held[uri] for uri in wanted & held.keys()})
    files = wanted - held.keys()
    if not files:
        return
    for block in source.rows():
        named = zip(block.frame["uri"], block.frame["content"], strict=True)
        _put_all(workspace.objects, {uri: content for uri, content in named if uri in files})


def _put_all(objects: Objects, contents: Mapping[str, bytes]) -> None:
    named = [(uri.removeprefix("object:"), contents[uri]) for uri in sorted(contents)]
    if isinstance(objects, BatchObjects):
        objects.put_all(named)
        return
    for name, content in named:
        objects.put_new(name, content)


def _gold_events(
    items: pd.DataFrame, raw: pd.DataFrame, column: str, workspace: Workspace
) -> list[tuple[str, str, int, dict[str, object]]]:
    """Return an event for every item whose owner gave a known answer."""
    if not column:
        return []
    name = f"{canonical_json(column)}:"
    if not any(name in text for text in raw["attributes"]):
        raise SourceError(
            "no such column holds answers beside key, text, image and group; correct `gold` or "
            "leave it out",
            file=str(raw["file"].iloc[0]),
            column=column,
        )
    events: list[tuple[str, str, int, dict[str, object]]] = []
    kind = kind_of(workspace.schema)
    for item_id, revision, text in zip(
        items["item_id"], items["revision"], items["attributes"], strict=True
    ):
        answer = json.loads(text).get(column)
        if answer not in (None, ""):
            try:
                value = kind.canonical(str(answer), workspace.schema)
            except SchemaError as error:
                raise _misanswered(error, raw, item_id, column) from None
            events.append(("gold", item_id, int(revision), {"value": value}))
    return events


def _misanswered(error: SchemaError, raw: pd.DataFrame, item_id: str, column: str) -> SourceError:
    """Name the row whose known answer is none of the schema's."""
    rows = raw.loc[raw["key"] == item_id]
    file, row = (
        (None, None) if rows.empty else (str(rows["file"].iloc[0]), int(rows["row"].iloc[0]))
    )
    return SourceError(
        f"{error}; mend the cell, or add the class to the schema",
        file=file,
        row=row,
        column=column,
        header=raw.attrs.get("header", 0),
    )
