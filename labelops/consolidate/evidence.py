"""From a posterior that is too sure of itself to one that means what it says, and to a decision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax

from labelops.errors import UsageError
from labelops.measure.calibration import apply_temperature
from labelops.measure.codes import FloatArray, IntArray, check_codes, check_probs
from labelops.measure.given import check_integer, check_share
from labelops.measure.votes import Votes

from .content import numbered_by_votes
from .folds import FOLDS, annotator_folds

__all__ = [
    "decide",
    "gold_softening",
    "held_out_temperature",
    "one_coin_chances",
    "soften",
    "soften_all",
    "softening",
]

_TINY = 1e-300
_LEAST_VOTES = 50
_SOFTEST = 50.0
_SHARPEST = 10.0
_NONE = 1e-3
"""Softening that is none: the search ends beside a bound, not on it."""
_MOST_DOUBT = 0.9
_BEGINNINGS = ((0.3, 0.05), (1.0, 0.3))
_MOST_VOTES = 10_000
_BLOCK = 1 << 16


def decide(
    posterior: ArrayLike, votes: ArrayLike, *, min_posterior: float, min_votes: int = 1
) -> IntArray:
    """Name the class of each item that has enough evidence; -1 means not enough.

    Parameters
    ----------
    posterior : (N, K) array-like of float
        Calibrated belief about each item's class.
    votes : (N,) array-like of int
        Votes each item has.
    min_posterior : float
        Least posterior of the class; two classes that share the first place decide nothing.
    min_votes : int
        Least votes.

    Returns
    -------
    (N,) int64

    Raises
    ------
    UsageError
        The arrays differ in length, the posterior is malformed, or `min_posterior` is not in
        [0, 1].

    Examples
    --------
    >>> decide([[0.9, 0.1], [0.6, 0.4], [0.1, 0.9]], [3, 3, 1], min_posterior=0.8, min_votes=2
    ...        ).tolist()
    [0, -1, -1]
    """
    check_share("min_posterior", min_posterior)
    belief = check_probs(posterior, np.shape(posterior)[-1] if np.ndim(posterior) else 0)
    check_integer("min_votes", min_votes)
    count = np.asarray(votes)
    if count.shape != belief.shape[:1]:
        raise UsageError(f"decide: {belief.shape[0]} rows of posterior, {count.size} vote counts")
    top = belief.max(axis=1, initial=0.0)
    alone = (belief >= top[:, None] - 1e-12).sum(axis=1) == 1
    enough = alone & (top >= min_posterior) & (count >= min_votes)
    return np.where(enough, belief.argmax(axis=1), -1).astype(np.int64)


def gold_softening(
    posterior: FloatArray, gold: ArrayLike, votes: FloatArray | IntArray, min_gold: int
) -> tuple[float, float] | None:
    """Fit a temperature and a share of doubt on items whose true class is known.

    Doubt, spread evenly over the classes, is for items on which everybody errs: a temperature
    that admits them would make all others unsure.

    Where gold asks for neither, beliefs may be too unsure, and the temperature may be below 1. Gold
    that is right throughout would then ask for certainty; so one more item counts that is believed
    as the others are and is wrong. Thirty items that are right are believed to 30/31, no more.

    Parameters
    ----------
    posterior : (N, K) float
        Belief formed without the gold labels.
    gold : (N,) array-like of int
        True classes, -1 where unknown.
    votes : (N,) int or float
        Votes each item has; items without one are left out.
    min_gold : int
        Fewest gold items with votes.

    Returns
    -------
    (temperature, doubt) or None
        Above 0, below 1 where the consensus is made surer, and in 0 … 0.9; None with too few gold
        items.

    Examples
    --------
    >>> sure, gold = np.tile([0.999, 0.001], (40, 1)), np.repeat([0, 1], [30, 10])
    >>> temperature, doubt = gold_softening(sure, gold, np.ones(40), 30)
    >>> softened = soften(sure, temperature, doubt)
    >>> softened[0].round(2).tolist()
    [0.75, 0.25]

    Of a hundred that are believed to .9 all are right.

    >>> unsure, gold = np.tile([0.9, 0.1], (100, 1)), np.zeros(100, dtype=int)
    >>> temperature, doubt = gold_softening(unsure, gold, np.ones(100), 30)
    >>> soften(unsure, temperature, doubt)[0].round(3).tolist()  # a hundred of 101
    [0.99, 0.01]
    """
    known = check_codes(gold, posterior.shape[1])
    rows = np.flatnonzero((known >= 0) & (votes > 0))
    if rows.size < max(min_gold, 1):
        return None
    logs, truth = np.log(np.maximum(posterior[rows], _TINY)), known[rows]

    def loss(setting: FloatArray) -> float:
        belief = np.exp(log_softmax(logs * np.exp(-setting[0]), axis=1))
        right = belief[np.arange(rows.size), truth]
        doubtful = (1 - setting[1]) * right + setting[1] / posterior.shape[1]
        return -float(np.log(np.maximum(doubtful, _TINY)).mean())

    bounds = [(0.0, float(np.log(_SOFTEST))), (0.0, _MOST_DOUBT)]
    tries = [minimize(loss, begin, bounds=bounds, method="L-BFGS-B") for begin in _BEGINNINGS]
    best = min(tries, key=lambda found: float(found.fun)).x
    if best[0] < _NONE and best[1] < _NONE:
        return _sharpening(logs, truth), 0.0
    return float(np.exp(best[0])), float(best[1])


def _sharpening(logs: FloatArray, truth: IntArray) -> float:
    """Fit a temperature of at most 1, one more item taken for wrong."""
    rows = np.arange(truth.size)

    def loss(log_temperature: float) -> float:
        belief = log_softmax(logs * np.exp(-log_temperature), axis=1)
        wrong = float((1 - np.exp(belief.max(axis=1))).mean())
        return -float(belief[rows, truth].sum()) - float(np.log(max(wrong, _TINY)))

    found = minimize_scalar(
        loss, bounds=(-np.log(_SHARPEST), 0.0), method="bounded", options={"xatol": 1e-4}
    )
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def soften(posterior: FloatArray, temperature: float, doubt: float = 0.0) -> FloatArray:
    """Divide log probabilities by a temperature, then spread a share of doubt evenly.

    Examples
    --------
    >>> soften(np.array([[1.0, 0.0]]), 1.0, 0.1).round(2).tolist()
    [[0.95, 0.05]]
    """
    cooled = apply_temperature(posterior, temperature)
    return np.asarray((1 - doubt) * cooled + doubt / posterior.shape[1])


def soften_all(posterior: FloatArray, temperature: float, doubt: float = 0.0) -> FloatArray:
    """Do what `soften` does in place, a block at a time: of very many rows there is room for one.

    Examples
    --------
    >>> belief = np.array([[1.0, 0.0]])
    >>> soften_all(belief, 1.0, 0.1) is belief, belief.round(2).tolist()
    (True, [[0.95, 0.05]])
    """
    for first in range(0, len(posterior), _BLOCK):
        some = slice(first, first + _BLOCK)
        posterior[some] = soften(posterior[some], temperature, doubt)
    return posterior


def held_out_temperature(
    votes: Votes, accuracy: float, consensus: Callable[[FloatArray], FloatArray]
) -> float | None:
    """Fit how much to soften a consensus so that it predicts the votes of annotators it left out.

    Annotators are split into folds; the consensus of the others, softened, times the left-out
    annotator's accuracy, should be the probability of the left-out votes. This sees over-fitted
    confusions and items on which annotators fail together less often than chance would have it,
    but not mistakes that all annotators share: for those gold is needed.

    Parameters
    ----------
    votes : Votes
    accuracy : float
        How often a vote is right, errors spread evenly over the other classes. One number for the
        crowd calibrated real crowds better than a noisy one for each annotator.
    consensus : callable
        From weights `(V,)` to the posterior `(N, K)` of the votes with weight above 0.

    Returns
    -------
    float or None
        At least 1; None when fewer than 50 left-out votes are on items that others voted on.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> items, who = np.repeat(np.arange(100), 2), np.tile([0, 1], 100)
    >>> given = np.where((who == 1) & (items % 4 == 0), 1, 0)
    >>> votes = pack_votes(items, who, given, n_items=100, n_annotators=2, n_classes=2)
    >>> def too_sure(weights):
    ...     return np.tile([0.999, 0.001], (100, 1))
    >>> held_out_temperature(votes, 0.9, too_sure) > 2
    True
    """
    items, codes = votes.items, votes.codes
    weights = np.ones(codes.size) if votes.weights is None else votes.weights
    place, number = numbered_by_votes(votes)
    annotators = number[votes.annotators]
    fold = annotator_folds(annotators, weights, votes.n_annotators)
    # One number needs no more than some thousand votes: those on every so-many-th item will do.
    shared = votes.per_item >= 2
    looked_at = shared & (place % (1 + int(votes.per_item[shared].sum()) // _MOST_VOTES) == 0)
    beliefs, chances = [], []
    for left_out in range(FOLDS):
        out = fold[annotators] == left_out
        if not out.any():
            continue
        rest = np.where(out, 0.0, weights)
        posterior = consensus(rest)
        others = np.bincount(items, weights=rest, minlength=posterior.shape[0]) > 0
        rows = np.flatnonzero(out & others[items] & looked_at[items])
        rows = rows[np.lexsort((annotators[rows], place[items[rows]]))]
        beliefs.append(posterior[items[rows]])
        chances.append(one_coin_chances(codes[rows], accuracy, posterior.shape[1]))
    if sum(map(len, beliefs)) < _LEAST_VOTES:
        return None
    return softening(np.concatenate(beliefs), np.concatenate(chances))


def softening(beliefs: FloatArray, chances: FloatArray) -> float:
    """Fit how much to soften beliefs so that they predict left-out votes best.

    Parameters
    ----------
    beliefs : (H, K) float
        Belief about each left-out vote's item, formed without the vote.
    chances : (H, K) float
        Probability of the vote under each true class.

    Returns
    -------
    float
        At least 1.

    Examples
    --------
    >>> sure = np.tile([0.999, 0.001], (100, 1))
    >>> softening(sure, one_coin_chances(np.repeat([0, 1], [60, 40]), 0.9, 2)) > 2
    True
    """
    # One number needs no more than some thousand votes: every so-many-th will do.
    some = slice(None, None, 1 + len(beliefs) // _MOST_VOTES)
    return _best_temperature(np.log(np.maximum(beliefs[some], _TINY)), chances[some])


def one_coin_chances(codes: IntArray, accuracy: float, n_classes: int) -> FloatArray:
    """Give the probability (H, K) of each vote under each true class, errors spread evenly.

    Examples
    --------
    >>> one_coin_chances(np.array([1]), 0.8, 3).round(2).tolist()
    [[0.1, 0.8, 0.1]]
    """
    chances = np.full((codes.size, n_classes), (1 - accuracy) / (n_classes - 1))
    chances[np.arange(codes.size), codes] = accuracy
    return chances


def _best_temperature(beliefs: FloatArray, chances: FloatArray) -> float:
    """Maximise the probability of the left-out votes over the temperature."""
    # Rows shifted so that nothing overflows.
    logs = beliefs - beliefs.max(axis=1, keepdims=True)

    def loss(log_temperature: float) -> float:
        odds = np.exp(logs * np.exp(-log_temperature))
        hit = np.einsum("hk,hk->h", odds, chances)
        return -float(np.log(np.maximum(hit / odds.sum(axis=1), _TINY)).mean())

    found = minimize_scalar(
        loss, bounds=(0.0, np.log(_SOFTEST)), method="bounded", options={"xatol": 1e-4}
    )
    return float(np.exp(found.x))
