"""Is the share of wrong labels small enough: a certificate from a random audit, at any look."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, IntArray
from labelops.measure.eprocess import (
    certified_bound,
    check_outcomes,
    clean_looks_needed,
    confidence_sequence,
    exceeded_at,
    log_e_value,
    log_e_value_above,
    log_wanted,
    running_maximum,
)
from labelops.measure.finite import tolerated_errors
from labelops.measure.intervals import Interval, check_share, clopper_pearson

__all__ = ["Certificate", "capped_exp", "certify", "first_count", "verdict_reason"]


_ANYWHERE = Interval(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an audit has shown so far about the share of wrong labels.

    Attributes
    ----------
    status : {'pass', 'fail', 'inconclusive'}
        Certified; proven to be worse than the bound; or neither yet, which is no pass.
    bound, risk : float
        What was asked for: at most this share wrong, at this risk of being mistaken.
    certified : float
        The smallest share that the audit certifies at this risk; 1 when none.
    errors, n : int
        Wrong labels found among the audited ones.
    population : int or None
        Labels the audit was drawn from without replacement, if known.
    e_value : float
        The evidence, at its largest over all looks; 1/risk suffices. Capped at the largest float.
    needed : int or None
        More clean audits until it passes; 0 once it has, None when none can help.
    interval : Interval or None
        Two-sided Clopper–Pearson interval at confidence 1 - risk, as if for this look alone; None
        for a weighted audit, of which it does not hold.
    reason : str
        The verdict in one sentence.
    anytime : Interval
        Two-sided interval at confidence 1 - risk that covers the share at all looks at once: what
        neither e-process rejects, each at half the risk.
    estimate : float
        The share of wrong labels as the audit saw it; for a weighted one every find counts by the
        inverse of its chance.
    audit : {'uniform', 'weighted'}
        How the audited labels were drawn.
    """

    status: Literal["pass", "fail", "inconclusive"]
    bound: float
    risk: float
    certified: float
    errors: int
    n: int
    population: int | None
    e_value: float
    needed: int | None
    interval: Interval | None
    reason: str
    anytime: Interval = _ANYWHERE
    estimate: float = 0.0
    audit: Literal["uniform", "weighted"] = "uniform"


def certify(
    outcomes: ArrayLike, bound: float, risk: float, population: int | None = None
) -> Certificate:
    """Judge an audit as it stands; it may be judged again after every further look.

    However often one looks, a set with more than `bound` wrong passes with probability at most
    `risk`, and one with no more fails with probability at most `risk`.

    Parameters
    ----------
    outcomes : (n,) array-like of bool
        True where the audited label was wrong, in the order of the audit. The audited labels must
        be a uniform random sample of those to be judged, taken without regard to the label.
    bound : float
        Tolerated share of wrong labels, in [0, 1].
    risk : float
        Tolerated probability of a mistaken verdict, in (0, 1).
    population : int, optional
        Labels to be judged, when the sample was drawn from them without replacement; fewer audits
        then suffice, and the verdict is certain once the rest cannot change it.

    Returns
    -------
    Certificate
        Evidence that the set is too bad outweighs earlier evidence that it is good.

    Raises
    ------
    UsageError
        A share is out of range, an outcome is neither true nor false, or more were audited than
        there are.

    Examples
    --------
    >>> found = certify([False] * 100, bound=0.02, risk=0.05)
    >>> found.status, found.needed, round(found.certified, 3)
    ('inconclusive', 78, 0.035)
    >>> certify([False] * 178, bound=0.02, risk=0.05).status
    'pass'
    """
    check_share("bound", bound)
    check_share("risk", risk, inside=True)
    wrong = check_outcomes(outcomes)
    errors, n = int(wrong.sum()), int(wrong.size)
    if population is not None and n > population:
        raise UsageError(f"{n} audited labels in a population of {population}")
    maximum = running_maximum(wrong, bound, population)
    evidence = float(maximum[-1]) if n else 0.0
    status = _status(wrong, bound, risk, population, evidence)
    certified = _certified(wrong, risk, population, last_only=status == "fail")
    needed = _needed(status, errors, n, bound, risk, population)
    return Certificate(
        status=status,
        bound=bound,
        risk=risk,
        certified=min(certified, bound) if status == "pass" else certified,
        errors=errors,
        n=n,
        population=population,
        e_value=capped_exp(evidence),
        needed=needed,
        interval=clopper_pearson(errors, n, 1 - risk),
        reason=verdict_reason(status, errors, n, bound, risk, needed),
        anytime=_anytime(errors, n, risk, population),
        estimate=errors / n if n else 0.0,
    )


def _status(
    wrong: BoolArray, bound: float, risk: float, population: int | None, evidence: float
) -> Literal["pass", "fail", "inconclusive"]:
    errors, n = int(wrong.sum()), int(wrong.size)
    if population is not None:
        tolerated = tolerated_errors(bound, population)
        if errors > tolerated:
            return "fail"
        if errors + population - n <= tolerated:
            return "pass"
    if exceeded_at(wrong, bound, risk, population) is not None:
        return "fail"
    return "pass" if evidence >= log_wanted(risk) else "inconclusive"


def _needed(
    status: str, errors: int, n: int, bound: float, risk: float, population: int | None
) -> int | None:
    if status == "pass":
        return 0
    if status == "fail":
        return None
    return clean_looks_needed(errors, n, bound, risk, population)


def _certified(wrong: BoolArray, risk: float, population: int | None, *, last_only: bool) -> float:
    """Smallest bound certified at any look so far.

    Between two errors the evidence only grows, so the looks just before an error and the last one
    are the only ones that count. When the set has failed, what earlier looks certified is void.
    """
    if not wrong.size:
        return 1.0
    looks: IntArray = np.append(np.flatnonzero(wrong), wrong.size).astype(np.int64)
    errors: IntArray = np.arange(looks.size, dtype=np.int64)
    if last_only:
        looks, errors = looks[-1:], errors[-1:]
    if population is None:
        return float(certified_bound(errors, looks, risk).min())
    return _certified_count(errors, looks, risk, population) / population


def _certified_count(errors: IntArray, looks: IntArray, risk: float, population: int) -> int:
    """Smallest count m for which some look rejects "the set holds more than m errors"."""

    def enough(count: int) -> bool:
        values = log_e_value(errors, looks, count / population, population)
        return bool(values.max() >= log_wanted(risk))

    # Fewer than the errors found so far are out of the question, whatever an early look said.
    return first_count(enough, int(errors[-1]), population)


def _anytime(errors: int, n: int, risk: float, population: int | None) -> Interval:
    """Shares that neither e-process rejects at this look, in whole labels where they are counted.

    Valid at all looks at once, since each e-process may be stopped at any.
    """
    if population is None:
        return confidence_sequence(errors, n, 1 - risk)
    wanted, size = log_wanted(risk / 2), population

    def low_enough(count: int) -> bool:
        return bool(log_e_value_above(errors, n, count / size, size) < wanted)

    def high_enough(count: int) -> bool:
        return bool(log_e_value(errors, n, count / size, size) >= wanted)

    low = first_count(low_enough, 0, errors + size - n)
    return Interval(low / size, first_count(high_enough, errors, errors + size - n) / size)


def first_count(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Give the first count from `low` for which it holds, `high` if none before does.

    What holds for a count must hold for every larger one.
    """
    below = low - 1
    while high - below > 1:
        middle = (below + high) // 2
        below, high = (below, middle) if holds(middle) else (middle, high)
    return high


def capped_exp(log_value: float) -> float:
    """Give the e-value for its logarithm, at most the largest float."""
    return math.exp(min(log_value, math.log(np.finfo(np.float64).max)))


def verdict_reason(
    status: str, errors: int, n: int, bound: float, risk: float, needed: int | None
) -> str:
    """Say the verdict in one sentence."""
    found = f"{errors} of {n} audited labels are wrong"
    if status == "pass":
        return f"{found}: at most {bound:.4g} of all, at confidence {1 - risk:g}"
    if status == "fail":
        return f"{found}: more than {bound:.4g} of all, at confidence {1 - risk:g}"
    if needed is None:
        return f"{found}: no further audit can certify {bound:.4g}"
    return f"{found}: {needed} more clean audits certify {bound:.4g} at confidence {1 - risk:g}"
