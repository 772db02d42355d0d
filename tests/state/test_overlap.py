"""Agreement between people under the rule `audited`: two look at random items, the model's too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from labelops.autolabel.policy import AcceptancePolicy
from labelops.gate.policy import GatePolicy
from labelops.journey import audit, consolidate, gate, route
from labelops.journey.acceptance import try_to_accept
from labelops.state.facts import agreement
from labelops.state.needs import all_needs
from labelops.state.overlap import overlap_sample

from .world import World, make_world

CLASSES = ("cat", "dog", "cow")
POLICY = AcceptancePolicy("audited", error=0.02, min_posterior=0.85, spot_share=0.0)
IDS = [f"i{n:03}" for n in range(200)]
PEOPLE = ("ann", "ben", "cid", "dee", "eva", "fay", "gus")


def _world(sure: set[str], truth: dict[str, str]) -> World:
    """Return items of which a model that learned from four is sure of some; it is right."""
    world = make_world(accept=POLICY, seed=4, training=4)
    rows = {
        "item_id": IDS,
        "revision": 0,
        "payload": IDS,
        "media_type": "text/plain",
        "payload_digest": IDS,
        "source": "test",
        "group": IDS,
        "attributes": "{}",
        "purposes": '["training"]',
        "ingested_at": world.tick(),
    }
    world.append("items", rows, len(IDS))
    world.propose({i: (truth[i], 0.97 if i in sure else 0.5) for i in IDS}, "m1", fit=False)
    world.say("fit", "m1", 0, items=4, labeler="m", object="t", since="")
    return world


def _round(world: World, says: Callable[[str], str], rng: np.random.Generator) -> int:
    """Ask, let people who have not looked yet answer, decide; return the votes asked for."""
    route(world.workspace, now=world.tick())
    state = world.state
    looked = state.votes.groupby("item_id")["annotator"].agg(set).to_dict()
    for row in state.open_seats.itertuples():
        seen = looked.setdefault(row.item_id, set())
        left = [p for p in rng.permutation(PEOPLE) if f"human:{p}" not in seen]
        item, purpose = str(row.item_id), str(row.purpose)
        for who in left[: int(row.open)]:
            seen.add(f"human:{who}")
            world.vote(item, purpose, round_=int(row.round), **{str(who): says(item)})  # type: ignore[arg-type]
    world.flush()
    try_to_accept(world.workspace, 1000, world.tick())
    consolidate(world.workspace, now=world.tick())
    return int(state.open_seats["open"].sum())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 3])
def test_a_set_that_a_model_labels_for_the_most_part_is_released(seed: int) -> None:
    """People agree on 140 easy items, which the model takes, and not so well on 60 hard ones.

    Measured on what the model left alone they would not agree, and nothing could ever be released.
    """
    rng = np.random.default_rng(seed)
    truth = {i: str(rng.choice(CLASSES)) for i in IDS}
    easy = set(rng.permutation(IDS)[:140].tolist())

    def says(item: str) -> str:
        if rng.random() < (0.99 if item in easy else 0.85):
            return truth[item]
        return str(rng.choice([c for c in CLASSES if c != truth[item]]))

    world = _world(easy, truth)
    for item in rng.permutation(IDS)[:12]:
        world.vote(str(item), ann=says(str(item)), ben=says(str(item)))
    world.flush()
    try_to_accept(world.workspace, 1000, world.tick())
    for _ in range(25):
        asked = _round(world, says, rng)
        audit(world.workspace, lambda items: np.eye(len(items), 8), now=world.tick())
        verdict = gate(world.workspace, now=world.tick(), split_groups={}).verdict
        if verdict.passed or not asked:
            break
    assert verdict.passed, verdict.summary
    overlap = overlap_sample(world.state)
    assert not overlap.lacking.any() and len(overlap.sample) >= 30
    # At random: the easy ones are among them as they are among all.
    assert 0.5 < np.mean([i in easy for i in overlap.sample.ids]) < 0.9
    assert world.state.labels["method"].eq("accepted").sum() > 40
    found = agreement(world.state)
    assert found.low is not None and found.low >= 0.6


@pytest.mark.slow
def test_two_look_blind_also_where_the_models_label_stands() -> None:
    """Thirty of the random seed; whoever saw a proposal does not count, and one more is asked."""
    truth = dict.fromkeys(IDS, "cat")
    world = _world(set(IDS), truth)
    first = world.workspace.sample("seed", IDS).ids[:30]
    world.vote("i000", ann="cat", ben="cat")
    for item in first[:2]:
        world.vote(str(item), saw=True, ann="cat")
    for item in IDS[:4]:
        world.vote(item, "review", gus="cat")
    world.flush()
    try_to_accept(world.workspace, 1000, world.tick())
    consolidate(world.workspace, now=world.tick())
    overlap = overlap_sample(world.state)
    assert set(overlap.sample.ids) == set(first) and overlap.purpose == "label"
    assert overlap.lacking[:2].tolist() == [2, 2] and overlap.given[:2].tolist() == [1, 1]
    accepted = world.state.labels.loc[world.state.labels["method"] == "accepted", "item_id"]
    assert len(set(first) & set(accepted)) > 20
    route(world.workspace, now=world.tick())
    plan = world.state.plan
    asked = plan.loc[plan["item_id"].isin(first) & (plan["purpose"] == "label")]
    assert set(first) - {"i000"} <= set(asked["item_id"]) and not asked["show_proposal"].any()
    assert (asked.groupby("item_id")["annotators"].sum() == 2).all()
    _round(world, truth.__getitem__, np.random.default_rng(1))
    assert not overlap_sample(world.state).lacking[:30].any()


@pytest.mark.slow
def test_it_doubles_where_that_is_inconclusive_and_no_further() -> None:
    """Thirty of which people agree on two of three are too few; who has looked is not asked."""
    rng = np.random.default_rng(5)
    truth = {i: CLASSES[n % 3] for n, i in enumerate(IDS)}
    world = _world(set(IDS), truth)
    order = world.workspace.sample("seed", IDS).ids
    for n, item in enumerate(order[:30]):
        other = CLASSES[(CLASSES.index(truth[item]) + (n % 4 == 0)) % 3]
        world.vote(str(item), ann=truth[item], ben=other)
    found = agreement(world.state)
    assert found.low is not None and found.high is not None and found.low < 0.6 <= found.high
    overlap = overlap_sample(world.state)
    assert len(overlap.sample) == 60 and overlap.lacking.tolist() == [0] * 30 + [2] * 30
    _round(world, truth.__getitem__, rng)
    assert [_round(world, truth.__getitem__, rng) for _ in range(3)] == [0, 0, 0]
    decided = agreement(world.state)
    assert decided.low is not None and decided.low >= 0.6
    assert len(overlap_sample(world.state).sample) == 60
    off = make_world(accept=POLICY, like=world.copy(), overlap_share=0.0)
    assert not len(overlap_sample(off.state).sample)


def test_few_items_that_agree_are_not_enough_and_more_are_asked_for() -> None:
    """The gate stays inconclusive on four items that agree, so people are asked about more."""
    world = make_world(accept=AcceptancePolicy(rule="never"), overlap_share=0.1)
    ids = IDS[:40]
    world.items(*ids)
    first = overlap_sample(world.state).sample.ids
    assert len(first) == 4
    for n, item in enumerate(first):
        said = CLASSES[n % 2]
        world.vote(str(item), ann=said, ben=said)
    found = overlap_sample(world.state)
    assert len(found.sample) == 8 and found.sample.ids[:4].tolist() == first.tolist()
    assert agreement(world.state).low is not None


def test_one_class_alone_tells_nothing_and_more_are_asked_for_up_to_a_hundred() -> None:
    """Nothing is known of agreement while all votes name one class; -1 asks for none."""
    never = AcceptancePolicy(rule="never")
    world = make_world(accept=never, overlap_share=0.1)
    world.items(*IDS)
    sizes = []
    for item in world.workspace.sample("overlap", IDS).ids:
        world.vote(str(item), ann="cat", ben="cat")
        if world.numbers["votes"] in (2, 40, 80, 160, 320):
            sizes.append(len(overlap_sample(world.state).sample))
    assert sizes == [20, 40, 80, 160, 160]
    none = GatePolicy(agreement=-1.0)
    off = make_world(accept=never, gate=none, like=world, overlap_share=0.1)
    assert len(overlap_sample(off.state).sample) == 20


@pytest.mark.slow
def test_no_second_vote_is_asked_for_where_everybody_has_looked() -> None:
    """All who are left audited the item: round after round a seat for nobody would be planned."""
    world = make_world(accept=AcceptancePolicy("never"), overlap_share=1.0, gold_rate=0.0)
    world.items("i0", "i1")
    route(world.workspace, now=world.tick())
    world.vote("i0", ann="cat")
    world.vote("i0", "audit", ben="cat", cid="cat")
    world.vote("i1", ann="cat", ben="cat")
    consolidate(world.workspace, now=world.tick())
    assert world.state.seen_by_all.tolist() == ["i0"]
    assert not overlap_sample(world.state).lacking.any()
    asked = [needs for needs in all_needs(world.state) if "overlap" in " ".join(needs["reason"])]
    assert not any(map(len, asked))
