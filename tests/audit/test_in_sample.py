"""Refusing probabilities that saw the labels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from labelops.audit.ensemble import neighbour_probs
from labelops.audit.in_sample import check_folds, check_not_memorised
from labelops.errors import UsageError

from ..digits import digits


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


def _digits(noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X, truth = digits()
    wrong = rng.random(len(truth)) < noise
    return X, np.where(wrong, (truth + rng.integers(1, 10, len(truth))) % 10, truth)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.05, 0.1])
def test_a_forest_that_doubts_what_it_repeats_is_refused(noise: float) -> None:
    """Its own training rows: it contradicts none, though it is far from sure of them."""
    X, codes = _digits(noise)
    probs = RandomForestClassifier(random_state=0).fit(X, codes).predict_proba(X)
    assert np.median(probs[np.arange(len(codes)), codes]) < 0.95
    with pytest.raises(UsageError, match=r"contradict 0 of 1,797 labels where they expect \d{3},"):
        check_not_memorised({"forest": probs}, codes, None)
    unlabeled = np.where(np.arange(len(codes)) % 9 == 0, -1, codes)
    with pytest.raises(UsageError, match="where they expect"):
        check_not_memorised({"forest": probs}, unlabeled, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    "learner",
    [
        DecisionTreeClassifier(random_state=0),
        KNeighborsClassifier(1),
        KNeighborsClassifier(7, weights="distance"),
        HistGradientBoostingClassifier(max_iter=100, random_state=0),
    ],
)
def test_models_that_repeat_every_label_are_refused(learner: object) -> None:
    """Deep trees, the nearest row itself, boosting to the end."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(900, 4))
    codes = np.where(rng.random(900) < 0.08, X[:, 0] < 0, X[:, 0] > 0).astype(int)
    probs = learner.fit(X, codes).predict_proba(X)
    with pytest.raises(UsageError, match="trained on them"):
        check_not_memorised({"mine": probs}, codes, None)


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_held_out_forests_pass_however_sure_they_are(noise: float, temperature: float) -> None:
    """A forest doubts more than it errs; cooled it doubts nearly everything; both are honest."""
    X, codes = _digits(noise)
    forest = RandomForestClassifier(40, random_state=0)
    probs = cross_val_predict(forest, X, codes, cv=4, method="predict_proba")
    probs = (probs + 1e-3) ** (1 / temperature)
    check_not_memorised({"mine": probs / probs.sum(axis=1, keepdims=True)}, codes, None)


@pytest.mark.parametrize("strength", [1e-3, 1e-2])
def test_a_timid_model_of_plain_classes_passes(strength: float) -> None:
    """Heavily regularised it expects many errors where there is none, but in no row far more."""
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 3, 900)
    X = rng.normal(size=(900, 6)) + 6.5 * np.eye(6)[codes]
    timid = LogisticRegression(C=strength)
    probs = cross_val_predict(timid, X, codes, cv=3, method="predict_proba")
    assert (probs.argmax(axis=1) != codes).sum() == 0
    assert (1 - probs.max(axis=1)).sum() > 30
    check_not_memorised({"mine": probs}, codes, None)
    smoothed = 0.9 * np.eye(3)[codes] + 0.1 / 3
    check_not_memorised({"smoothed": smoothed}, codes, None)


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


def test_few_rows_of_split_groups_are_set_aside_and_many_refused() -> None:
    """Each matrix has its own; the fifth row in a hundred is borne, the sixth is not."""
    group = np.arange(100)
    group[:4] = [0, 0, 1, 1]
    folds = np.arange(100) // 50
    assert check_folds(folds, False, 100, group).all()
    other = folds.copy()
    other[0] = 1
    held = check_folds([folds, other], False, 100, group, matrices=2)
    assert held[0].all() and np.flatnonzero(~held[1]).tolist() == [0, 1]
    other[2] = 1
    assert not check_folds(other, False, 100, group, matrices=3)[:, :4].any()
    group[:6] = [0, 0, 1, 1, 2, 2]
    check_folds(np.r_[other[:4], [0, 0], folds[6:]], False, 100, group)
    with pytest.raises(UsageError, match="so it is of 6 rows of 100; split by group"):
        check_folds(np.r_[other[:4], [0, 1], folds[6:]], False, 100, group)


def test_a_split_group_is_refused() -> None:
    """A copy on the other side of the split was learned."""
    with pytest.raises(UsageError, match="group of row 2"):
        check_folds([0, 0, 0, 1, 1], False, 5, np.array([0, 0, 1, 1, 2]))
