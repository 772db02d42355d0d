"""What a pipeline should ask for, planned from the share of wrong labels that is tolerated.

Both numbers follow from the bound alone, before a label or a model is known, so that nothing which
people answer can move them.
"""

from __future__ import annotations

import math

from labelops.errors import UsageError
from labelops.measure.eprocess import hypothesis_risk
from labelops.measure.finite import fixed_audit_size, tolerated_errors
from labelops.measure.given import check_share
from labelops.measure.planned import ON_PLAN

__all__ = ["BORNE", "calibration_size", "least_posterior", "model_posterior"]

BORNE = 1
"""Errors that a calibration sample is planned to bear at the first attempt: with none borne, the
first wrong answer of a model that is good enough refuses it."""


def least_posterior(bound: float) -> float:
    """Give how sure each label has to be: as sure as the whole set.

    A set of labels that are each wrong with probability at most ε is wrong on a share of at most ε
    on average, and on less, since most labels are surer than the least sure one.

    Examples
    --------
    >>> least_posterior(0.02)
    0.98
    """
    return round(1.0 - check_share("bound", bound, inside=True), 12)


def model_posterior(bound: float) -> float:
    """Give how sure a model's label has to be that only the audit of its release judges.

    Few of a model's labels are near the least sure one, so that may be in doubt by some times the
    bound. By how much hardly matters: seven and a half was chosen on label sets that no table has.

    Examples
    --------
    >>> model_posterior(0.02), model_posterior(0.05), model_posterior(0.1)
    (0.85, 0.625, 0.5)
    """
    return round(max(1.0 - 7.5 * check_share("bound", bound, inside=True), 0.5), 12)


def calibration_size(bound: float, risk: float, size: int | None = None, borne: int = BORNE) -> int:
    """Give the smallest calibration sample that shows a bound with so many errors in it.

    Parameters
    ----------
    bound : float in (0, 1)
        Tolerated share of wrong labels.
    risk : float in (0, 1)
        Tolerated over all attempts; the first may spend its share of it.
    size : int, optional
        Items of a set that is tested once and as it is. None for a stream that an e-process reads,
        of whose risk two thirds go on the planned look (see `labelops.measure.planned`).
    borne : int
        Errors in the sample; with 0 no smaller sample shows the bound, however good the model.

    Returns
    -------
    int
        At most `size`. It never falls as the set grows: sets that tolerate as many errors are
        planned for as the largest of them.

    Raises
    ------
    UsageError
        The bound or the risk is out of range.

    Examples
    --------
    >>> calibration_size(0.02, 0.05), calibration_size(0.02, 0.05, 1797)
    (289, 250)
    >>> calibration_size(0.02, 0.05, borne=0)
    193
    """
    check_share("bound", bound, inside=True)
    first = hypothesis_risk(1, risk)
    if size is None:
        return fixed_audit_size(bound, ON_PLAN * first, borne)
    if size < 1:
        raise UsageError(f"a set of {size} items has no calibration sample")
    tolerated = tolerated_errors(bound, size)
    largest = math.ceil((tolerated + 1) / bound) - 1
    if tolerated < borne:
        return size
    return min(size, fixed_audit_size(bound, first, borne, max(size, largest)))
