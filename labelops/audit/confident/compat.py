"""cleanlab 2.9's arithmetic, step by step, down to what its sorts do with ties.

Its thresholds are means in the input's own dtype, its joint is rounded along an unstable sort,
and so are the labels it prunes. numpy's unstable sorts order ties, and rows of equal remainder,
as the processor's vector instructions see fit; so the same steps give the same answer on the
same machine, and are compared with cleanlab there. Only which labels are *counted* is read with
our loops, and no sort is run where its outcome cannot depend on ties.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

from labelops.audit.confident.blocks import int_codes
from labelops.audit.confident.messages import LabelIssues
from labelops.audit.confident.options import Options
from labelops.audit.confident.order import by_class
from labelops.audit.confident.reading import Facts, gathered, surveyed
from labelops.audit.confident.sums import checked_thresholds
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.jit import in_threads

__all__ = ["cleanlab_issues"]

_CLOSE = 1e-6
_TINY = 1e-100
_ABSENT = 2  # Its threshold for a class nobody has.


@dataclass(frozen=True, slots=True)
class _Rows:
    """The labeled rows: their numbers, labels, and what was read of them in the table's dtype."""

    table: NDArray[Any]
    number: IntArray
    codes: NDArray[np.int32]
    own: NDArray[Any]
    other: NDArray[Any]
    rival: NDArray[np.int32]
    guess: NDArray[np.int32]

    def classes(self) -> Iterator[tuple[int, IntArray]]:
        """Give each class and the places of its rows here."""
        K = self.table.shape[1]
        places, starts = by_class(self.codes, np.arange(len(self.codes)), K)
        return ((k, places[starts[k] : starts[k + 1]]) for k in range(K))


def cleanlab_issues(
    codes: ArrayLike, table: NDArray[Any], options: Options, thresholds: ArrayLike | None = None
) -> LabelIssues:
    """Answer as `cleanlab.filter.find_label_issues` 2.9 does; missing labels are left out.

    Raises
    ------
    TableError, UsageError
        As `find_label_issues`: rows that are no probabilities are refused here too.
    """
    N, K = table.shape
    labels = int_codes(codes, N, K)
    seen = gathered(table, labels)
    counts = seen.count
    limits = _thresholds(table.dtype, labels, seen.own, K) if thresholds is None else None
    if limits is None:
        limits = np.asarray(thresholds).reshape(-1)
        checked_thresholds(limits, K)
    facts = surveyed(table, labels, seen, limits - _CLOSE, whole_row=True)
    rows = _labeled(table, labels, facts)
    confident = _confident_joint(rows)
    joint = _calibrated(confident, counts)
    found = _found(rows, options, joint, counts)
    scores = _scores(rows, options, limits)
    mask, every = np.zeros(N, dtype=np.bool_), np.full(N, np.nan)
    mask[rows.number] = found
    every[rows.number] = scores
    fits = np.where(facts.away, facts.guess, facts.rival)
    return LabelIssues(
        mask,
        rows.number[np.flatnonzero(found)[np.argsort(scores[found])]],
        every,
        np.where(mask, fits, np.int64(-1)),
        limits.astype(np.float64),
        np.ascontiguousarray(confident),
        np.ascontiguousarray(joint),
        counts,
    )


def _thresholds(
    dtype: np.dtype[Any], codes: NDArray[np.int32], own: NDArray[Any], classes: int
) -> NDArray[Any]:
    places, starts = by_class(codes, np.flatnonzero(codes >= 0), classes)
    sorted_ = own.astype(dtype)[places]
    parts = (sorted_[starts[k] : starts[k + 1]] for k in range(classes))
    # A list of numpy scalars and an integer: one absent class makes all of them float64.
    found = [np.mean(part) if len(part) else _ABSENT for part in parts]
    return np.clip(np.array(found), 2 * _CLOSE, None)


def _labeled(table: NDArray[Any], codes: NDArray[np.int32], facts: Facts) -> _Rows:
    number = np.flatnonzero(codes >= 0)
    return _Rows(
        table,
        number,
        codes[number],
        facts.own.astype(table.dtype)[number],
        facts.other.astype(table.dtype)[number],
        facts.rival[number],
        facts.guess[number],
    )


def _confident_joint(rows: _Rows) -> IntArray:
    """Count, with at least one on the diagonal; laid out by columns, as its sums expect."""
    K = rows.table.shape[1]
    sure = rows.guess >= 0
    at = rows.guess[sure].astype(np.int64) * K + rows.codes[sure]
    joint = np.bincount(at, minlength=K * K).reshape(K, K).T
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))
    return joint


def _calibrated(joint: IntArray, counts: IntArray) -> IntArray:
    scaled = (joint.T / np.maximum(joint.sum(axis=1), _TINY) * counts).T
    return _rounded(scaled / max(np.sum(scaled), _TINY) * counts.sum())


def _rounded(table: FloatArray) -> IntArray:
    """Round each row and keep its sum; which numbers give way is up to an unstable sort."""
    table = np.ascontiguousarray(table)  # Along rows sums go pairwise, whatever the strides.
    whole = table.round()
    with np.errstate(invalid="ignore"):
        off = np.abs(whole.sum(axis=1).round() - table.sum(axis=1).round()) > _CLOSE
    for i in np.flatnonzero(off):
        exact, row = table[i], whole[i]
        wanted = np.sum(exact).round()
        while abs(gap := wanted - np.sum(row).round()) > _CLOSE:
            order = np.argsort(exact - row)
            ascending = order if gap < 0 else order[::-1]
            row[ascending[: min(int(abs(gap)), len(row))]] += np.sign(gap)
    with np.errstate(invalid="ignore"):
        return whole.astype(np.int64)


def _found(rows: _Rows, options: Options, joint: IntArray, counts: IntArray) -> BoolArray:
    """Say of each labeled row whether it is an issue."""
    agrees = _agrees(rows)
    chosen = options.filter_by
    confident = (rows.guess >= 0) & (rows.guess != rows.codes)
    if chosen in ("low_self_confidence", "low_normalized_margin"):
        scores = rows.own if chosen == "low_self_confidence" else _margin(rows.own, rows.other)
        mask = np.zeros(len(rows.codes), dtype=np.bool_)
        mask[np.argsort(scores)[: np.count_nonzero(confident & ~agrees)]] = True
        return mask
    if chosen == "predicted_neq_given":
        return ~agrees & _predicted_other(rows)
    if chosen == "confident_learning":
        return np.asarray(confident & ~agrees)
    keep = _to_keep(joint, counts, options)
    mask = np.ones(len(rows.codes), dtype=np.bool_)
    if chosen != "prune_by_noise_rate":
        mask &= _by_class(rows, keep, options.min_examples_per_class)
    if chosen != "prune_by_class":
        mask &= _by_noise_rate(rows, keep, options.min_examples_per_class)
    return mask & ~agrees


def _agrees(rows: _Rows) -> BoolArray:
    """Whether the label is the first largest once 1e-6 is added to it, in the table's dtype."""
    lifted = rows.own + rows.own.dtype.type(_CLOSE)
    level = (lifted == rows.other) & (rows.codes < rows.rival)
    return np.asarray((rows.rival < 0) | (lifted > rows.other) | level, dtype=np.bool_)


def _predicted_other(rows: _Rows) -> BoolArray:
    first = (rows.own == rows.other) & (rows.codes < rows.rival)
    return np.asarray((rows.rival >= 0) & ~first, dtype=np.bool_)


def _to_keep(joint: IntArray, counts: IntArray, options: Options) -> IntArray:
    """How many labels of each given class (column) belong to each true one (row)."""
    table = joint.T
    kept = table.diagonal()
    raised = np.maximum(kept, options.min_examples_per_class)
    rates = np.maximum(np.count_nonzero(table, axis=0) - 1.0, 1.0)
    left = table - (raised - kept) / rates
    left[left < 0] = 0
    np.fill_diagonal(left, raised)
    reduced = left * options.frac_noise
    np.fill_diagonal(reduced, left.diagonal())
    np.fill_diagonal(reduced, left.diagonal() + np.sum(left - reduced, axis=0))
    made = np.ascontiguousarray(reduced.astype(np.int64))  # What its rounding leaves.
    if options.num_to_remove is None:
        return np.asarray(made)
    wanted = np.array(options.num_to_remove)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = made / np.sum(made, axis=1)
        noise = rate.sum(axis=1) - rate.diagonal()
        scaled = (rate.T * wanted / noise).T
    np.fill_diagonal(scaled, counts - wanted)
    return _rounded(scaled)


def _by_class(rows: _Rows, keep: IntArray, least: int) -> BoolArray:
    mask = np.zeros(len(rows.codes), dtype=np.bool_)
    for k, members in rows.classes():
        n = len(members) - int(keep[k, k])
        if len(members) > max(least, 1) and n >= 1:
            mask[members[_first(rows.own[members], n)]] = True
    return mask


def _by_noise_rate(rows: _Rows, keep: IntArray, least: int) -> BoolArray:
    mask = np.zeros(len(rows.codes), dtype=np.bool_)
    for k, members in rows.classes():
        if len(members) <= max(least, 1):
            continue
        numbers = rows.number[members]
        for j in np.flatnonzero(keep[:, k] > 0):
            if j != k:
                margin = rows.table[numbers, j] - rows.own[members]
                mask[members[_first(-margin, int(keep[j, k]))]] = True
    return mask


def _first(values: NDArray[Any], n: int) -> NDArray[Any]:
    """Give the first n places of the unstable sort; not sorted where no tie is cut."""
    if n < len(values):
        parted = np.partition(values, (n - 1, n))
        if parted[n - 1] < parted[n]:
            return np.flatnonzero(values <= parted[n - 1])
    return np.argsort(values)[:n]


def _margin(own: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    return np.asarray((own - other + 1) / 2)


def _scores(rows: _Rows, options: Options, limits: NDArray[Any]) -> NDArray[Any]:
    """Score in the dtypes it has: the order of ties depends on them."""
    if options.rank_by == "confidence_weighted_entropy":
        return _entropy(rows)
    own, other = rows.own, rows.other
    if options.adjusted:
        own, other = _adjusted(rows, limits)
    return own if options.rank_by == "self_confidence" else _margin(own, other)


def _adjusted(rows: _Rows, limits: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    def job(block: NDArray[Any], codes: NDArray[np.int32]) -> tuple[NDArray[Any], NDArray[Any]]:
        made = block - limits
        made += limits.max()
        made /= made.sum(axis=1, keepdims=True)
        at = np.arange(len(codes))
        own = made[at, codes]
        made[at, codes] = -np.inf
        return own, made.max(axis=1)

    parts = _in_blocks(rows, job)
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _entropy(rows: _Rows) -> NDArray[Any]:
    def job(block: NDArray[Any], codes: NDArray[np.int32]) -> NDArray[Any]:
        return np.asarray(-np.sum(xlogy(block, block), axis=1) / np.log(block.shape[1]))

    ratio = np.concatenate(_in_blocks(rows, job)) / np.clip(rows.own, _CLOSE, None)
    return np.asarray(np.log(ratio + 1) / np.clip(ratio, _CLOSE, None))


def _in_blocks(rows: _Rows, job: Callable[[NDArray[Any], NDArray[np.int32]], Any]) -> list[Any]:
    whole = len(rows.number) == len(rows.table)

    def block(first: int, last: int) -> Any:
        part = rows.table[first:last] if whole else rows.table[rows.number[first:last]]
        return job(part, rows.codes[first:last])

    if not len(rows.number):
        return [block(0, 0)]  # Empty arrays of the right dtype.
    return in_threads(block, len(rows.number), block=max(1, (1 << 18) // rows.table.shape[1]))
