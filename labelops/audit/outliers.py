"""Items far from all others, or from all others of their label.

An outlier is no wrong label: it may be a broken file, another language, or a rare thing. The
score is the mean distance to the nearest neighbours, and its p-value says how rare such a
distance is among items that are not outliers.

References
----------
Angiulli, Pizzuti 2002, https://doi.org/10.1007/3-540-45681-3_2 (the score).
Bates, Candès, Lei, Romano, Sesia 2023, https://doi.org/10.1214/22-AOS2244 (conformal p-values).
Benjamini, Hochberg 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from labelops.audit.classes import rows_by_class
from labelops.audit.graph import NeighbourGraph, check_graph, codes_for
from labelops.audit.inputs import group_codes
from labelops.errors import UsageError
from labelops.measure.brief import brief
from labelops.measure.codes import BoolArray, FloatArray
from labelops.measure.given import check_share, check_whole

__all__ = ["Outliers", "find_outliers", "find_outliers_in_class"]

_BLOCK = 65_536
_UPPER = 0.9
_UPPER_NORMAL = 1.2815515655446004  # The normal distribution's 90 % point.


@brief
@dataclass(frozen=True, slots=True)
class Outliers:
    """How far every item lies from the others.

    Attributes
    ----------
    distances : (N,) float
        Mean distance to the nearest neighbours; NaN where there is none to measure to.
    p_values : (N,) float in (0, 1]
        How likely an ordinary item lies this far or farther; NaN where the distance is.
    scores : (N,) float in (0, 1]
        Share of items that lie this far or farther, low = bad; NaN where the distance is.
    flagged : (N,) bool
        Outliers, of which at most the tolerated share is expected to be ordinary.
    """

    distances: FloatArray
    p_values: FloatArray
    scores: FloatArray
    flagged: BoolArray


def find_outliers(
    graph: NeighbourGraph,
    groups: ArrayLike | None = None,
    *,
    k: int = 10,
    reference: ArrayLike | None = None,
    risk: float = 0.1,
) -> Outliers:
    """Find items far from everything else.

    With a reference of items known to be ordinary, p-values are conformal: an ordinary item's
    is below any α with probability at most α, whatever the features. Without one the bulk of
    the items stands for it: the logarithm of the distance is taken for normal above its median,
    with the spread between the median and the 90 % point. That holds about, not by proof, and
    only while outliers are well below a tenth.

    Parameters
    ----------
    graph : NeighbourGraph
        By cosine, the default of `nearest_graph`, a point is as near as its direction: one that
        is far out because it is long is not seen. By Euclidean distance it is, and one of another
        direction may not be where lengths vary for no reason. See the notes.
    k : int
        Neighbours the distance is averaged over, at least 1; capped by the graph's.
    groups : (N,) array-like, optional
        Leakage groups; an item's own group is no company, so that copies of an outlier do not
        hide one another.
    reference : (N,) bool array-like, optional
        Items known to be ordinary, drawn like the ordinary ones among the rest.
    risk : float
        Tolerated share of ordinary items among the flagged, in (0, 1).

    Raises
    ------
    UsageError
        k < 1, a length differs, or an empty reference.

    Notes
    -----
    Neither distance is better everywhere. Of 20 planted among 800 digits, those made three times as
    bright are found by cosine in no case and by Euclidean distance in all, those of random pixels
    in 31 and 100 %; among vectors in clusters of directions whose lengths are noise, those of
    another direction in 100 and 2 %. Where the length of a vector means something, take both.

    Examples
    --------
    >>> import numpy as np
    >>> from labelops.audit import nearest_graph
    >>> points = np.random.default_rng(0).normal(size=(200, 3))
    >>> points[7] = 9
    >>> found = find_outliers(nearest_graph(points, k=10, metric="euclidean"))
    >>> np.flatnonzero(found.flagged).tolist()
    [7]
    """
    N = len(check_graph(graph).indices)
    allowed = graph.indices >= 0
    if groups is not None:
        group = group_codes(groups, N)
        allowed &= group[graph.indices] != group[:, None]
    return _judge(_mean_nearest(graph, allowed, k, lower_bound=groups is not None), reference, risk)


def find_outliers_in_class(
    graph: NeighbourGraph,
    codes: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    k: int = 5,
    risk: float = 0.1,
) -> Outliers:
    """Find items far from the others of their own label.

    A wrong label lies far from its class too, so read these beside `neighbour_view`: what is
    near another class is a suspect label, what is near nothing is an outlier.

    Parameters
    ----------
    graph : NeighbourGraph
        With several times `k` neighbours: an item with fewer of its label than `k` among them
        (or than its class has) is infinitely far.
    codes : (N,) array-like of int
        Labels; -1 is missing and not judged.
    k : int
        Neighbours of the item's label that the distance is averaged over, at least 1.
    groups, risk
        As in `find_outliers`.

    Returns
    -------
    Outliers
        p-values compare an item with its class, whose spread is its own.

    Examples
    --------
    >>> import numpy as np
    >>> from labelops.audit import nearest_graph
    >>> codes = np.repeat([0, 1], 100)
    >>> points = np.random.default_rng(0).normal(size=(200, 3)) + 9 * codes[:, None]
    >>> codes[7] = 1
    >>> graph = nearest_graph(points, k=20, metric="euclidean")
    >>> find_outliers_in_class(graph, codes, risk=0.01).flagged.nonzero()[0].tolist()
    [7]
    """
    labels = codes_for(graph, codes)
    allowed = graph.indices >= 0
    allowed &= labels[graph.indices] == labels[:, None]
    if groups is not None:
        group = group_codes(groups, len(labels))
        allowed &= group[graph.indices] != group[:, None]
    far = _mean_nearest(graph, allowed, k, lower_bound=False)
    classmates = np.bincount(labels + 1)[labels + 1] - 1
    far[allowed.sum(axis=1) < np.minimum(classmates, k)] = np.inf
    far[(labels < 0) | (classmates == 0)] = np.nan
    p_values = np.full(len(labels), np.nan)
    for rows in rows_by_class(labels):
        p_values[rows] = _bulk_p_values(far[rows])
    return Outliers(far, p_values, _quantiles(far), _flag(p_values, risk))


def _mean_nearest(
    graph: NeighbourGraph, allowed: BoolArray, k: int, *, lower_bound: bool
) -> FloatArray:
    """Mean distance to the k nearest allowed neighbours; NaN where nobody is near at all.

    With `lower_bound` the graph's farthest neighbour stands for those beyond it.
    """
    check_whole("k", k)
    far = np.full(len(graph.indices), np.nan)
    for start in range(0, len(far), _BLOCK):
        rows = slice(start, start + _BLOCK)
        distances = graph.distances[rows].astype(np.float64)
        company = graph.indices[rows] >= 0
        wanted = np.minimum(company.sum(axis=1), k)
        taken = allowed[rows] & (allowed[rows].cumsum(axis=1) <= k)
        total = np.where(taken, distances, 0).sum(axis=1)
        count = taken.sum(axis=1)
        if lower_bound:
            farthest = np.where(company, distances, 0).max(axis=1, initial=0)
            total, count = total + (wanted - count) * farthest, wanted
        np.divide(total, count, out=far[rows], where=count > 0)
    return far


def _judge(far: FloatArray, reference: ArrayLike | None, risk: float) -> Outliers:
    if reference is None:
        p_values = _bulk_p_values(far)
    else:
        trusted = np.asarray(reference)
        if trusted.shape != far.shape or trusted.dtype != np.bool_ or not trusted.any():
            raise UsageError(
                f"reference: expected {len(far)} booleans, at least one of them true, found "
                f"{trusted.dtype} of shape {trusted.shape}"
            )
        p_values = _conformal_p_values(far, trusted)
    return Outliers(far, p_values, _quantiles(far), _flag(p_values, risk))


def _conformal_p_values(far: FloatArray, trusted: BoolArray) -> FloatArray:
    """Rank of each item among the reference and itself; a reference item counts itself once."""
    calm = np.sort(far[trusted & ~np.isnan(far)])
    above = len(calm) - np.searchsorted(calm, far, side="left")
    others = np.where(trusted, above - 1, above)
    n = np.where(trusted, len(calm) - 1, len(calm))
    return np.where(np.isnan(far), np.nan, (1 + others) / (1 + n))


def _bulk_p_values(far: FloatArray) -> FloatArray:
    known = ~np.isnan(far)
    floor = float(np.finfo(np.float32).tiny)  # A copy is at distance 0, which has no logarithm.
    logs = np.log(np.maximum(far[known], floor))
    p_values = np.full(len(far), np.nan)
    if not known.any():
        return p_values
    middle, upper = np.quantile(logs, (0.5, _UPPER), method="lower")
    if np.isfinite(upper) and upper > middle:
        spread = (upper - middle) / _UPPER_NORMAL
        p_values[known] = np.maximum(ndtr(-(logs - middle) / spread), floor)
    else:
        # Most are as far as one another: no spread to measure by, only ranks.
        p_values[known] = _quantiles(far[known])
    return p_values


def _quantiles(far: FloatArray) -> FloatArray:
    ordered = np.sort(far[~np.isnan(far)])
    above = len(ordered) - np.searchsorted(ordered, far, side="left")
    return np.where(np.isnan(far), np.nan, above / max(len(ordered), 1))


def _flag(p_values: FloatArray, risk: float) -> BoolArray:
    from scipy.stats import false_discovery_control  # lazy: .4 s

    check_share("risk", risk, inside=True)
    known = ~np.isnan(p_values)
    flagged = np.zeros(len(p_values), dtype=bool)
    if known.any():
        flagged[known] = false_discovery_control(p_values[known], method="bh") <= risk
    return flagged
