"""Votes beside a model: what they say of items (E step) and of who gave them (M step)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from ..errors import UsageError
from ..measure.codes import BoolArray, FloatArray, IntArray
from ..measure.given import check_flags
from ..measure.sizes import check_sizes
from ..measure.votes import check_ints

__all__ = ["CROWD", "Ballots", "People", "e_step", "gather", "m_step", "strangers", "vote_gains"]

CROWD = 0.8
"""How often people are right before there are votes to tell."""

_COPIES = 0.05
"""Share of votes that copy a proposal in sight, before there are votes to tell."""

_COPY_VOTES = 20.0
_MOST_COPIES = 0.95
_EVEN_ERRORS = 5.0
"""How many errors an even spread over the other classes counts for, of each class."""


@dataclass(frozen=True, slots=True)
class Ballots:
    """Votes, and whether each agrees with a proposal that was on the screen.

    `voted` are the items with a vote and `counts` their votes by class, sparse: most of a hundred
    classes are named by nobody. `shared` are those with two votes or more, alike.
    """

    items: IntArray
    annotators: IntArray
    codes: IntArray
    agrees: BoolArray
    seen: int
    n_annotators: int
    shape: tuple[int, int]
    voted: IntArray
    counts: csr_array
    shared: IntArray
    shared_counts: csr_array


@dataclass(frozen=True, slots=True)
class People:
    """What is believed of the annotators."""

    accuracy: FloatArray
    copied: float
    errors: FloatArray


def gather(
    items: npt.ArrayLike,
    annotators: npt.ArrayLike,
    votes: npt.ArrayLike,
    proposed: IntArray,
    saw: npt.ArrayLike | None,
    n_annotators: int,
    shape: tuple[int, int],
) -> Ballots:
    """Check votes and count them by item; a missing one (-1) is none.

    Raises
    ------
    UsageError
        Arrays differ in length, or name an item, annotator or class that there is not.
    """
    n_items, n_classes = shape
    check_sizes(n_items, n_annotators, n_classes)
    i = check_ints("items", items, n_items).astype(np.int64)
    a = check_ints("annotators", annotators, n_annotators).astype(np.int64)
    v = check_ints("votes", votes, n_classes, lowest=-1).astype(np.int64)
    if not len(i) == len(a) == len(v):
        raise UsageError("votes: items, annotators and votes differ in length")
    seen = np.zeros(len(v), dtype=np.bool_) if saw is None else check_flags("saw", saw, len(v))
    there = v >= 0
    if not there.all():
        i, a, v, seen = i[there], a[there], v[there], seen[there]
    seen = seen & (proposed[i] >= 0)
    agrees = seen & (proposed[i] == v)
    voted, rows = np.unique(i, return_inverse=True)
    n_voted = len(voted)
    counts = csr_array((np.ones(len(v)), (rows.reshape(-1), v)), shape=(n_voted, n_classes))
    # A single vote cannot tell its own mistake from the model's.
    twice = np.flatnonzero(np.bincount(rows.reshape(-1), minlength=n_voted) >= 2)
    return Ballots(
        i, a, v, agrees, int(seen.sum()), n_annotators, (n_items, n_classes),
        voted, counts, voted[twice], counts[twice],
    )  # fmt: skip


def strangers(ballots: Ballots) -> People:
    """Say what to believe of people before their votes were looked at."""
    n_classes = ballots.shape[1]
    return People(
        np.full(ballots.n_annotators, CROWD),
        _COPIES if ballots.seen else 0.0,
        _spread(np.zeros((n_classes, n_classes))),
    )


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


def vote_gains(ballots: Ballots, people: People) -> FloatArray:
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


def _copied_gains(ballots: Ballots, people: People, logs: FloatArray) -> FloatArray:
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


def e_step(log_prior: FloatArray, ballots: Ballots, people: People) -> FloatArray:
    """Believe of each item what the model, (N, K) log probabilities, and people say; (N, K)."""
    logits = log_prior + vote_gains(ballots, people)
    logits -= logits.max(axis=1, keepdims=True, initial=-np.inf)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def m_step(posterior: FloatArray, ballots: Ballots, people: People, prior_votes: float) -> People:
    """Judge people by what is believed of the items they voted on."""
    right = posterior[ballots.items, ballots.codes]
    # The chance that a vote was the annotator's own; only own votes tell of the annotator.
    own_right, own = right, np.ones_like(right)
    if people.copied > 0:
        log_right, log_wrong = _vote_logs(ballots, people)
        copy = np.where(ballots.agrees, people.copied, 0.0)
        own_right = right * (1 - copy * np.exp(-log_right))
        own = own_right + (1 - right) * (1 - copy * np.exp(-log_wrong))
    # A few votes against the model do not make the whole crowd adversaries.
    crowd = (own_right.sum() + prior_votes * CROWD) / (own.sum() + prior_votes)
    hits = np.bincount(ballots.annotators, weights=own_right, minlength=ballots.n_annotators)
    given = np.bincount(ballots.annotators, weights=own, minlength=ballots.n_annotators)
    accuracy = (hits + prior_votes * crowd) / (given + prior_votes)
    errors = _spread((ballots.shared_counts.T @ posterior[ballots.shared]).T)
    if not ballots.seen:
        return People(accuracy, 0.0, errors)
    copies = float(len(right) - own.sum())
    found = (copies + _COPIES * _COPY_VOTES) / (ballots.seen + _COPY_VOTES)
    # Twice the step: a share of hidden copies is what EM is slowest at.
    copied = min(max(2 * found - people.copied, 0.0), _MOST_COPIES)
    return People(accuracy, copied, errors)


def _vote_logs(ballots: Ballots, people: People) -> tuple[FloatArray, FloatArray]:
    """Log probability of each vote if it is right, and if another class is, copies included."""
    inside = _inside(people.accuracy)
    other = (1.0 - inside) / max(ballots.shape[1] - 1, 1)
    # Seen and agreeing: copied, or found so anyway. Seen and contradicting: nobody copied that.
    blind = np.log(np.stack([inside, other]))
    aided = np.log(people.copied + (1 - people.copied) * np.stack([inside, other]))
    who, agrees = ballots.annotators, ballots.agrees
    right = np.where(agrees, aided[0][who], blind[0][who])
    return right, np.where(agrees, aided[1][who], blind[1][who])
