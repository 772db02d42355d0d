"""Acceptance that is looked at again, and that closes by itself when what it rests on is gone."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.autolabel.policy import AcceptancePolicy
from labelops.journey import consolidate
from labelops.measure.eprocess import hypothesis_risk
from labelops.schema import Schema

from .accepting import POLICY, accepting, arrive, calibrate, closed_now, look_anew
from .world import PETS, events, make_world


def test_errors_that_come_later_make_the_cut_off_stricter_and_are_written_down() -> None:
    """A look that finds many errors among the less sure moves the cut-off, by an event."""
    world = accepting()
    before = world.state.hypotheses[0].threshold
    arrive(world, "b", np.random.default_rng(3).uniform(0.6, 1.0, 600))
    unsure = set(world.state.proposals.loc[world.state.proposals["confidence"] < 0.8, "item_id"])
    state = world.state
    for item in state.calibration_stream.ids[state.calibration_looks.status == 0]:
        said = "dog" if item in unsure else "cat"
        world.vote(item, "calibrate", ann=said, ben=said, cid=said)
    look_anew(world)
    (found,) = world.state.hypotheses
    assert before is not None and found.looks == 2
    assert found.errors <= found.sample and len(events(world, "hypothesis")) == 2


@pytest.mark.parametrize("test", ["fixed", "e-process"])
@pytest.mark.slow
def test_too_few_calibration_votes_close_it_until_they_are_there_again(test: str) -> None:
    """A flagged annotator's votes are gone, so is what they showed; new votes restore it."""
    world = accepting(AcceptancePolicy(error=0.2, spot_share=0.0, test=test))
    assert closed_now(world) == ()
    world.say("annotator_flagged", "human:ann", 0, reason="a test")
    world.flush()
    done = consolidate(world.workspace, now=world.tick())
    assert done.closed and "too few calibration votes: 0 of the 60 items" in done.closed[0]
    assert world.state.accepted.empty and done.accepted == 0 and done.undecided == 240
    assert closed_now(world) == (), "it is said once"
    assert "60 items of the calibration sample wait" in look_anew(world)
    calibrate(world, "ben")
    look_anew(world)
    (found,) = world.state.hypotheses
    assert (found.number, found.closed, found.cause, found.looks) == (1, "", "", 2)
    assert len(world.state.accepted) == 240


def test_a_few_lost_votes_do_not_close_it() -> None:
    """As long as the rest still shows what was promised, it stands."""
    world = make_world(accept=POLICY, calibration=60)
    arrive(world, "a", np.full(240, 0.9))
    ids = world.state.calibration_stream.ids
    for n, item in enumerate(ids):
        world.vote(item, "calibrate", **{"bot" if n < 6 else "ann": "cat"})
    look_anew(world)
    world.say("annotator_flagged", "human:bot", 0, reason="a test")
    assert closed_now(world) == () and len(world.state.accepted) == 240


@pytest.mark.slow
def test_contradicting_calibration_votes_close_it() -> None:
    """Looks that fall into doubt count as wrong until people settle them."""
    world = accepting(AcceptancePolicy(error=0.2, spot_share=0.0))
    for item in world.state.calibration_stream.ids[:40]:
        world.vote(item, "calibrate", ben="dog")
    closed = closed_now(world)
    assert len(closed) == 1 and "too few calibration votes: 20 of the 60" in closed[0]
    assert "wait for people" in look_anew(world)


def test_another_schema_closes_it() -> None:
    """Classes that were not there when it was tested were not part of the question."""
    world = accepting()
    later = make_world(Schema("pets", ("ant", *PETS.classes)), accept=POLICY, like=world)
    (why,) = closed_now(later)
    assert "the schema changed" in why
    (h,) = later.state.hypotheses
    assert h.cause == "schema" and later.state.accepted.empty and not later.state.acceptance_tried


def test_what_was_tried_under_another_schema_has_spent_its_share() -> None:
    """The next one is the second attempt, whatever closed the first."""
    world = accepting()
    later = make_world(Schema("pets", ("ant", *PETS.classes)), accept=POLICY, like=world)
    closed_now(later)
    later.propose(dict.fromkeys(later.state.item_ids.tolist(), ("cat", 0.9)), "m2")
    calibrate(later, "ben")
    look_anew(later)
    _, second = later.state.hypotheses
    assert (second.number, second.accepted) == (2, 240)
    assert second.schema == later.workspace.schema.digest
    assert second.risk == hypothesis_risk(2, POLICY.risk)


@pytest.mark.parametrize(
    "policy",
    [
        AcceptancePolicy(error=0.1),
        AcceptancePolicy(error=0.2, rule="selective"),
        AcceptancePolicy(error=0.2, rule="never"),
        AcceptancePolicy(error=0.2, risk=0.01),
    ],
)
def test_other_settings_close_it(policy: AcceptancePolicy) -> None:
    """A stricter bound, less risk, another rule or none at all is not what was shown."""
    world = accepting()
    later = make_world(accept=policy, like=world)
    closed = closed_now(later)
    assert len(closed) == 1 and "the settings ask for another promise now" in closed[0]
    assert later.state.accepted.empty


@pytest.mark.parametrize(
    "policy",
    [
        AcceptancePolicy(error=0.4),
        AcceptancePolicy(error=0.2, risk=0.2),
        AcceptancePolicy(error=0.2, test="fixed"),
    ],
)
@pytest.mark.slow
def test_what_is_asked_for_now_is_tried_beside_what_promises_more(
    policy: AcceptancePolicy,
) -> None:
    """Whoever bears more errors or risk, or takes another test, does not wait for a new model.

    It is another hypothesis with its own risk; the stricter one stands as long as it promises
    what is asked for.
    """
    world = accepting()
    later = make_world(accept=policy, like=world, calibration=60)
    assert not later.state.acceptance_tried
    look_anew(later)
    one, two = later.state.hypotheses
    assert not one.closed and (two.number, two.labeler_version) == (2, "m1")
    assert (two.error, two.test) == (policy.error, policy.test)
    assert "tried on these items already" in look_anew(later)
    assert closed_now(later) == () and len(later.state.accepted) == 240


def test_a_looser_bound_is_kept_all_the_more() -> None:
    """Who asks for less than was shown loses nothing, whatever the test."""
    world = accepting()
    later = make_world(accept=AcceptancePolicy(error=0.3, test="fixed"), like=world)
    assert closed_now(later) == () and len(later.state.accepted) == 240
