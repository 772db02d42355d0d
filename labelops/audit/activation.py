"""Activation clustering: a class into which items were smuggled falls into two clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from labelops.audit.classes import along_main_directions, dense_rows, rows_by_class
from labelops.measure.codes import FloatArray

__all__ = ["ActivationClusters", "activation_clusters"]

_DIRECTIONS = 10
_FEWEST = 4


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


def activation_clusters(
    features: Any, codes: ArrayLike, *, rng: np.random.Generator
) -> ActivationClusters:
    """Halve every class by 2-means along its ten main directions.

    Parameters
    ----------
    features : (N, D) array
        Finite numbers; the paper takes the last hidden layer of the model under suspicion.
    codes : (N,) array-like of int
        Labels; -1 is missing and not scored.
    rng : numpy.random.Generator
        Draws where the clusters start.

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
    >>> activation_clusters(points, [0] * 5, rng=np.random.default_rng(0)).scores.tolist()
    [0.8, 0.8, 0.8, 0.8, 0.2]
    """
    points, labels = dense_rows(features, codes)
    K = int(labels.max(initial=-1)) + 1
    scores = np.where(labels >= 0, 1.0, np.nan)
    smaller, apart = np.full(K, np.nan), np.full(K, np.nan)
    for rows in rows_by_class(labels):
        if len(rows) < _FEWEST or not np.ptp(points[rows], axis=0).any():
            continue
        half, clear = _halves(along_main_directions(points, rows, _DIRECTIONS), rng)
        share = np.bincount(half, minlength=2) / len(rows)
        scores[rows] = share[half]
        smaller[labels[rows[0]]], apart[labels[rows[0]]] = share.min(), clear
    return ActivationClusters(scores, smaller, apart)


def _halves(points: FloatArray, rng: np.random.Generator) -> tuple[Any, float]:
    from sklearn.cluster import KMeans  # lazy: half a second

    start = int(rng.integers(2**31))
    found = KMeans(2, n_init=5, random_state=start).fit(points)
    far = np.sort(found.transform(points), axis=1)
    gap = np.divide(far[:, 0], far[:, 1], out=np.ones(len(far)), where=far[:, 1] > 0)
    return found.labels_, float(1 - gap.mean())
