"""What the loops of `kernels` find, bit for bit, in numpy: for machines without a compiler.

A compiled loop asks all of a row in one go, a numpy function one thing of all rows. So whatever
needs no threshold is asked in a first pass, tile by tile while a core's cache holds it; once the
thresholds are known, few rows are read again.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelops.audit.confident.blocks import working
from labelops.measure.room import rooms
from labelops.measure.rows import NARROW, first_largest, first_largest_down

__all__ = ["add_up", "compare", "gather", "survey", "tied", "tile_rows", "tops"]

_CACHED = 1 << 17  # Numbers that a core's cache holds beside what is made of them.


def gather(
    probs: NDArray[Any],
    codes: NDArray[np.int32],
    own: NDArray[Any],
    high: NDArray[np.int64],
    low: NDArray[np.int64],
    count: NDArray[np.int64],
) -> bool:
    """Take each label's own probability and add it, exactly, to its class's sum."""
    known = np.flatnonzero(codes >= 0)
    own[known] = probs[known, codes[known]]
    return add_up(own, codes, high, low, count)


def add_up(
    own: NDArray[Any],
    codes: NDArray[np.int32],
    high: NDArray[np.int64],
    low: NDArray[np.int64],
    count: NDArray[np.int64],
) -> bool:
    """Add each label's own probability, exactly, to its class's sum; say if all may be ones."""
    K = len(count)
    labels = codes.astype(np.intp)
    if len(codes) and codes.min() < 0:
        known = codes >= 0
        labels, own = labels[known], own[known]
    if not len(labels):
        return True
    if not (own.min() >= 0 and own.max() <= 1.5):  # NaN is neither.
        return False
    count += np.bincount(labels, minlength=K)
    scaled = own.astype(np.float64)
    scaled *= 2.0**30
    if own.dtype.itemsize == 4:
        # The others, of 24 binary digits, are whole numbers now.
        some = np.flatnonzero(own < 2.0**-7)
        part, whole = scaled[some], scaled
        whole[some] = np.floor(part)
        part -= whole[some]
        few = labels[some]
    else:
        whole, few = np.floor(scaled), labels
        part = np.subtract(scaled, whole, out=scaled)
    part *= 2.0**30
    # Whole numbers below 2⁵³, so these sums of floats are exact too: a call has < 2²² rows.
    high += np.bincount(labels, weights=whole, minlength=K).astype(np.int64)
    low += np.bincount(few, weights=np.rint(part, out=part), minlength=K).astype(np.int64)
    return True


def tops(
    probs: NDArray[Any],
    codes: NDArray[np.int32],
    most: Any,
    slack: float,
    at: NDArray[np.int32],
    best: NDArray[Any],
    own: NDArray[Any],
) -> NDArray[np.intp]:
    """Take of each row all that needs no threshold, while it is in the cache.

    Parameters
    ----------
    probs : (n, K) array
        As `working` makes it.
    codes : (n,) int
    most : int
        The bits of 1.5.
    slack : float
        How far from 1 a sum may be.
    at, best, own : (n,) arrays
        Filled: the first largest class, its probability, and the label's, 0 where there is none.

    Returns
    -------
    (D,) int
        Rows to be looked at again, ascending.
    """
    n, K = probs.shape
    plain = probs.view(np.uint32 if probs.dtype.itemsize == 4 else np.uint64)
    top, total = best.view(plain.dtype), np.empty(n, probs.dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        if K < NARROW:
            _top_narrow(probs, plain, codes, at, top, own, total)
        else:
            _top_wide(probs, plain, codes, at, top, own, total)
        total -= 1
        np.abs(total, out=total)
        doubt: NDArray[np.intp] = np.zeros(0, np.intp)
        # A sign makes the largest of all unsigned integers, so this finds one anywhere in a row.
        if n and not (top.max() <= most and total.max() <= slack):
            doubt = np.flatnonzero((top > plain.dtype.type(most)) | ~(total <= slack))
    if n and codes.min() < 0:
        own[codes < 0] = 0
    return doubt


def _top_narrow(
    probs: NDArray[Any],
    plain: NDArray[Any],
    codes: NDArray[np.int32],
    at: NDArray[np.int32],
    top: NDArray[Any],
    own: NDArray[Any],
    total: NDArray[Any],
) -> None:
    """Turn a tile at a time round, while it is in the cache: a column is long, a row is not."""
    K, step = plain.shape[1], min(len(plain), tile_rows(plain.shape[1]))
    room, marks = rooms(step * K, plain.dtype, np.int8)
    begin = np.arange(0, step * K, K)
    for some in _tiles(*plain.shape):
        n = some.stop - some.start
        columns = room[: n * K].reshape(K, n)
        np.take(probs[some].reshape(-1), begin[:n] + codes[some], out=own[some], mode="clip")
        columns[:] = plain[some].T
        at[some], top[some] = first_largest_down(columns, marks[: n * K].reshape(K, n))
        np.add.reduce(columns.view(probs.dtype), axis=0, out=total[some])


def _top_wide(
    probs: NDArray[Any],
    plain: NDArray[Any],
    codes: NDArray[np.int32],
    at: NDArray[np.int32],
    top: NDArray[Any],
    own: NDArray[Any],
    total: NDArray[Any],
) -> None:
    """Take all rows at once: the fewer and longer the calls, the less do threads wait."""
    found = _lent(plain).argmax(axis=1)
    at[:] = found
    # Several times faster than `sum`, whose care with rounding is of no use here.
    np.einsum("ij->i", probs, out=total)
    begin = np.arange(0, plain.size, plain.shape[1])
    found += begin
    np.take(plain.reshape(-1), found, out=top, mode="clip")
    begin += codes
    np.take(probs.reshape(-1), begin, out=own, mode="clip")


def _lent(table: NDArray[Any]) -> NDArray[Any]:
    """Give the same memory as if it could be written, which nobody may do.

    `argmax` copies all of a table that is read-only, as a memory map is.
    """
    at = table.__array_interface__
    return np.asarray(
        SimpleNamespace(__array_interface__={**at, "data": (at["data"][0], False)}, held=table)
    )


def survey(
    table: NDArray[Any],
    codes: NDArray[np.int32],
    at: NDArray[np.int32],
    best: NDArray[Any],
    limits: NDArray[Any],
    whole_row: bool,
    runners_up: bool,
    other: NDArray[Any],
    rival: NDArray[np.int32],
    guess: NDArray[np.int32],
) -> None:
    """Say of each row its best other class and the class it confidently belongs to.

    Without `runners_up`, of a row whose label is ahead it is said that no other class is: the
    compiled loop has its best other class for nothing, here it costs another pass. `other` may be
    `best` itself then.
    """
    bits = best.view(limits.dtype)
    ahead = at == codes
    # Minus one has all bits set. A masked copy goes number by number, this goes many at once.
    np.bitwise_or(at, -ahead.view(np.int8), out=rival)
    if runners_up:
        other[:] = best
        rows = np.flatnonzero(ahead)
        other[rows], rival[rows] = _behind(table, rows, codes, limits.dtype)
    sure = bits >= limits.take(at, mode="clip")
    missing = codes < 0 if len(codes) and codes.min() < 0 else None
    if missing is not None:
        sure &= ~missing
    np.bitwise_or(at, sure.view(np.int8) - np.int8(1), out=guess)
    unsure = np.greater(bits >= limits.min(), sure)
    if missing is not None:
        unsure &= ~missing
    left = np.flatnonzero(unsure)
    if left.size:
        guess[left] = _confident(table, left, limits, at, whole_row)


def tile_rows(classes: int) -> int:
    """Say how many rows a core's cache holds.

    Examples
    --------
    >>> tile_rows(64) == 2 * tile_rows(128)
    True
    """
    return max(1, _CACHED // classes)


def _tiles(rows: int, classes: int) -> Iterator[slice]:
    """Cut rows into pieces that stay in a core's cache while they are read several times."""
    step = tile_rows(classes)
    return (slice(first, min(first + step, rows)) for first in range(0, rows, step))


def _held(table: NDArray[Any], rows: NDArray[np.intp], room: NDArray[Any]) -> NDArray[Any]:
    """Give some rows' bits, as signed integers, in `room`; of a valid row -0.0 becomes 0.0."""
    part = room[: len(rows)]
    floats = np.dtype(f"f{room.dtype.itemsize}")
    if table.flags.c_contiguous and table.dtype == floats:
        np.take(table.view(room.dtype), rows, axis=0, out=part, mode="clip")
    else:
        part.view(floats)[:] = table[rows]
    return np.asarray(np.bitwise_and(part, np.iinfo(room.dtype).max, out=part))


def _behind(
    table: NDArray[Any],
    rows: NDArray[np.intp],
    codes: NDArray[np.int32],
    integer: np.dtype[Any],
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Give the best class other than the label, which is a first largest one, and if it ties."""
    n, K = len(rows), table.shape[1]
    best, tied = np.empty(n, integer), np.empty(n, np.int32)
    room = np.empty((min(n, tile_rows(K)), K), integer)
    for some in _tiles(n, K):
        picked = rows[some]
        held = _held(table, picked, room)
        place = np.arange(len(picked)), codes[picked]
        own = held[place]
        held[place] = -1
        at, found = first_largest(held)
        tied[some] = np.where(own > found, -1, at)
        best[some] = np.maximum(found, 0)
    return best.view(f"f{integer.itemsize}"), tied


def _confident(
    table: NDArray[Any],
    rows: NDArray[np.intp],
    limits: NDArray[Any],
    chosen: NDArray[np.int32],
    whole_row: bool,
) -> NDArray[np.int32]:
    """Give some rows' largest class at or above its limit, else -1."""
    n, K = len(rows), table.shape[1]
    found = np.full(n, -1, dtype=np.int32)
    size = min(n, tile_rows(K))
    room, reaches = np.empty((size, K), limits.dtype), np.empty((size, K), np.bool_)
    for some in _tiles(n, K):
        picked = rows[some]
        held = _held(table, picked, room)
        reached = np.greater_equal(held, limits, out=reaches[: len(picked)])
        few = np.flatnonzero(reached.any(axis=1))  # Looking for them costs less than masking all.
        if few.size:
            reached = reached[few]
            found[some.start + few] = first_largest(np.where(reached, held[few], -1))[0]
            if whole_row:
                several = few[np.count_nonzero(reached, axis=1) > 1]
                found[some.start + several] = chosen[picked[several]]
    return found


def tied(probs: NDArray[Any], codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give, of rows whose label is a first largest class, another one that is as large, or -1.

    Examples
    --------
    >>> tied(np.array([[0.5, 0.5], [0.75, 0.25]]), np.zeros(2, dtype=np.int32)).tolist()
    [1, -1]
    """
    table = working(probs)
    integer = np.dtype(f"i{table.dtype.itemsize}")
    return _behind(table, np.arange(len(codes)), codes, integer)[1]


def compare(
    codes: NDArray[np.int32],
    own: NDArray[Any],
    other: NDArray[Any],
    guess: NDArray[np.int32],
    edge: float,
    differs: NDArray[np.bool_],
    away: NDArray[np.bool_],
) -> None:
    """Say of each row whether another class leads by more than the edge, or is confidently it."""
    # Two floats at most twice each other have an exact difference, and so has any near the edge.
    near = len(other) and other.min() >= 4 * edge
    lead = other - own if near else other.astype(np.float64) - own
    np.greater(lead, np.float64(edge), out=differs)
    if len(codes) and codes.min() < 0:
        differs &= codes >= 0
    np.not_equal(guess, codes, out=away)
    away &= guess >= 0
