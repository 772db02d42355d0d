"""The audit of first votes, in a team of three."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.gate.audit_state import AuditState
from labelops.gate.candidate import Candidate
from labelops.gate.checks import evaluate
from labelops.gate.policy import GatePolicy
from labelops.journey import consolidate
from labelops.state.facts import gate_facts

from .world import World, make_world

IDS = [f"i{n:02d}" for n in range(40)]


@pytest.fixture
def world() -> World:
    """Forty items; ann says cat first and ben agrees, but for the first three."""
    world = make_world(gate=GatePolicy(error=0.1))
    world.items(*IDS)
    world.vote(IDS[0], ann="dog")
    world.vote(IDS[0], ben="cat", cid="cat")
    world.vote(IDS[1], ann="cat")
    world.vote(IDS[1], ben="dog", cid="cat")
    world.vote(IDS[2], ann="cat")
    for item in IDS[3:]:
        world.vote(item, ann="cat")
        world.vote(item, ben="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    return world


def _freeze(world: World) -> None:
    labels = world.state.labels
    revision = int(labels["revision"].max())
    candidate = Candidate(1, revision, 1, len(labels), "d", ties=True, firsts=True)
    names = ("number", "revision", "stream", "items", "digest", "ties", "firsts")
    world.say("candidate", "1", 0, **{n: getattr(candidate, n) for n in names})


def _audit(world: World) -> AuditState:
    found = world.state.audit
    assert found is not None
    return found


def _where(audit: AuditState, item: str) -> int:
    return int(np.flatnonzero(audit.planned.ids == item)[0])


@pytest.mark.slow
def test_who_looked_later_audits_the_first_vote(world: World) -> None:
    """Two who refute it make it an error that is corrected; a tie stands; two alike need no third.

    Only the item with one vote is to be looked at.
    """
    _freeze(world)
    world.vote(IDS[2], "audit", ben="cat")
    audit = _audit(world)
    found = audit.certificate
    assert (found.status, found.errors, found.corrected) == ("pass", 1, 1)
    assert audit.tied == 1 and not (audit.unseen | audit.pending).any()
    (check, *_) = evaluate(
        gate_facts(world.state, world.now, {}), world.state.workspace.policies.gate
    ).checks
    assert "first votes" in check.message


@pytest.mark.parametrize(
    ("says", "value"), [("dog", '"dog"'), pytest.param("cow", '"cat"', marks=pytest.mark.slow)]
)
def test_what_two_refute_is_corrected(world: World, says: str, value: str) -> None:
    """Where those two agree; else the doubt stays an error."""
    _freeze(world)
    world.vote(IDS[2], "audit", ben="dog")
    audit = _audit(world)
    if IDS[2] in audit.planned.ids:
        assert audit.pending[_where(audit, IDS[2])]
    world.vote(IDS[2], "audit", cid=says)
    world.flush()
    consolidate(world.workspace, now=world.tick())
    labels = world.state.labels.set_index("item_id")
    assert labels.loc[IDS[2], "value"] == value
    found = _audit(world).certificate
    assert (found.errors, found.corrected) == ((2, 2) if says == "dog" else (2, 1))


@pytest.mark.slow
def test_a_label_that_left_a_confirmed_first_vote_is_wrong(world: World) -> None:
    """What people said outweighs whatever else the label follows; it is corrected to that."""
    world.label({IDS[3]: "dog"})
    _freeze(world)
    world.vote(IDS[2], "audit", ben="cat")
    assert _audit(world).certificate.errors == 2
    world.flush()
    consolidate(world.workspace, now=world.tick())
    assert world.state.labels.set_index("item_id").loc[IDS[3], "value"] == '"cat"'
    assert _audit(world).certificate.errors == 1


def test_an_item_without_a_label_is_an_error_that_stays(world: World) -> None:
    """Three said three things: what the first vote was worth, nobody knows."""
    world.items("split")
    world.vote("split", ann="cat", ben="dog", cid="cow")
    _freeze(world)
    world.vote(IDS[2], "audit", ben="cat")
    found = _audit(world).certificate
    assert (found.errors, found.corrected, found.size) == (2, 1, 41)


def test_votes_after_the_freeze_are_no_first_votes(world: World) -> None:
    """Where a model's label is frozen, whoever looks later judges it, for whatever purpose."""
    world.items("model")
    world.label({"model": "cat"}, "accepted")
    _freeze(world)
    world.vote("model", "review", ann="dog", ben="dog", cid="dog")
    world.vote(IDS[2], "audit", ben="cat")
    assert _audit(world).certificate.errors == 2
