"""Events of processes that run at once: the first one holds, and the other concludes anew."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from labelops.errors import ConflictError
from labelops.journey import audit, consolidate, gate, route
from labelops.measure.eprocess import hypothesis_risk
from labelops.released import say_name
from labelops.state import decide, load, load_events, say
from labelops.state.drift import drift_watch
from labelops.testing.memory import MemoryTables

from .accepting import accepting, closed_now, look_anew
from .world import World, events, make_world


class Overtaken(MemoryTables):
    """Tables in which somebody else is quicker: it runs before the next append to one of them."""

    def __init__(self, like: MemoryTables, table: str, other: Callable[[], object]) -> None:
        self.parts, self.table, self.other = like.parts, table, other

    def append(self, table: str, frame: pd.DataFrame, *, after: int | None = None) -> None:
        if table == self.table and len(frame):
            self.table = ""
            self.other()
        super().append(table, frame, after=after)


def beside(world: World, table: str, other: Callable[[World], object]) -> World:
    """Return a second process at a label set, which the first overtakes at a table."""
    world.flush()
    ours: MemoryTables = world.workspace.tables  # type: ignore[assignment]
    tables = Overtaken(ours, table, lambda: other(world))
    return World(dataclasses.replace(world.workspace, tables=tables, cache={}), world.hour + 1)


def test_a_fact_is_said_whatever_else_is_said_meanwhile() -> None:
    """Events under other names do not keep one from being said; of one name the first holds."""
    world = make_world()
    late = beside(world, "events", lambda w: w.say("gold", "a", 0, value="first"))
    say(late.state, [("gold", "a", 0, {"value": "x"}), ("gold", "b", 0, {"value": "y"})], late.now)
    assert late.state.gold == {"a": "first", "b": "y"} == load(world.workspace).gold
    assert len(world.workspace.tables.read("events")) == 2


def test_what_is_decided_follows_from_the_state_it_is_said_in() -> None:
    """A count of all events is right though somebody else said one at the last moment."""
    world = make_world()
    late = beside(world, "events", lambda w: w.say("seen", "first", 0, number=0))
    seen = []

    def count(state: object) -> tuple[int, list[tuple[str, str, int, dict[str, object]]]]:
        n = len(state.events)  # type: ignore[attr-defined]
        seen.append(n)
        return n, [("seen", "second", 0, {"number": n})]

    assert decide(late.workspace, count, late.now) == 1 and seen == [0, 1]
    assert decide(late.workspace, count, late.now) == 2, "said already: nothing is appended"
    bodies = events(world, "seen")["body"].map(json.loads)
    assert sorted(body["number"] for body in bodies) == [0, 1]


def test_nothing_is_decided_that_others_always_overtake() -> None:
    """After fifty attempts it is an error that asks to be run again; nothing was said."""
    world = make_world()

    class Always(MemoryTables):
        def append(self, table: str, frame: pd.DataFrame, *, after: int | None = None) -> None:
            raise ConflictError("too late")

    late = dataclasses.replace(world.workspace, tables=Always(), cache={})
    with pytest.raises(ConflictError, match="run again"):
        decide(late, lambda state: (None, [("a", "b", 0, {})]), world.now)
    with pytest.raises(ConflictError, match="run again"):
        say(load_events(late), [("a", "b", 0, {})], world.now)


def said_once(world: World) -> bool:
    """Say whether no two events were ever said under one name."""
    return bool(world.workspace.tables.read("events")["event_id"].is_unique)


@pytest.mark.slow
def test_two_models_at_once_do_not_spend_one_risk_twice() -> None:
    """A process that tests one model while another opens the hypothesis for its own gives way.

    What it found is not said: the next number, and its smaller risk, is for a test made anew.
    """
    world = accepting()

    def another(world: World) -> None:
        world.propose(dict.fromkeys(world.state.item_ids, ("cat", 0.8)), version="m3")
        look_anew(world)

    world.propose(dict.fromkeys(world.state.item_ids, ("cat", 0.9)), version="m2")
    late = beside(world, "events", another)
    assert "tried on these items already" in look_anew(late)
    world.propose(dict.fromkeys(world.state.item_ids, ("cat", 0.9)), version="m2b")
    look_anew(world)
    found = world.state.hypotheses
    assert [(h.number, h.labeler_version) for h in found] == [(1, "m1"), (2, "m3"), (3, "m2b")]
    assert [h.risk for h in found] == [hypothesis_risk(j, 0.05) for j in (1, 2, 3)]
    assert said_once(world)


def test_a_look_beside_a_closing_does_not_undo_it() -> None:
    """A process that looks again while another closes the hypothesis finds it closed."""
    world = accepting()
    ids = [f"b{n}" for n in range(8)]
    world.items(*ids)
    world.propose(dict.fromkeys(ids, ("cat", 0.9)), fit=False)
    for item in world.state.calibration_stream.ids[60:]:
        world.vote(item, "calibrate", ann="cat")

    def failed(world: World) -> None:
        (h,) = world.state.hypotheses
        body = dataclasses.replace(h, closed="the audit failed", cause="release audit", accepted=0)
        say(world.state, [world.state.hypothesis_event(body)], world.tick())

    late = beside(world, "events", failed)
    said = look_anew(late)
    (h,) = load(world.workspace).hypotheses
    assert h.closed and h.looks == 1 and load(world.workspace).accepted.empty
    assert "tried on these items already" in said


def test_a_closing_beside_a_look_is_said_after_it() -> None:
    """A process that closes a hypothesis while another looks at it closes what came of the look."""
    world = accepting()

    def looked(world: World) -> None:
        (h,) = world.state.hypotheses
        again = dataclasses.replace(h, looks=2)
        say(world.state, [world.state.hypothesis_event(again)], world.tick())

    world.say("annotator_flagged", "human:ann", 0, reason="a test")
    late = beside(world, "events", looked)
    assert len(closed_now(late)) == 1
    (h,) = load(world.workspace).hypotheses
    assert h.closed and h.looks == 2


@pytest.mark.slow
def test_a_run_of_the_stream_is_looked_at_once() -> None:
    """Two processes, of which one saw more items: each item is in one look only."""
    world = make_world(calibration=10_000)
    first = [f"a{n:02}" for n in range(40)]
    world.items(*first)
    for item in world.state.calibration_sample.ids:
        world.vote(item, "calibrate", ann="cat")

    def more(world: World) -> None:
        world.items(*(f"b{n:02}" for n in range(40)))
        for item in world.state.calibration_sample.ids:
            world.vote(item, "calibrate", ben="cat")
        world.flush()
        consolidate(world.workspace, now=world.tick())

    late = beside(world, "events", more)
    late.hour += 200
    consolidate(late.workspace, now=late.now)
    assert said_once(world)
    found = drift_watch(load(world.workspace))
    bodies = [json.loads(body) for body in events(world, "drift")["body"]]
    sample = load(world.workspace).calibration_sample
    assert found.items == sum(body["items"] for body in bodies) == len(sample)


def _decided() -> World:
    world = make_world()
    ids = [f"i{n}" for n in range(6)]
    world.items(*ids)
    for n, item in enumerate(ids):
        world.vote(item, ann=("cat", "dog")[n % 2], ben=("cat", "dog")[n % 2])
    world.flush()
    consolidate(world.workspace, now=world.tick())
    world.say("audited", "x", 1, candidates=0, rows=0)
    return world


@pytest.mark.slow
def test_two_gates_at_once_freeze_one_candidate() -> None:
    """The second finds the first one's candidate, and judges that."""
    world = _decided()
    policies = dataclasses.replace(
        world.workspace.policies,
        audit=dataclasses.replace(world.workspace.policies.audit, rounds=1),
    )
    world = World(dataclasses.replace(world.workspace, policies=policies), world.hour)
    late = beside(world, "events", lambda w: gate(w.workspace, now=w.tick(), split_groups={}))
    late.hour += 5
    found = gate(late.workspace, now=late.now, split_groups={})
    state = load(world.workspace)
    assert found.candidate == state.candidate and len(state.candidates) == 1
    assert len(events(world, "candidate")) == 1 and said_once(world)


def test_a_name_asked_for_twice_at_once_is_given_twice() -> None:
    """Neither of two requests to move a name is lost; the later one holds."""

    @dataclasses.dataclass
    class Made:
        reference: str
        digest: str = "d"

    world = make_world()
    move = lambda w, to: say_name(w.workspace, "prod", Made(to), w.tick())  # noqa: E731
    late = beside(world, "events", lambda w: move(w, "pets@1.0.0"))
    move(late, "pets@2.0.0")
    rows = events(world, "name").sort_values("revision")
    assert [json.loads(b)["release"] for b in rows["body"]] == ["pets@1.0.0", "pets@2.0.0"]


@pytest.mark.slow
def test_labels_decided_on_fewer_votes_do_not_stand_beside_later_ones() -> None:
    """A process that has read the votes too early decides anew on top of the other's labels."""

    def more(world: World) -> None:
        for who in ("cid", "dan", "eve"):
            world.vote("a", **{who: "dog"})
        world.flush()
        consolidate(world.workspace, now=world.tick())

    def begun() -> World:
        world = make_world()
        world.items("a", "b")
        world.vote("a", ann="cat", ben="cat")
        return world

    world, alone = begun(), begun()
    late = beside(world, "labels", more)
    late.hour += 50
    consolidate(late.workspace, now=late.now)
    more(alone)
    found, wanted = (load(w.workspace).labels for w in (world, alone))
    columns = ["item_id", "value", "posterior"]
    pd.testing.assert_frame_equal(found[columns], wanted[columns])
    assert not world.workspace.tables.read("labels").duplicated(["item_id", "revision"]).any()


@pytest.mark.slow
def test_two_plans_at_once_ask_nobody_twice() -> None:
    """The second plans on top of the first: what was asked for is in flight."""
    world = make_world()
    world.items(*(f"i{n}" for n in range(20)))
    late = beside(world, "plan", lambda w: route(w.workspace, now=w.tick()))
    late.hour += 5
    route(late.workspace, now=late.now)
    alone = make_world()
    alone.items(*(f"i{n}" for n in range(20)))
    route(alone.workspace, now=alone.tick())
    asked = [int(w.state.plan["annotators"].sum()) for w in (world, alone)]
    rows = world.workspace.tables.read("plan")
    assert asked[0] == asked[1] and not rows.duplicated(["item_id", "round", "purpose"]).any()


@pytest.mark.slow
def test_two_audits_at_once_do_not_mix_their_findings() -> None:
    """Of two that would have one number one is kept; the other is done again, with its own."""
    world, rng = make_world(), np.random.default_rng(0)
    ids = [f"i{n:02}" for n in range(60)]
    world.items(*ids)
    for n, item in enumerate(ids):
        said = ("cat", "dog", "cow")[n % 3]
        world.vote(item, ann=said, ben=said, cid=said)
    world.flush()
    consolidate(world.workspace, now=world.tick())
    place = {item: np.eye(3)[n % 3] + 0.1 * rng.normal(size=3) for n, item in enumerate(ids)}

    def features(items: pd.DataFrame) -> np.ndarray:
        return np.array([place[item] for item in items["item_id"]])

    others = {"candidates": 0, "rows": 0}
    late = beside(world, "events", lambda w: w.say("audited", "other labels", 1, **others))
    late.hour += 5
    found = audit(late.workspace, features, now=late.now)
    assert found.round == 0 and "meanwhile" in found.reason
    assert load(world.workspace).findings.empty
    assert audit(late.workspace, features, now=late.tick()).round == 2
    assert (load(world.workspace).findings["round"] == 2).all()
