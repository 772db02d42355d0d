"""Labels from before are weighed as far as they tell something, and no further."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from labelops.autolabel.earlier import Earlier, EarlierColumn, fit_weights

SEEDS = range(10)


def _said(truth: np.ndarray, right: float, K: int, rng: np.random.Generator) -> np.ndarray:
    """Name the true class with a chance of `right`, else any other."""
    other = (truth + rng.integers(1, K, len(truth))) % K
    return np.where(rng.random(len(truth)) < right, truth, other)


@pytest.mark.parametrize("seed", SEEDS)
def test_shares_of_each_class_sum_to_one(seed: int) -> None:
    """Law: what a column says of items of one class are the chances of all its values."""
    rng = np.random.default_rng(seed)
    codes, cells = rng.integers(0, 3, 40), rng.integers(-1, 5, 40)
    logs = EarlierColumn.learned(cells, codes, 5, 3).logs
    np.testing.assert_allclose(np.exp(logs[:-1]).sum(axis=0), 1.0)
    assert (logs[-1] == 0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_many_rows_tell_the_confusion(seed: int) -> None:
    """Law: with many rows the shares are the column's own, class by class."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 30_000)
    confusion = np.array([[0.9, 0.1, 0.0], [0.0, 0.7, 0.3], [0.05, 0.05, 0.9]])
    cells = (rng.random(len(truth))[:, None] >= confusion.cumsum(axis=1)[truth]).sum(axis=1)
    found = np.exp(EarlierColumn.learned(cells, truth, 3, 3).logs[:-1]).T
    np.testing.assert_allclose(found, confusion, atol=0.015)


def test_few_rows_borrow_from_all_classes() -> None:
    """Two rows of each of forty classes suffice to see that a column is right nine times of ten."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(40), 2)
    found = EarlierColumn.learned(_said(truth, 0.9, 40, rng), truth, 40, 40)
    assert 0.8 < np.exp(np.diag(found.logs)).mean() < 0.97
    assert np.exp(np.diag(found.logs)).min() > 0.6


@pytest.mark.parametrize("seed", SEEDS)
def test_a_column_without_news_has_no_say(seed: int) -> None:
    """A number of each row's own, and answers at random, hardly move anything."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, 200)
    own = EarlierColumn.learned(4 + np.arange(200), truth, 204, 4)
    assert np.ptp(own.of(4 + np.arange(200)), axis=1).max() < 1.0
    chance = EarlierColumn.learned(rng.integers(0, 4, 200), truth, 4, 4)
    assert np.ptp(chance.of(np.arange(4)), axis=1).max() < 1.0


def test_other_values_than_classes_tell_too() -> None:
    """A column in another language, or of channels, is learned value by value."""
    truth = np.arange(300) % 3
    found = EarlierColumn.learned(3 + truth, truth, 6, 3)
    assert found.of([3, 4, 5]).argmax(axis=1).tolist() == [0, 1, 2]


def test_joined_beats_both() -> None:
    """Power: model and column of independent mistakes together are right more often than each."""
    rng = np.random.default_rng(1)
    K, truth = 4, rng.integers(0, 4, 6_000)
    logits = 1.2 * np.eye(K)[truth] + rng.normal(0, 0.7, (len(truth), K))
    probs = np.exp(log_softmax(2.0 * logits, axis=1))
    cells = _said(truth, 0.85, K, rng)[:, None]
    learned, asked = slice(0, 300), slice(300, None)
    known = Earlier.learned(cells[learned], truth[learned], [K], K, np.ones(2))
    weights = fit_weights(known.logs(probs[learned], cells[learned]), truth[learned])
    known = Earlier(known.columns, known.unseen, weights)
    together = known.joined(probs[asked], cells[asked])
    np.testing.assert_allclose(together.sum(axis=1), 1.0)
    right = (together.argmax(axis=1) == truth[asked]).mean()
    assert right > (probs[asked].argmax(axis=1) == truth[asked]).mean() + 0.03
    assert right > (cells[asked, 0] == truth[asked]).mean() + 0.03
    # And says how sure it is: the mean confidence is the share that is right.
    assert abs(together.max(axis=1).mean() - right) < 0.02


def test_a_copy_of_the_model_is_not_counted_twice() -> None:
    """A column that says what the model says makes nothing surer."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 4_000)
    logits = np.eye(3)[truth] + rng.normal(0, 0.8, (len(truth), 3))
    probs = np.exp(log_softmax(logits, axis=1))
    cells = probs.argmax(axis=1)[:, None]
    known = Earlier.learned(cells, truth, [3], 3, np.ones(2))
    known = Earlier(known.columns, known.unseen, fit_weights(known.logs(probs, cells), truth))
    together = known.joined(probs, cells)
    right = (together.argmax(axis=1) == truth).mean()
    assert abs(together.max(axis=1).mean() - right) < 0.02


def test_a_class_that_the_model_never_saw() -> None:
    """What a column names may win, though the model gives it nothing."""
    truth = np.array([0, 0, 0, 1, 1, 1, 2] * 3)
    known = Earlier.learned(truth[:, None], truth, [4], 4, np.ones(2))
    assert known.unseen.tolist() == [0, 0, 0, 0.5 / len(truth)]
    model = np.array([[0.6, 0.3, 0.1, 0.0]])
    assert known.joined(model, np.array([[3]])).argmax() == 3
    assert known.joined(model, np.array([[-1]])).argmax() == 0


def test_nothing_said_changes_nothing() -> None:
    """Empty cells leave the model's order, and rows of NaN stay so."""
    known = Earlier.learned(np.array([[0], [1]]), np.array([0, 1]), [2], 2, np.ones(2))
    model = np.array([[0.7, 0.3], [np.nan, np.nan]])
    found = known.joined(model, np.array([[-1], [-1]]))
    np.testing.assert_allclose(found[0], [0.7, 0.3])
    assert np.isnan(found[1]).all()


def test_few_rows_keep_the_weights_near_one() -> None:
    """Three rows say nothing of how much an opinion is worth."""
    logs = np.log([[[0.9, 0.1], [0.8, 0.2], [0.2, 0.8]]])
    assert abs(fit_weights(logs, [0, 0, 1])[0] - 1) < 0.2
