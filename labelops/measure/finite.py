"""Sets of a known size: tolerated counts, fixed audit plans, e-values without replacement."""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache

import numpy as np
from scipy.special import bdtr, betaln, gammaln

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray
from labelops.measure.intervals import Interval, check_share
from labelops.measure.logs import log_sum_exp

__all__ = [
    "check_missed",
    "count_alternatives",
    "drawn_interval",
    "fixed_audit_size",
    "hypergeometric_cdf",
    "log_count_ratio",
    "most_found",
    "most_wrong",
    "seen_bound",
    "tolerated_errors",
]

_SUPPORT_RATIO = 1.03
_ALL = 1 << 15
"""Of up to so many counts every one is added up; of more a bin is read at some points of it."""
_POINTS = 32
_CHUNK = 1 << 20

# A tail that equals the risk in exact arithmetic must not exceed it by floating-point rounding.
ROUNDING = 1e-10


def tolerated_errors(bound: float, size: int) -> int:
    """Give the largest number of errors that is no more than `bound` of `size` items.

    Examples
    --------
    >>> tolerated_errors(0.29, 100)  # 0.29 * 100 is 28.999… in floating point
    29
    """
    return math.floor(bound * size + 1e-9 * max(1.0, bound * size))


def check_missed(missed: float) -> None:
    """Refuse a chance to miss a wrong label that is none, or that leaves nothing to be found.

    Raises
    ------
    UsageError
        Naming the chance.

    Examples
    --------
    >>> check_missed(1.0)
    Traceback (most recent call last):
    labelops.errors.UsageError: missed is 1: looks that find no error certify nothing
    """
    check_share("missed", missed)
    if missed == 1:
        raise UsageError("missed is 1: looks that find no error certify nothing")


def seen_bound(bound: float, missed: float, size: int | None = None, corrected: int = 0) -> float:
    """Give the bound for the errors that looks find, for at most `bound` to be wrong in all.

    Of all that were wrong looks miss a share, of those that are corrected as well.

    Parameters
    ----------
    bound : float
        Tolerated share of wrong items.
    missed : float in [0, 1)
        Chance that a look does not find a wrong item wrong.
    size : int, optional
        Items in the set, of which so many were found wrong and `corrected`.

    Returns
    -------
    float
        0 at least: nothing else could be certified of a set that people looked at all over.

    Examples
    --------
    >>> seen_bound(0.02, 0.05), round(seen_bound(0.02, 0.05, 1000, corrected=20), 6)
    (0.019, 0.018)
    """
    mended = corrected / size if size else 0.0
    return max((1 - missed) * bound - missed * mended, 0.0)


def most_found(tolerated: int, corrected: int, missed: float, chance: float) -> int:
    """Give how many errors looks at a whole set may find at most, for few enough to be wrong.

    With one error more than is tolerated beside those that are corrected, looks at all items find
    so few with at most this chance: each of them they miss with the same.

    Parameters
    ----------
    tolerated : int
        Errors that may be left.
    corrected : int
        Errors that were found and are not left.
    missed : float in [0, 1)
        Chance that a look does not find a wrong item wrong.
    chance : float in [0, 1)

    Returns
    -------
    int
        Corrected ones included; -1 where no looks are enough.

    Examples
    --------
    Of 40 items none may be wrong. One that is would be missed in 5 of 100 cases; seven of which
    six may be, so that four at most are found, in 4 of 1,000.

    >>> most_found(0, 0, 0.0, 0.04), most_found(0, 0, 0.05, 0.04), most_found(0, 0, 0.02, 0.04)
    (0, -1, 0)
    >>> most_found(6, 0, 0.05, 0.04), most_found(6, 3, 0.05, 0.04)
    (4, 7)
    """
    wrong = tolerated + corrected + 1
    if not missed:
        return wrong - 1
    low, high = -1, wrong
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high) if bdtr(float(middle), wrong, 1 - missed) <= chance else (low, middle)
        )
    return low


def most_wrong(found: int, missed: float, chance: float, size: int) -> int:
    """Give how many of `size` items may be wrong, where looks at all would find so many at most.

    With each number that is larger, so few would be found with at most this chance.

    Examples
    --------
    >>> most_wrong(3, 0.0, 0.002, 613), most_wrong(3, 0.05, 0.002, 613)
    (3, 6)
    """
    if not missed:
        return found
    more = np.arange(found, size + 1)
    return found + int((bdtr(float(found), more, 1 - missed) > chance).sum()) - 1


def hypergeometric_cdf(k: int, size: int, errors: int, n: int) -> float:
    """Give P(at most k errors among n items drawn from `size` items of which `errors` are wrong).

    Examples
    --------
    >>> round(hypergeometric_cdf(0, 10, 1, 5), 6)
    0.5
    """
    lowest, highest = max(0, n - (size - errors)), min(n, errors)
    if k < lowest:
        return 0.0
    if k >= highest:
        return 1.0
    counts = np.arange(lowest, k + 1, dtype=np.float64)
    log_terms = (
        _log_choose(errors, counts)
        + _log_choose(size - errors, n - counts)
        - _log_choose(size, np.float64(n))
    )
    return min(1.0, float(np.exp(log_sum_exp(log_terms))))


def drawn_interval(errors: int, n: int, size: int, risk: float) -> Interval:
    """Give the shares of `size` items that `errors` among n drawn ones do not rule out, two-sided.

    What Clopper and Pearson do for an endless stream, by the chances of a draw without replacement:
    half of the risk at each end, and a point where all are drawn.

    Examples
    --------
    >>> drawn_interval(4, 100, 100, 0.05)
    Interval(low=0.04, high=0.04)
    >>> wide = drawn_interval(0, 50, 100, 0.05)
    >>> wide.low, wide.high
    (0.0, 0.05)
    """
    right, fewest, most = n - errors, errors, errors + size - n

    def as_many(wrong: int) -> bool:
        # So many errors or more are so few right ones or fewer.
        return hypergeometric_cdf(right, size, size - wrong, n) > risk / 2

    def as_few(wrong: int) -> bool:
        return hypergeometric_cdf(errors, size, wrong, n) > risk / 2

    low = fewest + bisect_left(range(fewest, most), True, key=as_many)
    high = fewest + bisect_left(range(fewest, most), True, key=lambda m: not as_few(m + 1))
    return Interval(low / size, high / size)


def _log_choose(n: float, k: FloatArray | np.float64) -> FloatArray:
    """Log of the binomial coefficient."""
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), dtype=np.float64)


def fixed_audit_size(bound: float, risk: float, errors: int = 0, size: int | None = None) -> int:
    """Give the smallest audit that certifies `bound` when it finds at most `errors` errors.

    For one look at a size fixed beforehand.

    Parameters
    ----------
    bound : float
        Tolerated share of errors, in [0, 1].
    risk : float
        Tolerated probability of certifying a set that is worse, in (0, 1).
    errors : int
        Errors the plan allows the audit to find.
    size : int, optional
        Items in the set; None for an endless stream.

    Raises
    ------
    UsageError
        No audit of any size can certify this.

    Examples
    --------
    >>> [fixed_audit_size(0.02, 0.05, k) for k in (0, 1, 2, 4)]
    [149, 236, 313, 456]
    >>> fixed_audit_size(0.02, 0.05, size=1000)
    132
    """
    check_share("bound", bound)
    check_share("risk", risk, inside=True)
    possible = bound > 0 if size is None else errors <= tolerated_errors(bound, size)
    if errors < 0 or not possible:
        raise UsageError(
            f"no audit certifies a share of errors <= {bound:g} after {errors} errors"
            + ("" if size is None else f" in a set of {size}")
        )
    low, high = errors, errors + 1 if size is None else size
    while size is None and _false_pass(bound, errors, high, size) > risk:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if _false_pass(bound, errors, middle, size) <= risk else (middle, high)
        )
    return high


def _false_pass(bound: float, errors: int, n: int, size: int | None) -> float:
    """Largest probability that a set worse than `bound` shows at most `errors` errors in n."""
    if size is None:
        return float(bdtr(errors, n, bound))
    worse = tolerated_errors(bound, size) + 1
    return 0.0 if worse > size else hypergeometric_cdf(errors, size, worse, n) * (1 - ROUNDING)


@lru_cache(maxsize=256)
def count_alternatives(
    size: int, first: int, last: int, a: float, b: float
) -> tuple[FloatArray, FloatArray]:
    """Give counts between `first` and `last` with beta-binomial log weights that sum to one.

    Counts far from `first` are thinned geometrically: one in the middle of each bin carries the
    weight of the bin, so that time and memory grow with the logarithm of the size. Any fixed
    weights keep the e-value valid.

    Examples
    --------
    >>> counts, log_weights = count_alternatives(1000, 0, 20, 0.5, 49.5)
    >>> counts[:3].tolist(), round(float(np.exp(log_weights).sum()), 6)
    ([0.0, 1.0, 2.0], 1.0)
    """
    total = last + 1 - first
    steps = math.ceil(math.log(total + 1) / math.log(_SUPPORT_RATIO)) + 1
    kept = np.unique(np.floor(_SUPPORT_RATIO ** np.arange(steps)).astype(np.int64) - 1)
    kept = kept[kept < total]
    ends = np.append(kept[1:], total)
    if total <= _ALL:
        log_mass = _log_beta_binomial(first + np.arange(total, dtype=np.float64), size, a, b)
        log_mass -= log_sum_exp(log_mass)
        with np.errstate(divide="ignore"):
            weights = np.log(np.add.reduceat(np.exp(log_mass), kept))
    else:
        # The mass is smooth: a bin of few counts is read at each of them, others at as many points.
        widths = (ends - kept).astype(np.float64)
        step = np.maximum(widths / _POINTS, 1.0)
        at = (np.arange(_POINTS) + 0.5) * step[:, None] - 0.5
        inside = at < widths[:, None] - 0.25
        log_mass = _log_beta_binomial(first + kept[:, None] + at * inside, size, a, b)
        log_mass += np.log(step)[:, None]
        weights = log_sum_exp(np.where(inside, log_mass, -np.inf), axis=1)
        weights -= log_sum_exp(weights)
    support = np.floor(first + (kept + ends - 1) / 2)
    for array in (support, weights):
        array.setflags(write=False)
    return support, weights


def _log_beta_binomial(counts: FloatArray, size: int, a: float, b: float) -> FloatArray:
    """Log mass of error counts in `size` items whose share is Beta(a, b), up to a constant."""
    log_mass = _log_choose(size, counts) + betaln(counts + a, size - counts + b) - betaln(a, b)
    return np.asarray(log_mass, dtype=np.float64)


def log_count_ratio(
    k: FloatArray, n: FloatArray, null: int, size: int, counts: FloatArray, weights: FloatArray
) -> FloatArray:
    """Give the log likelihood ratio of a mixture over error counts against `null` errors in all.

    Parameters
    ----------
    k, n : (L,) float
        Errors among the first n items drawn without replacement; both must be possible when the
        set holds `null` errors.
    null : int
        The error count of the hypothesis.
    size : int
        Items in the set.
    counts, weights : (S,) float
        Alternative error counts and their log weights.

    Examples
    --------
    >>> zero, one = np.zeros(1), np.ones(1)
    >>> ratio = log_count_ratio(zero, one * 5, 1, 10, zero, zero)
    >>> round(float(np.exp(ratio[0])), 6)  # five clean of ten: twice as likely with no error
    2.0
    """
    rows = max(1, _CHUNK // counts.size)
    parts = [
        log_sum_exp(
            _log_draw(k[i : i + rows, None], n[i : i + rows, None], counts, size) + weights, axis=1
        )
        for i in range(0, k.size, rows)
    ]
    mixture = np.concatenate(parts) if parts else np.empty(0)
    return np.asarray(mixture - _log_draw(k, n, np.float64(null), size), dtype=np.float64)


def _log_draw(
    k: FloatArray, n: FloatArray, wrong: FloatArray | np.float64, size: int
) -> FloatArray:
    """Log probability of one order of k errors and n-k clean items, up to a constant."""
    clean = n - k
    right = size - wrong
    possible = (k <= wrong) & (clean <= right)
    value = (
        gammaln(wrong + 1)
        - gammaln(np.maximum(wrong - k, 0) + 1)
        + gammaln(right + 1)
        - gammaln(np.maximum(right - clean, 0) + 1)
    )
    return np.where(possible, value, -np.inf)
