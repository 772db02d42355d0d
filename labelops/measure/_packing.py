"""Votes in the order of their items: by counting and by insertion, in place where it can be."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from labelops.measure.codes import FloatArray

from .jit import can_compile, in_threads, kernel

__all__ = ["AnyInts", "Repeats", "has_repeats", "sort_votes", "width_of"]

AnyInts: TypeAlias = NDArray[np.signedinteger[Any]]
Repeats: TypeAlias = Literal["keep", "last", "refuse"]

_LONG = 48
"""Votes on an item from which sorting by insertion no longer pays."""


def width_of(size: int) -> np.dtype[np.signedinteger[Any]]:
    """Return the narrower of int32 and int64 that counts to `size`."""
    return np.dtype(np.int32 if size < 2**31 else np.int64)


def sort_votes(
    item: AnyInts,
    cells: AnyInts,
    weight: FloatArray | None,
    n_items: int,
    n_classes: int,
    repeats: Repeats,
) -> tuple[AnyInts, AnyInts, FloatArray | None]:
    """Row pointers, and cells and weights by item; the later of two like votes comes later."""
    # Where a later vote replaces an earlier one, only the annotator may decide the order.
    divisor = 1 if repeats == "keep" else n_classes
    rows = np.zeros(n_items + 1, dtype=width_of(cells.size))
    if can_compile(cells.size) and weight is None:
        return rows, _placed(item, cells, rows, divisor), None
    np.cumsum(np.bincount(item, minlength=n_items), out=rows[1:])
    base = np.int64(max(int(cells.max(initial=0)) // divisor + 1, 1))
    key = item * base
    key += cells if divisor == 1 else cells // divisor
    if (key[1:] >= key[:-1]).all() and weight is None:
        return rows, cells, None
    if divisor == 1 and weight is None:
        key.sort()
        return rows, np.mod(key, base, out=key).astype(cells.dtype), None
    # By weight too: of equal votes the order of summing must not be that of arrival.
    if weight is None:
        return rows, cells[np.argsort(key, kind="stable")], None
    order = np.lexsort((weight, key)) if repeats == "keep" else np.argsort(key, kind="stable")
    return rows, cells[order], weight[order]


def _placed(item: AnyInts, cells: AnyInts, rows: AnyInts, divisor: int) -> AnyInts:
    """Fill the row pointers; return the cells by item and, within an item, ascending."""
    if not _count(item, rows):
        placed = np.empty_like(cells)
        _scatter(item, cells, rows, placed)
        cells = placed
    in_threads(
        lambda first, last: _settle(cells, rows[first : last + 1], divisor),
        rows.size - 1,
        block=1 << 18,
    )
    for i in np.flatnonzero(np.diff(rows) > _LONG).tolist():
        part = cells[rows[i] : rows[i + 1]]
        part[:] = part[np.argsort(part // divisor, kind="stable")]
    return cells


@kernel()
def _count(item: AnyInts, rows: AnyInts) -> bool:
    """Add up where each item's votes begin; say whether they already stand by item."""
    ordered = True
    last = item[0] if item.size else 0
    for v in range(item.size):
        i = item[v]
        ordered &= i >= last
        last = i
        rows[i + 1] += 1
    for k in range(1, rows.size):
        rows[k] += rows[k - 1]
    return ordered


@kernel()
def _scatter(item: AnyInts, cells: AnyInts, rows: AnyInts, placed: AnyInts) -> None:
    """Copy each vote to its item, in the order of arrival."""
    for v in range(item.size):
        i = item[v]
        placed[rows[i]] = cells[v]
        rows[i] += 1
    for k in range(rows.size - 1, 0, -1):
        rows[k] = rows[k - 1]
    rows[0] = 0


@kernel()
def _settle(cells: AnyInts, rows: AnyInts, divisor: int) -> None:
    """Sort the votes of each item that has few of them, in place and stably."""
    for i in range(rows.size - 1):
        first, last = rows[i], rows[i + 1]
        if last - first > _LONG:
            continue
        for v in range(first + 1, last):
            cell, u = cells[v], v
            if divisor == 1:
                while u > first and cells[u - 1] > cell:
                    cells[u] = cells[u - 1]
                    u -= 1
            else:
                who = cell // divisor
                while u > first and cells[u - 1] > cell and cells[u - 1] // divisor > who:
                    cells[u] = cells[u - 1]
                    u -= 1
            cells[u] = cell


@kernel()
def has_repeats(cells: AnyInts, rows: AnyInts, n_classes: int) -> bool:
    """Say whether an annotator has two votes on an item."""
    found = False
    for i in range(rows.size - 1):
        for v in range(rows[i] + 1, rows[i + 1]):
            # Dividing costs more than all else; cells far apart are not of one annotator.
            if abs(cells[v] - cells[v - 1]) < n_classes:
                found |= cells[v] // n_classes == cells[v - 1] // n_classes
    return found
