"""Watch an annotator by gold answers, silently: whether they went bad, and since when.

People are right for months and then lose interest, or hand their account on. So the evidence is
mixed over when that may have begun: from the s-th gold answer on, with the weight 6/(π²s²), as well
as over how bad it got: an e-process (`measure.changes`), so it may be read after every answer for
ever. Gold items may differ in difficulty if they come in a random order; with the hard ones first,
everybody seems to begin badly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr

from ..errors import UsageError
from ..measure.changes import change_evidence, earliest_start, error_ratios
from ..measure.codes import BoolArray, FloatArray
from ..measure.eprocess import log_wanted
from ..measure.given import check_share

__all__ = ["GoldWatch", "gold_evidence", "golds_needed", "watch_gold"]

_WORSE = (0.0, 1 / 3, 2 / 3)
_MOST_GOLDS = 10_000


@dataclass(frozen=True, slots=True)
class GoldWatch:
    """What an annotator's gold answers say.

    Attributes
    ----------
    answers, right : int
        Gold answers, and right ones among them.
    alarm : int or None
        The answer (from 0) at which it sufficed.
    since : int or None
        The first answer (from 0) that may belong to the bad stretch; None without an alarm.
        A stretch that began earlier is missed with probability about 2 %.
    """

    answers: int
    right: int
    alarm: int | None
    since: int | None


def gold_evidence(right: ArrayLike, floor: float, chance: float) -> FloatArray:
    """Give the log evidence, after each answer, that accuracy is or has become less than `floor`.

    Parameters
    ----------
    right : (n,) array-like of bool
        Gold answers in the order they were given; each gold item once.
    floor : float in (0, 1)
        The hypothesis is that every answer is right with at least this probability.
    chance : float
        The accuracy of a random click. At a floor that is no higher nothing can be shown.

    Returns
    -------
    (n,) float array
        Under the hypothesis it ever exceeds log(1/δ) with probability δ at most.

    Examples
    --------
    >>> gold_evidence([False] * 3, 0.9, 0.1).round(2).tolist()
    [1.45, 3.35, 5.38]
    """
    ratios = _ratios(right, floor, chance)
    weights = 6 / (math.pi * np.arange(1, ratios.shape[1] + 1)) ** 2
    values = change_evidence(ratios, weights)
    return values if floor > chance else 0.0 * values


def _ratios(right: ArrayLike, floor: float, chance: float) -> FloatArray:
    """Give each answer's log likelihood ratio, one row a worse accuracy."""
    check_share("floor", floor, inside=True)
    check_share("chance", chance, inside=True)
    # Where the floor is no better than chance nobody is worse; any number will do.
    low = min(chance, floor)
    worse = np.array([low + share * (floor - low) for share in _WORSE])
    return error_ratios(~_hits(right), 1 - floor, 1 - worse)


def _hits(right: ArrayLike) -> BoolArray:
    hit = np.asarray(right)
    if hit.ndim != 1 or not np.isin(hit, (0, 1)).all():
        raise UsageError("right: expected a flat array of true (right) and false (wrong)")
    return hit.astype(np.bool_)


def watch_gold(right: ArrayLike, floor: float, chance: float, risk: float) -> GoldWatch:
    """Judge an annotator by their gold answers so far; may be asked after every one.

    Parameters
    ----------
    right, floor, chance
        As for `gold_evidence`.
    risk : float
        Probability that somebody who always keeps to the floor ever gives an alarm.

    Examples
    --------
    >>> good, bad = [True] * 40, [False] * 8
    >>> found = watch_gold(good + bad, floor=0.8, chance=0.1, risk=0.05)
    >>> found.alarm, found.since
    (47, 38)
    """
    hit = _hits(right)
    evidence = gold_evidence(hit, floor, chance)
    reached = np.flatnonzero(evidence >= log_wanted(risk))
    if not reached.size:
        return GoldWatch(len(hit), int(hit.sum()), None, None)
    alarm = int(reached[0])
    # Later answers, if any, tell of the stretch as well.
    since = earliest_start(_ratios(hit, floor, chance))
    return GoldWatch(len(hit), int(hit.sum()), alarm, since)


def golds_needed(accuracy: float, chance: float, risk: float = 0.05) -> int:
    """Give how many gold answers tell a good annotator from a random click, both errors ≤ risk.

    For a test that is read once. Who is watched all along is found about as soon.

    Parameters
    ----------
    accuracy : float in (0, 1)
        How often a good annotator is right.
    chance : float in (0, 1)
        How often a random click is.
    risk : float in (0, 1)
        Probability of either error, at most.

    Raises
    ------
    UsageError
        A share is out of range, or ten thousand answers do not tell the two apart.

    Examples
    --------
    >>> [golds_needed(0.9, 1 / K) for K in (2, 4, 10)]
    [13, 6, 3]
    """
    for name, share in (("accuracy", accuracy), ("chance", chance), ("risk", risk)):
        check_share(name, share, inside=True)
    # With risks below a half no number of answers tells those apart who are right no more often.
    most_golds = 1 if accuracy <= chance and risk < 0.5 else _MOST_GOLDS
    for n in range(1, most_golds):
        most = np.arange(n)
        good_fails, click_passes = bdtr(most, n, accuracy), 1 - bdtr(most, n, chance)
        if ((good_fails <= risk) & (click_passes <= risk)).any():
            return n
    raise UsageError(
        f"accuracy {accuracy} and chance {chance} are not told apart by {_MOST_GOLDS} answers"
    )
