"""The rows that might be taken out: of each pair of classes, of each class, of all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelops.audit.confident.margins import top_margins, top_margins_numpy
from labelops.audit.confident.messages import Round
from labelops.audit.confident.order import by_class, smallest
from labelops.audit.confident.reading import Facts
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.jit import can_compile, in_threads

__all__ = ["candidates"]

_CLEAR = 2e-6  # A row whose label is ahead, near ties aside, has no margin above this.


def candidates(
    table: NDArray[Any],
    codes: NDArray[np.int32],
    facts: Facts,
    asked: Round,
) -> tuple[IntArray, IntArray, FloatArray]:
    """Find each group's best candidates among these rows, at most its quota.

    Groups are numbered: first the pairs of classes, by margin of the other class over the given
    one; then the given classes, by self-confidence; at last all rows, by the filter's score.

    Returns
    -------
    group, row, value : (M,) int, int, float
        Smaller values are to be taken out first.
    """
    parts = [
        _of_pairs(table, codes, facts.differs, asked),
        _of_classes(codes, facts.own, asked.class_quota, len(asked.quota)),
        _of_all(codes, facts, asked),
    ]
    group, row, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    return group, row, value


def _of_pairs(
    table: NDArray[Any], codes: NDArray[np.int32], differs: BoolArray, asked: Round
) -> tuple[IntArray, IntArray, FloatArray]:
    """First among rows whose label is behind; only pairs that need more look at all rows."""
    if not len(asked.quota):
        return _nothing()
    K = asked.classes
    available = np.bincount(codes[codes >= 0], minlength=K)
    quota = np.minimum(asked.quota, available[asked.given])
    offsets = np.concatenate([[0], np.cumsum(quota)])
    row = np.zeros(offsets[-1], dtype=np.int64)
    margin = np.zeros(offsets[-1], dtype=np.float64)
    short = quota > 0
    for rows, floor in ((differs, _CLEAR), (None, -np.inf)):
        todo = np.flatnonzero(short)
        if not todo.size:
            break
        wanted = np.zeros(K, dtype=np.bool_)
        wanted[asked.given[todo]] = True
        among = (codes >= 0) if rows is None else rows
        among = among & wanted[np.maximum(codes, 0)]
        still = _search(
            table, codes, np.flatnonzero(among), asked, todo, quota, offsets, floor, row, margin
        )
        short[todo] = still
    group = np.repeat(np.arange(len(quota)), quota)
    return group, row, -margin


def _search(
    table: NDArray[Any],
    codes: NDArray[np.int32],
    rows: IntArray,
    asked: Round,
    pairs: IntArray,
    quota: IntArray,
    offsets: IntArray,
    floor: float,
    out_rows: IntArray,
    out_margins: FloatArray,
) -> BoolArray:
    """Fill in what some pairs find among some rows; say which found too few."""
    K = asked.classes
    found, starts = by_class(codes, rows, K)
    pair_starts = np.searchsorted(asked.given[pairs], np.arange(K + 1))
    short = np.zeros(len(pairs), dtype=np.bool_)
    direct = table.flags.c_contiguous and table.dtype in (np.float32, np.float64)
    compiled = can_compile(table.size) and direct and table.dtype.isnative
    loop = top_margins if compiled else top_margins_numpy
    view = table.view(np.ndarray)[:]
    view.flags.writeable = False
    # Pairs of these classes only, and their places in the output of all pairs.
    settings = (found, starts, pair_starts, asked.true[pairs], quota[pairs], offsets[pairs], floor)

    def job(first: int, last: int) -> None:
        loop(view, *settings, first, last, out_rows, out_margins, short)

    in_threads(job, K, block=max(1, K // 16))
    return short


def _of_classes(
    codes: NDArray[np.int32], own: NDArray[Any], quota: IntArray, first: int
) -> tuple[IntArray, IntArray, FloatArray]:
    """Each class's labels of lowest self-confidence."""
    if not quota.any():
        return _nothing()
    rows, starts = by_class(codes, np.flatnonzero(codes >= 0), len(quota))
    kept = []
    for k in np.flatnonzero(quota):
        members = rows[starts[k] : starts[k + 1]]
        kept.append(members[smallest(own[members], int(quota[k]))])
    row = np.concatenate(kept)
    return first + codes[row].astype(np.int64), row, own[row].astype(np.float64)


def _of_all(
    codes: NDArray[np.int32], facts: Facts, asked: Round
) -> tuple[IntArray, IntArray, FloatArray]:
    """List the labels of lowest score."""
    if not asked.lowest:
        return _nothing()
    value = facts.own
    if asked.options.filter_by == "low_normalized_margin":
        value = value.astype(np.float64) - facts.other
    rows = None
    if len(codes) and codes.min() < 0:
        rows = np.flatnonzero(codes >= 0)
        value = value[rows]
    at = smallest(value, asked.lowest)
    group = np.full(len(at), len(asked.quota) + asked.classes, dtype=np.int64)
    return group, at if rows is None else rows[at], value[at].astype(np.float64)


def _nothing() -> tuple[IntArray, IntArray, FloatArray]:
    return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float64)
