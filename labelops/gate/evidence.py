"""What the evidence of an audit comes to: one certificate, however its labels were drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from labelops.errors import UsageError, counted, percent
from labelops.measure.codes import BoolArray
from labelops.measure.finite import ROUNDING, check_missed, most_wrong, tolerated_errors
from labelops.measure.intervals import Interval

__all__ = [
    "Certificate",
    "Evidence",
    "check_evidence",
    "clean_audits_certify",
    "conclude",
    "first_count",
    "of_those_there",
    "sure",
]

_Status = Literal["pass", "fail", "inconclusive"]
_ANYWHERE = Interval(0.0, 1.0)
_UNSEEN = 0.05
"""Part of the risk, of the shares that are shown, for that looks miss more than is likely."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an audit has shown so far about the share of wrong labels.

    All shares are those of the labels as they are now: errors that were found and corrected are
    not among them.

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
        The evidence, at its largest over all looks, capped at the largest float. 1/risk suffices,
        but in a set of known size that is drawn evenly: there `labelops.measure.staircase` decides.
    needed : int or None
        More clean audits until it passes; 0 once it has, None when none can help.
    interval : Interval or None
        Two-sided Clopper–Pearson interval at confidence 1 - risk, as if for this look alone; of a
        known population by the chances of a draw without replacement, so that a look at all
        labels leaves no doubt but of what it missed. None for a weighted audit, of which it does
        not hold.
    reason : str
        The verdict in one sentence.
    anytime : Interval
        Two-sided interval at confidence 1 - risk that covers the share at all looks at once: what
        neither e-process rejects, each at half the risk. Where nearly every look found an error,
        in a set of a known size, the low end may be some counts too high: there the evidence does
        not fall evenly with the count.
    estimate : float
        The share of wrong labels as the audit saw it; for a weighted one every find counts by the
        inverse of its chance.
    audit : {'uniform', 'weighted'}
        How the audited labels were drawn.
    corrected : int
        Of the errors, those that were corrected: the labels hold them no more. Items that left the
        set since it was frozen are counted here, and among the errors, whatever was found of them.
    missed : float
        Chance that is allowed for a wrong label to be found right. The shares certified, and the
        high ends of the intervals, are those of all wrong labels, found or not.
    overlooked : bool
        Whether it does not pass because looks at all labels would miss too many wrong ones too
        often, though they found few enough: of few labels, or after many corrections.
    """

    status: _Status
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
    corrected: int = 0
    missed: float = 0.0
    overlooked: bool = False


class Evidence(Protocol):
    """What an audit of a kind has shown; `corrected` errors are left out of every share."""

    @property
    def audit(self) -> Literal["uniform", "weighted"]:
        """How labels were drawn."""

    @property
    def wrong(self) -> BoolArray:
        """Which audited labels were wrong, in the order of the audit."""

    @property
    def population(self) -> int | None:
        """Labels the audit is drawn from; None for an endless stream."""

    @property
    def corrected(self) -> int:
        """Errors found that are corrected."""

    @property
    def missed(self) -> float:
        """Chance that a look does not find a wrong label wrong."""

    def below(self, bound: float, risk: float) -> float:
        """Log evidence, at its largest over all looks, that at most `bound` are wrong."""

    def certifies(self, bound: float, risk: float) -> bool:
        """Say whether some look proved that at most `bound` are wrong."""

    def most_found(self, bound: float, risk: float) -> int:
        """Most errors that looks at all labels may find for at most `bound` to be left."""

    def above(self, bound: float, risk: float) -> bool:
        """Say whether some look proved that more than `bound` are wrong."""

    def clean_needed(self, bound: float, risk: float) -> int | None:
        """Further clean looks that certify the bound."""

    def certified(self, risk: float, *, last_only: bool) -> float:
        """Smallest share of errors certified at any look, corrected ones included."""

    def anytime(self, risk: float) -> Interval:
        """Shares of errors that no look rules out, corrected ones included."""

    def interval(self, risk: float) -> Interval | None:
        """Interval for a single look, corrected ones included."""

    def estimate(self) -> float:
        """Share of errors as seen, corrected ones included."""


def conclude(evidence: Evidence, bound: float, risk: float) -> Certificate:
    """Draw the verdict from an audit's evidence, of whichever kind.

    Raises
    ------
    UsageError
        More errors are corrected than were found, or of a population of unknown size; or all
        errors are missed.
    """
    check_evidence(evidence)
    wrong, size, corrected = evidence.wrong, evidence.population, evidence.corrected
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
        population=size,
        e_value=math.exp(min(best, math.log(np.finfo(np.float64).max))),
        needed=needed,
        interval=None if one is None else _less(one, gone, least, evidence, unseen),
        reason=_reason(status, errors, corrected, n, bound, risk, needed, overlooked),
        anytime=_less(evidence.anytime(risk - unseen), gone, least, evidence, unseen),
        estimate=max(evidence.estimate() - gone, least),
        audit=evidence.audit,
        corrected=corrected,
        missed=evidence.missed,
        overlooked=overlooked,
    )


def check_evidence(evidence: Evidence) -> None:
    """Refuse corrections that cannot be, and looks that find nothing.

    Raises
    ------
    UsageError
        More errors are corrected than were found, or of a population of unknown size; or all
        errors are missed.
    """
    check_missed(evidence.missed)
    errors, corrected = int(evidence.wrong.sum()), evidence.corrected
    if not 0 <= corrected <= errors:
        raise UsageError(f"{corrected} errors corrected of {errors} found")
    if corrected and evidence.population is None:
        raise UsageError("corrected errors lower the share only in a population of a known size")


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
    >>> all_of_them = certify([False] * 200, bound=0.02 * 0.9, risk=0.05, population=1000)
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
        reason=_reason(c.status, c.errors, c.corrected, c.n, bound, c.risk, c.needed, c.overlooked),
    )


def _status(evidence: Evidence, bound: float, risk: float) -> _Status:
    size = evidence.population
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
    size, left = evidence.population, int(evidence.wrong.sum()) - evidence.corrected
    if size is None or not evidence.missed or left > tolerated_errors(bound, size):
        return False
    return evidence.wrong.size == size or (not left and not evidence.above(bound, risk))


def _in_all(share: float, evidence: Evidence, unseen: float) -> float:
    """Add what looks miss to a share that they would find at most."""
    size = evidence.population
    if size is None or share >= 1:
        return min(share / (1 - evidence.missed), 1.0)
    return most_wrong(math.ceil(share * size - ROUNDING), evidence.missed, unseen, size) / size


def _less(
    whole: Interval, gone: float, least: float, evidence: Evidence, unseen: float
) -> Interval:
    """Take the corrected share off both ends, and add what looks miss to the high one."""
    high = _in_all(whole.high, evidence, unseen)
    return Interval(max(whole.low - gone, least), max(high - gone, least))


def _reason(
    status: str,
    errors: int,
    corrected: int,
    n: int,
    bound: float,
    risk: float,
    needed: int | None,
    overlooked: bool,
) -> str:
    """Say the verdict in one sentence."""
    of, be = f"{errors} of {counted(n, 'audited label')}", "is" if errors == 1 else "are"
    found = f"{of} {be} wrong"
    if corrected:
        found = f"{of} {'was' if errors == 1 else 'were'} wrong, {corrected} of them corrected"
    if status == "pass":
        return f"{found}: at most {bound:.4g} of all, at {sure(risk)}"
    if overlooked:
        return f"{found}: looks that may miss so many cannot certify {bound:.4g} at {sure(risk)}"
    if status == "fail":
        return f"{found}: more than {bound:.4g} of all, at {sure(risk)}"
    if needed is None:
        return f"{found}: no further audit can certify {bound:.4g}"
    return f"{found}: {clean_audits_certify(needed)} {bound:.4g} at {sure(risk)}"


def sure(risk: float) -> str:
    """Say how sure: by the confidence, or by the risk where that would read 100 %.

    Examples
    --------
    >>> sure(0.04), sure(0.05 * 0.8 * 0.2**3), sure(0.05 * 0.8 * 0.2**8)
    ('96 % confidence', '99.968 % confidence', 'risk 1e-07')
    """
    said = percent(1 - risk, 4)
    return f"risk {risk:.2g}" if said[0] == ">" or said == "100 %" else f"{said} confidence"


def clean_audits_certify(needed: int) -> str:
    """Say how many more looks, all clean, certify what is named next.

    Examples
    --------
    >>> clean_audits_certify(1), clean_audits_certify(78)
    ('1 more clean audit certifies', '78 more clean audits certify')
    """
    return counted(needed, "more clean audit certifies", "more clean audits certify")


def first_count(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Give the first count from `low` for which it holds, `high` if none before does.

    What holds for a count must hold for every larger one.
    """
    below = low - 1
    while high - below > 1:
        middle = (below + high) // 2
        below, high = (below, middle) if holds(middle) else (middle, high)
    return high
