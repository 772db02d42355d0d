"""Classes get other names, come and go, and are cut out of others: what is known, and what not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from labelops.audit.findings import STATUS, finding_status
from labelops.consolidate.policy import ConsolidatePolicy
from labelops.gate.candidate import ADJUDICATED, Candidate
from labelops.journey import adopt_schema, consolidate, gate, route
from labelops.releasing import _proposals
from labelops.report.facts import ReportFacts
from labelops.report.of_state import report_facts
from labelops.schema import Schema

from .test_audit import freeze
from .world import PETS, World, make_world, words

IDS = [f"i{n:02d}" for n in range(12)]
RENAMED = Schema("pets", ("hound", "cat", "cow"), renames={"dog": "hound"})


def _adopted(world: World, schema: Schema, **route_: Any) -> World:
    """Return the label set under another schema."""
    world.flush()
    later = make_world(schema, like=world, overlap_share=0.0, gold_rate=0.0, **route_)
    policies = replace(later.workspace.policies, consolidate=ConsolidatePolicy(min_posterior=0.6))
    later.workspace = replace(later.workspace, policies=policies)
    adopt_schema(later.workspace, now=later.tick())
    return later


def _suspect(
    world: World, ids: Sequence[str], suggestion: str = "cat", planted: bool = False
) -> None:
    """Raise a suspicion against each of these labels, all of which say dog."""
    rows = {
        "item_id": list(ids),
        "kind": "label_error",
        "round": 1,
        "score": 0.1,
        "value": words("dog") * len(ids),
        "suggestion": words(suggestion) * len(ids),
        "detector": "test",
        "evidence": "{}",
        "planted": planted,
        "found_at": world.tick(),
    }
    world.append("findings", rows, len(ids))


def _suspected() -> World:
    """Return labels under suspicion, one of each standing: open, disputed, confirmed, corrected."""
    world = _adopted(make_world(), PETS)
    world.items(*IDS)
    world.label(dict.fromkeys(IDS[:6], "dog") | dict.fromkeys(IDS[6:], "cow"))
    _suspect(world, IDS[:4])
    world.vote(IDS[1], "review", ann="cat")
    world.vote(IDS[2], "review", ann="dog")
    world.vote(IDS[3], "review", ann="cat")
    world.label({IDS[3]: "cat"})
    return world


def _facts(world: World) -> ReportFacts:
    verdict = {"status": "inconclusive", "checks": []}
    return report_facts(world.state, verdict, "2026-01-02", lambda name: b"a text")


def _status(world: World) -> list[str]:
    state = world.state
    return finding_status(
        state.findings, state.reviews, state.labels, state.lacking_classes
    ).tolist()


def test_another_name_corrects_nothing() -> None:
    """Suspicions are as open, disputed, confirmed and corrected under a class's new name."""
    world = _suspected()
    assert _status(world) == list(STATUS), "else this shows nothing"
    later = _adopted(world, RENAMED)
    assert _status(later) == list(STATUS)
    assert later.state.suspicions["item_id"].tolist() == IDS[:2]
    later.vote(IDS[0], "review", ben="hound")
    assert _status(later)[0] == "confirmed"
    # And the labels decided anew, under the new name.
    later.label(dict.fromkeys(IDS[:3], "hound"))
    assert _status(later) == ["confirmed", "disputed", "confirmed", "corrected"]


def test_the_report_counts_no_correction_by_another_name() -> None:
    """How many reviewed suspicions were errors is what it was; and each has its present name."""
    world = _suspected()
    before = _facts(world)
    later = _facts(_adopted(world, RENAMED))
    assert before.precision is not None
    assert (before.precision.corrected, before.precision.reviewed) == (1, 2)
    assert later.precision == before.precision
    assert [f.status for f in later.findings] == [f.status for f in before.findings]
    assert [f.label for f in later.findings] == ["hound"] * 4


def test_a_planted_error_is_known_by_its_new_name() -> None:
    """What was planted as a dog must not be released as a hound."""
    world = _suspected()
    _suspect(world, IDS[6:8], planted=True)
    state = _adopted(world, RENAMED).state
    planted = state.findings.loc[state.findings["planted"].astype(bool)]
    assert set(planted["value"]) == {'"hound"'}


def test_a_class_that_was_only_suggested_may_go() -> None:
    """Nothing but a suggestion names the cow: the report shows what was said."""
    world = _adopted(make_world(), PETS)
    world.items(*IDS)
    world.label(dict.fromkeys(IDS, "dog"))
    _suspect(world, IDS[:1], "cow")
    later = _adopted(world, Schema("pets", ("cat", "dog")))
    assert [f.suggestion for f in _facts(later).findings] == ["cow"]
    assert later.state.suspicions["item_id"].tolist() == IDS[:1]


WIDER = (*PETS.classes, "pup")
SPLIT = Schema("pets", WIDER, splits={"dog": ("pup",)})
DOGS, COWS = IDS[:6], IDS[6:]


def _call(world: World, item: str, name: str, round_: int = 1) -> None:
    """Let three people of six say the same, which decides; not always the same three."""
    n = int(item[1:]) if item in IDS else 0
    team = ("ann", "ben", "cid", "dee", "eve", "fay")
    world.vote(item, round_=round_, **{team[(n + k) % 6]: name for k in range(3)})


def _decide(world: World) -> None:
    world.flush()
    consolidate(world.workspace, now=world.tick())


def _labeled() -> World:
    return _labeled_once().copy()


@cache
def _labeled_once() -> World:
    """Return six dogs and six cows, as three people called them; one cow was a dog to a fourth."""
    world = _adopted(make_world(), PETS)
    world.items(*IDS)
    assert route(world.workspace, now=world.tick()).votes >= len(IDS)
    for item in IDS:
        _call(world, item, "dog" if item in DOGS else "cow")
    world.vote(COWS[0], dee="dog")
    _decide(world)
    assert _values(world) == dict.fromkeys(DOGS, "dog") | dict.fromkeys(COWS, "cow")
    return world


def _values(world: World) -> dict[str, str]:
    labels = world.state.labels.dropna(subset="value")
    return {i: json.loads(v) for i, v in zip(labels["item_id"], labels["value"], strict=True)}


@pytest.mark.slow
def test_without_a_split_all_that_was_said_counts() -> None:
    """A class that is added takes nothing back; nor does a split of classes that were there."""
    world = _labeled()
    for schema in (
        Schema("pets", WIDER),
        Schema("pets", PETS.classes, splits={"dog": ("cow",)}),
        Schema("pets", WIDER, splits={"cat": ("pup",)}),
    ):
        later = _adopted(world, schema)
        assert _values(later) == _values(world)
        assert later.state.evidence["vote_id"].tolist() == world.state.evidence["vote_id"].tolist()
        assert not later.state.taken_back


@pytest.mark.slow
def test_what_was_said_of_a_class_is_taken_back_when_it_is_split() -> None:
    """Labels and votes of its items, not those of others, also not one vote for it on a cow."""
    later = _adopted(_labeled(), SPLIT)
    assert _values(later) == dict.fromkeys(COWS, "cow")
    assert sorted(set(later.state.votes["item_id"])) == COWS
    assert sorted(later.state.undecided) == DOGS
    votes = later.state.votes.loc[later.state.votes["item_id"] == COWS[0], "value"]
    assert sorted(votes) == words("cow", "cow", "cow", "dog")


@pytest.mark.slow
def test_an_item_without_a_label_that_somebody_called_so() -> None:
    """Where people had not agreed on it yet, the vote for the class goes with all others."""
    world = _labeled()
    world.items("torn", "cat")
    world.vote("torn", ann="dog", ben="cat")
    world.vote("cat", ann="cat")
    assert set(_adopted(world, SPLIT).state.votes["item_id"]) == {*COWS, "cat"}


@pytest.mark.slow
def test_what_is_said_since_stays() -> None:
    """Decided anew, an item keeps its label and its new votes; the old ones never come back."""
    later = _adopted(_labeled(), SPLIT)
    _call(later, DOGS[0], "pup", 2)
    _call(later, DOGS[1], "dog", 2)
    _decide(later)
    assert _values(later) == dict.fromkeys(COWS, "cow") | {DOGS[0]: "pup", DOGS[1]: "dog"}
    assert len(later.state.evidence) == 3 * len(COWS) + 1 + 6
    again = _adopted(later, Schema("pets", (*WIDER, "hound"), splits={"dog": ("pup", "hound")}))
    assert _values(again) == dict.fromkeys(COWS, "cow") | {DOGS[0]: "pup"}
    mine = again.state.votes.loc[again.state.votes["item_id"] == DOGS[0], "value"]
    assert set(mine) == set(words("pup"))
    assert DOGS[1] not in set(again.state.votes["item_id"])


@pytest.mark.slow
def test_a_class_that_was_renamed_and_split() -> None:
    """Its parts replace it: what one of them was called before is taken back."""
    schema = Schema(
        "pets", ("cat", "hound", "cow", "pup"), renames={"dog": "hound"}, splits={"hound": ("pup",)}
    )
    assert _values(_adopted(_labeled(), schema)) == dict.fromkeys(COWS, "cow")


def test_an_answer_to_an_old_question_counts_no_more() -> None:
    """A vote that comes later, given where the new class was not on offer, says nothing of it."""
    world = _labeled()
    later = _adopted(world, SPLIT)
    late = make_world(PETS, like=later)
    late.vote(DOGS[0], round_=2, gil="dog")
    late.vote(COWS[0], round_=2, gil="cow")
    late.flush()
    votes = make_world(SPLIT, like=late).state.votes
    assert sorted(votes.loc[votes["annotator"] == "human:gil", "item_id"]) == [COWS[0]]


def test_gold_stays() -> None:
    """It says something of people, and its answer is its owner's to mend."""
    world = _labeled()
    world.say("gold", DOGS[0], value='"dog"')
    world.vote(DOGS[0], "gold", ann="dog")
    votes = _adopted(world, SPLIT).state.votes
    assert votes.loc[votes["item_id"] == DOGS[0], "purpose"].tolist() == ["gold"]


@pytest.mark.slow
def test_they_are_asked_about_again_first() -> None:
    """Before what nobody ever labeled, first those of the last release, and the same people may."""
    world = _labeled()
    assert not route(world.workspace, now=world.tick()).votes
    revision = int(world.state.labels["revision"].max())
    world.items("late")
    assert route(world.workspace, now=world.tick()).votes
    _call(world, "late", "dog", 2)
    _decide(world)
    released = Candidate(1, revision, 1, len(IDS), "", "released pets@1.0.0")
    world.say("candidate", "1", 0, **json.loads(released.to_body()))
    later = _adopted(world, SPLIT)
    later.items("new3")
    asked = route(later.workspace, now=later.tick())
    rows = later.state.plan.loc[later.state.plan["round"] == asked.round]
    rows = rows.sort_values("priority", ascending=False)
    assert sorted(rows["item_id"][:6]) == DOGS
    assert rows["item_id"][6:].tolist() == ["late", "new3"]
    assert rows["reason"].str.startswith("its class was split").tolist() == [True] * 7 + [False]
    assert set(rows["exclude"]) == {"[]"}
    assert not route(later.workspace, now=later.tick()).votes, "asked twice"


@pytest.mark.slow
def test_votes_of_before_were_asked_for_and_paid() -> None:
    """Seats whose votes are taken back are not waited for, and still count to the budgets."""
    world = _labeled()
    assert not len(world.state.open_seats)
    spent = int(world.state.plan["annotators"].sum())
    later = _adopted(world, SPLIT, votes_total=spent + 3)
    assert not len(later.state.open_seats)
    assert route(later.workspace, now=later.tick()).votes == 3


@pytest.mark.slow
def test_an_open_candidate_is_withdrawn() -> None:
    """What was taken back is no error that its audit found: nothing is known of it."""
    world = _labeled()
    freeze(world)
    for item in COWS[:2]:
        world.vote(item, "audit", cid="cow")
    later = _adopted(world, SPLIT)
    _decide(later)
    state = later.state
    assert state.candidate is None and state.failed is None
    assert state.candidates[-1].closed == "withdrawn: a class was split"


@pytest.mark.slow
def test_it_is_withdrawn_before_anybody_is_asked_to_audit_it() -> None:
    """Also where only a model had given the class: no vote tells that the labels have changed."""
    world = _adopted(make_world(), PETS)
    world.items(*IDS)
    world.label(dict.fromkeys(IDS, "dog"), method="accepted")
    freeze(world)
    assert route(world.copy().workspace, now=world.tick()).by_purpose["audit"], "else nobody is"
    later = _adopted(world, SPLIT)
    asked = route(later.workspace, now=later.tick())
    assert later.state.candidate is None
    assert "audit" not in asked.by_purpose


@pytest.mark.slow
def test_a_candidate_without_the_class_goes_on() -> None:
    """Nothing of it was taken back."""
    world = _labeled()
    freeze(world)
    later = _adopted(world, Schema("pets", WIDER, splits={"cat": ("pup",)}))
    gate(later.workspace, now=later.tick(), split_groups={})
    assert later.state.candidate is not None


def test_a_release_has_the_proposals_that_its_labels_rest_on() -> None:
    """Also where a class was added since: labels that a model was trusted with, and audited so."""
    world = _adopted(make_world(), PETS)
    world.items(*IDS)
    world.propose(dict.fromkeys(IDS[:8], ("dog", 0.9)), "m1")
    world.label(dict.fromkeys(IDS[:4], "dog"), method="accepted", version="m1")
    freeze(world)
    assert len(_proposals(world.state)) == 8
    later = _adopted(world, Schema("pets", WIDER))
    later.propose(dict.fromkeys(IDS, ("pup", 0.9)), "m2")
    found = _proposals(later.state).set_index("labeler_version")["item_id"]
    assert found.loc["m1"].tolist() == IDS[:4]
    assert found.loc["m2"].tolist() == IDS


@pytest.mark.slow
def test_what_was_withdrawn_before_its_class_was_split_holds_up_nothing() -> None:
    """Nobody decides it anew, and it is none of the labels that are frozen without it."""
    world = _labeled()
    world.say("withdrawn", DOGS[0], because="asked", by="ann", candidates=0, out=True)
    later = _adopted(world, SPLIT)
    for item in DOGS[1:]:
        _call(later, item, "pup", round_=2)
    _decide(later)
    freeze(later)
    _decide(later)
    assert later.state.candidate is not None
    assert set(later.state.frozen["item_id"]) == {*DOGS[1:], *COWS}


def test_a_correction_is_taken_back_too() -> None:
    """An audit that found a dog could not have found a pup; one that found a cow found that."""
    world = _labeled()
    world.numbers["labels"] = int(world.state.labels["revision"].max())
    world.label({COWS[0]: "dog", DOGS[0]: "cow"}, method=ADJUDICATED)
    values = _values(_adopted(world, SPLIT))
    assert values == dict.fromkeys([*COWS[1:], DOGS[0]], "cow")


def test_a_suspicion_of_what_was_taken_back_is_no_correction() -> None:
    """It is gone, and no error that anybody found; others stay, and so does what was planted."""
    world = _labeled()
    _suspect(world, [*DOGS[:2]])
    _suspect(world, DOGS[2:3], planted=True)
    later = _adopted(world, SPLIT)
    assert later.state.findings["item_id"].tolist() == DOGS[2:3]
    _suspect(later, DOGS[:1])
    assert sorted(later.state.findings["item_id"]) == [DOGS[0], DOGS[2]]
