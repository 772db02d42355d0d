"""Leakage: items on both sides of a split, and labels that stand in their own text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from labelops.audit.duplicates import near_pairs
from labelops.audit.graph import NeighbourGraph, check_graph
from labelops.audit.inputs import group_codes
from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, code_count
from labelops.measure.given import check_list, check_share

__all__ = ["LabelInText", "SplitLeakage", "label_in_text", "split_leakage"]


@dataclass(frozen=True, slots=True)
class SplitLeakage:
    """Items that have a copy, a near-duplicate or a relative in another split.

    Attributes
    ----------
    leaked : (N,) bool
        Whether an item has one, for any reason.
    by_digest, by_distance, by_group : (N,) bool
        The reasons: an equal digest, features at most `within` apart, the same group.
    partner : (N,) int
        An item of another split that shares its digest, else the nearest near-duplicate, else
        the first of its group; -1 where nothing leaked.
    splits : (S,) object
        Names of the splits, sorted.
    table : (S, S) int
        Row r, column c: items of split r that have a partner in split c; 0 on the diagonal.
    """

    leaked: BoolArray
    by_digest: BoolArray
    by_distance: BoolArray
    by_group: BoolArray
    partner: IntArray
    splits: NDArray[np.object_]
    table: IntArray


def split_leakage(
    splits: ArrayLike,
    graph: NeighbourGraph | None = None,
    digests: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    *,
    within: float | None = None,
) -> SplitLeakage:
    """Find what a test set has in common with the training set.

    Parameters
    ----------
    splits : (N,) array-like of str
        Which split each item is in, e.g. ``train`` or ``test``.
    graph : NeighbourGraph, optional
        Over the items of all splits together, for near-duplicates.
    digests, groups : (N,) array-like, optional
        Equal digests are copies; members of a group (user, document) must not be split.
    within : float, optional
        As in `near_pairs`.

    Raises
    ------
    UsageError
        Lengths differ, or an item is in no split.

    Examples
    --------
    >>> found = split_leakage(["train", "train", "test"], digests=["a", "b", "a"])
    >>> found.leaked.tolist(), found.partner.tolist(), found.table.tolist()
    ([True, False, True], [2, -1, 0], [[0, 1], [1, 0]])
    """
    given = np.asarray(splits, dtype=object)
    if given.ndim != 1:
        raise UsageError(f"splits: found shape {given.shape}, expected one name an item")
    if (missing := np.flatnonzero(pd.isna(given))).size:
        raise UsageError(
            f"splits: row {missing[0]} is in none; leave it out, or name one, such as 'none'"
        )
    names, part = np.unique(given.astype(str), return_inverse=True)
    N = len(part)
    if graph is not None and len(check_graph(graph).indices) != N:
        raise UsageError(f"found {N} splits for {len(graph.indices)} rows of neighbours")
    table = np.zeros((N, len(names)), dtype=bool)
    partner = np.full(N, -1, dtype=np.int64)
    by_digest = _shared(digests, part, table, partner)
    by_distance = _near(graph, within, part, table, partner)
    by_group = _shared(groups, part, table, partner)
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, part, table)
    leaked = by_digest | by_distance | by_group
    return SplitLeakage(
        leaked, by_digest, by_distance, by_group, partner, names.astype(object), counts
    )


def _shared(
    keys: ArrayLike | None, part: IntArray, table: BoolArray, partner: IntArray
) -> BoolArray:
    """Mark items whose key occurs in another split, in `table`; give them a partner."""
    if keys is None:
        return np.zeros(len(part), dtype=bool)
    group = group_codes(keys, len(part))
    S = table.shape[1]
    first = np.full((code_count(group), S), len(part), dtype=np.int64)
    np.minimum.at(first, (group, part), np.arange(len(part)))
    others = first[group]
    others[np.arange(len(part)), part] = len(part)
    table |= others < len(part)
    nearest = others.min(axis=1, initial=len(part))
    found = nearest < len(part)
    new = found & (partner < 0)
    partner[new] = nearest[new]
    return np.asarray(found, dtype=bool)


def _near(
    graph: NeighbourGraph | None,
    within: float | None,
    part: IntArray,
    table: BoolArray,
    partner: IntArray,
) -> BoolArray:
    found = np.zeros(len(part), dtype=bool)
    if graph is None:
        return found
    one, other, far = near_pairs(graph, within)
    apart = part[one] != part[other]
    one, other, far = one[apart], other[apart], far[apart]
    rows, others = np.append(one, other), np.append(other, one)
    table[rows, part[others]] = True
    found[rows] = True
    # Written from far to near: the nearest stays.
    order = np.argsort(-np.append(far, far), kind="stable")
    nearest = np.full(len(part), -1, dtype=np.int64)
    nearest[rows[order]] = others[order]
    new = found & (partner < 0)
    partner[new] = nearest[new]
    return found


@dataclass(frozen=True, slots=True)
class LabelInText:
    """Classes whose name stands in the text of their items more often than elsewhere.

    Attributes
    ----------
    inside : (K,) float
        Share of a class's texts that hold its name; NaN for a class without items.
    outside : (K,) float
        Share of the other texts that hold it.
    p_values : (K,) float
        Of "no more often inside" (Fisher's exact test); 1 for a class without items.
    flagged : (K,) bool
        Classes where it is, at the tolerated share of false flags.
    leaked : (N,) bool
        Items of flagged classes that hold their class's name.
    """

    inside: FloatArray
    outside: FloatArray
    p_values: FloatArray
    flagged: BoolArray
    leaked: BoolArray


def label_in_text(
    texts: Sequence[str],
    codes: ArrayLike,
    classes: Sequence[str],
    *,
    least: float = 0.1,
    risk: float = 0.05,
) -> LabelInText:
    """Find texts that tell their label outright: a tag, a file name, a heading left in.

    A name counts where it stands as whole words, whatever its case; ``_`` and ``-`` in a name
    also stand for a space.

    Parameters
    ----------
    texts : sequence of str
    codes : (N,) array-like of int
        Labels; -1 is missing.
    classes : sequence of str
        K names.
    least : float
        A class is flagged only if its name is in at least this share of its texts more than
        of the others, in [0, 1]: a word that now and then belongs to its topic is no leak.
    risk : float
        Tolerated share of false flags, in (0, 1).

    Raises
    ------
    UsageError
        Lengths differ, or a code is no class.

    References
    ----------
    Benjamini, Hochberg 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x

    Examples
    --------
    >>> texts = ["[spam] win"] * 9 + ["lunch at noon"] * 9
    >>> label_in_text(texts, [0] * 9 + [1] * 9, ["spam", "ham"]).flagged.tolist()
    [True, False]
    """
    from scipy.stats import false_discovery_control, hypergeom  # lazy: .4 s

    check_share("least", least)
    check_share("risk", risk, inside=True)
    check_list("classes", classes)
    check_list("texts", texts, "texts")
    labels = check_codes(codes, len(classes))
    if len(texts) != len(labels):
        raise UsageError(f"found {len(texts)} texts for {len(labels)} codes")
    named = _named([_plain(text) for text in texts], classes)
    labeled, K = labels >= 0, len(classes)
    own = np.zeros(len(labels), dtype=bool)
    own[labeled] = named[labels[labeled], np.flatnonzero(labeled)]
    size = np.bincount(labels[labeled], minlength=K)
    hits = np.bincount(labels[own], minlength=K)
    total, everywhere = int(labeled.sum()), named[:, labeled].sum(axis=1)
    p_values = np.where(size > 0, hypergeom.sf(hits - 1, total, everywhere, size), 1.0)
    rest = total - size
    inside = np.divide(hits, size, out=np.full(K, np.nan), where=size > 0)
    outside = np.divide(everywhere - hits, rest, out=np.zeros(K), where=rest > 0)
    sure = false_discovery_control(p_values, method="bh") <= risk if K else size > 0
    with np.errstate(invalid="ignore"):
        flagged = sure & (inside - outside >= least)
    return LabelInText(inside, outside, p_values, flagged, own & flagged[np.maximum(labels, 0)])


def _named(texts: Sequence[str], classes: Sequence[str]) -> BoolArray:
    """Return whether each text holds each name, (K, N)."""
    found = np.zeros((len(classes), len(texts)), dtype=bool)
    for row, name in enumerate(classes):
        words = [re.escape(w) for w in re.split(r"[\s_-]+", _plain(name)) if w]
        if words:
            # Not \b, which names that end in a sign (C++) never meet.
            pattern = re.compile(r"(?<!\w)" + r"[\s_-]+".join(words) + r"(?!\w)")
            # Most texts do not hold the first word; `in` says so many times faster.
            first = re.split(r"[\s_-]+", _plain(name).strip(" _-"))[0]
            found[row] = [first in text and bool(pattern.search(text)) for text in texts]
    return found


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", str(text)).casefold()
