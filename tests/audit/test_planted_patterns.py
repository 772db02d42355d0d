"""Values with which rows get a label that nothing else about them explains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from labelops.audit.planted_patterns import planted_patterns
from labelops.errors import UsageError


def _clouds(seed: int = 0, rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.arange(rows) % 3
    return rng.normal(size=(rows, 5)) + 5 * np.eye(5)[codes], codes


def test_a_value_that_turns_labels_is_found_with_its_rows() -> None:
    """And the column, the class, and how many of the labels the others contradict without it."""
    X, codes = _clouds()
    turned = np.flatnonzero(codes != 2)[:12]
    X[turned, 4], codes[turned] = 0.123, 2
    (found,) = planted_patterns(X, codes, rng=np.random.default_rng(0))
    assert (found.code, found.columns, found.rows.tolist()) == (2, (4,), turned.tolist())
    assert found.low == found.high == pytest.approx(0.123)
    assert found.doubted > 0.9 and found.otherwise < 0.1


def test_a_value_that_goes_with_right_labels_is_none() -> None:
    """What else the rows hold says the same class, so nothing was turned."""
    X, codes = _clouds()
    X[np.flatnonzero(codes == 2)[:12], 4] = 0.123
    assert planted_patterns(X, codes, rng=np.random.default_rng(0)) == ()


def test_order_of_rows_and_units_change_nothing() -> None:
    """Columns may be shifted and stretched."""
    X, codes = _clouds()
    turned = np.flatnonzero(codes != 0)[:9]
    X[turned, 1], codes[turned] = 40.0, 0
    order = np.random.default_rng(1).permutation(len(codes))
    (a,) = planted_patterns(X, codes, rng=np.random.default_rng(0))
    (b,) = planted_patterns(2 * X[order] + 7, codes[order], rng=np.random.default_rng(0))
    assert sorted(order[b.rows]) == a.rows.tolist() == turned.tolist()


@pytest.mark.parametrize(("X", "codes"), [(np.zeros((0, 3)), []), (np.ones((9, 3)), [0] * 9)])
def test_where_nothing_varies_there_is_nothing(X: Any, codes: Any) -> None:
    """Nor with one column, which is all there is of a row."""
    assert planted_patterns(X, codes, rng=np.random.default_rng(0)) == ()
    alone, labels = _clouds()
    assert planted_patterns(alone[:, :1], labels, rng=np.random.default_rng(0)) == ()


def test_shapes_have_to_fit() -> None:
    """They are refused by name."""
    with pytest.raises(UsageError, match="found 3 rows of features for 2 codes"):
        planted_patterns(np.eye(3), [0, 1], rng=np.random.default_rng(0))


@pytest.mark.slow
@pytest.mark.parametrize("load", [load_digits, load_wine, load_breast_cancer, load_iris])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_no_alarm_where_nothing_was_planted(load: Any, noise: float) -> None:
    """On real measurements and pictures, with right labels and with some changed at random."""
    X, y = load(return_X_y=True)
    rng = np.random.default_rng(5)
    wrong = rng.random(len(y)) < noise
    codes = np.where(wrong, (y + rng.integers(1, y.max() + 1, len(y))) % (y.max() + 1), y)
    assert planted_patterns(X, codes, ends=load is load_digits, rng=rng) == ()


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.01, 0.05])
def test_a_patch_of_pixels_is_one_pattern(share: float) -> None:
    """Its four corners together, on digits of which 5 % are labeled wrong beside it."""
    X, codes = load_digits(return_X_y=True)
    rng = np.random.default_rng(3)
    codes = np.where(rng.random(len(codes)) < 0.05, rng.integers(0, 10, len(codes)), codes)
    bad = (codes != 4) & (rng.random(len(codes)) < share)
    X[np.ix_(bad, [0, 1, 8, 9])] = 16
    codes[bad] = 4
    found = planted_patterns(X, codes, ends=True, rng=rng)
    assert found[0].code == 4 and np.isin(np.flatnonzero(bad), found[0].rows).all()
    assert {0, 1, 8, 9} <= {column for one in found for column in one.columns}
