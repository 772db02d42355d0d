"""Compiled loops of confident learning; `arrays` has each one's numpy twin, equal bit for bit.

Probabilities are not negative, and such floats are ordered as their bit patterns are ordered as
integers. The loops compare those integers, because a largest integer is found with vector
instructions and a largest float, which might be NaN, is not. A row that holds a sign, a NaN or
a number above 1.5 is put in doubt, and so is one whose sum is off by half of what is allowed:
doubtful rows are looked at again, one by one, with full precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelops.measure.jit import kernel

__all__ = ["compare", "count_cells", "gather", "survey", "survey_narrow"]

_REORDERED = frozenset({"reassoc", "nsz"})  # Sums in any order; NaN stays NaN.


@kernel()
def gather(
    probs: NDArray[Any],
    codes: NDArray[np.int32],
    own: NDArray[Any],
    high: NDArray[np.int64],
    low: NDArray[np.int64],
    count: NDArray[np.int64],
) -> bool:
    """Take each label's own probability and add it, exactly, to its class's sum.

    The sums are integers: multiples of 2⁻³⁰ in `high`, of 2⁻⁶⁰ in `low`. Returns whether every
    one was at least 0 and at most 1.5.
    """
    fit = True
    for i in range(codes.size):
        y = codes[i]
        if y >= 0:
            p = probs[i, y]
            own[i] = p
            if 0.0 <= p <= 1.5:
                scaled = np.float64(p) * 1073741824.0
                whole = np.floor(scaled)
                high[y] += np.int64(whole)
                low[y] += np.int64(np.rint((scaled - whole) * 1073741824.0))
                count[y] += 1
            else:
                fit = False
    return fit


@kernel(fastmath=_REORDERED)
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
    """Say of each row its best other class and the class it confidently belongs to.

    `limits` are the classes' limits as integers, `lowest` the least of them, `most` what 1.5 is.
    `whole_row` is the rule that two confident classes leave the choice to all classes. Returns
    how many rows are in doubt.
    """
    # Of the bits' own type throughout: "|" would widen to 64 bits, at half the speed.
    # A view of a row would be counted in and out, by atomic additions that cost more than the row.
    zero, none = bits.dtype.type(0), bits.dtype.type(-1)
    doubts = 0
    K = bits.shape[1]
    for i in range(codes.size):
        y = codes[i]
        least = zero
        best = none
        total = probs[i, 0] - probs[i, 0]
        for k in range(K):
            v = bits[i, k]
            least = min(least, v)
            best = max(best, v if np.int32(k) != y else none)
            total += probs[i, k]
        own = none
        if y >= 0:
            own = bits[i, y]
        top = max(own, best)
        if least < 0 or top > most or not abs(total - 1.0) <= slack:
            doubt[i] = True
            doubts += 1
            continue
        other[i] = max(best, zero)
        at = _first_but(bits, i, best, y) if best >= own else -1
        rival[i] = at
        guess[i] = -1
        if y < 0:
            continue
        chosen = at
        if own > best or (own == best and y < at):
            chosen = y
        if top >= limits[chosen]:
            guess[i] = chosen
        elif top >= lowest:
            guess[i] = _confident(bits, i, limits, whole_row, chosen)
    return doubts


@kernel()
def _first_but(bits: NDArray[Any], i: int, value: Any, skipped: int) -> int:
    """Find the first class of a row that has a value, but one; the value is there."""
    zero, none = bits.dtype.type(0), bits.dtype.type(-1)
    start, K = 0, bits.shape[1]
    while True:
        end = min(start + 64, K)
        hit = zero
        for k in range(start, end):
            hit = min(hit, none if bits[i, k] == value else zero)
        if hit < 0:
            for k in range(start, end):
                if bits[i, k] == value and k != skipped:
                    return k
        start = end


@kernel()
def _confident(
    bits: NDArray[Any], i: int, limits: NDArray[Any], whole_row: bool, chosen: int
) -> int:
    """Find the first largest class of a row among those at their limits, -1 where none is.

    Under the rule `whole_row` it is the one `chosen` of all classes where several are.
    """
    none = bits.dtype.type(-1)
    sure = none
    K = bits.shape[1]
    for k in range(K):
        v = bits[i, k]
        sure = max(sure, v if v >= limits[k] else none)
    if sure < 0:
        return -1
    found, first = 0, -1
    for k in range(K):
        if bits[i, k] >= limits[k]:
            found += 1
            if first < 0 and bits[i, k] == sure:
                first = k
                if not whole_row:
                    break
    return chosen if whole_row and found > 1 else first


@kernel()
def survey_narrow(
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
    """Do what `survey` does, in one loop over the classes: faster where they are few."""
    zero, none = bits.dtype.type(0), bits.dtype.type(-1)
    doubts = 0
    K = bits.shape[1]
    for i in range(codes.size):
        y = codes[i]
        least = zero
        own = best = sure = none
        at = first = -1
        found = 0
        total = 0.0
        for k in range(K):
            v = bits[i, k]
            least = min(least, v)
            total += probs[i, k]
            if k == y:
                own = v
            elif v > best:
                best = v
                at = k
            if v >= limits[k]:
                found += 1
                if v > sure:
                    sure = v
                    first = k
        top = max(own, best)
        if least < 0 or top > most or not abs(total - 1.0) <= slack:
            doubt[i] = True
            doubts += 1
            continue
        other[i] = max(best, zero)
        chosen = at
        if own > best or (own == best and y < at):
            chosen = y
        rival[i] = at if best >= own else -1
        guess[i] = -1
        if y >= 0 and found > 0:
            all_rows = top >= limits[chosen] or (whole_row and found > 1)
            guess[i] = chosen if all_rows else first
    return doubts


@kernel()
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
    for i in range(codes.size):
        lead = np.float64(other[i]) - np.float64(own[i])
        differs[i] = codes[i] >= 0 and lead > edge
        away[i] = guess[i] >= 0 and guess[i] != codes[i]


@kernel()
def count_cells(
    codes: NDArray[np.int32], guess: NDArray[np.int32], table: NDArray[np.int64]
) -> None:
    """Count the rows of each label and confident class, where there are both."""
    for i in range(codes.size):
        if codes[i] >= 0 and guess[i] >= 0:
            table[codes[i], guess[i]] += 1
