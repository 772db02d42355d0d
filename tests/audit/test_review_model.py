"""Verdicts refit the probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score

from labelops.audit.review_model import Reviews, cross_fitted, fit_review_model
from labelops.errors import UsageError


def _world(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log odds that are too low by 1.5, and a second score that they overlook."""
    rng = np.random.default_rng(seed)
    known, second = rng.normal(-3, 2, 4000), rng.normal(size=4000)
    wrong = rng.random(4000) < expit(known + 1.5 + second)
    return np.column_stack([known, 5 * second + 7]), wrong


def test_reviews_chosen_by_score_recalibrate_and_rerank_the_rest() -> None:
    """From the 200 worst and 100 random labels: better ranked and calibrated where unseen."""
    scores, wrong = _world()
    rows = np.r_[np.argsort(-scores[:, 0])[:200], np.random.default_rng(1).integers(0, 4000, 100)]
    rest = np.setdiff1d(np.arange(4000), rows)
    model = fit_review_model(scores[rows], wrong[rows], scores)
    after, before = expit(model.logits(scores[rest])), expit(scores[rest, 0])
    assert abs(after.mean() - wrong[rest].mean()) < 0.06 < abs(before.mean() - wrong[rest].mean())
    gain = average_precision_score(wrong[rest], after) - average_precision_score(
        wrong[rest], before
    )
    assert gain > 0.05


def test_few_verdicts_change_little() -> None:
    """Three verdicts leave the probabilities about where they were."""
    scores, wrong = _world()
    model = fit_review_model(scores[:3], wrong[:3], scores)
    assert np.abs(expit(model.logits(scores)) - expit(scores[:, 0])).mean() < 0.06


def test_cross_fitting_does_not_repeat_verdicts() -> None:
    """Verdicts nothing explains are predicted no better than chance."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(300, 6))
    wrong = rng.random(300) < 0.5
    said = cross_fitted(scores, wrong, np.arange(300), scores, rng)
    assert abs(((said > 0) == wrong).mean() - 0.5) < 0.1


def test_verdicts_of_one_item_are_held_out_together() -> None:
    """An item reviewed ten times is predicted without any of its verdicts."""
    rng = np.random.default_rng(0)
    scores = np.column_stack([np.zeros(300), rng.normal(size=300)])
    rows = np.repeat(np.arange(30), 10)
    wrong = np.repeat(rng.random(30) < 0.5, 10)
    said = cross_fitted(scores[rows], wrong, rows, scores, rng)
    assert all(len(np.unique(said[rows == r].round(9))) == 1 for r in range(30))


def test_reviews_are_checked() -> None:
    """The judged label defaults to the present one; unlabeled rows drop out; misfits are named."""
    labels = np.array([1, 0, -1])
    checked = Reviews([0, 1, 2, 0], [1, 0, 1, 0], [-1, -1, -1, 0]).checked(labels, 2)
    assert checked.rows.tolist() == [0, 1, 0]
    assert checked.codes.tolist() == [1, 0, 0]
    assert checked.wrong.tolist() == [True, False, False]
    assert len(Reviews([], []).checked(labels, 2).rows) == 0
    for reviews, match in (
        (Reviews([3], [True]), "rows: row 0 is 3, expected 0 to 2"),
        (Reviews([0], [True, False]), "1 rows, 2 verdicts"),
        (Reviews([0], [2]), "`wrong` must be true or false"),
        (Reviews([0], [True], [5]), "codes: row 0 is 5, expected -1 to 1"),
        (Reviews([0], [True], None, [True, True]), "2 random flags"),
        (Reviews([0], [True], None, ["no"]), "reviews: random: row 0 is 'no'"),
    ):
        with pytest.raises(UsageError, match=match):
            reviews.checked(labels, 2)


def test_the_first_score_is_kept_when_it_is_right() -> None:
    """Calibrated log odds come back within .15 a weight."""
    rng = np.random.default_rng(0)
    chance = rng.beta(0.5, 2, 5000)
    wrong = rng.random(5000) < chance
    scores = np.column_stack([logit(chance.clip(1e-4, 1 - 1e-4)), rng.normal(size=5000)])
    assert np.abs(fit_review_model(scores, wrong, scores).weights - [0, 1, 0]).max() < 0.15
