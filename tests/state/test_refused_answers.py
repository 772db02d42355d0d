"""Answers that are refused: which of them are read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from labelops.adapters.local_queue import LocalQueue
from labelops.journey import adopt_schema, collect, route, send
from labelops.ports import Received
from labelops.schema import Schema
from labelops.state import load

from .world import PETS, make_world


class _Mute(LocalQueue):
    """A queue that passes on what was said of one item without its value."""

    def receive(self, cursor: str | None = None) -> Received:
        found = super().receive(cursor)
        values = found.votes["value"].where(found.votes["item_id"] != "i0", None)
        return replace(found, votes=found.votes.assign(value=values))


def test_what_only_another_answer_mends_is_not_read_again(tmp_path: Path) -> None:
    """It is named once; later answers are read from there on, and the others count."""
    world, queue = make_world(PETS, overlap_share=0.0, gold_rate=0.0), _Mute(tmp_path)
    adopt_schema(world.workspace, now=world.tick())
    world.items("i0", "i1")
    route(world.workspace, now=world.tick())
    send(world.workspace, queue, now=world.tick())
    while mine := queue.offers("human:ann"):
        queue.answer("human:ann", mine[0], '"cat"')
    found = collect(world.workspace, queue, now=world.tick())
    assert (found.received, found.new, found.rejected) == (2, 1, 1)
    assert found.reasons == (
        "human:ann on item 'i0': the vote is given but has no value; answer the item again",
    )
    before = world.workspace.tables.version("events")
    again = collect(world.workspace, queue, now=world.tick())
    assert (again.received, again.rejected) == (0, 0)
    assert world.workspace.tables.version("events") == before, "nothing came, nothing is written"


@pytest.mark.parametrize("how", ["changed", pytest.param("taken back", marks=pytest.mark.slow)])
def test_an_answer_of_a_class_that_is_gone_for_good(how: str, tmp_path: Path) -> None:
    """Refused at each run until it is changed or taken back where it was given; then never more."""
    more = Schema("pets", (*PETS.classes, "ox"))
    world, queue = make_world(more, overlap_share=0.0, gold_rate=0.0), LocalQueue(tmp_path)
    adopt_schema(world.workspace, now=world.tick())
    world.items("i0", "i1")
    route(world.workspace, now=world.tick())
    send(world.workspace, queue, now=world.tick())
    offers = {offer.item_id: offer for offer in queue.offers("human:ann")}
    queue.answer("human:ann", offers["i0"], '"ox"')
    queue.answer("human:ann", offers["i1"], '"cat"')
    less = replace(world.workspace, schema=PETS, cache={})
    adopt_schema(less, now=world.tick())
    found = [collect(less, queue, now=world.tick()) for _ in range(2)]
    assert [(f.new, f.rejected) for f in found] == [(1, 1), (0, 1)]
    assert found[1].reasons[0].endswith("change the answer or take it back where it was given")
    send(less, queue, now=world.tick())
    if how == "changed":
        queue.edit("human:ann", offers["i0"], '"dog"')
    else:
        queue.delete("human:ann", offers["i0"])
    found = [collect(less, queue, now=world.tick()) for _ in range(2)]
    assert [(f.new, f.rejected, f.received > 0) for f in found] == [(1, 0, True), (0, 0, False)]
    votes = load(less).votes.set_index("item_id")
    given = [votes.loc[i, ["status", "value"]].tolist() for i in ("i0", "i1")]
    mended = ["given", '"dog"'] if how == "changed" else ["deleted", None]
    assert given == [mended, ["given", '"cat"']]
