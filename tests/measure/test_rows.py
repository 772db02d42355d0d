"""Rows reduced a column at a time give what numpy gives a row at a time."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from labelops.measure.rows import count_equal, first_largest, row_largest, row_totals


@pytest.mark.parametrize("columns", [1, 2, 7, 47, 48, 100])
@pytest.mark.parametrize("rows", [0, 1, 300])
def test_narrow_or_wide(rows: int, columns: int) -> None:
    """On both sides of the width where the way changes, ties among them."""
    table = np.random.default_rng(columns).integers(-3, 4, (rows, columns)).astype(np.float64)
    at, most = first_largest(table)
    assert np.array_equal(at, table.argmax(axis=1))
    assert np.array_equal(most, table.max(axis=1))
    assert np.array_equal(row_largest(table)[:, 0], most)
    assert np.array_equal(count_equal(table, most), (table == most[:, None]).sum(axis=1))


@pytest.mark.parametrize("columns", [1, 5, 9, 47, 48, 200])
def test_totals_run_from_left_to_right(columns: int) -> None:
    """A row's total is that of a plain loop to the last bit, which numpy's own is not."""
    table = np.random.default_rng(0).random((200, columns))
    wanted = [reduce(lambda x, y: x + y, row) for row in table.tolist()]
    assert row_totals(table)[:, 0].tolist() == wanted
    if columns > 100:
        assert table.sum(axis=1).tolist() != wanted
