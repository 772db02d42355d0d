"""Does an annotator go on as they began? Accuracy over time, one alarm for all looks.

Somebody who tires, or who understood a new guideline otherwise, was good and is not, and an
accuracy over all their votes hides it for long. Each annotator's judged votes, in the order
given, are a stream of their own, watched as `find_drift` watches a stream of items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.audit.drift import find_drift
from labelops.audit.inputs import check_verdicts
from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, code_count
from labelops.measure.draws import check_rng
from labelops.measure.evalues import e_benjamini_hochberg
from labelops.measure.intervals import check_share

__all__ = ["Steadiness", "judge_steadiness"]

_RUN = 20


@dataclass(frozen=True, slots=True)
class Steadiness:
    """How every annotator's accuracy went on.

    Attributes
    ----------
    judged : (A,) int
        Votes that something judges.
    before, latest : (A,) float
        Share of right answers before the latest `window` judged votes and among them; NaN where
        there are none.
    window : (A,) int
        How many the latest are: a third of all, but 20 at least.
    log_e : (A,) float
        Evidence of a change.
    changed : (A,) bool
        Who changed, over all annotators and looks.
    """

    judged: IntArray
    before: FloatArray
    latest: FloatArray
    window: IntArray
    log_e: FloatArray
    changed: BoolArray


def judge_steadiness(
    annotators: ArrayLike,
    right: ArrayLike,
    *,
    n_annotators: int | None = None,
    risk: float = 0.05,
    rng: np.random.Generator,
) -> Steadiness:
    """Watch everybody's accuracy over time.

    Parameters
    ----------
    annotators : (V,) array-like of int
        Who voted, from 0; rows in the order in which votes were given.
    right : (V,) array-like of float
        1 where the vote is right, 0 where it is wrong, NaN where nothing judges it.
    n_annotators : int, optional
        A; the largest plus one when left out.
    risk : float
        Tolerated share of false alarms (e-BH over annotators), at all looks together, in (0, 1).
    rng : numpy.random.Generator
        Breaks ties; seed it alike at each look.

    Raises
    ------
    UsageError
        Lengths differ or a number is out of range.

    Examples
    --------
    >>> who, rng = np.tile([0, 1], 300), np.random.default_rng(0)
    >>> good = np.where((who == 1) & (np.arange(600) > 300), 0.6, 0.95)
    >>> judge_steadiness(who, rng.random(600) < good, rng=rng).changed.tolist()
    [False, True]
    """
    check_rng(rng)
    check_share("risk", risk, inside=True)
    A = code_count(annotators, n_annotators)
    who = check_codes(annotators, A, missing=False)
    truth = check_verdicts("right", right)
    if who.shape != truth.shape:
        raise UsageError(f"votes: {who.size} annotators, {truth.size} right")
    own = [truth[(who == a) & ~np.isnan(truth)] for a in range(A)]
    # One seed for each, so that a vote more of one moves nobody else's evidence.
    log_e = np.array([_evidence(row, draw) for row, draw in zip(own, rng.spawn(A), strict=True)])
    judged = np.array([row.size for row in own], dtype=np.int64)
    window = np.minimum(np.maximum(judged // 3, _RUN), judged)
    return Steadiness(
        judged,
        np.array([_share(row[: row.size - n]) for row, n in zip(own, window, strict=True)]),
        np.array([_share(row[row.size - n :]) for row, n in zip(own, window, strict=True)]),
        window,
        log_e,
        e_benjamini_hochberg(log_e, risk),
    )


def _evidence(right: FloatArray, rng: np.random.Generator) -> float:
    """Log evidence of a change up to the last full run; 0 before there are two."""
    ends = [_RUN]
    while ends[-1] + max(_RUN, ends[-1] // _RUN) <= right.size:
        # Longer runs later on: where they end depends on nothing but how many there were.
        ends.append(ends[-1] + max(_RUN, ends[-1] // _RUN))
    if len(ends) < 2:
        return 0.0
    runs = np.searchsorted(ends, np.arange(ends[-1]), side="right")
    found = find_drift({"right": right[: ends[-1]]}, runs, rng=rng)
    return float(np.log(found.e_values[-1]))


def _share(right: FloatArray) -> float:
    return float(right.mean()) if right.size else float("nan")
