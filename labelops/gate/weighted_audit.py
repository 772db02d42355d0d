"""A certificate from an audit that looks more often where labels are in doubt.

When many labels are expected to be wrong, even draws need long to tell a share a little below the
bound from the bound itself. Draws by doubt, seven tenths of them even, find the errors there are
sooner and weigh each by its chance (see `labelops.measure.weighted`). Whatever the doubts are
worth, the certificate is as valid as the even one; worthless doubts only make it dearer.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray
from labelops.measure.eprocess import check_outcomes, log_wanted
from labelops.measure.finite import tolerated_errors
from labelops.measure.intervals import Interval, check_share
from labelops.measure.weighted import (
    log_e_values_weighted,
    log_e_values_weighted_above,
    weighted_estimate,
)

from .certificate import Certificate, capped_exp, first_count, verdict_reason

__all__ = ["certify_weighted"]

_FIRST_TRY = 256


def certify_weighted(
    outcomes: ArrayLike, chances: ArrayLike, bound: float, risk: float
) -> Certificate:
    """Judge a weighted audit as it stands; it may be judged again after every further look.

    However often one looks, a set with more than `bound` wrong passes with probability at most
    `risk`, and one with no more fails with probability at most `risk`.

    Parameters
    ----------
    outcomes : (n,) array-like of bool
        True where the audited label was wrong: the first n labels in the order of
        `labelops.measure.samples.draw_weighted`.
    chances : (N,) array-like of float above 0
        Of all labels to be judged, in that order. They must have been fixed before a random
        number of this order was used; they may depend on anything else.
    bound : float
        Tolerated share of wrong labels, in [0, 1].
    risk : float
        Tolerated probability of a mistaken verdict, in (0, 1).

    Raises
    ------
    UsageError
        A share or a chance is out of range, an outcome is neither true nor false, or more were
        audited than there are.

    Examples
    --------
    Half of the labels are four times as likely to be drawn as the others. All are clean.

    >>> from labelops.measure.samples import draw_weighted
    >>> from labelops.measure.weighted import audit_chances
    >>> ids = [f"i{n}" for n in range(2000)]
    >>> sample = draw_weighted(b"k", "audit", ids, audit_chances([0, 1] * 1000))
    >>> found = certify_weighted([False] * 100, sample.chances, bound=0.02, risk=0.05)
    >>> found.status, found.needed, found.audit
    ('inconclusive', 144, 'weighted')
    >>> clean = [False] * (100 + found.needed)
    >>> certify_weighted(clean, sample.chances, bound=0.02, risk=0.05).status
    'pass'
    """
    check_share("bound", bound)
    check_share("risk", risk, inside=True)
    wrong, odds = check_outcomes(outcomes), _check_chances(chances)
    errors, n, size = int(wrong.sum()), int(wrong.size), int(odds.size)
    if n > size:
        raise UsageError(f"{n} audited labels in a set of {size}")
    tolerated = tolerated_errors(bound, size)
    below = _below(wrong, odds, tolerated) if n else np.zeros(0)
    evidence = float(below.max(initial=0.0))
    status = _status(wrong, odds, tolerated, risk, evidence)
    needed = {"pass": 0, "fail": None}.get(status, -1)
    if needed == -1:
        needed = _clean_needed(wrong, odds, tolerated, risk)
    certified = _certified(wrong, odds, risk, last_only=status == "fail")
    return Certificate(
        status=status,
        bound=bound,
        risk=risk,
        certified=min(certified, bound) if status == "pass" else certified,
        errors=errors,
        n=n,
        population=size,
        e_value=capped_exp(evidence),
        needed=needed,
        interval=None,
        reason=verdict_reason(status, errors, n, bound, risk, needed),
        anytime=_anytime(wrong, odds, risk),
        estimate=weighted_estimate(wrong, np.arange(n), odds),
        audit="weighted",
    )


def _check_chances(chances: ArrayLike) -> FloatArray:
    odds = np.asarray(chances, dtype=np.float64)
    if odds.ndim != 1 or not odds.size or not (np.isfinite(odds) & (odds > 0)).all():
        raise UsageError("chances: expected one finite number above 0 a label, and a label")
    chance: FloatArray = odds / odds.sum()
    return chance


def _below(wrong: BoolArray, odds: FloatArray, count: int) -> FloatArray:
    """Log evidence, after each look, against "more than `count` labels are wrong"."""
    if count >= odds.size - 1:
        # All labels but one may be wrong, or all: only certainty tells.
        surely = np.cumsum(~wrong) >= odds.size - count
        return np.where(surely, np.inf, 0.0)
    share = (count + 1) / odds.size
    return log_e_values_weighted(wrong, np.arange(wrong.size), odds, share)


def _above(wrong: BoolArray, odds: FloatArray, count: int) -> FloatArray:
    """Log evidence, after each look, against "at most `count` labels are wrong"."""
    share = count / odds.size
    return log_e_values_weighted_above(wrong, np.arange(wrong.size), odds, share)


def _status(
    wrong: BoolArray, odds: FloatArray, tolerated: int, risk: float, evidence: float
) -> Literal["pass", "fail", "inconclusive"]:
    errors, left = int(wrong.sum()), odds.size - wrong.size
    if errors > tolerated:
        return "fail"
    if errors + left <= tolerated:
        return "pass"
    if wrong.size and _above(wrong, odds, tolerated).max() >= log_wanted(risk):
        return "fail"
    return "pass" if evidence >= log_wanted(risk) else "inconclusive"


def _clean_needed(wrong: BoolArray, odds: FloatArray, tolerated: int, risk: float) -> int:
    """Count the next labels in order that certify the bound if all of them are right."""
    n, more = wrong.size, _FIRST_TRY
    while True:
        upto = min(n + more, odds.size)
        clean = np.concatenate([wrong, np.zeros(upto - n, dtype=bool)])
        reached = np.flatnonzero(_below(clean, odds, tolerated)[n:] >= log_wanted(risk))
        if reached.size:
            return int(reached[0]) + 1
        if upto == odds.size:
            return upto - n
        more *= 2


def _certified(wrong: BoolArray, odds: FloatArray, risk: float, *, last_only: bool) -> float:
    """Smallest share certified at any look so far; at the last one only where the set failed."""
    if not wrong.size:
        return 1.0

    def enough(count: int) -> bool:
        values = _below(wrong, odds, count)
        return bool((values[-1] if last_only else values.max()) >= log_wanted(risk))

    return first_count(enough, int(wrong.sum()), odds.size) / odds.size


def _anytime(wrong: BoolArray, odds: FloatArray, risk: float) -> Interval:
    if not wrong.size:
        return Interval(0.0, 1.0)
    errors, size, wanted = int(wrong.sum()), odds.size, log_wanted(risk / 2)
    most = errors + size - wrong.size
    high = first_count(lambda m: bool(_below(wrong, odds, m)[-1] >= wanted), errors, most)
    low = first_count(lambda m: bool(_above(wrong, odds, m)[-1] < wanted), errors, high)
    return Interval(low / size, high / size)
