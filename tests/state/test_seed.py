"""The random seed: what people were asked to label before any model had a say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from labelops.autolabel.audited import model_stands
from labelops.autolabel.policy import AcceptancePolicy
from labelops.gate.policy import GatePolicy
from labelops.journey import route

from .world import PETS, World, make_world

POLICY = AcceptancePolicy("audited", min_posterior=0.85, spot_share=0.0)
IDS = [f"i{n:03}" for n in range(60)]


def asked(world: World) -> set[str]:
    """Send once; return who was asked to label what in that round."""
    world.flush()
    found = route(world.workspace, now=world.tick())
    rows = world.state.plan
    return set(rows.loc[(rows["round"] == found.round) & (rows["purpose"] == "label"), "item_id"])


def seed_of(world: World) -> set[str]:
    found = world.state.random_seed
    assert found is not None
    return set(world.state.item_ids[found])


def fitted(world: World, version: str, ids: Sequence[str]) -> None:
    """Fit a version, or that version again, and let it propose for items it is unsure of."""
    world.propose(dict.fromkeys(ids, ("cat", 0.6)), version, fit=False)
    events = world.state.events
    revision = int((events["kind"] == "fit").sum())
    world.say("fit", version, revision, items=8, labeler="m", object="t", since="")


def _world(**route_: float) -> World:
    world = make_world(accept=POLICY, **{"seed": 8, "training": 20, "overlap_share": 0.0, **route_})
    world.items(*IDS)
    return world


@pytest.mark.slow
def test_the_random_seed_is_what_was_asked_before_any_model() -> None:
    """Those drawn first; what came after the first fit, or was asked since, is no part of it."""
    world = _world()
    drawn = set(world.workspace.sample("seed", IDS, 8).ids)
    assert asked(world) == drawn
    assert world.state.random_seed is None, "nothing was fitted"
    for item in drawn:
        world.vote(item, ann="cat")
    fitted(world, "m1", IDS)
    late = [f"late{n:03}" for n in range(200)]
    world.items(*late)
    fitted(world, "m2", [*IDS, *late])
    assert len(asked(world) - drawn) >= 12
    assert seed_of(world) == drawn
    other = make_world(accept=AcceptancePolicy("never"), like=world.copy(), seed=8, training=20)
    assert other.state.random_seed is None


@pytest.mark.slow
def test_items_that_came_before_the_first_fit_and_were_not_asked_are_none_of_it() -> None:
    """They would have been drawn, had they been there; so they were asked for another reason."""
    world = _world()
    first = asked(world)
    late = [f"late{n:03}" for n in range(300)]
    world.items(*late)
    fitted(world, "m1", [*IDS, *late])
    would_be = set(world.workspace.sample("seed", [*IDS, *late], 8).ids)
    assert would_be & set(late)
    for item in first:
        world.vote(item, ann="cat")
    asked(world)
    assert seed_of(world) == first


@pytest.mark.slow
def test_a_seed_that_is_asked_for_in_rounds_is_whole() -> None:
    """What is added before there is a model is drawn as well."""
    world = _world()
    world.items(*(f"late{n:03}" for n in range(300)))
    first = asked(world)
    for item in sorted(first)[:6]:
        world.vote(item, ann="cat")
    for item in sorted(first)[6:]:
        world.vote(item, ann="-")
    second = asked(world) - first
    fitted(world, "m1", world.state.item_ids.tolist())
    assert seed_of(world) == first | second


@pytest.mark.slow
def test_a_version_that_is_fitted_again_moves_nothing() -> None:
    """Its newest event is later than another's first one: the first fit is the first ever."""
    world = _world()
    first = asked(world)
    for item in first:
        world.vote(item, ann="cat")
    fitted(world, "m1", IDS)
    later = asked(world)
    assert later - first
    every = [*IDS, *(f"late{n:03}" for n in range(300))]
    world.items(*every[60:])
    fitted(world, "m2", every)
    fitted(world, "m1", every)
    assert world.state.fits["subject"].tolist() == ["m2", "m1"]
    assert seed_of(world) == first


@pytest.mark.slow
def test_what_else_changes_is_told_apart() -> None:
    """Notes on all items change nothing; other content is another item, a calibration none."""
    world = _world(calibration=10)
    sample = set(world.state.calibration_stream.ids)
    first = asked(world)
    assert first.isdisjoint(sample)
    fitted(world, "m1", IDS)
    assert seed_of(world) == first
    world.items(*IDS, revision=1, attributes='{"note": "read"}')
    assert seed_of(world) == first
    gone = min(first)
    world.items(gone, revision=2, payload="another text of")
    assert seed_of(world) == first - {gone}


@pytest.mark.slow
@pytest.mark.parametrize("case", ["plain", "items before the first fit", "a version again"])
def test_a_model_is_believed_as_its_seed_says_where_it_is_sure(case: str) -> None:
    """It says .8 where it is right in .79, and .5 where it is right in .95: .8 it is.

    All that it is unsure of has votes, as after some rounds. Were they among the seed, it would be
    believed to .99; were the unsure ones of the seed, to .9.
    """
    believed = [_believed(case, key) for key in range(4)]
    assert abs(np.mean(believed) - 0.79) < 0.05


def _believed(case: str, key: int) -> float:
    """Return how far a model is believed on what it is sure of and nobody has looked at."""
    rng = np.random.default_rng([key, 5])
    world = make_world(
        accept=replace(POLICY, error=0.02), gate=GatePolicy(agreement=-1.0), seed=150,
        training=300, overlap_share=0.0,
    )  # fmt: skip
    world.workspace = replace(world.workspace, key=b"k%d" % key)
    ids = np.array([f"i{n:04}" for n in range(900)], dtype=object)
    truth, sure = rng.integers(3, size=900), rng.random(900) < 0.6
    right = rng.random(900) < np.where(sure, 0.79, 0.95)
    guess = np.where(right, truth, (truth + rng.integers(1, 3, 900)) % 3)
    words = np.array(PETS.classes, dtype=object)

    def votes(some: npt.NDArray[np.bool_]) -> None:
        for n in np.flatnonzero(some):
            said = [truth[n] if rng.random() < 0.95 else (truth[n] + 1) % 3 for _ in range(2)]
            world.vote(ids[n], ann=words[said[0]], ben=words[said[1]])
        world.flush()

    def fit(version: str, n: int) -> None:
        sayings = {ids[i]: (words[guess[i]], 0.8 if sure[i] else 0.5) for i in range(n)}
        world.propose(sayings, version, fit=False)
        revision = int((world.state.events["kind"] == "fit").sum())
        world.say("fit", version, revision, items=150, labeler="m", object="t", since="")

    there = 900 if case == "plain" else 300
    world.items(*ids[:there])
    seed = np.isin(ids, sorted(asked(world)))
    votes(seed)
    if case == "a version again":
        fit("m1", 300)
    world.items(*ids[there:])
    fit("m1", 900)
    if case == "a version again":
        fit("m2", 900)
        fit("m1", 0)
    votes(~sure & ~seed)
    consensus = world.state.decided[0]
    assert consensus.weighed and consensus.alone is not None
    free = sure & ~seed
    stands = model_stands(consensus.alone, guess, POLICY.min_posterior)
    assert stands[free].all() or not stands[free].any(), "it says the same of each"
    return float(consensus.alone[free].max(axis=1).mean())
