"""From counted votes to coefficients with intervals: the last step of every measure of agreement.

Items are resampled for the intervals, never single votes: votes on one item are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.measure.codes import FloatArray
from labelops.measure.given import check_share, check_whole
from labelops.measure.intervals import clopper_pearson

from .coefficients import Formulas, Level, Measure
from .draws import check_rng
from .patterns import AgreementPartial

__all__ = [
    "ONE_ITEM",
    "Agreement",
    "AgreementResult",
    "Coefficient",
    "finish_agreement",
    "finish_measures",
]

_CHUNK = 1 << 22
_MANY = 5
"""Items with and without a difference from which on resamples of them say how far alpha varies."""
_ENOUGH = 10
"""Items from which on their resamples are believed in any case: to ask for more would hold up small
sets, of which no more items are looked at twice."""
_FEW = "too few items differ for a bootstrap interval"
ONE_ITEM = "one item with two votes says nothing of how far others differ"
_CERTAIN = "all votes name one class, so chance agreement is certain"
_UNPAIRED = "no item has two votes"


@dataclass(frozen=True, slots=True)
class AgreementResult:
    """Krippendorff's alpha with a bootstrap interval by item.

    Attributes
    ----------
    alpha, low, high : float or None
        1 is perfect, 0 is chance; None where the votes cannot say, and `reason` tells why.
    items, votes : int
        Items with at least two votes, and the votes on them.
    reason : str
        Empty when alpha and its interval are there.
    split : int or None
        Items whose votes differ; None where classes have an order.
    chance : float or None
        How often two votes on any two items differ, the disagreement by chance; None likewise.
    """

    alpha: float | None
    low: float | None
    high: float | None
    items: int
    votes: int
    reason: str = ""
    split: int | None = None
    chance: float | None = None

    def cautious(self, confidence: float = 0.95, more: int = 0) -> tuple[float, float] | None:
        """Give the interval of alpha that few items bear; None where there is no alpha.

        Resamples of items that all agree are all alike, and their interval is a point, as one item
        is, which has none. Of fewer than ten items, fewer than five of which votes differ on, or do
        not, it is widened to what the exact interval of the share of such items leaves open.

        Parameters
        ----------
        confidence : float
        more : int
            Items beside those there are, as if votes on all of them agreed.

        Examples
        --------
        >>> few = AgreementResult(1.0, 1.0, 1.0, 2, 4, split=0, chance=2 / 3)
        >>> [round(end, 2) for end in few.cautious()]
        [-0.26, 1.0]
        >>> few.cautious(more=8)
        (1.0, 1.0)
        """
        ends = (self.alpha, self.alpha) if self.reason == ONE_ITEM else (self.low, self.high)
        if self.alpha is None or ends[0] is None or ends[1] is None:
            return None
        split, n = self.split, self.items
        if (
            split is None
            or not self.chance
            or min(split, n - split) >= _MANY
            or n + more >= _ENOUGH
        ):
            return ends[0], ends[1]
        share = clopper_pearson(split, n + more, confidence)
        # Of items that all agree nothing tells how far votes differ where they do.
        each = (1 - self.alpha) * n / split if split else 1 / self.chance
        low, high = 1 - share.high * each, 1 - share.low * each
        return (low if more else min(ends[0], low)), max(ends[1], high)


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One number with its bootstrap interval by item.

    Attributes
    ----------
    value, low, high : float or None
        None where the votes cannot say, and `reason` tells why: one item has no interval.
    reason : str
        Empty when the value and its interval are there.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement between annotators by every usual coefficient.

    Attributes
    ----------
    alpha : Coefficient
        Krippendorff's α.
    kappa : Coefficient
        Fleiss' κ, in Gwet's form for any number of votes an item.
    ac : Coefficient
        Gwet's AC1, or AC2 where classes have an order; steady where one class is common.
    percent : Coefficient
        Share of pairs of votes on an item that are equal, the mean of items.
    level : {'nominal', 'ordinal', 'interval'}
        What is known of the classes.
    items, votes : int
        Items with at least two votes, and the votes on them.
    """

    alpha: Coefficient
    kappa: Coefficient
    ac: Coefficient
    percent: Coefficient
    level: Level
    items: int
    votes: int


def finish_agreement(
    partial: AgreementPartial,
    *,
    rng: np.random.Generator,
    level: Level = "nominal",
    values: ArrayLike | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> AgreementResult:
    """Compute alpha and its interval from a merged partial; see `krippendorff_alpha`.

    Examples
    --------
    >>> from labelops.measure.patterns import agreement_partial
    >>> partial = agreement_partial([0, 0], [0, 1], [1, 1], 2)
    >>> finish_agreement(partial, rng=np.random.default_rng(0)).reason
    'all votes name one class, so chance agreement is certain'
    """
    check_rng(rng)
    paired = partial.pairable()
    formulas = Formulas(paired, level, values)
    found = _estimate(formulas, (formulas.alpha,), rng, confidence, resamples)[0]
    items, votes = _extent(paired)
    split, chance = formulas.differences() if level == "nominal" else (None, None)
    return AgreementResult(
        found.value, found.low, found.high, items, votes, found.reason, split, chance
    )


def finish_measures(
    partial: AgreementPartial,
    *,
    rng: np.random.Generator,
    level: Level = "nominal",
    values: ArrayLike | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> Agreement:
    """Compute all coefficients from a merged partial; see `measure_agreement`.

    Examples
    --------
    >>> from labelops.measure.patterns import agreement_partial
    >>> partial = agreement_partial([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 0, 1], 2)
    >>> finish_measures(partial, rng=np.random.default_rng(0)).percent.value
    0.0
    """
    check_rng(rng)
    formulas = Formulas(partial, level, values)
    measures = (formulas.alpha, formulas.kappa, formulas.ac, formulas.percent)
    alpha, kappa, ac, percent = _estimate(formulas, measures, rng, confidence, resamples)
    return Agreement(alpha, kappa, ac, percent, level, *_extent(partial.pairable()))


def _extent(paired: AgreementPartial) -> tuple[int, int]:
    return int(paired.items.sum()), int(paired.items @ paired.sizes)


def _estimate(
    formulas: Formulas,
    measures: Sequence[Measure],
    rng: np.random.Generator,
    confidence: float,
    resamples: int,
) -> list[Coefficient]:
    """Values of the sample and percentile intervals of resampled items, of several measures."""
    tail = (1 - check_share("confidence", confidence, inside=True)) / 2
    check_whole("resamples", resamples, 0)
    items = formulas.partial.items
    if not (items * formulas.paired).any():
        return [Coefficient(None, None, None, _UNPAIRED) for _ in measures]
    sample = items[None, :].astype(np.float64)
    values = [float(measure(sample)[0]) for measure in measures]
    if resamples and (items * formulas.paired).sum() < 2:
        return [
            Coefficient(v, None, None, ONE_ITEM) if not np.isnan(v) else _nothing() for v in values
        ]
    draws = _bootstrap(formulas, measures, rng, resamples)
    return [_interval(v, d, tail, resamples) for v, d in zip(values, draws, strict=True)]


def _nothing() -> Coefficient:
    return Coefficient(None, None, None, _CERTAIN)


def _interval(value: float, draws: FloatArray, tail: float, resamples: int) -> Coefficient:
    if np.isnan(value):
        return _nothing()
    if not resamples:
        return Coefficient(value, None, None, "no interval was asked for")
    there = draws[~np.isnan(draws)]
    if there.size < resamples / 2:
        return Coefficient(value, None, None, _FEW)
    low, high = np.quantile(there, [tail, 1 - tail])
    return Coefficient(value, float(low), float(high))


def _bootstrap(
    formulas: Formulas, measures: Sequence[Measure], rng: np.random.Generator, resamples: int
) -> list[FloatArray]:
    """Measures of resampled item sets; drawing pattern counts is the same as drawing items."""
    held = formulas.partial.items
    items = int(held.sum())
    rows = max(1, _CHUNK // max(held.size, formulas.partial.n_classes))
    parts: list[list[FloatArray]] = [[np.empty(0)] for _ in measures]
    for start in range(0, resamples, rows):
        drawn = rng.multinomial(items, held / items, size=min(rows, resamples - start))
        weighting = drawn.astype(np.float64)
        for part, measure in zip(parts, measures, strict=True):
            part.append(measure(weighting))
    return [np.concatenate(part) for part in parts]
