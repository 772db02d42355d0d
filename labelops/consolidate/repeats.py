"""Somebody's second vote on an item: the later row is what they say now."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..measure.codes import BoolArray, IntArray

__all__ = ["left_out", "replaced"]


def replaced(items: IntArray, annotators: IntArray, counts: BoolArray) -> BoolArray:
    """Say which votes that count are followed by another one of the annotator on the item.

    Parameters
    ----------
    items, annotators : (V,) int
        Numbers from 0, in the order the votes were given.
    counts : (V,) bool
        Whether the vote is one: it has a class, and some weight.

    Examples
    --------
    >>> replaced(np.array([0, 0, 0]), np.array([7, 7, 7]), np.array([True, True, False])).tolist()
    [True, False, False]
    """
    rows = np.flatnonzero(counts)
    pair = items[rows].astype(np.int64) * (int(annotators.max(initial=0)) + 1) + annotators[rows]
    gone: BoolArray = np.zeros(counts.size, dtype=np.bool_)
    gone[rows[pd.Series(pair).duplicated(keep="last").to_numpy()]] = True
    return gone


def left_out(count: int) -> str:
    """Say how many votes a later one replaced, as the end of a reason.

    Examples
    --------
    >>> left_out(0), left_out(1)
    ('', '; 1 vote was left out for a later one of the same annotator on the same item')
    """
    if not count:
        return ""
    votes = "1 vote was" if count == 1 else f"{count:,} votes were"
    return f"; {votes} left out for a later one of the same annotator on the same item"
