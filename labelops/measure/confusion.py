"""Who is taken for whom: counts of (true class, given class), per annotator.

The counts are sums over rows, so counts of disjoint shards add up: partial → merge → finish is
`annotator_confusion` per shard, `+`, and `confusion_rates` once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from labelops.measure.codes import FloatArray, check_codes

__all__ = ["annotator_confusion", "confusion_rates"]


def annotator_confusion(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    posterior: FloatArray,
    n_annotators: int,
    weights: ArrayLike | None = None,
) -> FloatArray:
    """Count per annotator how often each true class, as far as known, was given each class.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote.
    posterior : (N, K) float
        Belief about each item's true class; one-hot rows for known truth.
    n_annotators : int
        A.
    weights : (V,) array-like of float, optional
        What each vote counts.

    Returns
    -------
    (A, K, K) float
        Expected counts by annotator, true class, given class.

    Raises
    ------
    UsageError
        A code is out of range.

    Examples
    --------
    >>> counts = annotator_confusion([0, 1], [0, 0], [0, 0], np.array([[1, 0], [0.5, 0.5]]), 1)
    >>> counts.tolist()
    [[[1.5, 0.0], [0.5, 0.0]]]
    """
    n_items, n_classes = posterior.shape
    code = check_codes(codes, n_classes)
    item = check_codes(items, n_items, missing=False)
    annotator = check_codes(annotators, n_annotators, missing=False)
    weight = np.ones(code.size) if weights is None else np.asarray(weights, dtype=np.float64)
    there = code >= 0
    shape = (n_annotators * n_classes, n_items)
    cells = (annotator[there] * n_classes + code[there], item[there])
    votes = sparse.csr_matrix((weight[there], cells), shape=shape)
    counts = np.asarray(votes @ posterior).reshape(n_annotators, n_classes, n_classes)
    return np.ascontiguousarray(counts.transpose(0, 2, 1))


def confusion_rates(counts: FloatArray, prior: float = 0.0) -> FloatArray:
    """Turn counts into the probability of each given class under each true class.

    Parameters
    ----------
    counts : (..., K, K) float
        Counts by true class (row) and given class (column).
    prior : float
        Added to every cell first (a symmetric Dirichlet prior).

    Returns
    -------
    (..., K, K) float
        Rows sum to 1; a row without counts and prior is NaN.

    Examples
    --------
    >>> confusion_rates(np.array([[3.0, 1.0], [0.0, 0.0]]), prior=1.0).round(2).tolist()
    [[0.67, 0.33], [0.5, 0.5]]
    """
    smoothed = counts + prior
    total = smoothed.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(total > 0, smoothed / total, np.nan))
