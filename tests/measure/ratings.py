"""Published ratings, and ratings as votes."""

from __future__ import annotations

import numpy as np

from labelops.measure.codes import IntArray

# Krippendorff 2011, section C: four observers, twelve units, missing data; 0 stands for missing.
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
)


# Krippendorff 2011, section B: two observers, twelve units, nominal.
TWO_OBSERVERS = np.array(
    [[1, 1, 2, 2, 4, 3, 3, 3, 5, 4, 4, 1], [2, 1, 2, 2, 2, 3, 3, 3, 5, 4, 4, 4]]
)


# Fleiss 1971, table 1: thirty patients, six psychiatrists, five diagnoses; votes a diagnosis.
PATIENTS = np.array(
    [
        [0, 0, 0, 6, 0], [0, 3, 0, 0, 3], [0, 1, 4, 0, 1], [0, 0, 0, 0, 6], [0, 3, 0, 3, 0],
        [2, 0, 4, 0, 0], [0, 0, 4, 0, 2], [2, 0, 3, 1, 0], [2, 0, 0, 4, 0], [0, 0, 0, 0, 6],
        [1, 0, 0, 5, 0], [1, 1, 0, 4, 0], [0, 3, 3, 0, 0], [1, 0, 0, 5, 0], [0, 2, 0, 3, 1],
        [0, 0, 5, 0, 1], [3, 0, 0, 1, 2], [5, 1, 0, 0, 0], [0, 2, 0, 4, 0], [1, 0, 2, 0, 3],
        [0, 0, 0, 0, 6], [0, 1, 0, 5, 0], [0, 2, 0, 1, 3], [2, 0, 0, 4, 0], [1, 0, 0, 4, 1],
        [0, 5, 0, 1, 0], [4, 0, 0, 0, 2], [0, 2, 0, 4, 0], [1, 0, 5, 0, 0], [0, 0, 0, 0, 6],
    ]
)  # fmt: skip


def from_counts(counts: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Items, annotators and codes with these votes a class (items, K), as many on each item."""
    items, n_classes = counts.shape
    codes = np.concatenate([np.repeat(np.arange(n_classes), row) for row in counts])
    per_item = codes.size // items
    return np.repeat(np.arange(items), per_item), np.tile(np.arange(per_item), items), codes


def long_of(table: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Items, annotators and codes of a table (annotators, items) of codes from 1, 0 missing."""
    annotators, items = np.indices(table.shape)
    return items.ravel(), annotators.ravel(), table.ravel() - 1
