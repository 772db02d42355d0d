"""Items that are the same thing and yet carry different labels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse

from labelops.audit.findings import findings_of
from labelops.audit.graph import NeighbourGraph, check_graph
from labelops.audit.inputs import group_codes
from labelops.errors import UsageError, shown
from labelops.kinds.choice import codes_of
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, code_count
from labelops.measure.given import check_share
from labelops.schema import Schema
from labelops.tables import FINDINGS, empty

__all__ = [
    "Disagreement",
    "duplicate_clusters",
    "duplicate_conflicts",
    "label_conflicts",
    "near_pairs",
    "near_threshold",
]

_NEAR = 0.2  # Of the median distance to the nearest item that is not a copy.
_COPY = 1e-6  # Of the largest distance: rows that differ by less are copies in float32.


@dataclass(frozen=True, slots=True)
class Disagreement:
    """What an item's duplicates say about its label.

    Attributes
    ----------
    scores : (N,) float
        Share of the labeled items of the cluster that carry the item's label, low = bad; NaN
        without a label.
    sizes : (N,) int
        Labeled items of the cluster; 0 without a label.
    suggestions : (N,) int
        The cluster's commonest label; -1 where two lead, or where the item has no label.
    flagged : (N,) bool
        Whether the cluster carries several labels and the item's is not its commonest.
    """

    scores: FloatArray
    sizes: IntArray
    suggestions: IntArray
    flagged: BoolArray


def near_threshold(graph: NeighbourGraph, share: float = _NEAR) -> float:
    """Say how near is near: a share of the usual distance between different neighbours.

    The median is over items, of the distance to the nearest one that is not a copy. Where most
    items have a near-duplicate the median is already small, so the default share errs to the
    safe side: fewer items are called duplicates.

    Parameters
    ----------
    graph : NeighbourGraph
    share : float
        In [0, 1].

    Examples
    --------
    >>> from labelops.audit import nearest_graph
    >>> points = [[0.0], [0.0], [1.0], [2.0], [3.0]]
    >>> near_threshold(nearest_graph(points, k=2, metric="euclidean"), 0.5)
    0.5
    """
    check_graph(graph)
    check_share("share", share)
    known = np.isfinite(graph.distances)
    copy = _COPY * float(graph.distances.max(initial=0, where=known))
    nearest = graph.distances.min(axis=1, initial=np.inf, where=graph.distances > copy)
    nearest = nearest[np.isfinite(nearest)]
    return max(share * float(np.median(nearest)), copy) if nearest.size else copy


def near_pairs(
    graph: NeighbourGraph, within: float | None = None
) -> tuple[IntArray, IntArray, FloatArray]:
    """List the pairs of rows that are at most `within` apart, each once.

    Parameters
    ----------
    graph : NeighbourGraph
    within : float, optional
        Largest distance; `near_threshold(graph)` when left out.

    Returns
    -------
    (P,) int, (P,) int, (P,) float
        Smaller row, larger row, distance; sorted by rows.

    Raises
    ------
    UsageError
        `within` is negative or not a number.

    Examples
    --------
    >>> from labelops.audit import nearest_graph
    >>> graph = nearest_graph([[0.0], [1.0], [3.0]], k=1, metric="euclidean")
    >>> [part.tolist() for part in near_pairs(graph, 1.0)]
    [[0], [1], [1.0]]
    """
    check_graph(graph)
    limit = near_threshold(graph) if within is None else within
    try:
        fits = bool(limit >= 0)
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise UsageError(f"within is {shown(within)}, expected a number of at least 0")
    rows, places = np.nonzero(graph.distances <= limit)
    others = graph.indices[rows, places].astype(np.int64)
    far = graph.distances[rows, places]
    known = others >= 0
    rows, others, far = rows[known], others[known], far[known]
    key = np.minimum(rows, others) * len(graph.indices) + np.maximum(rows, others)
    key, first = np.unique(key, return_index=True)
    first_row, second_row = np.divmod(key, max(len(graph.indices), 1))
    return first_row, second_row, far[first].astype(np.float64)


def duplicate_clusters(
    graph: NeighbourGraph,
    digests: ArrayLike | None = None,
    *,
    within: float | None = None,
) -> IntArray:
    """Put items that are copies or near-duplicates of one another into one cluster.

    Parameters
    ----------
    graph : NeighbourGraph
    digests : (N,) array-like, optional
        Equal digests are equal items, wherever their features lie.
    within : float, optional
        As in `near_pairs`.

    Returns
    -------
    (N,) int
        Cluster of each item, numbered by first appearance; most are alone in theirs.

    Examples
    --------
    >>> from labelops.audit import nearest_graph
    >>> graph = nearest_graph([[0.0], [5.0], [0.1], [9.0]], k=2, metric="euclidean")
    >>> duplicate_clusters(graph, ["a", "b", "c", "b"], within=0.2).tolist()
    [0, 1, 0, 1]
    """
    from scipy.sparse.csgraph import connected_components  # lazy: .1 s

    N = len(check_graph(graph).indices)
    rows, others, _ = near_pairs(graph, within)
    if digests is not None:
        group = group_codes(digests, N)
        first = np.unique(group, return_index=True)[1]
        rows, others = np.append(rows, np.arange(N)), np.append(others, first[group])
    edges = sparse.coo_matrix((np.ones(len(rows), dtype=bool), (rows, others)), shape=(N, N))
    if not N:
        return np.empty(0, dtype=np.int64)
    found = connected_components(edges, directed=False)[1]
    return np.asarray(pd.factorize(found)[0], dtype=np.int64)


def label_conflicts(codes: ArrayLike, clusters: ArrayLike) -> Disagreement:
    """Judge labels by the labels of the same cluster of duplicates.

    Parameters
    ----------
    codes : (N,) array-like of int
        Labels; -1 is missing, takes no part and is not judged.
    clusters : (N,) array-like
        From `duplicate_clusters`, or any grouping of items that must share a label.

    Raises
    ------
    UsageError
        Lengths differ.

    Examples
    --------
    >>> found = label_conflicts([0, 0, 1, 2], [7, 7, 7, 8])
    >>> found.flagged.tolist(), found.suggestions.tolist()
    ([False, False, True, False], [0, 0, 0, 2])
    """
    K = code_count(codes)
    labels = check_codes(codes, K)
    labeled = np.flatnonzero(labels >= 0)
    cluster = group_codes(clusters, len(labels))[labeled]
    pair, of_pair, same = np.unique(
        cluster * max(K, 1) + labels[labeled], return_inverse=True, return_counts=True
    )
    owner = pair // max(K, 1)
    sizes = np.bincount(cluster)
    most = np.zeros(len(sizes), dtype=np.int64)
    np.maximum.at(most, owner, same)
    leads = same == most[owner]
    alone = np.bincount(owner[leads], minlength=len(sizes)) == 1
    better = np.full(len(sizes), -1, dtype=np.int64)
    better[owner[leads]] = pair[leads] % max(K, 1)
    better[~alone] = -1
    several = np.bincount(owner, minlength=len(sizes)) > 1

    def spread(values: ArrayLike, empty_value: float) -> FloatArray:
        whole = np.full(len(labels), empty_value)
        whole[labeled] = values
        return whole

    suggested = better[cluster]
    return Disagreement(
        spread(same[of_pair] / sizes[cluster], np.nan),
        spread(sizes[cluster], 0).astype(np.int64),
        spread(suggested, -1).astype(np.int64),
        spread(several[cluster] & (suggested != labels[labeled]), 0).astype(bool),
    )


def duplicate_conflicts(
    items: pd.DataFrame,
    labels: pd.DataFrame,
    schema: Schema,
    *,
    round: int,  # noqa: A002 - the column's name
    now: datetime,
) -> pd.DataFrame:
    """Find items whose exact or near duplicates are labeled differently.

    Same payload digest, or same leakage group where the owner gave no group of their own (an
    owner's group is a user or a document, not a duplicate). Where one label is the cluster's
    commonest, only the items with another one are findings; otherwise all are.

    Parameters
    ----------
    items : items frame
        One row an item.
    labels : labels frame
        One row an item; a missing value takes no part.
    schema : Schema
    round : int
        The audit's number.
    now : datetime
        When it happened.

    Returns
    -------
    Findings of kind ``duplicate_conflict``; the score is the share of the cluster that carries
    the item's label.
    """
    both = items[["item_id", "payload_digest", "group", "owner_group"]].merge(
        labels.loc[labels["value"].notna(), ["item_id", "value"]], on="item_id"
    )
    if both.empty:
        return empty(FINDINGS)
    clusters = both.assign(code=codes_of(both["value"], schema), cluster=_clusters(both))
    return _conflicts(clusters, schema, round, now)


def _clusters(both: pd.DataFrame) -> pd.Series[str]:
    owned = both["owner_group"].notna().groupby(both["group"]).transform("any")
    return ("group " + both["group"]).where(~owned, "payload " + both["payload_digest"])


def _conflicts(
    both: pd.DataFrame,
    schema: Schema,
    round: int,  # noqa: A002
    now: datetime,
) -> pd.DataFrame:
    judged = label_conflicts(both["code"].to_numpy(dtype=np.int64), both["cluster"])
    both = both.assign(score=judged.scores, size=judged.sizes, better=judged.suggestions)
    found = both[judged.flagged].sort_values("item_id")
    return findings_of(
        "duplicate_conflict",
        found["item_id"].to_numpy(dtype=object),
        found["code"].to_numpy(dtype=np.int64),
        found["score"].to_numpy(dtype=np.float64),
        schema,
        detector="duplicates",
        round=round,
        now=now,
        suggestions=found["better"].to_numpy(dtype=np.int64),
        evidence={
            "cluster": found["cluster"].to_numpy(dtype=object),
            "cluster_size": found["size"].to_numpy(dtype=np.int64),
        },
    )
