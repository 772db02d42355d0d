"""What is not named follows from the gate's bound, and only grows with the label set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from labelops.audit.policy import AuditPolicy
from labelops.autolabel.policy import AcceptancePolicy
from labelops.autolabel.trial import try_labeler
from labelops.consolidate.policy import ConsolidatePolicy
from labelops.gate.policy import GatePolicy
from labelops.measure.samples import draw_sample
from labelops.route.policy import RoutePolicy
from labelops.state import Policies
from labelops.state.plan import labeling_plan

from .world import World, make_world

JOINT = AcceptancePolicy(rule="joint")


def policies(gate: float = 0.02, **accept: object) -> Policies:
    return Policies(
        AcceptancePolicy(**accept),  # type: ignore[arg-type]
        RoutePolicy(),
        ConsolidatePolicy(),
        AuditPolicy(),
        GatePolicy(error=gate),
    )


def with_items(count: int, *, gate: float = 0.2, **accept: object) -> World:
    world = make_world(gate=GatePolicy(error=gate), accept=AcceptancePolicy(**accept))  # type: ignore[arg-type]
    world.items(*(f"i{n:04d}" for n in range(count)))
    return world


def test_all_follows_from_the_gate() -> None:
    """Posterior, tolerated error and sample follow from one number, unless they are named."""
    found = policies(0.05)
    assert (found.consolidate.min_posterior, found.accept.error) == (0.95, 0.05)
    assert found.calibration(10_000, 3) == 114
    named = replace(
        found,
        accept=AcceptancePolicy(error=0.1),
        consolidate=ConsolidatePolicy(min_posterior=0.7),
        route=RoutePolicy(calibration=40),
    )
    assert (named.consolidate.min_posterior, named.accept.error) == (0.7, 0.1)
    assert named.calibration(10_000, 3) == 40
    assert policies(rule="never").calibration(10_000, 3) == 0


def test_each_promise_its_looks() -> None:
    """Accepted labels are half of all, and each class of its own; one look needs fewer."""
    joint, fixed = policies(), policies(test="fixed")
    assert fixed.calibration(10_000, 3) < joint.calibration(10_000, 3)
    selective = policies(rule="selective")
    assert selective.calibration(10_000, 3) == 2 * joint.calibration(10_000, 3)
    by_class = policies(rule="selective", per_class=True)
    assert by_class.calibration(10_000, 3) > 3 * selective.calibration(10_000, 3)
    assert by_class.calibration(1_000, 3) == 250, "a quarter of the items at most"


@pytest.mark.parametrize("test", ["e-process", "fixed"])
def test_a_grown_plan_only_adds_looks(test: str) -> None:
    """As items come the planned sample keeps what it has, in its order, and grows to its size."""
    world, sizes = with_items(40, test=test), []
    before: list[str] = []
    for batch in range(4):
        ids = world.state.calibration_stream.ids.tolist()
        if test == "e-process":
            assert ids[: len(before)] == before
        sizes.append(len(ids))
        before = ids
        world.items(*(f"j{batch}-{n:03d}" for n in range(40)))
    assert sizes == sorted(sizes) and sizes[0] == 0 < sizes[-1]
    assert world.state.calibration_sample.ids.size == world.workspace.policies.calibration(200, 3)


def test_a_larger_bound_keeps_what_was_read() -> None:
    """Another bound plans another sample; what was read stays first in it."""
    world = with_items(400, gate=0.1)
    read = world.state.calibration_stream.ids.tolist()
    assert len(read) == 56
    strict = make_world(gate=GatePolicy(error=0.05), accept=JOINT, like=world)
    assert strict.state.calibration_stream.ids.tolist()[:56] == read
    assert len(strict.state.calibration_stream) == 100


def test_the_plan_in_words() -> None:
    """The plan says how many looks, why so many, and what they fall short of."""
    assert labeling_plan(with_items(400, gate=0.1).state).in_words == (
        "a label is decided once it is right with probability 0.95",
        "the calibration sample has 56 items: as many as show at most 10 % wrong with one error "
        "among them",
    )
    short = labeling_plan(with_items(180, gate=0.1).state)
    assert (short.calibration, short.wanted) == (45, 56)
    few = "has 45 items: 56 would show at most 10 % wrong with one error among them"
    assert few in short.in_words[1]
    vain = labeling_plan(with_items(40, gate=0.1).state)
    assert (vain.calibration, vain.least) == (0, 38)
    assert (
        "accepted: that would take 38 items without an error that show at most" in vain.in_words[1]
    )
    grown = replace(short, calibration=66)
    assert grown.in_words[1] == (
        "the calibration sample has 66 items: 56 show at most 10 % wrong with one error "
        "among them, 10 were drawn before"
    )
    named = make_world(calibration=7)
    named.items(*(f"i{n}" for n in range(40)))
    assert "has 7 items, as [route] calibration says" in labeling_plan(named.state).in_words[1]
    never = labeling_plan(with_items(40, rule="never").state)
    assert "no model's label is accepted" in never.in_words[1]


@pytest.mark.parametrize("test", ["e-process", "fixed"])
def test_nobody_looks_where_no_model_could_be_accepted(test: str) -> None:
    """Law: a sample is planned exactly where one without an error in it is accepted."""
    policy = AcceptancePolicy(test=test, error=0.1)
    rules = policies(test=test, error=0.1)
    for items in (60, 100, 132, 144, 148, 152, 160, 200):
        size = items // 4
        scores, none = np.full(items, 0.9), np.zeros(size, dtype=bool)
        pool = pd.DataFrame({"item_id": [f"i{n:03d}" for n in range(items)]})
        pool = pool.assign(confidence=scores, labeler_version="v", value='"a"')
        sample = draw_sample(b"key", "calibrate", pool["item_id"].to_numpy(dtype=object), size)
        found = try_labeler(pool, sample, none, [], policy, planned=size)
        assert (rules.calibration(items, 2) > 0) == (found.threshold is not None), items
