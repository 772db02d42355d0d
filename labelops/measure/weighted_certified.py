"""What an audit drawn by doubt has certified where its looks may miss some of the wrong items.

Were one item more wrong than is tolerated, looks would find D of all that are, a binomial number.
Evidence against each D is mixed as likelihoods are: its inverse, by the chance of D. Early, when
most is still to be looked at, that is the evidence against the mean; late, when nearly all was, it
is held down by the chance that there was little to be found. So no look makes it certain, and of a
set of which none may be wrong there is little evidence however many looks are clean.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, logsumexp, xlog1py, xlogy

from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.finite import most_found, tolerated_errors
from labelops.measure.weighted import log_e_values_count

__all__ = ["log_e_values_seen", "most_found_weighted"]

_PART = 0.25
"""Of the risk for looks at all items, or nearly all: the evidence hardly uses so much of it."""

_RARE = 1e-9
_COUNTS = 12
"""Numbers of errors to be found that are told apart; of more, neighbours go as the least one."""


def log_e_values_seen(
    outcomes: ArrayLike,
    drawn: ArrayLike,
    chances: ArrayLike,
    bound: float,
    corrected: int = 0,
    missed: float = 0.0,
) -> FloatArray:
    """Give the log evidence, after each look, that at most `bound` are left, found or not.

    Parameters
    ----------
    outcomes, drawn, chances
        As for `log_e_values_weighted`.
    bound : float
    corrected : int
        Errors found that are corrected by now.
    missed : float in [0, 1)
        Chance that a look does not find a wrong item wrong.

    Examples
    --------
    >>> even, clean = np.full(400, 1 / 400), np.zeros(395, bool)
    >>> looks = clean, np.arange(395), even, 0.0
    >>> [round(float(log_e_values_seen(*looks, missed=m)[-1]), 1) for m in (0, 0.02, 0.1)]
    [3.5, 3.0, 2.1]
    """
    tolerated = tolerated_errors(bound, np.asarray(chances).size) + corrected
    if not missed:
        return log_e_values_count(outcomes, drawn, chances, tolerated)
    found, log_chance = _to_be_found(tolerated + 1, 1 - missed)
    # "More than -1" is no hypothesis, and nothing speaks against it.
    values = [
        log_e_values_count(outcomes, drawn, chances, int(d) - 1)
        if d
        else np.zeros(np.asarray(outcomes).size)
        for d in found
    ]
    against = log_chance[:, None] - np.stack(values)
    return -np.asarray(logsumexp(against, axis=0), dtype=np.float64)


def _to_be_found(wrong: int, p: float) -> tuple[IntArray, FloatArray]:
    """Give how many of so many wrong items looks would find, and the log chance of each."""
    around = 8 * math.sqrt(wrong * p * (1 - p)) + _COUNTS
    x = np.arange(max(0, math.floor(wrong * p - around)), wrong + 1)
    log_chance = gammaln(wrong + 1) - gammaln(x + 1) - gammaln(wrong - x + 1)
    log_chance = log_chance + xlogy(x, p) + xlog1py(wrong - x, -p)
    x, log_chance = x[log_chance > math.log(_RARE)], log_chance[log_chance > math.log(_RARE)]
    start = np.arange(0, x.size, math.ceil(x.size / _COUNTS))
    total: FloatArray = np.logaddexp.reduceat(log_chance, start)
    return x[start], total


def most_found_weighted(
    bound: float, risk: float, size: int, corrected: int = 0, missed: float = 0.0
) -> int:
    """Give how many errors looks at a whole set may find for at most `bound` to be left.

    Corrected ones included, and looks to come as if each found one; -1 where no looks show it.

    Examples
    --------
    >>> [most_found_weighted(0.02, 0.04, 300, missed=m) for m in (0.0, 0.02, 0.05)]
    [6, 5, 4]
    """
    return most_found(tolerated_errors(bound, size), corrected, missed, _PART * risk)
