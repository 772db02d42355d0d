"""Evidence that errors have become more than a bound: since when, nobody knows beforehand.

A share of errors that was small for long and then rises stays small as a mean over all looks, so
evidence from the first look on sees the rise late or never. Here it is mixed over when the rise
began as well as over how large it is. Each part is a likelihood ratio of a larger share to the
bound from some look on. Its expectation never grows while every look is wrong with at most the
bound's probability, given all before it, so neither does that of the mixture: an e-process, which
may be read after every look for ever. Cost is linear in the number of looks.

References
----------
Ville 1939; Ramdas, Grünwald, Vovk, Shafer 2023, https://doi.org/10.1214/23-STS894
Shin, Ramdas, Rinaldo 2024, https://doi.org/10.51387/23-NEJSDS51 (changes; mixed over their start)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray
from labelops.measure.given import check_share

__all__ = ["change_evidence", "earliest_start", "error_ratios", "rise_evidence", "rise_start"]

_ODDS = np.array([1.5, 2.0, 3.0, 5.0, 9.0, 30.0])
"""Alternatives: by how much the odds of an error exceed those of the bound."""

_SOON = 365
"""Batches that share 30 % of the money alike: a year of daily runs, seven of weekly ones."""

_RISK_OF_START = 0.02


def error_ratios(wrong: ArrayLike, bound: float, worse: ArrayLike) -> FloatArray:
    """Give each look's log likelihood ratio of some larger shares of errors to the bound.

    Parameters
    ----------
    wrong : (n,) array-like of bool
        Looks in their order.
    bound : float in (0, 1)
    worse : (m,) array-like of float
        Alternatives, each from the bound up, below 1: at 1 a clean look would end all of it.

    Returns
    -------
    (m, n) float array

    Raises
    ------
    UsageError
        A share is out of range, or `wrong` holds anything but true and false.

    Examples
    --------
    >>> np.exp(error_ratios([True, False], 0.1, [0.2])).round(3).tolist()
    [[2.0, 0.889]]
    """
    check_share("bound", bound, inside=True)
    shares = np.asarray(worse, dtype=np.float64)[:, None]
    if not ((shares >= bound) & (shares < 1)).all():
        raise UsageError(f"worse: expected shares from the bound, {bound}, up, below 1")
    hit, miss = np.log(shares / bound), np.log((1 - shares) / (1 - bound))
    return np.asarray(np.where(_outcomes(wrong), hit, miss), dtype=np.float64)


def change_evidence(ratios: FloatArray, entering: ArrayLike) -> FloatArray:
    """Mix likelihood ratios over the look from which on they hold.

    Parameters
    ----------
    ratios : (m, n) float array
        Log likelihood ratios of each look under m alternatives, weighed alike.
    entering : (n,) array-like of float
        Prior weight of a change just before each look; together at most 1. What is left bets
        on no change.

    Returns
    -------
    (n,) float array
        Log evidence after each look.

    Raises
    ------
    UsageError
        Weights are negative, sum to more than 1, or are not one a look.

    Examples
    --------
    >>> ratios = error_ratios([False] * 90 + [True] * 4, 0.05, [0.5])
    >>> change_evidence(ratios, np.full(94, 1 / 100)).round(1)[[89, 91, 93]].tolist()
    [-2.2, 0.8, 5.4]
    """
    weights = np.asarray(entering, dtype=np.float64)
    fits = weights.shape == ratios.shape[1:] and (weights >= 0).all()
    if not fits or not weights.sum() <= 1 + 1e-9:
        raise UsageError("entering: expected a weight of 0 or more for each look, at most 1 in all")
    with np.errstate(divide="ignore", invalid="ignore"):
        log_weights, kept = np.log(weights), np.log(np.maximum(1 - weights.cumsum(), 0.0))
    grown = ratios.cumsum(axis=1)
    before = np.concatenate([np.zeros((len(ratios), 1)), grown[:, :-1]], axis=1)
    begun = np.logaddexp.accumulate(log_weights - before, axis=1) + grown
    mixed = np.logaddexp(np.logaddexp.reduce(begun, axis=0) - math.log(len(ratios)), kept)
    return np.asarray(mixed, dtype=np.float64)


def rise_evidence(wrong: ArrayLike, batches: ArrayLike, bound: float) -> FloatArray:
    """Give the log evidence that errors are, or have become, more than `bound`.

    Parameters
    ----------
    wrong : (n,) array-like of bool
        Looks in their order.
    batches : (n,) array-like
        What came together, such as times of arrival, never out of order: a rise begins with a
        batch. Numbers, times or anything else that compares.
    bound : float
        In (0, 1). The hypothesis is that each look is wrong with at most this probability.

    Returns
    -------
    (n,) float array
        Log evidence after each look. Under the hypothesis it ever exceeds log(1/δ) with
        probability δ at most.

    Notes
    -----
    Half of the money bets on errors from the first look on, 30 % is for the first 365 batches
    alike, 20 % for all batches, falling so slowly that a rise after years is found as well.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> wrong = rng.random(3000) < np.where(np.arange(3000) < 2000, 0.01, 0.1)
    >>> found = rise_evidence(wrong, np.arange(3000) // 10, 0.05)
    >>> int(np.flatnonzero(found >= np.log(20))[0])
    2149
    """
    ratios = _rise_ratios(wrong, bound)
    first = _first_of_batch(batches, ratios.shape[1])
    number = first.cumsum() - 1
    soon = np.where(number < _SOON, 0.3 / _SOON, 0.0)
    # 1 / ((b + 2) log²(b + 2)) sums to 2.11 over b = 0, 1, …
    late = 0.2 / 2.12 / ((number + 2) * np.log(number + 2) ** 2)
    return change_evidence(ratios, np.where(first, soon + late + 0.5 * (number == 0), 0.0))


def rise_start(wrong: ArrayLike, batches: ArrayLike, bound: float) -> int:
    """Find the first look of the earliest batch that may belong to a rise, if there was one.

    Parameters are those of `rise_evidence`, with one look at least. Read at the alarm, it was too
    late in 0 to 2 of 100 simulated rises to twice the bound or more, and in 3 to 8 of 100 to one
    and a half times the bound.

    Examples
    --------
    >>> rise_start([False] * 90 + [True] * 10, np.arange(100) // 10, 0.05)
    90
    """
    ratios = _rise_ratios(wrong, bound)
    return earliest_start(ratios, _first_of_batch(batches, ratios.shape[1]))


def _rise_ratios(wrong: ArrayLike, bound: float) -> FloatArray:
    check_share("bound", bound, inside=True)
    odds = _ODDS * bound / (1 - bound)
    return error_ratios(wrong, bound, odds / (1 + odds))


def _first_of_batch(batches: ArrayLike, n: int) -> BoolArray:
    came = np.asarray(batches)
    if came.shape != (n,):
        raise UsageError(f"batches: expected one for each of the {n} looks")
    first = np.ones(came.size, dtype=np.bool_)
    first[1:] = came[1:] != came[:-1]
    return first


def earliest_start(ratios: FloatArray, starts: BoolArray | None = None) -> int:
    """Find the earliest look that may belong to a rise, given that there was one.

    All starts are kept whose likelihood, under some alternative, is not 50 m times smaller than
    the largest: by Ville's inequality, for the looks before a start and after it alike, the true
    one is left out with probability 1 / (50 m) for each of the m alternatives, 2 % in all. That
    is for a rise to one of the alternatives that is read whether there was an alarm or not: of
    alarms by luck more are too late (see `rise_start`).

    Parameters
    ----------
    ratios : (m, n) float array
        As for `change_evidence`; n at least 1.
    starts : (n,) bool array, optional
        The looks at which it may have begun; all when left out.

    Examples
    --------
    >>> earliest_start(error_ratios([False] * 90 + [True] * 8, 0.05, [0.5]))
    84
    """
    from_start = ratios[:, ::-1].cumsum(axis=1)[:, ::-1]
    if starts is not None:
        from_start = np.where(starts, from_start, -np.inf)
    kept = from_start >= from_start.max() - math.log(len(ratios) / _RISK_OF_START)
    return int(np.flatnonzero(kept.any(axis=0))[0])


def _outcomes(wrong: ArrayLike) -> BoolArray:
    seen = np.asarray(wrong)
    if seen.ndim != 1 or (seen.size and not np.isin(seen, (0, 1)).all()):
        raise UsageError("wrong: expected a flat array of true and false")
    return seen.astype(np.bool_)
