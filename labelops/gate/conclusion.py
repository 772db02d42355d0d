"""The verdict that an audit's evidence comes to, however its labels were drawn."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from labelops.measure.finite import ROUNDING, tolerated_errors
from labelops.measure.intervals import Interval
from labelops.measure.missed import most_wrong

from .evidence import Certificate, Evidence, Status, check_evidence

__all__ = ["conclude", "of_those_there"]

_UNSEEN = 0.05
"""Part of the risk, of the shares that are shown, for that looks miss more than is likely."""


def conclude(evidence: Evidence, bound: float, risk: float) -> Certificate:
    """Draw the verdict from an audit's evidence, of whichever kind.

    Raises
    ------
    UsageError
        More errors are corrected than were found, or of a set of unknown size; or all
        errors are missed.
    """
    check_evidence(evidence)
    wrong, size, corrected = evidence.wrong, evidence.size, evidence.corrected
    errors, n = int(wrong.sum()), int(wrong.size)
    best = evidence.below(bound, risk)
    status = _status(evidence, bound, risk)
    needed = 0 if status == "pass" else None
    if status == "inconclusive":
        needed = evidence.clean_needed(bound, risk)
    overlooked = needed is None and _overlooked(evidence, bound, risk)
    if overlooked:
        # Whatever further looks find, none of them can certify it.
        status = "fail"
    gone = corrected / size if size else 0.0
    # Errors found and not corrected are there for certain.
    least = (errors - corrected) / size if size else 0.0
    unseen = _UNSEEN * risk if evidence.missed else 0.0
    one = evidence.interval(risk - unseen)
    found = evidence.certified(risk - unseen, last_only=status == "fail")
    certified = min(max(_in_all(found, evidence, unseen) - gone, least), 1.0)
    if status == "pass":
        certified = min(certified, bound)
    elif size:
        # Its evidence differs from that of the verdict, which it must not run ahead of.
        certified = max(certified, (tolerated_errors(bound, size) + 1) / size)
    return Certificate(
        status=status,
        bound=bound,
        risk=risk,
        certified=certified,
        errors=errors,
        n=n,
        size=size,
        e_value=math.exp(min(best, math.log(np.finfo(np.float64).max))),
        needed=needed,
        interval=None if one is None else _less(one, gone, least, evidence, unseen),
        anytime=_less(evidence.anytime(risk - unseen), gone, least, evidence, unseen),
        estimate=max(evidence.estimate() - gone, least),
        audit=evidence.audit,
        corrected=corrected,
        missed=evidence.missed,
        overlooked=overlooked,
    )


def of_those_there(certificate: Certificate, bound: float, there: float) -> Certificate:
    """Say what a certificate shows of the labels that are still there, some having left the set.

    Of N labels, a share `there` of which is left, at most ``bound * there`` are wrong just where of
    those left at most `bound` are: none of the wrong ones that are there is among those that left.

    Parameters
    ----------
    certificate : Certificate
        For ``bound * there`` of all, with those that left as corrected errors.
    bound : float
        Tolerated share of wrong labels among those left.
    there : float
        Share of the labels that is left, in [0, 1].

    Examples
    --------
    >>> from labelops.gate.certificate import certify
    >>> all_of_them = certify([False] * 200, bound=0.02 * 0.9, risk=0.05, size=1000)
    >>> found = of_those_there(all_of_them, 0.02, 0.9)
    >>> found.status, found.bound, found.reason
    ('pass', 0.02, '0 of 200 audited labels are wrong: at most 0.02 of all, at 95 % confidence')
    """

    def scaled(share: float) -> float:
        return min(share / there, 1.0) if there > 0 else 1.0

    def wider(whole: Interval) -> Interval:
        return Interval(scaled(whole.low), scaled(whole.high))

    c = certificate
    certified = scaled(c.certified)
    return replace(
        c,
        bound=bound,
        certified=min(certified, bound) if c.status == "pass" else certified,
        interval=None if c.interval is None else wider(c.interval),
        anytime=wider(c.anytime),
        estimate=scaled(c.estimate),
    )


def _status(evidence: Evidence, bound: float, risk: float) -> Status:
    size = evidence.size
    if bound >= 1:
        return "pass"  # Nothing is worse; the evidence is against "at least the bound".
    if size is not None:
        tolerated = tolerated_errors(bound, size)
        errors, open_ = int(evidence.wrong.sum()), size - evidence.wrong.size
        if errors - evidence.corrected > tolerated:
            return "fail"
        if errors + open_ <= evidence.most_found(bound, risk):
            return "pass"
        if not open_:
            # There is no more to come, and so many may have been missed.
            return "pass" if evidence.certifies(bound, risk) else "fail"
    if evidence.above(bound, risk):
        return "fail"
    return "pass" if evidence.certifies(bound, risk) else "inconclusive"


def _overlooked(evidence: Evidence, bound: float, risk: float) -> bool:
    """Say whether only what looks may have missed is in the way, of a set of known size."""
    size, left = evidence.size, int(evidence.wrong.sum()) - evidence.corrected
    if size is None or not evidence.missed or left > tolerated_errors(bound, size):
        return False
    return evidence.wrong.size == size or (not left and not evidence.above(bound, risk))


def _in_all(share: float, evidence: Evidence, unseen: float) -> float:
    """Add what looks miss to a share that they would find at most."""
    size = evidence.size
    if size is None or share >= 1:
        return min(share / (1 - evidence.missed), 1.0)
    return most_wrong(math.ceil(share * size - ROUNDING), evidence.missed, unseen, size) / size


def _less(
    whole: Interval, gone: float, least: float, evidence: Evidence, unseen: float
) -> Interval:
    """Take the corrected share off both ends, and add what looks miss to the high one."""
    high = _in_all(whole.high, evidence, unseen)
    return Interval(max(whole.low - gone, least), max(high - gone, least))
