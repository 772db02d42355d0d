"""A certificate from an audit that looks more often where labels are in doubt.

When many labels are expected to be wrong, even draws need long to tell a share a little below the
bound from the bound itself. Draws by doubt, seven tenths of them even, find the errors there are
sooner and weigh each by its chance (see `labelops.measure.weighted`). Whatever the doubts are
worth, the certificate is as valid as the even one; worthless doubts only make it dearer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray
from labelops.measure.eprocess import check_outcomes, log_wanted
from labelops.measure.finite import tolerated_errors
from labelops.measure.given import check_risk, check_share
from labelops.measure.halving import first_count
from labelops.measure.intervals import Interval
from labelops.measure.weighted import (
    log_e_values_count,
    log_e_values_weighted_above,
    weighted_estimate,
)
from labelops.measure.weighted_certified import log_e_values_seen, most_found_weighted

from .conclusion import conclude
from .evidence import Certificate

__all__ = ["certify_weighted"]

_FIRST_TRY = 256


def certify_weighted(
    outcomes: ArrayLike,
    chances: ArrayLike,
    bound: float,
    risk: float,
    corrected: int = 0,
    missed: float = 0.0,
) -> Certificate:
    """Judge a weighted audit as it stands; it may be judged again after every further look.

    However often one looks, a set with more than `bound` wrong passes with probability at most
    `risk`, and one with no more fails with probability at most `risk`; wrong as the labels are
    now, after corrections. Each bet against "more than m wrong" gains more, at every look, for a
    larger m: so as in `labelops.gate.certificate.certify` a false pass needs the evidence against
    the true m to reach 1/risk, whatever number comes to be corrected.

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
    corrected : int
        How many of the errors found are corrected in the labels to be judged.
    missed : float
        Chance that a look does not find a wrong label wrong, in [0, 1).

    Raises
    ------
    UsageError
        A share or a chance is out of range, an outcome is neither true nor false, more were
        audited than there are, or more corrected than found.

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
    check_risk(risk)
    wrong, odds = check_outcomes(outcomes), _check_chances(chances)
    if wrong.size > odds.size:
        raise UsageError(f"{wrong.size} audited labels in a set of {odds.size}")
    return conclude(_WeightedEvidence(wrong, odds, corrected, missed), bound, risk)


def _check_chances(chances: ArrayLike) -> FloatArray:
    odds = np.asarray(chances, dtype=np.float64)
    if odds.ndim != 1 or not odds.size or not (np.isfinite(odds) & (odds > 0)).all():
        raise UsageError("chances: expected one finite number above 0 a label, and a label")
    chance: FloatArray = odds / odds.sum()
    return chance


@dataclass(frozen=True, slots=True)
class _WeightedEvidence:
    """Of an audit that draws labels by their chances."""

    wrong: BoolArray
    chances: FloatArray
    corrected: int
    missed: float
    audit: Literal["weighted"] = "weighted"

    @property
    def size(self) -> int:
        return int(self.chances.size)

    def _moved(self, bound: float) -> int:
        """Most errors in all for at most `bound` to be left."""
        return min(tolerated_errors(bound, self.size) + self.corrected, self.size)

    def _seen(self, wrong: BoolArray, bound: float, risk: float) -> FloatArray:
        """Log evidence, up to each look, that at most `bound` are left, found or not."""
        at = np.arange(wrong.size)
        return log_e_values_seen(wrong, at, self.chances, bound, risk, self.corrected, self.missed)

    def below(self, bound: float, risk: float) -> float:
        return float(self._seen(self.wrong, bound, risk).max(initial=0.0))

    def certifies(self, bound: float, risk: float) -> bool:
        return self.below(bound, risk) >= log_wanted(risk)

    def most_found(self, bound: float, risk: float) -> int:
        return most_found_weighted(bound, risk, self.size, self.corrected, self.missed)

    def above(self, bound: float, risk: float) -> bool:
        values = _above(self.wrong, self.chances, self._moved(bound))
        return bool(values.max(initial=0.0) >= log_wanted(risk))

    def clean_needed(self, bound: float, risk: float) -> int | None:
        n, size, more = self.wrong.size, self.size, _FIRST_TRY
        open_ = self.most_found(bound, risk) - int(self.wrong.sum())
        all_ = max(size - open_ - n, 0) if open_ >= 0 else None
        while True:
            upto = min(n + more, size)
            clean = np.concatenate([self.wrong, np.zeros(upto - n, dtype=bool)])
            reached = np.flatnonzero(self._seen(clean, bound, risk)[n:] >= log_wanted(risk))
            if reached.size:
                first = int(reached[0]) + 1
                return first if all_ is None else min(first, all_)
            if upto == size:
                return all_
            more *= 2

    def certified(self, risk: float, *, last_only: bool) -> float:
        if not self.wrong.size:
            return 1.0

        def enough(count: int) -> bool:
            values = _below(self.wrong, self.chances, count)
            return bool((values[-1] if last_only else values.max()) >= log_wanted(risk))

        return first_count(enough, int(self.wrong.sum()), self.size) / self.size

    def anytime(self, risk: float) -> Interval:
        wrong, odds, size, wanted = self.wrong, self.chances, self.size, log_wanted(risk / 2)
        if not wrong.size:
            return Interval(0.0, 1.0)
        errors = int(wrong.sum())
        most = errors + size - wrong.size
        high = first_count(lambda m: bool(_below(wrong, odds, m)[-1] >= wanted), errors, most)
        low = first_count(lambda m: bool(_above(wrong, odds, m)[-1] < wanted), errors, high)
        return Interval(low / size, high / size)

    def interval(self, risk: float) -> None:
        """Give none: Clopper–Pearson holds for even draws."""

    def estimate(self) -> float:
        return weighted_estimate(self.wrong, np.arange(self.wrong.size), self.chances)


def _below(wrong: BoolArray, odds: FloatArray, count: int) -> FloatArray:
    """Log evidence, after each look, against "more than `count` labels are wrong"."""
    return log_e_values_count(wrong, np.arange(wrong.size), odds, count)


def _above(wrong: BoolArray, odds: FloatArray, count: int) -> FloatArray:
    """Log evidence, after each look, against "at most `count` labels are wrong"."""
    share = count / odds.size
    return log_e_values_weighted_above(wrong, np.arange(wrong.size), odds, share)
