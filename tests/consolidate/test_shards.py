"""Every method over shards: what several shards give is what their items give in one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.consolidate import (
    Glad,
    crowdlab,
    crowdlab_shards,
    dawid_skene,
    dawid_skene_shards,
    ebcc,
    ebcc_shards,
    glad,
    glad_shards,
    ibcc,
    ibcc_shards,
    majority,
    majority_shards,
    one_coin,
    one_coin_shards,
    shrunk_dawid_skene,
    shrunk_dawid_skene_shards,
)
from labelops.errors import TableError, UsageError
from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.votes import Votes, pack_votes

PEOPLE, CLASSES, LATE = 7, 3, 6
"""The last of the annotators votes on the last items only, so in one shard."""
STEPS: dict[str, Any] = {"max_iterations": 8, "tolerance": 0.0}


def _on_probs(shards: Sequence[Votes], probs: Sequence[FloatArray]) -> Any:
    return crowdlab_shards(list(zip(shards, probs, strict=True)))


def _without(run: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    return lambda shards, probs: run(shards, **settings)


METHODS: dict[str, tuple[Callable[..., Any], Callable[..., Any], dict[str, Any]]] = {
    "majority": (majority, _without(majority_shards), {}),
    "dawid_skene": (dawid_skene, _without(dawid_skene_shards, **STEPS), STEPS),
    "one_coin": (one_coin, _without(one_coin_shards, **STEPS), STEPS),
    "ibcc": (ibcc, _without(ibcc_shards, **STEPS), STEPS),
    "shrunk": (shrunk_dawid_skene, _without(shrunk_dawid_skene_shards, **STEPS), STEPS),
    "ebcc": (ebcc, _without(ebcc_shards, kinds=3, **STEPS), {"kinds": 3, **STEPS}),
    "glad": (glad, _without(glad_shards, **STEPS), STEPS),
    "crowdlab": (crowdlab, _on_probs, {}),
}
LONG = ("ibcc", "ebcc", "glad", "shrunk", "one_coin")
"""Whose many examples are for the whole run; that one shard is the whole, all show."""


def _crowd(seed: int, n_items: int = 60) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """Votes of six people on most items, of a seventh on the last five, and a model."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, CLASSES, n_items)
    items, who = np.nonzero(rng.random((n_items, PEOPLE)) < 0.6)
    there = (who != LATE) | (items >= n_items - 5)
    items, who = items[there], who[there]
    skill = rng.uniform(0.4, 0.95, PEOPLE)
    codes = np.where(
        rng.random(items.size) < skill[who], truth[items], rng.integers(0, CLASSES, items.size)
    )
    # Coarse, so that some items are tied in everything and only voters decide.
    probs = rng.integers(1, 3, (n_items, CLASSES)).astype(np.float64)
    return items, who, codes, probs / probs.sum(axis=1, keepdims=True)


def _cut(
    items: IntArray, who: IntArray, codes: IntArray, probs: FloatArray, cuts: Sequence[int]
) -> tuple[list[Votes], list[FloatArray]]:
    edges = [0, *sorted(cuts), len(probs)]
    shards, parts = [], []
    for first, last in pairwise(edges):
        rows = (items >= first) & (items < last)
        size = {"n_items": last - first, "n_annotators": PEOPLE, "n_classes": CLASSES}
        shards.append(pack_votes(items[rows] - first, who[rows], codes[rows], **size))
        parts.append(probs[first:last])
    return shards, parts


def _whole(name: str, crowd: tuple[IntArray, IntArray, IntArray, FloatArray]) -> Any:
    items, who, codes, probs = crowd
    run, _, settings = METHODS[name]
    if name == "crowdlab":
        return run(items, who, codes, probs, n_annotators=PEOPLE)
    size = {"n_items": len(probs), "n_annotators": PEOPLE, "n_classes": CLASSES}
    return run(items, who, codes, **size, **settings)


def _alike(one: Any, two: Any, atol: float) -> None:
    for field in dataclasses.fields(one):
        mine, theirs = getattr(one, field.name), getattr(two, field.name)
        if field.name == "kinds":  # one for each beginning that counts
            assert len(mine) == len(theirs)
            for beginning, other in zip(mine, theirs, strict=True):
                np.testing.assert_allclose(beginning.cells, other.cells, rtol=0, atol=atol)
                np.testing.assert_allclose(beginning.kinds, other.kinds, rtol=0, atol=atol)
            continue
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=atol, err_msg=field.name)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in METHODS]
)
@settings(max_examples=20)
@given(seed=st.integers(0, 2**31), cuts=st.lists(st.integers(0, 60), max_size=4))
def test_shards_give_what_their_items_give_in_one(name: str, seed: int, cuts: list[int]) -> None:
    """However items are cut, empty shards and one item each included, every field is the same."""
    crowd = _crowd(seed)
    shards, probs = _cut(*crowd, cuts)
    found = METHODS[name][1](shards, probs)
    _alike(found, _whole(name, crowd), 1e-9)
    _alike(found, METHODS[name][1](shards, probs), 0.0)


@pytest.mark.parametrize("name", METHODS)
def test_one_shard_is_the_whole_to_the_last_bit(name: str) -> None:
    """A single shard is the same computation."""
    crowd = _crowd(1)
    _alike(METHODS[name][1](*_cut(*crowd, [])), _whole(name, crowd), 0.0)


@pytest.mark.parametrize("name", METHODS)
def test_who_votes_in_one_shard_only(name: str) -> None:
    """An annotator whom the other shards never met is judged by the one; so the shard matters."""
    items, who, codes, probs = _crowd(2)
    assert (items[who == LATE] >= 55).all()
    shards, parts = _cut(items, who, codes, probs, [55])
    _alike(METHODS[name][1](shards, parts), _whole(name, (items, who, codes, probs)), 1e-9)
    # Turn the seventh's votes: what is said of the annotator follows, so it was learned there.
    turned = np.where(who == LATE, (codes + 1) % CLASSES, codes)
    other, _ = _cut(items, who, turned, probs, [55])
    one, two = METHODS[name][1](shards, parts), METHODS[name][1](other, parts)
    skills = {"majority": "accuracy", "glad": "ability", "crowdlab": "annotator_quality"}
    skill = skills.get(name, "confusion")
    assert not np.allclose(getattr(one, skill)[LATE], getattr(two, skill)[LATE], atol=1e-3)


@pytest.mark.parametrize("name", METHODS)
def test_shards_that_do_not_fit(name: str) -> None:
    """No shard, and shards of other annotators or classes, are refused in one line."""
    with pytest.raises(UsageError, match="at least one shard"):
        METHODS[name][1]([], [])
    shards, probs = _cut(*_crowd(3), [30])
    more = pack_votes([0, 0], [0, 8], [0, 0], n_items=1, n_annotators=9, n_classes=CLASSES)
    with pytest.raises(UsageError, match="shards differ in annotators or classes"):
        METHODS[name][1]([*shards, more], [*probs, probs[0][:1]])


def test_glad_over_shards_goes_on_from_yesterday() -> None:
    """Yesterday's items are the first shard, today's the next: as in one, and in fewer steps."""
    items, who, codes, probs = _crowd(4, 200)
    early = (items < 150) & (who < LATE)
    size = {"n_items": 150, "n_annotators": LATE, "n_classes": CLASSES}
    before = glad(items[early], who[early], codes[early], **size)
    shards, _ = _cut(items, who, codes, probs, [100, 150])
    size = {"n_items": 200, "n_annotators": PEOPLE, "n_classes": CLASSES}
    anew, on = glad_shards(shards), glad_shards(shards, start=before)
    _alike(on, glad(items, who, codes, **size, start=before), 1e-9)
    assert on.iterations < anew.iterations
    np.testing.assert_allclose(on.posterior, anew.posterior, atol=0.02)
    with pytest.raises(UsageError, match="start knows 7 annotators, 200 items and 3 classes"):
        glad_shards(shards[:2], start=Glad(anew.posterior, anew.ability, anew.ease, 1, True))


def test_ebcc_over_shards_goes_on_from_yesterday() -> None:
    """Earlier annotators are believed first in every shard; a posterior fits one shard only."""
    items, who, codes, probs = _crowd(5)
    shards, _ = _cut(items, who, codes, probs, [20])
    size = {"n_items": 60, "n_annotators": PEOPLE, "n_classes": CLASSES}
    known = dawid_skene(items, who, codes, **size)
    found = ebcc_shards(shards, start=known, **STEPS)
    _alike(found, ebcc(items, who, codes, **size, start=known, **STEPS), 1e-9)
    assert np.abs(found.posterior - ebcc_shards(shards, **STEPS).posterior).max() > 1e-9
    with pytest.raises(UsageError, match="expected 20 items in one shard"):
        ebcc_shards(shards, start=known.posterior)


def test_majority_reads_shards_once() -> None:
    """Shards may come one by one: yesterday's, then today's."""
    items, who, codes, probs = _crowd(6)
    shards, _ = _cut(items, who, codes, probs, [40])
    _alike(majority_shards(iter(shards)), majority_shards(shards), 0.0)


def test_majority_weighs_votes_in_shards() -> None:
    """Weights count as they do in one."""
    items, who, codes, _ = _crowd(7)
    weights = np.random.default_rng(0).integers(1, 8, items.size) / 4
    size = {"n_items": 60, "n_annotators": PEOPLE, "n_classes": CLASSES}
    packed = pack_votes(items, who, codes, weights=weights, **size)
    _alike(majority_shards([packed]), majority(items, who, codes, weights=weights, **size), 0.0)


@pytest.mark.parametrize(
    ("votes", "probs", "error", "message"),
    [
        (([0, 0], [0, 0], [0, 1]), [[0.5, 0.5]], UsageError, "several votes on item 0"),
        (([0, 0], [0, 1], [0, 1]), [[0.5, 0.5]] * 2, UsageError, "2 rows, expected 1 items"),
        (([0, 0], [0, 1], [0, 1]), [[0.5, 0.4]], TableError, "row 0: sums to 0.9"),
        (([0], [0], [0]), [[0.5, 0.5]], UsageError, "no item has two votes"),
    ],
)
def test_crowdlab_shards_that_are_wrong(
    votes: tuple[list[int], ...], probs: list[list[float]], error: type[Exception], message: str
) -> None:
    """Repeated votes, probabilities of other items and such that are none are refused."""
    size = {"n_items": 1, "n_annotators": 2, "n_classes": 2}
    with pytest.raises(error, match=message):
        crowdlab_shards([(pack_votes(*votes, **size), probs)])
    weighed = pack_votes([0, 0], [0, 1], [0, 1], weights=[1, 2], **size)
    with pytest.raises(UsageError, match="without weights"):
        crowdlab_shards([(weighed, [[0.5, 0.5]])])


def test_an_annotator_of_two_items_in_a_row_is_no_repeat() -> None:
    """The last vote of an item and the first of the next may be one annotator's."""
    size = {"n_items": 4, "n_annotators": 2, "n_classes": 2}
    votes = pack_votes([0, 2, 2, 3], [0, 0, 1, 1], [0, 0, 0, 1], **size)
    found = crowdlab_shards([(votes, np.full((4, 2), 0.5))])
    assert found.votes.tolist() == [1, 0, 2, 1]
