"""Activation clustering: a class into which items were smuggled falls into two clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from labelops.audit.classes import along_main_directions, dense_rows, rows_by_class
from labelops.measure.codes import BoolArray, FloatArray, IntArray

__all__ = ["ActivationClusters", "activation_clusters"]

_DIRECTIONS = 10
_FEWEST = 4
_STARTS = 3
_END = 0.05
_TURNS = 50


@dataclass(frozen=True, slots=True)
class ActivationClusters:
    """How every class falls apart.

    Attributes
    ----------
    scores : (N,) float
        Share of the class that is in the item's half of it, low = bad; NaN without a label; 1
        where a class has fewer than four items or does not vary.
    smaller : (K,) float
        Share of each class in its smaller half, in (0, 0.5]; NaN where it was not halved.
    apart : (K,) float
        How clear the halves are: the mean over items of 1 - (distance to the own centre) /
        (distance to the other one); near 1 two clumps, near 0.3 an arbitrary cut; NaN likewise.
    """

    scores: FloatArray
    smaller: FloatArray
    apart: FloatArray


def activation_clusters(features: Any, codes: ArrayLike) -> ActivationClusters:
    """Halve every class by 2-means along its ten main directions.

    Parameters
    ----------
    features : (N, D) array
        Finite numbers; the paper takes the last hidden layer of the model under suspicion.
    codes : (N,) array-like of int
        Labels; -1 is missing and not scored.

    Raises
    ------
    UsageError
        Shapes differ or a feature is not finite.

    References
    ----------
    Chen et al. 2018, https://doi.org/10.48550/arXiv.1811.03728

    Examples
    --------
    >>> points = [[0.0], [0.1], [0.2], [0.3], [9.0]]
    >>> activation_clusters(points, [0] * 5).scores.tolist()
    [0.8, 0.8, 0.8, 0.8, 0.2]
    """
    points, labels = dense_rows(features, codes)
    K = int(labels.max(initial=-1)) + 1
    scores = np.where(labels >= 0, 1.0, np.nan)
    smaller, apart = np.full(K, np.nan), np.full(K, np.nan)
    for rows in rows_by_class(labels):
        if len(rows) < _FEWEST or not np.ptp(points[rows], axis=0).any():
            continue
        half, clear = _halves(along_main_directions(points, rows, _DIRECTIONS))
        share = np.bincount(half, minlength=2) / len(rows)
        scores[rows] = share[half]
        smaller[labels[rows[0]]], apart[labels[rows[0]]] = share.min(), clear
    return ActivationClusters(scores, smaller, apart)


def _halves(points: FloatArray) -> tuple[IntArray, float]:
    """Cut points, widest direction first, into the best two clusters that several starts reach.

    The starts are cuts across each of the first directions, at the mean and near either end: a
    small clump far out is found from there, and nothing is drawn.
    """
    best: tuple[float, IntArray, float] | None = None
    for column in points.T[:_STARTS]:
        for cut in (float(column.mean()), *np.quantile(column, (_END, 1 - _END)).tolist()):
            half = _two_means(points, column > cut)
            if half is not None and (best is None or half[0] < best[0]):
                best = half
    if best is None:
        return np.zeros(len(points), dtype=np.int64), 0.0
    return best[1], best[2]


def _two_means(points: FloatArray, upper: BoolArray) -> tuple[float, IntArray, float] | None:
    """Take Lloyd's turns from a cut: squared distances, halves, how clear; None if one is empty."""
    for _ in range(_TURNS):
        if upper.all() or not upper.any():
            return None
        centres = np.stack([points[~upper].mean(axis=0), points[upper].mean(axis=0)])
        far = np.stack([np.linalg.norm(points - centre, axis=1) for centre in centres], axis=1)
        before, upper = upper, far[:, 1] < far[:, 0]
        if np.array_equal(before, upper):
            break
    near, other = far.min(axis=1), far.max(axis=1)
    gap = np.divide(near, other, out=np.ones(len(far)), where=other > 0)
    return float((near**2).sum()), upper.astype(np.int64), float(1 - gap.mean())
