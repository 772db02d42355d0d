"""Scores and flags from held-out probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.audit.self_confidence import (
    confidence_sums,
    ensemble_scores,
    find_label_errors,
    normalized_margin,
    self_confidence,
)
from labelops.errors import UsageError


def _some(seed: int, N: int = 60, K: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(K, 0.5), N), rng.integers(-1, K, N)


def test_worked_example_of_scores() -> None:
    """Self-confidence is the label's probability; the margin is its lead over the best rival."""
    probs = [[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]]
    assert self_confidence(probs, [0, 1]).tolist() == [0.7, 0.2]
    assert normalized_margin(probs, [0, 1]) == pytest.approx([0.75, 0.25])


@given(st.integers(0, 10_000))
def test_rows_are_judged_on_their_own_and_classes_by_name(seed: int) -> None:
    """Permuting rows or classes permutes the scores and nothing else."""
    probs, codes = _some(seed)
    rng = np.random.default_rng(seed)
    rows, classes = rng.permutation(len(codes)), rng.permutation(probs.shape[1])
    renamed = np.where(codes >= 0, np.argsort(classes)[codes], -1)
    for score in (self_confidence, normalized_margin):
        expected = score(probs, codes)
        assert np.allclose(score(probs[rows], codes[rows]), expected[rows], equal_nan=True)
        assert np.allclose(score(probs[:, classes], renamed), expected, equal_nan=True)


@given(st.integers(0, 10_000), st.integers(1, 59))
def test_shards_add_up_to_the_whole(seed: int, cut: int) -> None:
    """Thresholds of two shards' sums are those of all rows at once."""
    probs, codes = _some(seed)
    parts = confidence_sums(probs[:cut], codes[:cut]) + confidence_sums(probs[cut:], codes[cut:])
    whole = confidence_sums(probs, codes).thresholds()
    assert parts.thresholds() == pytest.approx(whole)


def test_a_missing_label_is_absent_not_zero() -> None:
    """A missing label scores NaN and is never flagged."""
    found = find_label_errors([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1]], [0, 1, -1])
    assert np.isnan(found.scores[2])
    assert not found.flagged[2]


def test_an_unsure_rival_is_no_error() -> None:
    """A label below its rival is left alone while the rival is under its own class's standard."""
    probs = [[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.55, 0.45]]
    assert find_label_errors(probs, [0, 0, 1, 1]).flagged.tolist() == [False] * 4
    probs[3] = [0.95, 0.05]
    found = find_label_errors(probs, [0, 0, 1, 1])
    assert found.flagged.tolist() == [False, False, False, True]
    assert found.suggestions.tolist() == [-1, -1, -1, 0]


def test_ensemble_is_the_mean_of_views() -> None:
    """Two views average; no view is refused."""
    a, codes = _some(1)
    b, _ = _some(2)
    expected = (self_confidence(a, codes) + self_confidence(b, codes)) / 2
    assert np.allclose(ensemble_scores([a, b], codes), expected, equal_nan=True)
    with pytest.raises(UsageError, match="at least one"):
        ensemble_scores([], codes)


@pytest.mark.parametrize(
    ("probs", "codes"),
    [([[0.5, 0.6]], [0]), ([[0.5, 0.5]], [2]), ([[0.5, 0.5]], [0, 1]), ([[np.nan, 1]], [0])],
)
def test_malformed_input_is_refused(probs: list[list[float]], codes: list[int]) -> None:
    """Rows that are no probabilities, unknown classes and other lengths are errors."""
    with pytest.raises(UsageError):
        self_confidence(probs, codes)


def test_thresholds_of_another_schema_are_refused() -> None:
    """Thresholds must be one a class."""
    with pytest.raises(UsageError, match="3 thresholds for 2 classes"):
        find_label_errors([[0.5, 0.5]], [0], [0.1, 0.2, 0.3])
