"""Columns in another order than the classes are noticed; bad models and wrong labels are none."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.audit import detect_label_errors
from labelops.audit.class_order import check_class_order
from labelops.errors import UsageError


def _model(codes: np.ndarray, K: int, right: float, rng: np.random.Generator) -> np.ndarray:
    """Return held-out probabilities whose likeliest class is the label as often as asked."""
    said = np.where(rng.random(len(codes)) < right, codes, rng.integers(0, K, len(codes)))
    probs = rng.dirichlet(np.ones(K), len(codes))
    probs[np.arange(len(codes)), said] += 1
    return np.asarray(probs / probs.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("K", [2, 3, 10, 50])
@pytest.mark.parametrize("right", [0.6, 0.95])
def test_another_order_is_refused_with_the_one_that_fits(K: int, right: float) -> None:
    """Whatever the order, from models that are right six times in ten: the order is named."""
    rng = np.random.default_rng(K)
    codes = rng.integers(0, K, 40 * K)
    probs = _model(codes, K, 0.99 if K == 2 else right, rng)
    check_class_order({"mine": probs}, codes)
    order = np.roll(np.arange(K), 1)
    with pytest.raises(UsageError, match="if the columns were") as caught:
        check_class_order({"mine": probs[:, order]}, codes)
    if K == 3:
        assert "the classes '0', '1', '2', and" in str(caught.value)
        assert "if the columns were '2', '0', '1': put" in str(caught.value)


def test_two_columns_of_many_that_are_swapped() -> None:
    """All else fits, and the two are named."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 10, 600)
    probs = _model(codes, 10, 0.9, rng)[:, [0, 1, 5, 3, 4, 2, 6, 7, 8, 9]]
    with pytest.raises(UsageError, match="labels of the classes '2', '5', and"):
        detect_label_errors(codes, probs=probs, out_of_sample=True)


@pytest.mark.parametrize("K", [2, 3, 10, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("size", [5, 12, 40])
def test_a_model_that_knows_nothing_is_no_other_order(K: int, size: int) -> None:
    """Some order always fits chance best; in 100 draws none is taken for the columns'."""
    for seed in range(100):
        rng = np.random.default_rng(seed)
        codes = rng.integers(0, K, size * K)
        check_class_order({"mine": rng.dirichlet(np.ones(K), len(codes))}, codes)


@pytest.mark.parametrize("noise", [0.2, 0.45])
def test_wrong_labels_are_no_other_order(noise: float) -> None:
    """Nor where each class is said for one other, and nearly half of the time."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 10, 2000)
    codes = np.where(rng.random(2000) < noise, (truth + 1) % 10, truth)
    check_class_order({"mine": _model(truth, 10, 0.95, rng)}, codes)


def test_a_rare_class_that_the_model_never_says_is_no_other_order() -> None:
    """It cannot change places with the frequent one that is said for it."""
    rng = np.random.default_rng(3)
    codes = np.repeat([0, 1, 2], [900, 60, 0])
    said = np.where(codes == 1, 0, codes)
    check_class_order({"mine": _model(said, 4, 0.99, rng)}, codes)
    check_class_order({"mine": np.zeros((0, 2))}, np.zeros(0, dtype=np.int64))
