"""People who are asked one after the other, each chosen by the true record of all so far."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from benchmarks._label_sets import TEAM, LabelSet, measured_skills
from benchmarks.label_floor import VOTES, Array, Codes, rte_matrices

__all__ = ["Asked", "Who"]

_ROUND = 25
"""Votes until records are read anew."""

_OF_MEAN = 4.0
"""Votes that the mean of all matrices counts for in a record of few."""


@dataclass(frozen=True)
class Who:
    """Who is asked: of the best by record, whoever comes.

    Parameters
    ----------
    best : int
        So many of the best share the work; all are asked in turn, none by Thompson's draws.
    tries : int
        Looks that everybody gives before.
    later : bool
        First looks at an item are anybody's, in turn; only those that follow go by record.
    """

    best: int
    tries: int = 0
    later: bool = False

    def liking(self, right: Array, tried: Array, turn: Codes, rng: np.random.Generator) -> Array:
        """Return how much each person is wanted for each of some items, (n, M)."""
        # In turn where nothing else tells: less than any difference in record or in tries.
        turns = -1e-9 * turn
        if self.best == TEAM:
            return turns
        if tried.min() < self.tries:
            return turns - np.minimum(tried, self.tries)
        a, b = _prior()
        if not self.best:
            return rng.beta(a + right, b + tried - right, turn.shape)
        mean = (a + right) / (a + b + tried)
        in_pool = mean >= np.sort(mean)[-self.best]
        return turns + np.where(in_pool, 1.0, mean - 1)


@cache
def _prior() -> tuple[float, float]:
    """Return the Beta distribution of how often RTE's workers are right."""
    skill = measured_skills().mean(axis=1)
    mean = float(skill.mean())
    weight = mean * (1 - mean) / float(skill.var()) - 1
    return mean * weight, (1 - mean) * weight


@dataclass
class Asked:
    """Votes as they are bought, with everybody's true record.

    Parameters
    ----------
    truth : (N,) int array
    said, turn : (N, M) int arrays
        By item and person: the class named, and when they would come.
    matrices : (M, K, K) float array
        P(vote | class).
    who : Who
    rng : numpy.random.Generator
    taken : (N, VOTES) int array
        Who looked, in order.
    count : (N,) int array
    seen : (M, K, K) float array
        How often each said what of which class.
    """

    truth: Codes
    said: Codes
    turn: Codes
    matrices: Array
    who: Who
    rng: np.random.Generator
    taken: Codes = field(init=False)
    count: Codes = field(init=False)
    seen: Array = field(init=False)

    def __post_init__(self) -> None:
        """Begin without a vote."""
        self.taken = np.full((len(self.truth), VOTES), -1)
        self.count = np.zeros(len(self.truth), dtype=np.int64)
        self.seen = np.zeros_like(self.matrices)

    @classmethod
    def of_rte(cls, tickets: LabelSet, seed: int, who: Who) -> Asked:
        """Ask the twenty that `label_set` draws."""
        crowd = tickets.crowds["rte"](seed)
        turn = crowd.who.argsort(axis=1)
        said = np.take_along_axis(crowd.said, turn, axis=1)
        rng = np.random.default_rng([seed, 3])
        return cls(tickets.truth, said, turn, rte_matrices(tickets, seed), who, rng)

    def fork(self) -> Asked:
        """Return a copy that goes on by itself."""
        other = replace(self, rng=np.random.default_rng(int(self.count.sum())))
        other.taken, other.count, other.seen = (
            a.copy() for a in (self.taken, self.count, self.seen)
        )
        return other

    def liking(self, rows: Codes) -> Array:
        """Return how much each person is wanted at some items by their record so far."""
        right, tried = self.seen.trace(axis1=1, axis2=2), self.seen.sum(axis=(1, 2))
        liking = self.who.liking(right, tried, self.turn[rows], self.rng)
        if self.who.later:
            first = rows[self.count[rows] == 0]
            liking[self.count[rows] == 0] = -self.turn[first]
        return liking

    def ask(self, rows: Codes) -> None:
        """Have one more person look at each of these items, a round after the other."""
        for start in range(0, len(rows), _ROUND):
            some = rows[start : start + _ROUND]
            liking = self.liking(some)
            at, slot = np.nonzero(self.taken[some] >= 0)
            liking[at, self.taken[some][at, slot]] = -np.inf
            person = liking.argmax(axis=1)
            self.taken[some, self.count[some]] = person
            self.count[some] += 1
            np.add.at(self.seen, (person, self.truth[some], self.said[some, person]), 1)

    def chances(self, probs: Array, *, told: bool = True) -> Array:
        """Return each class's posterior, with the people's true matrices or those of their record.

        An item's own truth is left out of the records that it is judged by.
        """
        item, slot = np.nonzero(self.taken >= 0)
        person = self.taken[item, slot]
        vote = self.said[item, person]
        if told:
            of_vote = self.matrices[person, :, vote]
        else:
            prior = _OF_MEAN * self.matrices.mean(axis=0)
            own = np.arange(probs.shape[1]) == self.truth[item][:, None]
            named = self.seen[person, :, vote] - own + prior[:, vote].T
            of_vote = named / (self.seen.sum(axis=2)[person] - own + prior.sum(axis=1))
        logs = np.log(probs)
        np.add.at(logs, item, np.log(of_vote))
        found: Array = np.exp(logs - logs.max(axis=1, keepdims=True))
        return found / found.sum(axis=1, keepdims=True)

    def ask_until(self, probs: Array, threshold: float, *, told: bool = True) -> Array:
        """Ask on where no class is likely enough; return the posterior at the end."""
        while True:
            chances = self.chances(probs, told=told)
            unsure = (chances.max(axis=1) < threshold) & (self.count < VOTES)
            if not unsure.any():
                return chances
            self.ask(np.flatnonzero(unsure))

    def order(self) -> Codes:
        """Return who looks at each item: those who did, then the best by record, (N, M)."""
        liking = self.liking(np.arange(len(self.truth)))
        item, slot = np.nonzero(self.taken >= 0)
        liking[item, self.taken[item, slot]] = 1e6 - slot
        people: Codes = np.argsort(-liking, axis=1, kind="stable")
        return people
