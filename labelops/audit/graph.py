"""The nearest items of every item, found once and read by every view that looks at neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from labelops.audit.inputs import group_codes
from labelops.errors import UsageError, shown
from labelops.measure.codes import IntArray, check_codes, code_count
from labelops.measure.given import check_kind, check_whole
from labelops.measure.jit import in_threads
from labelops.measure.smallest import smallest_columns
from labelops.ports import NeighbourSearch

__all__ = [
    "ExactSearch",
    "NeighbourGraph",
    "check_graph",
    "graph_if_quick",
    "nearest_graph",
    "neighbour_votes",
]

Points = NDArray[np.float32]
Rows = NDArray[np.int32]

_CELLS = 8_000_000  # Numbers held at once by a worker: 32 MB, whatever the number of items.
_BLOCK = 512
_LARGEST = 1e18  # Lengths whose square float32 can still hold.
_LIMIT = 200_000
_QUICK = 50_000  # Items of which every pair is compared whatever other search there is.
_BORNE = 100_000  # … and where there is none: half a minute on two cores.


@dataclass(frozen=True, slots=True)
class NeighbourGraph:
    """The k nearest other items of every item.

    Attributes
    ----------
    indices : (N, k) int32
        Row numbers, nearest first, equal distances by row number; -1 where none is left.
    distances : (N, k) float32
        Euclidean distances of those items, after scaling rows to length 1 where the metric is
        the cosine; inf where none is left.
    """

    indices: Rows
    distances: Points

    def __post_init__(self) -> None:
        found, far = np.shape(self.indices), np.shape(self.distances)
        if len(found) != 2 or found != far or self.indices.dtype.kind != "i":
            raise UsageError(
                f"neighbour graph: indices of shape {found} and distances of shape {far}, "
                "expected whole numbers and as many distances, both (N, k)"
            )
        outside = self.indices.size and (self.indices.min() < -1 or self.indices.max() >= found[0])
        if outside:
            raise UsageError(f"neighbour graph: indices outside -1 to {found[0] - 1}")


def check_graph(graph: object) -> NeighbourGraph:
    """Return `graph` if it is one.

    Raises
    ------
    UsageError
        It is something else, such as the number of neighbours.

    Examples
    --------
    >>> check_graph(3)
    Traceback (most recent call last):
    labelops.errors.UsageError: graph is 3, expected a NeighbourGraph, made by `nearest_graph`
    """
    return check_kind("graph", graph, NeighbourGraph, "`nearest_graph`")


@dataclass(frozen=True, slots=True)
class ExactSearch:
    """Compares every pair of items: the embedded default, whose time grows with N².

    Parameters
    ----------
    limit : int
        More items than this are refused rather than waited for.

    Examples
    --------
    >>> ExactSearch().nearest(np.array([[0.0], [1.0], [3.0]], dtype=np.float32), 1).tolist()
    [[1], [0], [1]]
    """

    limit: int = _LIMIT
    name: str = "exact"

    def nearest(self, points: Points, k: int) -> Rows:
        """Return the k nearest other rows of each row by Euclidean distance, nearest first."""
        N = len(points)
        if self.limit < N:
            raise UsageError(
                f"{N} items are more than {self.limit} for an exact search: pass an approximate "
                "one (labelops.adapters.faiss_search.FaissSearch, the extra `neighbours`) or "
                "ExactSearch(limit=…)"
            )
        width = min(k, max(N - 1, 0))
        if not width:
            return np.full((N, k), -1, dtype=np.int32)
        half = np.einsum("nd,nd->n", points, points) / 2
        block = max(1, _CELLS // N)

        def near(first: int, last: int) -> Rows:
            # |x - y|² / 2 without |x|²/2, which is the same for all candidates of a row.
            gap = points[first:last] @ points.T
            np.subtract(half, gap, out=gap)
            gap[np.arange(last - first), np.arange(first, last)] = np.inf
            return smallest_columns(gap, width).astype(np.int32)

        rows = np.concatenate(in_threads(near, N, block=block))
        return np.pad(rows, ((0, 0), (0, k - width)), constant_values=-1)


def nearest_graph(
    features: Any,  # dense or scipy-sparse: no common type
    k: int = 50,
    *,
    metric: str = "cosine",
    search: NeighbourSearch | None = None,
) -> NeighbourGraph:
    """Find every item's k nearest others, once for all views.

    Parameters
    ----------
    features : (N, D) array or scipy sparse matrix
        Finite numbers; not learned from the labels that will be judged. A sparse matrix is made
        dense: give it few columns first (`labelops.audit.few_dimensions`).
    k : int
        Neighbours wanted, at least 1; where there are fewer, the rest is -1 and inf.
    metric : {"cosine", "euclidean"}
        Under the cosine rows are scaled to length 1 (a row of zeros stays zero).
    search : NeighbourSearch, optional
        How to look; exact when left out, which suits up to some 50,000 items.

    Returns
    -------
    NeighbourGraph
        Distances are computed from the features whatever the search was, so that an exact copy
        is at distance 0.

    Raises
    ------
    UsageError
        A feature is not finite, the shape is not (N, D), k < 1, or too many items for an exact
        search.

    Examples
    --------
    >>> graph = nearest_graph([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]], k=1)
    >>> graph.indices.tolist(), graph.distances.round(3).ravel().tolist()
    ([[1], [0], [0]], [0.0, 0.0, 1.4140000343322754])
    """
    if metric not in ("cosine", "euclidean"):
        raise UsageError(f"metric is {metric!r}, expected 'cosine' or 'euclidean'")
    check_whole("k", k)
    points = _points(features, unit=metric == "cosine")
    looks = ExactSearch() if search is None else search
    if not callable(getattr(looks, "nearest", None)):
        raise UsageError(f"search is {shown(search)}, expected a NeighbourSearch, as ExactSearch()")
    found = looks.nearest(points, k)
    if found.shape != (len(points), k):
        raise UsageError(f"search gave shape {found.shape}, expected {(len(points), k)}")
    indices, distances = np.array(found, dtype=np.int32), np.empty(found.shape, dtype=np.float32)

    def measure(first: int, last: int) -> None:
        part = indices[first:last]
        far = _distances(points, points[first:last], part)
        order = np.lexsort((part, far), axis=1)
        indices[first:last] = np.take_along_axis(part, order, axis=1)
        distances[first:last] = np.take_along_axis(far, order, axis=1)

    in_threads(measure, len(points), block=_BLOCK)
    return NeighbourGraph(indices, distances)


def _points(features: Any, *, unit: bool) -> Points:
    """Return an own (N, D) float32 copy, rows scaled to length 1 on demand."""
    dense = features.toarray() if sparse.issparse(features) else features
    expected = "features: expected a rectangular table of real numbers"
    try:
        if np.iscomplexobj(dense):  # numpy would drop the imaginary part.
            raise UsageError(expected)
        with np.errstate(over="ignore"):  # Becomes infinite, which is refused below.
            points = np.array(dense, dtype=np.float32, order="C")
    except (TypeError, ValueError) as error:
        raise UsageError(expected) from error
    if points.ndim != 2:
        raise UsageError(f"features: expected finite numbers of shape (N, D), found {points.shape}")
    norms = np.sqrt(np.einsum("nd,nd->n", points, points, dtype=np.float64))
    bad = np.flatnonzero(~(norms < (np.inf if unit else _LARGEST)))
    if bad.size:
        raise UsageError(f"features: row {bad[0]} holds a number that is not finite in float32")
    if unit:
        points /= np.where(norms > 0, norms, 1)[:, None].astype(np.float32)
    return points


def _distances(points: Points, own: Points, part: Rows) -> Points:
    """Distances of rows to their neighbours from differences: products would lose small ones."""
    gap = points[part]
    gap -= own[:, None]
    far = np.sqrt(np.einsum("nkd,nkd->nk", gap, gap))
    far[part < 0] = np.inf
    return np.asarray(far, dtype=np.float32)


def graph_if_quick(features: Any, search: NeighbourSearch | None = None) -> NeighbourGraph | None:
    """Find every item's nearest others; None where that would take hours.

    Beyond 100,000 items it does; beyond 50,000 a `search` is asked, which is quicker than comparing
    all.

    Examples
    --------
    >>> graph_if_quick(np.array([[1.0, 0.1], [0.0, 1.0], [1.0, 0.2]])).indices[0, :2].tolist()
    [2, 1]
    """
    if len(features) <= (_BORNE if search is None else _QUICK):
        return nearest_graph(features)
    return None if search is None else nearest_graph(features, search=search)


def neighbour_votes(
    graph: NeighbourGraph,
    codes: ArrayLike,
    groups: ArrayLike | None = None,
) -> IntArray:
    """Return the labels of each item's neighbours, nearest first, as `judge_by_neighbours` wants.

    Parameters
    ----------
    graph : NeighbourGraph
    codes : (N,) array-like of int
        Labels; an item with -1 (missing) does not vote.
    groups : (N,) array-like, optional
        Leakage groups; members of an item's own group do not vote on it.

    Returns
    -------
    (N, k) int64, the votes in front and -1 after them.

    Raises
    ------
    UsageError
        Lengths differ.

    Examples
    --------
    >>> graph = nearest_graph([[1, 0], [1, 0.1], [1, 0.3]], k=2)
    >>> neighbour_votes(graph, [0, -1, 2]).tolist()
    [[2, -1], [0, 2], [0, -1]]
    """
    labels = codes_for(graph, codes)
    N = len(labels)
    votes = np.where(graph.indices >= 0, labels[graph.indices], -1) if N else graph.indices
    if groups is not None:
        group = group_codes(groups, N)
        votes[group[graph.indices] == group[:, None]] = -1
    gaps = np.flatnonzero((votes[:, :-1] < 0).any(axis=1)) if votes.size else np.arange(0)
    order = np.argsort(votes[gaps] < 0, axis=1, kind="stable")
    votes[gaps] = np.take_along_axis(votes[gaps], order, axis=1)
    return np.asarray(votes, dtype=np.int64)


def codes_for(graph: NeighbourGraph, codes: ArrayLike) -> IntArray:
    """Return checked codes, one for each row of the graph."""
    check_graph(graph)
    labels = check_codes(codes, code_count(codes))
    if len(labels) != len(graph.indices):
        raise UsageError(f"found {len(labels)} codes for {len(graph.indices)} rows of neighbours")
    return labels
