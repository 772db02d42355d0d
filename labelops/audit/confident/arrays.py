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
from labelops.measure.rows import NARROW, first_largest, first_largest_down

__all__ = ["add_up", "compare", "gather", "survey", "tied", "top_margins", "tops"]

_TILE = 1 << 20  # Margins held at once.
_CACHED = 1 << 18  # Numbers that a core's cache holds beside what is made of them.


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
    known = codes >= 0
    every = bool(known.all())
    labels, mine = (codes, own) if every else (codes[known], own[known])
    fit = (mine >= 0) & (mine <= 1.5)
    if not fit.all():
        return False
    scaled = mine.astype(np.float64)
    scaled *= 2.0**30
    whole = np.floor(scaled)
    scaled -= whole
    scaled *= 2.0**30
    # Whole numbers below 2⁵³, so these sums of floats are exact too: a call has < 2²² rows.
    high += np.bincount(labels, weights=whole, minlength=K).astype(np.int64)
    low += np.bincount(labels, weights=np.rint(scaled, out=scaled), minlength=K).astype(np.int64)
    count += np.bincount(labels, minlength=K)
    return True


def tops(
    probs: NDArray[Any], codes: NDArray[np.int32], most: Any, slack: float
) -> tuple[NDArray[np.int32], NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
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

    Returns
    -------
    at, best, own : (n,) arrays
        The first largest class, its probability, and the label's, 0 where there is none.
    doubt : (n,) bool
        Rows to be looked at again.
    """
    n, K = probs.shape
    plain = probs.view(np.uint32 if probs.dtype.itemsize == 4 else np.uint64)
    at, top = np.empty(n, np.intp), np.empty(n, plain.dtype)
    own, total = np.empty(n, probs.dtype), np.empty(n, probs.dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        for some in _tiles(n, K):
            _top(probs[some], plain[some], codes[some], at[some], top[some], own[some], total[some])
        # A sign makes the largest of all unsigned integers, so this finds one anywhere in a row.
        doubt = (top > plain.dtype.type(most)) | ~(np.abs(total - 1) <= slack)
    if len(codes) and codes.min() < 0:
        own[codes < 0] = 0
    return at.astype(np.int32), top.view(probs.dtype), own, doubt


def _top(
    probs: NDArray[Any],
    plain: NDArray[Any],
    codes: NDArray[np.int32],
    at: NDArray[np.intp],
    top: NDArray[Any],
    own: NDArray[Any],
    total: NDArray[Any],
) -> None:
    n, K = plain.shape
    if K < NARROW:
        columns = np.ascontiguousarray(plain.T)
        at[:], top[:] = first_largest_down(columns)
        np.add.reduce(columns.view(probs.dtype), axis=0, out=total)
    else:
        _lent(plain).argmax(axis=1, out=at)
        # Several times faster than `sum`, whose care with rounding is of no use here.
        np.einsum("ij->i", probs, out=total)
    begin = np.arange(0, n * K, K)
    if K >= NARROW:
        np.take(plain.reshape(-1), begin + at, out=top, mode="clip")
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
    compiled loop has its best other class for nothing, here it costs another pass.
    """
    bits = best.view(limits.dtype)
    other[:] = best
    rival[:] = at
    ahead = np.flatnonzero(at == codes)
    rival[ahead] = -1
    if runners_up and ahead.size:
        other[ahead], rival[ahead] = _behind(table, ahead, codes, limits.dtype)
    labeled = codes >= 0
    sure = bits >= limits[at]
    sure &= labeled
    guess[:] = -1
    np.copyto(guess, at, where=sure)
    left = np.flatnonzero(labeled & ~sure & (bits >= limits.min()))
    if left.size:
        guess[left] = _confident(table, left, limits, at, whole_row)


def _tiles(rows: int, classes: int) -> Iterator[slice]:
    """Cut rows into pieces that stay in a core's cache while they are read several times."""
    step = max(1, _CACHED // classes)
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
    room = np.empty((min(n, max(1, _CACHED // K)), K), integer)
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
    size = min(n, max(1, _CACHED // K))
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
    np.greater(other.astype(np.float64) - own, edge, out=differs)
    differs &= codes >= 0
    np.not_equal(guess, codes, out=away)
    away &= guess >= 0


def top_margins(
    probs: NDArray[Any],
    rows: NDArray[np.int64],
    starts: NDArray[np.int64],
    pair_starts: NDArray[np.int64],
    true: NDArray[np.int64],
    quota: NDArray[np.int64],
    offsets: NDArray[np.int64],
    floor: float,
    first: int,
    last: int,
    out_rows: NDArray[np.int64],
    out_margins: NDArray[np.float64],
    short: NDArray[np.bool_],
) -> None:
    """Find, for the pairs of given classes first … last - 1, the rows of largest margin."""
    for k in range(first, last):
        members = rows[starts[k] : starts[k + 1]]
        begin, end = int(pair_starts[k]), int(pair_starts[k + 1])
        step = max(1, _TILE // max(1, len(members)))
        for p in range(begin, end, step):
            pairs = np.arange(p, min(p + step, end))
            enough = pairs[quota[pairs] <= len(members)]
            short[pairs] = quota[pairs] > len(members)
            if not enough.size:
                continue
            margins = _margins(probs, members, true[enough], k)
            cut = _nth_largest(margins, quota[enough])
            short[enough] = cut <= floor
            chosen = (margins >= cut[:, None]) & (cut > floor)[:, None]
            excess = np.count_nonzero(chosen, axis=1) > quota[enough]
            for a in np.flatnonzero(excess):
                chosen[a] = _earliest(margins[a], cut[a], int(quota[enough[a]]))
            pair, place = np.nonzero(chosen)
            before = np.searchsorted(pair, pair)  # Where each pair's run begins.
            at = offsets[enough][pair] + np.arange(len(pair)) - before
            out_rows[at] = members[place]
            out_margins[at] = margins[pair, place]


def _margins(
    probs: NDArray[Any], rows: NDArray[np.int64], true: NDArray[np.int64], given: int
) -> NDArray[np.float64]:
    """Give (pairs, rows) margins as float64."""
    wide = probs.shape[1] <= 2 * len(true) and len(rows) * probs.shape[1] <= 2 * _TILE
    held = probs[rows][:, true] if wide else probs[rows[:, None], true[None, :]]
    mine = probs[rows, given].astype(np.float64)
    return np.asarray(np.ascontiguousarray(held.T).astype(np.float64) - mine, dtype=np.float64)


def _nth_largest(table: NDArray[np.float64], n: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give of each row of the table its n-th largest number."""
    width = table.shape[1]
    if width <= 4096:
        return np.asarray(np.sort(table, axis=1)[np.arange(len(table)), width - n])
    return np.array([np.partition(t, width - c)[width - c] for t, c in zip(table, n, strict=True)])


def _earliest(margin: NDArray[np.float64], cut: float, n: int) -> NDArray[np.bool_]:
    """Mark the n rows of largest margin, the earlier ones of those that tie at the cut."""
    chosen = np.asarray(margin > cut)
    chosen[np.flatnonzero(margin == cut)[: n - np.count_nonzero(chosen)]] = True
    return chosen
