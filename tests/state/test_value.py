"""Whom a label set asks next: people, then experts, within its money."""

from __future__ import annotations

import json

import pytest

from labelops.autolabel.policy import AcceptancePolicy
from labelops.journey import route
from labelops.route.needs import CROWD, EXPERT
from labelops.state.needs import budget_spent
from labelops.state.value import label_worth, voters_of

from .world import World, make_world, plan

IDS = [f"i{n:02d}" for n in range(12)]
EVE = "human:eve"


def _torn(**route: object) -> World:
    """Let three people disagree on the first item and agree on the others."""
    world = make_world(accept=AcceptancePolicy(rule="never"), overlap_share=0.0, **route)
    world.items(*IDS)
    for item in IDS[1:]:
        world.vote(item, ann="cat", ben="cat", cid="cat")
    world.vote(IDS[0], ann="cat", ben="dog", cid="cow")
    world.flush()
    return world


@pytest.mark.slow
def test_an_expert_settles_what_people_cannot() -> None:
    """Where all three people have looked and nothing is decided, the expert is asked, alone."""
    world = _torn(experts=(EVE,))
    route(world.workspace, now=world.tick())
    rows = world.state.plan.loc[world.state.plan["item_id"] == IDS[0]]
    assert [json.loads(cell) for cell in rows["exclude"]] == [
        ["human:ann", "human:ben", "human:cid"]
    ]
    assert "prevents" in rows["reason"].iloc[0]
    world.vote(IDS[0], round_=int(rows["round"].iloc[0]), eve="dog")
    worth = label_worth(world.state, IDS[:1])
    assert worth.action.tolist() == [CROWD], "now all have looked: it waits for somebody new"


@pytest.mark.slow
def test_experts_are_kept_from_what_people_can_do() -> None:
    """A fresh item goes to people, and is not open to the expert, who costs five times as much."""
    world = _torn(experts=(EVE,))
    world.items("new")
    route(world.workspace, now=world.tick())
    rows = world.state.plan.set_index("item_id")["exclude"]
    assert json.loads(rows["new"]) == [EVE]


@pytest.mark.slow
def test_how_good_people_are() -> None:
    """Accuracies start from what one expects of people and experts, and follow the votes."""
    world = _torn(experts=(EVE,))
    crowd, expert = voters_of(world.state)
    assert (crowd.name, expert.name) == (CROWD, EXPERT)
    assert 0.85 < crowd.accuracy < expert.accuracy == pytest.approx(0.98)
    assert len(voters_of(_torn().state)) == 1


@pytest.mark.slow
def test_the_money_is_said_to_be_spent() -> None:
    """With less money left than settles a doubt, the label set says so instead of waiting."""
    world = _torn(budget=37.0)
    assert budget_spent(world.state) == "the budget is spent: 36 of route.budget = 37"
    assert budget_spent(_torn(budget=50.0).state) == ""
    waiting = world.copy()
    plan(waiting, IDS[1], purpose="gold")
    assert budget_spent(waiting.state), "a question whose answer is known holds nothing up"
    assert route(_torn(budget=36.0).workspace, now=world.tick()).votes == 0
