"""When an audit of a set of known size certifies it: the exact steps, one for each count of errors.

An e-process may be read under any rule of stopping, whatever comes. That costs: Ville's inequality
counts an overshoot as if it were needed, and of a risk of 4 % some 2.5 % are used up. Where a set
has a known size and labels are drawn evenly, all there is to an audit is at which looks it found an
error, and every order of these is as likely. So the chance that it ever meets given steps can be
counted, and the steps drawn as low as the risk allows.

The steps are n(0) ≤ n(1) ≤ …: with k errors found and all corrected, n(k) looks certify that at
most t errors are left. Nobody can pass wrongly but on a step k with k ≤ m - t - 1, where m is how
many were wrong to begin with; for each m that chance is at most the risk. Which of the errors found
are corrected, and when, does not matter: with c corrected by now, "more than t are left" means
m > t + c, and steps up to k = c speak of m ≤ t + k ≤ t + c. Where errors are found that nobody has
corrected, k > c, there are steps of a smaller chance, half as large for each of them.
Where there may be more errors than steps, the e-process goes on, with a twentieth of the risk.

Looked at alone, a step has the more chance the fewer errors it bears, as the root of 1 + k: so
chosen, without any data, because it takes fewer looks than the e-process at every count of errors
that are corrected (in a set of 613 at 2 %, risk 4 %: 143, 211, 258, 294 for 153, 226, 274, 309).
From some 4,000 items up a clean audit takes a few more (10,000 at 2 %, risk 5 %: 183 for 175), and
one with errors fewer (294, 387 for 315, 422). In sets above 20,000 the e-process alone certifies.
Errors that stay in the set take more looks than they would by the e-process (10,000, one and two:
445, 589 for 319, 429): labels that are released with known errors are no case to be good at.

Where looks miss some of the wrong items, each with the same chance, they draw from those they would
find. How many these are is binomial, so the chance to pass wrongly can be counted as before, and
the steps are those that keep the risk for what is wrong, found or not. They are cheaper than steps
for the bound less the share that is missed, which must be rounded down to whole items (300 items
at 2 %, a chance of .05, risk 4 %: 121, 166, 192 for 128, 174, 199; 115, 158, 184 with none missed).
A look at all items, or nearly all, shows that few enough are wrong where it would have found so few
with no larger chance than the steps have left of the risk, were one more wrong (`most_found`). So
of a set of which none may be wrong a look that misses one in twenty shows nothing, and no step
comes before. The e-process is held against the most that looks would find with a part of its risk.

References
----------
Pocock 1977, https://doi.org/10.1093/biomet/64.2.191 (steps drawn by what each would risk alone)
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr

from .codes import BoolArray, FloatArray, IntArray
from .eprocess import check_outcomes, clean_looks_needed, log_wanted, running_maximum
from .finite import ROUNDING, tolerated_errors
from .given import check_share
from .missed import most_found, seen_bound
from .step_chances import least_looks, log_at_most, passing_wrongly

__all__ = [
    "certified_by_then",
    "clean_looks_to_certify",
    "is_certified",
    "most_found_evenly",
    "step_looks",
]

_MOST = 100
"""Steps at most; a set that tolerates few errors has fewer."""

_LARGEST = 20_000

_OPEN = 3
"""Halvings of a step's chance before the first error that nobody has corrected."""

_BEYOND = 0.05
"""Share of the risk that is the e-process', where the errors that are found may be more than all
steps; else only certainty goes beyond the last one."""

_TRIES = 8
_LOWER = 3
"""How much lower the search for a step's chance begins, for each part that is missed."""
_LATE = 0.9
"""Part of a set after which there are no steps where some of the wrong items are missed."""


def is_certified(
    outcomes: ArrayLike,
    bound: float,
    risk: float,
    size: int,
    corrected: int = 0,
    missed: float = 0.0,
) -> bool:
    """Say whether an audit has certified, at any look so far, that at most `bound` are wrong.

    Parameters
    ----------
    outcomes : (n,) bool
        True where the audited item was wrong, in random order without replacement.
    bound, risk : float
    size : int
        Items in the set.
    corrected : int
        Errors found that are corrected by now.
    missed : float
        Chance that a look does not find a wrong item wrong.

    Examples
    --------
    >>> is_certified([False] * 143, 0.02, 0.04, 613), is_certified([False] * 142, 0.02, 0.04, 613)
    (True, False)
    """
    by_then = certified_by_then(outcomes, bound, risk, size, corrected, missed)
    return bool(by_then.size and by_then[-1])


def certified_by_then(
    outcomes: ArrayLike,
    bound: float,
    risk: float,
    size: int,
    corrected: int = 0,
    missed: float = 0.0,
) -> BoolArray:
    """Say of each look whether it, or an earlier one, certified; see `is_certified`, (n,).

    Examples
    --------
    >>> int(certified_by_then([False] * 200, 0.02, 0.04, 613).argmax()) + 1
    143
    """
    wrong = check_outcomes(outcomes)
    steps = step_looks(bound, risk, size, corrected, missed)
    errors, looks = np.cumsum(wrong), np.arange(1, wrong.size + 1)
    inside = errors < steps.size
    there: BoolArray = np.zeros(wrong.size, dtype=np.bool_)
    there[inside] = looks[inside] >= steps[errors[inside]]
    seen, left = _left(bound, risk, size, corrected, missed)
    if left and seen >= 0:
        there |= running_maximum(wrong, seen, size, corrected) >= log_wanted(left)
    return np.asarray(np.logical_or.accumulate(there))


def clean_looks_to_certify(
    errors: int,
    n: int,
    bound: float,
    risk: float,
    size: int | None = None,
    corrected: int = 0,
    missed: float = 0.0,
) -> int | None:
    """Give how many more looks certify the bound if all of them are clean.

    In an endless set the e-process alone certifies (`clean_looks_needed`). What earlier looks have
    certified is not asked here.

    Parameters
    ----------
    errors, n : int
        Errors found so far, in how many looks.
    bound, risk, size, corrected, missed
        As for `is_certified`; None without a known size.

    Returns
    -------
    int or None
        None where no number of clean looks can.

    Examples
    --------
    >>> [clean_looks_to_certify(k, 0, 0.02, 0.04, 613, k) for k in (0, 1, 2)]
    [143, 211, 258]
    """
    if size is None:
        return clean_looks_needed(errors, n, seen_bound(bound, missed), risk)
    steps = step_looks(bound, risk, size, corrected, missed)
    tolerated = tolerated_errors(bound, size)
    if errors - corrected > tolerated:
        return None
    # So many that all which nobody has looked at may be wrong.
    open_ = most_found_evenly(bound, risk, size, corrected, missed) - errors
    found = [size - open_ - n] if open_ >= 0 else []
    if errors < steps.size:
        found.append(int(steps[errors]) - n)
    seen, left = _left(bound, risk, size, corrected, missed)
    if left and seen >= 0:
        beyond = clean_looks_needed(errors, n, seen, left, size, corrected)
        found += [] if beyond is None else [beyond]
    possible = [more for more in found if n + more <= size]
    return max(min(possible), 0) if possible else None


def most_found_evenly(
    bound: float, risk: float, size: int, corrected: int = 0, missed: float = 0.0
) -> int:
    """Give how many errors looks at a whole set may find for at most `bound` to be left.

    Corrected ones included, and looks to come as if each found one. What the steps leave of the
    risk, were one error too many left, is the chance to find so few; in sets above 20,000 items a
    twentieth.

    Parameters
    ----------
    bound, risk, size, corrected, missed
        As for `is_certified`.

    Returns
    -------
    int
        -1 where no looks show it.

    Examples
    --------
    >>> [most_found_evenly(0.02, 0.04, 40, missed=m) for m in (0.0, 0.02, 0.05)]
    [0, 0, -1]
    """
    tolerated = tolerated_errors(bound, size)
    _, steps, left = _steps(size, tolerated, risk, missed)
    spare = risk if size <= _LARGEST else _BEYOND * risk  # as the e-process has it
    if steps.size:
        # With more errors than steps an audit meets them no more often. Whatever is corrected
        # later, what is left then must do as well.
        spare = max(float(left[min(corrected, left.size - 1) :].min()), 0.0)
    return most_found(tolerated, corrected, missed, spare)


def step_looks(
    bound: float, risk: float, size: int, corrected: int = 0, missed: float = 0.0
) -> IntArray:
    """Give n(k): after how many looks, k errors among them, the bound is certified.

    Parameters
    ----------
    bound, risk, size, corrected, missed
        As for `is_certified`.

    Returns
    -------
    (K,) int, growing; more than `size` where no look certifies

    Examples
    --------
    >>> step_looks(0.02, 0.04, 613, corrected=2)[:4].tolist()
    [143, 211, 258, 381]
    """
    check_share("bound", bound)
    check_share("risk", risk, inside=True)
    tolerated = tolerated_errors(bound, size)
    chance, steps, _ = _steps(size, tolerated, risk, missed)
    if corrected < steps.size:
        more = np.arange(1, steps.size - corrected)
        small = chance + _log_share(corrected + more) - (more + _OPEN) * math.log(2)
        wrong, errors = np.full(more.shape, tolerated + corrected + 1), corrected + more
        open_ = least_looks(
            size, errors, small, lambda n: log_at_most(errors, size, wrong, n, missed)
        )
        if missed:
            open_ = np.where(open_ <= _LATE * size, open_, size + 1)
        steps = np.maximum.accumulate(np.concatenate([steps[: corrected + 1], open_]))
    return steps


def _left(
    bound: float, risk: float, size: int, corrected: int, missed: float
) -> tuple[float, float]:
    """Give the share of errors that the e-process is held against, and its risk.

    Of the risk it has all where there are no steps. Where looks miss some, a twentieth of its own
    is the chance that of one error too many they would find no more than that; it is below 0 where
    they may find none.
    """
    tolerated = tolerated_errors(bound, size)
    part = 1.0 if size > _LARGEST else _BEYOND * (_count(size, tolerated) == _MOST)
    if not missed or not part:
        return bound, part * risk
    most = most_found(tolerated, corrected, missed, _BEYOND * part * risk)
    return (most - corrected) / size, (1 - _BEYOND) * part * risk


def _count(size: int, tolerated: int) -> int:
    """Give how many steps there are: an audit that found more errors has little left to see."""
    return max(min(_MOST, 2 * tolerated + 10, size - tolerated), 0) if size <= _LARGEST else 0


def _log_share(errors: IntArray) -> FloatArray:
    """Give the log of each step's chance by itself, as a share of the first one's."""
    share: FloatArray = -0.5 * np.log1p(errors)
    return share


@lru_cache(maxsize=512)
def _steps(
    size: int, tolerated: int, risk: float, missed: float
) -> tuple[float, IntArray, FloatArray]:
    """Find the largest log chance of step 0 that keeps the risk, all steps, and what they leave."""
    k = np.arange(_count(size, tolerated))
    if not k.size:
        return -math.inf, k, np.zeros(0)
    part = 1 - _BEYOND if k.size == _MOST else 1.0
    allowed = part * risk * (1 + ROUNDING)

    wrong = tolerated + 1 + k

    def few(n: IntArray) -> FloatArray:
        if not missed:
            return log_at_most(k, size, wrong, n, 0.0)
        # Near enough, and quick: whatever the steps, what they risk is counted.
        with np.errstate(divide="ignore"):
            chance: FloatArray = np.log(bdtr(k.astype(np.float64), wrong, n / size * (1 - missed)))
        return chance

    def tried(level: float, last: int) -> tuple[IntArray, FloatArray]:
        steps = np.maximum.accumulate(least_looks(size, k, level + _log_share(k), few))
        steps[last:] = size + 1
        open_ = math.exp(level) * 0.5**_OPEN if tolerated else 0.0
        return steps, allowed - passing_wrongly(steps, size, tolerated, missed) - open_

    # By Boole's inequality the least is allowed whatever the steps are, where nothing is missed.
    high = math.log(allowed)
    low = (high - math.log(k.size + 1)) * (1 + _LOWER * missed)
    last = k.size
    if missed:
        # Late steps save few looks, and with the many that are missed by then cost the early ones.
        last = int((tried(high, last)[0] <= _LATE * size).sum())
    found, spare = tried(low, last)
    if (spare < 0).any():
        last = int((spare < 0).argmax())
        found, spare = tried(low, last)
    for middle in [high, *([0.0] * _TRIES)]:
        level = middle or (low + high) / 2
        steps, left = tried(level, last)
        if (left >= 0).all():
            low, found, spare = level, steps, left
        else:
            high = level
    for array in (found, spare):
        array.setflags(write=False)
    return low, found, spare
