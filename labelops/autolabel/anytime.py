"""Acceptance that may be looked at again: the same two promises, at every look of a growing sample.

A fixed test spends its risk on one look. Here each cut-off has an e-process (`measure.eprocess`)
that reads the calibration looks in the order in which they were drawn. The promise fails with
probability at most `risk` over *all* looks together, so votes and items may keep coming and the
cut-off may move with them, at no further risk.

- `joint_anytime`: wrong accepted labels only grow as the cut-off loosens, at every look. So the
  loosest cut-off that passes is wrong only where the strictest bad one passes: one e-process at
  the full risk stands for all cut-offs, and no grid is needed.
- `selective_anytime`: a few cut-offs fixed beforehand, walked from strict to loose up to the first
  that has not passed. It is wrong only where the first bad one passes.

Where a look is `planned`, most of the risk goes on it: there it is nearly as sharp as a fixed test,
and may still be looked at before and after (`measure.planned`).

The looks are of a stream: each is wrong with the same probability whatever the earlier ones showed.
That is so for the random sample of a set whose items arrive in no particular order. Without
replacement from one set that does not grow, give `pool_size` to `joint_anytime`.

References
----------
Ramdas, Grünwald, Vovk, Shafer 2023, https://doi.org/10.1214/23-STS894
Candès, Ilyas, Zrnic 2025, https://arxiv.org/abs/2506.10908
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError, counted
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.eprocess import (
    clean_looks_needed,
    log_e_value,
    log_e_value_above,
    log_wanted,
)
from labelops.measure.given import check_whole
from labelops.measure.halving import first_count
from labelops.measure.planned import log_e_value_planned

from ._cutoffs import NONE_WRONG, Acceptance, accept, at_or_above, checked, nothing

__all__ = ["joint_anytime", "planned_among", "selective_anytime", "selective_cutoffs"]

_STEPS = 25


def joint_anytime(
    scores_pool: ArrayLike,
    scores_looks: ArrayLike,
    errors_looks: ArrayLike,
    *,
    error: float,
    risk: float,
    pool_size: int | None = None,
    planned: int | range = 0,
) -> Acceptance:
    """Find the loosest cut-off shown to leave at most a share `error` of the whole set wrong.

    Parameters
    ----------
    scores_pool : (M,) array-like of float
        Scores of the items to decide, higher is surer; NaN is missing and never accepted.
    scores_looks : (n,) array-like of float
        Scores of the calibration looks, in the order in which they were drawn.
    errors_looks : (n,) array-like of bool
        Whether people found the proposal wrong.
    error, risk : float
        Tolerated share of wrong labels, in [0, 1]; tolerated risk of ever exceeding it, in (0, 1).
    pool_size : int or None
        Items of one set that does not grow, sampled without replacement; None for a stream.
    planned : int or range
        Looks at a stream that are planned, fixed before any outcome was known; 0 for no plan. All
        numbers that they may come to, where that is not known yet (see `planned_among`).

    Returns
    -------
    Acceptance
        `critical` is the most errors that as many looks would bear if they were the first look.
        A cut-off that passed at an earlier look still passes, unless the looks since prove it bad.

    Raises
    ------
    UsageError
        As for `joint_threshold`.

    Examples
    --------
    >>> sure, wrong = [0.2] + [0.9] * 300, [1] + [0] * 300
    >>> joint_anytime([0.95, 0.5, 0.1], sure, wrong, error=0.02, risk=0.05).threshold
    0.5
    """
    pool, looks, wrong = checked(scores_pool, scores_looks, errors_looks, error, risk)
    if pool_size is not None and pool_size < looks.size:
        raise UsageError(f"pool_size is {pool_size}, smaller than the {looks.size} looks")
    asked = _Asked(error, risk, pool_size, planned)
    critical = _critical(looks.size, asked)
    if error >= 1:
        beyond = -np.inf
    elif not _passed(np.zeros_like(wrong), asked):
        return nothing("joint", looks.size, critical, error, risk, _too_few(looks.size, asked))
    else:
        beyond = _first_beyond(looks, wrong, asked)
    candidates = np.concatenate([pool, looks])
    candidates = candidates[candidates > beyond]
    if not candidates.size:
        reason = "too many of the surest calibration items are wrong"
        if not np.isfinite(np.concatenate([pool, looks])).any():
            reason = "no item has a score"
        return nothing("joint", looks.size, critical, error, risk, reason)
    reason = (
        "all scores are accepted"
        if np.isneginf(beyond)
        else "any looser cut-off has too many calibration errors for the looks so far"
    )
    return accept(
        "joint", float(candidates.min()), pool, looks, wrong, critical, error, risk, reason
    )


def _first_beyond(looks: FloatArray, wrong: BoolArray, asked: _Asked) -> float:
    """Find the highest error score that no cut-off may let in; -inf when all errors are borne."""
    scores = np.unique(looks[wrong & ~np.isnan(looks)])[::-1]

    def too_many(at: int) -> bool:
        # NaN >= t is False: a missing score is accepted at no cut-off.
        return not _passed(wrong & (looks >= scores[at]), asked)

    beyond = first_count(too_many, 0, scores.size)
    return float(scores[beyond]) if beyond < scores.size else -np.inf


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one e-process is to show: parameters as of `joint_anytime`."""

    error: float
    risk: float
    size: int | None = None
    planned: int | range = 0

    @property
    def plans(self) -> range:
        """All numbers of looks that may turn out to be planned."""
        if isinstance(self.planned, range):
            return self.planned
        one = check_whole("planned", self.planned, 0)
        return range(one, one + 1)

    def shown(self, errors: ArrayLike, n: ArrayLike, by_plan: ArrayLike) -> FloatArray:
        """Log evidence that the share of errors is within what is asked."""
        if self.size is not None or not self.plans[-1]:
            return log_e_value(errors, n, self.error, self.size)
        # Of the plans that there may be one is true, and says as much as the least at any rate.
        every = log_e_value_planned(
            errors,
            n,
            self.error,
            self.risk,
            planned=np.array(self.plans)[:, None],
            by_plan=by_plan,
        )
        least: FloatArray = every.min(axis=0)
        return least


def _passed(wrong: BoolArray, asked: _Asked) -> bool:
    """Say whether these looks ever showed a share within `error`, and never proved a worse one.

    Evidence for it only grows from one error to the next, so it is largest just before an error
    or now; evidence against it is largest at an error.
    """
    if asked.error >= 1:
        return True
    at, wanted = np.flatnonzero(wrong), log_wanted(asked.risk)
    before = np.append(at, wrong.size)
    by_plan = int((at < asked.plans[-1]).sum())
    if not (asked.shown(np.arange(before.size), before, by_plan) >= wanted).any():
        return False
    proven = log_e_value_above(np.arange(1, at.size + 1), at + 1, asked.error, asked.size)
    return not (proven >= wanted).any()


def _critical(n: int, asked: _Asked) -> int:
    """Find the most errors in n looks that pass if this look is the first; -1 if none."""
    if asked.error >= 1:
        return n
    errors = np.arange(n + 1)
    first = replace(asked, planned=n if asked.plans[-1] else 0)
    return int((first.shown(errors, n, errors) >= log_wanted(asked.risk)).sum()) - 1


def _too_few(n: int, asked: _Asked) -> str:
    more = clean_looks_needed(0, n, asked.error, asked.risk, asked.size)
    needed = "" if more is None else f"; {n + more} would be the least"
    return (
        f"{counted(n, 'calibration item')} cannot show a share of errors <= {asked.error:g} "
        f"at risk {asked.risk:g}, even with none wrong{needed}"
    )


def selective_cutoffs(
    scores: ArrayLike, *, looks: int, error: float, risk: float
) -> tuple[float, ...]:
    """Choose the cut-offs to be tested, strict to loose, before any calibration look is known.

    Parameters
    ----------
    scores : (M,) array-like of float
        Scores of the pool, or of a sample of it; NaN is missing.
    looks : int
        Calibration looks that are planned for all scores together.
    error, risk : float
        As for `selective_anytime`.

    Returns
    -------
    tuple of float
        The strictest lets in about three times the looks that a faultless sample needs, or
        everything if the plan has fewer. Empty without a score, or where no number suffices.

    Examples
    --------
    >>> found = selective_cutoffs(np.linspace(0, 1, 101), looks=1000, error=0.05, risk=0.05)
    >>> len(found), found[0], found[-1]
    (25, 0.79, 0.0)
    """
    ranked = np.sort(np.asarray(scores, dtype=np.float64))
    ranked = ranked[~np.isnan(ranked)][::-1]
    fewest = clean_looks_needed(0, 0, error, risk) if error < 1 else 1
    if fewest is None or not ranked.size:
        return ()
    first = min(1.0, 3 * fewest / max(looks, 1))
    ranks = np.ceil(np.linspace(first, 1.0, _STEPS) * ranked.size).astype(np.int64)
    return tuple(np.unique(ranked[np.maximum(ranks, 1) - 1])[::-1].tolist())


def selective_anytime(
    scores_pool: ArrayLike,
    scores_looks: ArrayLike,
    errors_looks: ArrayLike,
    *,
    cutoffs: ArrayLike,
    error: float,
    risk: float,
    planned: int | range = 0,
) -> Acceptance:
    """Find a loose cut-off shown to leave at most a share `error` of the *accepted* items wrong.

    Parameters
    ----------
    scores_pool, scores_looks, errors_looks, error, risk
        As for `joint_anytime`.
    cutoffs : (C,) array-like of float
        From strict to loose, the same at every look; from `selective_cutoffs`.
    planned : int or range
        As for `joint_anytime`: looks at all scores together.

    Raises
    ------
    UsageError
        As for `selective_threshold`; or the cut-offs do not fall.

    Examples
    --------
    >>> found = selective_anytime([0.9, 0.1], [0.9] * 80, [0] * 80, cutoffs=[0.5, 0.0],
    ...                           error=0.05, risk=0.05)
    >>> found.threshold, found.accepted
    (0.0, 2)
    """
    pool, looks, wrong = checked(scores_pool, scores_looks, errors_looks, error, risk)
    grid = np.asarray(cutoffs, dtype=np.float64)
    if grid.ndim != 1 or not np.isfinite(grid).all() or (np.diff(grid) >= 0).any():
        raise UsageError("cutoffs: expected finite numbers from strict to loose, each less")
    plan = [_Asked(error, risk, planned=planned_among(looks >= cut, planned)) for cut in grid]
    passed = 0
    while passed < grid.size and _passed(wrong[looks >= grid[passed]], plan[passed]):
        passed += 1
    counts, failures = at_or_above(looks, grid), at_or_above(looks[wrong], grid)
    shown = int(counts[max(passed - 1, 0)]) if grid.size else 0
    asked = _Asked(error, risk, planned=planned)
    critical = _critical(shown, asked)
    if not passed:
        reason = _why_none(grid, shown, failures, looks.size, asked)
        return nothing("selective", looks.size, critical, error, risk, reason)
    reason = (
        "every cut-off passed"
        if passed == grid.size
        else f"the next cut-off has {counted(failures[passed], 'error')} "
        f"in {counted(counts[passed], 'item')}"
    )
    threshold = float(grid[passed - 1])
    return accept("selective", threshold, pool, looks, wrong, critical, error, risk, reason)


def planned_among(inside: BoolArray, planned: int | range) -> range:
    """Give how many of the planned looks may come to be at a part of what there is.

    Once all of them are there that is known, from scores alone. Before, those so far are no plan:
    each look would be the one that was planned.

    Parameters
    ----------
    inside : (n,) bool
        Which of the looks so far are at that part.
    planned : int or range
        Looks that are planned in all.

    Examples
    --------
    >>> inside = np.array([True, False, True])
    >>> planned_among(inside, 2), planned_among(inside, 0), planned_among(inside, 5)
    (range(1, 2), range(0, 1), range(2, 5))
    """
    most = planned[-1] if isinstance(planned, range) else planned
    fewest = int(inside[:most].sum())
    return range(fewest, fewest + max(most - inside.size, 0) + 1)


def _why_none(grid: FloatArray, shown: int, failures: IntArray, n: int, asked: _Asked) -> str:
    """Say why not even the strictest cut-off passed, which lets in `shown` of n looks."""
    if asked.error <= 0:
        return NONE_WRONG
    if not grid.size:
        return "there is no cut-off to test: no item had a score when they were chosen"
    if failures[0]:
        return f"{failures[0]} of the {shown} surest calibration items are wrong"
    few = _too_few(shown, asked)
    if shown == n:
        return few
    return f"{shown} of the {n} calibration items are at the strictest cut-off or above; {few}"
