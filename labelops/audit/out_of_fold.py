"""Probabilities for every item from models that saw neither the item nor its leakage group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from labelops.audit.few_dimensions import few_dimensions
from labelops.audit.inputs import check_embeddings, check_features, group_codes
from labelops.audit.learners import LEARNERS, ROWS_A_MODEL, fit_learner, rows_to_learn
from labelops.errors import UsageError, shown
from labelops.measure.brief import brief
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, code_count
from labelops.measure.draws import check_rng
from labelops.measure.given import check_function, check_list, check_whole
from labelops.measure.progress import Progress, untold

_STAGE = "training models"
_WEIGHTS = 3_000_000  # Of words and classes, which are learned one by one up to here.
_DIRECTIONS = 256

__all__ = ["OutOfFold", "grouped_folds", "out_of_fold_probs"]


@brief
@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Held-out probabilities of several learners over several random partitions.

    Attributes
    ----------
    views : tuple of (N, K) float
        One for each learner and repeat; every row sums to 1.
    learners : tuple of str
        The learner of each view.
    folds : (repeats, N) int
        The fold that held each item out, in each repeat.
    judged : (N,) bool
        False where an item's own class could not be learned without it (it is missing, or all
        of the class lies in one group), so that a low score would say nothing.
    """

    views: tuple[FloatArray, ...]
    learners: tuple[str, ...]
    folds: IntArray
    judged: BoolArray

    @property
    def mean(self) -> FloatArray:
        """The views' average, (N, K)."""
        return np.asarray(np.mean(self.views, axis=0))


def grouped_folds(
    codes: ArrayLike, groups: Sequence[str] | NDArray[Any], folds: int, *, rng: np.random.Generator
) -> IntArray:
    """Deal whole groups into folds so that every fold has about its share of each class.

    Groups are dealt in turn within their first member's class, in random order and the large
    ones first. Linear in rows up to sorting; scikit-learn's StratifiedGroupKFold weighs every
    group against every fold, minutes at a million groups, and refuses tiny classes.

    Parameters
    ----------
    codes : (N,) array-like of int
        Classes; -1 is dealt as a class of its own.
    groups : (N,) sequence
        Leakage groups; a group is never split.
    folds : int
        Number of folds, at least 2.
    rng : numpy.random.Generator

    Returns
    -------
    (N,) int in 0 … folds-1

    Raises
    ------
    UsageError
        Codes are no integers of at least -1, or there are fewer than two folds or two groups.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> folds = grouped_folds([0, 0, 0, 1, 1, 1], list("aabccd"), 2, rng=rng)
    >>> bool(folds[0] == folds[1] != folds[2])
    True
    """
    check_rng(rng)
    labels = check_codes(codes, code_count(codes))
    check_whole("folds", folds)
    group = group_codes(np.asarray(groups), len(labels))
    names, first, member, size = np.unique(
        group, return_index=True, return_inverse=True, return_counts=True
    )
    if folds < 2 or len(names) < 2:
        raise UsageError(
            f"{len(names)} leakage groups into {folds} folds: out-of-fold needs at least 2 of each"
        )
    group_class = labels[first]
    order = np.lexsort((rng.random(len(names)), -size, group_class))
    # One deal through all classes: the next class goes on where the last one stopped, so that
    # classes smaller than the number of folds do not all land in fold 0.
    dealt = np.empty(len(names), dtype=np.int64)
    dealt[order] = np.arange(len(names)) % folds
    return dealt[member]


def out_of_fold_probs(
    features: Any,  # dense or scipy-sparse: no common type
    codes: ArrayLike,
    groups: Sequence[str] | NDArray[Any],
    n_classes: int,
    *,
    rng: np.random.Generator,
    learners: Sequence[str] = ("logistic", "trees"),
    repeats: int = 2,
    folds: int = 5,
    embeddings: ArrayLike | None = None,
    progress: Progress = untold,
) -> OutOfFold:
    """Predict every item by several learners, each trained without the item's leakage group.

    Items without a label are predicted too, but never trained on. Where there are many rows a model
    learns from 20,000 of them, drawn anew for each fold, so that the time grows with the rows.

    Parameters
    ----------
    features : (N, D) array or scipy sparse matrix
        Finite numbers.
    codes : (N,) array-like of int
        Labels; -1 is missing. At least two classes must have one.
    groups : (N,) sequence
        Leakage groups: duplicates, documents, users.
    n_classes : int
        K.
    rng : numpy.random.Generator
        Draws the folds, the learners' seeds, and rows to learn from where there are many.
    learners : sequence of str
        Names in `LEARNERS`; at least two different ones make the average worth having.
    repeats : int
        Random partitions; each is used by every learner.
    folds : int
        Folds of a partition; fewer when there are fewer groups.
    embeddings : (N, E) array-like, optional
        What ``words`` learns from beside sparse features, not learned from these labels. When left
        out, the 64 main directions of the features (latent semantic analysis).

    Raises
    ------
    UsageError
        Shapes differ, embeddings come with dense features, a learner is unknown, or there are
        fewer than two classes or groups.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(40, 3)), np.repeat([0, 1], 20)
    >>> found = out_of_fold_probs(X + 3 * y[:, None], y, np.arange(40), 2, rng=rng, repeats=1)
    >>> found.mean.shape, bool((found.mean.argmax(axis=1) == y).mean() > 0.9)
    ((40, 2), True)
    """
    check_rng(rng)
    check_function("progress", progress)
    labels = check_codes(codes, n_classes)
    _check_choice(labels, learners, repeats)
    matrix = check_features(features, len(labels))
    if "bayes" in learners and matrix.min() < 0:
        raise UsageError("learners: 'bayes' takes counts or tf-idf, and some features are negative")
    beside = check_embeddings(embeddings, matrix)
    group = group_codes(np.asarray(groups), len(labels))
    parts = min(check_whole("folds", folds), len(np.unique(group)))
    held_out = np.stack([grouped_folds(labels, group, parts, rng=rng) for _ in range(repeats)])
    views: list[FloatArray] = []
    judged = labels >= 0
    # Of matrices this narrow each product is over before all threads have begun; where others want
    # the cores too, those that have begun spin until the last one gets its turn.
    with threadpool_limits(1):
        wide = _with_directions(matrix, beside, n_classes) if "words" in learners else matrix
        progress(_STAGE, 0, repeats * parts)
        for turn, fold_of in enumerate(held_out):
            judged &= _learnable(labels, fold_of, n_classes)
            seeded = [(name, int(rng.integers(2**31))) for name in learners]
            made = [np.zeros((len(labels), n_classes)) for _ in learners]
            for fold in range(parts):
                test = np.flatnonzero(fold_of == fold)
                train = np.flatnonzero((fold_of != fold) & (labels >= 0))
                train = rows_to_learn(train, labels, rng, ROWS_A_MODEL)
                for (name, seed), probs in zip(seeded, made, strict=True):
                    read = wide if name == "words" else matrix
                    probs[test] = _predicted(read, labels, train, test, n_classes, name, seed)
                progress(_STAGE, turn * parts + fold + 1, repeats * parts)
            views += made
    return OutOfFold(tuple(views), tuple(learners) * repeats, held_out, judged)


def _with_directions(matrix: Any, embeddings: Any, K: int) -> Any:
    """Put unit rows of embeddings, or of main directions, beside sparse features.

    Rows that share no word may be near in these, and no label is read to find them. Where words and
    classes are so many that their weights take minutes to learn, 256 main directions of the words
    stand for them.
    """
    if not sparse.issparse(matrix):
        return matrix
    beside = _unit_rows(few_dimensions(matrix) if embeddings is None else embeddings)
    if K * matrix.shape[1] > _WEIGHTS:
        return np.hstack([_unit_rows(few_dimensions(matrix, _DIRECTIONS)), beside])
    return sparse.hstack([matrix, sparse.csr_matrix(beside)], format="csr")


def _unit_rows(dense: Any) -> Any:
    """Scale rows to length 1; a row of zeros stays zero."""
    length = np.linalg.norm(dense, axis=1, keepdims=True)
    return np.divide(dense, length, out=np.zeros_like(dense), where=length > 0)


def _check_choice(labels: IntArray, learners: Sequence[str], repeats: int) -> None:
    check_list("learners", learners)
    if isinstance(repeats, bool) or not isinstance(repeats, int | np.integer):
        raise UsageError(f"repeats: expected a whole number of at least 1, found {shown(repeats)}")
    unknown = [name for name in learners if name not in LEARNERS]
    if unknown or not learners or repeats < 1:
        raise UsageError(
            f"learners {shown(list(learners))} × {repeats} repeats: expected at least one of "
            f"{', '.join(LEARNERS)} and at least one repeat"
        )
    if len(np.unique(labels[labels >= 0])) < 2:
        raise UsageError("labels of fewer than two classes: nothing can be learned to check them")


def _learnable(labels: IntArray, fold_of: IntArray, K: int) -> BoolArray:
    """Whether each labeled item's class also lies outside the item's fold."""
    folds = int(fold_of.max()) + 1
    known = labels >= 0
    inside = np.bincount(labels[known] * folds + fold_of[known], minlength=K * folds)
    inside = inside.reshape(K, folds)
    outside = inside.sum(axis=1, keepdims=True) - inside
    return np.asarray(outside[np.maximum(labels, 0), fold_of] > 0)


def _predicted(
    features: Any,  # dense or scipy-sparse: no common type
    labels: IntArray,
    train: IntArray,
    test: IntArray,
    K: int,
    name: str,
    seed: int,
) -> FloatArray:
    """Learn from some rows, and give others their probabilities, (T, K)."""
    probs = np.zeros((len(test), K))
    seen = np.unique(labels[train])
    if len(seen) < 2:
        # Nothing to tell apart: the honest prediction is the shares in the training rows.
        probs[:, seen] = 1.0
        return probs if len(seen) else probs + 1 / K
    model = fit_learner(name, seed, features[train], labels[train])
    probs[:, seen] = model.predict_proba(features[test])
    return np.asarray(probs / probs.sum(axis=1, keepdims=True))
