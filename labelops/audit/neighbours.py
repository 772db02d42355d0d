"""Do an item's nearest neighbours carry its label? A view no classifier's fit can explain away.

Useful on features that were not trained on these labels: a model fitted to poisoned labels
learns them, the neighbourhood in raw features does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from labelops.audit.inputs import check_features, group_codes
from labelops.errors import UsageError, shown
from labelops.measure.brief import brief
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, code_count
from labelops.measure.draws import check_rng
from labelops.measure.given import check_whole
from labelops.measure.smallest import smallest_columns

__all__ = ["NeighbourView", "judge_by_neighbours", "nearest_labels", "neighbour_view"]

_CELLS = 8_000_000  # Similarities held at once: 32 MB, whatever the number of items.
_EXACT = 50_000


@brief
@dataclass(frozen=True, slots=True)
class NeighbourView:
    """What the neighbourhood says about every label.

    Attributes
    ----------
    scores : (N,) float
        Mean of the ranks of the agreements at every k, scaled to (0, 1]; low = bad. NaN where
        the label is missing or nobody else could vote.
    agreement : (N, len(k)) float
        Share of the k nearest voters with the item's label.
    suggestions : (N,) int
        The commonest label among the fewest neighbours; -1 where nobody could vote.
    flagged : (N,) bool
        Whether, at every k, more neighbours carry the suggestion than the label, and at the
        smallest k no more than half of them carry the label.
    """

    scores: FloatArray
    agreement: FloatArray
    suggestions: IntArray
    flagged: BoolArray


def neighbour_view(
    features: Any,  # dense or scipy-sparse: no common type
    codes: ArrayLike,
    groups: Sequence[str] | NDArray[Any] | None = None,
    *,
    k: Sequence[int] = (10, 50),
    max_voters: int = _EXACT,
    rng: np.random.Generator | None = None,
) -> NeighbourView:
    """Compare each label with the labels of the nearest items by cosine, the item itself excluded.

    Parameters are those of `nearest_labels` and `judge_by_neighbours`.

    Examples
    --------
    >>> view = neighbour_view([[1, 0], [1, 0.1], [1, 0.2], [0, 1], [0.1, 1], [0.2, 1]],
    ...     [0, 0, 1, 1, 1, 1], k=(2,))
    >>> view.agreement[:, 0].tolist(), view.suggestions.tolist()[2]
    ([0.5, 0.5, 0.0, 1.0, 1.0, 1.0], 0)
    """
    if rng is not None:
        check_rng(rng)
    _check_each_k(k)
    votes = nearest_labels(features, codes, groups, k=max(k), max_voters=max_voters, rng=rng)
    return judge_by_neighbours(votes, codes, k=k)


def nearest_labels(
    features: Any,  # dense or scipy-sparse: no common type
    codes: ArrayLike,
    groups: Sequence[str] | NDArray[Any] | None = None,
    *,
    k: int = 50,
    max_voters: int = _EXACT,
    rng: np.random.Generator | None = None,
) -> IntArray:
    """Return the labels of each item's k nearest voters by cosine, nearest first.

    Exact up to `max_voters` labeled items; above that every item is compared with a random
    sample of that many, so the cost stays linear in rows.

    Parameters
    ----------
    features : (N, D) array or scipy sparse matrix
        Finite numbers that were not learned from these labels.
    codes : (N,) array-like of int
        Labels; an item with -1 (missing) does not vote.
    groups : (N,) sequence, optional
        Leakage groups; members of an item's own group do not vote on it.
    k : int
        Neighbours wanted; fewer where there are fewer voters.
    max_voters : int
        Largest number of items that vote.
    rng : numpy.random.Generator, optional
        Draws the voters; needed only above `max_voters`.

    Returns
    -------
    (N, min(k, voters)) int, -1 where no voter is left.

    Raises
    ------
    UsageError
        Shapes differ, a feature is not finite, or a draw is needed without `rng`.

    Examples
    --------
    >>> nearest_labels([[1, 0], [1, 0.1], [0, 1]], [0, 1, 2], k=1).tolist()
    [[1], [0], [1]]
    """
    if rng is not None:
        check_rng(rng)
    labels = check_codes(codes, code_count(codes))
    unit = _unit_rows(features, len(labels))
    _check_each_k((k,))
    apart = np.arange(len(labels)) if groups is None else groups
    group_of = group_codes(np.asarray(apart), len(labels))
    voters = _voters(labels, check_whole("max_voters", max_voters), rng)
    width = min(k, len(voters))
    votes = np.full((len(labels), width), -1, dtype=np.int64)
    if not width:
        return votes
    step = max(1, _CELLS // len(voters))
    candidates = unit[voters].T
    relatives = _Relatives.of(group_of[voters])
    for start in range(0, len(labels), step):
        rows = slice(start, start + step)
        similar = unit[rows] @ candidates
        far = -(similar.toarray() if sparse.issparse(similar) else similar)
        far[relatives(group_of[rows])] = np.inf
        votes[rows] = _nearest(far, labels[voters], width)
    return votes


def judge_by_neighbours(
    votes: IntArray, codes: ArrayLike, *, k: Sequence[int] = (10, 50)
) -> NeighbourView:
    """Compare labels with the labels of their neighbours.

    Parameters
    ----------
    votes : (N, M) int
        From `nearest_labels`.
    codes : (N,) array-like of int
        The labels to judge; -1 is missing and not judged.
    k : sequence of int
        Neighbourhood sizes, at least 1; capped by M.

    Raises
    ------
    UsageError
        Shapes differ or a size is below 1.

    References
    ----------
    Zhu, Dong, Liu 2022, https://proceedings.mlr.press/v162/zhu22a.html

    Examples
    --------
    >>> judge_by_neighbours(np.array([[1, 1, 0]]), [0], k=(3,)).flagged.tolist()
    [True]
    """
    _check_each_k(k)
    K = max(code_count(votes), code_count(codes))
    labels = check_codes(codes, K)
    if np.ndim(votes) != 2:
        raise UsageError(f"votes: shape {np.shape(votes)}, expected (items, neighbours)")
    if len(votes) != len(labels):
        raise UsageError(f"found {len(votes)} rows of neighbours for {len(labels)} codes")
    agreement, lead, mode = _count(votes, labels, sorted(set(k)), max(K, 1))
    judged = (labels >= 0) & (mode >= 0)
    agreement[~judged] = np.nan
    with np.errstate(invalid="ignore"):
        flagged = judged & (mode != labels) & lead.all(axis=1) & (agreement[:, 0] <= 0.5)
    return NeighbourView(_rank_sum(agreement, judged), agreement, mode, flagged)


def _check_each_k(k: Sequence[int]) -> None:
    if np.ndim(k) != 1 or not len(k):
        raise UsageError(f"k is {shown(k)}, expected a list of whole numbers")
    for size in k:
        check_whole("k", size)


def _unit_rows(features: Any, rows: int) -> Any:
    """Scale rows to length 1 in single precision; a row of zeros stays zero."""
    matrix = check_features(features, rows).astype(np.float32)
    if sparse.issparse(matrix):
        norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1))).ravel()
        return sparse.diags(1 / np.where(norms > 0, norms, 1), dtype=np.float32) @ matrix
    norms = np.linalg.norm(matrix, axis=1)
    matrix /= np.where(norms > 0, norms, 1)[:, None]
    return matrix


def _voters(labels: IntArray, limit: int, rng: np.random.Generator | None) -> IntArray:
    labeled = np.flatnonzero(labels >= 0)
    if len(labeled) <= limit:
        return labeled
    if rng is None:
        raise UsageError(f"{len(labeled)} labeled items are more than {limit} voters: pass an rng")
    return np.sort(rng.choice(labeled, limit, replace=False))


@dataclass(frozen=True, slots=True)
class _Relatives:
    """Voters by their group: found for a row without a look at all of them."""

    order: IntArray
    groups: IntArray

    @classmethod
    def of(cls, groups: IntArray) -> _Relatives:
        """Put the groups of the voters in order."""
        order = np.argsort(groups, kind="stable")
        return cls(order, groups[order])

    def __call__(self, groups: IntArray) -> tuple[IntArray, IntArray]:
        """Return which row, of some whose groups these are, has which voter in its group."""
        first, end = (np.searchsorted(self.groups, groups, side=side) for side in ("left", "right"))
        many = end - first
        rows = np.repeat(np.arange(len(groups)), many)
        place = np.arange(len(rows)) - np.repeat(many.cumsum() - many, many)
        return rows, self.order[first[rows] + place]


def _nearest(far: Any, labels: IntArray, k: int) -> IntArray:
    """Labels of the k nearest voters of each row, nearest first, -1 where none is left."""
    near = smallest_columns(far, k)
    allowed = np.isfinite(np.take_along_axis(far, near, axis=1))
    return np.asarray(np.where(allowed, labels[near], -1), dtype=np.int64)


def _count(
    votes: IntArray, own: IntArray, sizes: list[int], K: int
) -> tuple[FloatArray, BoolArray, IntArray]:
    """Agreement and whether the commonest label leads, both (N, S), and that label, (N,)."""
    step = max(1, _CELLS // (K + 1))  # Blocks of rows: N × K counts would not fit for many classes.
    starts = range(0, max(len(own), 1), step)
    parts = [_count_block(votes[s : s + step], own[s : s + step], sizes, K) for s in starts]
    agreement, lead, mode = (np.concatenate(part) for part in zip(*parts, strict=True))
    return agreement, lead, mode


def _count_block(
    votes: IntArray, own: IntArray, sizes: list[int], K: int
) -> tuple[FloatArray, BoolArray, IntArray]:
    agreement = np.full((len(own), len(sizes)), np.nan)
    lead = np.zeros(agreement.shape, dtype=bool)
    mode: IntArray = np.full(len(own), -1, dtype=np.int64)
    every = np.arange(len(own))
    for column, size in enumerate(sizes):
        counts = _tally(votes[:, :size], K)
        total = counts.sum(axis=1)
        same = np.where(own >= 0, counts[every, np.maximum(own, 0)], 0)
        np.divide(same, total, out=agreement[:, column], where=total > 0)
        if column == 0:
            mode = np.where(total > 0, counts.argmax(axis=1), -1).astype(np.int64)
        lead[:, column] = counts[every, np.maximum(mode, 0)] > same
    return agreement, lead, mode


def _tally(votes: IntArray, K: int) -> IntArray:
    """Count the votes of each row for each class; -1 counts for none."""
    flat = np.arange(len(votes))[:, None] * (K + 1) + (votes + 1)
    counts = np.bincount(flat.ravel(), minlength=len(votes) * (K + 1))
    return np.asarray(counts.reshape(len(votes), K + 1)[:, 1:], dtype=np.int64)


def _rank_sum(agreement: FloatArray, judged: BoolArray) -> FloatArray:
    from scipy.stats import rankdata  # lazy: .4 s

    scores = np.full(len(agreement), np.nan)
    if judged.any():
        scores[judged] = rankdata(agreement[judged], axis=0).mean(axis=1) / judged.sum()
    return scores
