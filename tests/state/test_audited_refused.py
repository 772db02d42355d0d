"""After an audit that failed, or evidence against a version, the rule `audited` takes nothing."""

from __future__ import annotations

import dataclasses
import json

import pytest

from labelops.autolabel.hypotheses import AUDIT, DRIFT, SPOT, Hypothesis, close
from labelops.autolabel.policy import FIXED, AcceptancePolicy
from labelops.cli.standing import standing_of
from labelops.cli.status import _said_standing
from labelops.gate.candidate import REFUTED
from labelops.journey import consolidate, gate
from labelops.journey.acceptance import close_void, try_to_accept
from labelops.schema import Schema
from labelops.state.audited import refused_until_released

from .world import World, make_world

POLICY = AcceptancePolicy("audited", error=0.02, min_posterior=0.85, spot_share=0.0)
IDS = [f"s{n:02}" for n in range(30)]
EARLY = "failed: errors are where the doubt is; to look there again takes fewer looks"


def _world(policy: AcceptancePolicy = POLICY) -> World:
    world = make_world(accept=policy, seed=4, training=4)
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


@pytest.mark.slow
def test_another_test_judges_nothing_anew() -> None:
    """Nothing was tested: the setting says how random looks are read, not what stands."""
    world = _world()
    assert _look(world) == 28
    fixed = AcceptancePolicy("audited", error=0.02, min_posterior=0.85, spot_share=0.0, test=FIXED)
    other = make_world(accept=fixed, like=world.copy(), seed=4, training=4)
    assert _look(other) == 28 and len(other.state.hypotheses) == 1
    assert other.state.hypotheses[0].looks == 1


@pytest.mark.slow
def test_words_promise_nothing_and_count_what_stands_now() -> None:
    """Closed by settings, schema or looks it is not said to have been tested; status counts now."""
    world = _world()
    world.flush()
    verdict = gate(world.workspace, now=world.tick(), split_groups={}).verdict
    try_to_accept(world.workspace, 1000, world.tick())
    early = standing_of(world.state, verdict, ())
    assert (early.accepted, early.to_come) == (0, 28)
    assert "28 of them get one by `labelops run receive`" in _said_standing(early, "here")
    _look(world)
    assert standing_of(world.state, verdict, ()).to_come == 0
    for item in IDS[2:12]:
        world.vote(item, ann="cat", ben="cat")
    _look(world)
    verdict = gate(world.workspace, now=world.tick(), split_groups={}).verdict
    said = _said_standing(standing_of(world.state, verdict, ()), "here")
    assert "18 proposals nobody looked at stand as labels now, of 28 when it was taken" in said
    kept = dataclasses.replace(standing_of(world.state, verdict, ()), accepted=40)
    said = _said_standing(kept, "here")
    assert "40 proposals nobody looked at stand as labels now, 28 by this version when" in said
    stricter = AcceptancePolicy("audited", error=0.02, min_posterior=0.9, spot_share=0.0)
    cows = Schema("pets", ("cat", "dog", "cow", "ewe"))
    for other in (
        make_world(accept=stricter, like=world.copy()),
        make_world(cows, accept=POLICY, like=world.copy()),
    ):
        (why,) = close_void(other.workspace, other.tick())
        assert "promise" not in why and "tested" not in why


@pytest.mark.slow
def test_random_looks_close_it_in_words_of_its_own() -> None:
    """More than ε of all, which nobody had promised."""
    policy = AcceptancePolicy("audited", error=0.1, min_posterior=0.85, spot_share=1.0)
    world = _world(policy)
    assert _look(world) == 28
    for item in IDS[4:16]:
        world.vote(item, "audit", cid="dog", dee="dog", eva="dog")
    world.flush()
    (why,) = close_void(world.workspace, world.tick())
    assert "random looks at accepted items are wrong: more than 10 % of all" in why


def test_settings_keep_their_places() -> None:
    """A new setting is the last: who names them by position means what they meant."""
    names = [f.name for f in dataclasses.fields(AcceptancePolicy)]
    assert names[-1] == "min_posterior" and AcceptancePolicy("joint", "fixed", False, 0.1, 0.2)
