"""How likely an audit of a set of known size is to meet given steps: what `staircase` adds up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, gammaln, xlog1py, xlogy

from .codes import FloatArray, IntArray

__all__ = ["least_looks", "log_at_most", "passing_wrongly"]

_NEVER = 1e-12


def least_looks(
    size: int, errors: IntArray, log_chance: FloatArray, few: Callable[[IntArray], FloatArray]
) -> IntArray:
    """Give the fewest looks that find so few errors with at most a chance.

    Parameters
    ----------
    errors : (K,) int
    log_chance : (K,) float
    few : callable
        From (K,) looks to the log of the chance.

    Examples
    --------
    >>> errors, chance = np.array([0, 1]), np.log([0.04, 0.04])
    >>> thirteen = np.array([13, 13])
    >>> least_looks(613, errors, chance, lambda n: log_at_most(errors, 613, thirteen, n, 0.0))
    array([134, 202])
    """
    low, high = errors.astype(np.int64), np.full(errors.shape, size + 1, dtype=np.int64)
    while (high - low > 1).any():
        middle = (low + high) // 2
        enough = few(middle) <= log_chance
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def log_at_most(k: IntArray, size: int, wrong: IntArray, n: IntArray, missed: float) -> FloatArray:
    """Give the log of the chance that n looks find at most k of the wrong ones of `size` items.

    Parameters
    ----------
    k, wrong, n : (K,) int
    size : int
    missed : float
        Chance that a look does not find a wrong item wrong.

    Examples
    --------
    >>> one = np.array([1])
    >>> [np.exp(log_at_most(one * 0, 10, one, one * 5, m)).round(3)[0] for m in (0.0, 0.5)]
    [np.float64(0.5), np.float64(0.75)]
    """
    # With none missed, as many are found as are looked at.
    most = int(wrong.max(initial=0)) if missed else int(k.max(initial=0))
    x = np.arange(most + 1)[:, None]
    value = _log_choose(wrong, x) + _log_choose(size - wrong, n - x) - _log_choose(size, n)
    with np.errstate(divide="ignore"):
        if missed:
            value += np.log(bdtr(np.minimum(k, x).astype(np.float64), x, 1 - missed))
        value = np.where((x <= n) & (bool(missed) | (x <= k)), value, -np.inf)
        top = value.max(axis=0)
        shifted = np.exp(value - np.where(np.isfinite(top), top, 0.0)).sum(axis=0)
        result: FloatArray = np.where(np.isfinite(top), top, 0.0) + np.log(shifted)
    return result


def _log_choose(n: ArrayLike, k: ArrayLike) -> FloatArray:
    """Log of the binomial coefficient; -inf where it is 0."""
    total, some = np.asarray(n, dtype=np.float64), np.asarray(k, dtype=np.float64)
    possible = (some >= 0) & (some <= total)
    inside = np.where(possible, some, 0.0)
    total = np.maximum(total, 0.0)
    value = gammaln(total + 1) - gammaln(inside + 1) - gammaln(np.maximum(total - inside, 0) + 1)
    return np.where(possible, value, -np.inf)


def passing_wrongly(steps: IntArray, size: int, tolerated: int, missed: float) -> FloatArray:
    """Give, for each number of errors from one too many on, the chance to pass wrongly.

    Parameters
    ----------
    steps : (K,) int
        After how many looks k errors certify; more than `size` where they never do.
    size, tolerated : int
    missed : float

    Returns
    -------
    (K,) float: with tolerated + 1 + k wrong items, to meet one of the steps 0 to k. With more than
    that no wrong pass is likelier: there are no more steps, and fewer audits meet these.

    Examples
    --------
    One of ten is wrong and none may be: eight clean looks leave two places for it.

    >>> [passing_wrongly(np.array([8]), 10, 0, m).round(2).tolist() for m in (0.0, 0.1)]
    [[0.2], [0.28]]
    """
    count = steps.size
    wrong = tolerated + 1 + np.arange(count)
    # Of so many wrong items a look would find these; of the fewest wrong ones hardly ever fewer.
    fewer = bdtr(np.arange(tolerated + 1, dtype=np.float64), tolerated + 1, 1 - missed)
    least = int((fewer < _NEVER).sum())
    seen = np.arange(least, tolerated + count + 1)
    chance = np.zeros((count, seen.size))
    # Log of the number of ways to have found x errors by a step without having met one before.
    ways = np.full(count, -np.inf)
    ways[0], before = 0.0, 0
    x = np.arange(count)
    # Coefficients are worked out once for each difference; none is possible below 0.
    further, later = (np.where(d >= 0, d, -1) for d in (x[:, None] - x, seen - x[:, None]))
    every = _log_choose(size, seen)
    for k, look in enumerate(np.minimum(steps, size).tolist()):
        if look > before:
            moved = np.append(_log_choose(look - before, x), -np.inf)[further] + ways
            top = moved.max(axis=1)
            finite = np.where(np.isfinite(top), top, 0.0)
            with np.errstate(divide="ignore"):
                ways = finite + np.log(np.exp(moved - finite[:, None]).sum(axis=1))
            before = look
        if steps[k] <= size:
            rest = np.append(_log_choose(size - look, np.arange(seen[-1] + 1)), -np.inf)
            met = ways[: k + 1, None] + rest[later[: k + 1]]
            chance[k] = np.exp(met - every).sum(axis=0)
            ways[: k + 1] = -np.inf
    # At least as many are wrong as are found; where nothing is missed, they are the same.
    hidden = wrong[:, None] - seen[None, :]
    odds = xlog1py(seen[None, :], -missed) + xlogy(np.maximum(hidden, 0), missed)
    share = np.exp(_log_choose(wrong[:, None], seen[None, :]) + odds)
    result: FloatArray = (share * np.cumsum(chance, axis=0)).sum(axis=1)
    return result
