"""How much a held-out model believes a given label: scores, confident thresholds, flags.

Every probability here must come from a model that was not trained on the item; `out_of_fold`
makes such probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, check_probs

__all__ = [
    "ConfidenceSums",
    "LabelErrors",
    "confidence_sums",
    "ensemble_scores",
    "find_label_errors",
    "normalized_margin",
    "self_confidence",
]

_EDGE = 1e-6  # A probability this close below its threshold counts as reaching it.


@dataclass(frozen=True, slots=True)
class ConfidenceSums:
    """What the confident thresholds need to know of one shard; shards add up.

    Attributes
    ----------
    total : (K,) float
        Sum of the self-confidences of the items labeled with each class.
    count : (K,) int
        How many items are labeled with each class.
    """

    total: FloatArray
    count: IntArray

    def __add__(self, other: ConfidenceSums) -> ConfidenceSums:
        return ConfidenceSums(self.total + other.total, self.count + other.count)

    def thresholds(self) -> FloatArray:
        """Give each class's mean self-confidence, (K,); infinity for a class nobody has."""
        limits: FloatArray = np.full(self.total.shape, np.inf)
        np.divide(self.total, self.count, out=limits, where=self.count > 0)
        return limits


@dataclass(frozen=True, slots=True)
class LabelErrors:
    """Which labels are probably wrong.

    Attributes
    ----------
    scores : (N,) float
        Self-confidence, low = bad; NaN where the label is missing.
    flagged : (N,) bool
        Whether another class is confidently present where the label is not.
    suggestions : (N,) int
        For flagged items the class that fits better, else -1.
    """

    scores: FloatArray
    flagged: BoolArray
    suggestions: IntArray


def _checked(probs: ArrayLike, codes: ArrayLike) -> tuple[FloatArray, IntArray]:
    array = np.asarray(probs)
    checked = check_probs(array, array.shape[1] if array.ndim == 2 else 0)
    labels = check_codes(codes, checked.shape[1])
    if len(labels) != len(checked):
        raise UsageError(f"found {len(checked)} rows of probs for {len(labels)} codes")
    return checked, labels


def _own(probs: FloatArray, codes: IntArray) -> FloatArray:
    own = np.take_along_axis(probs, np.maximum(codes, 0)[:, None], axis=1)[:, 0]
    return np.asarray(np.where(codes >= 0, own, np.nan), dtype=np.float64)


def self_confidence(probs: ArrayLike, codes: ArrayLike) -> FloatArray:
    """Score each label by the held-out probability of its own class; low = bad.

    Parameters
    ----------
    probs : (N, K) array-like
        Out-of-fold probabilities.
    codes : (N,) array-like of int
        Labels; -1 is missing.

    Returns
    -------
    (N,) float in [0, 1], NaN where the label is missing.

    Raises
    ------
    UsageError
        The arrays do not fit each other or hold something else than codes and probabilities.

    References
    ----------
    Northcutt, Jiang, Chuang 2021, https://doi.org/10.1613/jair.1.12125
    Kuan, Mueller 2022, https://arxiv.org/abs/2210.03150

    Examples
    --------
    >>> self_confidence([[0.9, 0.1], [0.9, 0.1], [0.5, 0.5]], [0, 1, -1]).tolist()
    [0.9, 0.1, nan]
    """
    return _own(*_checked(probs, codes))


def normalized_margin(probs: ArrayLike, codes: ArrayLike) -> FloatArray:
    """Score each label by its lead over the best other class, moved to [0, 1]; low = bad.

    Parameters, missing values and errors are those of `self_confidence`.

    Examples
    --------
    >>> normalized_margin([[0.75, 0.25], [0.75, 0.25]], [0, 1]).tolist()
    [0.75, 0.25]
    """
    array, labels = _checked(probs, codes)
    others = array.copy()
    labeled = np.flatnonzero(labels >= 0)
    others[labeled, labels[labeled]] = -np.inf
    return np.asarray((_own(array, labels) - others.max(axis=1) + 1) / 2)


def ensemble_scores(views: Sequence[ArrayLike], codes: ArrayLike) -> FloatArray:
    """Average the self-confidences of several out-of-fold views of the same items; low = bad.

    Parameters
    ----------
    views : sequence of (N, K) array-like
        Out-of-fold probabilities of different learners or repeats, at least one.
    codes : (N,) array-like of int
        Labels; -1 is missing and scores NaN.

    Raises
    ------
    UsageError
        There is no view, or one does not fit the codes.

    Examples
    --------
    >>> ensemble_scores([[[0.9, 0.1]], [[0.5, 0.5]]], [0]).tolist()
    [0.7]
    """
    if not len(views):
        raise UsageError("an ensemble needs the probabilities of at least one learner")
    return np.asarray(np.mean([self_confidence(view, codes) for view in views], axis=0))


def confidence_sums(probs: ArrayLike, codes: ArrayLike) -> ConfidenceSums:
    """Sum up one shard for the confident thresholds; add the shards' sums with ``+``.

    Examples
    --------
    >>> whole = confidence_sums([[0.9, 0.1]], [0]) + confidence_sums([[0.7, 0.3]], [0])
    >>> whole.thresholds().round(3).tolist()
    [0.8, inf]
    """
    array, labels = _checked(probs, codes)
    known, K = labels >= 0, array.shape[1]
    own = _own(array, labels)[known]
    total = np.asarray(np.bincount(labels[known], weights=own, minlength=K), dtype=np.float64)
    return ConfidenceSums(total, np.bincount(labels[known], minlength=K).astype(np.int64))


def find_label_errors(
    probs: ArrayLike, codes: ArrayLike, thresholds: ArrayLike | None = None
) -> LabelErrors:
    """Flag labels where another class is confidently present and more probable.

    A class is confidently present where its probability reaches the mean probability it has
    among the items labeled with it, so an over- or under-confident class is judged by its own
    standard.

    Parameters
    ----------
    probs : (N, K) array-like
        Out-of-fold probabilities.
    codes : (N,) array-like of int
        Labels; -1 is missing and never flagged.
    thresholds : (K,) array-like, optional
        From all shards' `ConfidenceSums`; computed from these rows when left out.

    Raises
    ------
    UsageError
        The arrays do not fit each other.

    References
    ----------
    Northcutt, Jiang, Chuang 2021, https://doi.org/10.1613/jair.1.12125

    Examples
    --------
    >>> probs = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.9, 0.1]]
    >>> found = find_label_errors(probs, [0, 0, 1, 1])
    >>> found.flagged.tolist(), found.suggestions.tolist()
    ([False, False, False, True], [-1, -1, -1, 0])
    """
    array, labels = _checked(probs, codes)
    limits = (
        confidence_sums(array, labels).thresholds()
        if thresholds is None
        else np.asarray(thresholds, dtype=np.float64)
    )
    if limits.shape != array.shape[1:]:
        raise UsageError(f"found {limits.size} thresholds for {array.shape[1]} classes")
    confident = np.where(array >= limits - _EDGE, array, -np.inf)
    best = confident.argmax(axis=1)
    flagged = (
        (labels >= 0)
        & np.isfinite(confident.max(axis=1))
        & (best != labels)
        & (array.argmax(axis=1) != labels)
    )
    return LabelErrors(_own(array, labels), flagged, np.where(flagged, best, -1).astype(np.int64))
