"""How many audits a certificate will take, before the first one is made.

At k errors the bound is certified once the audit is long enough: at n(k) looks. So an audit
is a walk that ends where it meets the staircase (n(k), k), and the chance of every ending
follows exactly, look by look, from the true share of errors. An audit that draws by doubt has
no such staircase: `labelops.measure.weighted_planning` simulates it.

In a set of a known size the errors found are corrected, and what is certified is the rest (see
`labelops.measure.error_evidence`). Where looks miss some of the wrong labels, each with the same
chance, they draw from those they would find, of which there is a binomial number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlog1py, xlogy

from labelops.errors import UsageError, shown
from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.eprocess import log_e_value, log_wanted
from labelops.measure.given import check_risk, check_share
from labelops.measure.missed import check_missed, seen_bound
from labelops.measure.staircase import clean_looks_to_certify

__all__ = ["AuditPlan", "audit_plan", "looks_to_certify", "plan_of", "true_shares"]

_QUANTILES = (0.5, 0.9)
_NEVER = 1e-15
_COUNTS = 60
"""Most numbers of wrong items that looks would find, for a true share."""


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """What an audit will cost if the true share of errors is what it is.

    Attributes
    ----------
    true_error : float
        The share of wrong labels; in a set of a known size, of whole ones.
    wrong : int or None
        How many they are, in a set of a known size.
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
    wrong: int | None
    certified: float
    mean: float
    median: int | None
    high: int | None


def looks_to_certify(
    bound: float,
    risk: float,
    budget: int,
    size: int | None = None,
    most_errors: int | None = None,
    missed: float = 0.0,
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
    missed : float in [0, 1)
        Chance that a look does not find a wrong label wrong.

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
    check_missed(missed)
    most = budget if size is None else min(budget, size)
    errors = most if most_errors is None else min(most_errors, most)
    if size is None:
        return _endless_steps(seen_bound(bound, missed), risk, most, errors)
    found: list[int] = []
    start = 0
    for k in range(errors + 1):
        start = max(start, k)
        more = clean_looks_to_certify(k, start, bound, risk, size, k, missed)
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
    budget: int = 10_000,
    size: int | None = None,
    missed: float = 0.0,
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
        With `size`, rounded to whole items: the plan says how many.
    budget : int
        Most audits; at most `size`.
    size : int, optional
        Items in the set, drawn without replacement; errors found are corrected.
    missed : float in [0, 1)
        Chance that a look does not find a wrong label wrong, which the certificate allows for.

    Raises
    ------
    UsageError
        A share is out of range, or the budget is not positive.

    Examples
    --------
    >>> plan, = audit_plan(0.02, 0.05, [0.005])
    >>> round(plan.mean), plan.median, plan.certified > 0.999
    (404, 325, True)

    In a set of 1,797, where looks find every wrong label and where they miss one in twenty:

    >>> [audit_plan(0.02, 0.04, [0.0], size=1797, missed=m)[0].median for m in (0.0, 0.05)]
    [172, 182]
    """
    check_share("bound", bound, inside=True)
    check_risk(risk)
    shares = true_shares(true_error)
    if budget < 1 or (size is not None and size < 1):
        raise UsageError("an audit needs a budget and a set of at least one item")
    most = budget if size is None else min(budget, size)
    worst = None if size is None else round(float(shares.max(initial=0.0)) * size)
    stops = looks_to_certify(bound, risk, most, size, worst, missed)
    found, chance = _found(shares, size, missed)
    ends = _endings(found, chance, stops, most, size)
    return [plan_of(float(s), end, most, size) for s, end in zip(shares, ends, strict=True)]


def true_shares(true_error: ArrayLike) -> FloatArray:
    """Return the true shares of errors that a plan is for, (E,); a single one is one of one.

    Raises
    ------
    UsageError
        They are no shares.

    Examples
    --------
    >>> true_shares(0.005).tolist()
    [0.005]
    """
    try:
        shares = np.atleast_1d(np.asarray(true_error, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise UsageError(f"true error is {shown(true_error)}, expected shares") from error
    if shares.ndim != 1 or not ((shares >= 0) & (shares <= 1)).all():
        raise UsageError(f"true error is {shares}, expected shares from 0 to 1")
    return shares


def _found(shares: FloatArray, size: int | None, missed: float) -> tuple[FloatArray, FloatArray]:
    """Say what looks would find of all wrong items, were they to look at every one.

    Returns
    -------
    (R,) float array
        Shares of an endless set; of a set of known size, counts.
    (E, R) float array
        The chance of each, for each true share.
    """
    if size is None:
        return shares * (1 - missed), np.eye(len(shares))
    wrong = np.round(shares * size)
    if not missed:
        return wrong, np.eye(len(shares))
    counts, chances = zip(*(_binomial(int(m), 1 - missed) for m in wrong), strict=True)
    found = np.concatenate(counts)
    chance, start = np.zeros((len(shares), found.size)), 0
    for row, some in zip(chance, chances, strict=True):
        row[start : start + some.size] = some
        start += some.size
    return found, chance


def _binomial(n: int, p: float) -> tuple[FloatArray, FloatArray]:
    """Give the counts that have a chance, and these; of very many, means of neighbours."""
    mean, around = n * p, 12 * math.sqrt(n * p * (1 - p)) + 20
    x = np.arange(max(0, math.floor(mean - around)), min(n, math.ceil(mean + around)) + 1.0)
    log_chance = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)
    chance = np.exp(log_chance + xlogy(x, p) + xlog1py(n - x, -p))
    x, chance = x[chance > _NEVER], chance[chance > _NEVER]
    # Among thousands of wrong items it is all one whether a look finds ten of them more or fewer.
    start = np.arange(0, x.size, math.ceil(x.size / _COUNTS))
    total = np.add.reduceat(chance, start)
    return np.add.reduceat(x * chance, start) / total, total / total.sum()


def _endings(
    found: FloatArray, chance: FloatArray, stops: IntArray, most: int, size: int | None
) -> FloatArray:
    """Probability that the certificate comes at look n = 0 … most, a row for each true share."""
    ending = np.zeros((len(chance), most + 1))
    if not ending.size or not len(stops):
        return ending
    errors = np.arange(len(stops), dtype=np.float64)
    wrong: FloatArray = found[:, np.newaxis]
    items = wrong
    alive = np.zeros((len(found), len(stops)))
    alive[:, 0] = 1.0
    for n in range(1, int(stops[-1]) + 1):
        if size is not None:
            wrong = np.clip((items - errors) / (size - n + 1), 0.0, 1.0)
        moved = alive * wrong
        alive -= moved
        # Whoever makes one error more than any staircase step allows never certifies in time.
        alive[:, 1:] += moved[:, :-1]
        # Near a census of a small set one look may certify walks of several numbers of errors.
        done = stops == n
        if done.any():
            ending[:, n] = chance @ alive[:, done].sum(axis=1)
            alive[:, done] = 0.0
    return ending


def plan_of(share: float, ending: FloatArray, most: int, size: int | None = None) -> AuditPlan:
    """Sum up when audits of a set with this true share of errors end.

    Parameters
    ----------
    share : float
    ending : (most + 1,) float array
        The chance that the certificate comes at each look.
    most : int
        Looks after which an audit ends without one.
    size : int, optional
        Items in the set, of which a whole number is wrong.

    Examples
    --------
    >>> plan_of(0.01, np.array([0.0, 0.5, 0.25, 0.0]), 3)
    AuditPlan(true_error=0.01, wrong=None, certified=0.75, mean=1.75, median=1, high=None)
    >>> found = plan_of(0.06, np.array([0.0, 0.5, 0.25, 0.0]), 3, size=10)
    >>> found.wrong, found.true_error
    (1, 0.1)
    """
    certified = min(1.0, round(float(ending.sum()), 12))
    mean = float(ending @ np.arange(most + 1) + (1 - certified) * most)
    reached = np.cumsum(ending)
    median, high = (int(np.argmax(reached >= q)) if reached[-1] >= q else None for q in _QUANTILES)
    wrong = None if size is None else round(share * size)
    stands_for = share if size is None or wrong is None else wrong / size
    return AuditPlan(stands_for, wrong, certified, mean, median, high)
