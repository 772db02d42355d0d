"""What the votes say about each item's class: annotators shrunk to the crowd, then tempered.

Dawid–Skene confusion matrices, each shrunk to the whole crowd's, so that an annotator of few
votes counts as an average one. Votes on an item err together more than the model allows; the
exponent under which an item's other votes predict each vote best takes that back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_softmax, softmax

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, code_count
from labelops.measure.logs import log_sum_exp

__all__ = ["CrowdEvidence", "crowd_evidence"]

_CROWD = 8.0  # How many votes of its own outweigh the crowd's confusion, a class.
_TEMPERS = np.linspace(0.2, 1.0, 9)
_ROUNDS = 40
_FORETOLD = 20_000


@dataclass(frozen=True, slots=True)
class CrowdEvidence:
    """Likelihoods of every class given the votes.

    Attributes
    ----------
    log_likelihood : (N, K) float
        log P(the item's votes | class), tempered; 0 for an item without votes.
    prior : (K,) float
        The classes' shares.
    voted : (N,) bool
        Which items have a vote at all.
    temper : float
        The exponent, in [0.2, 1]: 1 when votes on an item err independently.
    accuracy : (A,) float
        How often each annotator is right, by these estimates; NaN without votes.
    doubt : (R,) float
        For up to 20,000 votes, all or evenly spread: the probability, by the item's other votes
        and who is asked, that the vote is not the class expected most.
    missed : (R,) bool
        Whether it was not.
    """

    log_likelihood: FloatArray
    prior: FloatArray
    voted: BoolArray
    temper: float
    accuracy: FloatArray
    doubt: FloatArray
    missed: BoolArray

    def posterior(self) -> FloatArray:
        """Return P(class | votes), (N, K); the prior for an item without votes."""
        return np.asarray(softmax(self.log_likelihood + np.log(self.prior), axis=1))


def crowd_evidence(
    items: ArrayLike, annotators: ArrayLike, codes: ArrayLike, n_items: int, n_classes: int
) -> CrowdEvidence:
    """Estimate from all votes what each item's votes say about its class.

    An annotator's later vote on an item replaces the earlier one.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Row of the item, number of the annotator, class given.
    n_items, n_classes : int
        N and K.

    Raises
    ------
    UsageError
        Lengths differ, or an item, annotator or class does not exist.

    References
    ----------
    Dawid, Skene 1979, https://doi.org/10.2307/2346806
    Kim, Ghahramani 2012, https://proceedings.mlr.press/v22/kim12.html

    Examples
    --------
    >>> said = crowd_evidence([0, 0, 0, 1, 1, 1], [0, 1, 2] * 2, [0, 0, 0, 1, 1, 0], 3, 2)
    >>> said.posterior().argmax(axis=1)[:2].tolist(), said.voted.tolist()
    ([0, 1], [True, True, False])
    """
    item, who, vote = _checked(items, annotators, codes, n_items, n_classes)
    A = code_count(who)
    voted = np.bincount(item, minlength=n_items) > 0
    if not len(item):
        flat = np.zeros((n_items, n_classes))
        prior = np.full(n_classes, 1 / n_classes)
        none = np.zeros(0)
        return CrowdEvidence(flat, prior, voted, 1.0, np.full(A, np.nan), none, none > 0)
    q: FloatArray = _shares(item, vote, n_items, n_classes)
    for _ in range(_ROUNDS):
        shares = _prior(q, voted)
        confusion = _confusions(q, item, who, vote, A)
        parts = np.log(confusion[who, :, vote])
        before, q = q, softmax(_sums(parts, item, n_items) + np.log(shares), axis=1)
        if np.abs(q - before)[voted].max() < 1e-4:
            break
    total = _sums(parts, item, n_items)
    temper = _temper(total, parts, confusion[who, :, vote], item, shares)
    right = np.einsum("k,akk->a", shares, confusion)
    right[np.bincount(who, minlength=A) == 0] = np.nan
    doubt, missed = _foretold(temper * (total[item] - parts), confusion, item, who, vote, shares)
    return CrowdEvidence(temper * total, shares, voted, temper, right, doubt, missed)


def _checked(
    items: ArrayLike, annotators: ArrayLike, codes: ArrayLike, n_items: int, n_classes: int
) -> tuple[IntArray, IntArray, IntArray]:
    vote = check_codes(codes, n_classes, missing=False)
    item = check_codes(items, n_items, missing=False)
    who = np.asarray(annotators)
    if who.dtype.kind not in "iu" or (who.size and who.min() < 0):
        raise UsageError("votes: annotators are numbers from 0 upwards; encode names first")
    if not item.shape == vote.shape == who.shape:
        raise UsageError(
            f"votes: {item.size} items, {who.size} annotators, {vote.size} codes; expected as many "
            "of each"
        )
    who = np.unique(who, return_inverse=True)[1].astype(np.int64)
    pair = item * (int(who.max(initial=0)) + 1) + who
    last = len(pair) - 1 - np.unique(pair[::-1], return_index=True)[1]
    return item[last], who[last], vote[last]


def _shares(item: IntArray, vote: IntArray, N: int, K: int) -> FloatArray:
    counts = np.bincount(item * K + vote, minlength=N * K).reshape(N, K) + 1e-9
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _prior(q: FloatArray, voted: BoolArray) -> FloatArray:
    mass = q[voted].sum(axis=0) + 1
    return np.asarray(mass / mass.sum())


def _confusions(q: FloatArray, item: IntArray, who: IntArray, vote: IntArray, A: int) -> FloatArray:
    """P(vote | class) of every annotator, (A, K, K), shrunk to the crowd's."""
    K = q.shape[1]
    counts = np.zeros((A * K, K))
    np.add.at(counts, who * K + vote, q[item])
    mine = counts.reshape(A, K, K).transpose(0, 2, 1)
    pooled: FloatArray = mine.sum(axis=0) + np.eye(K) + 1 / K
    pooled /= pooled.sum(axis=1, keepdims=True)
    shrunk = mine + _CROWD * pooled
    return np.asarray(shrunk / shrunk.sum(axis=2, keepdims=True))


def _sums(parts: FloatArray, item: IntArray, N: int) -> FloatArray:
    total = np.zeros((N, parts.shape[1]))
    np.add.at(total, item, parts)
    return total


def _foretold(
    others: FloatArray,
    confusion: FloatArray,
    item: IntArray,
    who: IntArray,
    vote: IntArray,
    prior: FloatArray,
) -> tuple[FloatArray, BoolArray]:
    """Predict votes by the item's other votes: how doubtful, and whether the vote was another."""
    shared = np.flatnonzero(np.bincount(item)[item] >= 2)
    shared = shared[:: 1 + len(shared) // _FORETOLD]
    truth = softmax(others[shared] + np.log(prior), axis=1)
    said = np.einsum("vk,vkj->vj", truth, confusion[who[shared]])
    expected = said.argmax(axis=1)
    return 1 - said.max(axis=1), np.asarray(expected != vote[shared])


def _temper(
    total: FloatArray, parts: FloatArray, chance: FloatArray, item: IntArray, prior: FloatArray
) -> float:
    """Choose the exponent under which an item's other votes predict each of its votes best."""
    others = total[item] - parts
    alone = np.bincount(item, minlength=len(total))[item] < 2
    if alone.all():
        return 1.0
    others, chance = others[~alone], np.log(chance[~alone])
    said = [
        log_sum_exp(log_softmax(t * others + np.log(prior), axis=1) + chance, axis=1).mean()
        for t in _TEMPERS
    ]
    return float(_TEMPERS[int(np.argmax(said))])
