"""Enhanced Bayesian classifier combination: annotators err together on kinds of items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.special import digamma, gammaln, softmax

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray
from labelops.measure.votes import Votes, pack_votes

from ..measure.draws import check_rng
from ._em import SkillCounts
from ._family import DawidSkene, Start, given_true, started

__all__ = ["ebcc", "fit_ebcc"]

_TINY = 1e-300


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
    n_items: int,
    n_annotators: int,
    n_classes: int,
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

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote.
    n_items, n_annotators, n_classes : int
        N, A and K.
    weights : (V,) array-like of float, optional
        What each vote counts; 0 leaves it out.
    start : (N, K) array-like or DawidSkene, optional
        A warm start: what is believed of the items first, instead of the shares of their votes, or
        an earlier result, whose annotators say it. Kinds of items are drawn anew: they are of the
        items there are, which is also why shards cannot be added up.
    kinds : int
        Kinds of items in each class.
    concentration : float
        Dirichlet prior of the kinds' shares, over all of them.
    right, wrong : float
        Dirichlet prior of each annotator's right and each wrong cell.
    restarts : int
        Random beginnings.
    rng : numpy Generator, optional
        Of the beginnings; a fixed one when left out, so that results repeat.
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
    if rng is not None:
        check_rng(rng)
    if min(kinds, restarts) < 1 or min(concentration, right, wrong) <= 0:
        raise UsageError("EBCC: kinds, restarts and priors must be above 0")
    votes = pack_votes(
        items, annotators, codes, n_items=n_items, n_annotators=n_annotators,
        n_classes=n_classes, weights=weights,
    )  # fmt: skip
    return fit_ebcc(
        votes, start=start, kinds=kinds, concentration=concentration, right=right, wrong=wrong,
        restarts=restarts, rng=rng, max_iterations=max_iterations, tolerance=tolerance,
    )  # fmt: skip


def fit_ebcc(
    votes: Votes,
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
    """Do what `ebcc` does for packed votes."""
    if rng is not None:
        check_rng(rng)
    rng = np.random.default_rng(0) if rng is None else rng
    priors = _Priors(kinds, concentration, right, wrong)
    by_item = sparse.csr_matrix(
        (
            np.ones(votes.cells.size) if votes.weights is None else votes.weights,
            votes.cells,
            votes.rows,
        ),
        shape=(votes.n_items, votes.n_annotators * votes.n_classes),
    )
    shares = started(votes, start)
    runs = [
        _run(by_item, shares, votes.n_annotators, priors, rng, max_iterations, tolerance)
        for _ in range(restarts)
    ]
    weights = softmax([bound for _, bound, _, _ in runs])
    posterior = np.asarray(sum(w * run[0] for w, run in zip(weights, runs, strict=True)))
    n_classes, voted = votes.n_classes, votes.per_item > 0
    counts = SkillCounts(np.asarray(by_item.T @ posterior), posterior[voted].sum(axis=0))
    confusion = (given_true(counts) + priors.confusion(n_classes)[:, :, 0]).transpose(0, 2, 1)
    prior = counts.classes + 1
    return DawidSkene(
        np.where(voted[:, None], posterior, prior / prior.sum()),
        np.ascontiguousarray(confusion / confusion.sum(axis=2, keepdims=True)),
        prior / prior.sum(),
        sum(run[2] for run in runs),
        all(run[3] for run in runs),
    )


def _run(
    by_item: sparse.csr_matrix,
    shares: FloatArray,
    n_annotators: int,
    priors: _Priors,
    rng: np.random.Generator,
    max_iterations: int,
    tolerance: float,
) -> tuple[FloatArray, float, int, bool]:
    """One beginning: posterior, evidence bound, steps, whether it stood still."""
    n_items, n_classes = shares.shape
    size = n_classes * priors.kinds
    kinds = rng.dirichlet(np.ones(priors.kinds), shares.shape) * shares[:, :, None]
    base = priors.confusion(n_classes)
    by_cell = by_item.T.tocsr()
    posterior, steps, still = shares, 0, False
    while steps < max_iterations and not still:
        cells = np.asarray(by_cell @ kinds.reshape(n_items, size))
        pseudo = cells.reshape(n_annotators, n_classes, n_classes, priors.kinds) + base
        log_rates = digamma(pseudo) - digamma(pseudo.sum(axis=1, keepdims=True))
        joint = np.asarray(by_item @ log_rates.reshape(-1, size)) + _log_shares(kinds, priors)
        kinds = softmax(joint, axis=1).reshape(n_items, n_classes, priors.kinds)
        updated = kinds.sum(axis=2)
        still = bool(np.abs(updated - posterior).max(initial=0.0) <= tolerance)
        posterior, steps = updated, steps + 1
    cells = np.asarray(by_cell @ kinds.reshape(n_items, size))
    pseudo = cells.reshape(n_annotators, n_classes, n_classes, priors.kinds) + base
    return posterior, _bound(kinds, pseudo, base, priors), steps, still


def _log_shares(kinds: FloatArray, priors: _Priors) -> FloatArray:
    """Return the expected log share of each class and kind, (K * M,)."""
    within = priors.concentration / priors.kinds + kinds.sum(axis=0)
    classes = 1 + kinds.sum(axis=(0, 2))
    of_kind = digamma(within) - digamma(within.sum(axis=1, keepdims=True))
    of_class = digamma(classes) - digamma(classes.sum())
    return np.asarray((of_kind + of_class[:, None]).ravel())


def _bound(kinds: FloatArray, pseudo: FloatArray, base: FloatArray, priors: _Priors) -> float:
    """Evidence lower bound right after the confusions and shares were updated."""
    n_classes = kinds.shape[1]
    within = priors.concentration / priors.kinds + kinds.sum(axis=0)
    classes = 1 + kinds.sum(axis=(0, 2))
    flat = np.full_like(within, priors.concentration / priors.kinds)
    entropy = -float((kinds * np.log(np.maximum(kinds, _TINY))).sum())
    return entropy + float(
        _log_beta(classes, 0)
        - _log_beta(np.ones(n_classes), 0)
        + (_log_beta(within, 1) - _log_beta(flat, 1)).sum()
        + (_log_beta(pseudo, 1) - _log_beta(base, 0)).sum()
    )


def _log_beta(values: FloatArray, axis: int) -> FloatArray:
    return np.asarray(gammaln(values).sum(axis=axis) - gammaln(values.sum(axis=axis)))
