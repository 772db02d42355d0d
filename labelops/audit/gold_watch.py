"""Watch an annotator by gold answers, silently: whether they went bad, and since when.

People are right for months and then lose interest, or hand their account on. So the evidence is
mixed over when that may have begun: from the s-th gold answer on, with the weight 6/(π²s²), as well
as over how bad it got. Each part is a likelihood ratio of a worse accuracy to the floor, whose
expectation never grows while the annotator is right at least that often, so the mixture is an
e-process: it may be read after every answer for ever.

References
----------
Ville 1939; Ramdas, Grünwald, Vovk, Shafer 2023, https://doi.org/10.1214/23-STS894
Shin, Ramdas, Rinaldo 2024, https://doi.org/10.51387/23-NEJSDS51 (changes; mixed over their start)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr

from ..errors import UsageError
from ..measure.codes import BoolArray, FloatArray
from ..measure.eprocess import log_wanted
from ..measure.intervals import check_share

__all__ = ["GoldWatch", "gold_evidence", "golds_needed", "watch_gold"]

_WORSE = (0.0, 1 / 3, 2 / 3)
_RISK_OF_SINCE = 0.02
_MOST_GOLDS = 10_000


@dataclass(frozen=True, slots=True)
class GoldWatch:
    """What an annotator's gold answers say.

    Attributes
    ----------
    answers, right : int
        Gold answers, and right ones among them.
    log_evidence : float
        The largest so far that they are right less often than the floor; 0 is none.
    alarm : int or None
        The answer (from 0) at which it sufficed.
    since : int or None
        The first answer (from 0) that may belong to the bad stretch; None without an alarm.
        A stretch that began earlier is missed with probability about 2 %.
    """

    answers: int
    right: int
    log_evidence: float
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
    steps = _steps(right, floor, chance)
    begun = np.full(len(steps), -np.inf)
    values = np.zeros(steps.shape[1])
    rest = 1.0
    for look in range(steps.shape[1]):
        weight = _weight(look)
        rest -= weight
        begun = np.logaddexp(begun, math.log(weight)) + steps[:, look]
        parts = np.append(begun - math.log(len(steps)), math.log(max(rest, 1e-300)))
        values[look] = np.logaddexp.reduce(parts)
    return values if floor > chance else 0.0 * values


def _weight(start: int) -> float:
    """Give the prior weight of a change before the answer `start`, from 0; all sum to 1."""
    return 6 / (math.pi * (start + 1)) ** 2


def _steps(right: ArrayLike, floor: float, chance: float) -> FloatArray:
    """Give each answer's log likelihood ratio, one row a worse accuracy."""
    check_share("floor", floor, inside=True)
    check_share("chance", chance, inside=True)
    hit = _hits(right)
    # Where the floor is no better than chance nobody is worse; any number will do.
    low = min(chance, floor)
    worse = np.array([low + share * (floor - low) for share in _WORSE])[:, None]
    return np.asarray(
        np.where(hit, np.log(worse / floor), np.log((1 - worse) / (1 - floor))), dtype=np.float64
    )


def _hits(right: ArrayLike) -> BoolArray:
    hit = np.asarray(right)
    if hit.ndim != 1 or not np.isin(hit, (0, 1)).all():
        raise UsageError("right: expected a flat array of true (right) and false (wrong)")
    return hit.astype(np.bool_)


def watch_gold(right: ArrayLike, *, floor: float, chance: float, risk: float) -> GoldWatch:
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
    top = float(evidence.max(initial=0.0))
    reached = np.flatnonzero(evidence >= log_wanted(risk))
    if not reached.size:
        return GoldWatch(len(hit), int(hit.sum()), top, None, None)
    alarm = int(reached[0])
    # Later answers, if any, tell of the stretch as well.
    since = _first_bad(_steps(hit, floor, chance))
    return GoldWatch(len(hit), int(hit.sum()), top, alarm, since)


def _first_bad(steps: FloatArray) -> int:
    """Find the earliest start of the bad stretch that the answers do not rule out.

    All starts are kept whose likelihood, under some worse accuracy, is not 150 times smaller than
    the largest: by Ville's inequality, for the answers before a start and after it alike, the
    true one is left out with probability 1/150 for each of three accuracies.
    """
    from_start = steps[:, ::-1].cumsum(axis=1)[:, ::-1]
    kept = from_start >= from_start.max() - math.log(len(_WORSE) / _RISK_OF_SINCE)
    return int(np.flatnonzero(kept.any(axis=0))[0])


def golds_needed(accuracy: float, chance: float, risk: float = 0.05) -> int:
    """Give how many gold answers tell a good annotator from a random click, both errors ≤ risk.

    For a test that is read once. Who is watched all along is found about as soon.

    Examples
    --------
    >>> [golds_needed(0.9, 1 / K) for K in (2, 4, 10)]
    [13, 6, 3]
    """
    for n in range(1, _MOST_GOLDS):
        most = np.arange(n)
        good_fails, click_passes = bdtr(most, n, accuracy), 1 - bdtr(most, n, chance)
        if ((good_fails <= risk) & (click_passes <= risk)).any():
            return n
    raise UsageError(
        f"accuracy {accuracy} and chance {chance} are not told apart by {_MOST_GOLDS} answers"
    )
