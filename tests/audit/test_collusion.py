"""Copiers are found, honest crowds are left alone."""

from __future__ import annotations

import tracemalloc
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from labelops.audit.collusion import find_collusion
from labelops.consolidate import dawid_skene
from labelops.errors import UsageError


def crowd(
    rng: np.random.Generator, *, n: int, people: int, each: int, skill: float, classes: int = 4
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Simulate honest annotators of one skill, `each` votes an item."""
    truth = rng.integers(classes, size=n)
    who = np.concatenate([rng.choice(people, each, replace=False) for _ in range(n)])
    items = np.repeat(np.arange(n), each)
    wrong = (truth[items] + rng.integers(1, classes, size=items.size)) % classes
    codes = np.where(rng.random(items.size) < skill, truth[items], wrong)
    return items, who, codes, truth


@pytest.mark.slow
def test_honest_crowds_are_left_alone() -> None:
    """Over twenty crowds of people wrong three times of ten, nobody is accused."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        items, who, codes, _ = crowd(rng, n=300, people=12, each=6, skill=0.7)
        found = find_collusion(items, who, codes, 4)
        assert len(found.pairs) > 20
        assert found.groups == ()


@pytest.mark.slow
def test_the_risk_of_all_pairs_is_the_one_told() -> None:
    """Exactly: two pairs who agree by chance on what they get wrong are tied with at most its risk.

    Twice the risk would break it, and so does one test for each pair.
    """
    # Six of eight or fewer are far from any flag, and stand for each other.
    law = dict(zip((6, 7, 8), np.diff(binom(8, 0.6).cdf([-1, 6, 7, 8])), strict=True))
    risk = float(law[8]) * 1.0001
    # Pairs 0–1 and 2–3 have eight items each; five others are right on all of them.
    items, who = np.repeat(np.arange(16), 7), np.tile([0, 1, 4, 5, 6, 7, 8], 16)
    who[56:] = np.where(who[56:] < 2, who[56:] + 2, who[56:])
    ours = double = each = 0.0
    for one, other in combinations_with_replacement(law, 2):
        codes = np.tile([1, 2, 0, 0, 0, 0, 0], 16).reshape(2, 8, 7)
        codes[0, :one, 1] = codes[1, :other, 1] = 1
        votes = (items, who, codes.ravel(), 4)
        chance = law[one] * law[other] * (1 if one == other else 2)
        found = find_collusion(*votes, risk=risk)
        assert len(found.pairs) == 2 and found.chance == 0.6
        ours += chance * bool(found.groups)
        double += chance * bool(find_collusion(*votes, risk=2 * risk).groups)
        each += chance * (found.pairs["p_value"] <= risk).any()
    assert 0 < ours <= risk < min(double, each)


@pytest.mark.slow
def test_copiers_are_found_and_nobody_else() -> None:
    """Three who copy a fourth are one group, in at least nineteen of twenty crowds."""
    rng, right = np.random.default_rng(2), 0
    for _ in range(20):
        items, who, codes, _ = crowd(rng, n=300, people=12, each=6, skill=0.7)
        source = rng.integers(4, size=300)
        copied = np.where(who < 4, source[items], codes)
        right += find_collusion(items, who, copied, 4).groups == ((0, 1, 2, 3),)
    assert right >= 19


def test_look_alike_classes_are_no_collusion() -> None:
    """Where everybody errs towards the same neighbour class, the crowd's own rate is taken."""
    rng = np.random.default_rng(3)
    items, who, codes, truth = crowd(rng, n=600, people=10, each=6, skill=1.0)
    codes = np.where(rng.random(items.size) < 0.35, truth[items] ^ 1, codes)
    found = find_collusion(items, who, codes, 4)
    assert found.chance > 0.85
    assert found.groups == ()


def test_counts_by_hand() -> None:
    """On one item 0 and 1 say b against two who say a: both differ, and agree."""
    found = find_collusion([7] * 4, [0, 1, 2, 3], [1, 1, 0, 0], 3, least=1)
    row = found.pairs.loc[(found.pairs["first"] == 0) & (found.pairs["second"] == 1)].iloc[0]
    assert (row["items"], row["agreeing"]) == (1, 1)
    # From the other side it is the same: 2 and 3 differ from the two who say b.
    assert len(found.pairs) == 2


def test_order_and_names_are_nothing() -> None:
    """Shuffled votes give the same pairs; renumbered annotators the same groups, renumbered."""
    rng = np.random.default_rng(4)
    items, who, codes, _ = crowd(rng, n=200, people=9, each=5, skill=0.6)
    codes = np.where(who < 2, (items * 7) % 4, codes)
    first = find_collusion(items, who, codes, 4)
    turn = rng.permutation(items.size)
    again = find_collusion(items[turn], who[turn], codes[turn], 4)
    pd.testing.assert_frame_equal(first.pairs, again.pairs)
    assert first.annotators == (0, 1)
    assert find_collusion(items, 8 - who, codes, 4).annotators == (7, 8)


def test_many_classes_take_no_room() -> None:
    """An item has no more classes than votes, however many there are elsewhere."""
    items, who, codes, _ = crowd(np.random.default_rng(5), n=200, people=9, each=5, skill=0.6)
    few = find_collusion(items, who, codes, 4)
    tracemalloc.start()
    many = find_collusion(items, who, codes * 60_000, 200_000)
    room = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    pd.testing.assert_frame_equal(few.pairs, many.pairs)
    assert room < 50e6


def test_two_classes_say_nothing() -> None:
    """With two classes both who differ agree by necessity: no pair is tested."""
    rng = np.random.default_rng(5)
    items, who, codes, _ = crowd(rng, n=100, people=5, each=5, skill=0.6, classes=2)
    assert find_collusion(items, who, codes, 2).pairs.empty


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_votes(n: int) -> None:
    found = find_collusion(np.zeros(n, int), np.arange(n), np.zeros(n, int), 3)
    assert found.pairs.empty
    assert found.groups == ()


def test_wrong_input() -> None:
    with pytest.raises(UsageError, match="annotator 1 votes twice on item 0"):
        find_collusion([0, 0], [1, 1], [0, 1], 3)
    with pytest.raises(UsageError):
        find_collusion([0], [1, 1], [0, 1], 3)
    with pytest.raises(UsageError):
        find_collusion([0], [1], [3], 3)


def test_ids_are_whole_numbers() -> None:
    """Cut off to whole numbers, two items would be one."""
    with pytest.raises(UsageError, match="integers"):
        find_collusion([0.2, 0.7], [0, 1], [0, 1], 3)  # type: ignore[list-item]


@pytest.mark.slow
def test_six_copiers_on_a_real_crowd(shared_data: Path) -> None:
    """On dog photographs six copiers break Dawid–Skene; without the accused it recovers.

    So it does where the accused keep the first vote on an item and lose the copies of it.
    """
    votes = pd.read_csv(shared_data / "crowd" / "dog" / "annotations.csv")
    truth = pd.read_csv(shared_data / "crowd" / "dog" / "truth.csv").set_index("item")["truth"]
    items, names = pd.factorize(votes["item"])
    who, people = pd.factorize(votes["worker"])
    codes, classes = pd.factorize(votes["label"], sort=True)
    assert find_collusion(items, who, codes, len(classes)).groups == ()
    rng = np.random.default_rng(6)
    source, n = rng.integers(len(classes), size=len(names)), len(names)
    items = np.concatenate([items, np.tile(np.arange(n), 6)])
    who = np.concatenate([who, np.repeat(len(people) + np.arange(6), n)])
    codes = np.concatenate([codes, np.tile(source, 6)])
    right = pd.Index(classes).get_indexer(truth.reindex(names))

    def accuracy(keep: np.ndarray) -> float:
        found = dawid_skene(
            items[keep], who[keep], codes[keep],
            n_items=n, n_annotators=len(people) + 6, n_classes=len(classes),
        )  # fmt: skip
        return float((found.posterior.argmax(axis=1) == right).mean())

    assert accuracy(np.ones(len(items), bool)) < 0.6
    accused = find_collusion(items, who, codes, len(classes)).annotators
    assert set(range(len(people), len(people) + 6)) <= set(accused)
    assert accuracy(~np.isin(who, accused)) >= 0.82
    copies = pd.Series(np.isin(who, accused)) & pd.Series(items).groupby(
        [items, np.isin(who, accused)]
    ).cumcount().gt(0)
    assert accuracy(~copies.to_numpy()) >= 0.82
