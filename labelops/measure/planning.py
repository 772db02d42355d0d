"""How many audits a certificate will take, before the first one is made.

The e-process certifies at k errors once the audit is long enough: at n(k) looks. So an audit
is a walk that ends where it meets the staircase (n(k), k), and the chance of every ending
follows exactly, look by look, from the true share of errors. No simulation is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.eprocess import clean_looks_needed
from labelops.measure.finite import tolerated_errors
from labelops.measure.intervals import check_share

__all__ = ["AuditPlan", "audit_plan", "looks_to_certify"]

_QUANTILES = (0.5, 0.9)


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """What an audit will cost if the true share of errors is what it is.

    Attributes
    ----------
    true_error : float
        The share of wrong labels.
    certified : float
        Probability that the bound is certified within the budget; where the true share is above
        the bound this is the risk that is run.
    mean : float
        Mean number of audits, one that ends without a certificate counting the whole budget.
    median, high : int or None
        Audits within which half and nine tenths of all audits certify; None where fewer do.
    """

    true_error: float
    certified: float
    mean: float
    median: int | None
    high: int | None


def looks_to_certify(bound: float, risk: float, budget: int, size: int | None = None) -> IntArray:
    """Give n(k): after how many looks the bound is certified with k errors among them.

    Parameters
    ----------
    bound, risk : float in (0, 1)
        "At most `bound` wrong", at confidence 1 - risk.
    budget : int
        Most looks; counts of errors that need more are left out.
    size : int, optional
        Items in the set, drawn without replacement.

    Returns
    -------
    (k,) int, growing

    Examples
    --------
    The numbers of errors 0 to 4 at "at most 2 % at 95 %".

    >>> looks_to_certify(0.02, 0.05, 700).tolist()
    [178, 325, 438, 539, 633]
    """
    check_share("bound", bound, inside=True)
    check_share("risk", risk, inside=True)
    most = budget if size is None else min(budget, size)
    found: list[int] = []
    start = 0
    while True:
        start = max(start, len(found))
        if start > most or (size is not None and len(found) > tolerated_errors(bound, size)):
            break
        more = clean_looks_needed(len(found), start, bound, risk, size)
        if more is None or start + more > most:
            break
        start += more
        found.append(start)
    return np.asarray(found, dtype=np.int64)


def audit_plan(
    bound: float,
    risk: float,
    true_error: ArrayLike,
    *,
    budget: int = 10_000,
    size: int | None = None,
) -> list[AuditPlan]:
    """Say how many random audits certify a bound, for each true share of errors.

    Exact, for an audit that is looked at after every item and stops at the certificate.

    Parameters
    ----------
    bound, risk : float in (0, 1)
        "At most `bound` wrong", at confidence 1 - risk.
    true_error : (E,) array-like of float in [0, 1]
        With `size`, rounded to whole items.
    budget : int
        Most audits; at most `size`.
    size : int, optional
        Items in the set, drawn without replacement.

    Raises
    ------
    UsageError
        A share is out of range, or the budget is not positive.

    Examples
    --------
    >>> plan, = audit_plan(0.02, 0.05, [0.005])
    >>> round(plan.mean), plan.median, plan.certified > 0.999
    (404, 325, True)
    """
    shares = np.atleast_1d(np.asarray(true_error, dtype=np.float64))
    if shares.ndim != 1 or not ((shares >= 0) & (shares <= 1)).all():
        raise UsageError(f"true error is {shares}, expected shares from 0 to 1")
    if budget < 1 or (size is not None and size < 1):
        raise UsageError("an audit needs a budget and a set of at least one item")
    most = budget if size is None else min(budget, size)
    stops = looks_to_certify(bound, risk, most, size)
    ends = (
        np.stack([_endings(float(share), stops, most, size) for share in shares])
        if len(shares)
        else np.empty((0, most + 1))
    )
    return [_plan(float(s), end, most) for s, end in zip(shares, ends, strict=True)]


def _endings(share: float, stops: IntArray, most: int, size: int | None) -> FloatArray:
    """Probability that the certificate comes at look n, for n = 0 … most."""
    ending = np.zeros(most + 1)
    if not len(stops):
        return ending
    errors = np.arange(len(stops), dtype=np.float64)
    wrong_items = None if size is None else round(share * size)
    alive = np.zeros(len(stops))
    alive[0] = 1.0
    for n in range(1, int(stops[-1]) + 1):
        if size is None or wrong_items is None:
            wrong: FloatArray | float = share
        else:
            wrong = np.clip((wrong_items - errors) / (size - n + 1), 0.0, 1.0)
        moved = alive * wrong
        alive -= moved
        # Whoever makes one error more than any staircase step allows never certifies in time.
        alive[1:] += moved[:-1]
        done = stops == n
        ending[n] = alive[done].sum()
        alive[done] = 0.0
    return ending


def _plan(share: float, ending: FloatArray, most: int) -> AuditPlan:
    certified = float(min(1.0, ending.sum()))
    mean = float(ending @ np.arange(most + 1) + (1 - certified) * most)
    reached = np.cumsum(ending)
    median, high = (int(np.argmax(reached >= q)) if reached[-1] >= q else None for q in _QUANTILES)
    return AuditPlan(share, certified, mean, median, high)
