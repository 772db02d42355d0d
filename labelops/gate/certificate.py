"""Is the share of wrong labels small enough: a certificate from a random audit, at any look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, IntArray
from labelops.measure.eprocess import (
    check_outcomes,
    exceeded_at,
    log_e_value,
    log_e_value_above,
    log_wanted,
    running_maximum,
)
from labelops.measure.finite import drawn_interval, tolerated_errors
from labelops.measure.given import check_risk, check_share, check_whole
from labelops.measure.halving import first_count
from labelops.measure.intervals import Interval, clopper_pearson
from labelops.measure.missed import seen_bound
from labelops.measure.sequences import certified_bound, confidence_sequence
from labelops.measure.staircase import (
    certified_by_then,
    clean_looks_to_certify,
    is_certified,
    most_found_evenly,
)

from .conclusion import conclude
from .evidence import Certificate, check_evidence

__all__ = ["Certificate", "certified_at", "certify"]


def certify(
    outcomes: ArrayLike,
    bound: float,
    risk: float,
    size: int | None = None,
    corrected: int = 0,
    missed: float = 0.0,
) -> Certificate:
    """Judge an audit as it stands; it may be judged again after every further look.

    However often one looks, a set with more than `bound` wrong passes with probability at most
    `risk`, and one with no more fails with probability at most `risk`; wrong as the labels are
    now, after corrections, whatever is corrected and when: of an endless stream by the e-process of
    `labelops.measure.error_evidence`, of a set of known size by the exact steps of
    `labelops.measure.staircase`.

    Parameters
    ----------
    outcomes : (n,) array-like of bool
        True where the audited label was wrong, in the order of the audit. The audited labels must
        be a uniform random sample of those to be judged, taken without regard to the label. A
        label that was corrected because it was found wrong stays True.
    bound : float
        Tolerated share of wrong labels, in [0, 1].
    risk : float
        Tolerated probability of a mistaken verdict, in (0, 1).
    size : int, optional
        Labels to be judged, one at least, when the sample was drawn from them without replacement.
        The verdict is certain once the rest cannot change it, and errors may be `corrected`. A
        small set takes fewer audits than a stream, a large one without an error some more, and
        one whose errors stay in it more, too: the steps are drawn for sets that are mended.
    corrected : int
        How many of the errors found are corrected in the labels to be judged, of a known `size`.
    missed : float
        Chance that a look does not find a wrong label wrong, in [0, 1).

    Returns
    -------
    Certificate
        Evidence that the set is too bad outweighs earlier evidence that it is good.

    Raises
    ------
    UsageError
        A share is out of range, an outcome is neither true nor false, more were audited than
        there are, or more corrected than found.

    Examples
    --------
    >>> found = certify([False] * 100, bound=0.02, risk=0.05)
    >>> found.status, found.needed, round(found.certified, 3)
    ('inconclusive', 78, 0.035)
    >>> certify([False] * 178, bound=0.02, risk=0.05).status
    'pass'

    Clean audits that a stream takes, and sets of some sizes:

    >>> [certify([], 0.02, 0.05, size).needed for size in (None, 500, 1797, 5000, 10_000, 20_000)]
    [178, 127, 162, 176, 183, 189]

    An error that is corrected takes fewer further looks than one that is left as it is.

    >>> looks = [True] + [False] * 199
    >>> [certify(looks, 0.02, 0.05, size=1797, corrected=c).needed for c in (0, 1)]
    [193, 57]

    So does one where looks find each wrong label, or miss one in twenty.

    >>> [certify([], 0.02, 0.05, size=1797, missed=m).needed for m in (0.0, 0.05)]
    [162, 171]
    """
    return conclude(_evidence(outcomes, bound, risk, size, corrected, missed), bound, risk)


def certified_at(
    outcomes: ArrayLike,
    bound: float,
    risk: float,
    size: int | None = None,
    corrected: int = 0,
    missed: float = 0.0,
) -> int | None:
    """Give the first look (counted from 1) after which `certify` passes, or None.

    Parameters
    ----------
    outcomes, bound, risk, size, corrected, missed
        As for `certify`. What is corrected by now counts at earlier looks too.

    Examples
    --------
    >>> certified_at([False] * 400, 0.02, 0.05), certified_at([False] * 400, 0.02, 0.05, 1797)
    (178, 162)
    """
    evidence = _evidence(outcomes, bound, risk, size, corrected, missed)
    check_evidence(evidence)
    passes = evidence.passes(bound, risk)
    return int(passes.argmax()) + 1 if passes.any() else None


def _evidence(
    outcomes: ArrayLike,
    bound: float,
    risk: float,
    size: int | None,
    corrected: int,
    missed: float,
) -> _EvenEvidence:
    check_share("bound", bound)
    check_risk(risk)
    wrong = check_outcomes(outcomes)
    if size is not None:
        check_whole("size", size)
    if size is not None and wrong.size > size:
        raise UsageError(f"{wrong.size} audited labels in a set of {size}")
    return _EvenEvidence(wrong, size, corrected, missed)


@dataclass(frozen=True, slots=True)
class _EvenEvidence:
    """Of an audit that draws every label with the same chance."""

    wrong: BoolArray
    size: int | None
    corrected: int
    missed: float
    audit: Literal["uniform"] = "uniform"

    @property
    def _counts(self) -> tuple[int, int]:
        return int(self.wrong.sum()), int(self.wrong.size)

    def below(self, bound: float, risk: float) -> float:
        seen = seen_bound(bound, self.missed, self.size, self.corrected)
        best = running_maximum(self.wrong, seen, self.size, self.corrected)
        return float(best[-1]) if best.size else 0.0

    def certifies(self, bound: float, risk: float) -> bool:
        if self.size is None:
            return self.below(bound, risk) >= log_wanted(risk)
        size, corrected = self.size, self.corrected
        return is_certified(self.wrong, bound, risk, size, corrected, self.missed)

    def passes(self, bound: float, risk: float) -> BoolArray:
        """Say of each look whether the verdict passed then, as `conclude` reaches it."""
        n, size, corrected = self.wrong.size, self.size, self.corrected
        looks, errors = np.arange(1, n + 1), np.cumsum(self.wrong)
        if bound >= 1:
            return np.ones(n, dtype=np.bool_)
        if size is None:
            seen = seen_bound(bound, self.missed)
            good = running_maximum(self.wrong, seen) >= log_wanted(risk)
        else:
            good = certified_by_then(self.wrong, bound, risk, size, corrected, self.missed)
        bad = exceeded_at(self.wrong, bound, risk, size, corrected)
        if bad is not None:
            good &= (looks < bad) | (looks == size)
        if size is not None:
            good |= errors + size - looks <= self.most_found(bound, risk)
            good &= errors - corrected <= tolerated_errors(bound, size)
        return np.asarray(good)

    def most_found(self, bound: float, risk: float) -> int:
        if self.size is None:
            return -1
        return most_found_evenly(bound, risk, self.size, self.corrected, self.missed)

    def above(self, bound: float, risk: float) -> bool:
        return exceeded_at(self.wrong, bound, risk, self.size, self.corrected) is not None

    def clean_needed(self, bound: float, risk: float) -> int | None:
        size, corrected = self.size, self.corrected
        return clean_looks_to_certify(*self._counts, bound, risk, size, corrected, self.missed)

    def certified(self, risk: float, *, last_only: bool) -> float:
        # Between two errors the evidence only grows, so the looks just before an error and the
        # last one are the only ones that count. Where the set has failed, earlier ones are void.
        if not self.wrong.size:
            return 1.0
        looks: IntArray = np.append(np.flatnonzero(self.wrong), self.wrong.size).astype(np.int64)
        errors: IntArray = np.arange(looks.size, dtype=np.int64)
        if last_only:
            looks, errors = looks[-1:], errors[-1:]
        size = self.size
        if size is None:
            return float(certified_bound(errors, looks, risk).min())

        def enough(count: int) -> bool:
            values = log_e_value(errors, looks, count / size, size)
            return bool(values.max() >= log_wanted(risk))

        # Fewer than the errors found so far are out of the question, whatever an early look said.
        return first_count(enough, int(errors[-1]), size) / size

    def anytime(self, risk: float) -> Interval:
        # Each e-process may be stopped at any look, so the last one will do.
        (errors, n), size, wanted = self._counts, self.size, log_wanted(risk / 2)
        if size is None:
            return confidence_sequence(errors, n, risk=risk)

        def low_enough(count: int) -> bool:
            return bool(log_e_value_above(errors, n, count / size, size) < wanted)

        def high_enough(count: int) -> bool:
            return bool(log_e_value(errors, n, count / size, size) >= wanted)

        low = first_count(low_enough, 0, errors + size - n)
        return Interval(low / size, first_count(high_enough, errors, errors + size - n) / size)

    def interval(self, risk: float) -> Interval | None:
        (errors, n), size = self._counts, self.size
        if size is None or not n:
            return clopper_pearson(errors, n, risk=risk)
        return drawn_interval(errors, n, size, risk)

    def estimate(self) -> float:
        errors, n = self._counts
        return errors / n if n else 0.0
