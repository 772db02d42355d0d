"""What an audit has to show, of whichever kind, and the certificate that it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from labelops.errors import UsageError, counted
from labelops.measure.codes import BoolArray
from labelops.measure.intervals import Interval
from labelops.measure.missed import check_missed

from .words import clean_audits_certify, sure

__all__ = ["Certificate", "Evidence", "Status", "check_evidence"]

Status = Literal["pass", "fail", "inconclusive"]
_ANYWHERE = Interval(0.0, 1.0)


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
    size : int or None
        Labels the audit was drawn from without replacement, if known.
    e_value : float
        The evidence, at its largest over all looks, capped at the largest float. 1/risk suffices,
        but in a set of known size that is drawn evenly: there `labelops.measure.staircase` decides.
    needed : int or None
        More clean audits until it passes; 0 once it has, None when none can help.
    interval : Interval or None
        Two-sided Clopper–Pearson interval at confidence 1 - risk, as if for this look alone; of a
        set of known size by the chances of a draw without replacement, so that a look at all labels
        leaves no doubt but of what it missed. None for a weighted audit, of which it does not hold.
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

    status: Status
    bound: float
    risk: float
    certified: float
    errors: int
    n: int
    size: int | None
    e_value: float
    needed: int | None
    interval: Interval | None
    anytime: Interval = _ANYWHERE
    estimate: float = 0.0
    audit: Literal["uniform", "weighted"] = "uniform"
    corrected: int = 0
    missed: float = 0.0
    overlooked: bool = False

    @property
    def reason(self) -> str:
        """The verdict in one sentence."""
        of, one = f"{self.errors} of {counted(self.n, 'audited label')}", self.errors == 1
        found = f"{of} {'is' if one else 'are'} wrong"
        if self.corrected:
            found = f"{of} {'was' if one else 'were'} wrong, {self.corrected} of them corrected"
        bound, confident = f"{self.bound:.4g}", sure(self.risk)
        if self.status == "pass":
            return f"{found}: at most {bound} of all, at {confident}"
        if self.overlooked:
            return f"{found}: looks that may miss so many cannot certify {bound} at {confident}"
        if self.status == "fail":
            return f"{found}: more than {bound} of all, at {confident}"
        if self.needed is None:
            return f"{found}: no further audit can certify {bound}"
        return f"{found}: {clean_audits_certify(self.needed)} {bound} at {confident}"


class Evidence(Protocol):
    """What an audit of a kind has shown; `corrected` errors are left out of every share."""

    @property
    def audit(self) -> Literal["uniform", "weighted"]:
        """How labels were drawn."""

    @property
    def wrong(self) -> BoolArray:
        """Which audited labels were wrong, in the order of the audit."""

    @property
    def size(self) -> int | None:
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


def check_evidence(evidence: Evidence) -> None:
    """Refuse corrections that cannot be, and looks that find nothing.

    Raises
    ------
    UsageError
        More errors are corrected than were found, or of a set of unknown size; or all
        errors are missed.
    """
    check_missed(evidence.missed)
    errors, corrected = int(evidence.wrong.sum()), evidence.corrected
    if not 0 <= corrected <= errors:
        raise UsageError(f"{corrected} errors corrected of {errors} found")
    if corrected and evidence.size is None:
        raise UsageError("corrected errors lower the share only in a set of a known size")
