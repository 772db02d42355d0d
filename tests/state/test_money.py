"""What votes cost: told where somebody named a price, in `status` and in the report."""

from __future__ import annotations

import re

import click

from labelops.autolabel.policy import AcceptancePolicy
from labelops.cli.standing import standing_of
from labelops.cli.status import _said_standing
from labelops.gate.checks import evaluate
from labelops.gate.policy import GatePolicy
from labelops.journey import route
from labelops.report.facts import ReportFacts
from labelops.report.of_state import report_facts
from labelops.state.facts import gate_facts
from labelops.state.money import Money, money_of

from .world import World, make_world

IDS = [f"i{n}" for n in range(6)]


def _world(**route_: object) -> World:
    world = make_world(
        accept=AcceptancePolicy(rule="never"), overlap_share=0.0, gold_rate=0.0, **route_
    )
    world.items(*IDS)
    return world


def _status(world: World) -> str:
    state = world.state
    verdict = evaluate(gate_facts(state, world.tick(), {}), GatePolicy())
    return click.unstyle(_said_standing(standing_of(state, verdict, ()), "here"))


def _report(world: World) -> ReportFacts:
    verdict = {"status": "inconclusive", "checks": []}
    return report_facts(world.state, verdict, "2026-01-02", lambda name: b"")


def test_spent_and_reserved() -> None:
    """Two of six votes came, one of them an expert's; four are asked for, a seat at its dearest."""
    world = _world(vote_cost=0.05, expert_cost=0.4, experts=("human:eve",), budget=10.0)
    route(world.workspace, now=world.tick())
    world.vote(IDS[0], ann="cat")
    world.vote(IDS[1], eve="cat")
    found = money_of(world.state)
    assert round(found.spent, 9) == 0.45
    seats = world.state.open_seats
    assert int(seats["open"].sum()) == 4
    assert 4 * 0.05 <= round(found.reserved, 9) <= 4 * 0.4
    said = _status(world)
    assert re.search(r"Money +0\.45  spent on votes · [\d.]+ at most .* left of 10\.00", said)
    (row,) = [r for r in _report(world).lineage if r.role == "money"]
    assert row.detail == found.in_words


def test_nothing_is_said_where_nobody_named_a_price() -> None:
    """A vote costs one by default, which would only repeat the number of votes."""
    world = _world()
    world.vote(IDS[0], ann="cat")
    assert "Money" not in _status(world)
    assert all(r.role != "money" for r in _report(world).lineage)


def test_in_words() -> None:
    """What is left is never less than nothing."""
    assert Money(1.5, 0.0, 0.0).in_words == "spent on votes"
    said = "spent on votes · 2.00 at most for those asked for · 0.00 left of 3.00"
    assert Money(1.5, 2.0, 3.0).in_words == said
