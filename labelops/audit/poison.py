"""Was the data tampered with? Views on labels that somebody changed on purpose.

Whoever flips labels towards a target, or plants a trigger, wants a model to learn it, so a
fitted model is the wrong witness. Neighbours in features that were not trained on the labels
are the right one; spectral signatures and activation clusters stand beside them, since they
see a planted trigger that is far from everything else of its class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from labelops.audit.activation import activation_clusters
from labelops.audit.graph import NeighbourGraph, codes_for, neighbour_votes
from labelops.audit.inputs import group_codes
from labelops.audit.neighbours import judge_by_neighbours
from labelops.audit.spectral import spectral_signatures
from labelops.measure.codes import FloatArray
from labelops.measure.given import check_whole

__all__ = ["PoisonViews", "nearest_ratio", "poison_views"]

_BLOCK = 65_536


@dataclass(frozen=True, slots=True)
class PoisonViews:
    """Several views of how suspicious every label is; the first is the one to act on.

    Each is a share in (0, 1], low = bad: how much of the set looks at least as bad. NaN
    without a label.

    Attributes
    ----------
    neighbours : (N,) float
        Rank sum of the agreement with 10 and with 50 neighbours (`judge_by_neighbours`).
    ratio : (N,) float
        Distance to the nearest with the same label over that to the nearest with another one
        (`nearest_ratio`): better than the rank sum against targeted flips, worse where a whole
        pocket was flipped.
    spectral : (N,) float
        `spectral_signatures`: for triggers only.
    clusters : (N,) float
        `activation_clusters`: for triggers, and for classes that are mostly poison.
    """

    neighbours: FloatArray
    ratio: FloatArray
    spectral: FloatArray
    clusters: FloatArray


def poison_views(
    features: Any,
    codes: ArrayLike,
    graph: NeighbourGraph,
    groups: ArrayLike | None = None,
) -> PoisonViews:
    """Look at labels for flips, targeted flips, backdoors and flipped subpopulations.

    Parameters
    ----------
    features : (N, D) array
        What the graph was made from: finite, not learned from these labels.
    codes : (N,) array-like of int
        Labels; -1 is missing and not judged.
    graph : NeighbourGraph
        With 50 neighbours or more.
    groups : (N,) array-like, optional
        Leakage groups; an item's own group does not vouch for it.

    Raises
    ------
    UsageError
        Shapes differ or a feature is not finite.

    References
    ----------
    Peri et al. 2020, Deep k-NN defense, https://doi.org/10.1007/978-3-030-66415-2_4
    Tran, Li, Madry 2018, https://doi.org/10.48550/arXiv.1811.00636
    Chen et al. 2018, https://doi.org/10.48550/arXiv.1811.03728

    Examples
    --------
    >>> from labelops.audit import nearest_graph
    >>> rng = np.random.default_rng(0)
    >>> codes = np.repeat([0, 1], 60)
    >>> points = rng.normal(size=(120, 4)) + 6 * codes[:, None]
    >>> codes[5] = 1
    >>> views = poison_views(points, codes, nearest_graph(points, metric="euclidean"))
    >>> int(views.neighbours.argmin()), int(views.ratio.argmin())
    (5, 5)
    """
    votes = neighbour_votes(graph, codes, groups)
    return PoisonViews(
        judge_by_neighbours(votes, codes).scores,
        _shares(-nearest_ratio(graph, codes, groups)),
        _shares(-spectral_signatures(features, codes)),
        _shares(activation_clusters(features, codes).scores),
    )


def nearest_ratio(
    graph: NeighbourGraph, codes: ArrayLike, groups: ArrayLike | None = None, *, k: int = 5
) -> FloatArray:
    """Divide the distance to an item's own label by the distance to the others.

    Each is the mean over the `k` nearest; where the graph holds fewer, its farthest distance
    stands for the missing.

    Returns
    -------
    (N,) float
        At least 0; above 1 the item lies nearer to other labels. NaN without a label or
        neighbours.

    Examples
    --------
    >>> from labelops.audit import nearest_graph
    >>> graph = nearest_graph([[0.0], [1.0], [3.0]], k=2, metric="euclidean")
    >>> nearest_ratio(graph, [0, 1, 0], k=1).tolist()
    [3.0, 2.0, 1.5]
    """
    check_whole("k", k)
    labels = codes_for(graph, codes)
    group = None if groups is None else group_codes(groups, len(labels))
    ratio = np.full(len(labels), np.nan)
    for start in range(0, len(labels), _BLOCK):
        rows = slice(start, start + _BLOCK)
        near, far = graph.indices[rows], graph.distances[rows].astype(np.float64)
        votes = np.where(near >= 0, labels[near], -1)
        if group is not None:
            votes[group[near] == group[rows, None]] = -1
        own = votes == labels[rows, None]
        same = _mean_of_first((votes >= 0) & own, far, k)
        other = _mean_of_first((votes >= 0) & ~own, far, k)
        judged = (labels[rows] >= 0) & (votes >= 0).any(axis=1)
        # Copies with two labels are at distance 0 of both: as near to one as to the other.
        apart = np.divide(same, other, out=np.where(same > 0, np.inf, 1.0), where=other > 0)
        ratio[rows] = np.where(judged, apart, np.nan)
    return ratio


def _mean_of_first(counted: Any, far: FloatArray, k: int) -> FloatArray:
    taken = counted & (counted.cumsum(axis=1) <= k)
    farthest = np.where(np.isfinite(far), far, 0).max(axis=1, initial=0)
    total = np.where(taken, far, 0).sum(axis=1)
    return np.asarray((total + (k - taken.sum(axis=1)) * farthest) / k, dtype=np.float64)


def _shares(values: FloatArray) -> FloatArray:
    """Return the rank of each value, low first, as a share of those that are known."""
    from scipy.stats import rankdata  # lazy: .4 s

    known = ~np.isnan(values)
    shares = np.full(len(values), np.nan)
    shares[known] = rankdata(values[known], method="max") / max(int(known.sum()), 1)
    return shares
