"""A candidate whose audit draws by doubt: fixed beforehand, blind, and judged as any other."""

from __future__ import annotations

import dataclasses
import json
from functools import cache

import numpy as np
import pytest

from labelops.gate.checks import evaluate
from labelops.gate.policy import GatePolicy
from labelops.journey import consolidate, gate, route
from labelops.journey.gate import Gated
from labelops.state.facts import gate_facts

from .world import World, consolidated, events, make_world

IDS = [f"i{n:03d}" for n in range(120)]
DOUBTED = IDS[:12]
GATE = GatePolicy(error=0.1, agreement=-1.0, per_class=0, open_findings=1.0)


def _world(policy: GatePolicy = GATE) -> World:
    """Return 120 items labeled by two people each; the first twelve are in doubt."""
    return _labeled_once(policy).copy()


@cache
def _labeled_once(policy: GatePolicy) -> World:
    world = make_world(gate=policy, votes_per_round=500)
    world.items(*IDS)
    for n, item in enumerate(IDS):
        world.vote(item, ann="cat" if n % 2 else "dog", gil="cat" if n % 2 else "dog")
    sure = [0.3 if item in DOUBTED else 0.99 for item in IDS]
    world.label({i: "cat" if n % 2 else "dog" for n, i in enumerate(IDS)}, posterior=sure)
    consolidated(world, 1)
    return world


def _gate(world: World) -> Gated:
    return gate(world.workspace, now=world.tick(), split_groups={})


def _label(world: World, item: str) -> str:
    value = world.state.labels.set_index("item_id")["value"].loc[item]
    return str(json.loads(str(value)))


@pytest.mark.parametrize(("audit", "drawn"), [("auto", "weighted"), ("uniform", "uniform")])
@pytest.mark.slow
def test_doubt_decides_how_the_audit_draws(audit: str, drawn: str) -> None:
    """Where posteriors expect as much as the bound to be wrong it draws by doubt, or as is set."""
    found = _gate(_world(dataclasses.replace(GATE, audit=audit))).candidate
    assert found is not None and found.audit == drawn and found.why
    assert bool(found.doubts) == (drawn == "weighted")


@pytest.mark.slow
def test_doubted_labels_come_first() -> None:
    """Labels in doubt are drawn far more often than by even chances, and the others are too."""
    world = _world()
    _gate(world)
    audit = world.state.audit
    assert audit is not None and audit.certificate.audit == "weighted"
    first = audit.planned.ids[:30].tolist()
    assert 5 <= np.isin(first, DOUBTED).sum() < 30


@pytest.mark.slow
def test_no_vote_moves_the_order() -> None:
    """The doubts are kept with the candidate: no vote of the audit, or later, changes a place."""
    world = _world()
    _gate(world)
    before = world.state.audit
    assert before is not None
    for item in before.planned.ids[:20]:
        world.vote(item, "audit", ben=_label(world, item))
    world.vote(IDS[50], dan="dog", eve="dog")
    world.flush()
    consolidate(world.workspace, now=world.tick())
    after = world.state.audit
    assert after is not None
    seen = min(len(before.planned), len(after.planned))
    assert after.planned.ids[:seen].tolist() == before.planned.ids[:seen].tolist()
    assert after.planned.chances.tolist() == before.planned.chances.tolist()  # type: ignore[union-attr]


@pytest.mark.slow
def test_killed_before_the_event_it_freezes_the_same() -> None:
    """Killed once the doubts were kept, a second run keeps no others and freezes the same."""
    world, other = _world(), _world()
    first = _gate(world).candidate
    assert first is not None
    content = world.workspace.objects.get(first.doubts)
    other.workspace.objects.put_new(first.doubts, content)
    second = _gate(other).candidate
    assert second == first
    assert [n for n in other.workspace.objects.list() if n.startswith("doubts/")] == [first.doubts]
    assert len(events(other, "candidate")) == 1


@pytest.mark.slow
def test_clean_looks_pass_and_the_gate_says_how_many() -> None:
    """Inconclusive names the looks that are missing; when they agree the certificate passes."""
    world = _world()
    said = _gate(world).verdict.checks[0]
    assert said.status == "inconclusive" and said.needed > 0
    assert f"{said.needed} more clean audits certify" in said.message
    assert "drawn by doubt" in said.message
    audit = world.state.audit
    assert audit is not None and len(audit.planned) == said.needed
    for item in audit.planned.ids:
        world.vote(item, "audit", ben=_label(world, item))
    consolidated(world, 2)
    passed = _gate(world).verdict.checks[0]
    assert passed.status == "pass", passed.message


@pytest.mark.slow
def test_auditors_are_others_and_blind() -> None:
    """Route asks about the planned labels without a proposal and not who labeled them."""
    world = _world()
    world.propose(dict.fromkeys(IDS, ("cat", 0.9)))
    _gate(world)
    assert route(world.workspace, now=world.tick()).by_purpose["audit"] > 0
    asked = world.state.plan.loc[world.state.plan["purpose"] == "audit"]
    assert not asked["show_proposal"].any() and asked["value"].isna().all()
    assert {"human:ann", "human:gil"} <= set.intersection(
        *(set(json.loads(text)) for text in asked["exclude"])
    )
    for item in asked["item_id"]:
        world.vote(item, "audit", ann=_label(world, item))
    audit = world.state.audit
    assert audit is not None and audit.certificate.n == 0, "one's own label is no look"


@pytest.mark.slow
def test_an_error_needs_three_votes_and_is_corrected() -> None:
    """One vote against a label settles nothing; three agreeing do, and it counts as an error."""
    world = _world()
    _gate(world)
    audit = world.state.audit
    assert audit is not None
    wrong, last = audit.planned.ids[[0, -1]]
    world.vote(last, "audit", **dict.fromkeys(("dan", "eve", "fay"), _label(world, last)))
    world.vote(wrong, "audit", ben="cow")
    audit = world.state.audit
    assert audit is not None and audit.pending[0] and audit.certificate.n == 0
    world.vote(wrong, "audit", dan="cow", eve="cow")
    world.flush()
    assert consolidate(world.workspace, now=world.tick()).corrected == 1
    audit = world.state.audit
    assert audit is not None and audit.certificate.errors == audit.certificate.corrected == 1
    assert _label(world, wrong) == "cow"


@pytest.mark.slow
def test_too_many_errors_fail_and_the_next_order_is_another() -> None:
    """A weighted candidate that failed is closed; the next one's order is its own."""
    world = _world()
    _gate(world)
    order = world.state.audit
    assert order is not None
    for item in order.planned.ids[:40]:
        world.vote(item, "audit", ben="cow", dan="cow")
    consolidated(world, 2)
    assert _gate(world).verdict.checks[0].status == "fail"
    failed = world.state.candidates[-1]
    assert failed.closed.startswith("failed") and failed.looks_again > 0
    again = dataclasses.replace(failed, number=2, closed="")
    assert again.order != failed.order


@pytest.mark.slow
def test_facts_name_the_audit() -> None:
    """The gate's facts hold the weighted certificate, and every check is still made."""
    world = _world()
    _gate(world)
    facts = gate_facts(world.state, world.now, {})
    assert facts.certificate is not None and facts.certificate.audit == "weighted"
    assert len(evaluate(facts, GATE).checks) == 7
