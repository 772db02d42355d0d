"""Speed against quality: who answers faster than one can look, and whose haste costs accuracy.

Two questions with two tests. Most answers of somebody who rushes come quicker than anybody needs
to look: an e-process, which may be read after every answer. Somebody whose haste costs accuracy
errs more often in the quicker half of their own answers: Fisher's exact test. Some items are
quick for anybody, and may be harder or easier than the rest. So a time is measured by what the
others took for the same item, where they did.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.audit.inputs import check_numbers, check_verdicts, group_codes
from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, code_count
from labelops.measure.eprocess import log_e_value_above
from labelops.measure.evalues import e_benjamini_hochberg
from labelops.measure.given import check_number, check_share

__all__ = ["Speed", "judge_speed"]

_QUICK = 1.0
_PART = 0.25
_TICK = 0.01  # No usual time is shorter, so that it can be divided by.
_FAR = 3.0  # Twenty times as long as usual, or as short: beyond that, it tells nothing of the item.
_DIFFER = 0.1  # Items differ where they add so much to the variance of one vote's log time.


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast every annotator answers, and what it costs.

    Attributes
    ----------
    timed, quick : (A,) int
        Answers whose time is known, and those no slower than `cut`.
    cut : (A,) float
        Seconds in which nobody looks at an ordinary item: a quarter of what the others take, at
        least `quick`.
    log_e : (A,) float
        Evidence that most of the answers are that quick.
    rushed : (A,) bool
        Who rushes, over all annotators and looks.
    fast_accuracy, slow_accuracy : (A,) float
        Share of right answers in the quicker and the slower half; NaN where nothing judges them.
    p_values : (A,) float
        Of "the quicker half is no worse".
    hasty : (A,) bool
        Whose quicker half is worse, over all annotators at this look.
    """

    timed: IntArray
    quick: IntArray
    cut: FloatArray
    log_e: FloatArray
    rushed: BoolArray
    fast_accuracy: FloatArray
    slow_accuracy: FloatArray
    p_values: FloatArray
    hasty: BoolArray


def judge_speed(
    annotators: ArrayLike,
    seconds: ArrayLike,
    right: ArrayLike,
    *,
    items: ArrayLike | None = None,
    n_annotators: int | None = None,
    quick: float = _QUICK,
    risk: float = 0.01,
    look_risk: float | None = None,
) -> Speed:
    """Judge annotators by the time they take.

    Parameters
    ----------
    annotators : (V,) array-like of int
        Who voted, from 0.
    seconds : (V,) array-like of float
        How long it took, 0 or more; NaN, or infinite, where nobody knows.
    right : (V,) array-like of float
        1 where the vote is right, 0 where it is wrong, NaN where nothing judges it.
    items : (V,) array-like, optional
        Which item each vote is on. An item on which the others took twice as long as they usually
        do allows twice the time, and votes that nobody else's time goes with tell nothing of haste.
        Without it items are taken to be alike: whoever got those that are quick for anybody is
        said to rush, and whoever errs where they are harder to be hasty.
    n_annotators : int, optional
        A; the largest plus one when left out.
    quick : float
        Seconds in which nobody looks at an item, whatever the others take; 0 or more. Where times
        are cut to whole seconds, a 1 may be nearly two: say 0.
    risk : float
        Tolerated share of false accusations of rushing (e-BH), at all looks together, in (0, 1).
    look_risk : float, optional
        Tolerated share of falsely hasty annotators at this look (Benjamini–Hochberg); `risk`
        when left out.

    Raises
    ------
    UsageError
        Lengths differ or a number is out of range.

    Examples
    --------
    >>> who = np.repeat([0, 1, 2], 30)
    >>> seconds = np.repeat([4.0, 5.0, 0.9], 30)
    >>> judge_speed(who, seconds, np.full(90, np.nan)).rushed.tolist()
    [False, False, True]
    """
    from scipy.stats import false_discovery_control  # lazy: .4 s

    check_share("risk", risk, inside=True)
    A = code_count(annotators, n_annotators)
    who = check_codes(annotators, A, missing=False)
    time, truth = _checked_times(seconds), check_verdicts("right", right)
    if not who.shape == time.shape == truth.shape:
        raise UsageError(f"votes: {who.size} annotators, {time.size} seconds, {truth.size} right")
    check_number("quick", quick)
    known = ~np.isnan(time)
    medians = _medians(who[known], time[known], A)
    cut, slowness = _cuts(medians, quick), np.full(time.size, np.nan)
    if items is not None:
        item = group_codes(items, time.size, "items")[known]
        slowness[known] = _slowness(item, time[known] / np.maximum(medians, _TICK)[who[known]])
    alike = np.where(np.isnan(slowness), 1.0, slowness)
    timed = np.bincount(who[known], minlength=A)
    early = known & (time <= np.maximum(quick, cut[who] * alike))
    fast = np.bincount(who[early], minlength=A)
    log_e = np.asarray(log_e_value_above(fast, timed, 0.5), dtype=np.float64)
    if items is not None:
        time = time / slowness
    halves = [_halves(time[who == a], truth[who == a]) for a in range(A)]
    fast_accuracy, slow_accuracy, p_values = np.array(halves, dtype=np.float64).reshape(A, 3).T
    at_look = check_share("look_risk", risk if look_risk is None else look_risk, inside=True)
    hasty = false_discovery_control(p_values) <= at_look if A else np.zeros(0, dtype=np.bool_)
    return Speed(
        timed,
        fast,
        cut,
        log_e,
        e_benjamini_hochberg(log_e, risk),
        fast_accuracy,
        slow_accuracy,
        p_values,
        np.asarray(hasty, dtype=np.bool_),
    )


def _checked_times(seconds: ArrayLike) -> FloatArray:
    """Return the seconds that are known, NaN for others."""
    time = check_numbers("seconds", seconds)
    if (time < 0).any():
        row = int(np.flatnonzero(time < 0)[0])
        raise UsageError(f"seconds: row {row} is {time[row]:g}, expected 0 or more, or NaN")
    return np.where(np.isinf(time), np.nan, time)


def _medians(who: IntArray, time: FloatArray, A: int) -> FloatArray:
    return np.array([np.median(time[who == a]) if (who == a).any() else np.nan for a in range(A)])


def _cuts(medians: FloatArray, quick: float) -> FloatArray:
    """Return a quarter of the median of the others' medians, `quick` at least."""
    cut = np.full(medians.size, quick)
    for a in range(medians.size):
        others = np.delete(medians, a)
        others = others[~np.isnan(others)]
        if others.size:
            cut[a] = max(quick, _PART * float(np.median(others)))
    return cut


def _slowness(item: IntArray, pace: FloatArray) -> FloatArray:
    """Return how many times as long as usual each vote's item takes, by the others' times.

    All 1 where items hardly differ: few others' times are noise then. NaN where nobody else's time
    is known.
    """
    logs = np.clip(np.log(np.maximum(pace, 1e-9)), -_FAR, _FAR)  # Somebody may have been at lunch.
    votes, total = np.bincount(item), np.bincount(item, weights=logs)
    others = votes[item] - 1
    usual: FloatArray = np.full(item.size, np.nan)
    np.divide(total[item] - logs, others, out=usual, where=others > 0)
    shared = others > 0
    if not shared.any():
        return usual
    spread = ((logs - total[item] / votes[item])[shared] ** 2).sum()
    inside = spread / (shared.sum() - np.unique(item[shared]).size)
    differ = logs[shared].var() - inside > _DIFFER * inside
    return np.asarray(np.exp(usual if differ else 0 * usual), dtype=np.float64)


def _halves(time: FloatArray, right: FloatArray) -> tuple[float, float, float]:
    """Return the accuracy of the quicker and the slower half, and Fisher's p-value."""
    from scipy.stats import hypergeom  # lazy: .4 s

    known = ~np.isnan(time) & ~np.isnan(right)
    time, right = time[known], right[known]
    if time.size < 2:
        return float("nan"), float("nan"), 1.0
    fast = time <= np.median(time)
    if fast.all():  # All alike: no half is the quicker one.
        return float(right.mean()), float(right.mean()), 1.0
    wrong = right == 0
    p_value = hypergeom.sf(
        int((wrong & fast).sum()) - 1, time.size, int(wrong.sum()), int(fast.sum())
    )
    return float(right[fast].mean()), float(right[~fast].mean()), min(float(p_value), 1.0)
