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

__all__ = ["compare", "count_cells", "gather", "survey", "survey_narrow", "top_margins"]

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
        at = -1
        if best >= own:
            start = 0
            while at < 0:
                end = min(start + 64, K)
                hit = zero
                for k in range(start, end):
                    hit = min(hit, none if bits[i, k] == best else zero)
                if hit < 0:
                    for k in range(start, end):
                        if bits[i, k] == best and k != y:
                            at = k
                            break
                start = end
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
            sure = none
            for k in range(K):
                v = bits[i, k]
                v = v if v >= limits[k] else none
                sure = max(sure, v)
            if sure >= 0:
                found = 0
                first = -1
                for k in range(K):
                    if bits[i, k] >= limits[k]:
                        found += 1
                        if first < 0 and bits[i, k] == sure:
                            first = k
                            if not whole_row:
                                break
                guess[i] = chosen if whole_row and found > 1 else first
    return doubts


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
            j = true[p]
            n = quota[p]
            m = 0
            for r in range(members.size):
                i = members[r]
                gap = np.float64(probs[i, j]) - np.float64(probs[i, k])
                margin[m] = gap
                kept[m] = i
                if gap > floor:
                    m += 1
            if m < n:
                short[p] = True
                continue
            cut = margin[0]
            if n == m:
                for r in range(1, m):
                    cut = min(cut, margin[r])
            elif n <= 12:
                size = 0
                for r in range(m):
                    v = margin[r]
                    if size < n or v > work[n - 1]:
                        at = size if size < n else n - 1
                        size = size + 1 if size < n else n
                        while at > 0 and work[at - 1] < v:
                            work[at] = work[at - 1]
                            at -= 1
                        work[at] = v
                cut = work[n - 1]
            else:
                for r in range(m):
                    work[r] = margin[r]
                lo = 0
                hi = m - 1
                while lo < hi:
                    a = work[lo]
                    b = work[(lo + hi) // 2]
                    c = work[hi]
                    pivot = max(min(a, b), min(max(a, b), c))
                    left = lo
                    right = hi
                    while left <= right:
                        while work[left] > pivot:
                            left += 1
                        while work[right] < pivot:
                            right -= 1
                        if left <= right:
                            swap = work[left]
                            work[left] = work[right]
                            work[right] = swap
                            left += 1
                            right -= 1
                    if n - 1 <= right:
                        hi = right
                    elif n - 1 >= left:
                        lo = left
                    else:
                        break
                cut = work[n - 1]
            above = 0
            for r in range(m):
                if margin[r] > cut:
                    above += 1
            ties = n - above
            at = offsets[p]
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
