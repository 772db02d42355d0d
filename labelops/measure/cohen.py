"""Cohen's κ of every pair of annotators that share items, and its mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.given import check_share, check_whole

from .agreement_results import ONE_ITEM, Coefficient
from .coefficients import one_minus
from .draws import check_rng
from .patterns import packed
from .votes import Votes, named

__all__ = ["PairKappas", "cohen_kappa"]


@dataclass(frozen=True, slots=True)
class PairKappas:
    """Agreement beyond chance of pairs of annotators.

    Attributes
    ----------
    mean : Coefficient
        Mean κ of the pairs, each weighted by the items it shares.
    annotators : (P, 2) object
        Ids of the pairs that share an item, sorted.
    kappa : (P,) float
        κ of each pair; NaN where both always name the same one class.
    items : (P,) int
        Items that each pair shares.
    """

    mean: Coefficient
    annotators: NDArray[np.object_]
    kappa: FloatArray
    items: IntArray


def cohen_kappa(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_classes: int | None = None,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 200,
) -> PairKappas:
    """Measure how far each pair of annotators agrees beyond their own two chances.

    Cost and memory are linear in the pairs of votes on an item, and cost in the resamples too.

    Parameters
    ----------
    items, annotators : (V,) array-like
        Ids of the item and the annotator of each vote, integers or strings.
    codes : (V,) array-like of int
        Class of each vote; -1 (missing) is no vote. When an annotator voted twice on an item the
        later row counts.
    n_classes : int, optional
        K; the largest code plus one when left out.
    rng : numpy.random.Generator
        Draws the bootstrap resamples of items.
    confidence : float
        Of the percentile interval of the mean.
    resamples : int
        Bootstrap resamples; 0 for no interval.

    Raises
    ------
    UsageError
        The arrays differ in length or hold a class that does not exist.

    References
    ----------
    Cohen 1960, https://doi.org/10.1177/001316446002000104
    Light 1971, https://doi.org/10.1037/h0031643 (the mean of pairs)

    Examples
    --------
    >>> found = cohen_kappa([0, 0, 1, 1, 2, 2, 3, 3], ["x", "y"] * 4, [0, 0, 1, 1, 0, 1, 1, 1], 2,
    ...                     rng=np.random.default_rng(0))
    >>> found.annotators.tolist(), found.kappa.tolist(), found.items.tolist()
    ([['x', 'y']], [0.5], [4])
    """
    check_rng(rng)
    tail = (1 - check_share("confidence", confidence, inside=True)) / 2
    check_whole("resamples", resamples, 0)
    votes, names = _packed(items, annotators, codes, n_classes)
    pairs = _Pairs(votes)
    if not pairs.item.size:
        nothing = Coefficient(None, None, None, "no item has two votes")
        return PairKappas(nothing, np.empty((0, 2), object), np.empty(0), np.empty(0, np.int64))
    kappa, shared = pairs.kappas(None)
    first, second = np.divmod(pairs.ids, votes.n_annotators)
    return PairKappas(
        _mean(pairs, _weighted(kappa, shared), rng, tail, resamples),
        np.stack([names[first], names[second]], axis=1),
        kappa,
        shared.astype(np.int64),
    )


def _packed(
    items: ArrayLike, annotators: ArrayLike, codes: ArrayLike, n_classes: int | None
) -> tuple[Votes, NDArray[np.object_]]:
    """Pack votes under any ids; give the ids of annotators in the order of their numbers."""
    who, names = named(annotators, "an annotator")
    votes = packed(items, who, codes, n_classes)
    ids = np.empty(len(names), dtype=object)
    ids[:] = names
    return votes, ids


class _Pairs:
    """Every pair of votes on an item, the pair of annotators it belongs to, and its classes.

    `own` and `other` number the (pair, class) that occur for the first and the second annotator;
    `met` holds those that occur for both, where alone they can agree by chance.
    """

    def __init__(self, votes: Votes) -> None:
        first, second = _pairs_of_votes(votes)
        who, code = votes.annotators.astype(np.int64), votes.codes.astype(np.int64)
        self.n_items = int((votes.per_item > 1).sum())
        self.item = np.unique(votes.items[first], return_inverse=True)[1]
        self.equal = (code[first] == code[second]).astype(np.float64)
        self.ids, self.pair = np.unique(
            who[first] * votes.n_annotators + who[second], return_inverse=True
        )
        own, self.own = np.unique(self.pair * votes.n_classes + code[first], return_inverse=True)
        other, self.other = np.unique(
            self.pair * votes.n_classes + code[second], return_inverse=True
        )
        both, self.met_own, self.met_other = np.intersect1d(
            own, other, assume_unique=True, return_indices=True
        )
        self.met = both // votes.n_classes

    def kappas(self, weights: IntArray | None) -> tuple[FloatArray, FloatArray]:
        """κ and items of each pair when items count `weights` times; NaN if undefined."""
        weight: FloatArray = np.ones(self.item.size)
        if weights is not None:
            weight = weights[self.item].astype(np.float64)
        shared = _total(self.pair, weight, self.ids.size)
        agreed = _total(self.pair, weight * self.equal, self.ids.size)
        own = _total(self.own, weight, 0)[self.met_own]
        other = _total(self.other, weight, 0)[self.met_other]
        chance = _total(self.met, own * other, self.ids.size)
        # In whole numbers: n (n - agreed) / (n² - sum of products of margins).
        return one_minus(shared * (shared - agreed), shared**2 - chance), shared


def _total(where: IntArray, weight: FloatArray, size: int) -> FloatArray:
    return np.asarray(np.bincount(where, weights=weight, minlength=size), dtype=np.float64)


def _pairs_of_votes(votes: Votes) -> tuple[IntArray, IntArray]:
    """Positions of every two votes on one item, the first annotator before the second."""
    end = np.repeat(votes.rows[1:].astype(np.int64), votes.per_item)
    first = np.arange(end.size)
    left, right = [], []
    apart = 1
    while (first := first[first + apart < end[first]]).size:
        left.append(first)
        right.append(first + apart)
        apart += 1
    nothing = np.empty(0, dtype=np.int64)
    return np.concatenate([nothing, *left]), np.concatenate([nothing, *right])


def _weighted(kappa: FloatArray, shared: FloatArray) -> float:
    there = ~np.isnan(kappa)
    total = shared[there].sum()
    return float(kappa[there] @ shared[there] / total) if total > 0 else float("nan")


def _mean(
    pairs: _Pairs, value: float, rng: np.random.Generator, tail: float, resamples: int
) -> Coefficient:
    if np.isnan(value):
        return Coefficient(None, None, None, "every pair names one class only")
    if not resamples:
        return Coefficient(value, None, None, "no interval was asked for")
    n = pairs.n_items
    if n < 2:
        return Coefficient(value, None, None, ONE_ITEM)
    draws = np.array(
        [
            _weighted(*pairs.kappas(np.bincount(rng.integers(0, n, size=n), minlength=n)))
            for _ in range(resamples)
        ]
    )
    draws = draws[~np.isnan(draws)]
    if draws.size < resamples / 2:
        return Coefficient(value, None, None, "too few items differ for a bootstrap interval")
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Coefficient(value, float(low), float(high))
