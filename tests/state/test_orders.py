"""When an audit's random order is read on, and what becomes of items that leave the set."""

from __future__ import annotations

from functools import cache

import pandas as pd
import pytest

from labelops.gate.candidate import ADJUDICATED, Candidate, attempt_of, labels_digest
from labelops.gate.certificate import certify
from labelops.gate.policy import GatePolicy
from labelops.journey import consolidate, gate
from labelops.measure.finite import tolerated_errors
from labelops.schema import Schema
from labelops.state.verdicts import audit_verdicts

from .frozen import close, freeze
from .world import World, make_world

IDS = [f"i{n:02d}" for n in range(40)]


@pytest.fixture
def world() -> World:
    """Forty items that two people labeled cat, frozen."""
    return _frozen().copy()


@cache
def _frozen() -> World:
    world = make_world(gate=GatePolicy(error=0.2, agreement=-1.0, per_class=0))
    world.items(*IDS)
    for item in IDS:
        world.vote(item, ann="cat", ben="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    return world


def candidate(world: World) -> Candidate:
    found = world.state.candidate
    assert found is not None
    return found


def order(world: World) -> list[str]:
    """Return the items in the order of the open candidate's audit."""
    audit = world.state.audit_order(candidate(world), world.state.item_ids)
    return [str(i) for i in audit.ids]


@pytest.mark.slow
def test_new_items_and_corrections_move_no_label(world: World) -> None:
    """What the audit itself corrects, and what comes anew, leave the order what it is."""
    first, wrong = candidate(world), order(world)[0]
    world.vote(wrong, "audit", dan="dog", eve="dog")
    world.flush()
    consolidate(world.workspace, now=world.tick())
    close(world, first, "released pets@1.0.0")
    world.items("new")
    world.label({"new": "cow"})
    state = world.state
    assert state.labels.set_index("item_id").loc[wrong, "method"] == ADJUDICATED
    assert not state.moved(first)


@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("value", ["dog", None])
def test_a_label_decided_otherwise_moves(world: World, place: int, value: str | None) -> None:
    """Whether somebody looked at it or not, and whether it has a label now or not."""
    first, item = candidate(world), order(world)[place]
    world.vote(order(world)[0], "audit", dee="cat")
    close(world, first, "released pets@1.0.0")
    if value is None:
        world.items(item, payload="other text of", revision=1)
    else:
        world.label({item: value})
    assert world.state.moved(first)


def test_an_item_of_new_content_is_another_one(world: World) -> None:
    """Though it is labeled as before: who mends what was found wrong leaves a clean sample."""
    first, item = candidate(world), order(world)[0]
    close(world, first, "released pets@1.0.0")
    world.items(item, payload="other text of", revision=1)
    world.label({item: "cat"})
    assert world.state.moved(first)


def test_a_label_that_says_the_same_by_another_way_stands(world: World) -> None:
    """Decided again as it was, or under a schema that has a class more."""
    first = candidate(world)
    close(world, first, "released pets@1.0.0")
    world.label(dict.fromkeys(IDS[:20], "cat"), method="accepted")
    assert not world.state.moved(first)
    schema = world.workspace.schema
    wider = make_world(Schema("pets", (*schema.classes, "ewe")), gate=GatePolicy(), like=world)
    assert not wider.state.moved(first)


def test_what_joined_the_order_later_moves_as_well(world: World) -> None:
    """Each label is held against what it was when it was frozen first."""
    first = candidate(world)
    close(world, first, "released pets@1.0.0")
    world.items("new")
    world.label({"new": "cow"})
    second = freeze(world, 2)
    close(world, second, "released pets@1.1.0")
    assert not world.state.moved(second)
    world.label({"new": "dog"})
    assert world.state.moved(second)


@pytest.mark.slow
def test_a_year_of_releases_is_read_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many candidates there were, what they froze is found by one reading of the labels."""
    for number in range(1, 13):
        close(world, candidate(world), f"released pets@1.{number}.0")
        world.items(f"new{number}")
        world.label({f"new{number}": "cow"})
        freeze(world, number + 1)
    state, last = world.state, candidate(world)
    read, asked = world.workspace.tables.read, []

    def noted(table: str, **how: object) -> pd.DataFrame:
        asked.append(table)
        return read(table, **how)

    monkeypatch.setattr(world.workspace.tables, "read", noted)
    assert not state.moved(last)
    assert len(audit_verdicts(state)) == 0
    assert [len(state.labels_of(c)) for c in state.candidates] == list(range(40, 53))
    assert asked.count("labels") == 1


@pytest.mark.parametrize("moved", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_gate_reads_on_only_where_no_label_moved(world: World, moved: bool) -> None:
    """Else it draws anew, at the risk of a first attempt after a release."""
    first, item = candidate(world), order(world)[0]
    world.vote(item, "audit", dan="cat")
    close(world, first, "released pets@1.0.0")
    world.items("new")
    world.vote("new", ann="cow", ben="cow")
    world.label({"new": "cow"} | ({item: "dog"} if moved else {}))
    world.say("consolidated", "votes", 1, votes=world.state.votes_digest)
    world.say("audited", labels_digest(world.state.labels), 1, candidates=1, rows=0)
    assert gate(world.workspace, now=world.tick(), split_groups={}).candidate is not None
    second = candidate(world)
    assert (second.number, second.order) == (2, "audit/2" if moved else "audit/1")
    assert attempt_of(second, world.state.candidates) == 1


@pytest.mark.parametrize("looked", [True, False])
def test_what_leaves_the_set_stays_in_its_audit(world: World, looked: bool) -> None:
    """An error that left, whatever was found of it; it needs no look, and is in no share."""
    first, second = order(world)[:2]
    if looked:
        world.vote(first, "audit", dan="dog", eve="dog")
    world.vote(second, "audit", dan="cat")
    world.items(first, payload="other text of", revision=1)
    audit = world.state.audit
    assert audit is not None
    found = audit.certificate
    assert (found.n, found.errors, found.corrected, found.bound) == (2, 1, 1, 0.2)
    assert not audit.unseen[0] and audit.correction[0] == -1
    alone = certify([True, False], 0.2 * 39 / 40, found.risk, 40, 1)
    assert tolerated_errors(alone.bound, 40) == tolerated_errors(0.2, 39)
    assert found.needed == alone.needed
    assert found.certified == pytest.approx(min(1, alone.certified * 40 / 39))
    assert first not in set(world.state.frozen["item_id"])


def test_what_left_unseen_beyond_the_looks_is_no_error_yet(world: World) -> None:
    """It only makes the set smaller: the bound is a share of those that are there."""
    last = order(world)[-1]
    world.vote(order(world)[0], "audit", dan="cat")
    world.items(last, payload="other text of", revision=1)
    audit = world.state.audit
    assert audit is not None
    found = audit.certificate
    assert (found.n, found.errors, found.corrected) == (1, 0, 0)
