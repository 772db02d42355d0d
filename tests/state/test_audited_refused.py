"""After an audit that failed, or evidence against a version, the rule `audited` takes nothing."""

from __future__ import annotations

import json

import pytest

from labelops.autolabel.hypotheses import AUDIT, DRIFT, SPOT, Hypothesis, close
from labelops.autolabel.policy import AcceptancePolicy
from labelops.gate.candidate import REFUTED
from labelops.journey import consolidate
from labelops.journey.acceptance import try_to_accept
from labelops.state.audited import refused_until_released

from .world import World, make_world

POLICY = AcceptancePolicy("audited", error=0.02, min_posterior=0.85, spot_share=0.0)
IDS = [f"s{n:02}" for n in range(30)]
EARLY = "failed: errors are where the doubt is; to look there again takes fewer looks"


def _world() -> World:
    world = make_world(accept=POLICY, seed=4, training=4)
    world.items(*IDS)
    _propose(world, "m1")
    for item in IDS[:2]:
        world.vote(item, ann="cat", ben="cat")
    return world


def _propose(world: World, version: str) -> None:
    world.propose(dict.fromkeys(IDS, ("cat", 0.97)), version, fit=False)
    world.say("fit", version, len(world.state.fits), items=4, labeler="m", object="t", since="")


def _look(world: World) -> int:
    """Look at the version fitted last; return how many of its labels stand."""
    world.flush()
    try_to_accept(world.workspace, 1000, world.tick())
    consolidate(world.workspace, now=world.tick())
    return int(world.state.labels["method"].eq("accepted").sum())


def _candidate(world: World, number: int, closed: str) -> None:
    body = {"number": number, "revision": 1, "stream": 1, "items": 30, "digest": "d"}
    world.say("candidate", str(number), 0, **body, closed=closed)


@pytest.mark.slow
@pytest.mark.parametrize("cause", [SPOT, AUDIT, DRIFT])
def test_a_version_refuted_under_another_rule_does_not_stand(cause: str) -> None:
    """What people found of it under `joint` they found of it; the next version may stand."""
    world = _world()
    digest = world.workspace.schema.digest
    found = Hypothesis(
        1, "m1", world.state.pool, 30, 20, "joint", 0.02, 0.03, 0.9, 28, 0, 0, "passed",
        test="e-process", tested="x", schema=digest,
    )  # fmt: skip
    world.say("hypothesis", "1", 0, **json.loads(close(found, cause, "a test").to_body()))
    assert _look(world) == 0
    _propose(world, "m2")
    assert _look(world) == 28


@pytest.mark.slow
@pytest.mark.parametrize("cause", [SPOT, AUDIT])
def test_a_failed_audit_refuses_whatever_closed_what_stood(cause: str) -> None:
    """Random looks may close it first: the audit's failure is read off its candidate."""
    world = _world()
    assert _look(world) == 28
    (found,) = world.state.hypotheses
    world.say("hypothesis", "1", 1, **json.loads(close(found, cause, "a test").to_body()))
    _candidate(world, 1, REFUTED)
    _propose(world, "m2")
    assert refused_until_released(world.state) and _look(world) == 0
    _candidate(world, 2, "released pets@1")
    assert not refused_until_released(world.state) and _look(world) == 28
    _candidate(world, 3, REFUTED)
    assert refused_until_released(world.state), "each failure counts, since the last release"


@pytest.mark.slow
@pytest.mark.parametrize("closed", [EARLY, "withdrawn: the labels went on", ""])
def test_an_audit_that_proved_nothing_refuses_nothing(closed: str) -> None:
    """Ended early, withdrawn or still open: what the model was trusted with stands."""
    world = _world()
    assert _look(world) == 28
    _candidate(world, 1, closed)
    assert not refused_until_released(world.state) and _look(world) == 28
