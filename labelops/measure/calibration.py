"""Do probabilities mean what they say: temperature scaling and the reliability table."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray, check_codes, check_probs
from labelops.measure.given import check_whole
from labelops.measure.logs import log_sum_exp

__all__ = [
    "ReliabilityBin",
    "apply_temperature",
    "expected_calibration_error",
    "fit_temperature",
    "reliability_table",
]

_TINY = 1e-300
_LOWEST, _HIGHEST = 0.05, 100.0


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Items whose largest probability lies in (low, high]: what was said and what was so.

    Attributes
    ----------
    low, high : float
        Edges of the bin.
    items : int
        Items in it.
    confidence, accuracy : float
        Mean largest probability, and the share of items whose most probable class is right.
    """

    low: float
    high: float
    items: int
    confidence: float
    accuracy: float


def fit_temperature(probs: ArrayLike, codes: ArrayLike) -> float:
    """Find the temperature under which held-out labels are most likely.

    Parameters
    ----------
    probs : (N, K) array-like
        Probabilities for items the model (or consensus) has not learned these labels from.
    codes : (N,) array-like of int
        The true classes; rows with -1 (missing) are left out.

    Returns
    -------
    float
        Between 0.05 and 100. Above 1: the probabilities were over-confident. The log likelihood is
        concave in 1/temperature, so there is one best value.

    Raises
    ------
    UsageError
        No row has a label, or the probabilities are malformed.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger 2017, https://arxiv.org/abs/1706.04599

    Examples
    --------
    >>> temperature = fit_temperature([[0.9, 0.1]] * 10, [0] * 7 + [1] * 3)
    >>> apply_temperature([[0.9, 0.1]], temperature).round(2).tolist()
    [[0.7, 0.3]]
    """
    array = check_probs(probs, np.shape(probs)[-1] if np.ndim(probs) else 0)
    labels = check_codes(codes, array.shape[1])
    if labels.size != array.shape[0]:
        raise UsageError(f"calibration: {array.shape[0]} rows of probs, {labels.size} labels")
    there = labels >= 0
    if not there.any():
        raise UsageError("calibration: no row has a label; expected at least one")
    logits = np.log(np.maximum(array[there], _TINY))
    own = logits[np.arange(logits.shape[0]), labels[there]]

    def loss(log_temperature: float) -> float:
        beta = math.exp(-log_temperature)
        return float((log_sum_exp(beta * logits, axis=1) - beta * own).mean())

    found = minimize_scalar(
        loss,
        bounds=(math.log(_LOWEST), math.log(_HIGHEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return math.exp(float(found.x))


def apply_temperature(probs: ArrayLike, temperature: float) -> FloatArray:
    """Soften (temperature above 1) or sharpen (below 1) probabilities; the ranking stays.

    Raises
    ------
    UsageError
        The temperature is not positive, or the probabilities are malformed.

    Examples
    --------
    >>> apply_temperature([[0.8, 0.2]], 2.0).round(3).tolist()
    [[0.667, 0.333]]
    """
    if not temperature > 0:
        raise UsageError(f"temperature is {temperature}, expected a number above 0")
    array = check_probs(probs, np.shape(probs)[-1] if np.ndim(probs) else 0)
    logits = np.log(np.maximum(array, _TINY)) / temperature
    return np.asarray(np.exp(logits - log_sum_exp(logits, axis=1, keepdims=True)))


def reliability_table(
    probs: ArrayLike, codes: ArrayLike, bins: int = 10
) -> tuple[ReliabilityBin, ...]:
    """Compare what probabilities promised with what came true, in bins of equal width.

    Parameters
    ----------
    probs : (N, K) array-like
        Probabilities.
    codes : (N,) array-like of int
        The true classes; rows with -1 (missing) are left out.
    bins : int
        Bins between 0 and 1; empty ones are left out.

    Raises
    ------
    UsageError
        The arrays differ in length, the probabilities are malformed, or there is no bin.

    Examples
    --------
    >>> table = reliability_table([[0.9, 0.1], [0.85, 0.15]], [0, 1])
    >>> table[0].items, round(table[0].confidence, 3), table[0].accuracy
    (2, 0.875, 0.5)
    """
    check_whole("bins", bins)
    array = check_probs(probs, np.shape(probs)[-1] if np.ndim(probs) else 0)
    labels = check_codes(codes, array.shape[1])
    if labels.size != array.shape[0]:
        raise UsageError(f"calibration: {array.shape[0]} rows of probs, {labels.size} labels")
    there = labels >= 0
    confidence = array[there].max(axis=1)
    right = (array[there].argmax(axis=1) == labels[there]).astype(np.float64)
    # By the edges themselves: 0.55 × 100 is a little more than 55, and would fall above.
    place = np.minimum(np.searchsorted(np.arange(1, bins) / bins, confidence), bins - 1)
    items = np.bincount(place, minlength=bins)
    said, so = (np.bincount(place, weights=w, minlength=bins) for w in (confidence, right))
    return tuple(
        ReliabilityBin(
            b / bins,
            (b + 1) / bins,
            int(items[b]),
            float(said[b] / items[b]),
            float(so[b] / items[b]),
        )
        for b in np.flatnonzero(items).tolist()
    )


def expected_calibration_error(probs: ArrayLike, codes: ArrayLike, bins: int = 10) -> float:
    """Give the mean distance between promised and real accuracy, weighted by items; NaN for none.

    References
    ----------
    Naeini, Cooper, Hauskrecht 2015, https://doi.org/10.1609/aaai.v29i1.9602

    Examples
    --------
    >>> round(expected_calibration_error([[0.9, 0.1], [0.85, 0.15]], [0, 1]), 3)
    0.375
    """
    table = reliability_table(probs, codes, bins)
    total = sum(b.items for b in table)
    if not total:
        return math.nan
    return sum(b.items * abs(b.confidence - b.accuracy) for b in table) / total
