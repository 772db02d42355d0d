"""The default has room for the votes and a few tables of beliefs, not for one a method."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from labelops.consolidate import consolidate_codes


@pytest.mark.slow
def test_the_default_holds_few_tables_of_beliefs() -> None:
    """It blends six methods; beside the votes it holds at most four tables of items and classes."""
    rng, n_items, n_classes = np.random.default_rng(0), 600_000, 10
    items = np.repeat(np.arange(n_items, dtype=np.int32), 2)
    who = rng.integers(0, 50, items.size).astype(np.int16)
    right = rng.random(items.size) < 0.4 + who / 100
    codes = np.where(right, items % n_classes, rng.integers(0, n_classes, items.size))
    codes = codes.astype(np.int8)
    tracemalloc.start()
    found = consolidate_codes(items, who, codes, n_items, n_classes, n_annotators=50)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.method == "blend"
    assert len(found.weights) == 6
    table, packed = n_items * n_classes * 8, items.size * 4 + n_items * 4
    assert peak < 4 * table + 2 * packed + 20e6
