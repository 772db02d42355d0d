"""The calibration stream: a grown set or a larger sample is read on from where it was."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest

from labelops.autolabel.policy import AcceptancePolicy
from labelops.testing.memory import MemoryObjects

from .accepting import POLICY, accepting, arrive, asking, calibrate, closed_now, look_anew
from .world import World, events, make_world


@pytest.mark.slow
def test_a_grown_set_is_one_more_look_at_one_hypothesis() -> None:
    """New items and votes cost no risk; new items are accepted at the look, not before."""
    world = accepting()
    first = world.state.hypotheses[0]
    late = arrive(world, "b", np.random.default_rng(2).uniform(0.6, 1.0, 120))
    assert not world.state.accepted["item_id"].isin(late).any()
    assert "wait for people" in look_anew(world)
    calibrate(world)
    look_anew(world)
    (found,) = world.state.hypotheses
    assert (found.number, found.looks, found.risk) == (1, 2, first.risk)
    assert found.sample > first.sample and found.pool_size == 360
    assert found.votes == found.sample
    assert world.state.accepted["item_id"].isin(late).any()
    assert "tried on these items already" in look_anew(world), "nothing new, nothing said"
    assert len(events(world, "hypothesis")) == 2


def test_a_look_is_planned_when_the_labeler_is_fitted() -> None:
    """The number of looks is that of the sample at the fit, whatever comes before a look."""
    world = make_world(accept=POLICY, calibration=60)
    arrive(world, "a", np.full(120, 0.9))
    body = {"items": 1000, "labeler": "m", "object": "t", "calibration": 30}
    world.propose(dict.fromkeys(world.state.item_ids, ("cat", 0.9)), version="m2", fit=False)
    world.say("fit", "m2", 1, **body)
    late = [f"b{n}" for n in range(80)]
    world.items(*late)
    world.propose(dict.fromkeys(late, ("cat", 0.9)), version="m2", fit=False)
    calibrate(world)
    look_anew(world)
    (found,) = world.state.hypotheses
    assert (found.planned, found.sample) == (30, len(world.state.calibration_stream))
    assert found.sample > 30


def _larger_after_growth() -> World:
    """Return a label set that grew in two batches, so that a larger sample is another order."""
    return _grown().copy()


@cache
def _grown() -> World:
    world, rng = make_world(accept=POLICY, calibration=60), np.random.default_rng(2)
    for batch, size in (("a", 400), ("b", 1200)):
        arrive(world, batch, rng.uniform(0.6, 1.0, size))
        calibrate(world)
        look_anew(world)
    assert len(world.state.accepted) == 1600
    return world


@pytest.mark.slow
def test_a_larger_sample_is_read_on_from_where_the_last_look_was() -> None:
    """What was read stays first, in its order; the rest is read at no further risk."""
    world = _larger_after_growth()
    before, (h,) = world.state.calibration_stream.ids.tolist(), world.state.hypotheses
    more = asking(world, 300)
    found = more.state.calibration_stream.ids.tolist()
    assert found[: len(before)] == before and len(found) > len(before)
    assert closed_now(more) == ()
    assert "wait for people" in look_anew(more), "a larger sample is a reason to look again"
    calibrate(more)
    look_anew(more)
    (again,) = more.state.hypotheses
    assert (again.looks, again.sample, again.risk) == (h.looks + 1, len(found), h.risk)
    assert "tried on these items already" in look_anew(more)
    fewer = asking(more, 20)
    assert fewer.state.calibration_stream.ids.tolist() == found, "no look is thrown away"


@pytest.mark.slow
def test_errors_first_or_last_stay_where_they_were_read() -> None:
    """Evidence depends on the order of looks: a larger sample does not put later errors first."""
    world = _larger_after_growth()
    read = world.state.calibration_stream.ids.tolist()
    more = asking(world, 300)
    for item in more.state.calibration_stream.ids:
        if item not in read:
            more.vote(item, "calibrate", ann="dog", ben="dog")
    assert closed_now(more) == (), "looks that were not read yet say nothing of those that were"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.slow
def test_killed_while_the_stream_is_kept(after: bool) -> None:
    """Dead before or after the object or the event: the next run says what this one would have."""

    class Dead(MemoryObjects):
        def put_new(self, name: str, content: bytes) -> bool:
            kept = name.startswith("streams/")
            if kept and not after:
                raise KeyboardInterrupt
            found = super().put_new(name, content)
            if kept:
                raise KeyboardInterrupt
            return found

    world, undisturbed = _larger_after_growth(), _larger_after_growth()
    dead = Dead()
    dead.kept = world.workspace.objects.kept  # type: ignore[attr-defined]
    for w in (world, undisturbed):
        arrive(w, "c", np.full(80, 0.9))
        calibrate(w)
    world.flush()
    victim = World(dataclasses.replace(world.workspace, objects=dead, cache={}), world.hour)
    with pytest.raises(KeyboardInterrupt):
        look_anew(victim)
    assert world.state.hypotheses[0].looks == 2, "a look is said whole or not at all"
    for w in (world, undisturbed):
        look_anew(w)
    assert world.state.stream_read == undisturbed.state.stream_read
    assert world.state.hypotheses == undisturbed.state.hypotheses


@pytest.mark.slow
def test_a_fixed_test_takes_a_new_hypothesis_for_a_grown_set() -> None:
    """One look for one set: the second is tested at a smaller risk."""
    world = accepting(AcceptancePolicy(error=0.2, test="fixed"))
    arrive(world, "b", np.full(120, 0.9))
    calibrate(world)
    look_anew(world)
    one, two = world.state.hypotheses
    assert (one.looks, two.looks) == (1, 1) and two.risk < one.risk


def test_a_retrained_labeler_opens_a_new_hypothesis() -> None:
    """Another version is another question, with its own share of the risk."""
    world = accepting()
    world.propose(dict.fromkeys(world.state.item_ids, ("cat", 0.9)), version="m2")
    look_anew(world)
    one, two = world.state.hypotheses
    assert (one.labeler_version, two.labeler_version) == ("m1", "m2")
    assert two.number == 2 and two.risk < one.risk
