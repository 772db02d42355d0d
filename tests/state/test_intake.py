"""A source with bad rows in a pass: killed anywhere and run again, it is as if undisturbed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from labelops.adapters.sources import SourceSpec, open_source
from labelops.errors import SourceError
from labelops.ingest import Rights
from labelops.journey import Intake, ingest, ingest_apart
from labelops.parts import Parts
from labelops.ports import RowBlock, Source
from labelops.schema import Schema
from labelops.tables import EVENTS, newest

from ..adapters.written import IMAGES
from .world import World, make_world

TEXT = """id,text,known
a,a cat that sleeps,cat
b,,dog
c,a dog that barks,dog
d,a horse that runs,horse
e,a cow that eats,
e,another cow,
f,a cat that eats,cat
"""


class Killed(BaseException):
    """The process ended here."""


class Dying:
    """Tables that end the process just before or after one of their appends."""

    def __init__(self, tables: Any, at: int, *, after: bool) -> None:
        self._tables, self._left, self._after = tables, at, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)

    def append(self, table: str, frame: pd.DataFrame, *, after: int | None = None) -> None:
        self._left -= 1
        if not self._left and not self._after:
            raise Killed
        self._tables.append(table, frame, after=after)
        if not self._left:
            raise Killed


def _source(folder: Path, text: str = TEXT) -> Source:
    path = folder / "pets.csv"
    path.write_text(text)
    return open_source(SourceSpec("pets", path, key="id", text="text"))


def _pass(world: World, source: Source, most: float = 0.7) -> tuple[Any, list[str]]:
    parts = Parts()
    intake = Intake(source, Rights(), "known", most)
    found = ingest_apart(world.workspace, intake, parts, now=world.tick())
    said = [(str(e), *getattr(e, "__notes__", ())) for e in parts.errors]
    return found, [line for lines in said for line in lines]


def _stands(world: World) -> tuple[Sequence[Any], ...]:
    """Return what a workspace holds, without when it was said."""
    items, events = world.state.items, newest(EVENTS, world.workspace.tables.read("events"))
    rows = events.sort_values("event_id")[["event_id", "revision", "body"]]
    return items.drop(columns="ingested_at").to_numpy().tolist(), rows.to_numpy().tolist()


def test_good_rows_are_taken_with_their_answers_and_bad_ones_named(tmp_path: Path) -> None:
    """An empty text, an answer that is no class, and a key that two rows have."""
    world = make_world()
    found, said = _pass(world, _source(tmp_path))
    assert world.state.item_ids.tolist() == ["a", "c", "f"]
    assert world.state.gold == {"a": '"cat"', "c": '"dog"', "f": '"cat"'}
    assert (found["pets"].added, found["pets"].bad_rows) == (3, 4)
    assert [line.split(", row ")[1][0] for line in said] == list("2456")
    assert "column 'known'" in said[1] and "'horse'" in said[1]
    refusal = world.state.refusals["pets"]
    assert (refusal.bad_rows, list(refusal.bad), refusal.why) == (4, said, "")
    mended = TEXT.replace("b,,", "b,a dog,").replace("horse\n", "cow\n").replace("e,an", "g,an")
    found, said = _pass(world, _source(tmp_path, mended))
    assert not said and not world.state.refusals
    assert world.state.item_ids.tolist() == list("abcdefg")
    assert world.state.gold["d"] == '"cow"'


def test_by_itself_all_or_nothing(tmp_path: Path) -> None:
    """The first bad row is raised with the count of the others; nothing is said or taken."""
    world, source = make_world(), _source(tmp_path)
    with pytest.raises(SourceError, match=r"row 2 .*1 more problem: row 6"):
        ingest(world.workspace, [Intake(source, Rights(), "known")], now=world.tick())
    assert world.state.items.empty and world.state.events.empty


@pytest.mark.parametrize("after", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("at", [2, *(pytest.param(at, marks=pytest.mark.slow) for at in (1, 3))])
def test_killed_at_any_append_and_run_again_it_is_as_undisturbed(
    tmp_path: Path, at: int, after: bool
) -> None:
    """Nothing lost, nothing twice: items, answers, and what is said of bad rows."""
    source, whole, world = _source(tmp_path), make_world(), make_world()
    _pass(whole, source)
    tables: Any = world.workspace.tables
    dying = World(replace(world.workspace, tables=Dying(tables, at, after=after), cache={}))
    with pytest.raises(Killed):
        _pass(dying, source)
    _, said = _pass(world, source)
    assert len(said) == 4
    assert _stands(world) == _stands(whole)
    before = _stands(world)
    _pass(world, source)
    assert _stands(world) == before


def test_a_file_that_changes_while_it_is_read_makes_no_item_without_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not kept from the first reading is read again: then it has to be there still."""
    monkeypatch.setattr(sys.modules["labelops.journey.ingest"], "_HELD", 0)
    path = tmp_path / "scans"
    path.mkdir()
    for number, content in enumerate(IMAGES[:2]):
        (path / f"{number}.png").write_bytes(content)

    class Changing:
        name, readings = "scans", 0

        def rows(self) -> Iterator[RowBlock]:
            self.readings += 1
            if self.readings == 2:
                (path / "1.png").write_bytes(IMAGES[2])
            return open_source(SourceSpec("scans", path, media="image")).rows()

    world = make_world(Schema("pets", ("cat", "dog"), media="image"))
    with pytest.raises(SourceError, match="1 file changed while the source 'scans' was read"):
        ingest(world.workspace, [Intake(Changing(), Rights())], now=world.tick())
    assert world.state.items.empty
    ingest(world.workspace, [Intake(Changing(), Rights())], now=world.tick())
    stored = {world.workspace.objects.get(u.removeprefix("object:")) for u in _uris(world)}
    assert stored == {IMAGES[0], IMAGES[2]}


def _uris(world: World) -> list[str]:
    return [str(uri) for uri in world.state.items["payload"]]
