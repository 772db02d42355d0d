"""Views of a label set: what is odd about items and their surroundings, to be looked at.

None of these says that a label is wrong, so none of them sends an item to people: an outlier may
be rare, an item that people really disagree on is *ambiguous* and not an error, and a weak slice
is about many items at once. They are shown, ranked and cut off after the worst.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from labelops.audit.activation import activation_clusters
from labelops.audit.ambiguity import ambiguous_items
from labelops.audit.findings import findings_of
from labelops.audit.graph import NeighbourGraph, neighbour_votes
from labelops.audit.inputs import Votes
from labelops.audit.leakage import label_in_text, split_leakage
from labelops.audit.neighbours import NeighbourView, judge_by_neighbours
from labelops.audit.outliers import find_outliers
from labelops.audit.policy import VIEWS
from labelops.audit.slices import underperforming_slices
from labelops.audit.spurious import spurious_attributes
from labelops.audit.words import holding, suspicious_words
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.draws import check_rng
from labelops.schema import Schema
from labelops.tables import FINDINGS, empty

__all__ = ["LookedAt", "Surroundings", "look_at_views"]

_TABLE = 12  # Rows of a table that are kept, the worst first.
_FEWEST = 5  # Items of a clump: fewer are outliers.
_CLUMP = 0.25  # A smaller half of a class is a clump when it is no larger …
_APART = 0.6  # … and this clear: arbitrary halves are at 0.3.
_TELLS = 0.8  # Of the texts with a word so many have one label where it seems planted.
_SPREAD = 3  # Votes from which on an item can be called ambiguous.


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of the items beside their labels; all of it (N,) or absent.

    Parameters
    ----------
    graph : NeighbourGraph or None
        None where neighbours are not known; views that need them are left out then.
    features : (N, D) array
        What the graph was made from.
    groups, digests : (N,) array-like
        Leakage groups, and digests of the contents.
    attributes : mapping of name to (N,) array-like
        Facts about each item: source, length, the source file's other columns.
    splits : (N,) array-like of str, optional
        The owner's own split of each item.
    texts : sequence of str, optional
        The items' texts.
    votes : (items, annotators, codes), optional
        People's votes.
    reviewed : (N,) bool array-like, optional
        Labels that people looked at again and settled.
    """

    graph: NeighbourGraph | None
    features: Any
    groups: ArrayLike
    digests: ArrayLike
    attributes: Mapping[str, ArrayLike]
    splits: ArrayLike | None = None
    texts: Sequence[str] | None = None
    votes: Votes | None = None
    reviewed: ArrayLike | None = None


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What the views showed.

    Attributes
    ----------
    findings : findings frame
        Kinds ``ambiguous``, ``outlier`` and ``poison``, which nobody is asked about.
    ambiguous : (N,) bool
        Items people really disagree on, so that another look settles nothing.
    facts : mapping
        What is not about single items, as JSON: slices, words, attributes, leakage, clumps; how
        many items there are of each kind (``kinds``), and how many of the labels of kind
        ``poison`` are wrong if the detector is right (``expected``).
    """

    findings: pd.DataFrame
    ambiguous: BoolArray
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Said:
    """What a view says of every item."""

    kind: str
    scores: FloatArray
    flagged: BoolArray
    suggestions: IntArray | None = None


def look_at_views(
    item_ids: ArrayLike,
    codes: IntArray,
    suspected: BoolArray,
    around: Surroundings,
    schema: Schema,
    *,
    rng: np.random.Generator,
    round: int,  # noqa: A002 - the column's name
    now: datetime,
    views: Sequence[str] = VIEWS,
    shown: int = 50,
    better: IntArray | None = None,
    wrong: FloatArray | None = None,
) -> LookedAt:
    """Look at a label set from several sides.

    Parameters
    ----------
    item_ids : (N,) array-like of str
    codes : (N,) int
        The labels; -1 is missing.
    suspected : (N,) bool
        Labels that the detector of label errors holds to be wrong.
    around : Surroundings
    schema : Schema
    rng : numpy.random.Generator
    round, now
        The audit's number and time.
    views : sequence of str
        Which of `VIEWS`.
    shown : int
        Findings kept of each kind, the worst first.
    better : (N,) int, optional
        The likeliest class beside the label, by the detector; -1 where that is not known.
    wrong : (N,) float, optional
        The probability that the label is wrong, by the detector; NaN where nothing judged it.
    """
    check_rng(rng)
    ambiguous = _ambiguous(codes, around, len(schema.classes), rng, wanted="ambiguity" in views)
    said = [_Said("ambiguous", 1 - ambiguous[0], ambiguous[1])]
    if around.graph is not None and {"outliers", "poison"} & set(views):
        far = find_outliers(around.graph, groups=around.groups)
        if "outliers" in views:
            said.append(_Said("outlier", far.p_values, far.flagged))
        if "poison" in views:
            # The neighbours of what is far from everything are no witnesses.
            known = suspected | far.flagged
            if around.reviewed is not None:
                known |= np.asarray(around.reviewed, dtype=np.bool_)
            said.append(_poisoned(codes, known, around.graph, around.groups))
    parts = [
        findings_of(
            view.kind, item_ids, codes, view.scores, schema, detector=view.kind, round=round,
            now=now, suggestions=view.suggestions, flagged=view.flagged,
        ).head(shown)
        for view in said
    ]  # fmt: skip
    parts = [part for part in parts if len(part)]
    findings = pd.concat(parts, ignore_index=True) if parts else empty(FINDINGS)
    facts = {
        "neighbours": around.graph is not None,
        "kinds": {view.kind: int(view.flagged.sum()) for view in said if view.flagged.any()},
        "expected": {
            view.kind: float(np.nansum(wrong[view.flagged]))
            for view in said
            if view.kind == "poison" and view.flagged.any() and wrong is not None
        },
        "slices": _slices(suspected, codes, around) if "slices" in views else [],
        "words": _words(suspected, better, codes, around, schema) if "slices" in views else [],
        "attributes": _attributes(codes, around, rng) if "attributes" in views else [],
        "leakage": _leakage(around) if "leakage" in views else [],
        "names": _names(codes, around, schema) if "leakage" in views else [],
        "clumps": _clumps(codes, around, schema) if "poison" in views else [],
    }
    return LookedAt(findings, ambiguous[1], facts)


def _ambiguous(
    codes: IntArray, around: Surroundings, K: int, rng: np.random.Generator, *, wanted: bool
) -> tuple[FloatArray, BoolArray]:
    """Return how likely each item is torn between classes, and of which it is said."""
    N = len(codes)
    nobody = np.zeros(N), np.zeros(N, dtype=np.bool_)
    if around.votes is None or not wanted:
        return nobody
    items, who, said = (np.asarray(part, dtype=np.int64) for part in around.votes)
    voted = np.bincount(items, minlength=N)
    # One vote says nothing of spread; without anybody asked thrice there is none to speak of.
    kept = (voted > 1)[items]
    if not (voted >= _SPREAD).any():
        return nobody
    found = ambiguous_items(items[kept], who[kept], said[kept], n_items=N, n_classes=K, rng=rng)
    return found.probability, found.flagged & (voted >= _SPREAD)


def _poisoned(codes: IntArray, known: BoolArray, graph: NeighbourGraph, groups: ArrayLike) -> _Said:
    """Say which labels the neighbours contradict, and the fitted models have learned."""
    found = _contradicted(codes, graph, groups)
    return _Said("poison", found.scores, found.flagged & ~known, found.suggestions)


def _contradicted(codes: IntArray, graph: NeighbourGraph, groups: ArrayLike) -> NeighbourView:
    return judge_by_neighbours(neighbour_votes(graph, codes, groups), codes)


def _slices(suspected: BoolArray, codes: IntArray, around: Surroundings) -> list[dict[str, Any]]:
    wrong = np.where(codes >= 0, suspected.astype(np.float64), np.nan)
    found = underperforming_slices(wrong, around.attributes)
    names = found.values  # noqa: PD011 - a dataclass's, not pandas'
    return [
        {
            "attribute": str(found.attributes[i]),
            "value": str(names[i]),
            "items": int(found.sizes[i]),
            "suspected": float(found.rates[i]),
            "elsewhere": float(found.rest[i]),
        }
        for i in np.flatnonzero(found.flagged)[:_TABLE]
    ]


def _words(
    suspected: BoolArray,
    better: IntArray | None,
    codes: IntArray,
    around: Surroundings,
    schema: Schema,
) -> list[dict[str, Any]]:
    """Return words with which a class's labels are doubted, by models or by neighbours alone."""
    if around.texts is None:
        return []
    wrong, likelier = suspected, np.full(len(codes), -1) if better is None else better
    if around.graph is not None:
        # Who learned from the labels may have learned a planted word, and suspect none of them.
        near = _contradicted(codes, around.graph, around.groups)
        wrong = suspected | near.flagged
        likelier = np.where(suspected & (likelier >= 0), likelier, near.suggestions)
    found = suspicious_words(around.texts, codes, wrong, likelier)
    rows = []
    for i in np.flatnonzero(found.flagged)[:_TABLE]:
        held = holding(around.texts, str(found.words[i]), np.flatnonzero(codes >= 0))
        so = held[codes[held] == found.codes[i]]
        rows.append({
            "class": schema.classes[found.codes[i]],
            "word": str(found.words[i]),
            "items": int(found.sizes[i]),
            "doubted": float(found.rates[i]),
            "otherwise": float(found.rest[i]),
            "planted": bool(len(so) >= _TELLS * len(held)),
        })  # fmt: skip
    return rows


def _attributes(
    codes: IntArray, around: Surroundings, rng: np.random.Generator
) -> list[dict[str, Any]]:
    found = spurious_attributes(codes, around.attributes, rng=rng)
    order = np.argsort(-found.information, kind="stable")
    return [
        {"attribute": str(found.attributes[i]), "information": float(found.information[i])}
        for i in order[found.flagged[order]][:_TABLE]
    ]


def _leakage(around: Surroundings) -> list[dict[str, Any]]:
    """Count items of each of the owner's splits that have a copy or a relative in another one."""
    if around.splits is None:
        return []
    found = split_leakage(around.splits, around.graph, digests=around.digests, groups=around.groups)
    return [
        {"split": str(found.splits[a]), "other": str(found.splits[b]), "items": int(n)}
        for (a, b), n in np.ndenumerate(found.table)
        if n
    ]


def _names(codes: IntArray, around: Surroundings, schema: Schema) -> list[dict[str, Any]]:
    """Return the classes whose name stands in the texts of their items."""
    if around.texts is None:
        return []
    found = label_in_text(around.texts, codes, schema.classes)
    return [
        {
            "class": schema.classes[k],
            "inside": float(found.inside[k]),
            "outside": float(found.outside[k]),
        }
        for k in np.flatnonzero(found.flagged)
    ]


def _clumps(codes: IntArray, around: Surroundings, schema: Schema) -> list[dict[str, Any]]:
    """Return the classes with a small clump apart: a trigger, or a batch of its own."""
    found = activation_clusters(around.features, codes)
    sizes = np.bincount(codes[codes >= 0], minlength=len(found.smaller))
    with np.errstate(invalid="ignore"):
        clump = (found.smaller <= _CLUMP) & (found.apart >= _APART)
        clump &= found.smaller * sizes >= _FEWEST - 0.5
    return [
        {"class": schema.classes[k], "share": float(found.smaller[k])}
        for k in np.flatnonzero(clump)[:_TABLE]
    ]
