"""What people are asked about so that the labeler can learn: in doubt, and not the same twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from labelops.autolabel.policy import AcceptancePolicy
from labelops.errors import EndUnavailable, SettingsError, StorageError, UsageError
from labelops.journey import consolidate, route
from labelops.parts import Parts
from labelops.route.policy import DIVERSE, DOUBT, RoutePolicy

from .world import World, make_world

IDS = [f"i{n:02d}" for n in range(80)]


def _features(items: pd.DataFrame) -> Any:
    """Place every third item in a direction of its own, and all others in one."""
    places = items["item_id"].str[1:].astype(int).to_numpy()
    points = np.zeros((len(items), len(IDS)))
    points[np.arange(len(items)), np.where(places % 3, 0, places)] = 1.0
    return points


def _unsure(order: str, size: int = 8, **more: object) -> World:
    """Return four labeled items and a model less sure of an item the lower its number is."""
    policy = {"seed": 4, "training": 4 + size, "calibration": 6, "overlap_share": 0.0, **more}
    world = make_world(order=order, **policy)
    world.items(*IDS)
    world.propose({item: ("cat", 0.4 + n / 200) for n, item in enumerate(IDS)})
    fresh = [i for i in IDS if i not in set(world.state.calibration_stream.ids)]
    for item in fresh[:4]:
        world.vote(item, ann="cat")
    return world


def _fresh(world: World) -> list[str]:
    """Return what is neither learned from nor drawn at random, the least certain first."""
    apart = {*world.state.calibration_stream.ids, *world.state.evidence["item_id"]}
    return [i for i in IDS if i not in apart]


def _chosen(world: World) -> set[str]:
    rows, votes = world.state.plan, world.state.votes
    first = set(votes.loc[votes["annotator"] == "human:ann", "item_id"])
    return set(rows.loc[rows["purpose"] == "label", "item_id"]) - first


def test_by_doubt_the_least_certain_are_asked_about() -> None:
    """The default asks about the eight lowest that are neither learned from nor drawn at random."""
    world = _unsure(DOUBT)
    route(world.workspace, _features, now=world.tick())
    assert _chosen(world) == set(_fresh(world)[:8])


@pytest.mark.parametrize("as_matrix", [np.asarray, sparse.csr_matrix])
def test_diverse_prefers_what_is_new_among_the_doubtful(as_matrix: Any) -> None:
    """Of twelve wanted from the eighteen least certain, all with a direction of their own are."""
    world = _unsure(DIVERSE, size=12)
    route(world.workspace, lambda items: as_matrix(_features(items)), now=world.tick())
    near = _fresh(world)[:18]
    alone = {i for i in near if int(i[1:]) % 3 == 0}
    assert len(_chosen(world)) == 12
    assert alone <= _chosen(world) <= set(near)
    assert not alone <= set(near[:12]), "doubt alone would have chosen others"


@pytest.mark.slow
@pytest.mark.parametrize("order", [DOUBT, DIVERSE])
def test_answers_that_come_in_bits_ask_for_nothing_more(order: str) -> None:
    """While the chosen are answered one by one, in any order, nobody else is chosen."""
    world = _unsure(order, size=20)
    route(world.workspace, _features, now=world.tick())
    before = _chosen(world)
    for item in sorted(before)[::3]:
        world.vote(item, bob="dog", round_=1)
    route(world.workspace, _features, now=world.tick())
    assert _chosen(world) == before
    # A model that is fitted anew while people work is sure of other things: they work on.
    world.propose({item: ("dog", 0.9 - n / 200) for n, item in enumerate(IDS)}, version="m2")
    route(world.workspace, _features, now=world.tick())
    assert _chosen(world) == before


@pytest.mark.slow
def test_the_same_state_gives_the_same_plan() -> None:
    """Two copies of a label set ask about the same items, in the same order."""
    world = _unsure(DIVERSE, size=20)
    other = world.copy()
    for each in (world, other):
        route(each.workspace, _features, now=each.tick())
    plans = [w.state.plan[["item_id", "purpose", "exclude", "reason"]] for w in (world, other)]
    pd.testing.assert_frame_equal(*plans)


def test_what_is_wrong_is_said() -> None:
    """An unknown order, and the diverse one without features, are errors of their own."""
    with pytest.raises(SettingsError, match=r"route.order is 'random', expected 'doubt' or"):
        RoutePolicy(order="random")
    world = _unsure(DIVERSE)
    with pytest.raises(UsageError, match="needs `features`"):
        route(world.workspace, now=world.tick())


def _away(_: pd.DataFrame) -> Any:
    raise EndUnavailable("the encoder is away")


@pytest.mark.slow
def test_without_its_features_a_pass_plans_by_doubt_and_says_so_until_they_are_there() -> None:
    """The plan is the one that doubt alone makes; by itself nothing is planned."""
    world, by_doubt = _unsure(DIVERSE), _unsure(DOUBT)
    with pytest.raises(EndUnavailable) as caught:
        route(world.workspace, _away, now=world.tick())
    assert caught.value.of_a_part and world.state.plan.empty and world.state.by_doubt is None
    parts = Parts()
    found = route(world.workspace, _away, now=world.tick(), parts=parts)
    first = world.now
    route(by_doubt.workspace, now=by_doubt.tick())
    asked = [w.state.plan[["item_id", "purpose"]] for w in (world, by_doubt)]
    pd.testing.assert_frame_equal(*asked)
    assert found.by_doubt == "the encoder is away" == str(parts.errors[0])
    for item in _chosen(world):
        world.vote(item, ann="dog", round_=1)
    bigger = world.copy(training=20)
    bigger.tick()
    route(bigger.workspace, _away, now=bigger.tick(), parts=parts)
    trouble = bigger.state.by_doubt
    assert trouble is not None and trouble.since == pd.Timestamp(first)
    more = bigger.copy(training=28)
    for item in _chosen(more):
        more.vote(item, ann="dog", round_=2)
    again = route(more.workspace, _features, now=more.tick(), parts=parts)
    assert again.votes and not again.by_doubt and more.state.by_doubt is None
    assert len(parts.errors) == 2


def test_a_workspace_that_cannot_be_read_is_no_matter_of_the_order() -> None:
    """Features of images are read from it: where that fails the pass ends, and plans nothing."""
    world, parts = _unsure(DIVERSE), Parts()

    def broken(_: pd.DataFrame) -> Any:
        raise StorageError("an image is gone")

    with pytest.raises(StorageError):
        route(world.workspace, broken, now=world.tick(), parts=parts)
    assert world.state.plan.empty and not parts.errors


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["joint", "audited"])
def test_without_a_labeler_people_are_asked_about_everything(rule: str) -> None:
    """First the seed, then as many as a labeler would learn from, then nobody waits for one."""
    more = {"calibration": 6} if rule == "joint" else {"overlap_share": 0.0}
    world = make_world(accept=AcceptancePolicy(rule), **{"seed": 4, "training": 10, **more})
    world.items(*IDS)
    asked = []
    for _ in range(3):
        route(world.workspace, now=world.tick())
        seats = world.state.open_seats
        asked.append(int((seats["purpose"] == "label").sum()))
        for row in seats.itertuples():
            given = {f"ann{n}": "cat" for n in range(int(row.open))}
            world.vote(str(row.item_id), str(row.purpose), round_=int(row.round), **given)  # type: ignore[arg-type]
        world.flush()
        consolidate(world.workspace, now=world.tick())
    left = set(IDS) - set(world.state.evidence["item_id"])
    # Without a sample nobody knows how good one voter is, and of one of six hardly anybody: the
    # four are asked about once more.
    assert asked[:2] == [4, 10] and not left


@pytest.mark.slow
def test_a_seed_that_is_partly_unclear_is_followed_by_a_few_not_by_all() -> None:
    """Two people disagree on five of twenty: three more are begun, 18 are enough to learn from."""
    world = make_world(
        seed=20, training=20, calibration=0, overlap_share=0.0, accept=AcceptancePolicy("audited")
    )
    world.items(*IDS)
    for n, item in enumerate(IDS[:20]):
        world.vote(item, ann="cat" if n % 4 else "dog", ben="cat" if n % 2 else "dog")
    world.flush()
    route(world.workspace, now=world.tick())
    plan = world.state.plan
    asked = set(plan.loc[plan["purpose"] == "label", "item_id"])
    assert len(asked - set(IDS[:20])) == 3


@pytest.mark.slow
def test_labels_of_withdrawn_items_teach_nothing_and_others_are_asked_about() -> None:
    """A first version fitted on too few to be tried waits for as many as lack, not for ever."""
    world = _unsure(DOUBT, size=2)
    asked = _fresh(world)[:2]
    for item in asked:
        world.vote(item, ann="cat")
    route(world.workspace, _features, now=world.tick())
    assert not _chosen(world) - set(asked), "there are enough to learn from"
    withdrawn = asked[:1] + sorted(set(world.state.evidence["item_id"]) - set(asked))[:1]
    for item in withdrawn:
        world.say("withdrawn", item, because="asked", by="ann", candidates=0, out=True)
    route(world.workspace, _features, now=world.tick())
    assert len(_chosen(world) - set(asked)) == 2
