"""A label set that accepts what a labeler proposes, and what happens to it next."""

from __future__ import annotations

from functools import cache

import numpy as np

from labelops.autolabel.policy import AcceptancePolicy
from labelops.journey import consolidate
from labelops.journey.acceptance import close_void, try_to_accept
from labelops.journey.consolidate import Consolidated

from .world import World, make_world

POLICY = AcceptancePolicy(error=0.2, spot_share=1.0)


def look_anew(world: World) -> str:
    world.flush()
    return try_to_accept(world.workspace, 1000, world.tick())


def calibrate(world: World, who: str = "ann", said: str = "cat") -> None:
    """Let somebody answer what the calibration stream still lacks."""
    state = world.state
    for item in state.calibration_stream.ids[state.calibration_looks.status == 0]:
        world.vote(item, "calibrate", **{who: said})


def arrive(world: World, batch: str, sure: np.ndarray, said: str = "cat") -> list[str]:
    """Let items come, and the same labeler propose for them."""
    ids = [f"{batch}{n:03d}" for n in range(len(sure))]
    world.items(*ids)
    known = world.state.labeler_version is not None
    values = {i: (said, float(s)) for i, s in zip(ids, sure, strict=True)}
    world.propose(values, fit=not known)
    return ids


def accepting(policy: AcceptancePolicy = POLICY) -> World:
    """Return a label set in which a model is accepted: 240 items, 60 calibration looks."""
    return accepted_once(policy).copy()


@cache
def accepted_once(policy: AcceptancePolicy) -> World:
    world = make_world(accept=policy, calibration=60)
    arrive(world, "a", np.random.default_rng(1).uniform(0.6, 1.0, 240))
    calibrate(world)
    look_anew(world)
    world.flush()
    consolidate(world.workspace, now=world.tick())
    assert len(world.state.accepted) == 240
    return world


def closed_now(world: World) -> tuple[str, ...]:
    world.flush()
    return close_void(world.workspace, world.tick())


def asking(world: World, calibration: int) -> World:
    """Return the label set under settings that ask for a sample of another size."""
    return make_world(accept=POLICY, like=world, calibration=calibration)


def settle(world: World) -> Consolidated:
    """Let people answer for the calibration stream, decide, and look again."""
    calibrate(world)
    world.flush()
    done = consolidate(world.workspace, now=world.tick())
    if not done.closed:
        look_anew(world)
    return done
