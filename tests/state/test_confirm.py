"""How many votes an audit takes to confirm a label: one, and more where a set is too small."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from labelops.consolidate.policy import ConsolidatePolicy
from labelops.gate.candidate import ADJUDICATED, OVERLOOKED
from labelops.gate.policy import GatePolicy
from labelops.journey import gate
from labelops.state import Workspace
from labelops.state.needs import all_needs

from .world import World, consolidated, make_world

IDS = [f"i{n:03d}" for n in range(60)]


def _world(errs: int, confirm: int = 0, error: float = 0.1) -> World:
    """Return 60 items with two votes for the label; `errs` in 20 of each class have one against."""
    policy = GatePolicy(
        error=error, agreement=-1.0, per_class=0, open_findings=1.0, audit="uniform",
        confirm=confirm,
    )  # fmt: skip
    made = make_world(gate=policy, votes_per_round=500).workspace
    policies = replace(made.policies, consolidate=ConsolidatePolicy(min_posterior=0.6))
    world = World(Workspace(made.tables, made.objects, made.schema, b"key", policies))
    world.items(*IDS)
    for n, item in enumerate(IDS):
        right, other = ("cat", "dog") if n % 2 else ("dog", "cat")
        world.vote(item, ann=right, gil=right, ben=other if n // 2 % 20 < errs else right)
        if n >= 58:
            world.vote(item, dan=right, eve=right)  # So that there are two who did not look.
    world.label({i: "cat" if n % 2 else "dog" for n, i in enumerate(IDS)}, posterior=[0.97] * 60)
    consolidated(world, 1)
    gate(world.workspace, now=world.tick(), split_groups={})
    return world


@pytest.mark.parametrize(
    ("errs", "confirm", "error", "expected"),
    [(13, 0, 0.1, 1), (13, 2, 0.1, 2), (1, 0, 0.1, 1), (4, 0, 0.02, 2)],
)
@pytest.mark.slow
def test_as_many_are_asked_as_can_certify(
    errs: int, confirm: int, error: float, expected: int
) -> None:
    """By their blind votes, unless the settings say; it is kept with the candidate."""
    world = _world(errs, confirm, error)
    state = world.state
    assert state.candidate is not None and state.candidate.confirm == expected
    needs = all_needs(state)
    asked = [rows.loc[rows["purpose"] == "audit"] for rows in needs if not rows.empty]
    assert {int(w) for rows in asked for w in rows["wanted"]} == {expected}


@pytest.mark.slow
def test_what_is_learned_during_an_audit_does_not_move_what_is_allowed_for() -> None:
    """Votes that would have said that more is missed, had they come before, change no candidate."""
    before, after = _world(13).state.candidate, _world(1)
    frozen = after.state.candidate
    assert before is not None and frozen is not None and before.missed > 2 * frozen.missed > 0
    for n, item in enumerate(IDS[:58]):
        if 1 <= n // 2 % 20 < 13:
            after.vote(item, "audit", dan="dog" if n % 2 else "cat")
    gate(after.workspace, now=after.tick(), split_groups={})
    assert after.state.candidate == frozen
    assert after.state.audit is not None
    assert after.state.audit.certificate.missed == frozen.missed


@pytest.mark.slow
def test_where_no_audit_can_certify_nobody_is_asked() -> None:
    """People who err in two of three votes: nothing is frozen, and the gate says why."""
    world = _world(20, error=0.02)
    found = gate(world.workspace, now=world.tick(), split_groups={})
    assert found.candidate is None and not found.verdict.passed
    (said,) = [c.message for c in found.verdict.checks if "no audit can certify" in c.message]
    assert "no audit can certify 60 labels at 2 %: looks may take 78.08 % of wrong labels" in said
    assert "more votes may show it to be less" in said


@pytest.mark.slow
def test_one_vote_leaves_the_look_open_and_a_second_settles_it() -> None:
    """The certificate counts a look once two more agree than not."""
    world = _world(13, confirm=2)
    audit = world.state.audit
    assert audit is not None
    first = str(audit.planned.ids[0])
    values = world.state.frozen.set_index("item_id")["value"]
    label = str(json.loads(str(values.loc[first])))
    for who, looks in (("dan", 0), ("eve", 1)):
        world.vote(first, "audit", **{who: label})
        world.flush()
        audit = world.state.audit
        assert audit is not None
        assert audit.certificate.n == looks and bool(audit.pending[0]) == (looks == 0)


@pytest.mark.slow
def test_an_audit_that_can_show_nothing_any_more_ends() -> None:
    """Of sixty labels one may be wrong. Four were, and are corrected: two may well be missed."""
    world = _world(5, confirm=1, error=0.02)
    audit = world.state.audit
    assert audit is not None and audit.certificate.status == "inconclusive"
    for place, item in enumerate(audit.planned.ids[:55].tolist()):
        label, other = ("cat", "dog") if IDS.index(item) % 2 else ("dog", "cat")
        if place % 11 != 10:
            world.vote(item, "audit", fay=label)
            continue
        world.vote(item, "audit", dan=other, eve=other, fay=other)
        world.flush()
        rows = world.state.audit_votes
        votes = sorted(rows.loc[rows["item_id"] == item, "vote_id"])
        world.label({item: other}, method=ADJUDICATED, votes=votes)
    consolidated(world, 2)
    found = gate(world.workspace, now=world.tick(), split_groups={})
    assert found.verdict.status == "fail"
    assert "4 of them corrected, in 52 blind random audits" in found.verdict.summary
    assert "auditors may take 5.67 % of wrong labels for right" in found.verdict.summary
    (ended,) = world.state.candidates
    assert ended.closed == OVERLOOKED and not ended.refuted
    again = gate(world.workspace, now=world.tick(), split_groups={})
    assert again.candidate is None and len(world.state.candidates) == 1
    assert "least certain labels wait for another look" in again.verdict.summary
