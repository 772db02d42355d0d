"""Does an annotator go on as they began? Accuracy over time, one alarm for all looks.

Somebody who tires, or who understood a new guideline otherwise, was good and is not, and an
accuracy over all their votes hides it for long. Each annotator's judged votes, in the order
given, are a stream of their own, watched as `find_drift` watches a stream of items. Items get
harder and easier too: whose accuracy moved as everybody else's did at the time is left alone.
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
from labelops.measure.given import check_share

__all__ = ["Steadiness", "judge_steadiness"]

_RUN = 20
_BEYOND = 3.5  # Standard errors.


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
        Who changed, over all annotators and looks, and not as the others did.
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

    Notes
    -----
    Where somebody's own votes differ most from those before, all votes given before are compared
    with all since, theirs and everybody else's. Where their share of mistakes (as an angle) changed
    by no more than 3.5 standard errors beyond the others', nothing is said of them. That makes
    alarms rarer and never more frequent. With fewer than 20 judged votes of others before or
    since, nothing is known of the items, and the alarm stands.

    References
    ----------
    Anscombe 1948, https://doi.org/10.1093/biomet/35.3-4.246 (shares as angles)

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
    changed = e_benjamini_hochberg(log_e, risk)
    for a in np.flatnonzero(changed):
        rows = np.flatnonzero((who == a) & ~np.isnan(truth))
        changed[a] = not _as_the_others(who == a, truth, int(rows[_turn(truth[rows])]))
    return Steadiness(
        judged,
        np.array([_share(row[: row.size - n]) for row, n in zip(own, window, strict=True)]),
        np.array([_share(row[row.size - n :]) for row, n in zip(own, window, strict=True)]),
        window,
        log_e,
        changed,
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


def _as_the_others(own: BoolArray, right: FloatArray, since: int) -> bool:
    """Return whether a change from a row on is no more than that of the others at the time."""
    later = np.arange(own.size) >= since
    parts = (own & later, own & ~later, ~own & later, ~own & ~later)
    votes = np.array([(~np.isnan(right[part])).sum() for part in parts])
    if votes[2:].min() < _RUN:
        return False
    wrong = np.array([(right[part] == 0).sum() for part in parts])
    change = float(_angle(wrong, votes) @ [1, -1, -1, 1])
    return abs(change) <= _BEYOND * float(np.sqrt((1 / (4 * votes + 2)).sum()))


def _turn(right: FloatArray) -> int:
    """Return from which vote on the accuracy differs most from what it was before."""
    before = np.arange(_RUN, right.size - _RUN + 1)
    after, wrong = right.size - before, np.cumsum(right == 0)
    early = wrong[before - 1]
    moved = _angle(wrong[-1] - early, after) - _angle(early, before)
    return int(before[np.argmax(moved**2 / (1 / before + 1 / after))])


def _angle(wrong: IntArray, votes: IntArray) -> FloatArray:
    """Return shares on a scale where their error depends on the number of votes alone."""
    return np.asarray(np.arcsin(np.sqrt((wrong + 0.375) / (votes + 0.75))), dtype=np.float64)


def _share(right: FloatArray) -> float:
    return float(right.mean()) if right.size else float("nan")
