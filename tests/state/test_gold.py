"""Gold in a label set: asked at a rate, once of everybody; who goes bad is paused from then on."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from labelops.audit.gold_watch import GoldWatch, watch_gold
from labelops.audit.policy import AuditPolicy
from labelops.autolabel.policy import AcceptancePolicy
from labelops.cli.standing import standing_of
from labelops.gate.checks import evaluate
from labelops.gate.policy import GatePolicy
from labelops.journey import consolidate, route
from labelops.state import gold, say
from labelops.state.facts import gate_facts
from labelops.state.gold import (
    _numbers,
    gold_answers,
    gold_due,
    gold_lacking,
    gold_sample,
    newly_watched,
)

from .frozen import freeze
from .world import World, events, make_world

GOLD = [f"g{n:02d}" for n in range(60)]
IDS = [f"i{n:02d}" for n in range(40)]
PEOPLE = ("ann", "ben", "cid")


def _world(**route: object) -> World:
    settings = {"overlap_share": 0.0, "votes_per_round": 90, **route}
    world = make_world(accept=AcceptancePolicy(rule="never"), **settings)
    world.items(*IDS, *GOLD)
    say(world.state, [("gold", item, 0, {"value": '"cat"'}) for item in GOLD], world.tick())
    return world


def _asked(world: World) -> set[str]:
    route(world.workspace, now=world.tick())
    plan = world.state.plan
    return set(plan.loc[plan["purpose"] == "gold", "item_id"])


@pytest.mark.parametrize(("rate", "out"), [(0.0, 0), (0.1, 4), (0.25, 10), (1.0, 60)])
def test_gold_comes_at_the_rate(rate: float, out: int) -> None:
    """Of 90 questions for three people so much gold is out that each gets the share configured."""
    assert len(gold_sample(_world(gold_rate=rate).state, 90)) == out
    assert len(gold_sample(_world(gold_rate=rate).state, 5_000)) == out, "a round takes no more"


def test_a_round_that_asks_for_little_asks_for_little_gold() -> None:
    """Gold is a share of what is asked, not of the most that a round could ask for."""
    world = _world(gold_rate=0.1, votes_per_round=600)
    assert len(_asked(world)) == 4, "100 labels for three people: 33 each, and a ninth of that"


@pytest.mark.slow
def test_gold_is_never_asked_alone() -> None:
    """Where nothing else is asked it would be known for what it is, and a run would never end."""
    world = _world(gold_rate=0.1)
    for item in (*IDS, *GOLD):
        world.vote(item, ann="cat", ben="cat")
    world.label(dict.fromkeys((*IDS, *GOLD), "cat"))
    world.flush()
    assert gold_due(world.state, 0)["human:ann"] > 0
    assert not _asked(world)
    world.items("new")
    assert _asked(world), "among other questions it is"


def test_who_answers_little_gets_little_gold() -> None:
    """A newcomer is not asked at once about all gold that the others got in weeks."""
    world = _world(gold_rate=0.1)
    for item in IDS[:36]:
        world.vote(item, ann="cat", ben="cat")
    world.vote(IDS[36], fay="cat")
    world.flush()
    due = gold_due(world.state, 0)
    assert due == {"human:ann": 4, "human:ben": 4, "human:fay": 1, "": 0}
    sample = gold_sample(world.state, 0)
    assert gold_lacking(world.state, sample, 0).tolist() == [3, 2, 2, 2]
    world.vote(sample.ids[0], "gold", ann="cat", ben="dog")
    world.flush()
    assert gold_lacking(world.state, sample, 0).tolist() == [1, 2, 2, 2]


@pytest.mark.slow
def test_nobody_gets_the_same_gold_twice() -> None:
    """Who answered is excluded, a newcomer is asked, and asking again asks for nothing."""
    world = _world(gold_rate=0.1)
    first = _asked(world)
    for item in first:
        world.vote(item, "gold", ann="cat", ben="dog")
    for item in IDS:
        world.vote(item, cid="cat")
    world.flush()
    again = _asked(world)
    assert first < again, "more questions, more gold"
    plan = world.state.plan
    rows = plan.loc[
        plan["item_id"].isin(first) & (plan["purpose"] == "gold") & (plan["round"] == 2)
    ]
    assert all({"human:ann", "human:ben"} <= set(json.loads(cell)) for cell in rows["exclude"])
    assert route(world.workspace, now=world.tick()).by_purpose.get("gold", 0) == 0


@pytest.mark.slow
def test_gold_that_was_taken_back_is_not_asked_again() -> None:
    """Of three people one took the answer back: nobody is left to ask, and no seat is planned."""
    world = _world(gold_rate=0.1)
    first = sorted(_asked(world))
    for item in first:
        world.vote(item, "gold", ann="cat", ben="dog", cid="cat")
        world.unsent[-1] |= {"status": "deleted", "value": None}
    world.flush()
    _asked(world)
    plan = world.state.plan
    assert not (plan["item_id"].isin(first) & (plan["round"] == 2)).any()


def test_gold_hides_among_the_rest() -> None:
    """Gold does not come first in the queue, where it would be known for what it is."""
    world = _world(gold_rate=0.25, votes_per_round=400)
    _asked(world)
    order = world.state.plan.sort_values("priority", ascending=False)["purpose"].tolist()
    places = [n for n, purpose in enumerate(order) if purpose == "gold"]
    assert places[0] > 0 and places[-1] - places[0] > len(order) // 2


def _goes_bad(world: World) -> None:
    """Let cid answer well for 20 gold and ten items, then always the same wrong thing."""
    for n in range(40):
        good = n < 20
        world.vote(GOLD[n], "gold", ann="cat", ben="cat", cid="cat" if good else "dog")
        if n % 2 == 0:
            world.vote(IDS[n // 2], ann="cat", ben="cat", cid="cat" if good else "cow")
    world.flush()


def test_who_goes_bad_is_paused_from_then_on() -> None:
    """Votes since the last good gold stop counting and are asked anew; those before still count."""
    world = _world()
    _goes_bad(world)
    before = set(world.state.evidence["item_id"])
    assert consolidate(world.workspace, now=world.tick()).flagged == ("human:cid",)
    state = world.state
    assert state.people == ("human:ann", "human:ben")
    mine = set(state.current.loc[state.current["annotator"] == "human:cid", "item_id"])
    assert set(IDS[:7]) <= mine, "at most a few good votes go with the bad ones"
    assert not mine & set(IDS[10:]), "nothing said in the bad stretch counts"
    assert set(state.evidence["item_id"]) == before, "others' votes stand"
    reason = json.loads(events(world, "annotator_flagged")["body"].iloc[0])["reason"]
    assert "of 40 gold items; good until 2026-" in reason


@pytest.mark.slow
def test_what_they_alone_said_is_asked_anew() -> None:
    """An item that only the paused person labeled since is undecided, and goes to others."""
    world = _world()
    for item in IDS[20:22]:
        world.vote(item, cid="cat")
    _goes_bad(world)
    world.vote(IDS[30], cid="cow")
    world.flush()
    consolidate(world.workspace, now=world.tick())
    state = world.state
    assert IDS[30] in state.undecided and IDS[30] not in set(state.evidence["item_id"])
    assert IDS[20] in set(state.evidence["item_id"]), "said in the good time"
    route(world.workspace, now=world.tick())
    row = world.state.plan.set_index(["item_id", "purpose"]).loc[(IDS[30], "label")]
    assert row["annotators"] >= 1 and "human:cid" in json.loads(row["exclude"])


@pytest.mark.slow
def test_people_share_one_risk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The j-th to answer gold has 6/(π²j²) of it, so all who ever come have no more than one."""
    world, asked = _world(), []

    def kept(right: Any, **options: Any) -> GoldWatch:
        asked.append(options["risk"])
        return watch_gold(right, **options)

    for who in PEOPLE:
        world.vote(GOLD[0], "gold", **{who: "cat"})
        world.flush()
        consolidate(world.workspace, now=world.tick())
    monkeypatch.setattr(gold, "watch_gold", kept)
    gold.gold_alarms(world.state)
    assert asked == pytest.approx([0.05 * 6 / (np.pi * j) ** 2 for j in (1, 2, 3)])


@pytest.mark.slow
def test_pausing_twice_is_pausing_once() -> None:
    """A run that died between the events and the labels is done again with the same result."""
    world = _world()
    _goes_bad(world)
    consolidate(world.workspace, now=world.tick())
    said, labels = events(world, "annotator_flagged"), world.state.labels
    again = consolidate(world.workspace, now=world.tick())
    assert again.flagged == () and again.changed == 0
    assert events(world, "annotator_flagged").equals(said) and world.state.labels.equals(labels)
    watched = events(world, "gold_watched")["body"].map(json.loads)
    assert sorted(b["number"] for b in watched) == [1, 2, 3]


def test_good_people_and_old_flags_stay_as_they_are() -> None:
    """Nobody right on gold is paused; a flag without a time takes all votes, as it always did."""
    world = _world()
    for item in GOLD:
        world.vote(item, "gold", ann="cat", ben="cat")
    for item in IDS:
        world.vote(item, ann="cat", ben="cat", cid="cat")
    world.flush()
    assert consolidate(world.workspace, now=world.tick()).flagged == ()
    world.say("annotator_flagged", "human:cid", 0, reason="a test")
    assert "human:cid" not in set(world.state.current["annotator"])


def test_an_answer_counts_once() -> None:
    """Only the first answer to a gold item is held against the truth: later ones are memory."""
    world = _world()
    world.vote(GOLD[0], "gold", ann="dog")
    world.vote(GOLD[0], "gold", round_=2, ann="cat")
    assert gold_answers(world.state)["right"].tolist() == [False]


def test_the_watch_can_be_switched_off() -> None:
    """With no risk to spend nobody is paused for gold."""
    world = _world()
    _goes_bad(world)
    policies = world.workspace.policies
    object.__setattr__(policies, "audit", AuditPolicy(gold_risk=0.0))
    assert consolidate(world.workspace, now=world.tick()).flagged == ()


def test_a_number_given_twice_is_two_numbers() -> None:
    """Two processes that number newcomers at once do not give two people one share of the risk."""
    world = _world()
    world.say("gold_watched", "human:zoe", number=1)
    world.say("gold_watched", "human:ben", number=2)
    world.say("gold_watched", "human:ann", number=2)
    world.say("gold_watched", "human:cid", number=4)
    assert _numbers(world.state) == {
        "human:zoe": 1, "human:ben": 2, "human:ann": 3, "human:cid": 4
    }  # fmt: skip
    for item in GOLD[:3]:
        world.vote(item, "gold", eve="cat")
    assert [e[3]["number"] for e in newly_watched(world.state)] == [5]


@pytest.mark.slow
def test_open_gold_is_not_what_comes_next() -> None:
    """When only gold waits, the next step is something else: gold is for whoever comes next."""
    world = make_world(accept=AcceptancePolicy(rule="never"), overlap_share=0.0, gold_rate=0.25)
    world.items(*IDS[:8], *GOLD[:4])
    say(world.state, [("gold", item, 0, {"value": '"cat"'}) for item in GOLD[:4]], world.tick())
    for item in IDS[:8] + GOLD[:4]:
        world.vote(item, **dict.fromkeys(PEOPLE, "cat"))
    consolidate(world.workspace, now=world.tick())
    route(world.workspace, now=world.tick())
    state = world.state
    assert set(state.open_seats["purpose"]) == {"gold"}
    found = standing_of(state, evaluate(gate_facts(state, world.now, {}), GatePolicy()), ())
    assert found.waiting["gold"] > 0
    assert found.next.startswith("all answers are in")


@pytest.mark.slow
def test_a_look_by_somebody_who_had_gone_bad_is_taken_back_and_asked_anew() -> None:
    """It leaves the open audit's count, whatever it said; earlier looks of theirs stay in it."""
    world = _world()
    audited = IDS[:10]
    for item in audited:
        world.vote(item, ann="cat", ben="cat")
    world.label(dict.fromkeys(audited, "cat"))
    freeze(world)
    for n in range(40):
        said = "cat" if n < 20 else "dog"
        world.vote(GOLD[n], "gold", ann="cat", ben="cat", cid=said)
        if n in (5, 35):
            world.vote(audited[n // 10], "audit", cid=said)
    before, early, late = world.state.audit, audited[0], audited[3]
    assert before is not None and set(before.planned.ids[~before.unseen]) == {early, late}
    assert consolidate(world.workspace, now=world.tick()).flagged == ("human:cid",)
    after = world.state.audit
    assert after is not None and set(after.planned.ids[~after.unseen]) == {early}
    assert not after.wrong.any() and not after.pending.any()
    asked = route(world.workspace, now=world.tick()).by_purpose
    assert asked["audit"] >= len(audited) - 1
    plan = world.state.plan
    (again,) = plan.loc[(plan["item_id"] == late) & (plan["purpose"] == "audit"), "exclude"]
    assert {"human:ann", "human:ben", "human:cid"} <= set(json.loads(again))
