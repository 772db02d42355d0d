"""Items are withdrawn and a class is split, in either order: each does what it does alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache

import pytest

from labelops.journey import consolidate, gate, route
from labelops.schema import Schema
from labelops.state.needs import all_needs
from labelops.state.training import training_rows

from .frozen import freeze
from .test_class_changes import COWS, DOGS, IDS, SPLIT, WIDER, _adopted, _call, _labeled, _values
from .withdrawn import out
from .world import PETS, World, words

GONE = (DOGS[0], DOGS[1], COWS[0])
Step = Callable[[World], World]


@cache
def _kept() -> World:
    return _labeled()


def _withdrawn(world: World) -> World:
    out(world, *GONE)
    return world


def _back(world: World) -> World:
    out(world, *GONE, back=True)
    return world


def _split(world: World) -> World:
    return _adopted(world, SPLIT)


def _decided(world: World) -> World:
    world.flush()
    consolidate(world.workspace, now=world.tick())
    return world


def _after(*steps: Step) -> World:
    world = _kept().copy()
    for step in steps:
        world = step(world)
    return world


def _stands(world: World) -> tuple[object, ...]:
    state = world.state
    return (
        _values(world),
        sorted(state.undecided),
        sorted(state.votes["vote_id"]),
        sorted(training_rows(state).ids),
        sorted(state.open_seats["item_id"]),
        sorted({item for rows in all_needs(state) for item in rows["item_id"]}),
        state.withdrawn_labels.to_dict(),
        state.taken_back,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "between",
    [(), (_decided,)],
    ids=["", "decided between"],
)
def test_in_either_order_it_is_the_same(between: tuple[Step, ...]) -> None:
    """Of withdrawn dogs nothing is asked; the other dogs are asked about, the cows are cows."""
    one = _after(_withdrawn, *between, _split, _decided)
    other = _after(_split, *between, _withdrawn, _decided)
    assert _stands(one) == _stands(other)
    assert _values(one) == dict.fromkeys(COWS[1:], "cow")
    assert sorted({i for rows in all_needs(one.state) for i in rows["item_id"]}) == DOGS[2:]
    assert one.state.withdrawn_labels.to_dict() == {COWS[0]: '"cow"'}


@pytest.mark.slow
@pytest.mark.parametrize(
    "steps",
    [
        s
        for s in itertools.permutations([_withdrawn, _back, _split])
        if s.index(_withdrawn) < s.index(_back)
    ],
    ids=lambda steps: " ".join(s.__name__[1:] for s in steps),
)
def test_taken_back_it_is_as_if_it_had_never_been_out(steps: tuple[Step, ...]) -> None:
    """A cow has the label that it had; a dog is asked about again, as the others are."""
    found, plain = _after(*steps, _decided), _after(_split, _decided)
    assert _stands(found) == _stands(plain)
    route(found.workspace, now=found.tick())
    assert sorted(set(found.state.open_seats["item_id"])) == DOGS


@pytest.mark.slow
def test_what_was_said_since_the_split_comes_back_with_the_item() -> None:
    """Decided under the new classes, out and back again: the new label, and never the old votes."""
    world = _after(_split)
    route(world.workspace, now=world.tick())
    _call(world, DOGS[0], "pup", 2)
    _call(world, DOGS[1], "dog", 2)
    _decided(world)
    before = _stands(world)
    _withdrawn(world)
    assert not {DOGS[0], DOGS[1], COWS[0]} & set(_values(world))
    assert world.state.withdrawn_labels.to_dict() == {
        DOGS[0]: '"pup"', DOGS[1]: '"dog"', COWS[0]: '"cow"'
    }  # fmt: skip
    assert _stands(_decided(_back(_decided(world)))) == before
    mine = world.state.votes.loc[world.state.votes["item_id"] == DOGS[0], "value"]
    assert set(mine) == set(words("pup"))


@pytest.mark.slow
def test_nobody_waits_for_seats_of_either() -> None:
    """Asked again after the split, then withdrawn: the seats are gone, and are there when back."""
    world = _after(_split)
    route(world.workspace, now=world.tick())
    asked = world.state.open_seats
    assert sorted(set(asked["item_id"])) == DOGS
    _withdrawn(world)
    assert sorted(set(world.state.open_seats["item_id"])) == DOGS[2:]
    assert not route(world.workspace, now=world.tick()).votes
    _back(world)
    assert world.state.open_seats["item_id"].tolist() == asked["item_id"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("steps", [(_withdrawn, _split), (_split, _withdrawn)], ids=["w s", "s w"])
def test_an_open_candidate_is_withdrawn_once(steps: tuple[Step, ...]) -> None:
    """It ends by the split, whatever else left it; the next one has neither dogs nor what left."""
    world = _kept().copy()
    freeze(world)
    for step in steps:
        world = step(world)
    _decided(world)
    state = world.state
    assert state.candidate is None
    assert [c.closed for c in state.candidates] == ["withdrawn: a class was split"]
    for item in DOGS[2:]:
        _call(world, item, "pup", 2)
    _decided(world)
    freeze(world, 2, 2)
    candidate = world.state.candidate
    assert candidate is not None
    assert sorted(world.state.labels_of(candidate).index) == sorted([*DOGS[2:], *COWS[1:]])
    assert world.state.withdrawn_since == 0


@pytest.mark.slow
def test_a_candidate_that_never_had_the_dogs_goes_on() -> None:
    """All of them were out when it was frozen: the split takes none of its labels back."""
    world = _kept().copy()
    out(world, *DOGS)
    freeze(world)
    later = _decided(_adopted(world, SPLIT))
    assert [c.closed for c in later.state.candidates] == [""]
    gate(later.workspace, now=later.tick(), split_groups={})
    candidate = later.state.candidate
    assert candidate is not None and not candidate.closed
    assert sorted(later.state.labels_of(candidate).index) == COWS


@pytest.mark.slow
def test_a_split_that_is_wider_takes_withdrawn_ones_back_too() -> None:
    """Out since before the first of two splits, and back after the second: nothing of it stands."""
    world = _after(_withdrawn, _split, _decided)
    again = _adopted(world, Schema("pets", (*WIDER, "hound"), splits={"dog": ("pup", "hound")}))
    _decided(_back(again))
    assert sorted(again.state.undecided) == DOGS
    assert _values(again) == dict.fromkeys(COWS, "cow")
    assert PETS.digest not in set(
        again.state.votes.loc[again.state.votes["item_id"].isin(DOGS), "schema_digest"]
    )
    assert set(again.state.item_ids) == set(IDS)
