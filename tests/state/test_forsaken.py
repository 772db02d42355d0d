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
from labelops.state.awaited import awaited

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


@pytest.mark.slow
def test_seats_are_kept_for_the_best_at_first() -> None:
    """A doubt is for the best half; while they might come it stays so, whoever else votes."""
    world = _doubted()
    assert len(_seats(world)) == 1
    barred = json.loads(_seats(world)["exclude"].iloc[0])
    assert set(barred) == {f"human:{n}" for n in REST}
    _wait(world, 6, voters=REST)
    assert route(world.workspace, now=world.tick()).votes == 0
    assert len(_seats(world)) == 1


@pytest.mark.slow
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


@pytest.mark.parametrize("days", [7.0, pytest.param(0.0, marks=pytest.mark.slow)])
def test_what_was_kept_for_people_who_left_is_for_others_at_once(days: float) -> None:
    """No day goes by, whatever `settle_days` is; while one of the best is there it is kept."""
    best = tuple(f"human:{n}" for n in BEST)
    world = _doubted()
    some = world.copy(left=best[1:], settle_days=days)
    assert route(some.workspace, now=some.tick()).votes == 0
    world = world.copy(left=best, settle_days=days)
    assert route(world.workspace, now=world.tick()).votes == 1
    (barred,) = map(json.loads, _seats(world)["exclude"])
    assert set(barred) == {*best, "human:dan", "human:eve"}
    assert route(world.workspace, now=world.tick()).votes == 0, "nothing is asked twice"


@pytest.mark.slow
def test_a_vote_by_one_of_them_keeps_the_seats() -> None:
    """As long as one of those it is kept for is at work, a seat waits."""
    world = _doubted()
    _wait(world, 8, voters=REST)
    world.vote("elsewhere", "gold", ann="cat")
    world.flush()
    assert route(world.workspace, now=world.tick()).votes == 0


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_seat_that_an_expert_at_work_may_take_waits() -> None:
    """Whoever votes elsewhere may still come for it; an expert who is away is as others are."""
    world = _doubted()
    seats = _seats(world)
    _wait(world, 8, voters=REST)
    votes, people = world.state.votes, [f"human:{n}" for n in (*BEST, *REST, "zoe")]
    found = forsaken_seats(seats, votes, people, ["human:zoe"], 7.0, world.now)
    assert [seat[0] for seat in found] == [IDS[0]]
    world.vote("elsewhere", "gold", zoe="cat")
    votes = world.state.votes
    assert forsaken_seats(seats, votes, people, ["human:zoe"], 7.0, world.now) == []


@cache
def _torn() -> World:
    """Return one item on which four of five disagree, and that an expert is asked about."""
    people, expert = ("ann", "ben", "cid", "dan", "eve"), ("human:zoe",)
    settings = {"overlap_share": 0.0, "experts": expert, "expert_cost": 1.0}
    world = make_world(accept=AcceptancePolicy(rule="never"), **settings)
    world.items(*IDS)
    for item in IDS[1:]:
        world.vote(item, round_=9, **dict.fromkeys((*people, "zoe"), "cat"))
    world.vote(IDS[0], round_=9, ann="cat", ben="dog", cid="cat", dan="dog")
    world.flush()
    world.hour += 30 * DAY
    route(world.workspace, now=world.tick())
    return world


@pytest.mark.slow
def test_an_expert_who_never_comes_is_not_waited_for_where_others_may_look() -> None:
    """The seat becomes the others' once they voted and the expert did not; then it waits again."""
    world = _torn().copy()
    (barred,) = map(json.loads, _seats(world)["exclude"])
    assert "human:eve" in barred and "human:zoe" not in barred
    assert awaited(world.state) == "1 vote waits for human:zoe"
    _wait(world, 8, voters=("ann", "eve"))
    assert route(world.workspace, now=world.tick()).votes == 1
    (barred,) = map(json.loads, _seats(world)["exclude"])
    assert "human:eve" not in barred and awaited(world.state) == "1 vote waits for human:eve"
    assert route(world.workspace, now=world.tick()).votes == 0, "nothing is asked twice"
    at_work = _torn().copy()
    _wait(at_work, 8, voters=("ann", "eve"))
    _wait(at_work, 0, voters=("zoe",))
    assert route(at_work.workspace, now=at_work.tick()).votes == 0


@pytest.mark.slow
def test_where_only_the_expert_is_left_it_waits() -> None:
    """Nobody else could take it: the seat stays the expert's for as long as it takes."""
    world = _torn().copy()
    world.vote(IDS[0], "review", eve="-")
    _wait(world, 60, voters=("ann", "eve"))
    assert route(world.workspace, now=world.tick()).votes == 0
    assert awaited(world.state) == "1 vote waits for human:zoe"


@pytest.mark.slow
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


@pytest.mark.slow
def test_where_all_are_experts_they_are_asked_after_a_while() -> None:
    """A seat kept from the only person for the price is theirs after a week, and says so before."""
    settings = {"overlap_share": 0.0, "experts": ("human:ann",)}
    world = make_world(accept=AcceptancePolicy(rule="never"), **settings)
    world.items(*IDS)
    first = route(world.workspace, now=world.tick())
    assert first.votes == len(IDS)
    assert first.awaited == "12 votes wait for somebody who is not among [route] experts"
    _wait(world, 6)
    assert route(world.workspace, now=world.tick()).votes == 0
    _wait(world, 2)
    again = route(world.workspace, now=world.tick())
    assert (again.votes, again.awaited) == (len(IDS), "")
    assert set(world.state.open_seats["exclude"]) == {"[]"}
    _wait(world, 30)
    assert route(world.workspace, now=world.tick()).votes == 0, "nothing is asked twice"


@pytest.mark.slow
def test_where_the_only_other_person_has_looked_experts_are_asked_after_a_while() -> None:
    """A second vote is first kept for somebody as cheap; nobody comes, and the expert is there."""
    settings = {"overlap_share": 0.0, "experts": ("human:ann",)}
    world = make_world(accept=AcceptancePolicy(rule="never"), **settings)
    world.items(*IDS)
    for item in IDS:
        world.vote(item, round_=9, dan="cat")
    world.flush()
    assert route(world.workspace, now=world.tick()).votes > 0
    assert set(world.state.open_seats["exclude"]) == {'["human:ann","human:dan"]'}
    _wait(world, 8)
    assert route(world.workspace, now=world.tick()).votes > 0
    assert set(world.state.open_seats["exclude"]) == {'["human:dan"]'}
    _wait(world, 30)
    assert route(world.workspace, now=world.tick()).votes == 0, "nothing is asked twice"
