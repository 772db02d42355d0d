"""For whom open seats wait: said where nobody else who voted so far can take them."""

from __future__ import annotations

from labelops.cli.stages import _said_routed
from labelops.journey import consolidate, route
from labelops.state.awaited import awaited

from .test_needs import IDS, NEW, plan
from .world import make_world


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
    assert awaited(world.state) == f"1 vote waits for human:zoe, 1 vote waits for {NEW}"
    world.vote(IDS[0], "review", ann="cat", zoe="cat")
    assert awaited(world.state) == f"3 votes wait for {NEW}"
    plan(world, IDS[2], purpose="gold", annotators=9)
    assert awaited(world.state) == f"3 votes wait for {NEW}", "gold waits for nobody"


def test_a_seat_that_only_somebody_away_may_take() -> None:
    """Nobody comes for it, so it is said whose it is; a team that pauses is not away."""
    world = make_world(settle_days=7.0)
    world.items(*IDS)
    plan(world, IDS[0], annotators=3)
    world.vote(IDS[0], ann="cat", ben="dog")
    world.vote(IDS[1], cid="cat")
    world.hour += 24 * 30
    assert awaited(world.state) == ""
    world.vote(IDS[2], ann="cat", ben="cat")
    assert awaited(world.state) == "1 vote waits for human:cid, away for long, or somebody new"
    world.vote(IDS[3], cid="cat")
    assert awaited(world.state) == ""


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


def test_it_is_said_in_one_line() -> None:
    """What `route` found ends with it; without it nothing is added."""
    world = make_world(seed=6, training=6)
    world.items(*IDS)
    plan(world, IDS[0], annotators=2)
    world.vote(IDS[1], ann="cat")
    world.flush()
    found = route(world.workspace, now=world.tick())
    assert found.awaited.endswith(NEW)
    assert _said_routed(found).splitlines()[1:] == [f"{found.awaited}."]
