"""Directed confusion: somebody calls one class another, far more often than others do.

A careless annotator errs everywhere; one who misread a guideline, or who means harm, turns one
class into one other. Over annotators × classes × classes there are many chances to look odd, so
flags are corrected for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, code_count
from labelops.measure.intervals import check_share

__all__ = ["DirectedConfusions", "directed_confusions"]


@dataclass(frozen=True, slots=True)
class DirectedConfusions:
    """One row an annotator and pair of classes that occurred, the oddest first.

    Attributes
    ----------
    annotators, true, given : (P,) int
        Who said `given` where the reference is `true`.
    counts, chances : (P,) int
        How often, and how many votes of theirs were on items of class `true`.
    rates, others : (P,) float
        Share of those votes, theirs and everybody else's; NaN where nobody else voted.
    p_values, q_values : (P,) float
        Of "no more often than the others" (Fisher's exact test), and corrected for every
        annotator and pair of classes that could have occurred.
    flagged : (P,) bool
    """

    annotators: IntArray
    true: IntArray
    given: IntArray
    counts: IntArray
    chances: IntArray
    rates: FloatArray
    others: FloatArray
    p_values: FloatArray
    q_values: FloatArray
    flagged: BoolArray


def directed_confusions(
    annotators: ArrayLike,
    codes: ArrayLike,
    reference: ArrayLike,
    *,
    n_classes: int | None = None,
    risk: float = 0.05,
) -> DirectedConfusions:
    """Find annotators who turn one class into another more often than the others do.

    Parameters
    ----------
    annotators, codes, reference : (V,) array-like of int
        Who voted, what for, and what the item is: gold, or what the others are sure of without
        this vote. A vote or reference of -1 takes no part.
    n_classes : int, optional
        K; the largest code plus one when left out.
    risk : float
        Tolerated share of false flags (Benjamini–Hochberg), in (0, 1).

    Raises
    ------
    UsageError
        Lengths differ, or a code is out of range.

    References
    ----------
    Fisher 1922, https://doi.org/10.2307/2340521
    Benjamini, Hochberg 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x

    Examples
    --------
    >>> who = np.repeat([0, 1, 2], 40)
    >>> reference = np.tile(np.repeat([0, 1], 20), 3)
    >>> codes = reference.copy()
    >>> codes[:8] = 1  # annotator 0 turns 0 into 1
    >>> found = directed_confusions(who, codes, reference)
    >>> [int(part[0]) for part in (found.annotators, found.true, found.given, found.flagged)]
    [0, 0, 1, 1]
    """
    from scipy.stats import hypergeom  # lazy: .4 s

    check_share("risk", risk, inside=True)
    K = max(code_count(codes, n_classes), code_count(reference, n_classes))
    said, true = check_codes(codes, K), check_codes(reference, K)
    who = check_codes(annotators, code_count(annotators), missing=False)
    if not len(said) == len(true) == len(who):
        raise UsageError(f"votes: {len(who)} annotators, {len(said)} codes, {len(true)} references")
    known = (said >= 0) & (true >= 0)
    people, who = np.unique(who[known], return_inverse=True)
    said, true = said[known], true[known]
    # Sparse: annotators × K² cells may be many, and those that never occurred have p = 1.
    cells, count = np.unique((who * K + true) * max(K, 1) + said, return_counts=True)
    row, given = np.divmod(cells, max(K, 1))
    annotator, of = np.divmod(row, max(K, 1))
    wrong = of != given
    annotator, of, given, count = annotator[wrong], of[wrong], given[wrong], count[wrong]
    rows, chances = np.unique(who * K + true, return_counts=True)
    mine = chances[np.searchsorted(rows, annotator * K + of)]
    every = np.bincount(true, minlength=K)[of]
    pair = np.bincount(true * K + said, minlength=K * K)[of * K + given]
    p_values = np.minimum(hypergeom.sf(count - 1, every, pair, mine), 1.0)
    q_values = _corrected(p_values, len(rows) * max(K - 1, 0))
    others = np.divide(
        pair - count, every - mine, out=np.full(len(count), np.nan), where=every > mine
    )
    order = np.lexsort((given, of, annotator, p_values))
    return DirectedConfusions(
        *(part[order] for part in (people[annotator], of, given, count, mine)),
        *(part[order] for part in (count / mine, others, p_values, q_values, q_values <= risk)),
    )


def _corrected(p_values: FloatArray, tests: int) -> FloatArray:
    """Correct for all tests, of which those not listed have a p-value of 1."""
    from scipy.stats import false_discovery_control  # lazy: .4 s

    if not p_values.size:
        return p_values
    silent = np.ones(max(tests - len(p_values), 0))
    every = false_discovery_control(np.append(p_values, silent), method="bh")
    return np.asarray(every[: len(p_values)], dtype=np.float64)
