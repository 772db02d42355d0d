"""Planted errors and the recall they measure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.audit.planted import plant, recall
from labelops.errors import UsageError


@given(st.integers(0, 10_000), st.floats(0, 1), st.integers(2, 6))
def test_planted_labels_are_wrong_and_counted(seed: int, share: float, K: int) -> None:
    """Exactly the wanted number of labeled rows changes, each to another class."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, K, 80)
    planted = plant(codes, share, K, rng=rng)
    wrong = planted.applied_to(codes)
    changed = np.flatnonzero(wrong != codes)
    labeled = (codes >= 0).sum()
    assert len(changed) == (max(1, round(share * labeled)) if share else 0)
    assert changed.tolist() == planted.rows.tolist()
    assert (codes[changed] >= 0).all()
    assert ((wrong >= -1) & (wrong < K)).all()


def test_confusion_says_which_mistakes() -> None:
    """Classes are mistaken as the confusion says; a class with no mistakes on record, uniformly."""
    codes = np.repeat([0, 1, 2], 3000)
    confusion = [[90, 9, 1], [0, 50, 0], [0, 0, 0]]
    planted = plant(codes, 1.0, 3, confusion, rng=np.random.default_rng(0))
    counts = np.zeros((3, 3))
    np.add.at(counts, (codes, planted.applied_to(codes)), 1 / 3000)
    expected = [[0, 0.9, 0.1], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    assert counts == pytest.approx(np.array(expected), abs=0.03)


def test_recall_has_an_exact_interval() -> None:
    """9 found of 10 planted: .9, from .555 to .997; of the asked round only."""
    frame = pd.DataFrame(
        {
            "planted": [True] * 11 + [False],
            "round": [1] * 10 + [2, 1],
            "evidence": ['{"found":true}'] * 9 + ['{"found":false}'] * 2 + ['{"found":true}'],
        }
    )
    found = recall(frame, round=1)
    assert (found.found, found.planted, found.share) == (9, 10, 0.9)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.555, 0.9975), abs=1e-3)
    assert recall(frame).planted == 11


def test_nothing_planted_says_nothing() -> None:
    """Recall without planted errors is absent, not perfect."""
    found = recall(pd.DataFrame({"planted": [False], "round": [1], "evidence": ["{}"]}))
    assert np.isnan(found.share)
    assert (found.interval.low, found.interval.high) == (0.0, 1.0)


@pytest.mark.parametrize("confusion", [[[1.0]], [[0, -1], [1, 0]], [[0, np.nan], [1, 0]]])
def test_malformed_confusion_is_refused(confusion: list[list[float]]) -> None:
    """Wrong shapes and negative or missing numbers are errors."""
    with pytest.raises(UsageError, match="confusion"):
        plant([0, 1], 0.5, 2, confusion, rng=np.random.default_rng(0))
