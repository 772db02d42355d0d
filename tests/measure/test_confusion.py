"""Counts of true class against given class."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from labelops.measure.confusion import annotator_confusion, confusion_rates


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
    """With one-hot posteriors each annotator's table is scikit-learn's confusion matrix."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, size=40)
    items = np.repeat(np.arange(40), 2)
    annotators = np.tile([0, 1], 40)
    codes = rng.integers(-1, 3, size=80)
    weights = rng.random(80)
    counts = annotator_confusion(items, annotators, codes, np.eye(3)[truth], 2, weights)
    for who in (0, 1):
        mine = (annotators == who) & (codes >= 0)
        theirs = confusion_matrix(
            truth[items[mine]], codes[mine], labels=range(3), sample_weight=weights[mine]
        )
        np.testing.assert_allclose(counts[who], theirs)


def test_rates_sum_to_one_or_are_missing() -> None:
    """Rows with counts sum to one; an unseen class without a prior is NaN, never 0."""
    rates = confusion_rates(np.array([[3.0, 1.0], [0.0, 0.0]]))
    assert rates[0].tolist() == [0.75, 0.25]
    assert np.isnan(rates[1]).all()
