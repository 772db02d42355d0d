"""Enhanced Bayesian classifier combination: annotators err together on kinds of items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.special import digamma, gammaln, softmax

from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.given import check_number, check_steps, check_whole
from labelops.measure.votes import Votes, pack_votes

from ..measure.draws import check_rng
from ._answers import Answers
from ._confusions import pseudo_confusions
from ._em import KindCounts, SkillCounts
from ._family import DawidSkene, Start, check_shards, started

__all__ = ["ebcc", "ebcc_shards"]

_TINY = 1e-300
_NEGLIGIBLE = 1e-3
"""Weight of a beginning from which on a later start goes on from it."""


@dataclass(frozen=True, slots=True)
class _Priors:
    """Hyperparameters as in the paper's own code."""

    kinds: int
    concentration: float
    right: float
    wrong: float

    def of(self, answers: Answers) -> FloatArray:
        """Prior of each answer under each class, (P, K, 1): the same for all kinds."""
        found = np.full((answers.code.size, answers.n_classes, 1), self.wrong)
        found[np.arange(answers.code.size), answers.code] = self.right
        return found

    def total(self, n_classes: int) -> float:
        """Sum over the classes given."""
        return self.right + (n_classes - 1) * self.wrong


def ebcc(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_items: int | None = None,
    n_classes: int | None = None,
    *,
    n_annotators: int | None = None,
    weights: ArrayLike | None = None,
    start: Start = None,
    kinds: int = 10,
    concentration: float = 0.1,
    right: float = 4.0,
    wrong: float = 1.0,
    restarts: int = 4,
    rng: np.random.Generator | None = None,
    max_iterations: int = 200,
    tolerance: float = 1e-3,
) -> DawidSkene:
    """Estimate every item's class when each class has several kinds of items.

    Each kind has its own confusion an annotator, so that annotators may err together. Mean-field
    variational Bayes from several random beginnings, averaged by their evidence bounds.
    It is sure of what it settled on: of a handful of votes it may put all items into one class,
    whatever a vote says, and only `consolidate` softens that. Even of one vote it ends at a
    posterior of 1 - 3e-39: the paper's prior of .1 for all kinds together weighs a kind that nobody
    is in by some exp(-1 / its share), so that what is ahead takes all. A `concentration` of as many
    as there are kinds and classes leaves .94.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote. An annotator's
        second vote on an item counts as one more.
    n_items, n_classes, n_annotators : int, optional
        N, A and K; one more than the largest number there is when left out.
    weights : (V,) array-like of float, optional
        What each vote counts; 0 leaves it out.
    start : (N, K) array-like or DawidSkene, optional
        A warm start: what is believed of the items first, instead of the shares of their votes, or
        an earlier result, whose annotators say it. One of EBCC with as many kinds goes on where it
        stopped; from others kinds are drawn anew.
    kinds : int
        Kinds of items in each class.
    concentration : float
        Dirichlet prior of the kinds' shares, over all of them.
    right, wrong : float
        Dirichlet prior of each annotator's right and each wrong cell.
    restarts : int
        Random beginnings.
    rng : numpy Generator, optional
        Of the beginnings; a fixed one when left out, so that results repeat. They are drawn item
        after item: items in another order are another beginning.
    max_iterations, tolerance
        Most steps; stop when no posterior moves further than this.

    Raises
    ------
    UsageError
        Arrays differ in length, codes are out of range, or a setting is not positive.

    References
    ----------
    Li, Rubinstein, Cohn 2019, https://proceedings.mlr.press/v97/li19i.html

    Examples
    --------
    >>> found = ebcc([0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 1], n_items=2, n_annotators=2,
    ...              n_classes=2, kinds=2)
    >>> found.posterior.argmax(axis=1).tolist()
    [0, 1]
    """
    rng = np.random.default_rng(0) if rng is None else rng
    check_rng(rng)  # Before the votes, which are dear to look at.
    votes = pack_votes(
        items, annotators, codes, n_items=n_items, n_annotators=n_annotators,
        n_classes=n_classes, weights=weights,
    )  # fmt: skip
    return ebcc_shards(
        [votes], start=start, kinds=kinds, concentration=concentration, right=right, wrong=wrong,
        restarts=restarts, rng=rng, max_iterations=max_iterations, tolerance=tolerance,
    )  # fmt: skip


def ebcc_shards(
    shards: Sequence[Votes],
    *,
    start: Start = None,
    kinds: int = 10,
    concentration: float = 0.1,
    right: float = 4.0,
    wrong: float = 1.0,
    restarts: int = 4,
    rng: np.random.Generator | None = None,
    max_iterations: int = 200,
    tolerance: float = 1e-3,
) -> DawidSkene:
    """Do what `ebcc` does for packed votes, whose items may lie in several shards.

    Only each shard's counts, (P, K, kinds) for P pairs of an annotator and a class they gave, would
    have to travel between machines; see `dawid_skene_shards`. Beginnings are drawn shard after
    shard, so that they are those of the
    shards' items in one.

    Examples
    --------
    >>> size = {"n_items": 2, "n_annotators": 2, "n_classes": 2}
    >>> days = [pack_votes([0, 0, 1, 1], [0, 1, 0, 1], given, **size)
    ...         for given in ([0, 0, 1, 1], [1, 1, 0, 1])]
    >>> ebcc_shards(days, kinds=2).posterior.shape
    (4, 2)
    """
    rng = np.random.default_rng(0) if rng is None else rng
    check_rng(rng)
    check_whole("EBCC: kinds", kinds)
    check_whole("EBCC: restarts", restarts)
    for name, value in (("concentration", concentration), ("right", right), ("wrong", wrong)):
        check_number(f"EBCC: {name}", value, above=True)
    check_steps(max_iterations, tolerance)
    check_shards(shards)
    priors = _Priors(kinds, concentration, right, wrong)
    earlier = _earlier(start, kinds)
    answers = Answers.of(shards, _more(earlier, shards[0].n_classes))
    held = [_Shard(votes, started(votes, start, len(shards)), answers) for votes in shards]
    begins = [_renumbered(counts, answers) for counts in earlier] or (
        _drawn(held, kinds, rng) for _ in range(restarts)
    )
    runs = [_run(held, begin, priors, max_iterations, tolerance) for begin in begins]
    weights = softmax([run.bound for run in runs])
    believed = [
        np.asarray(sum(w * run.posterior[s] for w, run in zip(weights, runs, strict=True)))
        for s in range(len(held))
    ]
    counts = reduce(
        SkillCounts.merge, [s.count(b) for s, b in zip(held, believed, strict=True)]
    )  # fmt: skip
    prior = counts.classes + 1
    shares = prior / prior.sum()
    return DawidSkene(
        np.concatenate([s.spread(b, shares) for s, b in zip(held, believed, strict=True)]),
        pseudo_confusions(counts, right, wrong),
        shares,
        sum(run.steps for run in runs),
        all(run.still for run in runs),
        tuple(r.counts for r, weight in zip(runs, weights, strict=True) if weight > _NEGLIGIBLE),
    )


def _earlier(start: Start, kinds: int) -> list[KindCounts]:
    """Return where an earlier EBCC of as many kinds stopped."""
    found = start.kinds if isinstance(start, DawidSkene) else ()
    return [c for c in found if c.kinds.shape[1] == kinds and c.kinds.any()]


def _more(earlier: list[KindCounts], n_classes: int) -> IntArray | None:
    """Which answers an earlier one counted: nobody may have given them now."""
    if not earlier or earlier[0].answers.n_classes != n_classes:
        return None
    return earlier[0].answers.cells


def _renumbered(counts: KindCounts, answers: Answers) -> KindCounts:
    """Give an earlier one's counts these answers' numbers; what is new has no votes yet."""
    cells = np.zeros((answers.cells.size, *counts.cells.shape[1:]))
    cells[answers.places(counts.answers.cells)] = counts.cells
    return KindCounts(answers, cells, counts.kinds)


def _drawn(shards: list[_Shard], kinds: int, rng: np.random.Generator) -> KindCounts:
    """Draw kinds of the items there are."""
    drawn = [
        rng.dirichlet(np.ones(kinds), s.shares.shape) * s.shares[:, :, None] for s in shards
    ]  # fmt: skip
    return _counted(shards, drawn)


class _Shard:
    """Votes on some items, and what is believed of these at first; only items with a vote count."""

    def __init__(self, votes: Votes, shares: FloatArray, answers: Answers) -> None:
        weights = np.ones(votes.cells.size) if votes.weights is None else votes.weights
        size, places = (votes.n_items, answers.cells.size), answers.places(votes.cells)
        self.answers = answers
        self.voted = votes.per_item > 0
        all_items = sparse.csr_matrix((weights, places, votes.rows), shape=size)
        self.by_item = all_items if self.voted.all() else all_items[self.voted]
        self.by_cell = self.by_item.T.tocsr()
        self.shares = shares[self.voted]

    def spread(self, posterior: FloatArray, shares: FloatArray) -> FloatArray:
        """Give every item its belief, and one without a vote the classes' shares."""
        found = np.tile(shares, (self.voted.size, 1))
        found[self.voted] = posterior
        return found

    def count(self, posterior: FloatArray) -> SkillCounts:
        """Count votes and items by class believed."""
        cells = np.asarray(self.by_item.T @ posterior)
        return SkillCounts(self.answers, cells, posterior.sum(axis=0))

    def count_kinds(self, kinds: FloatArray) -> KindCounts:
        """Count votes and items by class believed and kind, from (N, K, M)."""
        n_items, n_classes, n_kinds = kinds.shape
        cells = np.asarray(self.by_cell @ kinds.reshape(n_items, n_classes * n_kinds))
        return KindCounts(
            self.answers, cells.reshape(-1, n_classes, n_kinds), kinds.sum(axis=0)
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Run:
    """One beginning: posterior by shard, counts, evidence bound, steps, whether it stood still."""

    posterior: list[FloatArray]
    counts: KindCounts
    bound: float
    steps: int
    still: bool


def _run(
    shards: list[_Shard],
    counts: KindCounts,
    priors: _Priors,
    max_iterations: int,
    tolerance: float,
) -> _Run:
    kinds: list[FloatArray] = []
    posterior, steps, still = [s.shares for s in shards], 0, False
    answers, size = counts.answers, counts.kinds.size
    base, in_all = priors.of(answers), priors.total(answers.n_classes)
    while steps < max_iterations and not still:
        log_rates = (counts.cells + base).reshape(-1, size)
        digamma(log_rates, out=log_rates)
        total = answers.by_person(counts.cells.reshape(-1, size)) + in_all
        log_rates -= digamma(total)[answers.person]
        log_shares, still = _log_shares(counts.kinds, priors), True
        kinds = []
        for s, shard in enumerate(shards):
            joint = np.asarray(shard.by_item @ log_rates) + log_shares
            kinds.append(softmax(joint, axis=1).reshape(-1, *counts.kinds.shape))
            updated = kinds[s].sum(axis=2)
            still &= bool(np.abs(updated - posterior[s]).max(initial=0.0) <= tolerance)
            posterior[s] = updated
        counts = _counted(shards, kinds)
        steps += 1
    entropy = sum(-float((k * np.log(np.maximum(k, _TINY))).sum()) for k in kinds)
    return _Run(posterior, counts, entropy + _bound(counts, base, priors), steps, still)


def _counted(shards: list[_Shard], kinds: list[FloatArray]) -> KindCounts:
    return reduce(KindCounts.merge, [s.count_kinds(k) for s, k in zip(shards, kinds, strict=True)])


def _log_shares(kinds: FloatArray, priors: _Priors) -> FloatArray:
    """Return the expected log share of each class and kind, (K * M,), from counts, (K, M)."""
    within = priors.concentration / priors.kinds + kinds
    classes = 1 + kinds.sum(axis=1)
    of_kind = digamma(within) - digamma(within.sum(axis=1, keepdims=True))
    of_class = digamma(classes) - digamma(classes.sum())
    return np.asarray((of_kind + of_class[:, None]).ravel())


def _bound(counts: KindCounts, base: FloatArray, priors: _Priors) -> float:
    """Evidence lower bound but for the items' entropy, once confusions and shares are updated."""
    within = priors.concentration / priors.kinds + counts.kinds
    classes = 1 + counts.kinds.sum(axis=1)
    flat = np.full_like(within, priors.concentration / priors.kinds)
    # What nobody gave adds as much as it takes away.
    in_all = priors.total(classes.size)
    total = counts.answers.by_person(counts.cells.reshape(-1, counts.kinds.size)) + in_all
    confusions = (gammaln(counts.cells + base) - gammaln(base)).sum()
    confusions -= (gammaln(total) - gammaln(in_all)).sum()
    return float(
        _log_beta(classes, 0)
        - _log_beta(np.ones(classes.size), 0)
        + (_log_beta(within, 1) - _log_beta(flat, 1)).sum()
        + confusions
    )


def _log_beta(values: FloatArray, axis: int) -> FloatArray:
    return np.asarray(gammaln(values).sum(axis=axis) - gammaln(values.sum(axis=axis)))
