"""Counts of true class against given class."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from labelops.errors import UsageError
from labelops.measure.confusion import annotator_confusion, confusion_counts, confusion_rates


def test_oracle_sklearn() -> None:
    """Rows are the reference and columns the given class, as in scikit-learn."""
    rng = np.random.default_rng(0)
    given, reference = rng.integers(0, 4, size=(2, 300))
    weights = rng.random(300)
    theirs = confusion_matrix(reference, given, labels=range(4), sample_weight=weights)
    np.testing.assert_allclose(confusion_counts(given, reference, 4, weights), theirs)


def test_missing_rows_count_nothing() -> None:
    """A row without a given or a reference class is left out."""
    assert confusion_counts([0, -1, 1], [-1, 0, 1], 2).tolist() == [[0.0, 0.0], [0.0, 1.0]]


def test_shards_add_up() -> None:
    """Counts of two shards sum to the counts of all votes."""
    rng = np.random.default_rng(1)
    items, annotators, codes = rng.integers(0, 3, size=(3, 50))
    posterior = rng.dirichlet(np.ones(3), size=3)
    parts = [
        annotator_confusion(items[s], annotators[s], codes[s], posterior, 3)
        for s in (slice(0, 20), slice(20, 50))
    ]
    whole = annotator_confusion(items, annotators, codes, posterior, 3)
    np.testing.assert_allclose(parts[0] + parts[1], whole)
    assert whole.sum() == pytest.approx(50)


def test_known_truth_gives_plain_counts() -> None:
    """With one-hot posteriors each annotator's table is their plain confusion matrix."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, size=40)
    items = np.repeat(np.arange(40), 2)
    annotators = np.tile([0, 1], 40)
    codes = rng.integers(-1, 3, size=80)
    counts = annotator_confusion(items, annotators, codes, np.eye(3)[truth], 2)
    for who in (0, 1):
        mine = annotators == who
        expected = confusion_counts(codes[mine], truth[items[mine]], 3)
        np.testing.assert_allclose(counts[who], expected)


def test_rates_sum_to_one_or_are_missing() -> None:
    """Rows with counts sum to one; an unseen class without a prior is NaN, never 0."""
    rates = confusion_rates(np.array([[3.0, 1.0], [0.0, 0.0]]))
    assert rates[0].tolist() == [0.75, 0.25]
    assert np.isnan(rates[1]).all()


def test_lengths_must_match() -> None:
    """Arrays of different length are refused."""
    with pytest.raises(UsageError, match="one length"):
        confusion_counts([0, 1], [0], 2)
