"""Our scores and flags against cleanlab's."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.audit.self_confidence import (
    ensemble_scores,
    find_label_errors,
    normalized_margin,
    self_confidence,
)

rank = pytest.importorskip("cleanlab.rank")
filters = pytest.importorskip("cleanlab.filter")


def _some(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.arange(5), rng.integers(0, 5, 295)])
    sharp = rng.uniform(0, 4, (300, 1)) * np.eye(5)[codes]
    probs = np.exp(sharp + rng.normal(size=(300, 5)))
    return probs / probs.sum(axis=1, keepdims=True), codes


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_cleanlabs(seed: int) -> None:
    """Self-confidence and normalized margin are the same numbers."""
    probs, codes = _some(seed)
    for method, score in (
        ("self_confidence", self_confidence),
        ("normalized_margin", normalized_margin),
    ):
        assert score(probs, codes) == pytest.approx(
            rank.get_label_quality_scores(codes, probs, method=method)
        )


def test_ensemble_is_cleanlabs_uniform_one() -> None:
    """The mean over views is cleanlab's uniform ensemble."""
    (a, codes), (b, _) = _some(0), _some(1)
    theirs = rank.get_label_quality_ensemble_scores(
        codes, [a, b], weight_ensemble_members_by="uniform", verbose=False
    )
    assert ensemble_scores([a, b], codes) == pytest.approx(theirs)


@pytest.mark.parametrize("seed", range(5))
def test_flags_are_confident_learnings(seed: int) -> None:
    """The flags are those of cleanlab's confident-learning filter."""
    probs, codes = _some(seed)
    theirs = filters.find_label_issues(codes, probs, filter_by="confident_learning", n_jobs=1)
    assert find_label_errors(probs, codes).flagged.tolist() == theirs.tolist()
