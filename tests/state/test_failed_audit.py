"""After an audit that failed: who looks at which labels again, and when they are tried anew."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from labelops.adapters.local_queue import LocalQueue
from labelops.autolabel.hypotheses import AUDIT, DRIFT, SPOT, Hypothesis, close
from labelops.cli.standing import standing_of
from labelops.gate.candidate import attempt_of
from labelops.gate.checks import evaluate
from labelops.gate.policy import GatePolicy
from labelops.journey import gate, route, send
from labelops.state.facts import gate_facts
from labelops.state.late import judged_already
from labelops.state.needs import (
    work_in_flight,
)

from .world import World, consolidated, events, make_world, plan

NEW = "somebody new: everybody who may be asked has looked at those items"
IDS = [f"i{n:02d}" for n in range(12)]
TEAM = ("ann", "ben", "cid", "dan", "eve", "fay")


@pytest.mark.slow
def test_labels_that_failed_are_not_tried_as_they_are() -> None:
    """Running the gate again and again after a failed audit makes no second candidate."""
    world = make_world(gate=GatePolicy(error=0.1, agreement=-1.0, confirm=1))
    world.items(*IDS)
    for item in IDS:
        world.vote(item, ann="cat", ben="cat", cid="dog")
    world.label(dict.fromkeys(IDS, "cat"))
    consolidated(world, 1)
    for _ in range(4):
        found = gate(world.workspace, now=world.tick(), split_groups={})
    assert len(events(world, "candidate")) == 2, "frozen once and closed once"
    assert found.candidate is None
    assert "since the audit of candidate 1 failed" in found.verdict.summary


def _failed() -> World:
    """Return forty labels by two people, eight of them wrong; one audit vote each: it failed."""
    return _failed_once().copy()


@cache
def _failed_once() -> World:
    world = _about_to_fail().copy()
    assert gate(world.workspace, now=world.tick(), split_groups={}).verdict.status == "fail"
    return world


@cache
def _about_to_fail() -> World:
    world = make_world(gate=GatePolicy(error=0.1, agreement=-1.0, per_class=0))
    ids = [f"i{n:02d}" for n in range(40)]
    world.items(*ids)
    for n, item in enumerate(ids):
        world.vote(item, **dict.fromkeys(("ann", "gil"), "dog" if n < 8 else "cat"))
    world.label({i: "dog" if n < 8 else "cat" for n, i in enumerate(ids)})
    consolidated(world, 1)
    assert gate(world.workspace, now=world.tick(), split_groups={}).candidate is not None
    for who in TEAM[1:]:
        world.vote("i39", "audit", **{who: "cat"})
    for item in ids[:8]:
        world.vote(item, "audit", ben="cat", cid="cat", eve="cat")
    for item in ids[8:]:
        world.vote(item, "audit", ben="cat")
    consolidated(world, 2)
    return world


@pytest.mark.slow
def test_a_failed_audit_ends_all_that_a_model_is_trusted_with() -> None:
    """What is open closes, and what was kept goes; what was closed for good is left as it was."""
    world = _about_to_fail().copy()
    open_ = Hypothesis(1, "v1", "p", 9, 3, "joint", 0.1, 0.05, 0.5, 6, 0, 1, "passed", "", "none")
    kept = close(replace(open_, number=2), DRIFT, "it drifted", until="2026-01-01", kept=4)
    gone = close(replace(open_, number=3), SPOT, "a spot audit")
    world.workspace.objects.put_new("pools/none.json", b"[]")
    for one in (open_, kept, gone):
        world.say("hypothesis", str(one.number), 0, **json.loads(one.to_body()))
    gate(world.workspace, now=world.tick(), split_groups={})
    assert world.state.candidates[0].refuted
    first, second, third = world.state.hypotheses
    for one in (first, second):
        assert one.cause == AUDIT and one.refuted and not one.accepts_some
        assert one.closed == "the audit of candidate 1 failed"
    assert third == gone


@pytest.mark.slow
def test_a_failed_audit_asks_for_more_looks() -> None:
    """After it the least certain labels are asked about again, blind, each of them once."""
    world = _failed()
    assert route(world.workspace, now=world.tick()).by_purpose["review"] >= 8
    asked = world.state.plan.loc[world.state.plan["reason"].str.contains("failed audit")]
    assert not asked["show_proposal"].any()
    # What an audit vote agreed with comes last, so all that nobody else confirmed are asked.
    assert {f"i{n:02d}" for n in range(8)} <= set(asked["item_id"])
    assert route(world.workspace, now=world.tick()).votes == 0, "nothing is asked twice"
    assert "wait for another look" in work_in_flight(world.state)


@pytest.mark.slow
def test_new_items_are_no_second_look() -> None:
    """Items that came after the failure neither count as looked at again nor are asked instead."""
    world = _failed()
    wanted = world.state.wanted_again
    new = [f"j{n:02d}" for n in range(40)]
    world.items(*new)
    for item in new:
        world.vote(item, ann="cat", gil="cat")
    world.label(dict.fromkeys(new, "cat"), posterior=0.5)
    consolidated(world, 3)
    assert len(world.state.looked_again) == 0 and world.state.wanted_again == wanted
    assert route(world.workspace, now=world.tick()).by_purpose["review"] == wanted
    asked = world.state.plan.loc[world.state.plan["reason"].str.contains("failed audit")]
    assert {f"i{n:02d}" for n in range(8)} <= set(asked["item_id"])
    assert not set(new) & set(asked["item_id"])


@pytest.mark.slow
def test_confirmed_by_others_they_are_tried_again() -> None:
    """The same labels are a candidate again once the least certain were looked at, at less risk."""
    world = _failed()
    route(world.workspace, now=world.tick())
    seats = world.state.open_seats
    for item, number in zip(seats["item_id"], seats["round"], strict=True):
        world.vote(item, "review", round_=number, dan="dog" if item < "i08" else "cat")
    consolidated(world, 3)
    assert work_in_flight(world.state) == "" and judged_already(world.state) == ""
    again = gate(world.workspace, now=world.tick(), split_groups={})
    assert again.candidate is not None and again.candidate.number == 2
    assert again.candidate.digest == world.state.candidates[0].digest
    assert attempt_of(again.candidate, world.state.candidates) == 2


@pytest.mark.slow
def test_what_failed_before_looks_were_counted_goes_on() -> None:
    """A candidate closed without a number asks about twice what the bound bears, then is tried."""
    world = _failed()
    (failed,) = world.state.candidates
    body = json.loads(failed.to_body())
    del body["looks_again"]
    world.say("candidate", "1", 2, **body)
    assert world.state.candidates[0].looks_again == 0 and world.state.wanted_again == 8
    assert "0 of the 8" in judged_already(world.state)
    assert route(world.workspace, now=world.tick()).by_purpose["review"] == 8
    for item, number in zip(world.state.plan["item_id"], world.state.plan["round"], strict=True):
        world.vote(item, "review", round_=number, dan="dog" if item < "i08" else "cat")
    consolidated(world, 3)
    assert judged_already(world.state) == ""
    again = gate(world.workspace, now=world.tick(), split_groups={}).candidate
    assert again is not None and again.number == 2


@pytest.mark.slow
def test_what_is_tried_again_waits_for_nothing() -> None:
    """Once frozen again the labels are not said to be those of the candidate that failed."""
    world = _failed()
    (failed,) = world.state.candidates
    assert judged_already(world.state)
    world.say("candidate", "2", **json.loads(replace(failed, number=2, closed="").to_body()))
    assert judged_already(world.state) == ""


def _nobody_left() -> World:
    """Return the labels that failed, each of which everybody has looked at by now."""
    world = _failed()
    everybody = {name.removeprefix("human:") for name in world.state.people}
    plan(world, "i39", purpose="audit")  # what was voted so far was asked for in round 1
    votes = world.state.votes
    looked = votes.groupby("item_id")["annotator"].agg(set)
    for item in world.state.items["item_id"]:
        seen = {name.removeprefix("human:") for name in looked[item]}
        world.vote(item, "review", **dict.fromkeys(sorted(everybody - seen), "-"))
    consolidated(world, 3)
    assert len(world.state.seen_by_all) == 40
    return world


@pytest.mark.slow
def test_where_nobody_is_left_somebody_new_is_asked(tmp_path: Path) -> None:
    """Seats are put up that nobody known can take, that is said, and it ends when they are filled.

    The newcomer audits: after a look at the label as well, yet another person would be needed.
    """
    world = _nobody_left()
    wanted = world.state.wanted_again
    asked = route(world.workspace, now=world.tick())
    assert asked.by_purpose == {"audit": wanted}
    assert asked.awaited == f"{wanted} votes wait for {NEW}"
    assert route(world.workspace, now=world.tick()).votes == 0, "nothing is asked twice"
    seats = world.state.open_seats
    assert seats["open"].sum() == wanted
    everybody = set(world.state.people)
    assert all(set(json.loads(text)) == everybody for text in seats["exclude"])
    queue = LocalQueue(tmp_path)
    send(world.workspace, queue, now=world.tick())
    assert len(queue.offers("human:zoe")) == wanted and not queue.offers("human:ann")
    verdict = evaluate(gate_facts(world.state, world.tick(), {}), world.workspace.policies.gate)
    said = standing_of(world.state, verdict, ()).next
    assert said.endswith(f"; {wanted} votes wait for {NEW}")
    # Those that the audit confirmed already come last.
    assert {f"i{n:02d}" for n in range(8)} <= set(seats["item_id"])
    verdict = gate(world.workspace, now=world.tick(), split_groups={}).verdict
    assert verdict.checks[0].status == "inconclusive"
    assert f"{wanted} of the least certain labels wait for somebody" in verdict.checks[0].message
    for item, number in zip(seats["item_id"], seats["round"], strict=True):
        world.vote(item, "audit", round_=number, zoe="dog" if item < "i08" else "cat")
    consolidated(world, 4)
    assert len(world.state.looked_again) == wanted
    assert work_in_flight(world.state) == "" and judged_already(world.state) == ""
    again = gate(world.workspace, now=world.tick(), split_groups={})
    assert again.candidate is not None and again.candidate.number == 2
    assert attempt_of(again.candidate, world.state.candidates) == 2


@pytest.mark.slow
def test_a_named_expert_is_somebody_new() -> None:
    """Who is named but has not voted yet may look: nobody else has to come."""
    world = _nobody_left().copy(experts=("human:zoe",))
    wanted = world.state.wanted_again
    asked = route(world.workspace, now=world.tick())
    assert asked.by_purpose == {"audit": wanted}
    assert asked.awaited == f"{wanted} votes wait for human:zoe"


@pytest.mark.slow
def test_a_changed_label_needs_nobody_new() -> None:
    """Labels that are no more those that failed may be tried again with the people there are."""
    world = _nobody_left()
    route(world.workspace, now=world.tick())
    assert len(world.state.open_seats) == world.state.wanted_again
    world.label({"i00": "cat"})
    consolidated(world, 4)
    assert judged_already(world.state) == "" and work_in_flight(world.state) == ""
    assert route(world.workspace, now=world.tick()).votes == 0
    assert gate(world.workspace, now=world.tick(), split_groups={}).candidate is not None
    assert world.state.open_seats.empty, "nobody is waited for any more"


@pytest.mark.parametrize("later", [(), ("z1", "z2")])
@pytest.mark.slow
def test_a_set_that_cannot_pass_makes_way(later: tuple[str, ...]) -> None:
    """A frozen set that lacks a class is withdrawn once later items are labeled, not before."""
    world = make_world(gate=GatePolicy(error=0.2, agreement=-1.0))
    world.items(*IDS)
    for n, item in enumerate(IDS):
        world.vote(item, **dict.fromkeys(("ann", "ben", "cid"), "cat" if n % 2 else "dog"))
    world.label({i: "cat" if n % 2 else "dog" for n, i in enumerate(IDS)})
    consolidated(world, 1)
    first = gate(world.workspace, now=world.tick(), split_groups={})
    assert first.candidate is not None and first.verdict.status == "fail"
    if later:
        world.items(*later)
        for item in later:
            world.vote(item, ann="cow", ben="cow", cid="cow")
        world.label(dict.fromkeys(later, "cow"))
        consolidated(world, 2)
    gate(world.workspace, now=world.tick(), split_groups={})
    second = gate(world.workspace, now=world.tick(), split_groups={})
    assert second.candidate is not None
    assert second.candidate.items == len(IDS) + len(later)
    assert second.candidate.stream == 1
