"""One function from a frame with labels to what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ..audit.detect import detect_label_errors
from ..audit.views import look_at_views
from ..errors import UsageError, counted, shown
from ..measure.codes import IntArray
from ..measure.draws import check_rng
from ..ports import NeighbourSearch
from ..schema import Schema
from .columns import Evidence, classes_of, find_column, labels_of, names_of, probs_of
from .known import NO_TIME, Known, readable
from .result import ANNOTATED, LabelCheck, said_of_rows
from .suspicion import LOOK
from .vote_table import VoteTable

__all__ = ["check_labels"]

_VIEWS = ("outliers", "ambiguity", "slices", "leakage")
_SHOWN = 50
_FEW = 10  # Classes that a frame of hardly any rows may have.


def check_labels(
    frame: pd.DataFrame,
    label: str,
    *,
    text: str | None = None,
    image: str | None = None,
    features: Sequence[str] = (),
    probs: Mapping[str, str] | None = None,
    votes: Sequence[str] | pd.DataFrame = (),
    fold: str | None = None,
    out_of_sample: bool = False,
    group: str | None = None,
    key: str | None = None,
    classes: Sequence[str] = (),
    folder: Path | str = ".",
    check_memorised: bool = True,
    search: NeighbourSearch | None = None,
    rng: np.random.Generator | None = None,
) -> LabelCheck:
    """Say which labels of a frame are wrong, by whatever else its columns hold.

    No label set, no settings, nothing stored. What judges a label is named by its column, in any
    combination; models are trained on texts, images and numbers, and never judge a row that they,
    or a near-duplicate of it, learned from.

    Parameters
    ----------
    frame : (N,) frame
    label : str
        Column with the labels; an empty cell is none.
    text, image, features, probs, fold, out_of_sample, group
        As of `Evidence`.
    votes : sequence of str or frame, optional
        Columns as of `Evidence`; or a table of its own, one row a vote, which takes `key`: see
        `VoteTable`.
    key : str, optional
        Column that names a row in what is shown.
    classes : sequence of str, optional
        All classes in their order; by default what labels and votes say, sorted.
    folder : path
        Where paths of images begin.
    check_memorised : bool
        Whether implausibly loyal `probs` are refused.
    search : NeighbourSearch, optional
        Looks for neighbours among more than 50,000 rows; with fewer every pair is compared.
    rng : numpy.random.Generator, optional
        Draws folds, seeds and planted errors; seeded with 0 when left out.

    Raises
    ------
    UsageError
        Nothing to judge by, one class, or probabilities of a model that learned these labels.
    SourceError
        A column that is not there, or a cell that is not what it should be, with its row.

    Examples
    --------
    >>> words = {"fruit": ["apple", "pear", "plum"], "tool": ["saw", "drill", "file"]}
    >>> rows = [(f"{a} and {b} {n}", k) for k, w in words.items() for a in w for b in w
    ...         for n in range(6)]
    >>> frame = pd.DataFrame(rows, columns=["text", "kind"])
    >>> frame.loc[7, "kind"] = "tool"
    >>> found = check_labels(frame, "kind", text="text")
    >>> found.worst(1)[["label", "better", "call"]].to_dict("index")
    {7: {'label': 'tool', 'better': 'fruit', 'call': 'wrong'}}
    """
    if not isinstance(frame, pd.DataFrame):
        raise UsageError(f"expected a pandas DataFrame, found {type(frame).__name__}")
    rng = np.random.default_rng(0) if rng is None else rng
    check_rng(rng)
    table = None
    if isinstance(votes, pd.DataFrame):
        table, votes = VoteTable.of(votes, frame, key, label), ()
    voted = "" if table is None else table.said
    evidence = Evidence(text, image, features, probs, votes, voted, fold, out_of_sample, group)
    evidence.check(frame)
    if label in evidence.columns:
        raise UsageError(f"column {shown(label)} holds the labels; they cannot judge themselves")
    if key is not None:
        find_column(frame, key)
    # An earlier check's words on these rows are no evidence, and are written anew.
    ours = {label, key, *evidence.columns}
    frame = frame.drop(columns=[c for c in ANNOTATED if c in frame.columns and c not in ours])
    named = classes_of(frame, label, votes, classes, () if table is None else table.classes)
    codes = labels_of(frame, label, named)
    place = np.flatnonzero(readable(frame, evidence))
    _refuse_hopeless(codes[place], label)
    schema = Schema("rows", named, media="text" if image is None else "image")
    rows = frame.iloc[place]
    # Matrices this narrow gain nothing by threads, which spin while others want the cores.
    with threadpool_limits(1):
        ballots = None if table is None else table.within(place).codes(named)
        known = Known.of(rows, evidence, label, named, Path(folder), search, ballots)
        found = detect_label_errors(
            codes[place], n_classes=len(named), votes=known.votes,
            features=known.features if known.words is None else known.words,
            embeddings=None if known.words is None else known.features,
            probs=None if probs is None else {"your model": probs_of(rows, probs, named)},
            folds=None if fold is None else names_of(rows, fold).astype(str),
            out_of_sample=out_of_sample, groups=known.groups, graph=known.graph,
            check_memorised=check_memorised, rng=rng,
        )  # fmt: skip
        looked = look_at_views(
            place.astype(str).astype(object), codes[place], found.probability >= LOOK,
            known.surroundings, schema, rng=rng, round=1, now=NO_TIME, views=_VIEWS, shown=_SHOWN,
        )  # fmt: skip
    return LabelCheck(
        rows=said_of_rows(frame.index, codes, place, found, known.disagree(codes[place]), schema),
        frame=frame,
        label=label,
        key=key,
        evidence=evidence,
        schema=schema,
        report=found,
        looked=looked,
        copies=known.copies,
        folder=Path(folder),
    )


def _refuse_hopeless(codes: IntArray, label: str) -> None:
    """Refuse labels of which no model can learn anything: none, or nearly each of its own."""
    given = codes[codes >= 0]
    if not given.size:
        raise UsageError("no row has both a label and something to judge it by")
    different = len(np.unique(given))
    if different > max(given.size / 2, _FEW):
        raise UsageError(
            f"column {shown(label)} holds {counted(different)} different labels in "
            f"{counted(given.size, 'row')}; is it the column of labels?"
        )
