"""Enhanced Bayesian classifier combination: annotators err together on kinds of items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.special import digamma, gammaln, softmax

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray
from labelops.measure.votes import Votes, pack_votes

from ..measure.draws import check_rng
from ._em import KindCounts, SkillCounts
from ._family import DawidSkene, Start, check_shards, given_true, started

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

    def confusion(self, n_classes: int) -> FloatArray:
        table = self.wrong + (self.right - self.wrong) * np.eye(n_classes)
        return np.asarray(np.repeat(table[:, :, None], self.kinds, axis=2))


def ebcc(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    *,
    n_items: int | None = None,
    n_annotators: int | None = None,
    n_classes: int | None = None,
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
    n_items, n_annotators, n_classes : int, optional
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

    Only each shard's counts, (A, K, K, kinds), would have to travel between machines; see
    `dawid_skene_shards`. Beginnings are drawn shard after shard, so that they are those of the
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
    if min(kinds, restarts) < 1 or min(concentration, right, wrong) <= 0:
        raise UsageError("EBCC: kinds, restarts and priors must be above 0")
    check_shards(shards)
    priors = _Priors(kinds, concentration, right, wrong)
    held = [_Shard(votes, started(votes, start, len(shards))) for votes in shards]
    begins = _earlier(start, shards[0], kinds) or (
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
    confusion = given_true(counts) + priors.confusion(prior.size)[:, :, 0]
    confusion = confusion.transpose(0, 2, 1)
    return DawidSkene(
        np.concatenate([s.spread(b, shares) for s, b in zip(held, believed, strict=True)]),
        np.ascontiguousarray(confusion / confusion.sum(axis=2, keepdims=True)),
        shares,
        sum(run.steps for run in runs),
        all(run.still for run in runs),
        tuple(r.counts for r, weight in zip(runs, weights, strict=True) if weight > _NEGLIGIBLE),
    )


def _earlier(start: Start, votes: Votes, kinds: int) -> list[KindCounts]:
    """Return where an earlier EBCC of as many kinds stopped; new annotators have no votes yet."""
    found = []
    for counts in start.kinds if isinstance(start, DawidSkene) else ():
        if counts.kinds.shape[1] == kinds and counts.kinds.any():
            new = votes.n_annotators - len(counts.cells)
            cells = np.pad(counts.cells, [(0, new), (0, 0), (0, 0), (0, 0)])
            found.append(KindCounts(cells, counts.kinds))
    return found


def _drawn(shards: list[_Shard], kinds: int, rng: np.random.Generator) -> KindCounts:
    """Draw kinds of the items there are."""
    drawn = [
        rng.dirichlet(np.ones(kinds), s.shares.shape) * s.shares[:, :, None] for s in shards
    ]  # fmt: skip
    return _counted(shards, drawn)


class _Shard:
    """Votes on some items, and what is believed of these at first; only items with a vote count."""

    def __init__(self, votes: Votes, shares: FloatArray) -> None:
        weights = np.ones(votes.cells.size) if votes.weights is None else votes.weights
        size = (votes.n_items, votes.n_annotators * votes.n_classes)
        self.voted = votes.per_item > 0
        all_items = sparse.csr_matrix((weights, votes.cells, votes.rows), shape=size)
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
        return SkillCounts(np.asarray(self.by_item.T @ posterior), posterior.sum(axis=0))

    def count_kinds(self, kinds: FloatArray) -> KindCounts:
        """Count votes and items by class believed and kind, from (N, K, M)."""
        n_items, n_classes, n_kinds = kinds.shape
        cells = np.asarray(self.by_cell @ kinds.reshape(n_items, n_classes * n_kinds))
        return KindCounts(cells.reshape(-1, n_classes, n_classes, n_kinds), kinds.sum(axis=0))


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
    base = priors.confusion(shards[0].shares.shape[1])
    while steps < max_iterations and not still:
        pseudo = counts.cells + base
        log_rates = digamma(pseudo) - digamma(pseudo.sum(axis=1, keepdims=True))
        log_rates = log_rates.reshape(-1, counts.kinds.size)
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
    return float(
        _log_beta(classes, 0)
        - _log_beta(np.ones(classes.size), 0)
        + (_log_beta(within, 1) - _log_beta(flat, 1)).sum()
        + (_log_beta(counts.cells + base, 1) - _log_beta(base, 0)).sum()
    )


def _log_beta(values: FloatArray, axis: int) -> FloatArray:
    return np.asarray(gammaln(values).sum(axis=axis) - gammaln(values.sum(axis=axis)))
