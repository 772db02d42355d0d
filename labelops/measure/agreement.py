"""Agreement beyond chance: Krippendorff's α, Fleiss' κ and Gwet's AC, with intervals by item.

Written as partial → merge → finish: `agreement_partial` over any set of whole items, `merge` in
any order, `finish_measures` or `finish_agreement` once; the result is the same as for all at
once. All are sparse: cost and memory follow the votes, never items × classes or items ×
annotators. Items are resampled for the intervals, never single votes: the votes on one item are
not independent. `labelops.measure.cohen` has Cohen's κ of pairs of annotators.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .agreement_results import (
    Agreement,
    AgreementResult,
    Coefficient,
    finish_agreement,
    finish_measures,
)
from .coefficients import Level
from .draws import check_rng
from .patterns import AgreementPartial, agreement_partial, agreement_partials

__all__ = [
    "Agreement",
    "AgreementPartial",
    "AgreementResult",
    "Coefficient",
    "agreement_by_class",
    "agreement_by_slice",
    "agreement_partial",
    "finish_agreement",
    "finish_measures",
    "krippendorff_alpha",
    "measure_agreement",
]


def measure_agreement(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_classes: int | None = None,
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
    n_classes : int, optional
        K, by which AC tells how often chance agrees; the largest code plus one when left out.
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
    check_rng(rng)
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
    check_rng(rng)
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
    check_rng(rng)
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
    n_classes: int | None = None,
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
    check_rng(rng)
    partial = agreement_partial(items, annotators, codes, n_classes)
    return finish_agreement(
        partial, rng=rng, level=level, values=values, confidence=confidence, resamples=resamples
    )
