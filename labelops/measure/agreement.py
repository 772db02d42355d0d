"""Agreement between annotators: Krippendorff's alpha for classes, with an interval by item.

Written as partial → merge → finish: `agreement_partial` over any set of whole items, `merge` in any
order, `finish_agreement` once. Items whose votes are the same multiset of classes count the same,
so a partial keeps each such pattern once with how many items show it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray, IntArray, check_codes
from labelops.measure.intervals import check_share

__all__ = [
    "AgreementPartial",
    "AgreementResult",
    "agreement_partial",
    "alpha_by_class",
    "finish_agreement",
    "krippendorff_alpha",
]

_CHUNK = 1 << 22


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
class AgreementPartial:
    """What alpha needs to know of some items: vote patterns and how many items show each.

    Attributes
    ----------
    n_classes : int
        K.
    counts : (P, K) sparse
        Votes per class of each pattern; at least two votes a pattern.
    items : (P,) int
        Items that show the pattern.
    """

    n_classes: int
    counts: sparse.csr_matrix
    items: IntArray

    def merge(self, other: AgreementPartial) -> AgreementPartial:
        """Add the items of another partial; the items of the two must be different ones."""
        if other.n_classes != self.n_classes:
            raise UsageError(f"cannot merge {self.n_classes} classes with {other.n_classes}")
        counts = sparse.vstack([self.counts, other.counts], format="csr")
        return AgreementPartial(self.n_classes, counts, np.concatenate([self.items, other.items]))


def krippendorff_alpha(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_classes: int,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> AgreementResult:
    """Measure how far annotators agree beyond chance.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote. When an annotator
        voted twice on an item the later row counts.
    n_classes : int
        K.
    rng : numpy.random.Generator
        Draws the bootstrap resamples.
    confidence : float
        Of the percentile interval. Items are resampled, never single votes: votes on one item are
        not independent.
    resamples : int
        Bootstrap resamples.

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
    return finish_agreement(partial, rng=rng, confidence=confidence, resamples=resamples)


def agreement_partial(
    items: ArrayLike, annotators: ArrayLike, codes: ArrayLike, n_classes: int
) -> AgreementPartial:
    """Reduce the votes of some items to what alpha needs; all votes of an item belong together.

    Raises
    ------
    UsageError
        The arrays differ in length or hold a class that does not exist.

    Examples
    --------
    >>> agreement_partial([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], [0, 1, 1, 0, 1], 2).items.tolist()
    [2]
    """
    item, code = _one_vote_each(items, annotators, check_codes(codes, n_classes))
    order = np.lexsort((code, item))
    item, code = item[order], code[order]
    _, starts, sizes = np.unique(item, return_index=True, return_counts=True)
    blocks, repeats = [], []
    for size in np.unique(sizes[sizes > 1]).tolist():
        rows = starts[sizes == size]
        patterns, seen = np.unique(
            code[rows[:, None] + np.arange(size)], axis=0, return_counts=True
        )
        blocks.append(_pattern_counts(patterns, n_classes))
        repeats.append(seen.astype(np.int64))
    if not blocks:
        return AgreementPartial(
            n_classes, sparse.csr_matrix((0, n_classes)), np.empty(0, dtype=np.int64)
        )
    return AgreementPartial(n_classes, sparse.vstack(blocks, format="csr"), np.concatenate(repeats))


def _one_vote_each(
    items: ArrayLike, annotators: ArrayLike, code: IntArray
) -> tuple[IntArray, IntArray]:
    """Drop missing votes and all but the last vote of an annotator on an item."""
    item, annotator = np.asarray(items), np.asarray(annotators)
    if not item.shape == annotator.shape == code.shape:
        raise UsageError(
            f"votes: {item.shape} items, {annotator.shape} annotators and {code.shape} codes; "
            "expected arrays of one length"
        )
    there = code >= 0
    item, annotator, code = item[there], annotator[there], code[there]
    order = np.lexsort((annotator, item))
    item, annotator, code = item[order], annotator[order], code[order]
    last = np.ones(item.size, dtype=np.bool_)
    last[:-1] = (item[1:] != item[:-1]) | (annotator[1:] != annotator[:-1])
    return item[last].astype(np.int64), code[last]


def _pattern_counts(patterns: IntArray, n_classes: int) -> sparse.csr_matrix:
    """Class counts `(P, K)` of patterns `(P, m)` of m codes each."""
    rows = np.repeat(np.arange(patterns.shape[0]), patterns.shape[1])
    ones = np.ones(rows.size)
    return sparse.csr_matrix((ones, (rows, patterns.ravel())), shape=(patterns.shape[0], n_classes))


def finish_agreement(
    partial: AgreementPartial,
    *,
    rng: np.random.Generator,
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
    tail = (1 - check_share("confidence", confidence, inside=True)) / 2
    items, votes = int(partial.items.sum()), _votes(partial)
    if not items:
        return AgreementResult(None, None, None, 0, 0, "no item has two votes")
    alpha = float(_alpha(partial, partial.items[None, :].astype(np.float64))[0])
    if np.isnan(alpha):
        reason = "all votes name one class, so chance agreement is certain"
        return AgreementResult(None, None, None, items, votes, reason)
    draws = _bootstrap(partial, rng, resamples)
    draws = draws[~np.isnan(draws)]
    if draws.size < resamples / 2:
        reason = "too few items differ for a bootstrap interval"
        return AgreementResult(alpha, None, None, items, votes, reason)
    low, high = np.quantile(draws, [tail, 1 - tail])
    return AgreementResult(alpha, float(low), float(high), items, votes)


def _bootstrap(partial: AgreementPartial, rng: np.random.Generator, resamples: int) -> FloatArray:
    """Alpha of resampled item sets; drawing pattern counts is the same as drawing items."""
    items = int(partial.items.sum())
    shares = partial.items / items
    rows = max(1, _CHUNK // max(partial.items.size, partial.n_classes))
    parts = [
        _alpha(
            partial,
            rng.multinomial(items, shares, size=min(rows, resamples - start)).astype(np.float64),
        )
        for start in range(0, resamples, rows)
    ]
    return np.concatenate(parts)


def _votes(partial: AgreementPartial) -> int:
    return int(partial.items @ np.asarray(partial.counts.sum(axis=1)).ravel())


def _alpha(partial: AgreementPartial, weights: FloatArray) -> FloatArray:
    """Alpha `(B,)` for B weightings `(B, P)` of the patterns; NaN where chance cannot disagree."""
    m = np.asarray(partial.counts.sum(axis=1)).ravel()
    same = np.asarray(partial.counts.multiply(partial.counts).sum(axis=1)).ravel()
    disagreement = weights @ ((m**2 - same) / (m - 1))
    votes = weights @ m
    totals = np.asarray((partial.counts.T @ weights.T).T)
    chance = votes**2 - (totals**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        alpha = 1 - disagreement * (votes - 1) / chance
    return np.where(chance > 0, alpha, np.nan)


def alpha_by_class(partial: AgreementPartial) -> FloatArray:
    """Give alpha of each class against all others.

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
    m = np.asarray(partial.counts.sum(axis=1)).ravel()
    weight = partial.items / (m - 1)
    # Within an item 2 c (m - c) ordered pairs differ on the class that has c of the m votes.
    squares = partial.counts.multiply(partial.counts)
    observed = 2 * (partial.counts.T @ (weight * m) - squares.T @ weight)
    totals = partial.counts.T @ partial.items.astype(np.float64)
    votes = totals.sum()
    chance = 2 * totals * (votes - totals)
    with np.errstate(divide="ignore", invalid="ignore"):
        alpha = 1 - np.asarray(observed).ravel() * (votes - 1) / chance
    return np.where(chance > 0, alpha, np.nan)
