"""Scores of label quality; low = bad."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from labelops.measure.codes import FloatArray

__all__ = ["adjusted_margin", "entropy_quality", "shift_of"]


def shift_of(thresholds: FloatArray) -> FloatArray:
    """Say how much each class's probabilities are lifted to put all classes on one footing.

    A class gains what the highest threshold exceeds its own by; one without labels, and so
    without a threshold, gains nothing.

    Examples
    --------
    >>> shift_of(np.array([0.5, 0.25, np.inf])).tolist()
    [0.0, 0.25, 0.0]
    """
    some = np.isfinite(thresholds)
    if not some.any():
        return np.zeros_like(thresholds)
    return np.asarray(np.where(some, thresholds[some].max() - thresholds, 0.0), dtype=np.float64)


def adjusted_margin(block: NDArray[Any], codes: NDArray[np.int32], shift: FloatArray) -> FloatArray:
    """Give the lead of each label over the best other class, both lifted, in [0, 1].

    Examples
    --------
    >>> adjusted_margin(np.array([[0.5, 0.5]]), np.array([0], dtype=np.int32), np.array([1., 0.]))
    array([0.75])
    """
    lifted = block + shift
    rows, mine = np.arange(len(codes)), np.maximum(codes, 0)
    own = lifted[rows, mine]
    lifted[rows, mine] = -np.inf
    lead = (own - lifted.max(axis=1)) / (1.0 + shift.sum())
    return np.asarray((lead + 1) / 2, dtype=np.float64)


def entropy_quality(block: NDArray[Any], codes: NDArray[np.int32]) -> FloatArray:
    """Give ln(1 + x)/x, where x is the row's entropy, as a share of ln K, a self-confidence.

    It is 1 for a label the model is certain of and 0 for one it is certain not to be so.

    Examples
    --------
    >>> block = np.array([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
    >>> entropy_quality(block, np.array([0, 1, 0], dtype=np.int32)).round(3).tolist()
    [1.0, 0.0, 0.549]
    """
    wide = block.astype(np.float64)
    own = wide[np.arange(len(codes)), np.maximum(codes, 0)]
    entropy = np.maximum(-xlogy(wide, wide).sum(axis=1), 0.0) / np.log(max(wide.shape[1], 2))
    ratio = np.divide(entropy, own, out=np.full_like(own, np.inf), where=own > 0)
    made: FloatArray = np.ones_like(ratio)
    finite = np.isfinite(ratio) & (ratio > 0)
    made[finite] = np.log1p(ratio[finite]) / ratio[finite]
    made[np.isinf(ratio)] = 0.0
    return made
