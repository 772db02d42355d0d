"""How many audits a certificate will take, before the first one is made.

At k errors the bound is certified once the audit is long enough: at n(k) looks. So an audit
is a walk that ends where it meets the staircase (n(k), k), and the chance of every ending
follows exactly, look by look, from the true share of errors. An audit that draws by doubt has
no such staircase: its cost hangs on where the errors lie, and is simulated.

In a set of a known size the errors found are corrected, and what is certified is the rest (see
`labelops.measure.error_evidence`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError, shown
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.draws import check_rng
from labelops.measure.eprocess import log_e_value, log_wanted
from labelops.measure.finite import tolerated_errors
from labelops.measure.intervals import check_risk, check_share
from labelops.measure.staircase import clean_looks_to_certify
from labelops.measure.weighted import audit_chances, log_e_values_count, weighted_order

__all__ = ["AuditPlan", "audit_plan", "looks_to_certify", "weighted_plan"]

_QUANTILES = (0.5, 0.9)
_DOUBTED = 0.1
_MANY = 20_000
_TRIES = (500, 2_000)


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """What an audit will cost if the true share of errors is what it is.

    Attributes
    ----------
    true_error : float
        The share of wrong labels.
    certified : float
        Probability that the bound is certified within the budget. Where the true share is above
        the bound this is the risk that is run, in an endless set; in a set of a known size the
        audit may have mended it.
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


def looks_to_certify(
    bound: float, risk: float, budget: int, size: int | None = None, most_errors: int | None = None
) -> IntArray:
    """Give n(k): after how many looks the bound is certified with k errors among them.

    Parameters
    ----------
    bound, risk : float in (0, 1)
        "At most `bound` wrong", at confidence 1 - risk.
    budget : int
        Most looks; counts of errors that need more are left out.
    size : int, optional
        Items in the set, drawn without replacement; the k errors are corrected.
    most_errors : int, optional
        The largest k of interest.

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
    errors = most if most_errors is None else min(most_errors, most)
    if size is None:
        return _endless_steps(bound, risk, most, errors)
    found: list[int] = []
    start = 0
    for k in range(errors + 1):
        start = max(start, k)
        more = clean_looks_to_certify(k, start, bound, risk, size, k)
        if more is None or start + more > most:
            break
        start += more
        found.append(start)
    return np.asarray(found, dtype=np.int64)


def _endless_steps(bound: float, risk: float, most: int, errors: int) -> IntArray:
    """Find n(k) for all k at once by halving: the evidence grows with every clean look."""
    wanted = log_wanted(risk)
    k: IntArray = np.arange(errors + 1)
    k = k[log_e_value(k, most, bound) >= wanted]
    low, high = k, np.full_like(k, most)  # k errors in k looks certify nothing
    while (high - low > 1).any():
        middle = (low + high) // 2
        enough = log_e_value(k, middle, bound) >= wanted
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def audit_plan(
    bound: float,
    risk: float,
    true_error: ArrayLike,
    *,
    budget: int = 10_000,
    size: int | None = None,
) -> list[AuditPlan]:
    """Say how many random audits certify a bound, for each true share of errors.

    Exact, for an audit that is looked at after every item and stops at the certificate. With a
    `size` above 20,000 a little too many, near the bound by 3 to 8 %: an error that is corrected
    may certify at once what earlier looks have shown, which is left out here.

    Parameters
    ----------
    bound, risk : float in (0, 1)
        "At most `bound` wrong", at confidence 1 - risk.
    true_error : (E,) array-like of float in [0, 1]
        With `size`, rounded to whole items.
    budget : int
        Most audits; at most `size`.
    size : int, optional
        Items in the set, drawn without replacement; errors found are corrected.

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
    check_share("bound", bound, inside=True)
    check_risk(risk)
    try:
        shares = np.atleast_1d(np.asarray(true_error, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise UsageError(f"true error is {shown(true_error)}, expected shares") from error
    if shares.ndim != 1 or not ((shares >= 0) & (shares <= 1)).all():
        raise UsageError(f"true error is {shares}, expected shares from 0 to 1")
    if budget < 1 or (size is not None and size < 1):
        raise UsageError("an audit needs a budget and a set of at least one item")
    most = budget if size is None else min(budget, size)
    worst = None if size is None else round(float(shares.max(initial=0.0)) * size)
    stops = looks_to_certify(bound, risk, most, size, worst)
    ends = _endings(shares, stops, most, size)
    return [_plan(float(s), end, most) for s, end in zip(shares, ends, strict=True)]


def _endings(shares: FloatArray, stops: IntArray, most: int, size: int | None) -> FloatArray:
    """Probability that the certificate comes at look n = 0 … most, a row for each true share."""
    ending = np.zeros((len(shares), most + 1))
    if not ending.size or not len(stops):
        return ending
    errors = np.arange(len(stops), dtype=np.float64)
    wrong: FloatArray = shares[:, np.newaxis]
    wrong_items = np.round(wrong * (size or 0))
    alive = np.zeros((len(shares), len(stops)))
    alive[:, 0] = 1.0
    for n in range(1, int(stops[-1]) + 1):
        if size is not None:
            wrong = np.clip((wrong_items - errors) / (size - n + 1), 0.0, 1.0)
        moved = alive * wrong
        alive -= moved
        # Whoever makes one error more than any staircase step allows never certifies in time.
        alive[:, 1:] += moved[:, :-1]
        # Near a census of a small set one look may certify walks of several numbers of errors.
        done = stops == n
        ending[:, n] = alive[:, done].sum(axis=1)
        alive[:, done] = 0.0
    return ending


def _plan(share: float, ending: FloatArray, most: int) -> AuditPlan:
    certified = float(min(1.0, ending.sum()))
    mean = float(ending @ np.arange(most + 1) + (1 - certified) * most)
    reached = np.cumsum(ending)
    median, high = (int(np.argmax(reached >= q)) if reached[-1] >= q else None for q in _QUANTILES)
    return AuditPlan(share, certified, mean, median, high)


def weighted_plan(
    bound: float,
    risk: float,
    true_error: ArrayLike,
    told: float,
    *,
    rng: np.random.Generator,
    budget: int = 10_000,
    size: int | None = None,
    runs: int = 100,
) -> list[AuditPlan]:
    """Say how many audits drawn by doubt certify a bound, by simulating them.

    Parameters
    ----------
    bound, risk, true_error, budget, size
        As for `audit_plan`; without a size 20,000 labels stand for a great many, of which the
        corrected ones are no part worth counting.
    told : float in [0, 1]
        The share of all errors that lie in the tenth of the labels most in doubt; a tenth of them
        is what doubt without any worth would hold.
    rng : numpy Generator
    runs : int
        Simulated audits for each true share.

    Raises
    ------
    UsageError
        A share is out of range, or there is nothing to simulate.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> plan, = weighted_plan(0.02, 0.05, [0.01], 0.9, rng=rng, size=5000)
    >>> exact, = audit_plan(0.02, 0.05, [0.01], size=5000)
    >>> plan.mean < 0.75 * exact.mean
    True
    """
    check_rng(rng)
    check_share("bound", bound, inside=True)
    check_share("told", told)
    items = _MANY if size is None else size
    if runs < 1 or items < 1 or budget < 1:
        raise UsageError("a simulation needs a run, a budget and a set of at least one label")
    shares = np.atleast_1d(np.asarray(true_error, dtype=np.float64))
    if shares.ndim != 1 or not ((shares >= 0) & (shares <= 1)).all():
        raise UsageError(f"true error is {shares}, expected shares from 0 to 1")
    most = min(budget, items)
    plans = []
    for share in map(float, shares):
        wrong, chances = _doubted_set(round(share * items), items, told)
        many = size is None
        found = [_certified_look(wrong, chances, bound, risk, most, rng, many) for _ in range(runs)]
        ending = np.bincount([n for n in found if n is not None], minlength=most + 1) / runs
        plans.append(_plan(share, ending, most))
    return plans


def _doubted_set(errors: int, size: int, told: float) -> tuple[BoolArray, FloatArray]:
    """Place the errors, `told` of them in the doubted tenth, and give the chances to be drawn."""
    tenth = max(1, round(_DOUBTED * size))
    inside = min(round(told * errors), tenth)
    outside = min(errors - inside, size - tenth)
    place = np.arange(size)
    wrong = (place < inside) | ((place >= tenth) & (place < tenth + outside))
    doubt = np.where(place < tenth, inside / tenth, outside / max(size - tenth, 1))
    return wrong, audit_chances(doubt)


def _certified_look(
    wrong: BoolArray,
    chances: FloatArray,
    bound: float,
    risk: float,
    most: int,
    rng: np.random.Generator,
    many: bool,
) -> int | None:
    """Draw one audit and give the look at which it certifies, or None."""
    order = weighted_order(rng.uniform(1e-18, 1.0, wrong.size), chances)
    tolerated, outcomes = tolerated_errors(bound, wrong.size), wrong[order]

    def certifies(looks: int) -> bool:
        corrected = 0 if many else int(outcomes[:looks].sum())
        seen = order[:looks]
        grown = log_e_values_count(wrong[seen], seen, chances, tolerated + corrected)
        return bool(grown.max(initial=0.0) >= log_wanted(risk))

    # What certifies once does so for good, so the first look is found by halving.
    low = 0
    for high in (*(n for n in _TRIES if n < most), most):
        if certifies(high):
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if certifies(middle) else (middle, high)
            return high
        low = high
    return None
