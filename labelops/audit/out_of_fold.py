"""Probabilities for every item from models that saw neither the item nor its leakage group."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from labelops.audit.few_dimensions import few_dimensions
from labelops.audit.inputs import check_embeddings, check_features, group_codes
from labelops.errors import UsageError, shown
from labelops.measure.brief import brief
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, code_count
from labelops.measure.draws import check_rng
from labelops.measure.given import check_list, check_whole

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

__all__ = ["LEARNERS", "OutOfFold", "grouped_folds", "learners_for", "out_of_fold_probs"]


# Rows each tree learns from: keeps trees' cost linear (16,000 rows of 64 numbers: 9.1 s → 1.3 s),
# and a tree that sees fewer of the wrong labels learns fewer of them.
_ROWS_A_TREE = 4_000

# scikit-learn's models are imported where they are made: reading a policy needs none of them.


def _logistic(seed: int) -> ClassifierMixin:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler

    # C = 0.1: a weak fit learns fewer of the wrong labels (asymmetric noise AP .95 → .97).
    model = LogisticRegression(C=0.1, max_iter=300, random_state=seed)
    return make_pipeline(MaxAbsScaler(), model)


def _words(seed: int) -> ClassifierMixin:
    from sklearn.linear_model import LogisticRegression

    # Rows of tf-idf are short and mostly zeros: C = 10 found more (instance noise AP .73 → .83).
    # Beside them it learns from directions in which many rows differ: see `_with_directions`.
    return LogisticRegression(C=10.0, max_iter=100, random_state=seed)


def _bayes(seed: int) -> ClassifierMixin:
    from sklearn.naive_bayes import ComplementNB

    return ComplementNB()


def _trees(seed: int) -> ClassifierMixin:
    from sklearn.ensemble import ExtraTreesClassifier

    # Two repeats of 30 rank as well as one of 100 once calibrated and blended, at half the cost.
    return ExtraTreesClassifier(n_estimators=30, min_samples_leaf=2, random_state=seed)


def _knn(seed: int) -> ClassifierMixin:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(n_neighbors=10, metric="cosine", algorithm="brute")


LEARNERS: Mapping[str, Callable[[int], ClassifierMixin]] = {
    "logistic": _logistic,
    "trees": _trees,
    "knn": _knn,
    "words": _words,
    "bayes": _bayes,
}
"""Learner by name: makes an unfitted classifier from a seed. All take dense or sparse features;
``bayes`` no negative ones."""


def learners_for(features: Any) -> tuple[str, ...]:
    """Choose learners that differ: for sparse counts or tf-idf, else for dense numbers.

    Examples
    --------
    >>> learners_for(np.eye(2))
    ('logistic', 'trees')
    """
    if not hasattr(features, "tocsr"):
        return ("logistic", "trees")
    return ("words", "trees", "bayes") if features.min() >= 0 else ("words", "trees")


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
) -> OutOfFold:
    """Predict every item by several learners, each trained without the item's leakage group.

    Items without a label are predicted too, but never trained on.

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
        Draws the folds and the learners' seeds.
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
        wide = _with_directions(matrix, beside) if "words" in learners else matrix
        for fold_of in held_out:
            judged &= _learnable(labels, fold_of, n_classes)
            for name in learners:
                seed = int(rng.integers(2**31))
                read = wide if name == "words" else matrix
                views.append(_one_view(read, labels, fold_of, n_classes, name, seed))
    return OutOfFold(tuple(views), tuple(learners) * repeats, held_out, judged)


def _with_directions(matrix: Any, embeddings: Any) -> Any:
    """Put unit rows of embeddings, or of main directions, beside sparse features.

    Rows that share no word may be near in these, and no label is read to find them.
    """
    if not sparse.issparse(matrix):
        return matrix
    beside = few_dimensions(matrix) if embeddings is None else embeddings
    length = np.linalg.norm(beside, axis=1, keepdims=True)
    unit = np.divide(beside, length, out=np.zeros_like(beside), where=length > 0)
    return sparse.hstack([matrix, sparse.csr_matrix(unit)], format="csr")


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


def _one_view(
    features: Any, labels: IntArray, fold_of: IntArray, K: int, name: str, seed: int
) -> FloatArray:
    probs = np.zeros((len(labels), K))
    for fold in np.unique(fold_of):
        train = np.flatnonzero((fold_of != fold) & (labels >= 0))
        test = np.flatnonzero(fold_of == fold)
        seen = np.unique(labels[train])
        if len(seen) < 2:
            # Nothing to tell apart: the honest prediction is the shares in the training rows.
            probs[np.ix_(test, seen)] = 1.0
            probs[test] += 0 if len(seen) else 1 / K
            continue
        predicted = _fit(name, seed, features[train], labels[train]).predict_proba(features[test])
        probs[np.ix_(test, seen)] = predicted
    return np.asarray(probs / probs.sum(axis=1, keepdims=True))


def _fit(name: str, seed: int, features: Any, labels: IntArray) -> Any:
    from sklearn.exceptions import ConvergenceWarning

    model = LEARNERS[name](seed)
    if name == "knn":
        model.set_params(n_neighbors=min(10, len(labels)))
    if name == "trees" and len(labels) > _ROWS_A_TREE:
        model.set_params(bootstrap=True, max_samples=_ROWS_A_TREE)
    with warnings.catch_warnings():
        # A learner stopped early still ranks, and the ranking is measured by planted errors.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(features, labels)
