"""The one entry: labels and held-out probabilities in, probable label errors out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelops.audit.confident.blocks import ProbBlocks, as_table, blocks_of
from labelops.audit.confident.compat import cleanlab_issues
from labelops.audit.confident.messages import LabelIssues, Round
from labelops.audit.confident.options import Filter, Score, checked_options
from labelops.audit.confident.rounds import finish, first_round, merge
from labelops.audit.confident.shard import Shard
from labelops.audit.confident.sums import checked_thresholds
from labelops.errors import UsageError
from labelops.measure.aligned import refuse_reordered
from labelops.measure.called import elsewhere
from labelops.measure.codes import FloatArray, check_codes

__all__ = ["find_label_issues", "label_quality_scores", "run_rounds"]


@elsewhere(labels="codes", pred_probs="probs", adjust_pred_probs="adjusted")
def label_quality_scores(
    codes: ArrayLike,
    probs: ArrayLike | ProbBlocks,
    *,
    method: Score = "self_confidence",
    adjusted: bool = False,
    thresholds: ArrayLike | None = None,
    compat: str | None = None,
) -> FloatArray:
    """Score how likely each label is right; low = bad.

    Parameters and errors are those of `find_label_issues`, whose result has the same scores.

    Returns
    -------
    (N,) float in [0, 1], NaN where the label is missing.

    Examples
    --------
    >>> label_quality_scores([0, 1, -1], [[0.9, 0.1], [0.9, 0.1], [0.5, 0.5]]).tolist()
    [0.9, 0.1, nan]
    """
    found = find_label_issues(
        codes, probs, filter_by="predicted_neq_given", rank_by=method, adjusted=adjusted,
        thresholds=thresholds, compat=compat,
    )  # fmt: skip
    return found.scores


def run_rounds(shards: Sequence[Shard], asked: Round) -> LabelIssues:
    """Put round after round to shards in this process until there is a result.

    With shards in other processes the loop is the same, with their answers sent over.
    """
    while True:
        then = finish(asked, merge([shard.answer(asked) for shard in shards]))
        if isinstance(then, LabelIssues):
            return then
        asked = then


@elsewhere(labels="codes", pred_probs="probs", return_indices_ranked_by="rank_by")
def find_label_issues(
    codes: ArrayLike,
    probs: ArrayLike | ProbBlocks,
    *,
    filter_by: Filter = "prune_by_noise_rate",
    rank_by: Score = "self_confidence",
    adjusted: bool = False,
    thresholds: ArrayLike | None = None,
    frac_noise: float = 1.0,
    num_to_remove_per_class: ArrayLike | None = None,
    min_examples_per_class: int = 1,
    compat: str | None = None,
) -> LabelIssues:
    """Find labels that are probably wrong by confident learning.

    A class is confidently present in a row where its probability reaches the mean it has among
    the items labeled with it. Rows labeled j and confidently k are counted, the counts scaled
    to all labels, and the filter chooses the labels that make up the estimated errors. A label
    is never reported where its own class is the most probable one, except by the ``low_…``
    filters.

    Parameters
    ----------
    codes : (N,) array-like of int
        Labels, 0 … K-1; -1 is missing: not judged, and not counted.
    probs : (N, K) array-like of float, or ProbBlocks
        Out-of-fold probabilities: in memory, memory-mapped (``numpy.load(path, mmap_mode="r")``)
        or read block by block. float16, float32 and float64 are taken as they are, in any
        memory order, and tables whose columns are named by the codes; the result is the same,
        bit for bit, however the rows are held or cut, with compiled loops or without, because
        all sums are integers (see `sums.means`).
    filter_by : str
        ``prune_by_noise_rate``: for each two classes, as many labels as the joint estimates,
        those with the largest margin. ``prune_by_class``: for each class as many as the joint
        estimates, those of lowest probability. ``both``: what both of these find.
        ``confident_learning``: labels that are confidently another class.
        ``predicted_neq_given``: labels that are not the most probable class.
        ``low_self_confidence``, ``low_normalized_margin``: the labels of lowest score, as many
        as are confidently another class.
    rank_by : str
        The score of the result: ``self_confidence`` p[y], ``normalized_margin``
        (p[y] - max of the others + 1) / 2, or ``confidence_weighted_entropy``.
    adjusted : bool
        Whether classes the model is less sure of are put on one footing with the others: each
        gains what the highest threshold exceeds its own by.
    thresholds : (K,) array-like of float, optional
        Given thresholds, in place of the means.
    frac_noise : float in [0, 1]
        Share of the estimated errors that pruning takes out. Other filters refuse one below 1;
        with ``compat`` they go on without it, as cleanlab does.
    num_to_remove_per_class : (K,) array-like of int, optional
        How many labels pruning takes out of each given class, in place of the estimate. Other
        filters refuse it, cleanlab's too.
    min_examples_per_class : int
        Pruning leaves so many labels to a class.
    compat : "cleanlab", optional
        Reproduce cleanlab 2.9 to the last row, on the same machine. All rows in memory only.

    Returns
    -------
    LabelIssues
        Always of the same shape, whatever is asked.

    Raises
    ------
    UsageError
        Labels outside the classes, arrays of different length, or options that do not fit.
    TableError
        A row holds NaN or a negative number or does not sum to 1, within 1e-6 a class (and
        1e-3 for float16); the first one, of its block, is named.

    Notes
    -----
    Where cleanlab 2.9 goes another way, without ``compat``: of several confident classes the
    most probable *confident* one counts, as in the paper, not the most probable of all; rows
    that are no probabilities are refused; equal values are ordered by row, where cleanlab's
    order depends on the processor; the joint is scaled and rounded in integers;
    ``num_to_remove_per_class`` is about given classes in every filter; a label the model is
    certain of has the best entropy score, not the worst; with ``adjusted``, a class that no label
    has gains nothing, for nothing is known of how sure the model is of it, where cleanlab takes 2
    for its threshold, which is above all others, so that they all gain up to 2 and lie closer
    together; and blocks do not change the answer.

    References
    ----------
    Northcutt, Jiang, Chuang 2021, https://doi.org/10.1613/jair.1.12125
    Kuan, Mueller 2022, https://arxiv.org/abs/2210.03150

    Examples
    --------
    >>> probs = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.9, 0.1]]
    >>> found = find_label_issues([0, 0, 1, 1], probs)
    >>> found.mask.tolist(), found.ranked.tolist(), found.suggestions.tolist()
    ([False, False, False, True], [3], [-1, -1, -1, 0])
    """
    _not_swapped(codes, probs)
    refuse_reordered({"codes": codes, "probs": probs})
    source = probs if isinstance(probs, ProbBlocks) else as_table(probs)
    K = int(source.shape[1])
    options = checked_options(
        K, filter_by, rank_by, adjusted, frac_noise, min_examples_per_class,
        num_to_remove_per_class, compat,
    )  # fmt: skip
    limits = None if thresholds is None else checked_thresholds(thresholds, K)
    if options.compat is not None:
        return cleanlab_issues(codes, _whole(source), options, thresholds)
    return run_rounds(_shards(codes, source), first_round(K, options, limits))


def _not_swapped(codes: ArrayLike, probs: ArrayLike | ProbBlocks) -> None:
    if np.ndim(codes) == 2 and not isinstance(probs, ProbBlocks) and np.ndim(probs) == 1:
        raise UsageError("find_label_issues: expected codes first, then probs; found the reverse")


def _shards(codes: ArrayLike, source: ProbBlocks | NDArray[Any]) -> list[Shard]:
    if not isinstance(source, ProbBlocks):
        return [Shard(codes, source)]
    N, K = source.shape
    labels = check_codes(codes, K)
    if len(labels) != N:
        raise UsageError(f"found {N} rows of probs for {len(labels)} codes; expected one each")
    made = [
        Shard(labels[first:last], partial(source.block, number), first)
        for number, (first, last) in enumerate(blocks_of(source))
    ]
    return made or [Shard(labels, np.zeros((0, K)))]


def _whole(source: ProbBlocks | NDArray[Any]) -> NDArray[Any]:
    if isinstance(source, ProbBlocks):
        raise UsageError("compat: cleanlab's arithmetic needs all rows in one array")
    return source
