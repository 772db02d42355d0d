"""The neighbour graph that all views share."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from labelops.audit.graph import ExactSearch, NeighbourGraph, nearest_graph, neighbour_votes
from labelops.audit.neighbours import nearest_labels
from labelops.errors import UsageError
from labelops.testing.neighbours import NeighbourSearchTests


class TestExactSearch(NeighbourSearchTests):
    """The embedded default."""

    recall = 1.0

    def make(self) -> ExactSearch:
        return ExactSearch()


def _features(seed: int, N: int = 300) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(N, 5)) + 1


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_agrees_with_scikit_learn(metric: str) -> None:
    """The same neighbours and distances as scikit-learn's (cosine c is distance √2c)."""
    X = _features(0)
    far, near = NearestNeighbors(n_neighbors=8, metric=metric).fit(X).kneighbors()
    graph = nearest_graph(X, 8, metric=metric)
    assert np.array_equal(graph.indices, near)
    expected = np.sqrt(2 * far) if metric == "cosine" else far
    assert graph.distances == pytest.approx(expected, rel=1e-4)


def test_order_of_rows_changes_nothing() -> None:
    """Permuting rows permutes the graph."""
    X = _features(1)
    order = np.random.default_rng(0).permutation(len(X))
    assert np.array_equal(
        order[nearest_graph(X[order], 6).indices], nearest_graph(X, 6).indices[order]
    )


def test_any_layout_gives_the_same() -> None:
    """Sparse, Fortran-ordered, strided, half-precision and float64 features mean the same."""
    X = _features(2).astype(np.float16)
    expected = nearest_graph(X, 4)
    wide = np.repeat(X, 2, axis=1)
    for other in (
        X.astype(float),
        np.asfortranarray(X),
        wide[:, ::2],
        sparse.csr_matrix(X.astype(float)),
    ):
        found = nearest_graph(other, 4)
        assert np.array_equal(found.indices, expected.indices)
        assert np.array_equal(found.distances, expected.distances)


def test_equal_distances_go_by_row() -> None:
    """Neighbours at one distance are in the order of their rows."""
    graph = nearest_graph(np.ones((5, 2)), 4)
    assert graph.indices.tolist()[2] == [0, 1, 3, 4]
    assert (graph.distances == 0).all()


def test_rows_of_zeros_are_far_from_all_but_each_other() -> None:
    """A zero vector has no direction: at distance 1 from unit rows, 0 from another zero."""
    graph = nearest_graph([[0, 0], [3, 4], [0, 0]], 2)
    assert graph.distances.tolist() == [[0, 1], [1, 1], [0, 1]]


@pytest.mark.parametrize("N", [0, 1, 3])
def test_few_items(N: int) -> None:
    """Fewer items than neighbours: the rest is -1 at infinity, also among votes."""
    graph = nearest_graph(np.ones((N, 2)), 4)
    assert graph.indices.shape == (N, 4)
    assert (graph.indices == -1).sum() == N * (4 - max(N - 1, 0))
    assert np.array_equal(np.isinf(graph.distances), graph.indices == -1)
    assert (neighbour_votes(graph, [0] * N) >= 0).sum() == (graph.indices >= 0).sum()


def test_votes_are_those_of_the_exact_view() -> None:
    """Where no neighbour is left out, votes equal `nearest_labels`."""
    X, y = _features(3), np.random.default_rng(3).integers(0, 3, 300)
    assert np.array_equal(neighbour_votes(nearest_graph(X, 9), y), nearest_labels(X, y, k=9))


def test_own_group_and_missing_labels_do_not_vote() -> None:
    """The votes of others move up."""
    graph = nearest_graph([[1, 0], [1, 0.01], [1, 0.1], [1, 0.2]], k=3)
    votes = neighbour_votes(graph, [3, 4, -1, 5], ["a", "a", "b", "c"])
    assert votes.tolist() == [[5, -1, -1], [5, -1, -1], [4, 5, 3], [4, 3, -1]]


def test_malformed_input_is_refused() -> None:
    """Each mistake is named."""
    graph = nearest_graph(_features(4, 10), 2)
    with pytest.raises(UsageError, match="row 1 holds a number that is not finite"):
        nearest_graph([[1.0, 2.0], [np.nan, 0.0]])
    with pytest.raises(UsageError, match="not finite"):
        nearest_graph([[1e39, 0.0]])
    with pytest.raises(UsageError, match="not finite"):
        nearest_graph([[1e30, 0.0]], metric="euclidean")
    with pytest.raises(UsageError, match=r"\(N, D\)"):
        nearest_graph([1.0, 2.0])
    with pytest.raises(UsageError, match="rectangular"):
        nearest_graph([[1.0], [1.0, 2.0]])
    with pytest.raises(UsageError, match="metric"):
        nearest_graph([[1.0]], metric="hamming")
    with pytest.raises(UsageError, match="k is 0, expected a whole number, 1 or more"):
        nearest_graph([[1.0]], 0)
    with pytest.raises(UsageError, match="an approximate one"):
        nearest_graph(_features(5), search=ExactSearch(limit=299))
    with pytest.raises(UsageError, match="9 codes for 10"):
        neighbour_votes(graph, [0] * 9)
    with pytest.raises(UsageError, match="groups"):
        neighbour_votes(graph, [0] * 10, [0] * 9)
    with pytest.raises(UsageError, match="outside"):
        NeighbourGraph(np.full((2, 1), 2, dtype=np.int32), np.zeros((2, 1), dtype=np.float32))
    with pytest.raises(UsageError, match="as many distances"):
        NeighbourGraph(np.zeros((2, 1), dtype=np.int32), np.zeros((2, 2), dtype=np.float32))
