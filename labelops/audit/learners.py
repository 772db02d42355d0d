"""The learners that audits train on features: what each is good for, and from how many rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from labelops.measure.codes import IntArray
from labelops.measure.draws import check_rng

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

__all__ = ["LEARNERS", "ROWS_A_MODEL", "fit_learner", "learners_for", "rows_to_learn"]

# Rows each tree learns from: keeps trees' cost linear (16,000 rows of 64 numbers: 9.1 s → 1.3 s),
# and a tree that sees fewer of the wrong labels learns fewer of them.
_ROWS_A_TREE = 4_000
ROWS_A_MODEL = 20_000
"""Rows that any other model learns from, drawn anew for each."""
_ROWS_A_CLASS = 20

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


def rows_to_learn(
    rows: IntArray, labels: IntArray, rng: np.random.Generator, limit: int
) -> IntArray:
    """Draw the rows a model learns from where there are very many: of each class its share.

    What more rows add to how a model ranks labels is small beside what they cost, and a model that
    sees fewer of the wrong labels learns fewer of them.

    Parameters
    ----------
    rows : (M,) int
        Labeled rows, ascending.
    labels : (N,) int
    rng : numpy.random.Generator
        Is asked only where there are more rows than `limit`.
    limit : int
        So many are drawn, and a few more, for at least 20 of each class are, or all it has.

    Examples
    --------
    >>> labels = np.repeat([0, 1, 2], [900, 90, 10])
    >>> drawn = rows_to_learn(np.arange(1000), labels, np.random.default_rng(0), limit=300)
    >>> np.bincount(labels[drawn]).tolist()
    [270, 27, 10]
    """
    check_rng(rng)
    if len(rows) <= limit:
        return rows
    mixed = rng.permutation(rows)
    order = np.argsort(labels[mixed], kind="stable")
    sizes = np.bincount(labels[rows])
    place = np.empty(len(rows), dtype=np.int64)  # Of each row among its class's, in random order.
    place[order] = np.arange(len(rows)) - (sizes.cumsum() - sizes)[labels[mixed[order]]]
    wanted = np.maximum(np.ceil(sizes * (limit / len(rows))), _ROWS_A_CLASS)
    return np.sort(mixed[place < wanted[labels[mixed]]])


def fit_learner(name: str, seed: int, features: Any, labels: IntArray) -> Any:
    """Return the learner of a name, fitted to some rows."""
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
