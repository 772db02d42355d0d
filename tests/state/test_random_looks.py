"""Random looks at what was accepted: how they are asked for, and when they close it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labelops.autolabel.policy import AcceptancePolicy
from labelops.journey import consolidate
from labelops.measure.adjudication import Adjudication
from labelops.measure.samples import draw_sample
from labelops.schema import Schema
from labelops.state.needs import all_needs
from labelops.state.watch import SpotAudit, _weigh_set, _weigh_stream, spot_audit

from .accepting import POLICY, accepting, arrive, calibrate, closed_now, look_anew
from .world import PETS, make_world


@pytest.mark.slow
def test_random_looks_are_asked_for_at_accepted_items_only() -> None:
    """They are blind audit looks, a share of what stands without a vote, always the same."""
    world = accepting(AcceptancePolicy(error=0.2, spot_share=0.25))
    spot = spot_audit(world.state, world.state.hypotheses[0])
    wanted = pd.concat(all_needs(world.state))
    wanted = wanted.loc[wanted["purpose"] == "audit"]
    assert set(wanted["item_id"]) == set(spot.asked.ids) and 20 < len(wanted) < 80
    assert not set(spot.asked.ids) & set(world.state.calibration_stream.ids)
    arrive(world, "b", np.full(120, 0.9))
    calibrate(world)
    look_anew(world)
    grown = spot_audit(world.state, world.state.hypotheses[0]).asked.ids
    assert set(spot.asked.ids) - set(world.state.calibration_stream.ids) <= set(grown)


@pytest.mark.slow
def test_random_looks_from_before_a_class_was_added_say_nothing() -> None:
    """Who looked before it could be named confirms nothing of what is accepted now."""
    world, wider = accepting(), Schema("pets", (*PETS.classes, "fox"))
    for schema in (PETS, wider):
        world.say("schema", schema.digest, 0, **schema.to_json())
    for item in world.state.item_ids:
        world.vote(item, "audit", ben="cat")
    world.flush()
    later = make_world(wider, accept=POLICY, calibration=60, like=world)
    closed_now(later)
    later.propose(dict.fromkeys(later.state.item_ids, ("cat", 0.9)), version="m2")
    calibrate(later, who="cyn")
    look_anew(later)
    (standing,) = later.state.standing
    asked = spot_audit(later.state, standing)
    assert len(asked.asked) > 100 and not asked.looks.votes.any()
    later.vote(asked.asked.ids[0], "audit", dan="cat")
    assert spot_audit(later.state, standing).looks.votes.sum() == 1


@pytest.mark.slow
def test_what_was_refuted_before_a_class_was_added_is_refuted() -> None:
    """That it is no cat stays true; that it is one hinders nobody who could name the class."""
    world, wider = accepting(), Schema("pets", (*PETS.classes, "fox"))
    for schema in (PETS, wider):
        world.say("schema", schema.digest, 0, **schema.to_json())
    ids = world.state.item_ids
    for place, item in enumerate(ids):
        said = "dog" if place % 2 else "cat"
        world.vote(item, "audit", ben=said, eve=said, fay=said)
    # There are others who have not looked at nearly all of them.
    known = next(i for i in ids[::2] if i not in world.state.calibration_stream.ids)
    world.vote(known, "audit", dan="cat", gus="cat", hal="cat")
    world.flush()
    later = make_world(wider, accept=POLICY, calibration=60, like=world)
    closed_now(later)
    later.propose(dict.fromkeys(ids, ("cat", 0.9)), version="m2")
    calibrate(later, who="cyn")
    look_anew(later)
    (standing,) = later.state.standing
    refuted, found = set(ids[1::2]), spot_audit(later.state, standing)
    asked = found.asked.ids
    assert set(asked[found.wrong]) == refuted & set(asked) != set()
    assert found.settled == found.wrong.sum()
    assert not refuted & set(later.state.accepted["item_id"])
    one = next(i for i in asked if i not in {*refuted, known})
    assert one in set(later.state.accepted["item_id"])
    later.vote(one, "audit", dan="fox", gus="fox", hal="fox")
    assert one not in set(later.state.accepted["item_id"])
    assert one in set(asked[spot_audit(later.state, standing).wrong])


@pytest.mark.slow
def test_random_looks_that_find_too_much_close_it_and_labels_go_back() -> None:
    """More wrong than was promised closes it for this version; a set that never grew goes back."""
    world = accepting()
    h = world.state.hypotheses[0]
    asked = spot_audit(world.state, h).asked.ids
    for item in asked[:100]:
        world.vote(item, "audit", eve="dog", fay="dog", gus="dog")
    spot = spot_audit(world.state, h)
    assert spot.alarm and spot.settled == 100 and spot.e_value > 20
    world.flush()
    done = consolidate(world.workspace, now=world.tick())
    assert "100 of 100 random looks at accepted items are wrong" in done.closed[0]
    assert done.accepted == 0 and world.state.accepted.empty
    assert world.state.acceptance_tried, "this version is not tried again"
    assert len(world.state.undecided) >= 180 - 100


def test_clean_random_looks_leave_it_open() -> None:
    """Looks that confirm are no evidence, and one error is none either; its label goes back."""
    world = accepting()
    asked = spot_audit(world.state, world.state.hypotheses[0]).asked.ids
    for item in asked[1:]:
        world.vote(item, "audit", eve="cat")
    world.vote(asked[0], "audit", eve="dog", fay="dog", hal="dog")
    assert closed_now(world) == ()
    assert asked[0] not in set(world.state.accepted["item_id"])
    spot = spot_audit(world.state, world.state.hypotheses[0])
    assert spot.wrong.sum() == 1, "an error stays one, whoever labels the item then"
    world.vote(asked[0], gus="dog")
    assert spot_audit(world.state, world.state.hypotheses[0]).wrong.sum() == 1


def test_a_label_voter_does_not_look_at_random() -> None:
    """One audit vote settles no error; who labels an item, if only later, does not judge it."""
    world = accepting()
    asked = spot_audit(world.state, world.state.hypotheses[0]).asked.ids
    for item in asked[:90]:
        world.vote(item, "audit", eve="dog")
    assert not spot_audit(world.state, world.state.hypotheses[0]).wrong.any()
    assert closed_now(world) == ()
    for item in asked[:90]:
        world.vote(item, "audit", fay="dog", gus="dog")
    assert spot_audit(world.state, world.state.hypotheses[0]).wrong.sum() == 90
    for item in asked[:90]:
        world.vote(item, eve="dog", fay="dog", gus="dog")
    assert not spot_audit(world.state, world.state.hypotheses[0]).wrong.any()


@pytest.mark.slow
def test_what_came_before_the_last_good_look_stays() -> None:
    """Two hundred good items, then bad ones: only those that came since go back to people."""
    world = accepting()
    late = arrive(world, "b", np.random.default_rng(4).uniform(0.6, 1.0, 240))
    calibrate(world)
    look_anew(world)
    h = world.state.hypotheses[0]
    for item in spot_audit(world.state, h).asked.ids:
        people = dict.fromkeys(("eve", "fay", "gus"), "dog" if item in late else "cat")
        world.vote(item, "audit", **people)
    (why,) = closed_now(world)
    assert "random looks at accepted items are wrong" in why
    kept = world.state.accepted
    assert len(kept) == 240 and not kept["item_id"].isin(late).any()
    (closed,) = world.state.hypotheses
    assert closed.kept and closed.accepted == 240
    world.flush()
    consolidate(world.workspace, now=world.tick())
    labels = world.state.labels.set_index("item_id")["value"]
    assert labels.reindex(late).isna().sum() >= 150


def _nothing_found() -> SpotAudit:
    empty = draw_sample(b"k", "spot", [])
    return SpotAudit(empty, Adjudication(*[np.zeros(0, np.int64)] * 4), 1.0, False, "")


def _alarm_share(share: float, error: float, looks: int, repetitions: int, *, naive: bool) -> float:
    """How often random looks raise the alarm, over all looks of a stream."""
    rng = np.random.default_rng(5)
    none = _nothing_found()
    arrived = pd.Series(pd.date_range("2026-01-01", periods=looks, tz="UTC"))
    hits = 0
    for _ in range(repetitions):
        wrong = rng.random(looks) < share
        if naive:
            rates = np.cumsum(wrong) / np.arange(1, looks + 1)
            hits += bool((rates[20:] > error).any())
        else:
            hits += _weigh_stream(none, wrong, arrived, error, 0.05).alarm
    return hits / repetitions


@pytest.mark.slow
def test_size_and_power_of_random_looks() -> None:
    """At the bound hardly an alarm; twice the bound is found; an observed rate is no test."""
    assert _alarm_share(0.05, 0.05, 600, 80, naive=False) <= 0.09
    assert _alarm_share(0.10, 0.05, 600, 30, naive=False) >= 0.9
    assert _alarm_share(0.05, 0.05, 600, 30, naive=True) >= 0.6


@pytest.mark.slow
def test_size_of_random_looks_in_a_thousand_streams() -> None:
    """Over 2,000 looks at exactly the bound at most 6.4 % of 1,000 streams raise an alarm."""
    assert _alarm_share(0.05, 0.05, 2000, 1000, naive=False) <= 0.064


@pytest.mark.slow
def test_a_set_as_a_whole_may_have_one_bad_batch() -> None:
    """A fixed test promised 2 % of all: a tenth at 10 % wrong is no alarm, all at 4 % is one.

    Read batch after batch, the same looks would raise an alarm in most sets.
    """
    rng, size, error = np.random.default_rng(9), 20_000, 0.02
    arrived = pd.Series(pd.date_range("2026-01-01", periods=size, freq="min", tz="UTC"))
    alarms = {"kept": 0, "broken": 0, "in order of arrival": 0}
    for _ in range(60):
        late = np.arange(size) >= 0.9 * size
        kept = rng.random(size) < np.where(late, 0.1, 0.01)
        drawn = rng.permutation(size)[:2_000]
        found = _weigh_set(_nothing_found(), kept[drawn], size, error, 0.05)
        alarms["kept"] += found.alarm
        assert found.good_until == ""
        wrong = rng.random(size) < 0.04
        alarms["broken"] += _weigh_set(_nothing_found(), wrong[drawn], size, error, 0.05).alarm
        ordered = np.sort(drawn)
        alarms["in order of arrival"] += _weigh_stream(
            _nothing_found(), kept[ordered], arrived.iloc[ordered], error, 0.05
        ).alarm
    assert alarms["kept"] <= 3 and alarms["broken"] >= 57 and alarms["in order of arrival"] > 30


@pytest.mark.slow
def test_a_rise_that_is_over_when_it_is_read_is_dated_as_of_its_alarm() -> None:
    """Thirty bad days, then ninety good ones, read at the end: what came with them goes back."""
    rng, late = np.random.default_rng(10), 0
    days = pd.Series(np.repeat(pd.date_range("2026-01-01", periods=200, tz="UTC"), 10))
    for _ in range(60):
        share = np.where((np.arange(200) >= 80) & (np.arange(200) < 110), 0.2, 0.01)
        wrong = rng.random(2_000) < np.repeat(share, 10)
        found = _weigh_stream(_nothing_found(), wrong, days, 0.05, 0.05)
        assert found.alarm
        late += found.good_until >= days.iloc[800].isoformat()
    assert late <= 4


def test_random_looks_close_at_one_over_the_risk() -> None:
    """At just less evidence nothing closes, of a set as of a stream."""
    none, wrong = SpotAudit(None, None, 1.0, False, ""), np.arange(60) % 6 == 5  # type: ignore[arg-type]
    came = pd.Series(pd.date_range("2026-01-01", periods=60, tz="UTC"))
    for weigh in (
        lambda risk: _weigh_set(none, wrong, 600, 0.05, risk),
        lambda risk: _weigh_stream(none, wrong, came, 0.05, risk),
    ):
        most = weigh(0.5).e_value
        assert most > 5
        assert weigh(1.001 / most).alarm and not weigh(0.999 / most).alarm
