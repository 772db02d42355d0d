"""Seats kept for the people with the best record do not wait for ever when those leave."""

from __future__ import annotations

import json
from functools import cache

import pandas as pd
import pytest

from labelops.autolabel.policy import AcceptancePolicy
from labelops.errors import SettingsError
from labelops.journey import route
from labelops.route import RoutePolicy, forsaken_seats, in_flight, money_bound

from .world import World, events, make_world

IDS = [f"i{n:02d}" for n in range(12)]
BEST, REST = ("ann", "ben", "cid"), ("dan", "eve", "fay")
DAY = 24


def _doubted(**settings: float) -> World:
    """Let the rest disagree on one item, which the best three are asked about; nobody came yet."""
    return _planned(settings.pop("budget", 0.0)).copy(**settings)


@cache
def _planned(budget: float) -> World:
    policy = {"overlap_share": 0.0, "pairs": False, "budget": budget}
    world = make_world(accept=AcceptancePolicy(rule="never"), **policy)
    world.items(*IDS)
    for n, item in enumerate(IDS[1:]):
        rest = {who: "dog" if n == place else "cat" for place, who in enumerate(REST)}
        world.vote(item, round_=9, **dict.fromkeys(BEST, "cat"), **rest)
    world.vote(IDS[0], round_=9, dan="cat", eve="dog")
    world.flush()
    route(world.workspace, now=world.tick())
    return world


def _seats(world: World) -> pd.DataFrame:
    rows = world.state.open_seats
    return rows.loc[rows["item_id"] == IDS[0]]


def _wait(world: World, days: float, *, voters: tuple[str, ...] = ()) -> None:
    """Let people vote on something else, then days go by."""
    for who in voters:
        world.vote("elsewhere", "gold", **{who: "cat"})
    world.flush()
    world.hour += int(days * DAY)


def test_seats_are_kept_for_the_best_at_first() -> None:
    """A doubt is for the best half; while they might come it stays so, whoever else votes."""
    world = _doubted()
    assert len(_seats(world)) == 1
    barred = json.loads(_seats(world)["exclude"].iloc[0])
    assert set(barred) == {f"human:{n}" for n in REST}
    _wait(world, 6, voters=REST)
    assert route(world.workspace, now=world.tick()).votes == 0
    assert len(_seats(world)) == 1


def test_when_the_best_leave_others_are_asked() -> None:
    """After a week without a vote of theirs the seat is for everybody left, and it is said."""
    world = _doubted()
    _wait(world, 8, voters=REST)
    assert route(world.workspace, now=world.tick()).votes == 1
    seats = _seats(world)
    assert json.loads(seats["exclude"].iloc[0]) == ["human:dan", "human:eve"]
    assert len(seats) == 1, "the old seat is not waited for"
    said = json.loads(events(world, "forsaken")["body"].iloc[0])
    assert [seat[0] for seat in said["seats"]] == [IDS[0]]
    assert route(world.workspace, now=world.tick()).votes == 0, "nothing is asked twice"
    _wait(world, 30, voters=REST)
    assert route(world.workspace, now=world.tick()).votes == 0, "a seat for all is never forsaken"


def test_a_vote_by_one_of_them_keeps_the_seats() -> None:
    """As long as one of those it is kept for is at work, a seat waits."""
    world = _doubted()
    _wait(world, 8, voters=REST)
    world.vote("elsewhere", "gold", ann="cat")
    world.flush()
    assert route(world.workspace, now=world.tick()).votes == 0


def test_a_pause_of_all_forsakes_nothing() -> None:
    """Where nobody voted since the seat was planned, nobody has gone."""
    world = _doubted()
    _wait(world, 30)
    assert route(world.workspace, now=world.tick()).votes == 0


@pytest.mark.slow
def test_zero_days_keep_seats_for_ever() -> None:
    """`settle_days = 0` is how it was; a number that is none is refused."""
    world = _doubted(settle_days=0.0)
    _wait(world, 300, voters=REST)
    assert route(world.workspace, now=world.tick()).votes == 0
    for days in (-1.0, 1e6, float("nan"), float("inf")):
        with pytest.raises(SettingsError, match=r"route\.settle_days is"):
            RoutePolicy(settle_days=days)


@pytest.mark.slow
def test_money_stays_reserved_for_who_comes_back() -> None:
    """The old seat may still be taken: it is paid for twice rather than not at all."""
    world = _doubted(budget=72.0)
    _wait(world, 8, voters=REST)
    assert route(world.workspace, now=world.tick()).votes == 0, "71 votes, one seat: no more fits"
    state = world.state
    reserved = in_flight(state.plan, state.votes, state.seen_by_all)
    assert money_bound(reserved, state.votes, state.workspace.policies.route) == 72.0
    richer = _doubted(budget=73.0)
    _wait(richer, 8, voters=REST)
    assert route(richer.workspace, now=richer.tick()).votes == 1, "paid for twice"


def test_a_seat_that_an_expert_may_take_waits() -> None:
    """An expert who is away is waited for: nobody else was asked for."""
    world = _doubted()
    seats = _seats(world)
    _wait(world, 8, voters=REST)
    state, people = world.state, [f"human:{n}" for n in (*BEST, *REST, "zoe")]
    found = forsaken_seats(seats, state.votes, people, ["human:zoe"], 7.0, world.now)
    assert found == []
    found = forsaken_seats(seats, state.votes, people[:-1], [], 7.0, world.now)
    assert [seat[0] for seat in found] == [IDS[0]]


def test_an_expert_who_cannot_take_it_any_more_is_not_waited_for() -> None:
    """Whoever looked at the item already, or does not count any more, never comes for the seat."""
    world = _doubted()
    seats = _seats(world)
    _wait(world, 8, voters=REST)
    people = [f"human:{n}" for n in (*BEST, *REST)]
    gone = forsaken_seats(seats, world.state.votes, people, ["human:zoe"], 7.0, world.now)
    world.vote(IDS[0], "review", zoe="cat")
    world.flush()
    world.hour += 8 * DAY
    everybody = [*people, "human:zoe"]
    seen = forsaken_seats(seats, world.state.votes, everybody, ["human:zoe"], 7.0, world.now)
    for found in (gone, seen):
        assert [seat[0] for seat in found] == [IDS[0]]
