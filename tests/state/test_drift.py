"""The watch over the random stream: what it reads, what it stores, what an alarm is."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from labelops.audit.drift import Drift, accumulate
from labelops.audit.policy import AuditPolicy
from labelops.autolabel.policy import AcceptancePolicy
from labelops.journey import consolidate
from labelops.state import drift
from labelops.state.drift import drift_watch, next_drift_look, stream_items
from labelops.state.shares import latest_shares
from labelops.state.training import training_rows

from .accepting import POLICY, accepting, arrive, asking, calibrate, closed_now, look_anew, settle
from .world import World, events, make_world

BATCH = 80


@pytest.fixture
def world() -> World:
    """Return a label set whose sample is half of what comes in."""
    return make_world(calibration=10_000)


def batch(world: World, number: int, cows: float, *, confidence: float = 0.9) -> None:
    """Take a batch in, propose for it, and let people answer for its random items."""
    rng = np.random.default_rng(number)
    ids = [f"{number}-{i:03}" for i in range(BATCH)]
    world.items(*ids)
    sure = np.clip(rng.normal(confidence, 0.03, BATCH), 0.4, 1)
    world.propose({i: ("cat", float(s)) for i, s in zip(ids, sure, strict=True)}, fit=number == 0)
    said = rng.choice(["cow", "dog", "cat"], BATCH, p=[cows, 0.3, 0.7 - cows])
    sample = set(world.state.calibration_sample.ids)
    for item, value in zip(ids, said, strict=True):
        if item in sample:
            world.vote(item, "calibrate", ann=str(value))
    look(world)


def look(world: World) -> None:
    """Say what `consolidate` would say of the stream."""
    due = next_drift_look(world.state)
    assert due is not None
    world.say("drift", str(due[0]), 0, **due[1])


def test_a_look_waits_for_people(world: World) -> None:
    """Nothing is looked at while an item of the sample has no answer; each run is seen once."""
    world.items(*(f"i{n:02}" for n in range(40)))
    assert next_drift_look(world.state) is None
    sample = world.state.calibration_sample.ids
    for item in sample[:-1]:
        world.vote(item, "calibrate", ann="cat")
    assert next_drift_look(world.state) is None
    world.vote(sample[-1], "calibrate", ann="-", ben="dog")
    world.flush()
    assert consolidate(world.workspace, now=world.tick()).alarm == ""
    assert next_drift_look(world.state) is None
    assert stream_items(world.state)["item_id"].tolist() == sample.tolist()
    assert drift_watch(world.state).looks == 1


def test_what_was_ever_watched_is_never_learned_from() -> None:
    """Also items that later ones displaced in the sample of a fixed test."""
    world = make_world(calibration=10, accept=AcceptancePolicy(test="fixed"))
    for number in range(2):
        batch(world, number, cows=0.2)
    state = world.state
    watched = stream_items(state)["item_id"].tolist()
    displaced = sorted(set(watched) - set(state.calibration_stream.ids))
    assert displaced
    for item in state.item_ids:
        world.vote(item, ann="cat", ben="cat")
    learned = training_rows(world.state).ids.tolist()
    assert sorted(learned) == sorted(set(state.item_ids) - set(watched))


@pytest.mark.slow
def test_a_stream_as_it_was_is_quiet(world: World) -> None:
    """Eight batches alike give no alarm, and what was in the stream stays in it."""
    for number in range(8):
        batch(world, number, cows=0.2)
    found = drift_watch(world.state)
    assert (found.looks, found.alarms) == (8, ())
    assert found.e_value < found.wanted
    stream = stream_items(world.state)
    assert len(stream) == found.items
    assert stream["run"].value_counts().sort_index().index.tolist() == list(range(8))


@pytest.mark.slow
def test_moved_labels_are_an_alarm_and_a_new_reference(world: World) -> None:
    """Cows from a fifth to two thirds: an alarm that names them; then their share is usual."""
    for number in range(4):
        batch(world, number, cows=0.2)
    for number in range(4, 7):
        batch(world, number, cows=0.66)
    found = drift_watch(world.state)
    assert len(found.alarms) == 1
    assert "share of c" in found.alarms[0].reason and "random items" in found.alarms[0].reason
    for number in range(7, 11):
        batch(world, number, cows=0.66)
    later = drift_watch(world.state)
    assert later.alarms == found.alarms, "the new watch compares with what came since"
    bodies = events(world, "drift").set_index("subject")["body"].map(json.loads)
    first = bodies[str(found.alarms[0].run + 1)]
    assert first["e_value"] == 1.0, "the run of the alarm is no reference: it was unusual"
    assert later.wanted > 1 / 0.05 * 6, "and has a smaller share of the risk"


@pytest.mark.slow
def test_watches_share_one_risk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each alarm the next watch has less of it: together what the settings allow."""
    asked: list[float] = []

    def kept(*args: Any, **options: Any) -> Drift:
        asked.append(options["risk"])
        return accumulate(*args, **options)

    monkeypatch.setattr(drift, "accumulate", kept)
    for number in range(6):
        ids = [f"{number}-{i}" for i in range(4)]
        world.items(*ids)
        for item in set(ids) & set(world.state.calibration_sample.ids):
            world.vote(item, "calibrate", ann="cat")
        wanted, due = drift_watch(world.state).wanted, next_drift_look(world.state)
        assert due is not None and wanted == pytest.approx(1 / asked[-1])
        # The first look of a watch is its reference, and the next ends it.
        world.say("drift", str(due[0]), 0, **due[1] | {"alarm": "it moved" * (number % 2)})
    # 6 / (π² j²) of it is the j-th's.
    assert asked == pytest.approx([0.05 * 6 / (np.pi * j) ** 2 for j in (1, 1, 2, 2, 3, 3)])


def test_moved_scores_are_an_alarm(world: World) -> None:
    """The model growing unsure of new items is found while people's labels stay alike."""
    for number in range(3):
        batch(world, number, cows=0.2)
    for number in range(3, 6):
        batch(world, number, cows=0.2, confidence=0.8)
    (alarm,) = drift_watch(world.state).alarms
    assert "the model's confidence" in alarm.reason


def test_chosen_items_are_no_evidence(world: World) -> None:
    """Votes of other purposes, on all the items a model chose, move nothing."""
    for number in range(3):
        batch(world, number, cows=0.2)
    before = drift_watch(world.state)
    sample = set(world.state.calibration_sample.ids)
    for item in world.state.item_ids:
        if item not in sample:
            world.vote(item, ann="cow")
            world.vote(item, "audit", ben="cow")
    assert next_drift_look(world.state) is None
    assert drift_watch(world.state) == before


@pytest.mark.slow
def test_said_once_and_the_same(world: World) -> None:
    """A killed run that looks again says the same bytes under the same name."""
    batch(world, 0, cows=0.2)
    world.items(*(f"n{n:02}" for n in range(40)))
    for item in world.state.calibration_sample.ids:
        if item.startswith("n"):
            world.vote(item, "calibrate", ann="dog")
    due = next_drift_look(world.state)
    assert due == next_drift_look(world.state)
    world.flush()
    consolidate(world.workspace, now=world.tick())
    stored = events(world, "drift").set_index("subject")["body"]
    assert due is not None and json.loads(stored["1"]) == json.loads(json.dumps(due[1]))
    consolidate(world.workspace, now=world.tick())
    assert len(events(world, "drift")) == 2


def test_a_later_model_changes_no_bet(world: World) -> None:
    """Evidence of past runs stays as it was stored when a new version scores all items anew."""
    for number in range(3):
        batch(world, number, cows=0.2)
    before = drift_watch(world.state)
    ids = world.state.item_ids
    world.propose({i: ("dog", 0.5 + 0.4 * (i < "1")) for i in ids}, "m2")
    assert drift_watch(world.state) == before


def test_switched_off(world: World) -> None:
    """With a risk of 0 nobody looks."""
    policies = dataclasses.replace(world.workspace.policies, audit=AuditPolicy(drift=0.0))
    off = World(dataclasses.replace(world.workspace, policies=policies))
    off.items("a", "b", "c", "d")
    off.vote(off.state.calibration_sample.ids[0], "calibrate", ann="cat")
    assert next_drift_look(off.state) is None
    assert drift_watch(off.state).looks == 0


def _weeks(world: World, within: str) -> World:
    """Watch four batches of a Thursday, with few cows, and then three of a Tuesday, with many."""
    policies = dataclasses.replace(world.workspace.policies, audit=AuditPolicy(drift_within=within))
    own = World(dataclasses.replace(world.workspace, policies=policies))
    for number in range(7):
        own.hour = 24 * (7 * number + 5 * (number > 3))
        batch(own, number, cows=0.65 if number > 3 else 0.1)
    return own


@pytest.mark.slow
def test_weekdays_that_differ(world: World) -> None:
    """Another weekday with other items gives an alarm, and none where like is compared with like.

    There a weekday that becomes as the other one gives it: more cows, fewer cats.
    """
    assert drift_watch(_weeks(make_world(calibration=10_000), "").state).alarms
    own = _weeks(world, "weekday")
    assert not drift_watch(own.state).alarms
    for number in range(8, 11):
        own.hour = 24 * 7 * number
        batch(own, number, cows=0.65)
    alarm = drift_watch(own.state).alarms[0]
    assert alarm.reason.startswith("what comes in has changed: share of c")


@pytest.mark.slow
def test_shares_of_the_latest_items(world: World) -> None:
    """Cows from a fifth to a half, seen by a model that is right 8 times of 10: nearly a half.

    Before there are two runs nothing is said.
    """
    rng = np.random.default_rng(0)
    others = {"cat": "dog", "dog": "cow", "cow": "cat"}
    for number, (cows, size) in enumerate(((0.2, 1600), (0.5, 400))):
        ids = [f"{number}-{i:04}" for i in range(size)]
        world.items(*ids)
        true = rng.choice(["cow", "dog", "cat"], size, p=[cows, 0.3, 0.7 - cows])
        guess = [t if rng.random() < 0.8 else others[t] for t in true]
        world.propose({i: (g, 0.8) for i, g in zip(ids, guess, strict=True)}, fit=number == 0)
        sample = set(world.state.calibration_sample.ids)
        for item, value in zip(ids, true, strict=True):
            if item in sample:
                world.vote(item, "calibrate", ann=str(value))
        assert latest_shares(world.state) == ()
        look(world)
    cow = next(row for row in latest_shares(world.state) if row.name == "cow")
    assert cow.low < 0.5 < cow.high and abs(cow.now - 0.5) < 0.12
    assert 0.15 < cow.before < 0.25


@pytest.mark.slow
def test_a_changed_stream_closes_it_for_what_came_since() -> None:
    """A labeler less sure than it was is on other items: what came before stays accepted."""
    world = accepting()
    rng = np.random.default_rng(6)
    settle(world)
    early = arrive(world, "b", rng.uniform(0.6, 1.0, 120))
    assert settle(world).closed == ()
    assert world.state.accepted["item_id"].isin(early).any()
    late = arrive(world, "c", rng.uniform(0.35, 0.5, 900))
    done = settle(world)
    assert len(done.closed) == 1 and "the stream it was tested on has changed" in done.closed[0]
    kept = world.state.accepted
    assert len(kept) >= 240 and not kept["item_id"].isin(late).any()
    assert "nothing has come since" in look_anew(world), "what gave the alarm is not read again"
    assert world.state.acceptance_tried, "and people are asked about it meanwhile"
    assert asking(world, 200).state.planned_looks == 60, "what is to come is planned at the alarm"
    new = arrive(world, "d", rng.uniform(0.35, 0.5, 240))
    assert not settle(world).closed
    first, second = world.state.hypotheses
    assert (first.cause, second.number, second.looks) == ("drift", 2, 1)
    assert second.pool_size == 240 and second.sample == 60, "a whole sample of what came since"
    assert second.planned == 60
    (alarm,) = drift_watch(world.state).alarms
    assert first.until == alarm.good_until < alarm.until == second.since
    assert first in world.state.standing, "what was good stays"
    assert set(world.state.accepted["item_id"]) & set(new)
    assert not world.state.accepted["item_id"].isin(late).any()
    assert closed_now(world) == (), "the new one is of the new stream"


@pytest.mark.slow
def test_no_drift_no_alarm() -> None:
    """Three more batches like the first close nothing, and cost no risk."""
    world = accepting()
    rng = np.random.default_rng(7)
    for n in range(3):
        arrive(world, f"b{n}", rng.uniform(0.6, 1.0, 40))
        assert settle(world).closed == ()
    (found,) = world.state.hypotheses
    assert found.looks == 4 and found.pool_size == 360


@pytest.mark.slow
def test_scores_without_variance() -> None:
    """One score for everything is no drift, and one cut-off for everything."""
    world = make_world(accept=POLICY, calibration=60)
    arrive(world, "a", np.full(240, 0.9))
    calibrate(world)
    look_anew(world)
    settle(world)
    for batch in "bcd":
        arrive(world, batch, np.full(150, 0.9))
        assert settle(world).closed == ()
    assert len(world.state.accepted) == len(world.state.items) == 690


@pytest.mark.slow
def test_an_earlier_version_s_hypothesis_still_stands() -> None:
    """An event without the newer fields is read as a fixed test, and kept on its own votes."""
    world = accepting(AcceptancePolicy(error=0.2, test="fixed", spot_share=0.0))
    new = {"test", "looks", "votes", "schema", "classes", "cutoffs", "thresholds", "cause"}
    new |= {"looked_at", "since", "until"}
    body = json.loads(world.state.hypotheses[0].to_body())
    old = {k: v for k, v in body.items() if k not in new}
    old["by_class"] = [row[:3] for row in body["by_class"]]
    world.say("hypothesis", "1", 1, **old)
    later = make_world(accept=AcceptancePolicy(error=0.2), like=world, calibration=60)
    assert closed_now(later) == () and len(later.state.accepted) == 240
    later.say("annotator_flagged", "human:ann", 0, reason="a test")
    assert "too few calibration votes" in closed_now(later)[0]


@pytest.mark.slow
def test_a_missing_confidence_is_neither_drift_nor_accepted() -> None:
    """Items without an answer are left to people."""
    world = accepting()
    world.items("x1", "x2")
    assert closed_now(world) == ()
    calibrate(world)
    look_anew(world)
    assert not world.state.accepted["item_id"].isin(["x1", "x2"]).any()
