"""Two explanations of an item's votes, weighed: one class and usual errors, or torn between two.

The model behind `ambiguous_items`, fitted by EM: annotators' confusions from items in the measure
that they are clear, the share of ambiguous items, and how often which pair of classes tears one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import expit, logit

from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.logs import log_sum_exp

__all__ = ["ItemVotes", "SpreadModel", "Weighed", "fit_spread", "weigh"]

_ROUNDS = 30
_SETTLED = 1e-4
_SHRINK = 20.0  # Votes of an ordinary annotator that stand beside each annotator's own.
_CLASSES = 4  # Classes of an item among which pairs are formed.
_LEAST = 0.25
_RARE = (1.0, 9.0)  # Beta prior of the share of ambiguous items.

# Gauss-Legendre on [_LEAST, 1 - _LEAST]: which share of annotators sees the first class.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
_SHARES = 0.5 + (0.5 - _LEAST) * _NODES
_LOG_WEIGHTS = np.log(_WEIGHTS / 2)


@dataclass(frozen=True, slots=True)
class ItemVotes:
    """One vote an item and annotator, sorted by item."""

    items: IntArray
    annotators: IntArray
    codes: IntArray
    N: int
    A: int
    K: int


@dataclass(frozen=True, slots=True)
class SpreadModel:
    """`confusion[a, t, c]`: annotator a says c where they see t; `pairs[s, t]`: torn so often."""

    confusion: FloatArray
    classes: FloatArray
    pairs: FloatArray
    prevalence: float


@dataclass(frozen=True, slots=True)
class Weighed:
    """Log likelihoods (N,) of the two explanations, and what they say about classes and pairs."""

    clear: FloatArray
    torn: FloatArray
    class_probs: FloatArray
    pairs: FloatArray

    def ambiguous(self, prevalence: float) -> FloatArray:
        """Return the probability that each item is torn, (N,)."""
        return np.asarray(expit(logit(prevalence) + self.torn - self.clear), dtype=np.float64)


def fit_spread(votes: ItemVotes) -> tuple[SpreadModel, Weighed]:
    """Fit the model to all votes by EM, from the shares of votes; at least two classes.

    Examples
    --------
    >>> from labelops.audit.vote_spread import ItemVotes
    >>> items, people = np.repeat(np.arange(40), 6), np.tile(np.arange(6), 40)
    >>> codes = items % 2
    >>> codes[:6] = [0, 1] * 3
    >>> model, weighed = fit_spread(ItemVotes(items, people, codes, 40, 6, 2))
    >>> bool(weighed.ambiguous(model.prevalence)[0] > 0.5), bool(model.prevalence < 0.1)
    (True, True)
    """
    counts = np.bincount(votes.items * votes.K + votes.codes, minlength=votes.N * votes.K)
    shares = counts.reshape(votes.N, votes.K) + 0.1
    probs: FloatArray = shares / shares.sum(axis=1, keepdims=True)
    pairs: FloatArray = np.ones((votes.K, votes.K))
    ambiguous: FloatArray = np.full(votes.N, _RARE[0] / sum(_RARE))
    many = np.bincount(votes.items, minlength=votes.N) > 1
    for _ in range(_ROUNDS):
        model = _m_step(votes, probs, pairs, ambiguous, many)
        weighed = weigh(votes, model)
        before, ambiguous = ambiguous, weighed.ambiguous(model.prevalence)
        probs = weighed.class_probs
        pairs = weighed.pairs
        if np.abs(before - ambiguous).max(initial=0) < _SETTLED:
            break
    return model, weighed


def _m_step(
    votes: ItemVotes, probs: FloatArray, pairs: FloatArray, ambiguous: FloatArray, many: BoolArray
) -> SpreadModel:
    """Learn from items in the measure that they are clear."""
    K, A = votes.K, votes.A
    weight = (1 - ambiguous)[:, None] * probs
    cell = votes.annotators * K + votes.codes
    of_vote = weight[votes.items]
    seen = [np.bincount(cell, weights=of_vote[:, t], minlength=A * K) for t in range(K)]
    by_true = np.asarray(seen, dtype=np.float64).reshape(K, A, K)
    counts = np.asarray(by_true.transpose(1, 0, 2), dtype=np.float64)  # (A, true, given)
    crowd = counts.sum(axis=0) + 1 / K + np.eye(K)
    crowd /= crowd.sum(axis=1, keepdims=True)
    confusion = counts + _SHRINK * _ordinary(counts, crowd)
    confusion /= confusion.sum(axis=2, keepdims=True)
    classes = weight.sum(axis=0) + 1
    a, b = _RARE
    rate = (ambiguous[many].sum() + a) / (many.sum() + a + b)
    between = np.triu(pairs + pairs.T, 1) + np.triu(np.ones((K, K)), 1)
    return SpreadModel(confusion, classes / classes.sum(), between / between.sum(), float(rate))


def _ordinary(counts: FloatArray, crowd: FloatArray) -> FloatArray:
    """Give each annotator the crowd's confusions at their own accuracy, (A, K, K)."""
    K = len(crowd)
    diagonal = np.arange(K)
    usual = float(np.diag(crowd).mean())
    right = counts[:, diagonal, diagonal].sum(axis=1) + 4 * usual
    accuracy = np.clip(right / (counts.sum(axis=(1, 2)) + 4), 0.01, 0.99)
    off = crowd * (1 - np.eye(K))
    off /= off.sum(axis=1, keepdims=True)
    share = accuracy[:, None, None]
    return np.asarray(share * np.eye(K) + (1 - share) * off, dtype=np.float64)


def weigh(votes: ItemVotes, model: SpreadModel) -> Weighed:
    """Weigh the votes of each item under both explanations."""
    said = model.confusion[votes.annotators, :, votes.codes]  # (V, K)
    logs = _sums(votes.items, np.log(said), votes.N) + np.log(model.classes)
    clear = log_sum_exp(logs, axis=1)
    torn, pairs = _torn(votes, said, logs, model)
    return Weighed(clear, torn, np.exp(logs - clear[:, None]), pairs)


def _torn(
    votes: ItemVotes, said: FloatArray, logs: FloatArray, model: SpreadModel
) -> tuple[FloatArray, FloatArray]:
    """Log likelihood of each item if it is torn, (N,), and how often which pair is it, (K, K)."""
    width = min(votes.K, _CLASSES)
    voted = np.bincount(votes.items * votes.K + votes.codes, minlength=votes.N * votes.K)
    # Classes with most votes; among equals those that explain the item best.
    rank = voted.reshape(logs.shape) + 0.5 * np.exp(logs - logs.max(axis=1, keepdims=True))
    top = np.argpartition(-rank, width - 1, axis=1)[:, :width]
    weight = np.log(model.pairs + model.pairs.T + np.eye(votes.K))
    each = []
    for one, other in combinations(range(width), 2):
        s, t = top[:, one], top[:, other]
        first = said[np.arange(len(said)), s[votes.items]]
        second = said[np.arange(len(said)), t[votes.items]]
        mixed = np.log(second[:, None] + _SHARES * (first - second)[:, None])
        total = _sums(votes.items, mixed, votes.N) + _LOG_WEIGHTS
        each.append(weight[s, t] + log_sum_exp(total, axis=1))
    joint = np.stack(each, axis=1)
    torn = log_sum_exp(joint, axis=1)
    belief = expit(logit(model.prevalence) + torn - log_sum_exp(logs, axis=1))
    share = np.exp(joint - torn[:, None]) * belief[:, None]
    pairs = np.zeros((votes.K, votes.K))
    for column, (one, other) in enumerate(combinations(range(width), 2)):
        np.add.at(pairs, (top[:, one], top[:, other]), share[:, column])
    return torn, pairs


def _sums(items: IntArray, values: FloatArray, N: int) -> FloatArray:
    """Add the rows of `values` that belong to each item, (N, columns)."""
    columns = [np.bincount(items, weights=column, minlength=N) for column in values.T]
    return np.stack(columns, axis=1)
