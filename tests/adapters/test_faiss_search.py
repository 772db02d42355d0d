"""Approximate neighbours by faiss."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.adapters.faiss_search import FaissSearch
from labelops.audit.graph import nearest_graph
from labelops.errors import SettingsError, UsageError
from labelops.testing.neighbours import NeighbourSearchTests, recall_at, true_neighbours

faiss = pytest.importorskip("faiss", reason="needs the extra `neighbours`")


class TestFaissSearch(NeighbourSearchTests):
    """By cells."""

    recall = 0.95

    def make(self) -> FaissSearch:
        return FaissSearch(exact_below=0)


@pytest.mark.slow
class TestAllPairs(NeighbourSearchTests):
    """Few points: all pairs."""

    recall = 0.999

    def make(self) -> FaissSearch:
        return FaissSearch()


def _points(N: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    hidden = rng.normal(size=(40, 8))[rng.integers(0, 40, N)] * 2 + rng.normal(size=(N, 8))
    return np.asarray(np.tanh(hidden @ rng.normal(size=(8, 32)) / 3), dtype=np.float32)


@pytest.mark.slow
def test_more_probes_find_more() -> None:
    """Recall grows with the cells looked into."""
    points, rows = _points(8_000), np.arange(0, 8_000, 40)
    true = true_neighbours(points, rows, 10)
    few, many = (recall_at(FaissSearch(probes=p).nearest(points, 10)[rows], true) for p in (2, 24))
    assert few < many
    assert many >= 0.97


@pytest.mark.slow
def test_threads_change_nothing() -> None:
    """One thread or two: the same neighbours in the same order."""
    points = _points(8_000)
    before = faiss.omp_get_max_threads()
    found = []
    for threads in (1, 2):
        faiss.omp_set_num_threads(threads)
        found.append(FaissSearch().nearest(points, 10))
    faiss.omp_set_num_threads(before)
    assert np.array_equal(*found)


def test_the_graph_measures_distances_itself() -> None:
    """The graph's distances are those of the features, and a copy is at distance 0."""
    points = _points(8_000)
    points[7_000] = points[3]
    graph = nearest_graph(points, 5, metric="euclidean", search=FaissSearch())
    assert graph.indices[3, 0] == 7_000
    assert graph.distances[3, 0] == 0
    far = np.linalg.norm(points[3] - points[graph.indices[3]], axis=1)
    assert graph.distances[3] == pytest.approx(far, rel=1e-5)


def test_bad_numbers_are_refused() -> None:
    """No cell to look into finds nothing: refused."""
    with pytest.raises(UsageError, match="probes 0"):
        FaissSearch(probes=0)


def test_without_faiss_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the extra."""
    monkeypatch.setattr("labelops.adapters.faiss_search.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"labelops-pipeline\[neighbours\]"):
        FaissSearch()
