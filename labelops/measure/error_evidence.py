"""Evidence that a share of errors is below or above a bound, after any number of looks.

An e-process for a hypothesis has expectation at most 1 under it at every look, so by Ville's
inequality it ever reaches 1/risk with probability at most risk. Two are here:

- `log_e_value` against "the share of errors is at least the bound" (certifies);
- `log_e_value_above` against "the share is at most the bound" (raises the alarm).

Both are likelihood ratios mixed over the shares the hypothesis excludes. At each step such a ratio
q : p0 has expectation p q/p0 + (1-p)(1-q)/(1-p0), linear in the true p, equal to 1 at p = p0 and
falling on the hypothesis' side: at most 1 for the whole hypothesis. The same holds for draws
without replacement from a set of known size, with the shares of what is left in place of q, p0, p.

Errors that were found may have been corrected since: of m errors in such a set, m - c are left. The
hypothesis "more than t left" then says m > t + c, and moves with c, which nobody knows beforehand.
Null and alternatives move together. The likelihood L(m) of the looks is log-concave in m, so at a
fixed distance j the ratio L(m - j) / L(m) only grows with m, and the evidence with c. Were more
than t left, c would be below m - t: the evidence is at most that for c = m - t - 1, whose null is
the true m. A false certificate, after any look and any corrections, needs that one e-process to
reach 1/risk. On the other side L(m + j) / L(m) falls with m, and the same holds.

References
----------
Robbins 1970, https://doi.org/10.1214/aoms/1177696786
Ramdas, Grünwald, Vovk, Shafer 2023, https://doi.org/10.1214/23-STS894
Waudby-Smith, Ramdas 2020, https://arxiv.org/abs/2006.04347 (without replacement)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, betaincc, betaln, xlog1py, xlogy

from labelops.errors import UsageError
from labelops.measure.alternatives import count_alternatives, log_count_ratio
from labelops.measure.codes import FloatArray
from labelops.measure.finite import tolerated_errors
from labelops.measure.given import check_whole
from labelops.measure.intervals import check_counts

__all__ = ["log_e_value", "log_e_value_above"]

_A = 0.5


def log_e_value(
    errors: ArrayLike,
    n: ArrayLike,
    bound: ArrayLike,
    size: int | None = None,
    corrected: int = 0,
) -> FloatArray:
    """Give the log evidence that the share of errors is below `bound`.

    Parameters
    ----------
    errors, n : array-like of int
        Errors among the first n looks at items in random order.
    bound : float, or array that broadcasts (only without `size`)
        The hypothesis is "the share of errors is at least this"; with `size`, "the set holds more
        than this share of errors".
    size : int, optional
        Items in the set when it is finite and drawn from without replacement; then certainty gives
        infinity.
    corrected : int
        Errors of the set that were found and corrected, as of now (only with `size`). They stay
        errors among the looks; the hypothesis is "more than this share is left to correct".

    Returns
    -------
    float array of the broadcast shape
        Log e-values. A value too small for a float is -inf: no evidence, never too much. At bound 0
        without `size` nothing can be shown and the value is 0.

    Raises
    ------
    UsageError
        The counts or the bound are impossible.

    Examples
    --------
    >>> bool(log_e_value(0, 177, 0.02) < np.log(20) < log_e_value(0, 178, 0.02))
    True
    """
    k, looks = check_counts(errors, n)
    _check_bounds(bound)
    if size is not None:
        return _finite(k, looks, float(np.asarray(bound)), size, corrected, above=False)
    _none_corrected(corrected)
    limit = np.asarray(bound, dtype=np.float64)
    p0 = np.where(limit > 0, limit, 0.5)
    b = _A * (1 - p0 / 2) / (p0 / 2)
    value = _log_mixture(k, looks, p0, b, betainc)
    return np.where(limit > 0, value, 0.0)


def log_e_value_above(
    errors: ArrayLike,
    n: ArrayLike,
    bound: ArrayLike,
    size: int | None = None,
    corrected: int = 0,
) -> FloatArray:
    """Give the log evidence that the share of errors is above `bound`.

    Parameters are those of `log_e_value`; the hypothesis is "the share is at most `bound`", with
    `corrected` "at most this share is left to correct". At bound 0 the first error gives infinity;
    at bound 1 nothing can be shown and the value is 0.

    Raises
    ------
    UsageError
        The counts or the bound are impossible.

    Examples
    --------
    >>> bool(log_e_value_above(12, 100, 0.02) > np.log(20) > log_e_value_above(2, 100, 0.02))
    True
    """
    k, looks = check_counts(errors, n)
    _check_bounds(bound)
    if size is not None:
        return _finite(k, looks, float(np.asarray(bound)), size, corrected, above=True)
    _none_corrected(corrected)
    limit = np.asarray(bound, dtype=np.float64)
    p0 = np.where(limit < 1, limit, 0.5)
    value = _log_mixture(k, looks, p0, _b_above(p0), betaincc)
    return np.where(limit < 1, value, 0.0)


def _b_above(p0: FloatArray) -> FloatArray:
    """Second beta parameter for alternatives around twice the bound (half-way to 1 from there)."""
    mean = np.maximum(np.minimum(2 * p0, (1 + p0) / 2), 1e-3)
    return np.asarray(_A * (1 - mean) / mean, dtype=np.float64)


def _check_bounds(bound: ArrayLike) -> None:
    values = np.asarray(bound, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise UsageError(f"bound is {values}, expected a share from 0 to 1")


def _log_mixture(
    k: FloatArray,
    n: FloatArray,
    p0: FloatArray,
    b: FloatArray,
    mass: Callable[[FloatArray | float, FloatArray, FloatArray], FloatArray],
) -> FloatArray:
    """Log ratio of a truncated beta mixture to the binomial likelihood at p0."""
    clean = n - k
    with np.errstate(divide="ignore"):
        value = (
            betaln(_A + k, b + clean)
            + np.log(mass(_A + k, b + clean, p0))
            - betaln(_A, b)
            - np.log(mass(_A, b, p0))
        )
    with np.errstate(invalid="ignore"):
        ratio = value - xlogy(k, p0) - xlog1py(clean, -p0)
    # k errors at p0 = 0, or clean looks at p0 = 1, are impossible: the hypothesis is refuted.
    refuted = ((p0 == 0) & (k > 0)) | ((p0 == 1) & (clean > 0))
    return np.where(refuted, np.inf, ratio)


def _none_corrected(corrected: int) -> None:
    if corrected:
        raise UsageError("corrected errors lower the share only in a set of a known size")


def _finite(
    k: FloatArray, n: FloatArray, bound: float, size: int, corrected: int, *, above: bool
) -> FloatArray:
    """Log e-value for draws without replacement from a set of `size` items."""
    check_whole("size", size)
    check_whole("corrected", corrected, 0)
    if (n > size).any():
        raise UsageError(f"{n.max(initial=0):g} looks at a set of {size} items without replacement")
    tolerated = min(size, tolerated_errors(bound, size) + corrected)
    surely_above, surely_below = k > tolerated, n - k >= size - tolerated
    refuted, settled = (surely_above, surely_below) if above else (surely_below, surely_above)
    value = np.where(refuted, np.inf, np.where(settled, -np.inf, 0.0))
    open_ = ~refuted & ~settled
    if open_.any():
        null, counts, weights = _alternatives(bound, size, above=above)
        # Null and alternatives move together, by what was corrected: see the top of this file.
        inside = counts + corrected <= size
        value[open_] = log_count_ratio(
            k[open_],
            n[open_],
            null + corrected,
            size,
            counts[inside] + corrected,
            weights[inside],
        )
    return value


def _alternatives(bound: float, size: int, *, above: bool) -> tuple[int, FloatArray, FloatArray]:
    """Find the hypothesis' nearest error count and weigh the counts it excludes."""
    tolerated = tolerated_errors(bound, size)
    if above:
        b = float(_b_above(np.asarray(min(bound, 1 - 1e-9))))
        return tolerated, *count_alternatives(size, tolerated + 1, size, _A, b)
    # A bound below one error has no share of its own to centre on: half an error stands in.
    mean = max(bound, 0.5 / size) / 2
    return tolerated + 1, *count_alternatives(size, 0, tolerated, _A, _A * (1 - mean) / mean)
