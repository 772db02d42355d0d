"""What an audit drawn by doubt has certified where its looks may miss some of the wrong items.

Were one item more wrong than is tolerated, looks would find D of all that are, a binomial number.
The evidence against each D is an e-process, which reaches 1/α with a chance of at most α. So limits
α_D are fixed beforehand whose mean over D is the risk, and the labels are certified once the
evidence against each D has reached its own. They are chosen so that a clean audit reaches all of
them at about the same look: 1/α_D is the evidence against D in such an audit, drawn by the same
chances but by random numbers of its own. So few errors that they are rarely all there is to find
are held against nothing. The limits fall with D and rise with the errors that are corrected; so
with more wrong items a false pass is no likelier.

A look at everything counts by itself, with a part of the risk of its own (`most_found_weighted`).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, gammaln, logsumexp, xlog1py, xlogy

from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.finite import tolerated_errors
from labelops.measure.missed import most_found
from labelops.measure.weighted import log_e_values_count, weighted_order

__all__ = ["log_e_values_seen", "most_found_weighted"]

_PART = 0.05
"""Of the risk for looks at all items, or nearly all; the rest is for the evidence before."""
_RARE = 0.05
"""Of the rest, for so few errors to be found that nothing is asked of the evidence against them."""
_FIRST_TRY = 256
_CERTAIN = 1e6

_GRID = np.unique(np.round(1.01 ** np.arange(2100.0))).astype(np.int64)
"""Numbers of errors to be found that are told apart; others go as the next lower one."""


def log_e_values_seen(
    outcomes: ArrayLike,
    drawn: ArrayLike,
    chances: ArrayLike,
    bound: float,
    risk: float,
    corrected: int = 0,
    missed: float = 0.0,
) -> FloatArray:
    """Give the log evidence, up to each look, that at most `bound` are left, found or not.

    It certifies once it has reached log(1/risk). Where nothing is missed it does so whatever the
    risk was; else it is the least evidence against any D, above what that one is held against.

    Parameters
    ----------
    outcomes, drawn, chances
        As for `log_e_values_weighted`.
    bound, risk : float
    corrected : int
        Errors found that are corrected by now.
    missed : float in [0, 1)
        Chance that a look does not find a wrong item wrong.

    Returns
    -------
    (n,) float
        Running maximum.

    Examples
    --------
    >>> even, clean = np.full(400, 1 / 400), np.zeros(395, bool)
    >>> looks = clean, np.arange(395), even, 0.01, 0.04
    >>> [int((log_e_values_seen(*looks, missed=m) < np.log(25)).sum()) for m in (0, 0.02, 0.1)]
    [220, 228, 247]
    """
    size, n = np.asarray(chances).size, np.asarray(outcomes).size
    tolerated = min(tolerated_errors(bound, size) + corrected, size)
    if not missed:
        found = log_e_values_count(outcomes, drawn, chances, tolerated)
        return np.maximum.accumulate(found) if n else found
    if tolerated >= size:
        return np.full(n, math.inf)
    odds = np.ascontiguousarray(np.sort(np.asarray(chances, dtype=np.float64)))
    counts, limits = _limits(odds.tobytes(), tolerated + 1, missed, (1 - _PART) * risk)
    # "More than -1" is no hypothesis, and nothing speaks against it.
    against = [
        log_e_values_count(outcomes, drawn, chances, int(d) - 1) if d else np.zeros(n)
        for d in counts
    ]
    above = np.maximum.accumulate(_finite(against), axis=1) + limits[:, None]
    return np.asarray(above.min(axis=0) - math.log(risk), dtype=np.float64)


@lru_cache(maxsize=64)
def _limits(odds: bytes, wrong: int, missed: float, risk: float) -> tuple[IntArray, FloatArray]:
    """Give how many errors looks may find, and the log of the limit for the evidence against each.

    Of a clean audit that is no label's, at the first look whose evidence keeps to the risk.
    """
    chances = np.frombuffer(odds)
    order = weighted_order(np.random.default_rng(0).uniform(1e-18, 1.0, chances.size), chances)
    counts, log_chance = _to_be_found(wrong, 1 - missed, _RARE * risk)
    n = 0
    while n < chances.size:
        n = min(max(2 * n, _FIRST_TRY), chances.size)
        looks = np.zeros(n, dtype=bool), order[:n], chances
        against = [
            np.maximum.accumulate(np.maximum(log_e_values_count(*looks, int(d) - 1), 0.0))
            if d
            else np.zeros(n)
            for d in counts
        ]
        limits = -_finite(against)
        spent = logsumexp(log_chance[:, None] + limits, axis=0)
        kept = np.flatnonzero(spent <= math.log((1 - _RARE) * risk))
        if kept.size:
            return counts, limits[:, kept[0]]
    # So much is missed that no evidence is enough.
    return counts, np.full(counts.size, -math.inf)


def _finite(against: list[FloatArray]) -> FloatArray:
    """Stack log evidence, of which certainty is a large number: limits are taken from it."""
    found: FloatArray = np.minimum(np.stack(against), _CERTAIN)
    return found


def _to_be_found(wrong: int, p: float, rare: float) -> tuple[IntArray, FloatArray]:
    """Give how many of so many wrong items looks would find, and the log chance of each.

    The fewest, which come with a chance of at most `rare`, are left out.
    """
    x = np.arange(wrong + 1)
    x = x[bdtr(x.astype(np.float64), wrong, p) > rare]
    log_chance = gammaln(wrong + 1) - gammaln(x + 1) - gammaln(wrong - x + 1)
    log_chance = log_chance + xlogy(x, p) + xlog1py(wrong - x, -p)
    # The same for all that may be wrong: limits then rise with it.
    lower = np.where(x > 0, _GRID[np.searchsorted(_GRID, x, side="right") - 1], 0)
    x, start = np.unique(lower, return_index=True)
    total: FloatArray = np.logaddexp.reduceat(log_chance, start)
    return x, total


def most_found_weighted(
    bound: float, risk: float, size: int, corrected: int = 0, missed: float = 0.0
) -> int:
    """Give how many errors looks at a whole set may find for at most `bound` to be left.

    Corrected ones included, and looks to come as if each found one; -1 where no looks show it.

    Examples
    --------
    >>> [most_found_weighted(0.02, 0.04, 300, missed=m) for m in (0.0, 0.02, 0.05)]
    [6, 4, 3]
    """
    return most_found(tolerated_errors(bound, size), corrected, missed, _PART * risk)
