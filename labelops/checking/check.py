"""One function from a frame with labels to what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..measure.draws import check_rng
from ..measure.given import check_function
from ..measure.progress import Progress, untold
from ..ports import NeighbourSearch
from ..tables.brought import Table, as_frame, is_table
from .columns import Evidence
from .question import Question
from .result import LabelCheck

__all__ = ["check_labels"]


def check_labels(
    frame: Table,
    label: str,
    *,
    text: str | None = None,
    image: str | None = None,
    features: Sequence[str] = (),
    probs: Mapping[str, str] | None = None,
    votes: Sequence[str] | Table = (),
    fold: str | None = None,
    out_of_sample: bool = False,
    group: str | None = None,
    key: str | None = None,
    classes: Sequence[str] = (),
    folder: Path | str = ".",
    check_memorised: bool = True,
    search: NeighbourSearch | None = None,
    rng: np.random.Generator | None = None,
    progress: Progress = untold,
) -> LabelCheck:
    """Say which labels of a frame are wrong, by whatever else its columns hold.

    No label set, no settings, nothing stored. What judges a label is named by its column, in any
    combination; models are trained on texts, images and numbers, and never judge a row that they,
    or a near-duplicate of it, learned from.

    Parameters
    ----------
    frame : (N,) DataFrame, Arrow table or dict of columns
        What gives Arrow (polars, duckdb) is an Arrow table; its rows are numbered from 0.
    label : str
        Column with the labels; an empty cell is none.
    text, image, features, probs, fold, out_of_sample, group
        As of `Evidence`.
    votes : sequence of str or table, optional
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
        Looks for neighbours among more than 50,000 rows; with fewer, or without it among up to
        100,000, every pair is compared.
    rng : numpy.random.Generator, optional
        Draws folds, seeds and planted errors; seeded with 0 when left out.
    progress : callable
        Is told how far the work is, as ``(stage, done, parts)``: ``print`` will do.

    Raises
    ------
    UsageError
        No table, nothing to judge by, one class, or probabilities of a model that learned these
        labels.
    SourceError
        A column that is not there, or a cell that is not what it should be, with its row.

    Examples
    --------
    >>> import pandas as pd
    >>> words = {"fruit": ["apple", "pear", "plum"], "tool": ["saw", "drill", "file"]}
    >>> rows = [(f"{a} and {b} {n}", k) for k, w in words.items() for a in w for b in w
    ...         for n in range(6)]
    >>> frame = pd.DataFrame(rows, columns=["text", "kind"])
    >>> frame.loc[7, "kind"] = "tool"
    >>> found = check_labels(frame, "kind", text="text")
    >>> found.worst(1)[["label", "better", "call"]].to_dict("index")
    {7: {'label': 'tool', 'better': 'fruit', 'call': 'wrong'}}
    """
    frame = as_frame("rows", frame)
    if rng is not None:
        check_rng(rng)
    check_function("progress", progress)
    table = as_frame("votes", votes) if is_table(votes) else None
    named: Any = votes if table is None else ()
    evidence = Evidence(
        text, image, features, probs, named,
        fold=fold, out_of_sample=out_of_sample, group=group,
    )  # fmt: skip
    question = Question.of(
        frame, label, evidence, votes=table, key=key, classes=classes, folder=folder,
        check_memorised=check_memorised, progress=progress,
    )  # fmt: skip
    return question.answer(rng, search, progress)
