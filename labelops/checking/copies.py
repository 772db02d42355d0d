"""Rows with equal contents, and how many of their labels cannot all be right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..measure.codes import IntArray

__all__ = ["Copies", "count_copies"]


@dataclass(frozen=True, slots=True)
class Copies:
    """Rows with equal contents.

    Attributes
    ----------
    repeats : int
        Rows whose content an earlier one has.
    differ : int
        Rows of which a copy has another label.
    wrong : int
        How many labels have to be wrong at least, if a content has one label: of each content all
        but those of its commonest.
    """

    repeats: int = 0
    differ: int = 0
    wrong: int = 0


def count_copies(digests: ArrayLike, codes: IntArray) -> Copies:
    """Count rows with equal contents, and those of them that are labeled differently.

    Parameters
    ----------
    digests : (N,) array-like
        Equal for equal contents.
    codes : (N,) int
        Labels; -1 is none.

    Examples
    --------
    >>> count_copies(["a", "a", "a", "b", "b", "c"], np.array([0, 0, 1, 2, -1, 0]))
    Copies(repeats=3, differ=3, wrong=1)
    """
    contents, different = pd.factorize(np.asarray(digests, dtype=object))
    labeled = codes >= 0
    pairs, sizes = np.unique(
        np.stack([contents[labeled], codes[labeled]]), axis=1, return_counts=True
    )
    several = np.bincount(pairs[0])
    most = np.zeros(len(several), dtype=np.int64)
    np.maximum.at(most, pairs[0], sizes)
    differ = int(sizes[several[pairs[0]] > 1].sum())
    return Copies(len(contents) - len(different), differ, differ - int(most[several > 1].sum()))
