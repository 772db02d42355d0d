"""Answers that are refused: which of them are read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from labelops.adapters.local_queue import LocalQueue
from labelops.journey import adopt_schema, collect, route, send
from labelops.ports import Received

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
    again = collect(world.workspace, queue, now=world.tick())
    assert (again.received, again.rejected) == (0, 0)
