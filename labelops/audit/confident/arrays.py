"""The loops of `kernels` in numpy, equal bit for bit, for machines without a compiler."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelops.measure.rows import first_largest

__all__ = ["compare", "gather", "survey", "top_margins"]

_TILE = 1 << 20  # Margins held at once.


def gather(
    probs: NDArray[Any],
    codes: NDArray[np.int32],
    own: NDArray[Any],
    high: NDArray[np.int64],
    low: NDArray[np.int64],
    count: NDArray[np.int64],
) -> bool:
    """Take each label's own probability and add it, exactly, to its class's sum."""
    K = len(count)
    known = codes >= 0
    every = bool(known.all())
    labels = codes if every else codes[known]
    at = np.arange(len(codes)) if every else np.flatnonzero(known)
    mine = probs[at, labels]
    own[at] = mine
    fit = (mine >= 0) & (mine <= 1.5)
    if not fit.all():
        return False
    scaled = mine.astype(np.float64) * 2.0**30
    whole = np.floor(scaled)
    rest = np.rint((scaled - whole) * 2.0**30)
    # Whole numbers below 2⁵³, so these sums of floats are exact too: a call has < 2²² rows.
    high += np.bincount(labels, weights=whole, minlength=K).astype(np.int64)
    low += np.bincount(labels, weights=rest, minlength=K).astype(np.int64)
    count += np.bincount(labels, minlength=K)
    return True


def survey(
    probs: NDArray[Any],
    bits: NDArray[Any],
    codes: NDArray[np.int32],
    limits: NDArray[Any],
    lowest: Any,
    most: Any,
    slack: float,
    whole_row: bool,
    other: NDArray[Any],
    rival: NDArray[np.int32],
    guess: NDArray[np.int32],
    doubt: NDArray[np.bool_],
) -> int:
    """Say of each row its best other class and the class it confidently belongs to."""
    labeled = codes >= 0
    mine = np.maximum(codes, 0)
    place = np.arange(len(codes)) * bits.shape[1] + mine
    held = bits.reshape(-1)[place]
    own = np.where(labeled, held, -1)
    others = bits.copy()
    others.reshape(-1)[place] = np.where(labeled, -1, held)
    at, best = first_largest(others)
    top = np.maximum(own, best)
    doubt[:] = (top > most) | ~(np.abs(_row_sums(probs) - 1) <= slack)
    if bits.min() < 0:
        doubt |= bits.min(axis=1) < 0
    other[:] = np.maximum(best, 0)
    rival[:] = np.where(own > best, -1, at)
    chosen = np.where((own > best) | ((own == best) & (mine < at)), mine, at)
    sure = labeled & (top >= limits[chosen])
    guess[:] = np.where(sure, chosen, -1)
    left = np.flatnonzero(labeled & ~sure & (top >= lowest) & ~doubt)
    if left.size:
        guess[left] = _confident(bits[left], limits, chosen[left], whole_row)
    return int(np.count_nonzero(doubt))


def _confident(
    bits: NDArray[Any], limits: NDArray[Any], chosen: NDArray[Any], whole_row: bool
) -> NDArray[Any]:
    """Give the largest class at or above its limit, else -1."""
    reached = bits >= limits
    found = np.full(len(bits), -1, dtype=np.intp)
    some = np.flatnonzero(reached.any(axis=1))  # Few: looking for them costs less than masking all.
    if some.size:
        reached = reached[some]
        found[some], _ = first_largest(np.where(reached, bits[some], -1))
        if whole_row:
            several = np.count_nonzero(reached, axis=1) > 1
            found[some[several]] = chosen[some[several]]
    return found


def _row_sums(probs: NDArray[Any]) -> NDArray[Any]:
    # Several times faster than `sum`, whose care with rounding is of no use here.
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.einsum("ij->i", probs))


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
