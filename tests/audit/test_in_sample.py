"""Refusing probabilities that saw the labels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from labelops.audit.ensemble import neighbour_probs
from labelops.audit.in_sample import check_folds, check_not_memorised
from labelops.errors import UsageError


def _blobs(noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 600)
    X = rng.normal(size=(600, 4)) + 4 * np.eye(4)[truth]
    return X, np.where(rng.random(600) < noise, (truth + 1) % 3, truth)


@pytest.mark.parametrize(
    "learner", [ExtraTreesClassifier(20, random_state=0), LogisticRegression()]
)
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2])
def test_held_out_probabilities_pass(learner: object, noise: float) -> None:
    """Honest models are believed, on clean and on noisy labels, with and without neighbours."""
    X, codes = _blobs(noise)
    probs = cross_val_predict(learner, X, codes, cv=3, method="predict_proba")
    near = neighbour_probs(X, codes, None, 3, np.random.default_rng(0))
    check_not_memorised({"mine": probs}, codes, near)
    check_not_memorised({"mine": probs}, codes, None)


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_memorised_probabilities_are_refused(noise: float) -> None:
    """A forest asked about its own training rows repeats wrong labels: refused, and named."""
    X, codes = _blobs(noise)
    probs = ExtraTreesClassifier(20, random_state=0).fit(X, codes).predict_proba(X)
    near = neighbour_probs(X, codes, None, 3, np.random.default_rng(0))
    with pytest.raises(UsageError, match=r"'forest' repeat 100 % .* neighbours contradict"):
        check_not_memorised({"forest": probs}, codes, near)
    with pytest.raises(UsageError, match="trained on them"):
        check_not_memorised({"forest": probs}, codes, None)


def test_a_better_model_than_the_neighbours_passes() -> None:
    """A model that knows the truth disagrees with wrong labels, whatever the features are worth."""
    X, codes = _blobs(0.1)
    truth = _blobs(0.0)[1]
    near = neighbour_probs(
        np.random.default_rng(1).normal(size=X.shape), codes, None, 3, np.random.default_rng(0)
    )
    check_not_memorised({"oracle": 0.97 * np.eye(3)[truth] + 0.01}, codes, near)


def test_folds_must_be_stated() -> None:
    """Neither folds nor a declaration, one fold, another length: refused."""
    check_folds(None, True, 4, None)
    check_folds([[0, 1, 0, 1], [1, 1, 0, 0]], False, 4, None, matrices=2)
    for folds, match in ((None, "out_of_sample"), ([0, 0, 0, 0], "one fold"), ([0, 1], "shape")):
        with pytest.raises(UsageError, match=match):
            check_folds(folds, False, 4, None)


def test_a_split_group_is_refused() -> None:
    """A copy on the other side of the split was learned."""
    with pytest.raises(UsageError, match="group of row 2"):
        check_folds([0, 0, 0, 1, 1], False, 5, np.array([0, 0, 1, 1, 2]))
