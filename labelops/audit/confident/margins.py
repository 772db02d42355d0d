"""For pairs of classes, the rows of largest margin: compiled, and in numpy the same bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelops.measure.jit import kernel

__all__ = ["top_margins", "top_margins_numpy"]

_FEW = 12
"""So many largest numbers are kept in order while all go by; more are found by parts."""

_TILE = 1 << 20  # Margins held at once.


@kernel()
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
    """Find, for the pairs of given classes first … last - 1, the rows of largest margin.

    Class k has the rows `rows[starts[k]:starts[k + 1]]`, ascending, and the pairs
    `pair_starts[k]` … `pair_starts[k + 1] - 1`; pair p wants `quota[p]` rows with the largest
    probability of `true[p]` above that of k, the earlier row at a tie, and has its place in the
    output from `offsets[p]` on. Rows at or below `floor` do not count, and a pair that finds too
    few is `short`.
    """
    largest = 0
    for k in range(first, last):
        largest = max(largest, starts[k + 1] - starts[k])
    margin = np.empty(largest, np.float64)
    kept = np.empty(largest, np.int64)
    work = np.empty(largest, np.float64)
    for k in range(first, last):
        members = rows[starts[k] : starts[k + 1]]
        for p in range(pair_starts[k], pair_starts[k + 1]):
            n, at = quota[p], offsets[p]
            m = _margins_above(probs, members, true[p], k, floor, kept, margin)
            if m < n:
                short[p] = True
                continue
            cut = _nth_largest(margin, m, n, work)
            above = 0
            for r in range(m):
                if margin[r] > cut:
                    above += 1
            ties = n - above
            for r in range(m):
                if margin[r] > cut:
                    out_rows[at] = kept[r]
                    out_margins[at] = margin[r]
                    at += 1
                elif margin[r] == cut and ties > 0:
                    out_rows[at] = kept[r]
                    out_margins[at] = cut
                    at += 1
                    ties -= 1


@kernel()
def _margins_above(
    probs: NDArray[Any],
    rows: NDArray[np.int64],
    true: int,
    given: int,
    floor: float,
    kept: NDArray[np.int64],
    margin: NDArray[np.float64],
) -> int:
    """Fill in which rows' margins are above a floor, and what they are; return how many."""
    m = 0
    for r in range(rows.size):
        i = rows[r]
        gap = np.float64(probs[i, true]) - np.float64(probs[i, given])
        margin[m] = gap
        kept[m] = i
        if gap > floor:
            m += 1
    return m


@kernel()
def _nth_largest(
    values: NDArray[np.float64], size: int, n: int, work: NDArray[np.float64]
) -> float:
    """Find the n-th largest of the first values, with room to work in."""
    if n == size:
        cut: float = values[0]
        for r in range(1, size):
            cut = min(cut, values[r])
        return cut
    if n <= _FEW:
        return _insert(values, size, n, work)
    for r in range(size):
        work[r] = values[r]
    return _select(work, size, n)


@kernel()
def _insert(values: NDArray[np.float64], size: int, n: int, work: NDArray[np.float64]) -> float:
    """Find the n-th largest by keeping the n largest so far in order."""
    held = 0
    for r in range(size):
        v = values[r]
        if held < n or v > work[n - 1]:
            at = min(held, n - 1)
            held = at + 1
            while at > 0 and work[at - 1] < v:
                work[at] = work[at - 1]
                at -= 1
            work[at] = v
    found: float = work[n - 1]
    return found


@kernel()
def _select(work: NDArray[np.float64], size: int, n: int) -> float:
    """Find the n-th largest by parting numbers around one of them, where it is (quickselect)."""
    lo, hi = 0, size - 1
    while lo < hi:
        a, b, c = work[lo], work[(lo + hi) // 2], work[hi]
        pivot = max(min(a, b), min(max(a, b), c))
        left, right = lo, hi
        while left <= right:
            while work[left] > pivot:
                left += 1
            while work[right] < pivot:
                right -= 1
            if left <= right:
                work[left], work[right] = work[right], work[left]
                left += 1
                right -= 1
        if n - 1 <= right:
            hi = right
        elif n - 1 >= left:
            lo = left
        else:
            break
    found: float = work[n - 1]
    return found


def top_margins_numpy(
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
    """Do what `top_margins` does, in numpy."""
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
            margins = _margin_table(probs, members, true[enough], k)
            cut = _nth_largest_of_each(margins, quota[enough])
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


def _margin_table(
    probs: NDArray[Any], rows: NDArray[np.int64], true: NDArray[np.int64], given: int
) -> NDArray[np.float64]:
    """Give (pairs, rows) margins as float64."""
    wide = probs.shape[1] <= 2 * len(true) and len(rows) * probs.shape[1] <= 2 * _TILE
    held = probs[rows][:, true] if wide else probs[rows[:, None], true[None, :]]
    mine = probs[rows, given].astype(np.float64)
    return np.asarray(np.ascontiguousarray(held.T).astype(np.float64) - mine, dtype=np.float64)


def _nth_largest_of_each(table: NDArray[np.float64], n: NDArray[np.int64]) -> NDArray[np.float64]:
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
