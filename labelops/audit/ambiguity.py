"""Ambiguous or wrong? An item people really disagree on is told from one somebody got wrong.

Under *clear* an item has one true class and every annotator errs in their own way (Dawid and
Skene). Under *ambiguous* it is torn between two classes: each annotator sees the one or the
other, at least a quarter of them each, and then errs as always. The votes of an item are
weighed under both, so that a careless annotator's odd vote is an error, and the same vote of a
careful one is disagreement.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes
from labelops.measure.intervals import check_share
from labelops.measure.logs import log_sum_exp

__all__ = ["Ambiguity", "ambiguous_items"]

_ROUNDS = 30
_SETTLED = 1e-4
_SHRINK = 20.0  # Votes of an ordinary annotator that stand beside each annotator's own.
_CLASSES = 4  # Classes of an item among which pairs are formed.
_LEAST = 0.25
_RARE = (1.0, 9.0)  # Beta prior of the share of ambiguous items.
_SIMULATED = 2_000  # Items with as many votes, over all rounds of simulation…
_MOST_ROUNDS = 200  # … which are no more than this.
_BLOCK = 100_000

# Gauss-Legendre on [_LEAST, 1 - _LEAST]: which share of annotators sees the first class.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
_SHARES = 0.5 + (0.5 - _LEAST) * _NODES
_LOG_WEIGHTS = np.log(_WEIGHTS / 2)


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """How every item's votes are best explained.

    Attributes
    ----------
    probability : (N,) float
        That the item is ambiguous, given its votes; the prevalence where it has fewer than two.
    p_values : (N,) float in (0, 1]
        Of "one true class and the annotators' usual errors", from simulated votes of items with
        as many votes; 1 with fewer than two.
    flagged : (N,) bool
        Items called ambiguous, of which at most the tolerated share is expected to be clear.
    class_probs : (N, K) float
        Probability of each class if the item is clear.
    prevalence : float
        Share of ambiguous items.
    """

    probability: FloatArray
    p_values: FloatArray
    flagged: BoolArray
    class_probs: FloatArray
    prevalence: float

    def wrong(self, codes: ArrayLike) -> FloatArray:
        """Return the probability that the item is clear and its label another class, (N,).

        NaN for a missing label (-1). An ambiguous item's label is not wrong: the remaining
        probability is shared by "ambiguous" and "right".

        Examples
        --------
        >>> found = Ambiguity(np.array([0.2]), np.ones(1), np.zeros(1, dtype=bool),
        ...     np.array([[0.75, 0.25]]), 0.1)
        >>> found.wrong([1]).round(3).tolist()
        [0.6]
        """
        labels = check_codes(codes, self.class_probs.shape[1])
        if len(labels) != len(self.probability):
            raise UsageError(f"found {len(labels)} codes for {len(self.probability)} items")
        rows = np.arange(len(labels))
        wrong = (1 - self.probability) * (1 - self.class_probs[rows, np.maximum(labels, 0)])
        return np.where(labels >= 0, wrong, np.nan)


@dataclass(frozen=True, slots=True)
class _Votes:
    """One vote an item and annotator, sorted by item."""

    items: IntArray
    annotators: IntArray
    codes: IntArray
    N: int
    A: int
    K: int


@dataclass(frozen=True, slots=True)
class _Model:
    """`confusion[a, t, c]`: annotator a says c where they see t; `pairs[s, t]`: torn so often."""

    confusion: FloatArray
    classes: FloatArray
    pairs: FloatArray
    prevalence: float


@dataclass(frozen=True, slots=True)
class _Weighed:
    """Log likelihoods (N,) of the two explanations, and what they say about classes and pairs."""

    clear: FloatArray
    torn: FloatArray
    class_probs: FloatArray
    pairs: FloatArray

    def ambiguous(self, prevalence: float) -> FloatArray:
        return np.asarray(expit(logit(prevalence) + self.torn - self.clear), dtype=np.float64)


def ambiguous_items(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    *,
    n_items: int | None = None,
    n_classes: int | None = None,
    risk: float = 0.2,
    rng: np.random.Generator,
) -> Ambiguity:
    """Tell ambiguous items from clear ones by the spread of their votes and who cast them.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote, each counted from 0; where somebody voted twice
        on an item, the later row counts; a code of -1 is no vote.
    n_items, n_classes : int, optional
        N and K; the largest number plus one when left out.
    risk : float
        Tolerated share of clear items among the flagged, in (0, 1).
    rng : numpy.random.Generator
        Simulates votes for the p-values.

    Returns
    -------
    Ambiguity
        Ten votes an item tell most; with three, only certain items are flagged.

    Raises
    ------
    UsageError
        Lengths differ, or a number is out of range.

    References
    ----------
    Dawid, Skene 1979, https://doi.org/10.2307/2346806
    Aroyo, Welty 2015, https://doi.org/10.1609/aimag.v36i1.2564
    Newton et al. 2004, https://doi.org/10.1093/biostatistics/5.2.155 (flags by probability)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth, seen = np.repeat([0, 1], 50), rng.random((100, 10)) < 0.5
    >>> votes = np.where(rng.random((100, 10)) < 0.95, truth[:, None], 1 - truth[:, None])
    >>> votes[:5] = seen[:5]
    >>> found = ambiguous_items(np.repeat(np.arange(100), 10), np.tile(np.arange(10), 100),
    ...     votes.ravel(), rng=rng)
    >>> int(found.flagged[:5].sum())
    5
    """
    check_share("risk", risk, inside=True)
    votes = _checked(items, annotators, codes, n_items, n_classes)
    if votes.K < 2:
        return _undecided(votes)
    model, weighed = _fit(votes)
    many = np.bincount(votes.items, minlength=votes.N)
    probability = np.where(many > 1, weighed.ambiguous(model.prevalence), model.prevalence)
    return Ambiguity(
        probability,
        _p_values(votes, model, weighed, many, rng),
        _flag(probability, many > 1, risk),
        weighed.class_probs,
        model.prevalence,
    )


def _checked(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_items: int | None,
    n_classes: int | None,
) -> _Votes:
    N = int(np.max(items, initial=-1)) + 1 if n_items is None else n_items
    K = int(np.max(codes, initial=-1)) + 1 if n_classes is None else n_classes
    A = int(np.max(annotators, initial=-1)) + 1
    item = check_codes(np.asarray(items, dtype=_whole(items)), N, missing=False)
    who = check_codes(np.asarray(annotators, dtype=_whole(annotators)), A, missing=False)
    code = check_codes(np.asarray(codes, dtype=_whole(codes)), K)
    if not len(item) == len(who) == len(code):
        raise UsageError(f"votes: {len(item)} items, {len(who)} annotators, {len(code)} codes")
    # Reversed, the first of each pair is the last that was given.
    _, last = np.unique((item * max(A, 1) + who)[::-1], return_index=True)
    kept = len(item) - 1 - last
    kept = kept[code[kept] >= 0]
    return _Votes(item[kept], who[kept], code[kept], N, A, K)


def _whole(values: ArrayLike) -> type | None:
    return np.int64 if np.size(values) == 0 else None


def _undecided(votes: _Votes) -> Ambiguity:
    """Say of items with nothing to be torn between that they are clear."""
    zero = np.zeros(votes.N)
    return Ambiguity(zero, zero + 1, zero > 0, np.ones((votes.N, votes.K)), 0.0)


def _fit(votes: _Votes) -> tuple[_Model, _Weighed]:
    """Maximise by turns (EM), from the shares of votes."""
    counts = np.bincount(votes.items * votes.K + votes.codes, minlength=votes.N * votes.K)
    shares = counts.reshape(votes.N, votes.K) + 0.1
    probs: FloatArray = shares / shares.sum(axis=1, keepdims=True)
    pairs: FloatArray = np.ones((votes.K, votes.K))
    ambiguous: FloatArray = np.full(votes.N, _RARE[0] / sum(_RARE))
    many = np.bincount(votes.items, minlength=votes.N) > 1
    for _ in range(_ROUNDS):
        model = _m_step(votes, probs, pairs, ambiguous, many)
        weighed = _e_step(votes, model)
        before, ambiguous = ambiguous, weighed.ambiguous(model.prevalence)
        probs = weighed.class_probs
        pairs = weighed.pairs
        if np.abs(before - ambiguous).max(initial=0) < _SETTLED:
            break
    return model, weighed


def _m_step(
    votes: _Votes, probs: FloatArray, pairs: FloatArray, ambiguous: FloatArray, many: BoolArray
) -> _Model:
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
    return _Model(confusion, classes / classes.sum(), between / between.sum(), float(rate))


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


def _e_step(votes: _Votes, model: _Model) -> _Weighed:
    said = model.confusion[votes.annotators, :, votes.codes]  # (V, K)
    logs = _sums(votes.items, np.log(said), votes.N) + np.log(model.classes)
    clear = log_sum_exp(logs, axis=1)
    torn, pairs = _torn(votes, said, logs, model)
    return _Weighed(clear, torn, np.exp(logs - clear[:, None]), pairs)


def _torn(
    votes: _Votes, said: FloatArray, logs: FloatArray, model: _Model
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


def _p_values(
    votes: _Votes, model: _Model, weighed: _Weighed, many: IntArray, rng: np.random.Generator
) -> FloatArray:
    """Rank each item's evidence among simulated clear items with as many votes."""
    evidence = weighed.torn - weighed.clear
    # Rarely as many votes as that: several rounds of simulation for them.
    rounds = np.minimum(-(-_SIMULATED // np.maximum(np.bincount(many), 1)), _MOST_ROUNDS)[many]
    p_values = np.ones(votes.N)
    pool: dict[int, list[FloatArray]] = {}
    for turn in range(int(rounds[many > 1].max(initial=0))):
        chosen = (rounds > turn) & (many > 1)
        drawn = _simulated(votes, chosen, model, weighed.class_probs, rng)
        for n in np.unique(many[chosen]):
            pool.setdefault(int(n), []).append(drawn[many[chosen] == n])
    for n, parts in pool.items():
        null, rows = np.sort(np.concatenate(parts)), many == n
        above = len(null) - np.searchsorted(null, evidence[rows], side="left")
        p_values[rows] = (1 + above) / (1 + len(null))
    return p_values


def _simulated(
    votes: _Votes, chosen: BoolArray, model: _Model, probs: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Evidence of the chosen items' ambiguity in votes drawn as if they were clear."""
    number = np.cumsum(chosen) - 1
    kept = chosen[votes.items]
    items, who = number[votes.items[kept]], votes.annotators[kept]
    truth = _drawn(probs[chosen], rng)[items]
    codes = np.empty(len(items), dtype=np.int64)
    for start in range(0, len(items), _BLOCK):
        part = slice(start, start + _BLOCK)
        codes[part] = _drawn(model.confusion[who[part], truth[part]], rng)
    again = _e_step(_Votes(items, who, codes, int(chosen.sum()), votes.A, votes.K), model)
    return again.torn - again.clear


def _drawn(probs: FloatArray, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw one column a row."""
    above = probs.cumsum(axis=1) <= rng.random(len(probs))[:, None] * probs.sum(
        axis=1, keepdims=True
    )
    return np.asarray(np.minimum(above.sum(axis=1), probs.shape[1] - 1), dtype=np.int64)


def _flag(probability: FloatArray, judged: BoolArray, risk: float) -> BoolArray:
    """Flag the likeliest for as long as the clear ones expected among them are few."""
    rows = np.flatnonzero(judged)
    rows = rows[np.argsort(-probability[rows], kind="stable")]
    clear = np.cumsum(1 - probability[rows]) / np.arange(1, len(rows) + 1)
    flagged = np.zeros(len(probability), dtype=bool)
    flagged[rows[: int((clear <= risk).sum())]] = True
    return flagged
