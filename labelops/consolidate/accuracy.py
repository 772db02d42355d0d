"""How often each annotator is right, with an interval: votes held against what the others say.

What is believed of an item was formed of the annotator's own vote too, and of skills pulled towards
the crowd. An interval around such an estimate is centred where the crowd is. So each vote is held
against the belief of the *other* votes (and of gold, or a model, where there is one), and an
accuracy a gives the vote the probability a·u + (1 - a)·v: u, that the others say the class is the
one given, and v, that it is another and this annotator's mistakes fall here. The interval is where
this likelihood lies, under Jeffreys' prior and no other. A vote on an item that the others leave
open has u ≈ v and tells nothing, so unsure beliefs widen the interval and do not bend it.

That the others' accuracies are estimates as well is in the empirical information matrix of all
annotators together: how much an annotator's variance grows when nobody else's accuracy is given is
how much less that annotator's likelihood counts.

All this takes people to err each for themselves. Where they share mistakes the others are believed
too much, and who agrees with them seems right more often than is true. The posterior that is handed
in is calibrated, by votes it did not see, by how far votes go wrong together, or by gold. So where
an annotator is right less often by it than by the beliefs held here, the interval reaches that much
further down, and up where more often.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy import sparse
from scipy.optimize import minimize_scalar

from labelops.measure.brief import brief
from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.rows import row_largest, row_totals
from labelops.measure.votes import AnyInts, Votes

from ._accuracy_likelihood import EDGES, WORTH_OF_FEW, intervals, worth
from .expected import CROWD_VOTES, crowd_confusions, expected_counts

__all__ = ["Accuracies", "measure_accuracies"]

_ROUNDS = 6
_BLOCK = 1 << 17
_MOST_VOTES = 10_000
_MOST_PAIRS = 1 << 24
_PEOPLE = 1 << 12
_SHARPEST, _SOFTEST = 0.8, 10.0
_TINY = 1e-9


@brief
@dataclass(frozen=True, slots=True)
class Accuracies:
    """Share of right votes of A annotators.

    Attributes
    ----------
    estimate : (A,) float
        Pulled a little to the crowd, for least error; inside the interval.
    low, high : (A,) float
        The interval, not pulled.
    """

    estimate: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True)
class _Part:
    """Votes of a block of items, held against the others' beliefs."""

    first: int
    items: IntArray
    cells: IntArray
    places: AnyInts
    weights: FloatArray
    known: IntArray
    belief: FloatArray


def measure_accuracies(
    votes: Votes,
    posterior: FloatArray,
    *,
    truth: IntArray | None = None,
    evidence: FloatArray | None = None,
    confidence: float = 0.95,
) -> Accuracies:
    """Estimate every annotator's accuracy from the others' votes, with an equal-tailed interval.

    Time is linear in votes, memory beside a block of votes in annotators.

    Parameters
    ----------
    votes : Votes
    posterior : (N, K) float
        Calibrated belief about each item: it tells whose votes to believe, and how far.
    truth : (N,) int, optional
        Classes known from elsewhere, -1 where unknown.
    evidence : (N, K) float, optional
        What something other than votes says of each item, as probabilities.
    confidence : float
        Of the interval.

    Returns
    -------
    Accuracies
        In steps of 1/400. Where nothing tells how often an annotator is right, as with two
        annotators and no gold, the interval is nearly [0, 1].

    References
    ----------
    Meilijson 1989 (empirical information in EM), https://doi.org/10.1111/j.2517-6161.1989.tb01754.x

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> items, who = np.repeat(np.arange(60), 6), np.tile(np.arange(6), 60)
    >>> codes = np.where((who == 5) & (items % 2 == 1), 1, 0)
    >>> votes = pack_votes(items, who, codes, n_items=60, n_annotators=6, n_classes=2)
    >>> found = measure_accuracies(votes, np.tile([0.9, 0.1], (60, 1)))
    >>> bool(found.low[5] < 0.5 < found.high[5] < found.low[0])
    True
    """
    held = _Held(votes, posterior, truth, evidence)
    for _ in range(_ROUNDS):
        held.learn()
    bins, hits, given, pairs = held.tabulate()
    bins *= (worth(pairs) * held.trust)[:, None]
    crowd = min(max(held.crowd, 0.01), 0.99)
    found: FloatArray = np.empty((3, votes.n_annotators))
    for first in range(0, votes.n_annotators, _PEOPLE):
        some = slice(first, first + _PEOPLE)
        found[:, some] = intervals(bins[some], hits[some], given[some], crowd, confidence)
    estimate, low, high = found
    more = held.overstated()
    return Accuracies(
        estimate,
        np.maximum(low - np.maximum(more, 0), 0),
        np.minimum(high - np.minimum(more, 0), 1),
    )


class _Held:
    """Votes, and the skills by which each is held against the others."""

    def __init__(
        self,
        votes: Votes,
        posterior: FloatArray,
        truth: IntArray | None,
        evidence: FloatArray | None,
    ) -> None:
        self.votes, self.posterior, self.evidence = votes, posterior, evidence
        self.truth = np.broadcast_to(np.int64(-1), votes.n_items) if truth is None else truth
        self.counts = expected_counts(votes, posterior)
        self.answers = self.counts.answers
        self.given = self._by_annotator(self.counts.people.sum(axis=1))
        shares = self.counts.cells.sum(axis=0) + 1
        self.base = np.log(shares / shares.sum())
        self.temperature = 1.0
        voices = int((self.given > 0).sum()) + (evidence is not None)
        self.trust = WORTH_OF_FEW.get(voices, 1.0)

    @property
    def crowd(self) -> float:
        """How often the crowd's votes are right."""
        return float((self.counts.hits.sum() + 0.7) / (self.given.sum() + 1))

    def learn(self) -> None:
        """Fit how far to believe the others, and count each vote by what they and it say."""
        self._set_skills()
        self._fit_temperature()
        counts = np.zeros_like(self.counts.cells)
        for part in self._parts():
            said = self._belief(part) * self.rates[part.places]
            said *= part.weights[:, None] / np.maximum(row_totals(said), _TINY)
            rows = sparse.csr_matrix(
                (np.ones(part.places.size), (part.places, np.arange(part.places.size))),
                shape=(len(counts), part.places.size),
            )
            counts += rows @ said
        self.counts = replace(self.counts, cells=counts)

    def tabulate(self) -> tuple[FloatArray, FloatArray, FloatArray, sparse.csr_matrix]:
        """Count votes by log v/u, those that gold judges, and pairs of scores over items."""
        size, people = self.base.size, self.given.size
        width = len(EDGES) - 1
        bins: FloatArray = np.zeros(people * width)
        hits, known, pairs = np.zeros(people), np.zeros(people), sparse.csr_matrix((people, people))
        squares = (
            (part.per_item.astype(np.float64) ** 2).sum() for _, part in self.votes.blocks(_BLOCK)
        )
        step = 1 + int(sum(squares)) // _MOST_PAIRS
        accuracy = np.clip(self._own(2.0), 0.02, 0.98)
        for part in self._parts():
            who, judged = part.cells // size, part.known >= 0
            right, wrong = self._sides(part)
            place = np.digitize(np.log(wrong / right).clip(-11.99, 11.99), EDGES) - 1
            free = np.where(judged, 0.0, part.weights)
            bins += np.bincount(who * width + place, weights=free, minlength=bins.size)
            sure = part.weights * judged
            known += np.bincount(who, weights=sure, minlength=people)
            hits += np.bincount(
                who, weights=sure * (part.known == part.cells % size), minlength=people
            )
            a = accuracy[who]
            share = a * right / (a * right + (1 - a) * wrong)
            score = free * (share - a) / (a * (1 - a))
            some = np.flatnonzero((part.items % step == 0) & ~judged)
            at = (part.items[some] - part.first, who[some])
            scores = sparse.csr_matrix(
                (score[some], at), shape=(int(part.items[-1]) - part.first + 1, people)
            )
            pairs = pairs + scores.T @ scores
        return bins.reshape(people, width), hits, known, pairs * float(step)

    def overstated(self) -> FloatArray:
        """Say how much more often each one is right by these beliefs than by the posterior."""
        size, people = self.base.size, self.given.size
        more = np.zeros(people)
        for part in self._parts():
            who, code = np.divmod(part.cells, size)
            own = self.logs[part.places] * part.weights[:, None]
            belief = self._belief(replace(part, belief=part.belief + own))
            right = belief[np.arange(code.size), code]
            less = np.where(part.known >= 0, right, self.posterior[part.items, code])
            more += np.bincount(who, weights=part.weights * (right - less), minlength=people)
        return np.asarray(more / np.maximum(self.given, _TINY))

    def _set_skills(self) -> None:
        skills = crowd_confusions(self.counts)
        answers, place = self.answers, np.arange(self.answers.code.size)
        self.rates = skills.given
        self.logs = np.log(np.maximum(self.rates, _TINY))
        self.mistakes = self.rates.copy()
        self.mistakes[place, answers.code] = 0.0
        # Those that nobody made sum to what the crowd's would, without those that were.
        seen = skills.mistakes[answers.code]
        unseen = skills.mistakes.sum(axis=0) - answers.by_person(seen)
        total = answers.by_person(self.mistakes) + skills.wrong * np.maximum(unseen, 0.0)
        self.mistakes /= np.maximum(total, _TINY)[answers.person]

    def _fit_temperature(self) -> None:
        """Find how far others are to be believed for their beliefs to predict the votes."""
        # One number needs no more than some thousand votes: every so-many-th block's will do.
        parts = list(self._parts(1 + self.votes.cells.size // _MOST_VOTES))
        size, accuracy = self.base.size, self._own(CROWD_VOTES)

        def loss(log_temperature: float) -> float:
            self.temperature = float(np.exp(log_temperature))
            total = 0.0
            for part in parts:
                right, wrong = self._sides(part)
                a = accuracy[part.cells // size]
                open_ = np.where(part.known >= 0, 0.0, part.weights)
                total -= float((open_ * np.log(a * right + (1 - a) * wrong)).sum())
            return total

        bounds = (np.log(_SHARPEST), np.log(_SOFTEST))
        found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-2})
        self.temperature = float(np.exp(found.x))

    def _own(self, crowd_votes: float) -> FloatArray:
        hits = self._by_annotator(self.counts.hits)
        pulled = (hits + crowd_votes * self.crowd) / (self.given + crowd_votes)
        return np.asarray(np.clip(pulled, 0.0, 1.0))

    def _by_annotator(self, values: FloatArray) -> FloatArray:
        """Spread a number of each who gave answers, (Q + 1,), over all, (A,)."""
        found = np.zeros(self.votes.n_annotators)
        found[self.answers.people] = values[:-1]
        return found

    def _sides(self, part: _Part) -> tuple[FloatArray, FloatArray]:
        """Return u and v of each vote."""
        belief = self._belief(part)
        right = belief[np.arange(len(belief)), part.cells % self.base.size]
        wrong = row_totals(belief * self.mistakes[part.places])[:, 0]
        return np.maximum(right, 1e-12), np.maximum(wrong, 1e-12)

    def _belief(self, part: _Part) -> FloatArray:
        """Return what is known of each vote's item without the vote, (V, K)."""
        logs = part.belief / self.temperature
        if self.evidence is None:
            logs += self.base
        else:
            logs += np.log(np.maximum(self.evidence[part.items], _TINY))
        logs -= row_largest(logs)
        belief = np.exp(logs, out=logs)
        belief /= row_totals(belief)
        rows = np.flatnonzero(part.known >= 0)
        belief[rows] = 0.0
        belief[rows, part.known[rows].astype(np.int64)] = 1.0
        return np.asarray(belief)

    def _parts(self, step: int = 1) -> Iterator[_Part]:
        """Yield items with votes in blocks; of a step above 1 every so-many-th item's."""
        for some in self._every(step) if step > 1 else self._each():
            if not some.size:
                continue
            rows = self.votes.rows[some].astype(np.int64)
            counts = self.votes.rows[some + 1] - rows
            starts = np.cumsum(counts) - counts
            at = np.repeat(rows - starts, counts) + np.arange(counts.sum())
            cells, weights = self.votes.cells[at].astype(np.int64), self.votes.weights
            weights = np.ones(at.size) if weights is None else weights[at]
            items = np.repeat(some, counts)
            places = self.answers.places(cells)
            said = self.logs[places] * weights[:, None]
            others = np.repeat(np.add.reduceat(said, starts, axis=0), counts, axis=0) - said
            known = self.truth[items]
            yield _Part(int(some[0]), items, cells, places, weights, known, others)

    def _each(self) -> Iterator[IntArray]:
        """Yield all items with votes, in ranges of so many votes: a list of all is not held."""
        rows = self.votes.rows
        cuts = np.searchsorted(rows[1:], np.arange(_BLOCK, int(rows[-1]), _BLOCK))
        ends = [0, *np.unique(cuts).tolist(), self.votes.n_items]
        for first, last in pairwise(ends):
            yield first + np.flatnonzero(np.diff(rows[first : last + 1]))

    def _every(self, step: int) -> Iterator[IntArray]:
        """Yield every so-many-th of the items with votes."""
        ids = np.flatnonzero(np.diff(self.votes.rows))[::step]
        sizes = self.votes.rows[ids + 1].astype(np.int64) - self.votes.rows[ids]
        cuts = np.searchsorted(np.cumsum(sizes), np.arange(_BLOCK, sizes.sum(), _BLOCK))
        return iter(np.split(ids, np.unique(cuts)))
