"""A certificate from an audit that looks more often where errors are suspected.

Items are drawn one after the other without replacement, with chances that are partly even and
partly in proportion to a suspicion. An error that was likely to be drawn says less than one
that was not: weighed by the inverse of its chance, what each draw finds has the set's own
share of errors as its mean, whatever the suspicions are worth. A bet on "fewer errors than the
bound" therefore gains nothing on average where there are as many errors as the bound or more,
and by Ville's inequality it ever reaches 1/risk with probability at most risk, at whatever look
one stops. Good suspicions make the weighted draws vary less, and the bet grows faster.

References
----------
Waudby-Smith, Ramdas 2024, https://doi.org/10.1093/jrsssb/qkad009 (betting)
Waudby-Smith, Stark, Ramdas 2021, https://doi.org/10.1007/978-3-030-86942-7_9 (audits)
Efraimidis, Spirakis 2006, https://doi.org/10.1016/j.ipl.2005.11.003 (weighted order)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray, IntArray, check_codes
from labelops.measure.eprocess import check_outcomes
from labelops.measure.given import check_share

__all__ = [
    "audit_chances",
    "log_e_values_count",
    "log_e_values_weighted",
    "log_e_values_weighted_above",
    "weighted_estimate",
    "weighted_order",
]

_BETS = 1 - ((np.arange(40) + 0.5) / 40) ** 2
"""Shares of the largest solvent bet. For even chances a bet of 1 - r is the likelihood ratio of
the share r * bound: these are the r of the uniform audit's mixture, density r^(-1/2)."""


_BETS_ABOVE: FloatArray = np.geomspace(1e-4, 1.0, 25)[:-1].astype(np.float64)
"""Shares of the largest solvent bet on more errors: the right one is about the bound itself."""


def audit_chances(suspicion: ArrayLike, floor: float = 0.7) -> FloatArray:
    """Give each item's chance to be drawn first: `floor` of it even, the rest by suspicion.

    Parameters
    ----------
    suspicion : (N,) array-like of float
        0 or more, larger = likelier wrong; need not sum to anything. All zero: even chances.
    floor : float in (0, 1]
        The even part. Wrong suspicions cost audits, never validity; 0.7 keeps that cost small.

    Returns
    -------
    (N,) float, summing to 1

    Raises
    ------
    UsageError
        A suspicion is negative or not finite, or the floor is out of range.

    Examples
    --------
    >>> audit_chances([0, 0, 1, 1], 0.5).tolist()
    [0.125, 0.125, 0.375, 0.375]
    """
    weights = np.asarray(suspicion, dtype=np.float64)
    if weights.ndim != 1 or not (np.isfinite(weights) & (weights >= 0)).all():
        raise UsageError("suspicion: expected one finite number of 0 or more an item")
    if not 0 < floor <= 1:
        raise UsageError(f"floor is {floor}, expected a share above 0, at most 1")
    if not weights.size:
        return weights
    even = np.full(weights.size, 1 / weights.size)
    largest = weights.max()
    if largest == 0:
        return even
    weights = weights / largest  # So that no sum overflows, and none is lost.
    return np.asarray(floor * even + (1 - floor) * weights / weights.sum())


def weighted_order(uniforms: ArrayLike, chances: ArrayLike) -> IntArray:
    """Order items as if drawn one by one, each time by their chances among those left.

    Parameters
    ----------
    uniforms : (N,) array-like of float in (0, 1)
        One random number an item, for instance its permanent one.
    chances : (N,) array-like of float above 0

    Returns
    -------
    (N,) int: places in draw order

    Raises
    ------
    UsageError
        Lengths differ, or a number is out of range.

    Examples
    --------
    >>> weighted_order([0.5, 0.5, 0.9], [0.1, 0.6, 0.3]).tolist()
    [2, 1, 0]
    """
    draws, odds = (np.asarray(a, dtype=np.float64) for a in (uniforms, chances))
    if draws.ndim != 1 or draws.shape != odds.shape:
        raise UsageError(f"{draws.shape} random numbers for {odds.shape} chances")
    if not ((draws > 0) & (draws < 1) & np.isfinite(odds) & (odds > 0)).all():
        raise UsageError("expected random numbers inside (0, 1) and chances above 0")
    order: IntArray = np.argsort(-np.log(draws) / odds, kind="stable").astype(np.int64)
    return order


def log_e_values_weighted(
    outcomes: ArrayLike, drawn: ArrayLike, chances: ArrayLike, bound: float
) -> FloatArray:
    """Give the log evidence, after each look, that a set's share of errors is below `bound`.

    Parameters
    ----------
    outcomes : (n,) bool
        True where the audited item was wrong, in draw order.
    drawn : (n,) array-like of int
        Which item each look was at, in the order of `weighted_order`; none twice.
    chances : (N,) array-like of float
        Of all items of the set, as given to `weighted_order`.
    bound : float in (0, 1)

    Returns
    -------
    (n,) float
        Log e-values; infinity once all that is left could not reach the bound. Reject "at least
        `bound` wrong" when their running maximum reaches log(1/risk).

    Raises
    ------
    UsageError
        An item is looked at twice or is not of the set, or lengths differ.

    Examples
    --------
    Even chances and no error: about as many looks as the uniform audit takes.

    >>> even = np.full(5000, 1 / 5000)
    >>> grown = log_e_values_weighted(np.zeros(400, bool), np.arange(400), even, 0.02)
    >>> int(np.argmax(grown >= np.log(20))) + 1
    184
    """
    check_share("bound", bound, inside=True)
    draws = _weighed(outcomes, drawn, chances)
    # Of what is left, the item that is least likely to be drawn says most if it is wrong.
    most = (draws.before + draws.left / draws.rarest) / draws.size
    # The bet must stay solvent under the largest find; 1/bound keeps it finite without one.
    largest = np.where(most > bound, 1 / np.maximum(most - bound, 1e-12), 1 / bound)
    # Fewer errors left, once the look is made, than the hypothesis needs: refuted for certain.
    after = np.cumsum(check_outcomes(outcomes)) + draws.unseen - 1
    impossible = after < bound * draws.size - 1e-9
    value = _log_wealth(_BETS, largest * (bound - draws.found))
    return np.where(impossible, np.inf, value)


def log_e_values_count(
    outcomes: ArrayLike, drawn: ArrayLike, chances: ArrayLike, count: int
) -> FloatArray:
    """Give the log evidence, after each look, against "more than `count` items are wrong".

    Parameters and errors are those of `log_e_values_weighted`, for any count from 0. At every look
    the evidence grows with the count, since each bet does: it gains r (b - x) / (m - b) on a find x
    that is m at most, which rises with the bound b. So the count may be moved up for errors that
    were corrected, as `labelops.measure.error_evidence` says.

    Examples
    --------
    >>> clean, even = np.zeros(50, bool), np.full(1000, 1 / 1000)
    >>> [round(float(log_e_values_count(clean, np.arange(50), even, m)[-1]), 2) for m in (20, 25)]
    [0.78, 0.98]
    """
    wrong = check_outcomes(outcomes)
    size = np.asarray(chances).size
    if count >= size - 1:
        # All items but one may be wrong, or all: only certainty tells.
        return np.where(np.cumsum(~wrong) >= size - count, np.inf, 0.0)
    return log_e_values_weighted(wrong, drawn, chances, (count + 1) / size)


def log_e_values_weighted_above(
    outcomes: ArrayLike, drawn: ArrayLike, chances: ArrayLike, bound: float
) -> FloatArray:
    """Give the log evidence, after each look, that a set's share of errors is above `bound`.

    Parameters and errors are those of `log_e_values_weighted`; the hypothesis is "at most `bound`
    wrong". Infinity once more errors were found than it allows.

    Examples
    --------
    >>> even = np.full(5000, 1 / 5000)
    >>> grown = log_e_values_weighted_above(np.ones(4, bool), np.arange(4), even, 0.02)
    >>> int(np.argmax(grown >= np.log(20))) + 1
    2
    """
    check_share("bound", bound)
    draws = _weighed(outcomes, drawn, chances)
    # The smallest find is what was found so far: a clean look costs at most all of the bet.
    room = bound - draws.before / draws.size
    largest = 1 / np.maximum(room, 1e-12)
    value = _log_wealth(_BETS_ABOVE, largest * (draws.found - bound))
    exceeded = np.cumsum(check_outcomes(outcomes)) > bound * draws.size + 1e-9
    return np.where(np.maximum.accumulate(exceeded), np.inf, value)


def weighted_estimate(outcomes: ArrayLike, drawn: ArrayLike, chances: ArrayLike) -> float:
    """Estimate the set's share of errors: the mean of what each look finds, weighed; 0 without any.

    Examples
    --------
    >>> weighted_estimate([True, False], [0, 1], [0.5, 0.25, 0.25])
    0.5
    """
    draws = _weighed(outcomes, drawn, chances)
    return min(1.0, float(draws.found.mean())) if draws.found.size else 0.0


@dataclass(frozen=True, slots=True)
class _Draws:
    """What each of n looks found, and what it could have found.

    Parameters
    ----------
    size : int
        Items in the set.
    before, unseen : (n,) float arrays
        Errors found before each look, and items not looked at before it.
    left, rarest : (n,) float arrays
        The sum and the least of the chances of those.
    found : (n,) float array
        An estimate of the set's share of errors, unbiased given all looks before.
    """

    size: int
    before: FloatArray
    unseen: FloatArray
    left: FloatArray
    rarest: FloatArray
    found: FloatArray


def _weighed(outcomes: ArrayLike, drawn: ArrayLike, chances: ArrayLike) -> _Draws:
    wrong = check_outcomes(outcomes)
    odds = np.asarray(chances, dtype=np.float64)
    if not (np.isfinite(odds) & (odds > 0)).all():
        raise UsageError("chances: expected a finite number above 0 for each item")
    places = check_codes(drawn, odds.size, missing=False, name="drawn")
    if places.shape != wrong.shape or len(np.unique(places)) != places.size:
        raise UsageError("drawn: expected one item a look, none twice")
    if not wrong.size:
        none = np.zeros(0)
        return _Draws(odds.size, none, none, none, none, none)
    before = np.concatenate([[0.0], np.cumsum(wrong, dtype=np.float64)[:-1]])
    left = _chance_left(odds, places)
    found = (before + wrong * left / odds[places]) / odds.size
    unseen = odds.size - np.arange(wrong.size, dtype=np.float64)
    return _Draws(odds.size, before, unseen, left, _rarest_left(odds, places), found)


def _log_wealth(shares: FloatArray, gains: FloatArray) -> FloatArray:
    """Log of the mean wealth of bets of these shares, after each look."""
    with np.errstate(divide="ignore"):
        wealth = np.cumsum(np.log1p(np.maximum(shares[:, None] * gains, -1.0)), axis=1)
        top = wealth.max(axis=0, initial=-np.inf)
        shifted = np.exp(wealth - np.where(np.isfinite(top), top, 0.0))
        value: FloatArray = top + np.log(shifted.mean(axis=0))
    return value


def _chance_left(odds: FloatArray, places: IntArray) -> FloatArray:
    """Sum of the chances of all items not yet drawn, before each look."""
    gone = np.concatenate([[0.0], np.cumsum(odds[places])[:-1]])
    # Never below the item's own chance, which rounding could do at the very last looks.
    left: FloatArray = np.maximum(odds.sum() - gone, odds[places])
    return left


def _rarest_left(odds: FloatArray, places: IntArray) -> FloatArray:
    """Smallest chance among the items not yet drawn, before each look."""
    order = np.argsort(odds, kind="stable")
    when = np.full(odds.size, places.size)
    when[places] = np.arange(places.size)
    # Item j of the order stays the smallest until all before it are drawn.
    until = np.maximum.accumulate(when[order])
    first = np.searchsorted(until, np.arange(places.size), side="left")
    smallest: FloatArray = odds[order[np.minimum(first, odds.size - 1)]]
    return smallest
