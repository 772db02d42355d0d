"""What an audit finds wrong is corrected once, and stays an error of its order."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from labelops.gate.candidate import ADJUDICATED
from labelops.gate.policy import GatePolicy
from labelops.journey import consolidate
from labelops.schema import Schema
from labelops.state.facts import gate_facts
from labelops.state.needs import all_needs

from .frozen import GATE, IDS, certified_message, close, forty_pets, freeze
from .world import PETS, World, make_world


@pytest.fixture
def world() -> World:
    return forty_pets()


def test_an_error_stays_one_until_its_candidate_failed(world: World) -> None:
    """A corrected label counts as wrong in the order that found it; in the next it is looked at."""
    for item in IDS:
        world.vote(item, ann="cat")
    world.vote("i00", dan="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    first = freeze(world)
    state = world.state
    assert state.audit is not None
    wrong = state.audit.planned.ids[0]
    world.vote(wrong, "audit", ben="dog", cid="dog")
    votes = world.state.audit_votes["vote_id"].tolist()
    world.label({wrong: "dog"}, ADJUDICATED, votes)
    audit = world.state.audit
    assert audit is not None and audit.certificate.errors == 1
    assert audit.correction.tolist().count(1) == 0, "it is not corrected twice"
    close(world, first, "failed: test")
    freeze(world, 2, stream=2)
    audit = world.state.audit
    assert audit is not None and not audit.wrong.any()
    assert audit.certificate.n == 0, "those who corrected it do not audit it"
    for item in IDS:
        said = "dog" if item == wrong else "cat"
        world.vote(item, "audit", dan=said, eve=said)
    audit = world.state.audit
    assert audit is not None and audit.certificate.errors == 0
    assert audit.certificate.status == "pass"


def test_later_items_neither_help_nor_hinder() -> None:
    """The gate's facts are about the frozen labels, not about what came after."""
    world = make_world(gate=GatePolicy(per_class=1))
    world.items("a", "b")
    world.label({"a": "cat", "b": "dog"})
    freeze(world)
    world.items("c", "d", "e")
    world.label({"c": "cow"})
    facts = gate_facts(world.state, world.now, {})
    assert (facts.items, facts.decided) == (2, 2)
    assert dict(facts.class_counts) == {"cat": 1, "dog": 1, "cow": 0}


def test_a_revised_item_leaves_its_label() -> None:
    """A label of the earlier content is released with no other: not frozen, not corrected."""
    world = make_world()
    world.items("a", "b", "c")
    world.vote("b", ann="dog")
    world.label({"a": "cat", "b": "dog"})
    freeze(world)
    world.label({"c": "cow"}, ADJUDICATED, ["x"])
    last = world.state.labels["revision"].max()
    world.items("a", "c", payload="other text of", revision=1)
    state = world.state
    assert state.frozen["item_id"].tolist() == ["b"]
    assert state.labels["revision"].max() == last, "the next revision is later than all"
    assert "a" in state.decided[1].loc[state.decided[1]["value"].isna(), "item_id"].tolist()
    assert np.isin(["a", "c"], state.undecided).all()


@pytest.mark.slow
def test_a_correction_is_written_once(world: World) -> None:
    """Deciding again, and a further vote on a corrected label, correct nothing twice."""
    for item in IDS:
        world.vote(item, ann="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    assert world.state.audit is not None
    wrong = world.state.audit.planned.ids[0]
    world.vote(wrong, "audit", ben="dog", cid="dog")
    world.flush()
    assert consolidate(world.workspace, now=world.tick()).corrected == 1
    assert consolidate(world.workspace, now=world.tick()).corrected == 0
    world.vote(wrong, "audit", dan="dog")
    world.flush()
    assert consolidate(world.workspace, now=world.tick()).corrected == 0
    row = world.state.labels.set_index("item_id").loc[wrong]
    assert json.loads(row["evidence"])["replaces"] == '"cat"' and row["value"] == '"dog"'


@pytest.mark.slow
def test_only_a_correction_that_is_in_the_labels_is_taken_off(world: World) -> None:
    """Found, then corrected, then corrected by votes that do not count any more."""
    for item in IDS:
        world.vote(item, ann="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)

    def certified() -> tuple[int, int]:
        audit = world.state.audit
        assert audit is not None
        return audit.certificate.errors, audit.certificate.corrected

    audit = world.state.audit
    assert audit is not None
    wrong = audit.planned.ids[0]
    world.vote(wrong, "audit", ben="dog", cid="dog")
    assert certified() == (1, 0), "found, and not yet corrected"
    consolidate(world.workspace, now=world.tick())
    assert certified() == (1, 1)
    assert world.state.frozen.set_index("item_id").loc[wrong, "value"] == '"dog"'
    assert "1 wrong, 1 of them corrected, in 1 blind" in certified_message(world)
    world.vote(wrong, "audit", dan="cat", eve="cat")
    assert certified() == (1, 0), "others contradict it"
    world.vote(wrong, "audit", fay="dog")
    assert certified() == (1, 1)
    for name in ("ben", "cid", "fay"):
        world.say("annotator_flagged", f"human:{name}", 0, reason="a test")
    assert certified() == (1, 0), "nobody who counts names it"


@pytest.mark.slow
def test_a_correction_counts_on_in_the_same_order(world: World) -> None:
    """The next release reads the same looks: the error among them, the label mended."""
    for item in IDS:
        world.vote(item, ann="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    first = freeze(world)
    audit = world.state.audit
    assert audit is not None
    world.vote(audit.planned.ids[0], "audit", ben="dog", cid="dog")
    world.flush()
    consolidate(world.workspace, now=world.tick())
    close(world, first, "released pets@1.0.0")
    world.items("new")
    freeze(world, 2)
    state = world.state
    assert state.audit is not None and state.candidate is not None
    assert state.candidate.order == first.order
    found = state.audit.certificate
    assert (found.errors, found.corrected) == (1, 1)


@pytest.mark.slow
def test_a_correction_by_spare_votes_is_taken_off(world: World) -> None:
    """Where everybody labeled an item, those who were outvoted and prevail count as correcting."""
    for item in IDS:
        world.vote(item, ann="cat", ben="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    audit = world.state.audit
    assert audit is not None
    wrong = audit.planned.ids[0]
    world.vote(wrong, cid="dog", dan="dog")
    audit = world.state.audit
    assert audit is not None and audit.unaided == 1 and audit.correction[0] == 1
    consolidate(world.workspace, now=world.tick())
    state = world.state
    row = state.frozen.set_index("item_id").loc[wrong]
    assert (row["value"], row["method"]) == ('"dog"', ADJUDICATED)
    assert state.audit is not None and state.audit.certificate.corrected == 1


def test_what_nobody_can_settle_is_not_corrected(world: World) -> None:
    """A look that ends in a tie among all who may look is an error that stays one."""
    for item in IDS:
        world.vote(item, ann="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    audit = world.state.audit
    assert audit is not None
    world.vote(
        audit.planned.ids[0], "audit",
        ben="dog", cid="cow", dan="cat", eve="dog", fay="cow", gil="cat", hal="dog",
    )  # fmt: skip
    consolidate(world.workspace, now=world.tick())
    audit = world.state.audit
    assert audit is not None
    assert (audit.certificate.errors, audit.certificate.corrected) == (1, 0)


@pytest.mark.slow
def test_a_correction_from_before_a_class_was_added_is_looked_at_again(world: World) -> None:
    """That the label was wrong is true for good, that it is a dog was said without the fox."""
    for item in IDS:
        world.vote(item, ann="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    assert world.state.audit is not None
    first, last = world.state.audit.planned.ids[[0, -1]]
    world.vote(last, eve="cat", fay="cat", gus="cat", hal="cat")
    world.vote(first, "audit", ben="dog", cid="dog", dan="dog")
    world.flush()
    assert consolidate(world.workspace, now=world.tick()).corrected == 1
    assert world.state.audit.certificate.corrected == 1
    wider = Schema("pets", (*PETS.classes, "fox"))
    for schema in (PETS, wider):
        world.say("schema", schema.digest, 0, **schema.to_json())
    later = make_world(wider, gate=GATE, like=world)
    audit = later.state.audit
    assert audit is not None and audit.certificate.n == 0
    assert audit.planned.ids[0] == first and audit.unseen[0]
    asked = pd.concat(all_needs(later.state)).set_index("item_id")
    assert asked.loc[first, "purpose"] == "audit" and asked.loc[first, "wanted"] == 4
    other = later.copy()
    later.vote(first, "audit", eve="dog")
    found = later.state.audit
    assert found is not None
    seen = found.certificate
    assert (seen.n, seen.errors, seen.corrected) == (1, 1, 1)
    for name in ("eve", "fay", "gus"):
        other.vote(first, "audit", **{name: "fox"})
    other.flush()
    assert consolidate(other.workspace, now=other.tick()).corrected == 1
    assert other.state.labels.set_index("item_id").loc[first, "value"] == '"fox"'
    found = other.state.audit
    assert found is not None
    seen = found.certificate
    assert (seen.n, seen.errors, seen.corrected) == (1, 1, 1)
