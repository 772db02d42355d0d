"""Leakage groups: near pairs are found, others not, whatever the order."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from labelops.ingest.duplicates import WINDOW, components, name_groups, near_edges, same_edges
from labelops.ingest.payload import normalised
from labelops.ingest.sketches import SHINGLE, text_sketches


def sketched(texts: list[str]) -> np.ndarray:
    return np.array(text_sketches([normalised(t) for t in texts]), dtype=object)


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == g).tolist()) for g in np.unique(labels)}


def grouped(texts: list[str], fresh: np.ndarray | None = None) -> np.ndarray:
    return components(len(texts), near_edges(sketched(texts), fresh))


def variants(seed: int, count: int) -> list[str]:
    """One long message with, in each copy, one other word changed."""
    rng = np.random.default_rng(seed)
    words = ["".join(rng.choice(list("abcdefghij"), 6)) for _ in range(40)]
    return [" ".join([*words[:i], f"v{i}", *words[i + 1 :]]) for i in range(count)]


@given(st.lists(st.sampled_from([None, "a", "b", "c"]), max_size=12))
def test_same_values_are_one_component(values: list[str | None]) -> None:
    """Oracle: equal values share a component, missing values are alone."""
    labels = components(len(values), [same_edges(np.array(values, dtype=object))])
    for i, one in enumerate(values):
        for j, two in enumerate(values):
            assert (labels[i] == labels[j]) == (i == j or (one is not None and one == two))


def test_near_pairs_meet_and_others_do_not() -> None:
    """Thirty messages with three near copies each: exactly thirty groups."""
    texts = [text for seed in range(30) for text in variants(seed, 4)]
    assert partition(grouped(texts)) == {frozenset(range(i, i + 4)) for i in range(0, 120, 4)}


def test_case_space_and_composition_are_no_difference() -> None:
    """Texts that only look different are the same."""
    assert len(set(grouped(["Caf\u00e9  closed", "cafe\u0301 CLOSED\n"]))) == 1


def test_order_does_not_matter_even_in_crowded_buckets() -> None:
    """More alike texts than the window: any order gives the same groups, here one each."""
    texts = [*variants(1, 4 * WINDOW), *variants(2, 3 * WINDOW)]
    expected = partition(grouped(texts))
    assert sorted(map(len, expected)) == [3 * WINDOW, 4 * WINDOW]
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(texts))
        labels = np.empty(len(texts), dtype=np.int64)
        labels[order] = grouped([texts[i] for i in order])
        assert partition(labels) == expected


def test_old_pairs_are_not_compared_again() -> None:
    """Only pairs with a fresh member are looked at."""
    texts = [*variants(1, 2), *variants(2, 2)]
    labels = grouped(texts, np.array([False, False, False, True]))
    assert partition(labels) == {frozenset({0}), frozenset({1}), frozenset({2, 3})}


def test_unknown_and_missing_sketches_are_left_alone() -> None:
    """A sketch of a family that this version does not know links only its equals."""
    sketches = np.array(["zz9:00", None, "zz9:00", None, sketched(["x"])[0]], dtype=object)
    labels = components(5, near_edges(sketches))
    assert partition(labels) == {frozenset({0, 2}), frozenset({1}), frozenset({3}), frozenset({4})}


def test_group_names_do_not_depend_on_labels() -> None:
    """The smallest id names the group."""
    ids = np.array(["b", "c", "a", "d"], dtype=object)
    assert name_groups(ids, np.array([7, 0, 7, 0])).tolist() == ["a", "c", "a", "c"]
    assert name_groups(ids[:0], np.empty(0, dtype=np.int64)).tolist() == []


def exact_pairs(texts: list[str], low: float) -> tuple[np.ndarray, np.ndarray]:
    """All pairs with an exact Jaccard similarity of at least `low`, of all pairs there are."""
    counter = CountVectorizer(
        analyzer="char", ngram_range=(SHINGLE, SHINGLE), lowercase=False, binary=True
    )
    # The vectoriser makes one space of a line break, so another sign stands for the ends.
    sets = counter.fit_transform([f"\x02{text}\x03" for text in texts])
    sizes = np.asarray(sets.sum(axis=1)).ravel()
    both = (sets @ sets.T).tocoo()
    union = sizes[both.row] + sizes[both.col] - both.data
    found = (both.data >= low * union) & (both.row < both.col)
    return both.row[found].astype(np.int64), both.col[found].astype(np.int64)


@pytest.mark.slow
def test_real_messages_against_all_pairs(shared_data: Path) -> None:
    """Real short messages: ≥ 97 % of pairs over 0.85 meet, no giant group, few lone wolves."""
    with (shared_data / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:4000]
    texts = [normalised(row["text"]) for row in rows]
    labels = grouped(texts)
    left, right = exact_pairs(texts, 0.85)
    assert len(left) > 10
    assert (labels[left] == labels[right]).mean() >= 0.97
    reach = components(len(texts), [exact_pairs(texts, 0.6)])
    # Every group lies within the exact components at 0.6: nothing dissimilar was merged.
    for group in partition(labels):
        assert len({int(reach[i]) for i in group}) == 1
    assert np.bincount(labels).max() <= 12
