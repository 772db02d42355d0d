"""The conformance suite for neighbour searches: subclass `NeighbourSearchTests` in your own tests.

Needs pytest. An example is the exact search's own test::

    class TestExactSearch(NeighbourSearchTests):
        def make(self):
            return ExactSearch()
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from labelops.ports import NeighbourSearch

__all__ = ["NeighbourSearchTests", "recall_at", "true_neighbours"]

Points = npt.NDArray[np.float32]


def true_neighbours(points: Points, rows: npt.NDArray[np.int64], k: int) -> npt.NDArray[np.int64]:
    """Return the k nearest others of some rows by comparing them with all, in float64.

    Examples
    --------
    >>> true_neighbours(np.array([[0], [1], [3]], dtype=np.float32), np.array([2]), 1).tolist()
    [[1]]
    """
    found = np.empty((len(rows), k), dtype=np.int64)
    for place, row in enumerate(rows):
        far = ((points - points[row]).astype(np.float64) ** 2).sum(axis=1)
        far[row] = np.inf
        found[place] = np.argsort(far, kind="stable")[:k]
    return found


def recall_at(found: npt.NDArray[np.int32], true: npt.NDArray[np.int64]) -> float:
    """Return the share of the true neighbours that are among the found ones of the same row.

    Examples
    --------
    >>> recall_at(np.array([[1, 2]], dtype=np.int32), np.array([[2, 3]]))
    0.5
    """
    hits = (found[:, :, None] == true[:, None, :]).any(axis=1)
    return float(hits.mean())


class NeighbourSearchTests:
    """What every `NeighbourSearch` promises."""

    recall = 0.9
    """Least share of the ten nearest that must be found among clustered points."""

    def make(self) -> NeighbourSearch:
        """Open the search."""
        raise NotImplementedError

    @pytest.fixture
    def points(self) -> Points:
        """3,000 points in 30 clusters, 24 dimensions."""
        rng = np.random.default_rng(0)
        centres = rng.normal(size=(30, 24)) * 2
        spread = rng.normal(size=(3_000, 24))
        return (centres[rng.integers(0, 30, 3_000)] + spread).astype(np.float32)

    def test_it_is_a_search(self) -> None:
        """It has the port's verbs and a name."""
        search = self.make()
        assert isinstance(search, NeighbourSearch)
        assert search.name

    def test_the_nearest_are_found(self, points: Points) -> None:
        """Most of the ten truly nearest are among the ten found."""
        found = self.make().nearest(points, 10)
        rows = np.arange(0, len(points), 10)
        assert recall_at(found[rows], true_neighbours(points, rows, 10)) >= self.recall

    def test_shape_and_type(self, points: Points) -> None:
        """Whole numbers of rows, (N, k), none the row itself, none twice, -1 only at the end."""
        found = self.make().nearest(points, 7)
        assert found.shape == (len(points), 7)
        assert found.dtype == np.dtype(np.int32)
        assert found.min() >= -1
        assert found.max() < len(points)
        assert not (found == np.arange(len(points))[:, None]).any()
        known = np.sort(np.where(found < 0, -1 - np.arange(7), found), axis=1)
        assert (np.diff(known, axis=1) > 0).all()
        assert not ((found[:, :-1] < 0) & (found[:, 1:] >= 0)).any()

    def test_the_same_points_give_the_same_answer(self, points: Points) -> None:
        """Looking twice finds the same, in the same order."""
        assert np.array_equal(self.make().nearest(points, 5), self.make().nearest(points, 5))

    def test_points_stay_as_they_are(self, points: Points) -> None:
        """The caller's array is not written to; a read-only one will do."""
        before = points.copy()
        points.flags.writeable = False
        self.make().nearest(points, 5)
        assert np.array_equal(points, before)

    def test_copies_are_neighbours(self, points: Points) -> None:
        """Three copies of a point find each other, and more copies than k are no trouble."""
        points[[5, 500, 2_500]] = points[5]
        points[100:120] = points[100]
        found = self.make().nearest(points, 5)
        assert set(found[5, :2]) == {500, 2_500}
        assert set(found[500, :2]) == {5, 2_500}
        assert ((found[100:120] >= 100) & (found[100:120] < 120)).all()

    @pytest.mark.parametrize("N", [0, 1, 2, 4])
    def test_few_points(self, N: int) -> None:
        """Fewer points than neighbours wanted: all the others, then -1."""
        points = np.arange(2 * N, dtype=np.float32).reshape(N, 2)
        found = self.make().nearest(points, 5)
        assert found.shape == (N, 5)
        others = max(N - 1, 0)
        assert (found[:, others:] == -1).all()
        for row in range(N):
            assert sorted([*found[row, :others].tolist(), row]) == list(range(N))

    def test_points_that_are_all_the_same(self) -> None:
        """Constant features: any others will do."""
        found = self.make().nearest(np.ones((300, 8), dtype=np.float32), 5)
        assert found.shape == (300, 5)
        assert not (found == np.arange(300)[:, None]).any()
        assert (found >= 0).all()
