"""Which labels are wrong: one entry for whatever evidence there is, on plain arrays.

`detect_label_errors` takes any of held-out probabilities, features, votes and people's verdicts,
and gives every label a probability of being an error that means what it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelops.audit.class_order import check_class_order
from labelops.audit.crowd_evidence import CrowdEvidence, crowd_evidence
from labelops.audit.ensemble import as_probs
from labelops.audit.evidence import gather
from labelops.audit.graph import NeighbourGraph, check_graph
from labelops.audit.held_out_views import Brought, Items, held_out_views
from labelops.audit.in_sample import check_folds
from labelops.audit.inputs import (
    Votes,
    check_embeddings,
    check_features,
    check_groups,
    labels_and_classes,
    named_probs,
    vote_columns,
)
from labelops.audit.label_error_report import LabelErrorReport, report
from labelops.audit.review_model import Reviews
from labelops.consolidate.inputs import VoteTable
from labelops.errors import UsageError, shown
from labelops.measure.aligned import refuse_reordered
from labelops.measure.called import elsewhere
from labelops.measure.codes import BoolArray
from labelops.measure.draws import check_rng
from labelops.measure.given import check_flag, check_function, check_share, check_whole
from labelops.measure.progress import Progress, untold

__all__ = ["detect_label_errors"]


@elsewhere(labels="codes", pred_probs="probs")
def detect_label_errors(
    codes: ArrayLike,
    *,
    n_classes: int | None = None,
    probs: ArrayLike | Mapping[str, ArrayLike] | Sequence[ArrayLike] | None = None,
    folds: ArrayLike | None = None,
    out_of_sample: bool = False,
    features: Any = None,  # dense or scipy-sparse: no common type
    embeddings: ArrayLike | None = None,
    votes: VoteTable | None = None,
    groups: Sequence[str] | NDArray[Any] | None = None,
    reviews: Reviews | None = None,
    learners: Sequence[str] | None = None,
    repeats: int = 2,
    threshold: float = 0.5,
    planted_share: float = 0.1,
    confusion: ArrayLike | None = None,
    min_reviews: int = 50,
    check_memorised: bool = True,
    rng: np.random.Generator | None = None,
    graph: NeighbourGraph | None = None,
    progress: Progress = untold,
) -> LabelErrorReport:
    """Give every label its probability of being wrong, from whatever evidence there is.

    Held-out views are calibrated and blended; a noise model learned from all labels (`NoiseModel`)
    turns them and the votes into a probability; people's verdicts, once there are enough, refit
    it. Errors are planted in memory to measure recall: a held-out opinion does not depend on the
    item's own label, so asking it about a wrong one is asking what it would have said.

    Parameters
    ----------
    codes : (N,) array-like of int
        The labels; -1 is missing.
    n_classes : int, optional
        K; needed when the last class may be missing from codes, probs and votes.
    probs : (N, K) array-like, or several of them as sequence or mapping by name, optional
        Held-out probabilities of your models; any float type and memory order. A table (frame,
        Arrow, polars) has its columns named by the codes, in any order.
    folds : (N,) or (views, N) array-like, optional
        The fold each row of `probs` was held out in. Needed with `probs`, or `out_of_sample`. Rows
        whose group lies in several are judged without these probabilities; more than 5 % of them
        are refused.
    out_of_sample : bool
        You declare that the models behind `probs` never saw these items.
    features : (N, D) array or scipy sparse matrix, optional
        Counts, tf-idf or embeddings not learned from these labels. Learners are trained out of
        fold on them, and neighbours compared.
    embeddings : (N, E) array-like, optional
        Dense vectors of the same items, beside sparse features such as words: one of the learners
        reads both, and neighbours are compared by these.
    votes : (items, annotators, codes), or table as `consolidate` takes it, optional
        All votes known: rows, people and classes (-1: none), the label's own where it was one; in
        a table `item` is the row in `codes`, and `label` a code. Of people who never shared an
        item they tell nothing.
    groups : (N,) sequence, optional
        Leakage groups (copies, documents, users), never split between training and held-out.
    reviews : Reviews, optional
        Verdicts of people on labels.
    learners : sequence of str, optional
        Names in `LEARNERS`; chosen for dense or sparse features when left out, none when empty.
    repeats : int
        Random partitions of each learner.
    threshold : float
        Probability from which a label is flagged, in [0, 1].
    planted_share : float
        Share of the labels an error is planted in, in memory.
    confusion : (K, K) array-like, optional
        Which errors are planted; by default such as the noise model believes in.
    min_reviews : int
        Verdicts from which on they refit the probabilities; five of each sort are needed as well.
        Labels drawn at random count most: the worst findings alone tell little of the others.
    check_memorised : bool
        Whether implausibly loyal `probs` are refused.
    rng : numpy.random.Generator, optional
        Draws folds, seeds and planted errors; seeded with 0 when left out.
    graph : NeighbourGraph, optional
        By cosine of the embeddings, or of the features where there are none, with some fifty
        neighbours, where it is known already.
    progress : callable
        Is told of each fold in which models were trained, as ``(stage, done, parts)``, and of what
        is done beside.

    Raises
    ------
    UsageError
        Nothing to judge by, arrays that do not fit, in-sample probabilities, or columns that seem
        to be the classes in another order.

    References
    ----------
    Northcutt, Jiang, Chuang 2021, https://doi.org/10.1613/jair.1.12125
    Kuan, Mueller 2022, https://arxiv.org/abs/2210.03150
    Dawid, Skene 1979, https://doi.org/10.2307/2346806

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = np.repeat([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 5 * np.eye(2)[truth]
    >>> codes = truth.copy()
    >>> codes[[3, 7, 150]] = 1 - codes[[3, 7, 150]]
    >>> found = detect_label_errors(codes, features=X)
    >>> sorted(found.ranking[:3].tolist()), found.suggestion[[3, 150]].tolist()
    ([3, 7, 150], [0, 1])
    """
    if rng is not None:
        check_rng(rng)
    rng = np.random.default_rng(0) if rng is None else rng
    check_share("threshold", threshold)
    check_share("planted_share", planted_share)
    check_whole("min_reviews", min_reviews, least=0)
    check_flag("out_of_sample", out_of_sample)
    check_flag("check_memorised", check_memorised)
    check_function("progress", progress)
    if graph is not None:
        check_graph(graph)
    if reviews is not None and not isinstance(reviews, Reviews):
        raise UsageError(f"reviews: expected `Reviews`, found {shown(reviews)}")
    given = _read(
        codes, n_classes=n_classes, probs=probs, folds=folds, out_of_sample=out_of_sample,
        features=features, embeddings=embeddings, votes=votes, groups=groups,
    )  # fmt: skip
    views, judged = held_out_views(
        given.items, given.brought, learners=learners, repeats=repeats,
        check_memorised=check_memorised, rng=rng, graph=graph, progress=progress,
    )  # fmt: skip
    progress("weighing what they say", 0, 1)
    crowd = given.crowd()
    evidence = gather(given.items.labels, views, crowd, given.items.n_classes, rng)
    return report(
        evidence, judged if crowd is None else judged | (crowd.voted & given.labeled), reviews,
        contradicted=given.contradicted(judged), threshold=threshold, planted_share=planted_share,
        confusion=confusion, min_reviews=min_reviews, rng=rng,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Given:
    """The evidence that a caller gave, checked: one row an item throughout."""

    items: Items
    brought: Brought
    votes: Votes | None

    @property
    def labeled(self) -> BoolArray:
        """Which items have a label, (N,)."""
        return self.items.labels >= 0

    def crowd(self) -> CrowdEvidence | None:
        """Estimate what the votes say; None without votes."""
        if self.votes is None:
            return None
        return crowd_evidence(*self.votes, len(self.items.labels), self.items.n_classes)

    def contradicted(self, judged: BoolArray) -> BoolArray | None:
        """Say which labels a matrix contradicts that is all there is; None where there is more."""
        more = self.items.features is not None or self.votes is not None
        if more or len(self.brought.probs) != 1:
            return None
        (only,) = self.brought.probs.values()
        return np.asarray(judged & (only.argmax(axis=1) != self.items.labels))


def _read(
    codes: ArrayLike,
    *,
    n_classes: int | None,
    probs: ArrayLike | Mapping[str, ArrayLike] | Sequence[ArrayLike] | None,
    folds: ArrayLike | None,
    out_of_sample: bool,
    features: Any,
    embeddings: ArrayLike | None,
    votes: VoteTable | None,
    groups: Sequence[str] | NDArray[Any] | None,
) -> _Given:
    """Check all evidence, alone and against the labels; parameters as in `detect_label_errors`."""
    matrices = named_probs(probs)
    refuse_reordered({
        "codes": codes, **{f"probs {name!r}": array for name, array in matrices.items()},
        "features": features, "embeddings": embeddings, "groups": groups, "folds": folds,
    })  # fmt: skip
    if not matrices and features is None and votes is None:
        raise UsageError("nothing to judge the labels by: pass probs, features or votes")
    columns = None if votes is None else vote_columns(votes)
    labels, K = labels_and_classes(codes, n_classes, matrices, columns)
    N = len(labels)
    group = check_groups(groups, N)
    points = None if features is None else check_features(features, N)
    items = Items(labels, group, K, points, check_embeddings(embeddings, points))
    return _Given(items, _brought(matrices, folds, out_of_sample, items), columns)


def _brought(
    matrices: Mapping[str, ArrayLike], folds: ArrayLike | None, out_of_sample: bool, items: Items
) -> Brought:
    """Check the probabilities that came along, and find the rows that each is held out of."""
    N = len(items.labels)
    probs = {name: as_probs(raw, N, items.n_classes, name) for name, raw in matrices.items()}
    if probs:
        held = check_folds(folds, out_of_sample, N, items.group, len(probs))
        check_class_order(probs, items.labels)
        return Brought(probs, held)
    if folds is not None:
        raise UsageError("folds: they say how probs were held out, and there are none")
    return Brought({}, np.ones((0, N), dtype=np.bool_))
