"""Votes and a model's out-of-fold probabilities together: EM with the model as prior on the truth.

Where most items have a single vote, votes alone cannot tell a careless annotator from a
careful one. A model that never saw the item's own votes is an independent opinion, and
enough of it: the posterior of an item is its model probabilities times each annotator's
likelihood, and each annotator's accuracy is what those posteriors say of their votes.

Three things would make that surer or less sure than it should be, and all are estimated and taken
out. A model may be over-confident, or not confident enough: its probabilities are softened or
sharpened by the temperature under which the votes are likeliest. Classes that look alike are
mistaken for one another by everybody: which class errors name is estimated once for all annotators,
so that two who name the likeliest mistake say less than two who name any other. And whoever saw the
model's proposal may have followed it: such a vote that agrees with it is a copy with some
probability, and a copy says nothing that the model did not say already.

References
----------
Raykar, Yu, Zhao, Valadez, Florin, Bogoni, Moy (2010), "Learning from crowds", Journal of
Machine Learning Research 11, https://www.jmlr.org/papers/v11/raykar10a.html. Here with the
classifier fitted beforehand, out of fold, one accuracy an annotator, shrunk to the crowd's, and one
table for all of what is said for what by mistake, shrunk to an even one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array
from scipy.special import log_softmax, softmax

from ..errors import UsageError
from ..measure.codes import FloatArray, IntArray
from ..measure.logs import log_sum_exp

__all__ = ["WithModel", "consolidate_with_model"]

_FLOOR = 0.02
"""Share of the model's belief spread over all classes: no model is sure beyond any vote."""

_CROWD = 0.8
"""How often people are right before there are votes to tell."""

_COPIES = 0.05
"""Share of votes that copy a proposal in sight, before there are votes to tell."""

_COPY_VOTES = 20.0
_MOST_COPIES = 0.95
_LEAST_TWICE = 50
_ENOUGH = 1e-3
_SOFTEST, _SHARPEST = 20.0, 0.2
_EVEN_ERRORS = 5.0
"""How many errors an even spread over the other classes counts for, of each class."""
_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class WithModel:
    """Posterior and annotator accuracies.

    Parameters
    ----------
    posterior : (N, K) float array
        P(class | model, votes), rows sum to 1. The model's part is softened by `temperature`,
        votes that may be copies of its proposal count less. It decides whom to ask again; what is
        guaranteed of labels rests on audits.
    accuracy : (A,) float array
        Estimated accuracy of each annotator.
    iterations : int
        EM iterations done.
    temperature : float
        How much the model's probabilities were softened, below 1 sharpened; 1 is not at all. With
        fewer than 50 items that two people voted on they are taken as they are: what they are
        worth cannot be told from what people are worth.
    copied : float
        Share of votes with a proposal in sight that follow it unread; 0 where nobody saw one.
    errors : (K, K) float array
        Which class is named where a row's is true and the vote is wrong; rows sum to 1, zeros on
        the diagonal.
    """

    posterior: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    iterations: int
    temperature: float
    copied: float
    errors: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Ballots:
    """Votes, and whether each agrees with a proposal that was on the screen.

    `voted` are the items with a vote and `counts` their votes by class, sparse: most of a hundred
    classes are named by nobody. `shared` are those with two votes or more, alike.
    """

    items: IntArray
    annotators: IntArray
    codes: IntArray
    agrees: npt.NDArray[np.bool_]
    seen: int
    n_annotators: int
    shape: tuple[int, int]
    voted: IntArray
    counts: csr_array
    shared: IntArray
    shared_counts: csr_array


@dataclass(frozen=True, slots=True)
class _People:
    """What is believed of the annotators."""

    accuracy: FloatArray
    copied: float
    errors: FloatArray


def consolidate_with_model(
    items: npt.ArrayLike,
    annotators: npt.ArrayLike,
    votes: npt.ArrayLike,
    probs: npt.ArrayLike,
    n_annotators: int,
    *,
    saw: npt.ArrayLike | None = None,
    proposed: npt.ArrayLike | None = None,
    prior_votes: float = 10.0,
    max_iterations: int = 100,
    tolerance: float = 1e-6,
) -> WithModel:
    """Estimate the truth of N items from V votes and the model's (N, K) probabilities.

    Parameters
    ----------
    items, annotators, votes : (V,) int arrays
        Item code, annotator code and class code of each vote.
    probs : (N, K) float array
        Out-of-fold probabilities; a row of NaN (no proposal) counts as uniform.
    n_annotators : int
        A.
    saw : (V,) bool array, optional
        Votes given with the model's proposal in sight; none when left out. Where they agree with
        it they count as copies as far as such votes agree more often than their annotators'
        accuracy explains.
    proposed : (N,) int array, optional
        The classes proposed, -1 where none; the most probable ones when left out.
    prior_votes : float
        How many votes the crowd's mean accuracy counts for in each annotator's estimate, and an
        ordinary crowd's in that mean.
    max_iterations, tolerance
        EM stops when no posterior moves by more than `tolerance`.

    Raises
    ------
    UsageError
        If arrays differ in length.

    Examples
    --------
    Two people contradict the model on item 0, one agrees with it on item 1.

    >>> r = consolidate_with_model([0, 0, 1], [0, 1, 0], [1, 1, 0], [[0.7, 0.3], [0.9, 0.1]], 2)
    >>> r.posterior.argmax(axis=1).tolist()
    [1, 0]

    Whoever agrees with a proposal in sight has said less than who did so unprompted.

    >>> seen = consolidate_with_model([0], [0], [0], [[0.7, 0.3]], 1, saw=[True])
    >>> blind = consolidate_with_model([0], [0], [0], [[0.7, 0.3]], 1)
    >>> bool(0.7 < seen.posterior[0, 0] < blind.posterior[0, 0])
    True
    """
    known = _known(np.asarray(probs, dtype=np.float64))
    ballots = _ballots(
        items, annotators, votes, _proposed(known, proposed), saw, n_annotators, known.shape
    )
    log_model = np.log(known)
    temperature, done = 1.0, 0
    K = known.shape[1]
    people = _People(
        np.full(n_annotators, _CROWD), _COPIES if ballots.seen else 0.0, _spread(np.zeros((K, K)))
    )
    posterior = np.exp(_floored(log_model))
    # A single vote and the model agree or not: which of the two is careless shows only where
    # others voted too.
    twice = np.bincount(ballots.items, minlength=known.shape[0]) >= 2
    enough = max(tolerance, _ENOUGH) if ballots.seen else tolerance
    for _ in range(_ROUNDS):
        log_prior = _floored(log_model / temperature)
        posterior = _e_step(log_prior, ballots, people)
        for _ in range(max_iterations):
            people = _m_step(posterior, ballots, people, prior_votes)
            previous, posterior = posterior, _e_step(log_prior, ballots, people)
            done += 1
            if np.abs(posterior - previous).max(initial=0.0) <= enough:
                break
        if twice.sum() < _LEAST_TWICE:
            break
        before = temperature
        temperature = _temperature(log_model[twice], _gains(ballots, people)[twice])
        if abs(temperature - before) < 0.01:
            break
    return WithModel(posterior, people.accuracy, done, temperature, people.copied, people.errors)


def _known(probs: FloatArray) -> FloatArray:
    """Probabilities without holes and without zeros."""
    even = np.where(np.isnan(probs), 1.0 / probs.shape[1], probs)
    return np.asarray(np.maximum(even, 1e-12))


def _proposed(known: FloatArray, proposed: npt.ArrayLike | None) -> IntArray:
    """Return the classes proposed; where the model knows nothing there is none to follow."""
    if proposed is not None:
        return np.asarray(proposed, dtype=np.int64)
    if not len(known):
        return np.empty(0, dtype=np.int64)
    knows = known.max(axis=1) > known.min(axis=1)
    return np.asarray(np.where(knows, known.argmax(axis=1), -1), dtype=np.int64)


def _ballots(
    items: npt.ArrayLike,
    annotators: npt.ArrayLike,
    votes: npt.ArrayLike,
    proposed: IntArray,
    saw: npt.ArrayLike | None,
    n_annotators: int,
    shape: tuple[int, ...],
) -> _Ballots:
    i, a, v = (np.asarray(x, dtype=np.int64) for x in (items, annotators, votes))
    seen = np.zeros(len(v), dtype=np.bool_) if saw is None else np.asarray(saw, dtype=np.bool_)
    if not len(i) == len(a) == len(v) == len(seen):
        raise UsageError("votes: items, annotators, votes and saw differ in length")
    seen = seen & (proposed[i] >= 0)
    agrees = seen & (proposed[i] == v)
    n_items, n_classes = shape[0], shape[1]
    voted, rows = np.unique(i, return_inverse=True)
    n_voted = len(voted)
    counts = csr_array((np.ones(len(v)), (rows.reshape(-1), v)), shape=(n_voted, n_classes))
    # A single vote cannot tell its own mistake from the model's.
    twice = np.flatnonzero(np.bincount(rows.reshape(-1), minlength=n_voted) >= 2)
    return _Ballots(
        i, a, v, agrees, int(seen.sum()), n_annotators, (n_items, n_classes),
        voted, counts, voted[twice], counts[twice],
    )  # fmt: skip


def _floored(log_model: FloatArray) -> FloatArray:
    soft = softmax(log_model, axis=1)
    return np.asarray(np.log((1.0 - _FLOOR) * soft + _FLOOR / soft.shape[1]))


def _spread(mistakes: FloatArray) -> FloatArray:
    """Turn counted mistakes, (K, K), into shares of each class's, shrunk to an even spread."""
    K = len(mistakes)
    shares = mistakes + _EVEN_ERRORS / max(K - 1, 1)
    np.fill_diagonal(shares, 0.0)
    return np.asarray(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-300))


def _log_errors(errors: FloatArray) -> FloatArray:
    """Log shares of each class's mistakes, and 0 for what is none."""
    safe = errors.copy()
    np.fill_diagonal(safe, 1.0)
    return np.asarray(np.log(np.maximum(safe, 1e-12)))


def _inside(accuracy: FloatArray) -> FloatArray:
    return np.asarray(np.clip(accuracy, 1e-6, 1 - 1e-6))


def _gains(ballots: _Ballots, people: _People) -> FloatArray:
    """Log odds the votes add to each class of each item, (N, K), up to a constant an item."""
    # A vote raises its own class by its annotator's odds, and every other class by how often that
    # is mistaken for it: one bincount and one product over items, never annotators × classes.
    n_items, n_classes = ballots.shape
    inside = _inside(people.accuracy)
    odds = np.log(inside / (1 - inside))[ballots.annotators]
    places = ballots.items * n_classes + ballots.codes
    flat = np.bincount(places, weights=odds, minlength=n_items * n_classes)
    found = flat.reshape(ballots.shape).astype(np.float64)
    logs = _log_errors(people.errors)
    found[ballots.voted] += ballots.counts @ logs.T
    if people.copied > 0:
        found += _copied_gains(ballots, people, logs)
    return np.asarray(found)


def _copied_gains(ballots: _Ballots, people: _People, logs: FloatArray) -> FloatArray:
    """Take from agreeing votes with a proposal in sight what copies do not say, (N, K)."""
    rows = np.flatnonzero(ballots.agrees)
    less: FloatArray = np.zeros(ballots.shape)
    inside = _inside(people.accuracy)[ballots.annotators[rows]]
    codes = ballots.codes[rows]
    # Seen and contradicting: nobody copied that.
    each = (1 - inside)[:, None] * np.exp(logs[:, codes].T)
    each[np.arange(len(rows)), codes] = inside
    aided = people.copied + (1 - people.copied) * each
    np.add.at(less, ballots.items[rows], np.log(aided) - np.log(each))
    return less


def _e_step(log_prior: FloatArray, ballots: _Ballots, people: _People) -> FloatArray:
    logits = log_prior + _gains(ballots, people)
    logits -= logits.max(axis=1, keepdims=True, initial=-np.inf)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def _m_step(
    posterior: FloatArray, ballots: _Ballots, people: _People, prior_votes: float
) -> _People:
    right = posterior[ballots.items, ballots.codes]
    # The chance that a vote was the annotator's own; only own votes tell of the annotator.
    own_right, own = right, np.ones_like(right)
    if people.copied > 0:
        log_right, log_wrong = _vote_logs(ballots, people)
        copy = np.where(ballots.agrees, people.copied, 0.0)
        own_right = right * (1 - copy * np.exp(-log_right))
        own = own_right + (1 - right) * (1 - copy * np.exp(-log_wrong))
    # A few votes against the model do not make the whole crowd adversaries.
    crowd = (own_right.sum() + prior_votes * _CROWD) / (own.sum() + prior_votes)
    hits = np.bincount(ballots.annotators, weights=own_right, minlength=ballots.n_annotators)
    given = np.bincount(ballots.annotators, weights=own, minlength=ballots.n_annotators)
    accuracy = (hits + prior_votes * crowd) / (given + prior_votes)
    errors = _spread((ballots.shared_counts.T @ posterior[ballots.shared]).T)
    if not ballots.seen:
        return _People(accuracy, 0.0, errors)
    copies = float(len(right) - own.sum())
    found = (copies + _COPIES * _COPY_VOTES) / (ballots.seen + _COPY_VOTES)
    # Twice the step: a share of hidden copies is what EM is slowest at.
    copied = min(max(2 * found - people.copied, 0.0), _MOST_COPIES)
    return _People(accuracy, copied, errors)


def _vote_logs(ballots: _Ballots, people: _People) -> tuple[FloatArray, FloatArray]:
    """Log probability of each vote if it is right, and if another class is, copies included."""
    inside = _inside(people.accuracy)
    other = (1.0 - inside) / max(ballots.shape[1] - 1, 1)
    # Seen and agreeing: copied, or found so anyway. Seen and contradicting: nobody copied that.
    blind = np.log(np.stack([inside, other]))
    aided = np.log(people.copied + (1 - people.copied) * np.stack([inside, other]))
    who, agrees = ballots.annotators, ballots.agrees
    right = np.where(agrees, aided[0][who], blind[0][who])
    return right, np.where(agrees, aided[1][who], blind[1][who])


def _temperature(log_model: FloatArray, gains: FloatArray) -> float:
    """Find how much to soften or sharpen the model so that the votes on its items are likeliest."""

    def loss(log_temperature: float) -> float:
        soft = log_softmax(log_model * np.exp(-log_temperature), axis=1)
        return -float(log_sum_exp(soft + gains, axis=1).mean())

    found = minimize_scalar(
        loss,
        bounds=(np.log(_SHARPEST), np.log(_SOFTEST)),
        method="bounded",
        options={"xatol": 1e-3},
    )
    return float(np.exp(found.x)) if found.fun < loss(0.0) - 1e-9 else 1.0
