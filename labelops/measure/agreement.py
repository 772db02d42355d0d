"""Agreement beyond chance: Krippendorff's α, Fleiss' κ and Gwet's AC, with intervals by item.

Written as partial → merge → finish: `agreement_partial` over any set of whole items, `merge` in
any order, `finish_measures` or `finish_agreement` once; the result is the same as for all at
once. All are sparse: cost and memory follow the votes, never items × classes or items ×
annotators. Items are resampled for the intervals, never single votes: the votes on one item are
not independent. `labelops.measure.cohen` has Cohen's κ of pairs of annotators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.measure.codes import FloatArray
from labelops.measure.intervals import check_share

from .coefficients import Formulas, Level, Measure, one_minus
from .patterns import AgreementPartial, agreement_partial, agreement_partials

__all__ = [
    "Agreement",
    "AgreementPartial",
    "AgreementResult",
    "Coefficient",
    "agreement_by_class",
    "agreement_by_slice",
    "agreement_partial",
    "alpha_by_class",
    "finish_agreement",
    "finish_measures",
    "krippendorff_alpha",
    "measure_agreement",
]

_CHUNK = 1 << 22
_FEW = "too few items differ for a bootstrap interval"
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
    """

    alpha: float | None
    low: float | None
    high: float | None
    items: int
    votes: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One number with its bootstrap interval by item.

    Attributes
    ----------
    value, low, high : float or None
        None where the votes cannot say, and `reason` tells why.
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


def measure_agreement(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_classes: int,
    *,
    rng: np.random.Generator,
    level: Level = "nominal",
    values: ArrayLike | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> Agreement:
    """Measure how far annotators agree, by every usual coefficient.

    Votes may be missing at random: every item counts that has two votes (and the single votes of
    others in how common classes are, for κ and AC).

    Parameters
    ----------
    items, annotators : (V,) array-like
        Ids of the item and the annotator of each vote, integers or strings.
    codes : (V,) array-like of int
        Class of each vote; -1 (missing) is no vote. When an annotator voted twice on an item the
        later row counts.
    n_classes : int
        K.
    rng : numpy.random.Generator
        Draws the bootstrap resamples.
    level : {'nominal', 'ordinal', 'interval'}
        'ordinal': classes are in order, α by Krippendorff's ranks, κ and AC by Gwet's ordinal
        weights. 'interval': differences of `values` count, squared.
    values : (K,) array-like of float, optional
        What each class measures, for 'interval'; 0 … K-1 when left out.
    confidence : float
        Of the percentile intervals.
    resamples : int
        Bootstrap resamples; 0 for no interval.

    Raises
    ------
    UsageError
        The arrays differ in length or hold a class that does not exist, or `level` or `values`
        do not fit.

    References
    ----------
    Krippendorff 2011, https://repository.upenn.edu/handle/20.500.14332/2089
    Fleiss 1971, https://doi.org/10.1037/h0031619
    Gwet 2008, https://doi.org/10.1348/000711006X126600
    Gwet 2014, Handbook of Inter-Rater Reliability, 4th edition, ISBN 978-0-9708062-8-4

    Examples
    --------
    >>> found = measure_agreement([0, 0, 1, 1, 2, 2], [0, 1] * 3, [0, 0, 1, 1, 0, 1], 2,
    ...                           rng=np.random.default_rng(0))
    >>> [round(c.value, 3) for c in (found.alpha, found.kappa, found.ac, found.percent)]
    [0.444, 0.333, 0.333, 0.667]
    """
    partial = agreement_partial(items, annotators, codes, n_classes)
    return finish_measures(
        partial, rng=rng, level=level, values=values, confidence=confidence, resamples=resamples
    )


def agreement_by_class(
    partial: AgreementPartial,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> tuple[Agreement, ...]:
    """Measure agreement on each class against all others.

    Returns
    -------
    tuple of Agreement
        One a class, in order.

    Examples
    --------
    >>> partial = agreement_partial([0, 0, 1, 1, 2, 2], [0, 1] * 3, [0, 0, 1, 2, 2, 1], 3)
    >>> by_class = agreement_by_class(partial, rng=np.random.default_rng(0))
    >>> [round(found.alpha.value, 2) for found in by_class]
    [1.0, -0.25, -0.25]
    """
    return tuple(
        finish_measures(
            partial.against_rest(code), rng=rng, confidence=confidence, resamples=resamples
        )
        for code in range(partial.n_classes)
    )


def agreement_by_slice(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_classes: int,
    groups: ArrayLike,
    *,
    rng: np.random.Generator,
    level: Level = "nominal",
    values: ArrayLike | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> dict[object, Agreement]:
    """Measure agreement on the items of each group.

    Parameters
    ----------
    groups : (V,) array-like
        Group of each vote's item, integers or strings; the other parameters are those of
        `measure_agreement`.

    Returns
    -------
    dict
        Agreement by group, sorted.

    Examples
    --------
    >>> found = agreement_by_slice([0, 0, 1, 1, 2, 2], [0, 1] * 3, [0, 0, 1, 1, 0, 1], 2,
    ...                            ["day", "day", "day", "day", "night", "night"],
    ...                            rng=np.random.default_rng(0))
    >>> {group: measured.percent.value for group, measured in found.items()}
    {'day': 1.0, 'night': 0.0}
    """
    partials = agreement_partials(items, annotators, codes, n_classes, groups)
    return {
        group: finish_measures(
            partial, rng=rng, level=level, values=values, confidence=confidence, resamples=resamples
        )
        for group, partial in partials.items()
    }


def krippendorff_alpha(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_classes: int,
    *,
    rng: np.random.Generator,
    level: Level = "nominal",
    values: ArrayLike | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> AgreementResult:
    """Measure by Krippendorff's alpha alone how far annotators agree beyond chance.

    Parameters
    ----------
    items, annotators, codes, n_classes, rng, level, values, confidence, resamples
        See `measure_agreement`.

    Returns
    -------
    AgreementResult
        With `alpha` None and a reason when no item has two votes or all votes name one class.

    Raises
    ------
    UsageError
        The arrays differ in length or hold a class that does not exist.

    References
    ----------
    Krippendorff 2011, Computing Krippendorff's Alpha-Reliability,
    https://repository.upenn.edu/handle/20.500.14332/2089
    Hayes, Krippendorff 2007, https://doi.org/10.1080/19312450709336664

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> result = krippendorff_alpha([0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 1], 2, rng=rng)
    >>> result.alpha, result.items, result.votes
    (1.0, 2, 4)
    """
    partial = agreement_partial(items, annotators, codes, n_classes)
    return finish_agreement(
        partial, rng=rng, level=level, values=values, confidence=confidence, resamples=resamples
    )


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
    >>> partial = agreement_partial([0, 0], [0, 1], [1, 1], 2)
    >>> finish_agreement(partial, rng=np.random.default_rng(0)).reason
    'all votes name one class, so chance agreement is certain'
    """
    paired = partial.pairable()
    formulas = Formulas(paired, level, values)
    found = _estimate(formulas, (formulas.alpha,), rng, confidence, resamples)[0]
    items, votes = _extent(paired)
    return AgreementResult(found.value, found.low, found.high, items, votes, found.reason)


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
    >>> partial = agreement_partial([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 0, 1], 2)
    >>> finish_measures(partial, rng=np.random.default_rng(0)).percent.value
    0.0
    """
    formulas = Formulas(partial, level, values)
    measures = (formulas.alpha, formulas.kappa, formulas.ac, formulas.percent)
    alpha, kappa, ac, percent = _estimate(formulas, measures, rng, confidence, resamples)
    return Agreement(alpha, kappa, ac, percent, level, *_extent(partial.pairable()))


def alpha_by_class(partial: AgreementPartial) -> FloatArray:
    """Give alpha of each class against all others, without intervals.

    Returns
    -------
    (K,) float
        NaN for a class with no vote, or with all of them, on items with two votes.

    Examples
    --------
    >>> partial = agreement_partial([0, 0, 1, 1, 2, 2], [0, 1] * 3, [0, 0, 1, 2, 2, 1], 3)
    >>> alpha_by_class(partial).round(2).tolist()
    [1.0, -0.25, -0.25]
    """
    paired = partial.pairable()
    m, counts = paired.sizes.astype(np.float64), paired.counts
    weight = paired.items / (m - 1)
    # Within an item 2 c (m - c) ordered pairs differ on the class that has c of the m votes.
    squares = counts.multiply(counts)
    observed = 2 * (counts.T @ (weight * m) - squares.T @ weight)
    totals = counts.T @ paired.items.astype(np.float64)
    votes = totals.sum()
    return one_minus(np.asarray(observed).ravel() * (votes - 1), 2 * totals * (votes - totals))


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
    items = formulas.partial.items
    if not (items * formulas.paired).any():
        return [Coefficient(None, None, None, _UNPAIRED) for _ in measures]
    sample = items[None, :].astype(np.float64)
    values = [float(measure(sample)[0]) for measure in measures]
    draws = _bootstrap(formulas, measures, rng, resamples)
    return [_interval(v, d, tail, resamples) for v, d in zip(values, draws, strict=True)]


def _interval(value: float, draws: FloatArray, tail: float, resamples: int) -> Coefficient:
    if np.isnan(value):
        return Coefficient(None, None, None, _CERTAIN)
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
