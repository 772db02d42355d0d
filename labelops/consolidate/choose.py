"""The one entry from votes to calibrated class probabilities: it picks what the votes support."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.calibration import apply_temperature
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes
from labelops.measure.confusion import annotator_confusion, confusion_rates

from .dawid_skene import dawid_skene
from .evidence import gold_temperature, held_out_temperature
from .majority import crowd_accuracy, one_coin_posterior, pair_accuracies, vote_counts

__all__ = ["CodeConsensus", "consolidate_codes"]

_METHODS = ("auto", "majority", "dawid_skene")
_LEAST_PER_ITEM = 3
_LEAST_PER_CELL = 5
_PRIOR = 0.01


@dataclass(frozen=True, slots=True)
class CodeConsensus:
    """Class probabilities of items, and what they rest on.

    Attributes
    ----------
    posterior : (N, K) float
        Calibrated belief about each item's class; rows sum to 1.
    votes : (N,) int
        Votes used for each item.
    accuracy : (A,) float
        Estimated share of right votes of each annotator; NaN where nothing can be said.
    confusion : (A, K, K) float
        P(given | true) by annotator, true class (row), given class (column).
    method : str
        `majority` or `dawid_skene`.
    reason : str
        Why that one.
    calibration : str
        What the posterior was calibrated on: `gold`, `held-out votes` or `none`.
    temperature : float
        How much it was softened; 1 is not at all.
    iterations : int
        EM steps; 0 for majority.
    converged : bool
        Whether EM stood still; true for majority.
    """

    posterior: FloatArray
    votes: IntArray
    accuracy: FloatArray
    confusion: FloatArray
    method: str
    reason: str
    calibration: str
    temperature: float
    iterations: int
    converged: bool


@dataclass(frozen=True, slots=True)
class _Votes:
    """Checked vote arrays: only votes with a class."""

    items: IntArray
    annotators: IntArray
    codes: IntArray
    weights: FloatArray
    n_items: int
    n_annotators: int
    n_classes: int

    def counts(self, weights: FloatArray | None = None) -> FloatArray:
        chosen = self.weights if weights is None else weights
        return vote_counts(self.items, self.codes, self.n_items, self.n_classes, chosen)


def consolidate_codes(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_items: int,
    n_classes: int,
    *,
    method: str = "auto",
    n_annotators: int | None = None,
    use: BoolArray | None = None,
    weights: ArrayLike | None = None,
    gold: ArrayLike | None = None,
    min_gold: int = 30,
    start: ArrayLike | None = None,
) -> CodeConsensus:
    """Estimate each item's class probabilities from its votes.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote.
    n_items, n_classes : int
        N and K.
    method : {'auto', 'majority', 'dawid_skene'}
        `auto` takes Dawid–Skene when half the voted items have three votes or more and annotators
        have on average five votes for each class, else majority: Dawid–Skene has a matrix per
        annotator to learn, at one vote an item it collapses and at two it is too sure of itself.
    n_annotators : int, optional
        A; one more than the largest annotator when left out.
    use : (V,) bool, optional
        Votes to use; those of an excluded annotator are False.
    weights : (V,) array-like of float, optional
        What each vote counts.
    gold : (N,) array-like of int, optional
        True classes known from elsewhere, -1 where unknown. They calibrate the posterior, they are
        not mixed into it.
    min_gold : int
        Gold items with votes from which on gold is used; below, annotators predict each other.
    start : (N, K) array-like of float, optional
        Warm start for Dawid–Skene.

    Raises
    ------
    UsageError
        Arrays differ in length, codes are out of range, or the method is unknown.

    Examples
    --------
    >>> found = consolidate_codes([0, 0, 0, 1], [0, 1, 2, 0], [1, 1, 1, 0], 2, 2)
    >>> found.method, found.posterior.argmax(axis=1).tolist(), found.votes.tolist()
    ('majority', [1, 0], [3, 1])
    """
    votes = _check(items, annotators, codes, n_items, n_classes, n_annotators, use, weights)
    chosen, reason = _choose(votes, method)
    if chosen == "majority":
        return _by_majority(votes, reason, gold, min_gold)
    return _by_dawid_skene(votes, reason, gold, min_gold, start)


def _check(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_items: int,
    n_classes: int,
    n_annotators: int | None,
    use: BoolArray | None,
    weights: ArrayLike | None,
) -> _Votes:
    if n_classes < 2:
        raise UsageError(f"{n_classes} classes; expected two or more")
    item, who, code = (np.asarray(a) for a in (items, annotators, codes))
    weight = np.ones(code.size) if weights is None else np.asarray(weights, dtype=np.float64)
    used = np.ones(code.size, dtype=np.bool_) if use is None else np.asarray(use, dtype=np.bool_)
    if not item.shape == who.shape == code.shape == weight.shape == used.shape:
        raise UsageError("votes: items, annotators, codes, weights and use differ in length")
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise UsageError("votes: a weight is negative or missing; expected 0 or more")
    crowd = int(who.max(initial=-1)) + 1 if n_annotators is None else n_annotators
    item, who, code = (a.astype(np.int64) if not a.size else a for a in (item, who, code))
    item = check_codes(item, n_items, missing=False)
    who, code = check_codes(who, crowd, missing=False), check_codes(code, n_classes)
    keep = used & (code >= 0) & (weight > 0)
    return _Votes(item[keep], who[keep], code[keep], weight[keep], n_items, crowd, n_classes)


def _choose(votes: _Votes, method: str) -> tuple[str, str]:
    """Pick the method the votes support, and say why."""
    if method not in _METHODS:
        raise UsageError(f"method is {method!r}, expected one of {', '.join(_METHODS)}")
    if method != "auto":
        return method, "asked for"
    if not votes.codes.size:
        return "majority", "there is no vote"
    per_item = np.bincount(votes.items)
    middle = float(np.median(per_item[per_item > 0]))
    per_annotator = votes.codes.size / np.unique(votes.annotators).size
    if middle < _LEAST_PER_ITEM:
        return "majority", f"half the items have no more than {middle:g} vote(s)"
    if per_annotator < _LEAST_PER_CELL * votes.n_classes:
        return "majority", (
            f"annotators have {per_annotator:.1f} votes on average, too few for their confusion "
            f"among {votes.n_classes} classes"
        )
    return "dawid_skene", (
        f"half the items have {middle:g} votes or more, annotators {per_annotator:.1f} on average"
    )


def _by_majority(
    votes: _Votes, reason: str, gold: ArrayLike | None, min_gold: int
) -> CodeConsensus:
    counts = votes.counts()
    crowd = crowd_accuracy(counts)
    raw = one_coin_posterior(counts, crowd)
    accuracy = _pair_accuracies(votes, counts)

    def consensus(weights: FloatArray) -> FloatArray:
        return one_coin_posterior(votes.counts(weights), crowd)

    kind, temperature = "none", 1.0
    if (fitted := _gold(raw, gold, counts, min_gold)) is not None:
        kind, temperature = "gold", fitted
    elif crowd is not None and (fitted := _held_out(votes, crowd, consensus)) is not None:
        kind, temperature = "held-out votes", fitted
    posterior = apply_temperature(raw, temperature)
    rates = annotator_confusion(
        votes.items, votes.annotators, votes.codes, posterior, votes.n_annotators, votes.weights
    )
    return CodeConsensus(
        posterior, _per_item(votes), accuracy, confusion_rates(rates, _PRIOR),
        "majority", reason, kind, temperature, 0, True,
    )  # fmt: skip


def _by_dawid_skene(
    votes: _Votes,
    reason: str,
    gold: ArrayLike | None,
    min_gold: int,
    start: ArrayLike | None,
) -> CodeConsensus:
    size = (votes.n_items, votes.n_annotators, votes.n_classes)
    data = (votes.items, votes.annotators, votes.codes)
    n_items, n_annotators, n_classes = size
    found = dawid_skene(
        *data, n_items=n_items, n_annotators=n_annotators, n_classes=n_classes,
        weights=votes.weights, start=start, prior=_PRIOR,
    )  # fmt: skip

    def consensus(weights: FloatArray) -> FloatArray:
        # A few steps suffice to see how sure the others would have been.
        return dawid_skene(
            *data, n_items=n_items, n_annotators=n_annotators, n_classes=n_classes,
            weights=weights, prior=_PRIOR, max_iterations=30, tolerance=1e-2,
        ).posterior  # fmt: skip

    counts = votes.counts()
    crowd = crowd_accuracy(counts)
    kind, temperature = "none", 1.0
    if (fitted := _gold(found.posterior, gold, counts, min_gold)) is not None:
        kind, temperature = "gold", fitted
    elif crowd is not None and (fitted := _held_out(votes, crowd, consensus)) is not None:
        kind, temperature = "held-out votes", fitted
    own = np.einsum("akk,k->a", found.confusion, found.class_prior)
    voted = np.bincount(votes.annotators, minlength=n_annotators) > 0
    return CodeConsensus(
        apply_temperature(found.posterior, temperature), _per_item(votes),
        np.where(voted, own, np.nan), found.confusion,
        "dawid_skene", reason, kind, temperature, found.iterations, found.converged,
    )  # fmt: skip


def _per_item(votes: _Votes) -> IntArray:
    return np.bincount(votes.items, minlength=votes.n_items).astype(np.int64)


def _pair_accuracies(votes: _Votes, counts: FloatArray) -> FloatArray:
    return pair_accuracies(
        votes.items, votes.annotators, votes.codes, counts, votes.n_annotators, votes.weights
    )


def _gold(
    posterior: FloatArray, gold: ArrayLike | None, counts: FloatArray, min_gold: int
) -> float | None:
    if gold is None:
        return None
    return gold_temperature(posterior, gold, counts.sum(axis=1), min_gold)


def _held_out(
    votes: _Votes, accuracy: float, consensus: Callable[[FloatArray], FloatArray]
) -> float | None:
    return held_out_temperature(
        votes.items,
        votes.annotators,
        votes.codes,
        votes.weights,
        accuracy,
        votes.n_annotators,
        consensus,
    )
