"""When items arrived: when their present content came, whatever else was said of them since."""

from __future__ import annotations

import json

import numpy as np
import pytest

from labelops.autolabel.policy import AcceptancePolicy
from labelops.state.drift import arrivals, next_drift_look, stream_items
from labelops.state.facts import gate_facts

from .world import START, World, make_world

NOTE = '{"note": "read"}'
IDS = [f"i{n:02}" for n in range(40)]


def hour(world: World, item: str) -> float:
    """Return how many hours after the start an item arrived."""
    return float((world.state.arrived[item] - START).total_seconds() / 3600)


def test_notes_are_no_arrival_and_content_is() -> None:
    """One item is noted, one revised and noted, one goes back to what it said at first."""
    world = make_world()
    world.items("a", "b", "c", "d")
    world.items("a", "b", "c", revision=1, attributes=NOTE)
    assert world.state.revised.empty
    world.items("b", "c", revision=2, payload="another text of")
    world.items("b", revision=3, payload="another text of", attributes=NOTE)
    world.items("c", revision=3)
    assert [hour(world, i) for i in "abcd"] == [1, 1 + 2, 1 + 4, 1]
    assert world.state.revised.to_dict() == {i: world.state.arrived[i] for i in "bc"}
    assert world.state.arrived.index.tolist() == world.state.item_ids.tolist()


def test_what_was_said_of_other_content_does_not_count_when_the_first_comes_back() -> None:
    """A vote on what an item said meanwhile is about another item."""
    world = make_world()
    world.items("a")
    world.items("a", revision=1, payload="another text of")
    world.vote("a", ann="dog")
    assert len(world.state.votes) == 1
    world.items("a", revision=2)
    assert world.state.votes.empty
    world.vote("a", ben="cat")
    world.items("a", revision=3, attributes=NOTE)
    assert len(world.state.votes) == 1


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 5))]
)
def test_arrivals_are_those_of_a_plain_reading(seed: int) -> None:
    """Whatever changes in whatever order: the last row that has other content than the one before.

    The rows themselves may lie in any order, and twice.
    """
    rng = np.random.default_rng(seed)
    world, last, came, moved = make_world(), dict[str, str](), dict[str, int](), set[str]()
    for revision in range(6):
        for item in rng.permutation(IDS[:8]):
            if revision and rng.random() < 0.4:
                continue
            payload = str(rng.choice(["one", "two"])) if rng.random() < 0.5 else last.get(item, "-")
            world.items(item, revision=revision, payload=payload, attributes=f"[{revision}]")
            if last.get(item) != payload:
                moved |= {item} & last.keys()
                last[item], came[item] = payload, world.hour
    parts = world.workspace.tables.parts["items"]  # type: ignore[attr-defined]
    parts[:] = [parts[n] for n in rng.permutation([*range(len(parts)), 0, 1])]
    assert {i: hour(world, i) for i in came} == came
    assert set(world.state.revised.index) == moved


def _calibrated(test: str = "e-process") -> World:
    """Return a set that grew once; people have answered for its random sample, and it was read."""
    world = make_world(accept=AcceptancePolicy("joint", test=test), calibration=10)
    for part in (IDS[:20], IDS[20:]):
        world.items(*part)
        for item in world.state.calibration_stream.ids:
            if item in part:
                world.vote(item, "calibrate", ann="cat")
        due = next_drift_look(world.state)
        assert due is not None
        world.say("drift", str(due[0]), 0, **due[1])
    return world


@pytest.mark.slow
def test_notes_move_nothing_in_the_random_stream() -> None:
    """Its order, its runs and what is due to be looked at are as they were: nothing has come."""
    world = _calibrated()
    order, runs = world.state.calibration_stream.ids.tolist(), arrivals(world.state)
    stream = stream_items(world.state)
    assert sorted(set(runs)) == [0, 1]
    world.items(*IDS[:30], revision=1, attributes=NOTE)
    assert world.state.calibration_stream.ids.tolist() == order
    assert arrivals(world.state).equals(runs)
    assert stream_items(world.state).equals(stream)
    assert next_drift_look(world.state) is None
    world.items("new", *IDS[:2], revision=2, payload="another text of")
    assert set(arrivals(world.state).index) == set(IDS[2:])


@pytest.mark.slow
def test_after_an_alarm_noted_items_are_as_old_as_they_were() -> None:
    """What came before the alarm is not read again for having got a note since."""
    world = _calibrated()
    body = json.loads(world.state.latest("drift")["body"].iloc[-1])
    world.say("drift", "1", 1, **{**body, "alarm": "cat is rarer"})
    assert len(world.state.stream_now) == 0
    world.items(*IDS, revision=1, attributes=NOTE)
    assert len(world.state.stream_now) == 0
    world.items("new")
    assert set(world.state.stream_now.ids) <= {"new"}


@pytest.mark.slow
def test_a_note_takes_no_item_out_of_a_candidate() -> None:
    """An item without a label was there when the labels were frozen; what is new was not."""
    world = make_world()
    world.items("a", "b")
    world.label({"a": "cat"})
    body = {"number": 1, "revision": 1, "stream": 1, "items": 1, "digest": "d"}
    world.say("candidate", "1", 0, **body)
    world.items("b", revision=1, attributes=NOTE)
    world.items("late")
    assert gate_facts(world.state, world.now, {}).items == 2
