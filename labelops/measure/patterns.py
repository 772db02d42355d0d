"""Vote patterns: how many items show each multiset of classes, all that agreement needs to know.

Items whose votes are the same multiset count the same, so a pattern is kept once with how many
items show it: five votes in five classes have 126 patterns, however many items there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from labelops.errors import UsageError
from labelops.measure.codes import IntArray

from .jit import can_compile, in_threads, kernel
from .votes import AnyInts, Votes, compact, named, pack_votes

__all__ = ["AgreementPartial", "agreement_partial", "agreement_partials", "check_alike", "packed"]

_KEYS = 1 << 20
"""Most keys that are counted in a table instead of being sorted."""
_BLOCK = 1 << 17


@dataclass(frozen=True, slots=True)
class AgreementPartial:
    """What agreement needs to know of some items; the same for the same items in any order.

    Attributes
    ----------
    n_classes : int
        K.
    sizes : (P,) int
        Votes of each pattern, at least one; ascending.
    codes : (sum of sizes,) int
        Classes of the patterns, one after the other, ascending within each.
    items : (P,) int
        Items that show the pattern.
    """

    n_classes: int
    sizes: IntArray
    codes: IntArray
    items: IntArray

    def merge(self, other: AgreementPartial) -> AgreementPartial:
        """Add the items of another partial; the items of the two must be different ones.

        Raises
        ------
        UsageError
            The two have different numbers of classes.
        """
        if other.n_classes != self.n_classes:
            raise UsageError(f"cannot merge {self.n_classes} classes with {other.n_classes}")
        return _patterns(
            self.n_classes,
            np.concatenate([self.sizes, other.sizes]),
            np.concatenate([self.codes, other.codes]),
            np.concatenate([self.items, other.items]),
        )

    @property
    def counts(self) -> sparse.csr_matrix:
        """Votes per class of each pattern, (P, K)."""
        rows = np.concatenate([[0], np.cumsum(self.sizes)])
        matrix = sparse.csr_matrix(
            (np.ones(self.codes.size), self.codes, rows),
            shape=(self.sizes.size, self.n_classes),
        )
        matrix.sum_duplicates()
        return matrix

    def pairable(self) -> AgreementPartial:
        """Leave out the items with a single vote."""
        kept = self.sizes > 1
        return AgreementPartial(
            self.n_classes,
            self.sizes[kept],
            self.codes[np.repeat(kept, self.sizes)],
            self.items[kept],
        )

    def against_rest(self, code: int) -> AgreementPartial:
        """Ask of every vote only whether it names this class (1) or another one (0)."""
        binary = (self.codes == code).astype(np.int64)
        named = np.bincount(_owners(self.sizes), weights=binary, minlength=self.sizes.size)
        zeros = self.sizes - named.astype(np.int64)
        ones = _positions(self.sizes) >= np.repeat(zeros, self.sizes)
        return _patterns(2, self.sizes, ones.astype(np.int64), self.items)


def agreement_partial(
    items: ArrayLike, annotators: ArrayLike, codes: ArrayLike, n_classes: int | None = None
) -> AgreementPartial:
    """Reduce the votes of some items to what agreement needs; an item's votes belong together.

    Parameters
    ----------
    items, annotators : (V,) array-like
        Ids of the item and the annotator of each vote, integers or strings.
    codes : (V,) array-like of int
        Class of each vote; -1 (missing) is no vote. When an annotator voted twice on an item the
        later row counts.
    n_classes : int, optional
        K; the largest code plus one when left out. Partials that are merged have to have the same.

    Raises
    ------
    UsageError
        The arrays differ in length or hold a class that does not exist.

    Examples
    --------
    >>> found = agreement_partial([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], [0, 1, 1, 0, 1], 2)
    >>> found.sizes.tolist(), found.codes.tolist(), found.items.tolist()
    ([1, 2], [1, 0, 1], [1, 2])
    """
    return partial_of(packed(items, annotators, codes, n_classes))


def agreement_partials(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_classes: int,
    groups: ArrayLike,
) -> dict[object, AgreementPartial]:
    """Do what `agreement_partial` does for each group of items.

    Parameters
    ----------
    items, annotators, codes, n_classes
        See `agreement_partial`.
    groups : (V,) array-like
        Group of each vote's item, integers or strings.

    Returns
    -------
    dict
        Partial of each group's items, by group, sorted.

    Raises
    ------
    UsageError
        An item is in two groups, or a vote in none, or arrays differ in length.

    Examples
    --------
    >>> found = agreement_partials([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 1], 2, list("aabb"))
    >>> {group: partial.codes.tolist() for group, partial in found.items()}
    {'a': [0, 1], 'b': [1, 1]}
    """
    check_alike(items, annotators, codes)
    item, n_items = compact(items)
    if np.shape(groups) != item.shape:
        raise UsageError(
            f"groups: found shape {np.shape(groups)}, expected one for each of {item.size} votes"
        )
    group, names = named(groups, "a group")
    of_item = np.full(n_items, -1, dtype=np.int64)
    of_item[item] = group
    mixed = np.flatnonzero(of_item[item] != group)
    if mixed.size:
        row = int(mixed[0])
        raise UsageError(f"groups: row {row} puts an item into another group than another vote")
    who, code = compact(annotators)[0], np.asarray(codes)
    order = np.argsort(group, kind="stable")
    split = np.split(order, np.cumsum(np.bincount(group))[:-1])
    return {
        name: agreement_partial(item[rows], who[rows], code[rows], n_classes)
        for name, rows in zip(names, split, strict=False)  # Of no vote one part.
    }


def packed(
    items: ArrayLike, annotators: ArrayLike, codes: ArrayLike, n_classes: int | None
) -> Votes:
    """Pack votes under any ids, the last of an annotator on an item."""
    check_alike(items, annotators, codes)
    item, n_items = compact(items)
    annotator, n_annotators = compact(annotators)
    return pack_votes(
        item,
        annotator,
        codes,
        n_items=n_items,
        n_annotators=n_annotators,
        n_classes=n_classes,
        repeats="last",
    )


def check_alike(items: ArrayLike, annotators: ArrayLike, codes: ArrayLike) -> None:
    """Refuse three arrays of votes that are not of one shape."""
    shapes = [np.shape(array) for array in (items, annotators, codes)]
    if len(set(shapes)) > 1:
        raise UsageError(
            f"votes: {shapes[0]} items, {shapes[1]} annotators and {shapes[2]} codes; "
            "expected arrays of one length"
        )


def partial_of(votes: Votes) -> AgreementPartial:
    """Reduce packed votes, at most one of an annotator on an item, to their patterns."""
    sizes = votes.per_item
    most = _digits(votes.n_classes)
    if can_compile(votes.cells.size) and sizes.max(initial=0) <= most:
        keys = np.empty(votes.n_items, dtype=np.int64)
        in_threads(
            lambda first, last: _key_items(
                votes.rows, votes.cells, votes.n_classes, first, last, keys
            ),
            votes.n_items,
            block=_BLOCK,
        )
        parts = [
            (size, *_count_keys(keys[sizes == size], None, size, votes.n_classes))
            for size in np.flatnonzero(np.bincount(sizes)).tolist()
            if size
        ]
        return _joined(votes.n_classes, parts)
    there = sizes > 0
    return _patterns(
        votes.n_classes, sizes[there], votes.codes.astype(np.int64), there[there].astype(np.int64)
    )


def _digits(n_classes: int) -> int:
    """How many codes fit into one integer of 63 bits."""
    return min(62, int(62 / np.log2(max(n_classes, 2))))


@kernel()
def _key_items(
    rows: AnyInts, cells: AnyInts, n_classes: int, first: int, last: int, keys: IntArray
) -> None:
    """Write each item's ascending codes as the digits of one number."""
    held = np.zeros(64, dtype=np.int64)
    for i in range(first, last):
        size = rows[i + 1] - rows[i]
        for v in range(size):
            code, u = cells[rows[i] + v] % n_classes, v
            while u > 0 and held[u - 1] > code:
                held[u] = held[u - 1]
                u -= 1
            held[u] = code
        key = 0
        for v in range(size):
            key = key * n_classes + held[v]
        keys[i] = key


def _patterns(
    n_classes: int, sizes: IntArray, codes: IntArray, items: IntArray
) -> AgreementPartial:
    """Join equal patterns; codes need not be sorted within one."""
    starts = np.cumsum(sizes) - sizes
    order = np.argsort(sizes, kind="stable")
    bounds = np.flatnonzero(np.diff(sizes[order])) + 1
    parts = []
    for rows in np.split(order, bounds):
        if not rows.size:
            continue
        size = int(sizes[rows[0]])
        table = np.sort(codes[starts[rows][:, None] + np.arange(size)], axis=1)
        if size <= _digits(n_classes):
            keys = np.zeros(rows.size, dtype=np.int64)
            for column in table.T:
                keys = keys * n_classes + column
            parts.append((size, *_count_keys(keys, items[rows], size, n_classes)))
        else:
            unique, where = np.unique(table, axis=0, return_inverse=True)
            parts.append((size, unique, _totals(where.ravel(), items[rows], len(unique))))
    return _joined(n_classes, parts)


def _count_keys(
    keys: IntArray, items: IntArray | None, size: int, n_classes: int
) -> tuple[IntArray, IntArray]:
    """Patterns (P, size) in ascending order and how many items show each."""
    if n_classes**size <= max(_KEYS, keys.size):
        seen = np.bincount(keys, minlength=1) if items is None else _totals(keys, items, 1)
        unique = np.flatnonzero(seen)
        seen = seen[unique]
    elif items is None:
        unique, seen = np.unique(keys, return_counts=True)
    else:
        unique, where = np.unique(keys, return_inverse=True)
        seen = _totals(where, items, unique.size)
    powers = n_classes ** np.arange(size - 1, -1, -1, dtype=np.int64)
    return unique[:, None] // powers % n_classes, seen.astype(np.int64)


def _totals(where: IntArray, items: IntArray, size: int) -> IntArray:
    """Sum of items by place; exact, for a double counts to 2**53."""
    return np.bincount(where, weights=items, minlength=size).astype(np.int64)


def _joined(n_classes: int, parts: list[tuple[int, IntArray, IntArray]]) -> AgreementPartial:
    nothing = np.empty(0, dtype=np.int64)
    return AgreementPartial(
        n_classes,
        np.concatenate([nothing, *(np.full(len(t), size) for size, t, _ in parts)]),
        np.concatenate([nothing, *(table.ravel() for _, table, _ in parts)]),
        np.concatenate([nothing, *(items for *_, items in parts)]),
    )


def _owners(sizes: IntArray) -> IntArray:
    return np.repeat(np.arange(sizes.size), sizes)


def _positions(sizes: IntArray) -> IntArray:
    """Place of each vote within its pattern."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
