"""For whom open seats wait: said where not everybody who voted so far can take them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from labelops.adapters.local_queue import LocalQueue
from labelops.autolabel.policy import AcceptancePolicy
from labelops.cli.said import said_routed
from labelops.cli.standing import standing_of
from labelops.gate.checks import evaluate
from labelops.journey import adopt_schema, consolidate, route, send
from labelops.schema import Schema
from labelops.state.awaited import awaited
from labelops.state.facts import gate_facts

from .world import PETS, World, events, make_world, plan

IDS = [f"i{n:02d}" for n in range(12)]


def next_of(world: World, queue: str = "", place: str = "") -> str:
    """Return what `labelops status` says happens next."""
    verdict = evaluate(gate_facts(world.state, world.now, {}), world.workspace.policies.gate)
    return standing_of(world.state, verdict, (), queue, place).next


class _At(LocalQueue):
    """A queue that has an address, as a server has."""

    def __init__(self, folder: Path, place: str) -> None:
        super().__init__(folder, "label-studio/x")
        self.place = place


def test_nothing_waits_for_anybody_in_particular_where_others_may_look() -> None:
    """Before anybody voted, and while somebody who voted has not looked at the item."""
    world = make_world()
    world.items(*IDS)
    plan(world, IDS[0])
    assert awaited(world.state) == ""
    world.vote(IDS[1], ann="cat")
    assert awaited(world.state) == ""


def test_more_seats_than_people_wait_for_experts_then_for_somebody_new() -> None:
    """Three seats at an item: one for ann, one for the expert, one for whoever joins."""
    world = make_world(experts=("human:zoe",))
    world.items(*IDS)
    plan(world, IDS[0], annotators=3)
    world.vote(IDS[1], ann="cat")
    other = "somebody other than human:ann, human:zoe (i00)"
    assert awaited(world.state) == f"1 vote waits for human:zoe, 1 vote waits for {other}"
    world.vote(IDS[0], "review", ann="cat", zoe="cat")
    assert awaited(world.state) == f"3 votes wait for {other}"
    plan(world, IDS[2], purpose="gold", annotators=9)
    assert awaited(world.state) == f"3 votes wait for {other}", "gold waits for nobody"
    world.vote(IDS[3], bob="cat", cid="cat", dan="cat")
    world.vote(IDS[0], bob="cat", cid="cat", dan="cat")
    assert awaited(world.state) == "", "all have looked: nothing is asked of anybody"


def test_who_alone_is_left_is_named() -> None:
    """A third vote that one of three can give is theirs, whoever else votes meanwhile."""
    world = make_world()
    world.items(*IDS)
    plan(world, *IDS[:2], annotators=3)
    world.vote(IDS[2], ann="cat", ben="cat", cid="cat")
    assert awaited(world.state) == ""
    world.vote(IDS[0], ann="cat", ben="dog")
    world.vote(IDS[1], ann="cat")
    assert awaited(world.state) == "1 vote waits for human:ben, 2 votes wait for human:cid"


def test_who_is_paused_is_not_waited_for() -> None:
    """The second of two is paused: somebody else is needed, and it is said why."""
    world = make_world()
    world.items(*IDS)
    plan(world, *IDS[:3], annotators=2)
    for item in IDS[:3]:
        world.vote(item, ann="cat")
    world.vote(IDS[4], ben="cat")
    assert awaited(world.state) == "3 votes wait for human:ben"
    world.say("annotator_flagged", "human:ben", 0, reason="a test")
    other = "somebody other than human:ann, human:ben (paused) (i00, i01, i02)"
    assert awaited(world.state) == f"3 votes wait for {other}"


def test_many_items_are_counted_and_not_named() -> None:
    """Four are a list to work through; more would hide the line."""
    world = make_world()
    world.items(*IDS)
    for n, item in enumerate(IDS[:5]):
        plan(world, item, annotators=2)
        world.vote(item, ann="cat")
        named = f" ({', '.join(IDS[: n + 1])})" if n < 4 else ""
        assert awaited(world.state).endswith(f"for somebody other than human:ann{named}")


def test_what_is_on_offer_is_said_to_be(tmp_path: Path) -> None:
    """`send` is named while it has something to offer; then it is people who are waited for."""
    world = make_world()
    world.items(*IDS)
    plan(world, *IDS[:3])
    assert next_of(world).startswith("3 votes are asked for: `labelops send` offers them, people")
    for _ in range(2):
        send(world.workspace, LocalQueue(tmp_path), now=world.tick())
        assert next_of(world) == (
            "3 votes are asked for and on offer; `labelops run receive` takes the answers in"
        )
    assert len(events(world, "sent")) == 1
    world.vote(IDS[0], ann="cat")
    asked = route(world.workspace, now=world.tick())
    assert asked.round == 2 and "`labelops send` offers them" in next_of(world)


@pytest.mark.slow
def test_a_class_that_is_added_is_not_on_offer_before_it_is_sent(tmp_path: Path) -> None:
    """Until then people are asked in the classes of before; and again after each change."""
    world, queue = make_world(), LocalQueue(tmp_path)
    adopt_schema(world.workspace, now=world.tick())
    world.items(*IDS)
    plan(world, *IDS[:3])
    send(world.workspace, queue, now=world.tick())
    assert next_of(world, "local").startswith("3 votes are asked for and on offer; ")
    for classes in ((*PETS.classes, "ox"), PETS.classes):
        schema = Schema("pets", classes)
        world = World(replace(world.workspace, schema=schema, cache={}), world.hour)
        adopt_schema(world.workspace, now=world.tick())
        said = next_of(world, "local")
        assert "in the classes of before until `labelops send` offers those of now; " in said
        send(world.workspace, queue, now=world.tick())
        assert next_of(world, "local").startswith("3 votes are asked for and on offer; ")


def test_what_another_queue_offers_is_not_on_offer(tmp_path: Path) -> None:
    """Where `[queue]` was changed since: people there have not been asked yet."""
    world = make_world()
    world.items(*IDS)
    plan(world, *IDS[:3])
    send(world.workspace, LocalQueue(tmp_path / "one"), now=world.tick())
    assert "`labelops send` offers them" in next_of(world, "label-studio")
    send(world.workspace, LocalQueue(tmp_path / "two", "label-studio/x"), now=world.tick())
    for kind in ("local", "label-studio"):
        assert "and on offer" in next_of(world, kind)


@pytest.mark.slow
def test_what_another_server_offers_is_not_on_offer(tmp_path: Path) -> None:
    """After a change of its address: said with what was offered where, until it is offered here.

    Back at the first server, what is there is on offer, and what came since is not.
    """
    old, new = "http://old:8080", "https://new.example.org"
    world = make_world()
    world.items(*IDS)
    plan(world, *IDS[:3])
    send(world.workspace, _At(tmp_path / "old", old), now=world.tick())
    assert "and on offer" in next_of(world, "label-studio", old)
    assert next_of(world, "label-studio", new) == (
        "3 votes are asked for: `labelops send` offers them, people answer; `labelops run receive` "
        f"takes the answers in; 3 of them were offered at {old}, where [queue] points no more: "
        "answers given there come in by `labelops collect` while it points there again"
    )
    assert send(world.workspace, _At(tmp_path / "new", new), now=world.tick()).offered == 3
    for place in (old, new):
        assert next_of(world, "label-studio", place).endswith("takes the answers in")
        assert "and on offer" in next_of(world, "label-studio", place)
    world.vote(IDS[0], ann="cat")
    assert route(world.workspace, now=world.tick()).round == 2
    send(world.workspace, _At(tmp_path / "new", new), now=world.tick())
    for kind, place in (("label-studio", old), ("local", "")):
        assert f"offered at {new}, where [queue] points no more" in next_of(world, kind, place)


def test_a_seat_that_only_somebody_away_may_take() -> None:
    """Nobody comes for it, so it is said whose it is; a team that pauses is not away."""
    world = make_world(settle_days=7.0)
    world.items(*IDS)
    plan(world, IDS[0], annotators=3)
    world.vote(IDS[0], ann="cat", ben="dog")
    world.vote(IDS[1], cid="cat")
    world.hour += 24 * 30
    assert awaited(world.state) == "1 vote waits for human:cid"
    world.vote(IDS[2], ann="cat", ben="cat")
    said = "1 vote waits for human:cid, away for long, or somebody new (i00)"
    assert awaited(world.state) == said
    world.vote(IDS[3], cid="cat")
    assert awaited(world.state) == "1 vote waits for human:cid"


def test_who_is_away_is_waited_for_only_where_that_helps() -> None:
    """Not where those who are here suffice, and not for a second look of the same eyes."""
    world = make_world(settle_days=7.0)
    world.items(*IDS)
    plan(world, IDS[0], annotators=2)
    plan(world, IDS[1], annotators=4)
    world.vote(IDS[1], cid="cat")
    world.hour += 24 * 30
    world.vote(IDS[2], ann="cat", ben="cat")
    assert awaited(world.state) == (
        "2 votes wait for human:ann, 2 votes wait for human:ben, "
        "1 vote waits for somebody other than human:ann, human:ben, human:cid (i01)"
    )


def test_what_all_have_looked_at_without_a_label() -> None:
    """No seat is at it, and still only somebody new can bring it on."""
    world = make_world()
    world.items(*IDS)
    world.vote(IDS[0], ann="cat", ben="dog", cid="cow")
    world.flush()
    consolidate(world.workspace, now=world.tick())
    said = "1 item has no label though all looked: a vote by somebody new may give one"
    assert awaited(world.state).endswith(said)
    world.vote(IDS[1], dan="cat")
    assert said not in awaited(world.state)


@pytest.mark.slow
def test_it_is_said_in_one_line() -> None:
    """What `route` found ends with it; without it nothing is added."""
    world = make_world(seed=6, training=6)
    world.items(*IDS)
    plan(world, IDS[0], annotators=2)
    world.vote(IDS[1], ann="cat")
    world.flush()
    found = route(world.workspace, now=world.tick())
    assert found.awaited == "2 votes wait for somebody other than human:ann (i00, i01)"
    assert said_routed(found).splitlines()[1:] == [f"{found.awaited}."]


def test_what_may_not_be_used_is_said_before_anybody_labels_it() -> None:
    """Of all items while none has a label; then of those that have one."""
    world = make_world()
    world.items("a", "b")
    assert set(gate_facts(world.state, world.now, {}).forbidden) == {"a", "b"}
    # Two alone, of whom nothing else is known, would not be sure enough.
    world.vote("a", ann="cat", ben="cat", cleo="cat", dan="cat", eve="cat")
    world.flush()
    consolidate(world.workspace, now=world.tick())
    assert set(gate_facts(world.state, world.now, {}).forbidden) == {"a"}


@pytest.mark.slow
def test_what_no_more_votes_are_planned_for_is_said_to_be_in_the_way() -> None:
    """Torn items that have their most votes stay without a label: more rounds change nothing."""
    world = make_world(accept=AcceptancePolicy(rule="never"), max_votes=1, overlap_share=0.0)
    world.items(*IDS)
    for item in IDS:
        world.vote(item, ann="cat", ben="dog")
    world.flush()
    consolidate(world.workspace, now=world.tick())
    assert route(world.workspace, now=world.tick()).votes == 0
    assert "in the way of a release: " in next_of(world)
    assert "enough evidence" in next_of(world)
