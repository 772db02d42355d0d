"""All held-out opinions of the items: those that were brought, and those learned from features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelops.audit.ensemble import View, as_view, neighbour_probs, without_say
from labelops.audit.graph import NeighbourGraph
from labelops.audit.in_sample import check_not_memorised
from labelops.audit.learners import learners_for
from labelops.audit.out_of_fold import out_of_fold_probs
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.draws import check_rng
from labelops.measure.given import check_list
from labelops.measure.progress import Progress, untold

__all__ = ["Brought", "Items", "held_out_views"]


@dataclass(frozen=True, slots=True)
class Items:
    """Labeled items, and what a learner may read of them.

    Parameters
    ----------
    labels : (N,) int
        -1 is missing.
    group : (N,) int or None
        Leakage groups.
    n_classes : int
    features : (N, D) array or scipy sparse matrix, optional
    embeddings : (N, E) float, optional
        Dense vectors of the same items, beside sparse features.
    """

    labels: IntArray
    group: IntArray | None
    n_classes: int
    features: Any = None  # dense or scipy-sparse: no common type
    embeddings: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """Probabilities of somebody's models.

    Parameters
    ----------
    probs : mapping of str to (N, K) float
        Rows sum to 1.
    held : (models, N) bool
        Which rows each is held out of.
    """

    probs: Mapping[str, FloatArray]
    held: BoolArray


def held_out_views(
    items: Items,
    brought: Brought,
    *,
    rng: np.random.Generator,
    learners: Sequence[str] | None = None,
    repeats: int = 2,
    check_memorised: bool = True,
    graph: NeighbourGraph | None = None,
    progress: Progress = untold,
) -> tuple[dict[str, View], BoolArray]:
    """Calibrate all held-out opinions by the labels, and say which labels they can judge.

    Parameters
    ----------
    items : Items
        Without features nothing is learned, and no neighbours are compared.
    brought : Brought
    rng : numpy.random.Generator
        Draws neighbours that are alike, folds and seeds, in this order.
    learners, repeats, check_memorised, graph, progress
        As in `detect_label_errors`.

    Returns
    -------
    mapping of str to View, (N,) bool
        None where there is nothing to judge by.

    Raises
    ------
    UsageError
        In-sample probabilities, or learners that do not suit the features.

    Examples
    --------
    >>> truth = np.repeat([0, 1], 20)
    >>> X = np.eye(2)[truth] + np.random.default_rng(0).normal(scale=0.1, size=(40, 2))
    >>> views, judged = held_out_views(
    ...     Items(truth, None, 2, X), Brought({}, np.ones((0, 40), dtype=bool)),
    ...     learners=["logistic"], rng=np.random.default_rng(0))
    >>> sorted(views), bool(judged.all())
    (['logistic', 'neighbours'], True)
    """
    check_rng(rng)
    labels, read = items.labels, items.features is not None
    judged = (labels >= 0) & (bool(brought.probs) or read)
    if not judged.any():
        return {}, judged
    near = _near(items, rng, graph) if read else None
    if check_memorised:
        check_not_memorised(brought.probs, labels, near, brought.held)
    views, told = dict(brought.probs), brought.held.any(axis=0)
    if near is not None:
        trained, learned = _learned(items, rng, learners, repeats, progress)
        views |= trained | {"neighbours": near}
        told |= learned
    mine = dict(zip(brought.probs, brought.held, strict=True))
    made = {
        name: as_view(
            name, array, np.where(mine[name], labels, -1) if name in mine else labels, rng
        )
        for name, array in views.items()
    }
    return without_say(made, mine), judged & told


def _near(items: Items, rng: np.random.Generator, graph: NeighbourGraph | None) -> FloatArray:
    points = items.features if items.embeddings is None else items.embeddings
    return neighbour_probs(points, items.labels, items.group, items.n_classes, rng, graph=graph)


def _learned(
    items: Items,
    rng: np.random.Generator,
    learners: Sequence[str] | None,
    repeats: int,
    progress: Progress,
) -> tuple[dict[str, FloatArray], BoolArray]:
    """Mean held-out probabilities of each learner, and which classes could be learned at all."""
    if learners is not None:
        check_list("learners", learners)
    chosen = learners_for(items.features) if learners is None else tuple(learners)
    labels, N = items.labels, len(items.labels)
    apart = np.arange(N) if items.group is None else items.group
    if len(np.unique(apart)) < 2:
        return {}, np.zeros(N, dtype=bool)  # Nothing outside an item's own group.
    if not chosen or len(np.unique(labels[labels >= 0])) < 2:
        return {}, np.ones(N, dtype=bool)
    held = out_of_fold_probs(
        items.features, labels, apart, items.n_classes, rng=rng, learners=chosen, repeats=repeats,
        embeddings=items.embeddings, progress=progress,
    )  # fmt: skip
    means = {
        name: np.asarray(
            np.mean([v for v, n in zip(held.views, held.learners, strict=True) if n == name], 0)
        )
        for name in chosen
    }
    return means, held.judged
