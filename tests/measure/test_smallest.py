"""The few smallest numbers of each row."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.measure.smallest import smallest_columns


@pytest.mark.parametrize(("columns", "k"), [(1, 1), (7, 7), (40, 10), (997, 3), (1003, 50)])
def test_they_are_those_of_a_sort(columns: int, k: int) -> None:
    """In order, whether columns are dealt into parts or not, and whatever is left over."""
    rng = np.random.default_rng(columns)
    values = rng.normal(size=(30, columns)).astype(np.float32)
    values[3, k:] += 100.0  # All of the smallest in one stretch.
    assert np.array_equal(smallest_columns(values, k), np.argsort(values, axis=1)[:, :k])


def test_ties_give_equal_numbers() -> None:
    """Where many are equal any of them is returned, none twice, and never a larger one."""
    values = np.random.default_rng(0).integers(0, 3, size=(50, 900)).astype(np.float64)
    found = smallest_columns(values, 400)
    assert all(len(set(row)) == 400 for row in found.tolist())
    assert np.array_equal(np.take_along_axis(values, found, 1), np.sort(values, axis=1)[:, :400])
