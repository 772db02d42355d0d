"""What items and people are called, and in which order votes come, decides nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.consolidate import consolidate_codes
from labelops.consolidate.content import known_by_votes, numbered_by_votes, thinned_items
from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.votes import Votes, pack_votes


def _crowd(rng: np.random.Generator, n: int, people: int, K: int, strangers: int = 0) -> Votes:
    """Three to six votes an item; on the last `strangers` items of people who gave no other."""
    items = np.repeat(np.arange(n), rng.integers(3, 7, n))
    who = rng.integers(0, people, items.size)
    new = items >= n - strangers
    who[new] = people + np.arange(new.sum())
    truth, skill = rng.integers(0, K, n), rng.beta(4, 2, people + int(new.sum()))
    codes = np.where(
        rng.random(items.size) < skill[who], truth[items], rng.integers(0, K, items.size)
    )
    return pack_votes(items, who, codes, n_items=n, n_annotators=skill.size, n_classes=K)


def _renamed(votes: Votes, rng: np.random.Generator) -> tuple[Votes, IntArray, IntArray]:
    """Votes with other ids, in another order of rows, and the ids: of items, and of people."""
    item, who = rng.permutation(votes.n_items), rng.permutation(votes.n_annotators)
    rows = rng.permutation(votes.cells.size)
    weights = None if votes.weights is None else votes.weights[rows]
    other = pack_votes(
        item[votes.items][rows], who[votes.annotators][rows], votes.codes[rows], weights=weights,
        n_items=votes.n_items, n_annotators=votes.n_annotators, n_classes=votes.n_classes,
    )  # fmt: skip
    return other, item, who


def _believed(votes: Votes, method: str) -> FloatArray:
    found = consolidate_codes(
        votes.items, votes.annotators, votes.codes, votes.n_items, votes.n_classes, method=method,
        n_annotators=votes.n_annotators, weights=votes.weights,
    )  # fmt: skip
    assert found.method == ("blend" if method == "auto" else method)
    return found.posterior


def _check(votes: Votes, rng: np.random.Generator, method: str = "auto") -> None:
    believed = _believed(votes, method)
    other, item, _ = _renamed(votes, rng)
    again = _believed(other, method)[item]
    np.testing.assert_allclose(again, believed, atol=1e-9)
    first, second = np.sort(believed, axis=1)[:, [-1, -2]].T
    clear = first - second > 1e-8
    assert clear.any()
    np.testing.assert_array_equal(again.argmax(axis=1)[clear], believed.argmax(axis=1)[clear])


@given(st.integers(0, 10_000), st.integers(21, 60), st.integers(2, 5), st.sampled_from([0, 30]))
@settings(max_examples=12)
@pytest.mark.slow
def test_names_move_no_label(seed: int, people: int, K: int, strangers: int) -> None:
    """The default believes the same of each item whatever people and items are called."""
    rng = np.random.default_rng(seed)
    _check(_crowd(rng, 150, people, K, strangers), rng)


@pytest.mark.parametrize("method", ["majority", "shrunk"])
def test_names_soften_nothing(method: str) -> None:
    """A single method is softened by the same number whatever people are called."""
    rng = np.random.default_rng(7)
    _check(_crowd(rng, 150, 30, 3), rng, method)


@pytest.mark.slow
@pytest.mark.parametrize("people", [8, 60])
@pytest.mark.parametrize("weighed", [False, True])
def test_names_move_no_label_where_votes_are_many(people: int, weighed: bool) -> None:
    """Nor do they choose which votes are looked at where these are but some; nor do weights."""
    rng = np.random.default_rng(people)
    votes = _crowd(rng, 6000, people, 3)
    if weighed:
        votes = pack_votes(
            votes.items, votes.annotators, votes.codes, n_items=6000, n_annotators=people,
            n_classes=3, weights=rng.choice([0.1, 0.2, 0.3], votes.cells.size),
        )  # fmt: skip
    _check(votes, rng)


@given(st.integers(0, 10_000), st.integers(3, 40), st.integers(2, 6), st.sampled_from([0, 20]))
def test_numbers_follow_from_votes(seed: int, people: int, K: int, strangers: int) -> None:
    """Renamed, all have the number they had, but who says the same of the same items."""
    rng = np.random.default_rng(seed)
    votes = _crowd(rng, 60, people, K, strangers)
    other, item, who = _renamed(votes, rng)
    keys, again = known_by_votes(votes), known_by_votes(other)
    np.testing.assert_array_equal(again[0][item], keys[0])
    np.testing.assert_array_equal(again[1][who], keys[1])
    before, after = numbered_by_votes(votes), numbered_by_votes(other)
    for number, new, name, key in zip(before, after, (item, who), keys, strict=True):
        assert sorted(number.tolist()) == list(range(number.size))
        _, at, times = np.unique(key, return_inverse=True, return_counts=True)
        np.testing.assert_array_equal(new[name][times[at] == 1], number[times[at] == 1])


def test_strangers_of_an_item_stand_together() -> None:
    """People of one vote whom nothing tells apart are ordered by their items, which are drawn."""
    items = np.repeat(np.arange(40), 3)
    votes = pack_votes(items, np.arange(120), np.zeros(120, np.int64), n_items=40,
                       n_annotators=120, n_classes=2)  # fmt: skip
    other, _, _ = _renamed(votes, np.random.default_rng(0))
    _, person = numbered_by_votes(other)
    of = np.empty(120, dtype=np.int64)
    of[person[other.annotators]] = other.items
    assert (of.reshape(40, 3) == of[::3, None]).all()


def test_of_items_that_look_alike_as_many_in_proportion() -> None:
    """Thinned to a tenth, there is a tenth of each pattern of votes."""
    rng = np.random.default_rng(1)
    pattern = rng.choice(4, 8000, p=[0.6, 0.3, 0.07, 0.03])
    codes = np.array([[0, 0, 0], [1, 1, 1], [0, 1, 1], [1, 0, 1]])[pattern]
    votes = pack_votes(
        np.repeat(np.arange(8000), 3), np.tile(np.arange(3), 8000), codes.ravel(), n_items=8000,
        n_annotators=3, n_classes=2,
    )  # fmt: skip
    ids = thinned_items(votes, 24_000 // 9 - 1)
    assert ids.size == 800
    there = np.bincount(pattern[ids], minlength=4)
    assert (np.abs(there - np.bincount(pattern) / 10) <= 1).all()


def test_what_votes_count_is_part_of_what_they_say() -> None:
    """Two items of the same votes are told apart by what these count."""
    votes = pack_votes([0, 0, 1, 1], [0, 1, 0, 1], [1, 0, 1, 0], n_items=2, n_annotators=2,
                       n_classes=2, weights=[1.0, 0.5, 1.0, 0.25])  # fmt: skip
    item, _ = known_by_votes(votes)
    assert item[0] != item[1]


def test_no_votes() -> None:
    """Nobody and nothing has no number; an item without a vote has one like any other."""
    none = pack_votes([], [], [], n_items=0, n_annotators=0, n_classes=2)
    assert [a.size for a in (*numbered_by_votes(none), thinned_items(none, 5))] == [0, 0, 0]
    one = pack_votes([1], [0], [1], n_items=3, n_annotators=1, n_classes=2)
    assert sorted(numbered_by_votes(one)[0].tolist()) == [0, 1, 2]
