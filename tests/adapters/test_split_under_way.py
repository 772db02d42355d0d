"""A class is split while people are at work: what was asked before is answered after."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from labelops.adapters.label_studio import LabelStudioQueue
from labelops.adapters.label_studio_server import LabelStudioServer
from labelops.adapters.local_queue import LocalQueue
from labelops.consolidate.policy import ConsolidatePolicy
from labelops.journey import adopt_schema, collect, consolidate, route, send
from labelops.schema import Schema
from labelops.tables import VOTES, newest
from labelops.testing.label_studio import LabelStudioHands
from labelops.testing.queues import Ends, Wish, plan_for

from ..state.world import PETS, World, make_world

ANN1, ANN2, ANN3 = "human:ann1", "human:ann2", "human:ann3"
CLASSES = ("dog", "pup", "cow", "pup", "dog", "cat", "pup")
TRUTH = {f"i{n}": name for n, name in enumerate(CLASSES)}
SPLIT = Schema("pets", (*PETS.classes, "pup"), splits={"dog": ("pup",)})


@pytest.fixture(params=["local", pytest.param("label studio", marks=pytest.mark.server)])
def ends(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ends]:
    if request.param == "local":
        queue = LocalQueue(tmp_path)
        yield queue, queue
        return
    server: LabelStudioServer = request.getfixturevalue("label_studio")
    name = f"pets-{secrets.token_hex(4)}"
    hands = LabelStudioHands(server.url, server.api_key, name, key=b"secret")
    yield LabelStudioQueue(server.url, server.api_key, name, key=b"secret"), hands
    hands.close()


def _under(schema: Schema, world: World | None = None) -> World:
    found = make_world(schema, like=world, overlap_share=0.0, gold_rate=0.0)
    policies = replace(found.workspace.policies, consolidate=ConsolidatePolicy(min_posterior=0.6))
    found.workspace = replace(found.workspace, policies=policies)
    adopt_schema(found.workspace, now=found.tick())
    return found


def _ask(world: World, ends: Ends) -> None:
    route(world.workspace, now=world.tick())
    send(world.workspace, ends[0], now=world.tick())


def _take(world: World, ends: Ends) -> None:
    collect(world.workspace, ends[0], now=world.tick())
    consolidate(world.workspace, now=world.tick())


def _answer(ends: Ends, who: str, **said: str) -> int:
    """Let somebody answer what is on offer to them of these items; return how many answers."""
    given = 0
    while mine := [o for o in ends[1].offers(who) if o.item_id in said]:
        ends[1].answer(who, mine[0], json.dumps(said.pop(mine[0].item_id)))
        given += 1
    return given


def _given(world: World) -> pd.DataFrame:
    rows = newest(VOTES, world.workspace.tables.read("votes"))
    return rows.loc[rows["status"] == "given"]


@pytest.mark.slow
def test_answers_to_old_questions_count_for_what_they_can_say(ends: Ends) -> None:
    """What an old answer cannot say is asked again, of the same people too; the rest stands.

    No answer is lost or counted twice, and in the end each label is right.
    """
    before = _under(PETS)
    before.items(*TRUTH)
    _ask(before, ends)
    old = {i: c.replace("pup", "dog") for i, c in TRUTH.items()}
    given = _answer(ends, ANN1, **{i: old[i] for i in ("i0", "i1", "i2")})
    _take(before, ends)
    # Somebody answers after the schema has changed, on a screen that has not.
    after = _under(SPLIT, before)
    given += _answer(ends, ANN2, i3="dog")
    _take(after, ends)
    assert {"i0", "i1", "i3"} & set(after.state.votes["item_id"]) == set()
    _ask(after, ends)
    again = {o.item_id for o in ends[1].offers(ANN1)}
    assert {"i0", "i1", "i3"} <= again, "the same people are asked again"
    # Tasks of before are still open, now on a screen that has the new class.
    given += _answer(ends, ANN2, **{i: TRUTH[i] for i in ("i4", "i5", "i6")})
    _take(after, ends)
    votes = after.state.votes.loc[after.state.votes["annotator"] == ANN2]
    assert {"i5", "i6"} <= set(votes["item_id"])
    for _ in range(6):
        _ask(after, ends)
        more = sum(_answer(ends, who, **TRUTH) for who in (ANN1, ANN2, ANN3))
        given += more
        _take(after, ends)
        if not more:
            break
    labels = after.state.labels.set_index("item_id")["value"].dropna()
    assert {i: json.loads(v) for i, v in labels.items()} == TRUTH
    assert len(_given(after)) == given
    assert not len(after.state.open_seats)
    counted = after.state.votes
    assert not counted.duplicated(["item_id", "annotator", "round", "purpose"]).any()
    assert all(
        json.loads(v) == TRUTH[i] for i, v in zip(counted["item_id"], counted["value"], strict=True)
    )
    assert not [o for who in (ANN1, ANN2, ANN3) for o in ends[1].offers(who)]


@pytest.mark.slow
def test_what_is_left_of_a_question_that_was_taken_back_is_on_offer_no_more(ends: Ends) -> None:
    """Two were asked and one had answered: another's old answer would not count, nor be waited for.

    What says nothing of the class stays on offer; and it is taken off once, not at every send.
    """
    before = _under(PETS)
    before.items("i0", "i2")
    asked = plan_for([Wish("i0", annotators=2), Wish("i2", annotators=2)], before.workspace.schema)
    before.workspace.tables.append("plan", asked)
    send(before.workspace, ends[0], now=before.tick())
    _answer(ends, ANN1, i0="dog", i2="cow")
    _take(before, ends)
    assert {o.item_id for o in ends[1].offers(ANN2)} == {"i0", "i2"}
    after = _under(SPLIT, before)
    _ask(after, ends)
    for who, items in ((ANN1, ["i0"]), (ANN2, ["i0", "i2"])):
        assert sorted(o.item_id for o in ends[1].offers(who)) == items
    assert {o.round for o in ends[1].offers(ANN2) if o.item_id == "i0"} == {2}
    said = len(after.state.events)
    send(after.workspace, ends[0], now=after.tick())
    assert len(after.state.events) == said
    assert len(_given(after)) == 2, "answers stay"


@pytest.mark.slow
def test_what_asks_about_content_that_is_gone_counts_no_more(ends: Ends) -> None:
    """Whoever answers late has seen the earlier text: it is asked anew, under another number.

    The old question leaves the queue, once.
    """
    world = _under(PETS)
    world.items("i0")
    _ask(world, ends)
    ((held,), asked) = (ends[1].offers(ANN1), world.state.last_round)
    world.items("i0", revision=1, payload="another text of")
    ends[1].answer(ANN1, held, '"dog"')
    collect(world.workspace, ends[0], now=world.tick())
    assert world.state.votes.empty and len(_given(world)) == 1
    _ask(world, ends)
    assert world.state.plan["round"].tolist() == [asked + 1]
    for who in (ANN1, ANN2):
        assert [o.round for o in ends[1].offers(who)] == [asked + 1]
    said = len(world.state.events)
    send(world.workspace, ends[0], now=world.tick())
    assert len(world.state.events) == said
    _answer(ends, ANN1, i0="cat")
    _take(world, ends)
    assert world.state.votes["value"].tolist() == ['"cat"']
    world.items("i0", revision=2, payload="a third text of")
    _ask(world, ends)
    assert {o.round for o in ends[1].offers(ANN2)} == {asked + 2}


def test_answers_of_a_class_that_went_away_count_once_it_is_back(ends: Ends) -> None:
    """They are refused and named at each run until then; meanwhile all others count."""
    world = _under(replace(PETS, classes=(*PETS.classes, "eel")))
    world.items("i0", "i1")
    _ask(world, ends)
    said = {"i0": "eel", "i1": "cat"}
    assert _answer(ends, ANN1, **said) == 2
    shorter = _under(PETS, world)
    for _ in range(2):
        found = collect(shorter.workspace, ends[0], now=shorter.tick())
        assert found.rejected == 1 and "eel" in found.reasons[0]
        assert _given(shorter)["item_id"].tolist() == ["i1"]
    mended = _under(replace(PETS, renames={"eel": "cow"}), shorter)
    assert collect(mended.workspace, ends[0], now=mended.tick()).new == 1
    assert set(mended.state.evidence["value"]) == {'"cow"', '"cat"'}
    assert len(mended.state.latest("collected")) == 1
    assert collect(mended.workspace, ends[0], now=mended.tick()).new == 0
