"""Ambiguous or wrong? An item people really disagree on is told from one somebody got wrong.

Under *clear* an item has one true class and every annotator errs in their own way (Dawid and
Skene). Under *ambiguous* it is torn between two classes: each annotator sees the one or the
other, at least a quarter of them each, and then errs as always. The votes of an item are
weighed under both, so that a careless annotator's odd vote is an error, and the same vote of a
careful one is disagreement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelops.audit.vote_spread import ItemVotes, SpreadModel, Weighed, fit_spread, weigh
from labelops.errors import UsageError
from labelops.measure.brief import brief
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, code_count
from labelops.measure.draws import check_rng
from labelops.measure.given import check_share

__all__ = ["Ambiguity", "ambiguous_items"]

_SIMULATED = 2_000  # Items with as many votes, over all rounds of simulation…
_MOST_ROUNDS = 200  # … which are no more than this.
_BLOCK = 100_000


@brief
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


def ambiguous_items(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_items: int | None = None,
    n_classes: int | None = None,
    *,
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

    Notes
    -----
    The flags are as good as the fitted model. In simulated crowds of 800 items, 25 people and 6 to
    20 votes an item, with a risk of .2, the share of clear items among the flagged is .21 to .24 on
    average where people err evenly and .03 to .20 where each has habits of their own.

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
    check_rng(rng)
    check_share("risk", risk, inside=True)
    votes, voted, N = _checked(items, annotators, codes, n_items, n_classes)
    if votes.K < 2:
        return _undecided(N, votes.K)
    model, weighed = fit_spread(votes)
    many = np.bincount(votes.items, minlength=votes.N)
    judged = np.zeros(N, dtype=np.bool_)
    probability, p_values, class_probs = _unvoted(N, model)
    judged[voted] = many > 1
    probability[judged] = weighed.ambiguous(model.prevalence)[many > 1]
    p_values[voted] = _p_values(votes, model, weighed, many, rng)
    class_probs[voted] = weighed.class_probs
    return Ambiguity(
        probability, p_values, _flag(probability, judged, risk), class_probs, model.prevalence
    )


def _checked(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_items: int | None,
    n_classes: int | None,
) -> tuple[ItemVotes, IntArray, int]:
    """Return the votes that count, on the items that have one; which these are, and N."""
    N, K = code_count(items, n_items), code_count(codes, n_classes)
    item = check_codes(items, N, missing=False, name="votes' items")
    who = check_codes(annotators, code_count(annotators), missing=False, name="votes' annotators")
    code = check_codes(codes, K, name="votes' codes")
    if not len(item) == len(who) == len(code):
        raise UsageError(f"votes: {len(item)} items, {len(who)} annotators, {len(code)} codes")
    item, who, code = item[code >= 0], who[code >= 0], code[code >= 0]
    who = np.unique(who, return_inverse=True)[1].reshape(-1)
    voted, item = np.unique(item, return_inverse=True)
    A = int(who.max(initial=-1)) + 1
    # Reversed, the first of each pair is the last that was given.
    _, last = np.unique((item * max(A, 1) + who)[::-1], return_index=True)
    kept = len(item) - 1 - last
    return ItemVotes(item[kept], who[kept], code[kept], len(voted), A, K), voted, N


def _undecided(N: int, K: int) -> Ambiguity:
    """Say of items with nothing to be torn between that they are clear."""
    zero = np.zeros(N)
    return Ambiguity(zero, zero + 1, zero > 0, np.ones((N, K)), 0.0)


def _unvoted(N: int, model: SpreadModel) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Say of items what is to be said without a vote: probability, p-value, class."""
    return np.full(N, model.prevalence), np.ones(N), np.tile(model.classes, (N, 1))


def _p_values(
    votes: ItemVotes, model: SpreadModel, weighed: Weighed, many: IntArray, rng: np.random.Generator
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
    votes: ItemVotes,
    chosen: BoolArray,
    model: SpreadModel,
    probs: FloatArray,
    rng: np.random.Generator,
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
    again = weigh(ItemVotes(items, who, codes, int(chosen.sum()), votes.A, votes.K), model)
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
