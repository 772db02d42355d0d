"""Items that come too late to be waited for: which they are, and what is frozen without them."""

from __future__ import annotations

import dataclasses
from functools import cache

import pytest

from labelops.errors import SettingsError
from labelops.gate.candidate import labels_digest
from labelops.gate.policy import GatePolicy
from labelops.journey import gate
from labelops.state.facts import gate_facts
from labelops.state.late import labels_to_freeze, late_items
from labelops.state.needs import work_in_flight

from .world import World, consolidated, make_world

POLICY = GatePolicy(error=0.3, agreement=-1.0, per_class=0, wait_days=2.0)
OLD = [f"a{n:02d}" for n in range(12)]


def _on(world: World, day: float) -> None:
    """Let it be that day."""
    world.hour = max(world.hour, int(day * 24))


def _decided(world: World, *ids: str) -> None:
    """Let two people agree on each item, of one class or another."""
    values = {item: "cat" if int(item[1:]) % 2 else "dog" for item in ids}
    for item, value in values.items():
        world.vote(item, ann=value, ben=value)
    world.label(values)


def _stream(policy: GatePolicy = POLICY) -> World:
    """Make a set of which `c00` waits: `a..` came on day 0, `b00` on 1, `c..` on 2, `d00` on 3."""
    return _streamed(policy).copy()


@cache
def _streamed(policy: GatePolicy) -> World:
    world = make_world(gate=policy)
    for day, ids in enumerate((OLD, ["b00"], ["c00", "c01"], ["d00"])):
        _on(world, day)
        world.items(*ids)
        _decided(world, *(item for item in ids if item != "c00"))
    return world


def _audited(world: World, number: int = 1) -> None:
    """Say that labels were decided, and those to be frozen searched for errors."""
    consolidated(world, number)
    digest = labels_digest(labels_to_freeze(world.state))
    world.say("audited", digest, 100 + number, candidates=number - 1, rows=0)


def _freeze(world: World) -> None:
    _audited(world, 1 + len(world.state.candidates))
    found = gate(world.workspace, now=world.tick(), split_groups={})
    assert found.candidate is not None, found.verdict.summary


def _released(world: World) -> None:
    """Close the open candidate as released."""
    candidate = world.state.candidate
    assert candidate is not None
    digest = world.state.labels_digest(world.state.frozen)
    closed = dataclasses.replace(candidate, closed="released pets@1.0.0", digest=digest)
    world.say("candidate", str(closed.number), 1, **dataclasses.asdict(closed))


def test_all_that_came_with_the_first_that_waits_or_later_is_late() -> None:
    """Decided or not: which labels are frozen depends on when their items came alone."""
    world = _stream()
    assert late_items(world.state).tolist() == ["c00", "c01", "d00"]
    assert labels_to_freeze(world.state)["item_id"].tolist() == [*OLD, "b00"]
    assert work_in_flight(world.state) == ""
    _decided(world, "c00")
    assert late_items(world.state).size == 0, "nothing waits"


@pytest.mark.parametrize(("days", "late"), [(2.9, 3), (3.1, 0), (0.0, 0)])
def test_labels_wait_for_later_items_so_long(days: float, late: int) -> None:
    """The newest item came three days after the first; 0 waits for all."""
    world = _stream(dataclasses.replace(POLICY, wait_days=days))
    assert len(late_items(world.state)) == late
    assert bool(work_in_flight(world.state)) == (not late)


def test_where_the_first_items_wait_all_wait() -> None:
    """Nothing came before them."""
    world = make_world(gate=POLICY)
    world.items(*OLD)
    _on(world, 5)
    world.items("b00")
    _decided(world, "b00", *OLD[1:])
    assert late_items(world.state).size == 0
    assert work_in_flight(world.state) == "1 item has no label yet"


def test_what_is_withdrawn_waits_for_nobody() -> None:
    """An item that is out is neither waited for nor keeps what came after it."""
    world = _stream()
    world.say("withdrawn", "c00", because="asked", by="ann", candidates=0, out=True)
    assert late_items(world.state).size == 0


def test_a_candidate_goes_without_late_items_for_good() -> None:
    """What people say of them while it is audited moves nothing in it."""
    world = _stream()
    _freeze(world)
    state = world.state
    assert state.candidate is not None and state.candidate.items == len(OLD) + 1
    facts = gate_facts(state, world.now, {})
    assert (facts.items, facts.decided) == (len(OLD) + 1, len(OLD) + 1)
    assert state.came_by(state.candidate, ["a00", "b00", "c00", "c01", "d00"]).tolist() == [
        True, True, False, False, False
    ]  # fmt: skip
    _decided(world, "c00", "c01")
    _on(world, 4)
    world.items("e00")
    _decided(world, "e00")
    inside = [*OLD, "b00"]
    assert world.state.frozen["item_id"].tolist() == inside
    assert world.state.labels_of(state.candidate).index.tolist() == inside
    assert world.state.audit is not None and world.state.audit.certificate.n == 0
    facts = gate_facts(world.state, world.now, {})
    assert (facts.items, facts.decided) == (len(OLD) + 1, len(OLD) + 1)


@pytest.mark.slow
def test_the_next_candidate_has_what_was_late() -> None:
    """Its audit reads on in the same order; a late label that moved before it is no matter."""
    world = _stream()
    _freeze(world)
    first = world.state.candidate
    assert first is not None
    world.label({"c01": "cow"})
    assert not world.state.moved(first), "it was not frozen yet"
    _decided(world, "c00")
    world.label({"c01": "cow"})
    _released(world)
    assert world.state.released_items.tolist() == [*OLD, "b00"]
    assert late_items(world.state).size == 0
    _freeze(world)
    second = world.state.candidate
    assert second is not None and second.late == "" and second.order == first.order
    assert world.state.frozen["item_id"].tolist() == [*OLD, "b00", "c00", "c01", "d00"]
    assert not world.state.moved(second)
    world.label({"c01": "cat"})
    assert world.state.moved(second), "it was frozen in the second"


@pytest.mark.slow
def test_what_was_released_and_is_in_doubt_again_is_waited_for() -> None:
    """A release does not lose labels to a vote that was taken back; revised content is another."""
    world = _stream()
    _freeze(world)
    _released(world)
    _decided(world, "c00")
    _on(world, 6)
    world.items("e00")
    assert late_items(world.state).tolist() == ["e00"]
    world.items("b00", payload="another text of", revision=1)
    assert late_items(world.state).tolist() == ["b00", "e00"], "it came again"
    votes = world.workspace.tables.read("votes")
    gone = votes.loc[votes["item_id"] == "a03"].assign(
        status="deleted", value=None, revision=1000 + votes.index[votes["item_id"] == "a03"]
    )
    world.workspace.tables.append("votes", gone)
    assert "a03" in world.state.undecided
    assert late_items(world.state).size == 0


def test_nothing_new_is_no_reason_to_freeze() -> None:
    """What was released already waits for nothing: later items are waited for as ever."""
    world = _stream()
    _freeze(world)
    _released(world)
    assert late_items(world.state).size == 0
    assert "1 item has no label yet" in work_in_flight(world.state)


@pytest.mark.parametrize("days", [-1.0, 1e6, float("nan")])
def test_days_that_cannot_be_are_refused(days: float) -> None:
    """In one line that names the setting."""
    with pytest.raises(SettingsError, match=r"gate\.wait_days is .*, expected 0 to 36,500"):
        GatePolicy(wait_days=days)
