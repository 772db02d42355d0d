"""While the labeler cannot be asked: people go on, and nothing of it is accepted, nor biased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from labelops.autolabel.policy import AcceptancePolicy
from labelops.errors import EndUnavailable, LabelopsError, StorageError
from labelops.journey import autolabel, consolidate, route
from labelops.ports import Labeler
from labelops.schema import Schema
from labelops.state.needs import all_needs

from .world import World, make_world, words

JOINT = AcceptancePolicy(error=0.3, risk=0.2)


class Served:
    """A model that learns nothing, is right nine times in ten, and is away when told to be."""

    name, learns = "model:served", False

    def __init__(self) -> None:
        self.trouble: LabelopsError | None = None

    def fit(
        self, items: pd.DataFrame, codes: Sequence[int], groups: Sequence[str], schema: Schema
    ) -> str:
        return "m1"

    def propose(self, items: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        if self.trouble is not None:
            raise self.trouble
        ids = items["item_id"].tolist()
        return pd.DataFrame(
            {
                "item_id": ids,
                "value": words(*(_truth(i) if int(i[1:]) % 10 else "cow" for i in ids)),
                "confidence": [0.6 if int(i[1:]) % 10 == 0 else 0.9 for i in ids],
                "probs": None,
                "fold": pd.array([pd.NA] * len(ids), dtype="Int64"),
            }
        )


def _truth(item: str) -> str:
    return ("cat", "dog")[int(item[1:]) % 2]


def _ids(start: int, stop: int) -> list[str]:
    return [f"i{n:03d}" for n in range(start, stop)]


def _answer(world: World) -> int:
    """Let people who make no mistakes answer what is open; return how many looks."""
    seats = world.state.open_seats
    for row in seats.itertuples():
        people = [p for p in ("ann", "ben", "cat") if f"human:{p}" not in row.exclude]
        for who in people[: row.open]:
            world.vote(row.item_id, row.purpose, round_=row.round, **{who: _truth(row.item_id)})
    world.flush()
    return len(seats)


def _go_on(world: World, labeler: Labeler) -> LabelopsError | None:
    """Go on for one round, as the passes do; return what concerned the labeler only."""
    failed = None
    try:
        autolabel(world.workspace, labeler, now=world.tick(), going_on=True)
    except LabelopsError as error:
        if not error.of_a_part:
            raise
        failed = error
    route(world.workspace, now=world.tick())
    _answer(world)
    consolidate(world.workspace, now=world.tick())
    return failed


def _accepted(labeler: Served, rounds: int = 6) -> World:
    """Return a label set in which a standing hypothesis accepts much of the model's."""
    world = make_world(accept=JOINT, seed=10, training=10, calibration=24, overlap_share=0.0)
    world.items(*_ids(0, 100))
    for _ in range(rounds):
        assert _go_on(world, labeler) is None
    assert len(world.state.accepted) > 50
    return world


@pytest.mark.slow
def test_what_a_labeler_does_wrong_concerns_it_alone_and_is_remembered() -> None:
    """Since when and why, until it answers; a workspace that fails is no such matter."""
    labeler = Served()
    world = _accepted(labeler)
    before = world.state
    world.items(*_ids(100, 140))
    labeler.trouble = EndUnavailable("no connection")
    with pytest.raises(EndUnavailable) as caught:
        autolabel(world.workspace, labeler, now=world.tick(), going_on=True)
    assert caught.value.of_a_part
    first, state = world.now, world.state
    assert state.unasked is not None
    assert (state.unasked.reason, state.unasked.since) == ("no connection", pd.Timestamp(first))
    assert [h.to_body() for h in state.hypotheses] == [h.to_body() for h in before.hypotheses]
    assert set(state.accepted["item_id"]) == set(before.accepted["item_id"])
    assert len(state.proposals) == len(before.proposals)
    labeler.trouble = EndUnavailable("no name")
    assert _go_on(world, labeler) is labeler.trouble
    again = world.state.unasked
    assert again is not None and (again.reason, again.since) == ("no name", pd.Timestamp(first))
    labeler.trouble = None
    assert _go_on(world, labeler) is None
    assert world.state.unasked is None
    assert len(world.state.current_proposals) == 140
    labeler.trouble = StorageError("the disk is full")
    world.items(*_ids(140, 150))
    with pytest.raises(StorageError) as full:
        autolabel(world.workspace, labeler, now=world.tick(), going_on=True)
    assert not full.value.of_a_part
    assert world.state.unasked is None


@pytest.mark.slow
def test_without_a_labeler_nothing_waits_for_one() -> None:
    """Once the settings name none, it is not said any more that it could not be asked."""
    labeler = Served()
    world = _accepted(labeler)
    world.items(*_ids(100, 140))
    labeler.trouble = EndUnavailable("no connection")
    _go_on(world, labeler)
    assert world.state.unasked is not None
    autolabel(world.workspace, None, now=world.tick())
    assert world.state.unasked is None


@pytest.mark.slow
def test_an_outage_changes_no_look() -> None:
    """With and without one, the same items are drawn, asked about and read, with one outcome."""
    labeler = Served()
    world = _accepted(labeler)
    other, served = world.copy(), Served()
    for one in (world, other):
        one.items(*_ids(100, 200))
    labeler.trouble = EndUnavailable("no connection")
    assert _go_on(world, labeler) is labeler.trouble
    assert _go_on(world, labeler) is labeler.trouble
    during = world.state
    fresh = set(during.calibration_stream.ids) & set(_ids(100, 200))
    asked = during.plan.loc[during.plan["item_id"].isin(_ids(100, 200))]
    assert fresh and set(asked["item_id"]) == fresh, "the random sample, and nothing else"
    assert asked["annotators"].eq(1).all(), "a proposal that is not there is contradicted by nobody"
    assert not asked["show_proposal"].any()
    labeler.trouble = None
    for _ in range(4):
        assert _go_on(world, labeler) is _go_on(other, served) is None
    a, b = world.state, other.state
    assert a.calibration_stream.ids.tolist() == b.calibration_stream.ids.tolist()
    assert a.stream_read == b.stream_read
    (ours,), (theirs,) = a.standing, b.standing
    kept = ("threshold", "sample", "errors", "critical", "accepted", "tested", "by_class", "risk")
    assert [getattr(ours, k) for k in kept] == [getattr(theirs, k) for k in kept]
    assert set(a.accepted["item_id"]) == set(b.accepted["item_id"])
    assert len(a.accepted) > len(during.accepted)
    assert len(a.votes) == len(b.votes), "it cost no vote"


@pytest.mark.slow
def test_before_the_first_model_an_outage_opens_no_floodgate() -> None:
    """People label what it will learn from, at random; the rest waits for it, for a week."""
    labeler = Served()
    labeler.trouble = EndUnavailable("no connection")
    world = make_world(
        accept=JOINT, seed=10, training=16, calibration=12, overlap_share=0.0, settle_days=7.0
    )
    world.items(*_ids(0, 100))
    assert _go_on(world, labeler) is None, "too few labels to learn from: nobody was asked"
    for _ in range(5):
        assert _go_on(world, labeler) is labeler.trouble
    state = world.state
    asked = set(state.plan.loc[state.plan["purpose"] == "label", "item_id"])
    others = [i for i in state.item_ids if i not in set(state.calibration_stream.ids)]
    assert asked == set(state.workspace.sample("seed", np.array(others, dtype=object), 16).ids)
    world.hour += 24 * 7 + 1
    assert _go_on(world, labeler) is labeler.trouble
    state = world.state
    assert state.unasked is not None and state.unasked.given_up
    assert state.labels["value"].notna().all(), "nobody waits for ever"
    assert state.accepted.empty and not state.hypotheses


@pytest.mark.slow
def test_people_who_label_everything_anyway_are_not_held_up() -> None:
    """Where a model was tried and nothing of it stands, what comes in is asked about at once."""
    labeler = Served()
    world = make_world(
        accept=replace(JOINT, error=0.01), seed=10, training=10, calibration=24, overlap_share=0.0
    )
    world.items(*_ids(0, 100))
    for _ in range(6):
        _go_on(world, labeler)
    assert world.state.hypotheses and not world.state.standing
    world.items(*_ids(100, 140))
    labeler.trouble = EndUnavailable("no connection")
    _go_on(world, labeler)
    assert set(_ids(100, 140)) <= set(world.state.plan["item_id"])


@pytest.mark.slow
def test_what_is_void_closes_though_the_labeler_is_away() -> None:
    """A promise that the settings do not ask for any more ends at the next run, asked or not."""
    labeler = Served()
    world = _accepted(labeler)
    world.items(*_ids(100, 140))
    policies = replace(world.workspace.policies, accept=replace(JOINT, error=0.1))
    strict = World(replace(world.workspace, policies=policies, cache={}), world.hour)
    labeler.trouble = EndUnavailable("no connection")
    with pytest.raises(EndUnavailable):
        autolabel(strict.workspace, labeler, now=strict.tick(), going_on=True)
    assert strict.state.accepted.empty
    assert strict.state.hypotheses[-1].closed


def test_what_the_model_was_not_asked_about_is_chosen_last_and_at_random() -> None:
    """That nobody asked it says nothing of how unsure it is."""
    world = make_world(seed=4, training=20, calibration=6, overlap_share=0.0)
    known, new = _ids(0, 40), _ids(40, 90)
    world.items(*known)
    world.propose({item: ("cat", 0.4 + n / 100) for n, item in enumerate(known)})
    world.items(*new)
    apart = set(world.state.calibration_stream.ids)
    for item in [i for i in known if i not in apart][:4]:
        world.vote(item, ann="cat")
    world.flush()
    doubted = [i for i in known if i not in apart]
    assert _chosen(world) == set(doubted[:20]), "those begun with, and the least certain"
    larger = world.copy(training=60)
    chosen, left = _chosen(larger), np.array([i for i in new if i not in apart], dtype=object)
    drawn = chosen & set(new)
    assert set(doubted) <= chosen
    assert 0 < len(drawn) < len(left)
    assert drawn == set(larger.workspace.sample("seed", left, len(drawn)).ids)


def _chosen(world: World) -> set[str]:
    rows = pd.concat(all_needs(world.state))
    return set(rows.loc[rows["purpose"] == "label", "item_id"])
