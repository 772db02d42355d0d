"""When a model's proposals may become labels: the loosest cut-off with a guarantee.

Two promises, each wrong with probability at most `risk`:

- `joint_threshold` (the default): of the *whole* set, people labeling what the model may not, at
  most a share `error` ends up wrong;
- `selective_threshold`: of the *accepted* items at most a share `error` is wrong.

Both need a calibration sample that was drawn uniformly at random from the same items and labeled by
people. A sample chosen by uncertainty, or one the model was trained on, voids the promise.

References
----------
Candès, Ilyas, Zrnic 2025, Probably approximately correct labels, https://arxiv.org/abs/2506.10908
Geifman, El-Yaniv 2017, https://arxiv.org/abs/1705.08500
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr

from labelops.errors import UsageError, counted
from labelops.measure.codes import FloatArray
from labelops.measure.finite import ROUNDING, false_pass
from labelops.measure.halving import first_count

from ._cutoffs import NONE_WRONG, Acceptance, accept, at_or_above, checked, nothing

__all__ = ["Acceptance", "joint_threshold", "selective_threshold"]

_STEPS = 25


def joint_threshold(
    scores_pool: ArrayLike,
    scores_calibration: ArrayLike,
    errors_calibration: ArrayLike,
    *,
    error: float,
    risk: float,
    pool_size: int | None,
) -> Acceptance:
    """Find the loosest cut-off under which at most a share `error` of the whole set is wrong.

    Wrong with probability at most `risk`, without any assumption on scores or model. Counted are
    wrong accepted labels per item of the whole set, people's labels taken as right.

    Parameters
    ----------
    scores_pool : (M,) array-like of float
        Scores of the items to decide, higher is surer; NaN is missing and never accepted.
    scores_calibration : (K,) array-like of float
        Scores of the calibration sample; NaN is missing: not accepted at any cut-off, and never
        read as 0.
    errors_calibration : (K,) array-like of bool
        Whether people found the proposal wrong.
    error, risk : float
        Tolerated share of wrong labels, in [0, 1]; tolerated risk of exceeding it, in (0, 1).
    pool_size : int or None
        Items in the set the sample was drawn from without replacement, the sample included; None
        when items keep coming (the sample is then of the stream).

    Returns
    -------
    Acceptance
        Equal scores are accepted whole or not at all.

    Raises
    ------
    UsageError
        Arrays differ in length, a score is infinite, an outcome is missing, or the pool is smaller
        than the sample.

    Examples
    --------
    >>> sure, unsure = [0.9] * 80, [0.3] * 20
    >>> found = joint_threshold(
    ...     sure * 10 + unsure * 10, sure + unsure, [0] * 80 + [1] * 20,
    ...     error=0.05, risk=0.05, pool_size=1000,
    ... )
    >>> found.threshold, found.accepted, found.critical
    (0.9, 800, 1)
    """
    pool, sample, wrong = checked(scores_pool, scores_calibration, errors_calibration, error, risk)
    if pool_size is not None and pool_size < sample.size:
        raise UsageError(
            f"pool_size is {pool_size}, smaller than the calibration sample of {sample.size}"
        )
    critical = _critical_joint(sample.size, error, risk, pool_size)
    if critical < 0:
        reason = (
            f"{counted(sample.size, 'calibration item')} cannot show a share of errors "
            f"<= {error:g} at risk {risk:g}, even with none wrong"
        )
        return nothing("joint", sample.size, critical, error, risk, reason)
    # Errors only grow as the cut-off loosens: the first cut-off beyond the critical count ends it.
    failing = np.sort(sample[wrong & ~np.isnan(sample)])[::-1]
    beyond = failing[critical] if failing.size > critical else -np.inf
    candidates = np.concatenate([pool, sample])
    candidates = candidates[candidates > beyond]
    if not candidates.size:
        reason = f"more than {critical} of the surest calibration items are wrong"
        if not np.isfinite(np.concatenate([pool, sample])).any():
            reason = "no item has a score"
        return nothing("joint", sample.size, critical, error, risk, reason)
    reason = (
        "all scores are accepted"
        if np.isneginf(beyond)
        else f"any looser cut-off has more than {counted(critical, 'calibration error')}"
    )
    return accept(
        "joint", float(candidates.min()), pool, sample, wrong, critical, error, risk, reason
    )


def _critical_joint(n: int, error: float, risk: float, pool_size: int | None) -> int:
    """Find the most sampled errors that still rule out a worse share than `error`; -1 if none."""
    if error >= 1:
        return n

    def too_likely(errors: int) -> bool:
        return false_pass(errors, n, error, pool_size) > risk * (1 + ROUNDING)

    return first_count(too_likely, 0, n + 1) - 1


def selective_threshold(
    scores_pool: ArrayLike,
    scores_calibration: ArrayLike,
    errors_calibration: ArrayLike,
    *,
    error: float,
    risk: float,
) -> Acceptance:
    """Find a loose cut-off under which at most a share `error` of the *accepted* items is wrong.

    Cut-offs fixed by the scores alone are tested from strict to loose, each at the full risk, up to
    the first that fails: wrong with probability at most `risk`. The strictest holds about three
    times the items that a faultless sample needs, so that the walk can begin.

    Parameters, errors raised
        As for `joint_threshold`.

    Returns
    -------
    Acceptance
        `errors` and `critical` are those of the accepted cut-off (or of the failed first one).

    Examples
    --------
    >>> found = selective_threshold([0.9, 0.1], [0.9] * 59, [0] * 59, error=0.05, risk=0.05)
    >>> found.threshold, found.accepted
    (0.9, 1)
    """
    pool, sample, wrong = checked(scores_pool, scores_calibration, errors_calibration, error, risk)
    grid = _grid(sample, error, risk)
    if error <= 0:
        return nothing("selective", sample.size, -1, error, risk, NONE_WRONG)
    if not grid.size:
        reason = (
            f"{int((~np.isnan(sample)).sum())} scored calibration items are too few to show "
            f"a share of errors <= {error:g} at risk {risk:g}"
        )
        return nothing("selective", sample.size, -1, error, risk, reason)
    counts, failures = at_or_above(sample, grid), at_or_above(sample[wrong], grid)
    # A share of 1 is never exceeded, whatever the chance of what was seen.
    failed = (bdtr(failures, counts, error) > risk * (1 + ROUNDING)) & (error < 1)
    passed = int(np.argmax(failed)) if failed.any() else grid.size
    critical = _critical_joint(int(counts[max(passed - 1, 0)]), error, risk, None)
    if not passed:
        reason = f"{failures[0]} of the {counts[0]} surest calibration items are wrong"
        return nothing("selective", sample.size, critical, error, risk, reason)
    reason = (
        "every cut-off of the grid passed"
        if passed == grid.size
        else f"the next cut-off has {counted(failures[passed], 'error')} "
        f"in {counted(counts[passed], 'item')}"
    )
    threshold = float(grid[passed - 1])
    return accept("selective", threshold, pool, sample, wrong, critical, error, risk, reason)


def _grid(sample: FloatArray, error: float, risk: float) -> FloatArray:
    """Cut-offs from strict to loose, chosen from the scores without any look at the outcomes."""
    ranked = np.sort(sample[~np.isnan(sample)])[::-1]
    if error <= 0 or not ranked.size:
        return ranked[:0]
    fewest = 1 if error >= 1 else math.ceil(math.log(risk) / math.log1p(-error))
    if ranked.size < fewest:
        return ranked[:0]
    first = min(3 * fewest, ranked.size)
    ranks = np.unique(np.linspace(first, ranked.size, _STEPS).round().astype(np.int64))
    return np.asarray(np.unique(ranked[ranks - 1])[::-1], dtype=np.float64)
