"""Votes and a model's out-of-fold probabilities together: EM with the model as prior on the truth.

Where most items have a single vote, votes alone cannot tell a careless annotator from a
careful one. A model that never saw the item's own votes is an independent opinion, and
enough of it: the posterior of an item is its model probabilities times each annotator's
likelihood, and each annotator's accuracy is what those posteriors say of their votes.

Two things would make that too sure of itself, and both are estimated and taken out. A model may
be over-confident: its probabilities are softened by the temperature under which the votes are
likeliest. And whoever saw the model's proposal may have followed it: such a vote that agrees with
it is a copy with some probability, and a copy says nothing that the model did not say already.

References
----------
Raykar, Yu, Zhao, Valadez, Florin, Bogoni, Moy (2010), "Learning from crowds", Journal of
Machine Learning Research 11, https://www.jmlr.org/papers/v11/raykar10a.html. Here with the
classifier fitted beforehand, out of fold, and one accuracy an annotator, shrunk to the crowd's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
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
_SOFTEST = 20.0
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
        How much the model's probabilities were softened; 1 is not at all. With fewer than 50
        items that two people voted on they are taken as they are: what they are worth cannot be
        told from what people are worth.
    copied : float
        Share of votes with a proposal in sight that follow it unread; 0 where nobody saw one.
    """

    posterior: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    iterations: int
    temperature: float
    copied: float


@dataclass(frozen=True, slots=True)
class _Ballots:
    """Votes, and whether each agrees with a proposal that was on the screen."""

    items: IntArray
    annotators: IntArray
    codes: IntArray
    agrees: npt.NDArray[np.bool_]
    seen: int
    n_annotators: int
    shape: tuple[int, int]


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
    accuracy: FloatArray = np.full(n_annotators, _CROWD)
    copied = _COPIES if ballots.seen else 0.0
    posterior = np.exp(_floored(log_model))
    # A single vote and the model agree or not: which of the two is careless shows only where
    # others voted too.
    twice = np.bincount(ballots.items, minlength=known.shape[0]) >= 2
    enough = max(tolerance, _ENOUGH) if ballots.seen else tolerance
    for _ in range(_ROUNDS):
        log_prior = _floored(log_model / temperature)
        posterior = _e_step(log_prior, ballots, accuracy, copied)
        for _ in range(max_iterations):
            accuracy, copied = _m_step(posterior, ballots, accuracy, copied, prior_votes)
            previous, posterior = posterior, _e_step(log_prior, ballots, accuracy, copied)
            done += 1
            if np.abs(posterior - previous).max(initial=0.0) <= enough:
                break
        if twice.sum() < _LEAST_TWICE:
            break
        before = temperature
        temperature = _temperature(log_model[twice], _gains(ballots, accuracy, copied)[twice])
        if abs(temperature - before) < 0.01:
            break
    return WithModel(posterior, accuracy, done, temperature, copied)


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
    return _Ballots(i, a, v, agrees, int(seen.sum()), n_annotators, (shape[0], shape[1]))


def _floored(log_model: FloatArray) -> FloatArray:
    soft = softmax(log_model, axis=1)
    return np.asarray(np.log((1.0 - _FLOOR) * soft + _FLOOR / soft.shape[1]))


def _vote_logs(
    ballots: _Ballots, accuracy: FloatArray, copied: float
) -> tuple[FloatArray, FloatArray]:
    """Log probability of each vote if it is right, and if another class is."""
    inside = np.clip(accuracy, 1e-6, 1 - 1e-6)
    other = (1.0 - inside) / max(ballots.shape[1] - 1, 1)
    # Seen and agreeing: copied, or found so anyway. Seen and contradicting: nobody copied that.
    blind = np.log(np.stack([inside, other]))
    aided = np.log(copied + (1 - copied) * np.stack([inside, other]))
    who, agrees = ballots.annotators, ballots.agrees
    right = np.where(agrees, aided[0][who], blind[0][who])
    return right, np.where(agrees, aided[1][who], blind[1][who])


def _gains(ballots: _Ballots, accuracy: FloatArray, copied: float) -> FloatArray:
    """Log odds the votes add to each class of each item, (N, K)."""
    # A vote raises its own class and leaves the others alike: one bincount over votes, never
    # items × annotators × classes.
    right, wrong = _vote_logs(ballots, accuracy, copied)
    n_items, n_classes = ballots.shape
    flat = np.bincount(
        ballots.items * n_classes + ballots.codes,
        weights=right - wrong,
        minlength=n_items * n_classes,
    )
    return np.asarray(flat.reshape(ballots.shape))


def _e_step(
    log_prior: FloatArray, ballots: _Ballots, accuracy: FloatArray, copied: float
) -> FloatArray:
    logits = log_prior + _gains(ballots, accuracy, copied)
    logits -= logits.max(axis=1, keepdims=True, initial=-np.inf)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def _m_step(
    posterior: FloatArray,
    ballots: _Ballots,
    accuracy: FloatArray,
    copied: float,
    prior_votes: float,
) -> tuple[FloatArray, float]:
    right = posterior[ballots.items, ballots.codes]
    # The chance that a vote was the annotator's own; only own votes tell of the annotator.
    own_right, own = right, np.ones_like(right)
    if copied > 0:
        log_right, log_wrong = _vote_logs(ballots, accuracy, copied)
        copy = np.where(ballots.agrees, copied, 0.0)
        own_right = right * (1 - copy * np.exp(-log_right))
        own = own_right + (1 - right) * (1 - copy * np.exp(-log_wrong))
    # A few votes against the model do not make the whole crowd adversaries.
    crowd = (own_right.sum() + prior_votes * _CROWD) / (own.sum() + prior_votes)
    hits = np.bincount(ballots.annotators, weights=own_right, minlength=ballots.n_annotators)
    given = np.bincount(ballots.annotators, weights=own, minlength=ballots.n_annotators)
    updated = (hits + prior_votes * crowd) / (given + prior_votes)
    if not ballots.seen:
        return updated, 0.0
    copies = float(len(right) - own.sum())
    found = (copies + _COPIES * _COPY_VOTES) / (ballots.seen + _COPY_VOTES)
    # Twice the step: a share of hidden copies is what EM is slowest at.
    return updated, min(max(2 * found - copied, 0.0), _MOST_COPIES)


def _temperature(log_model: FloatArray, gains: FloatArray) -> float:
    """Find how much to soften the model so that the votes on its items are likeliest."""

    def loss(log_temperature: float) -> float:
        soft = log_softmax(log_model * np.exp(-log_temperature), axis=1)
        return -float(log_sum_exp(soft + gains, axis=1).mean())

    found = minimize_scalar(
        loss, bounds=(0.0, np.log(_SOFTEST)), method="bounded", options={"xatol": 1e-3}
    )
    return float(np.exp(found.x)) if found.fun < loss(0.0) - 1e-9 else 1.0
