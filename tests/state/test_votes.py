"""Which votes count for what: nobody's twice, and none for what it was not asked for."""

from __future__ import annotations

import pandas as pd
import pytest

from .world import World, make_world, words

IDS = ["a", "b", "c", "d"]


@pytest.fixture
def world() -> World:
    found = make_world()
    found.items(*IDS)
    return found


def test_who_answers_again_is_heard_once(world: World) -> None:
    """The later answer counts, for whatever it was asked; but an audit decides no label."""
    world.vote("a", ann="cat", ben="cat")
    world.vote("a", "review", round_=2, ann="dog")
    world.vote("a", "audit", ann="cow")
    rows = world.state.evidence
    said = sorted(zip(rows["annotator"], rows["value"], strict=True))
    assert said == [("human:ann", '"dog"'), ("human:ben", '"cat"')]


def test_the_first_vote_is_the_first_of_an_item(world: World) -> None:
    """By when it was given; what came by a time is what had come just then, too."""
    world.vote("a", ann="cat")
    first = pd.Timestamp(world.now)
    world.vote("a", ben="dog")
    world.vote("b", ben="dog", cid="cow")
    world.unsent[-1]["given_at"] = first + pd.Timedelta(minutes=1)
    assert world.state.first_votes()["value"].tolist() == words("cat", "cow")
    assert world.state.first_votes(first)["item_id"].tolist() == ["a"]
    assert world.state.first_votes(first - pd.Timedelta(hours=1)).empty


def test_who_has_looked(world: World) -> None:
    """Whoever answered or skipped, once; no gold question, no answer taken back, nobody flagged."""
    world.vote("a", ann="cat", ben="-")
    world.vote("a", "audit", ann="cat")
    world.vote("b", "gold", ann="cat")
    world.vote("c", ann="cat")
    world.unsent[-1] |= {"status": "deleted", "value": None}
    world.vote("d", ann="cat", cid="cat")
    world.say("annotator_flagged", "human:cid", 0, reason="a test")
    assert world.state.lookers.to_dict() == {"a": 2, "d": 1}


def test_what_was_given_is_counted_by_purpose(world: World) -> None:
    """Who skips gives nothing, and an audit's votes are no calibration's; in the order asked."""
    world.vote("a", "calibrate", ann="cat", ben="dog", cid="-")
    world.vote("a", "audit", dan="cat")
    world.vote("b", "audit", ann="cat")
    state = world.state
    assert state.given(["b", "a", "c"], "calibrate").tolist() == [0, 2, 0]
    assert state.given(["b", "a", "c"], "audit").tolist() == [1, 1, 0]
