"""The confident joint, calibrated to the labels, and how many labels to take out where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelops.audit.confident.kernels import count_cells
from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.jit import can_compile, in_threads, in_turn

__all__ = ["Cells", "Quotas", "add_cells", "calibrated", "confident_cells", "dense", "quotas"]


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a (K, K) table that are not zero.

    Attributes
    ----------
    at : (C,) int
        ``given × K + true``, ascending.
    count : (C,) int
    """

    at: IntArray
    count: IntArray


@dataclass(frozen=True, slots=True)
class Quotas:
    """How many labels to take out.

    Attributes
    ----------
    given, true, count : (P,) int
        For each pair of classes, ordered by them; only counts above zero.
    by_class : (K,) int
        For each given class.
    """

    given: IntArray
    true: IntArray
    count: IntArray
    by_class: IntArray


def confident_cells(codes: NDArray[np.int32], guess: NDArray[np.int32], classes: int) -> Cells:
    """Count how many items of each given class are confidently of each class; -1 is neither.

    Examples
    --------
    >>> codes, guess = (np.array(x, dtype=np.int32) for x in ([1, 0, 1, 0], [1, 0, 1, -1]))
    >>> confident_cells(codes, guess, 2)
    Cells(at=array([0, 3]), count=array([1, 2]))
    """
    size = classes * classes
    if size > 8 * len(codes) + 1024:
        at = _cells(codes, guess, classes)
        found, count = np.unique(at[at < size], return_counts=True)
        return Cells(found.astype(np.int64), count.astype(np.int64))

    compiled = can_compile(len(codes))

    def counted(first: int, last: int) -> IntArray:
        some = codes[first:last], guess[first:last]
        if compiled:
            table = np.zeros((classes, classes), dtype=np.int64)
            count_cells(*some, table)
            return table.ravel()
        wide = classes + 1
        at = some[0].astype(np.int64)
        at *= wide
        at += some[1]
        at += wide + 1  # What is neither has a row and a column, 0.
        table = np.bincount(at, minlength=wide * wide).reshape(wide, wide)
        return table[1:, 1:].ravel()

    run, least = (in_threads, 1 << 17) if compiled else (in_turn, 1 << 15)
    parts = run(counted, len(codes), block=max(least, size))
    table = sum(parts, start=np.zeros(size, dtype=np.int64))
    found = np.flatnonzero(table)
    return Cells(found.astype(np.int64), table[found].astype(np.int64))


def _cells(codes: NDArray[np.int32], guess: NDArray[np.int32], classes: int) -> IntArray:
    """Give each row its cell, and those that count nowhere one more."""
    at = codes.astype(np.int64)
    at *= classes
    at += guess
    np.copyto(at, classes * classes, where=(guess | codes) < 0)  # A sign in either is one in both.
    return at


def add_cells(parts: list[Cells]) -> Cells:
    """Add tables up.

    Examples
    --------
    >>> add_cells([Cells(np.array([0]), np.array([1])), Cells(np.array([0]), np.array([2]))])
    Cells(at=array([0]), count=array([3]))
    """
    if len(parts) == 1:
        return parts[0]
    at = np.concatenate([part.at for part in parts])
    count = np.concatenate([part.count for part in parts])
    found, back = np.unique(at, return_inverse=True)
    total = np.zeros(len(found), dtype=np.int64)
    np.add.at(total, back, count)
    return Cells(found, total)


def dense(cells: Cells, classes: int) -> IntArray:
    """Lay cells out as a (K, K) table; rows are given classes, columns true ones.

    Examples
    --------
    >>> dense(Cells(np.array([1]), np.array([5])), 2).tolist()
    [[0, 5], [0, 0]]
    """
    table = np.zeros(classes * classes, dtype=np.int64)
    table[cells.at] = cells.count
    return table.reshape(classes, classes)


def calibrated(cells: Cells, labels: IntArray) -> Cells:
    """Scale each given class's row of the confident joint to the number of its labels.

    The row's total is kept exactly: whole parts first, then one more for the cells with the
    largest remainders, the earlier class at a tie. All in integers, so that no two machines
    round differently. A class that is never confidently itself counts once for itself.

    Parameters
    ----------
    cells : Cells
        Confident counts.
    labels : (K,) int
        How many items are labeled with each class.

    Returns
    -------
    Cells, whose rows sum to `labels`; every diagonal cell is among them.

    References
    ----------
    Northcutt, Jiang, Chuang 2021, https://doi.org/10.1613/jair.1.12125 (equation 3)

    Examples
    --------
    >>> made = calibrated(Cells(np.array([0, 1, 3]), np.array([2, 1, 4])), np.array([10, 4]))
    >>> dense(made, 2).tolist()
    [[7, 3], [0, 4]]
    """
    full = _with_diagonal(cells, len(labels))
    K = len(labels)
    given = full.at // K
    starts = np.searchsorted(full.at, np.arange(K) * K)
    total = np.add.reduceat(full.count, starts)
    scaled = full.count * labels[given]
    whole, rest = np.divmod(scaled, total[given])
    missing = labels - np.add.reduceat(whole, starts)
    order = np.argsort((given << 32) - rest, kind="stable")
    rank = np.arange(len(order)) - starts[given]  # Sorting keeps each class's cells together.
    whole[order[rank < missing[given]]] += 1
    return Cells(full.at, whole)


def _with_diagonal(cells: Cells, classes: int) -> Cells:
    diagonal = np.arange(classes) * (classes + 1)
    place = np.searchsorted(cells.at, diagonal)
    absent = np.searchsorted(cells.at, diagonal, side="right") == place
    place, diagonal = place[absent], diagonal[absent]
    return Cells(np.insert(cells.at, place, diagonal), np.insert(cells.count, place, 1))


def quotas(
    joint: Cells,
    labels: IntArray,
    *,
    frac_noise: float = 1.0,
    min_examples_per_class: int = 1,
    num_to_remove: IntArray | None = None,
) -> Quotas:
    """Say how many labels to take out of each given class in favour of each other one.

    Parameters
    ----------
    joint : Cells
        The calibrated joint.
    labels : (K,) int
    frac_noise : float
        Share of the estimated errors to take out, rounded down pair by pair.
    min_examples_per_class : int
        A class keeps so many; one that has no more is left alone.
    num_to_remove : (K,) int, optional
        How many labels to take out of each given class instead; spread over the other classes
        as the estimate is, by largest remainder.

    Examples
    --------
    >>> found = quotas(Cells(np.array([0, 1, 3]), np.array([7, 3, 4])), np.array([10, 4]))
    >>> found.given.tolist(), found.true.tolist(), found.count.tolist()
    ([0], [1], [3])
    """
    K = len(labels)
    given, true = np.divmod(joint.at, K)
    own = given == true
    kept = np.zeros(K, dtype=np.int64)
    kept[given[own]] = joint.count[own]
    off = ~own & (joint.count > 0) & (labels > min_examples_per_class)[given]
    given, true = given[off], true[off]
    raised = np.maximum(min_examples_per_class - kept, 0)
    others = np.maximum(np.bincount(given, minlength=K), 1)
    left = np.maximum(joint.count[off] - (raised / others)[given], 0.0)
    # A little more than the product: 0.29 × 100 is 28.999…6 in floating point.
    count = np.floor(left * frac_noise + 1e-9).astype(np.int64)
    by_class = np.bincount(given, weights=count, minlength=K).astype(np.int64)
    if num_to_remove is not None:
        by_class = np.where(labels > min_examples_per_class, num_to_remove, 0)
        count = _spread(count.astype(np.float64), given, by_class)
    some = count > 0
    return Quotas(given[some], true[some], count[some], np.minimum(by_class, labels))


def _spread(weights: FloatArray, given: IntArray, wanted: IntArray) -> IntArray:
    """Share out each class's wanted number over its pairs by largest remainder."""
    K = len(wanted)
    total = np.bincount(given, weights=weights, minlength=K)
    exact = weights * wanted[given] / np.where(total > 0, total, 1)[given]
    whole = np.asarray(np.floor(exact), dtype=np.int64)
    missing = wanted - np.bincount(given, weights=whole, minlength=K)
    order = np.lexsort((np.arange(len(given)), whole - exact, given))
    rank = np.arange(len(order)) - np.searchsorted(given, given)
    more = order[(rank < missing[given]) & (weights[order] > 0)]
    whole[more] += 1
    return whole
