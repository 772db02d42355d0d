"""Sets of a known size: a mixture of error counts against one count, without replacement."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.special import betaln, gammaln

from labelops.measure.codes import FloatArray
from labelops.measure.logs import log_choose, log_sum_exp

__all__ = ["count_alternatives", "log_count_ratio"]

_SUPPORT_RATIO = 1.03

_ALL = 1 << 15
"""Of up to so many counts every one is added up; of more a bin is read at some points of it."""

_POINTS = 32

_CHUNK = 1 << 20


@lru_cache(maxsize=256)
def count_alternatives(
    size: int, first: int, last: int, a: float, b: float
) -> tuple[FloatArray, FloatArray]:
    """Give counts between `first` and `last` with beta-binomial log weights that sum to one.

    Counts far from `first` are thinned geometrically: one in the middle of each bin carries the
    weight of the bin, so that time and memory grow with the logarithm of the size. Any fixed
    weights keep the e-value valid.

    Examples
    --------
    >>> counts, log_weights = count_alternatives(1000, 0, 20, 0.5, 49.5)
    >>> counts[:3].tolist(), round(float(np.exp(log_weights).sum()), 6)
    ([0.0, 1.0, 2.0], 1.0)
    """
    total = last + 1 - first
    steps = math.ceil(math.log(total + 1) / math.log(_SUPPORT_RATIO)) + 1
    kept = np.unique(np.floor(_SUPPORT_RATIO ** np.arange(steps)).astype(np.int64) - 1)
    kept = kept[kept < total]
    ends = np.append(kept[1:], total)
    if total <= _ALL:
        log_mass = _log_beta_binomial(first + np.arange(total, dtype=np.float64), size, a, b)
        log_mass -= log_sum_exp(log_mass)
        with np.errstate(divide="ignore"):
            weights = np.log(np.add.reduceat(np.exp(log_mass), kept))
    else:
        # The mass is smooth: a bin of few counts is read at each of them, others at as many points.
        widths = (ends - kept).astype(np.float64)
        step = np.maximum(widths / _POINTS, 1.0)
        at = (np.arange(_POINTS) + 0.5) * step[:, None] - 0.5
        inside = at < widths[:, None] - 0.25
        log_mass = _log_beta_binomial(first + kept[:, None] + at * inside, size, a, b)
        log_mass += np.log(step)[:, None]
        weights = log_sum_exp(np.where(inside, log_mass, -np.inf), axis=1)
        weights -= log_sum_exp(weights)
    support = np.floor(first + (kept + ends - 1) / 2)
    for array in (support, weights):
        array.setflags(write=False)
    return support, weights


def _log_beta_binomial(counts: FloatArray, size: int, a: float, b: float) -> FloatArray:
    """Log mass of error counts in `size` items whose share is Beta(a, b), up to a constant."""
    log_mass = log_choose(size, counts) + betaln(counts + a, size - counts + b) - betaln(a, b)
    return np.asarray(log_mass, dtype=np.float64)


def log_count_ratio(
    k: FloatArray, n: FloatArray, null: int, size: int, counts: FloatArray, weights: FloatArray
) -> FloatArray:
    """Give the log likelihood ratio of a mixture over error counts against `null` errors in all.

    Parameters
    ----------
    k, n : (L,) float
        Errors among the first n items drawn without replacement; both must be possible when the
        set holds `null` errors.
    null : int
        The error count of the hypothesis.
    size : int
        Items in the set.
    counts, weights : (S,) float
        Alternative error counts and their log weights.

    Examples
    --------
    >>> zero, one = np.zeros(1), np.ones(1)
    >>> ratio = log_count_ratio(zero, one * 5, 1, 10, zero, zero)
    >>> round(float(np.exp(ratio[0])), 6)  # five clean of ten: twice as likely with no error
    2.0
    """
    rows = max(1, _CHUNK // counts.size)
    parts = [
        log_sum_exp(
            _log_draw(k[i : i + rows, None], n[i : i + rows, None], counts, size) + weights, axis=1
        )
        for i in range(0, k.size, rows)
    ]
    mixture = np.concatenate(parts) if parts else np.empty(0)
    return np.asarray(mixture - _log_draw(k, n, np.float64(null), size), dtype=np.float64)


def _log_draw(
    k: FloatArray, n: FloatArray, wrong: FloatArray | np.float64, size: int
) -> FloatArray:
    """Log probability of one order of k errors and n-k clean items, up to a constant."""
    clean = n - k
    right = size - wrong
    possible = (k <= wrong) & (clean <= right)
    value = (
        gammaln(wrong + 1)
        - gammaln(np.maximum(wrong - k, 0) + 1)
        + gammaln(right + 1)
        - gammaln(np.maximum(right - clean, 0) + 1)
    )
    return np.where(possible, value, -np.inf)
