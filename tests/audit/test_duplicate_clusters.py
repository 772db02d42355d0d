"""Copies and near-duplicates by features, and labels that differ among them."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.audit.duplicates import (
    duplicate_clusters,
    label_conflicts,
    near_pairs,
    near_threshold,
)
from labelops.audit.graph import nearest_graph
from labelops.errors import UsageError


def _with_copies(seed: int = 0) -> np.ndarray:
    """400 points; 380 + i is a near copy of i, and 370 an exact one of 7."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(400, 8))
    X[380:] = X[:20] + 1e-3 * rng.normal(size=(20, 8))
    X[370] = X[7]
    return X


def test_planted_copies_are_the_clusters() -> None:
    """Every planted pair is one cluster, and nothing else is."""
    clusters = duplicate_clusters(nearest_graph(_with_copies(), 5))
    expected = np.r_[np.arange(380), np.arange(20)]
    expected[370] = 7
    _, found = np.unique(clusters, return_index=True)
    assert np.array_equal(found[clusters], expected)


def test_digests_join_what_features_do_not() -> None:
    """Equal digests are one cluster however far apart, and chains are followed."""
    graph = nearest_graph([[0.0], [0.01], [5.0], [9.0]], 2, metric="euclidean")
    assert duplicate_clusters(graph, ["a", "b", "b", "c"], within=0.1).tolist() == [0, 0, 0, 1]


def test_pairs_come_once() -> None:
    """Mutual neighbours are one pair, smaller row first."""
    first, second, far = near_pairs(
        nearest_graph([[0.0], [0.1], [0.2]], 2, metric="euclidean"), 0.15
    )
    assert list(zip(first, second, strict=True)) == [(0, 1), (1, 2)]
    assert far == pytest.approx(0.1)


def test_threshold_ignores_copies() -> None:
    """Two copies of everything: the usual distance is that to the next different item."""
    X = np.repeat(np.arange(10.0), 2)[:, None]
    assert near_threshold(nearest_graph(X, 3, metric="euclidean"), 0.1) == pytest.approx(0.1)
    assert near_threshold(nearest_graph(np.ones((5, 2)), 3)) == 0


def test_worked_example() -> None:
    """A majority names the odd one; a tie names all and suggests nothing."""
    found = label_conflicts([1, 1, 0, 2, 3, 4, 4, -1], list("aaabbccc"))
    assert found.flagged.tolist() == [False, False, True, True, True, False, False, False]
    assert found.suggestions.tolist() == [1, 1, 1, -1, -1, 4, 4, -1]
    assert found.sizes.tolist() == [3, 3, 3, 2, 2, 2, 2, 0]
    assert found.scores[:7] == pytest.approx([2 / 3, 2 / 3, 1 / 3, 0.5, 0.5, 1, 1])
    assert np.isnan(found.scores[7])


def test_order_changes_nothing() -> None:
    """Permuting items permutes what is said of them."""
    rng = np.random.default_rng(1)
    codes, clusters = rng.integers(-1, 3, 200), rng.integers(0, 50, 200)
    order = rng.permutation(200)
    one, other = label_conflicts(codes, clusters), label_conflicts(codes[order], clusters[order])
    assert np.array_equal(other.flagged, one.flagged[order])
    assert np.array_equal(other.suggestions, one.suggestions[order])


def test_nothing_to_compare() -> None:
    """No items, no labels, one item."""
    assert label_conflicts([], []).scores.shape == (0,)
    assert not label_conflicts([-1, -1], [0, 0]).flagged.any()
    assert duplicate_clusters(nearest_graph(np.empty((0, 2)), 3)).shape == (0,)
    assert duplicate_clusters(nearest_graph([[1.0, 2.0]], 3)).tolist() == [0]


def test_malformed_input_is_refused() -> None:
    """Lengths that differ and distances below nothing."""
    graph = nearest_graph([[1.0], [2.0]], 1)
    with pytest.raises(UsageError, match="groups"):
        label_conflicts([0, 1], [0])
    with pytest.raises(UsageError, match="within"):
        near_pairs(graph, -1.0)
    with pytest.raises(UsageError, match="within"):
        near_pairs(graph, float("nan"))
    with pytest.raises(UsageError, match="share"):
        near_threshold(graph, 2.0)
