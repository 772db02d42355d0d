"""Copiers are found, honest crowds are left alone."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelops.audit.collusion import find_collusion
from labelops.consolidate import dawid_skene
from labelops.errors import UsageError

from ..crowds import read_crowd


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
@pytest.mark.parametrize("classes", [2, 4])
def test_honest_people_beside_copiers_are_left_alone(classes: int) -> None:
    """Four copy one who is no better than a click; of the eight others nobody is accused."""
    rng = np.random.default_rng(8)
    for _ in range(20):
        items, who, codes, _ = crowd(rng, n=300, people=12, each=9, skill=0.8, classes=classes)
        source = rng.integers(classes, size=300)
        found = find_collusion(items, who, np.where(who < 4, source[items], codes), classes)
        assert found.groups == ((0, 1, 2, 3),)
        pairs = found.pairs
        assert (
            pairs["flagged"].sum() == 6 and (pairs.loc[~pairs["flagged"], "p_value"] > 0.01).all()
        )


@pytest.mark.slow
def test_copiers_of_one_person_are_found() -> None:
    """Three copy somebody right on six of ten items, where the others are right on seven."""
    rng, right = np.random.default_rng(9), 0
    for _ in range(20):
        items, who, codes, truth = crowd(rng, n=300, people=12, each=6, skill=0.7)
        source = np.where(rng.random(300) < 0.6, truth, (truth + rng.integers(1, 4, 300)) % 4)
        copied = np.where(who < 3, source[items], codes)
        right += find_collusion(items, who, copied, 4).groups == ((0, 1, 2),)
    assert right >= 18


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
    """Where everybody errs towards the same neighbour class, nobody copies."""
    rng = np.random.default_rng(3)
    items, who, codes, truth = crowd(rng, n=600, people=10, each=6, skill=1.0)
    codes = np.where(rng.random(items.size) < 0.35, truth[items] ^ 1, codes)
    found = find_collusion(items, who, codes, 4)
    assert found.groups == () and len(found.pairs) == 45


def test_counts_by_hand() -> None:
    """A pair's items are those that both answered, and of them those answered alike."""
    found = find_collusion([7, 7, 7, 9, 9], [0, 1, 2, 0, 1], [1, 1, 0, 2, 0], 3, least=1)
    rows = found.pairs.set_index(["first", "second"])[["items", "agreeing"]]
    assert rows.loc[(0, 1)].tolist() == [2, 1]
    assert rows.loc[(0, 2)].tolist() == rows.loc[(1, 2)].tolist() == [1, 0]
    assert found.groups == ()


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


def test_two_classes_are_enough() -> None:
    """With two classes, who differ from the others agree by necessity; who always agree, do not."""
    rng = np.random.default_rng(5)
    items, who, codes, _ = crowd(rng, n=200, people=7, each=7, skill=0.8, classes=2)
    assert find_collusion(items, who, codes, 2).groups == ()
    codes = np.where(who < 2, (items * 7 // 3) % 2, codes)
    found = find_collusion(items, who, codes, 2)
    assert found.groups == ((0, 1),)
    flagged = found.pairs.loc[found.pairs["flagged"], ["first", "second"]]
    assert flagged.values.tolist() == [[0, 1]] and len(found.pairs) == 21


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_votes(n: int) -> None:
    found = find_collusion(np.zeros(n, int), np.arange(n), np.zeros(n, int), 3)
    assert found.pairs.empty
    assert found.groups == ()


def test_wrong_input() -> None:
    with pytest.raises(UsageError, match="annotator 1 votes twice on item 0"):
        find_collusion([0, 0], [1, 1], [0, 1], 3)
    with pytest.raises(UsageError, match="items, annotators and codes differ in length"):
        find_collusion([0], [1, 1], [0, 1], 3)
    with pytest.raises(UsageError, match="codes: row 0 is 3, expected -1 to 2"):
        find_collusion([0], [1], [3], 3)
    for n_classes in (1, 3.0, float("nan"), "3"):
        with pytest.raises(UsageError, match=r"^n_classes is .*a whole number, 2 or more"):
            find_collusion([0, 0], [0, 1], [0, 1], n_classes)  # type: ignore[arg-type]
    for least in (0, 1.5, "8", None):
        with pytest.raises(UsageError, match=r"^least is .*a whole number, 1 or more"):
            find_collusion([0, 0], [0, 1], [0, 1], 3, least=least)  # type: ignore[arg-type]
    for risk in (0, 1, float("nan"), "x"):
        with pytest.raises(UsageError, match=r"^risk is "):
            find_collusion([0, 0], [0, 1], [0, 1], 3, risk=risk)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("odd", [np.nan, None, "a"])
def test_what_is_no_number(place: int, odd: object) -> None:
    """Missing or a name, in any column: it is said in which."""
    columns: list[list[object]] = [[0, 0, 1], [0, 1, 0], [1, 1, 0]]
    columns[place][1] = odd
    name = ("votes' items", "votes' annotators", "codes")[place]
    with pytest.raises(UsageError, match=f"^{name}: expected integers"):
        find_collusion(*columns, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "columns",
    [
        ([], [], []),
        ([0], [0], [0]),
        (range(40), [0] * 40, [0, 1] * 20),
        ([0, 0], [0, 1], [-1, -1]),
        ([0, 1, 0, 1], [0, 0, 3, 3], [-1, 1, 1, -1]),
    ],
    ids=["no votes", "one vote", "one annotator", "none has a class", "nothing in common"],
)
def test_who_has_nobody_beside_them_is_in_no_pair(columns: Sequence[Sequence[int]]) -> None:
    """No row or one, one annotator only, nothing but missing votes: nobody is accused."""
    found = find_collusion(*columns, 3)
    assert (len(found.pairs), found.groups, found.annotators) == (0, (), ())


def test_one_person_twice_on_an_item() -> None:
    """The same answer twice is no agreement of two; another the second time is named as well."""
    for second in (0, 1):
        with pytest.raises(UsageError, match="annotator 4 votes twice on item 2; keep one"):
            find_collusion([0, 2, 2], [4, 4, 4], [0, 0, second], 2)


def test_ids_are_whole_numbers() -> None:
    """Cut off to whole numbers, two items would be one."""
    with pytest.raises(UsageError, match="integers"):
        find_collusion([0.2, 0.7], [0, 1], [0, 1], 3)  # type: ignore[list-item]


@pytest.mark.slow
def test_six_copiers_on_a_real_crowd(shared_data: Path) -> None:
    """On dog photographs six copiers break Dawid–Skene; without the accused it recovers.

    So it does where the accused keep the first vote on an item and lose the copies of it.
    """
    items, who, codes, truth, size = read_crowd(shared_data, "dog")
    n, people, classes = size["n_items"], size["n_annotators"], size["n_classes"]
    assert find_collusion(items, who, codes, classes).groups == ()
    source = np.random.default_rng(6).integers(classes, size=n)
    items = np.concatenate([items, np.tile(np.arange(n), 6)])
    who = np.concatenate([who, np.repeat(people + np.arange(6), n)])
    codes = np.concatenate([codes, np.tile(source, 6)])

    def accuracy(keep: np.ndarray) -> float:
        found = dawid_skene(
            items[keep], who[keep], codes[keep],
            n_items=n, n_annotators=people + 6, n_classes=classes,
        )  # fmt: skip
        return float((found.posterior.argmax(axis=1) == truth).mean())

    assert accuracy(np.ones(len(items), bool)) < 0.6
    accused = find_collusion(items, who, codes, classes).annotators
    assert set(range(people, people + 6)) <= set(accused)
    assert accuracy(~np.isin(who, accused)) >= 0.82
    copies = pd.Series(np.isin(who, accused)) & pd.Series(items).groupby(
        [items, np.isin(who, accused)]
    ).cumcount().gt(0)
    assert accuracy(~copies.to_numpy()) >= 0.82
