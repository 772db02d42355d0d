"""Ingest: what sources hold becomes items, and files are stored under their digests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial

import pandas as pd

from ..digest import canonical_json
from ..errors import (
    ChangedPayloadError,
    LabelopsError,
    SchemaError,
    SourceError,
    counted,
    shown,
)
from ..ingest import RAW_COLUMNS, Ingested, Rights, SetAside, ingest_rows
from ..kinds import kind_of
from ..parts import Parts, as_a_part
from ..ports import BatchObjects, Objects, RowBlock, SettingAside, Source
from ..state import Event, Refusal, State, Workspace, load, load_events, say
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
    bad_rows : float in [0, 1]
        Share of the rows that may be bad and are set aside, where a pass takes all others.
    """

    source: Source
    rights: Rights
    gold: str = ""
    bad_rows: float = 0.1


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
        Else: set rows with such a payload aside, and bad ones, and take all others.

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
        aside = SetAside(intake.bad_rows) if apart else None
        raw = _raw_rows(intake.source, held, aside)
        take = partial(
            ingest_rows,
            raw,
            items,
            source=intake.source.name,
            rights=intake.rights,
            key=workspace.key,
            now=now,
            revise=revise,
            apart=aside,
            withdrawn=state.withdrawn,
        )
        took, gold = _with_answers(take, raw, intake.gold, state, aside)
        known += gold
        found[intake.source.name] = took
        del raw, take
        if len(intakes) > 1:
            items = newest(ITEMS, pd.concat([items, took.new], ignore_index=True))
    stored = _files_of(state.items)
    for intake in intakes:
        wanted = _files_of(found[intake.source.name].new) - stored
        _store_payloads(workspace, intake.source, wanted, held, apart=apart)
    # Known answers first: a run killed in between finds the items new, and says both again.
    say(state, known, now)
    every = [took.new for took in found.values() if len(took.new)]
    if every:
        new = every[0] if len(every) == 1 else pd.concat(every, ignore_index=True)
        workspace.tables.append("items", new)
    for name, took in found.items():
        refused = Refusal(took.why, took.set_aside, took.bad, took.bad_rows)
        _say_refused(workspace, name, refused, now)
    # The rows are in the table now; who keeps the counts should not keep them too.
    return {name: replace(took, new=empty(ITEMS)) for name, took in found.items()}


def ingest_apart(
    workspace: Workspace, intake: Intake, parts: Parts, *, now: datetime
) -> dict[str, Ingested]:
    """Take in one source by itself, in a pass that goes on with the others.

    Rows that cannot be taken are set aside, and all others taken: those that have another payload
    than their known key had, and bad ones, unless these are more than may be. For what else is
    wrong with the source nothing of it is taken. Either is said, and kept in `parts`.

    Returns
    -------
    mapping of source's name to Ingested
        Empty where the source was refused.
    """
    name = intake.source.name
    try:
        with as_a_part():
            found = ingest(workspace, [intake], now=now, apart=True)
    except LabelopsError as error:
        parts.keep(error)
        _say_refused(workspace, name, Refusal(str(error)), now)
        return {}
    for said in _said_aside(found[name]):
        said.of_a_part = said.of_rows = True
        parts.keep(said)
    return found


def _said_aside(took: Ingested) -> Iterator[LabelopsError]:
    """Say which rows were set aside: bad ones, a line each, and those with another payload."""
    if took.bad:
        error = SourceError(took.bad[0])
        for line in took.bad[1:]:
            error.add_note(line)
        if took.bad_rows > len(took.bad):
            error.add_note(f"and {counted(took.bad_rows - len(took.bad), 'more bad row')}")
        yield error
    if took.set_aside:
        yield ChangedPayloadError(took.why)


def _say_refused(workspace: Workspace, source: str, found: Refusal, now: datetime) -> None:
    """Say what was refused of a source this time, if that is news."""
    state = load_events(workspace)
    if state.refusals.get(source, Refusal("")) != found:
        say(state, [state.next_event("intake", source, asdict(found))], now)


_HELD = 64_000_000
"""Bytes of files kept from the first reading; what is beyond is read a second time."""


def _blocks(source: Source, aside: SetAside | None) -> Iterator[RowBlock]:
    """Return a source's rows; bad ones are set aside where they may be, and the source can."""
    if aside is not None and isinstance(source, SettingAside):
        return source.rows_but(aside.add)
    return source.rows()


def _raw_rows(source: Source, held: dict[str, bytes], aside: SetAside | None) -> pd.DataFrame:
    """Return all rows without what files hold; keep the files, by URI, as far as they are few."""
    blocks, size = [], sum(map(len, held.values()))
    for block in _blocks(source, aside):
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
    workspace: Workspace,
    source: Source,
    wanted: set[str],
    held: Mapping[str, bytes],
    *,
    apart: bool,
) -> None:
    """Store the files that items refer to, under their digests, before any item does."""
    _put_all(workspace.objects, {uri: held[uri] for uri in wanted & held.keys()})
    files = wanted - held.keys()
    if not files:
        return
    for block in _blocks(source, SetAside(1.0) if apart else None):
        named = zip(block.frame["uri"], block.frame["content"], strict=True)
        found = {uri: content for uri, content in named if uri in files}
        _put_all(workspace.objects, found)
        files -= found.keys()
    if files:
        raise SourceError(
            f"{counted(len(files), 'file')} changed while the source {shown(source.name)} was "
            "read; run again"
        )


def _put_all(objects: Objects, contents: Mapping[str, bytes]) -> None:
    named = [(uri.removeprefix("object:"), contents[uri]) for uri in sorted(contents)]
    if isinstance(objects, BatchObjects):
        objects.put_all(named)
        return
    for name, content in named:
        objects.put_new(name, content)


def _with_answers(
    take: Callable[[], Ingested],
    raw: pd.DataFrame,
    column: str,
    state: State,
    aside: SetAside | None,
) -> tuple[Ingested, list[Event]]:
    """Return what is taken, and an event for every item whose owner gave a known answer.

    A row whose answer is no class is bad: it is set aside where that may be, and raised else.
    """
    took = take()
    events, wrong = _gold_events(took.new, raw, column, state)
    if not wrong:
        return took, events
    if aside is None:
        raise wrong[0][0]
    for error, key in wrong:
        aside.add(error, key)
    took = take()
    return took, _gold_events(took.new, raw, column, state)[0]


def _gold_events(
    items: pd.DataFrame, raw: pd.DataFrame, column: str, state: State
) -> tuple[list[Event], list[tuple[SourceError, str | None]]]:
    """Return an event for every known answer, also taken back, and what is wrong with others."""
    if not column or raw.empty:
        return [], []
    name = f"{canonical_json(column)}:"
    if not any(name in text for text in raw["attributes"]):
        raise SourceError(
            "no such column holds known answers beside key, text, image and group; correct `gold`, "
            "or leave it out",
            file=str(raw["file"].iloc[0]),
            column=column,
        )
    events: list[Event] = []
    wrong: list[tuple[SourceError, str | None]] = []
    schema = state.workspace.schema
    kind = kind_of(schema)
    for item_id, revision, text in zip(
        items["item_id"], items["revision"], items["attributes"], strict=True
    ):
        answer = json.loads(text).get(column)
        if answer not in (None, ""):
            try:
                value = kind.canonical(str(answer), schema)
            except SchemaError as error:
                wrong += _misanswered(error, raw, item_id, text, column)
                continue
            events.append(("gold", item_id, int(revision), {"value": value}))
        elif item_id in state.gold:
            events.append(("gold", item_id, int(revision), {"value": None}))
    return events, wrong


def _misanswered(
    error: SchemaError, raw: pd.DataFrame, item_id: str, attributes: str, column: str
) -> list[tuple[SourceError, str | None]]:
    """Name the rows of an item whose known answer is none of the schema's."""
    keyed = raw["key"].notna().any()
    same = raw["key"] == item_id if keyed else raw["attributes"] == attributes
    problem, header = f"{error}; mend the cell, or add the class to the schema", raw.attrs
    found = [
        SourceError(problem, file=file, row=int(row), column=column, header=header.get("header", 0))
        for file, row in raw.loc[same, ["file", "row"]].itertuples(index=False)
    ]
    return [(each, item_id if keyed else None) for each in found]
