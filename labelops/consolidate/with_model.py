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
from scipy.special import log_softmax, softmax

from ..errors import UsageError, shown
from ..measure.aligned import array_of
from ..measure.codes import FloatArray, IntArray
from ..measure.given import check_flags, check_number, check_steps
from ..measure.logs import log_sum_exp
from ..measure.votes import check_ints
from ._ballots import Ballots, People, e_step, gather, m_step, strangers, vote_gains

__all__ = ["WithModel", "consolidate_with_model", "surest_model"]

_FLOOR = 0.02
"""Share of the model's belief spread over all classes: no model is sure beyond any vote."""

_LEAST_TWICE = 50
_LEAST_DRAWN = 50
_LEAST_SURE = 30
_ENOUGH = 1e-3
_SOFTEST, _SHARPEST = 20.0, 0.2
_ROUNDS = 6
_SLACK = 1e-3  # Sums of half precision are that far off.


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
    weighed : bool
        Whether there were enough of them.
    alone : (N, K) float array
        What the model says by itself, softened by `temperature`. The votes that tell it are on
        items that people were asked about for being unclear: that a model is righter there than it
        says does not make it surer of the rest. So it is sharpened no further than bears out the
        votes on those items drawn at random that it is then `sure` of, and not at all with fewer
        than 50 drawn at random, or fewer than 30 such ones among them.
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
    weighed: bool
    alone: npt.NDArray[np.float64]
    copied: float
    errors: npt.NDArray[np.float64]


def consolidate_with_model(
    items: npt.ArrayLike,
    annotators: npt.ArrayLike,
    votes: npt.ArrayLike,
    probs: npt.ArrayLike,
    n_annotators: int,
    *,
    saw: npt.ArrayLike | None = None,
    proposed: npt.ArrayLike | None = None,
    drawn: npt.ArrayLike | None = None,
    sure: float = 0.0,
    prior_votes: float = 10.0,
    max_iterations: int = 100,
    tolerance: float = 1e-6,
) -> WithModel:
    """Estimate the truth of N items from V votes and the model's (N, K) probabilities.

    Parameters
    ----------
    items, annotators, votes : (V,) int arrays
        Item code, annotator code and class code of each vote; class -1 (missing) is no vote.
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
    drawn : (N,) bool array, optional
        Items that people were asked about because they were drawn at random, whatever the model
        says of them; none when left out.
    sure : float
        How sure the model has to be of an item for what it says by itself to be taken as it is.
    prior_votes : float
        How many votes the crowd's mean accuracy counts for in each annotator's estimate, and an
        ordinary crowd's in that mean.
    max_iterations, tolerance
        EM stops when no posterior moves by more than `tolerance`.

    Raises
    ------
    UsageError
        Arrays differ in length, codes are out of range, or `probs` are no probabilities.

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
    check_number("prior_votes", prior_votes)
    check_steps(max_iterations, tolerance)
    known = _known(probs)
    shape = known.shape[0], known.shape[1]
    ballots = gather(items, annotators, votes, _proposed(known, proposed), saw, n_annotators, shape)
    at_random = None if drawn is None else check_flags("drawn", drawn, len(known))
    log_model = np.log(known)
    temperature, done = 1.0, 0
    people = strangers(ballots)
    # A single vote and the model agree or not: which of the two is careless shows only where
    # others voted too.
    twice = np.bincount(ballots.items, minlength=known.shape[0]) >= 2
    weighed = bool(twice.sum() >= _LEAST_TWICE)
    enough = max(tolerance, _ENOUGH) if ballots.seen else tolerance
    for _ in range(_ROUNDS):
        log_prior = _floored(log_model / temperature)
        posterior, people, steps = _in_turn(
            log_prior, ballots, people, prior_votes, max_iterations, enough
        )
        done += steps
        if not weighed:
            break
        before = temperature
        temperature = _temperature(log_model[twice], vote_gains(ballots, people)[twice])
        if abs(temperature - before) < 0.01:
            break
    random = np.bincount(ballots.items, minlength=known.shape[0]) > 0
    random &= False if at_random is None else at_random
    softer = temperature
    if weighed:
        gains = vote_gains(ballots, people)[random]
        softer = _no_sharper(temperature, log_model[random], gains, sure)
    return WithModel(
        posterior=posterior,
        accuracy=people.accuracy,
        iterations=done,
        temperature=temperature,
        weighed=weighed,
        alone=np.exp(_floored(log_model / softer)),
        copied=people.copied,
        errors=people.errors,
    )


def _in_turn(
    log_prior: FloatArray,
    ballots: Ballots,
    people: People,
    prior_votes: float,
    max_iterations: int,
    enough: float,
) -> tuple[FloatArray, People, int]:
    """Estimate people and posteriors in turn until no posterior moves by more than is enough.

    Returns
    -------
    posterior, people, iterations
    """
    posterior = e_step(log_prior, ballots, people)
    for done in range(1, max_iterations + 1):
        people = m_step(posterior, ballots, people, prior_votes)
        previous, posterior = posterior, e_step(log_prior, ballots, people)
        if np.abs(posterior - previous).max(initial=0.0) <= enough:
            return posterior, people, done
    return posterior, people, max_iterations


def surest_model(classes: int) -> float:
    """Return the highest posterior that a model's probabilities alone can reach.

    Parameters
    ----------
    classes : int
        K, from 1.

    Examples
    --------
    >>> round(surest_model(4), 6)
    0.985
    """
    return 1.0 - _FLOOR * (1.0 - 1.0 / classes)


def _known(probs: npt.ArrayLike) -> FloatArray:
    """Probabilities without holes and without zeros."""
    array = array_of("probs", probs, "numbers", np.float64)
    if array.ndim != 2:
        raise UsageError(f"probs: shape {array.shape}, expected (items, classes)")
    if (array < 0).any() or np.isinf(array).any():
        raise UsageError("probs: a value is negative or infinite")
    silent = np.asarray(np.isnan(array).all(axis=1))
    bad = np.flatnonzero(~silent & ~(np.abs(array.sum(axis=1) - 1) <= _SLACK))  # NaN is not.
    if bad.size:
        raise UsageError(
            f"probs: row {bad[0]} is {shown(array[bad[0]].tolist())}, expected a sum of 1, or NaN "
            "in all classes"
        )
    even = np.where(silent[:, None], 1.0 / max(array.shape[1], 1), array)
    return np.asarray(np.maximum(even, 1e-12))


def _proposed(known: FloatArray, proposed: npt.ArrayLike | None) -> IntArray:
    """Return the classes proposed; where the model knows nothing there is none to follow."""
    if proposed is not None:
        found = check_ints("proposed", proposed, known.shape[1], lowest=-1)
        if len(found) != len(known):
            raise UsageError(f"proposed: {len(found)} classes, expected {len(known)}, one an item")
        return found.astype(np.int64)
    if not len(known):
        return np.empty(0, dtype=np.int64)
    knows = known.max(axis=1) > known.min(axis=1)
    return np.asarray(np.where(knows, known.argmax(axis=1), -1), dtype=np.int64)


def _floored(log_model: FloatArray) -> FloatArray:
    soft = softmax(log_model, axis=1)
    return np.asarray(np.log((1.0 - _FLOOR) * soft + _FLOOR / soft.shape[1]))


def _no_sharper(temperature: float, log_model: FloatArray, gains: FloatArray, sure: float) -> float:
    """Soften a temperature until the votes on random items that the model is sure of bear it out.

    What it is sure of is taken as it is: that it is righter than it says of other items does not
    make it surer of these. Softened, it is sure of fewer, whose votes are asked again.
    """
    while True:
        left = np.exp(_floored(log_model / temperature)).max(axis=1) >= sure
        enough = len(left) >= _LEAST_DRAWN and left.sum() >= _LEAST_SURE
        found = _temperature(log_model[left], gains[left]) if enough else 1.0
        if found <= temperature:
            return temperature
        temperature = found


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
