"""What is refused before anything is judged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..audit.in_sample import split_rows, too_many_split
from ..errors import SourceError, UsageError, counted, shown
from ..measure.codes import BoolArray, IntArray
from .columns import Evidence, find_column, row_of

__all__ = ["check_columns", "parted", "refuse_hopeless"]

_FEW = 10  # Classes that a frame of hardly any rows may have.


def check_columns(frame: pd.DataFrame, label: str, key: str | None, evidence: Evidence) -> None:
    """Refuse what the names of the columns show that no check can be made of; reads no cell.

    Raises
    ------
    UsageError
        As `Evidence.check`, or labels that would judge themselves.
    SourceError
        A column that is not there.

    Examples
    --------
    >>> header = pd.DataFrame(columns=["text", "kind"])
    >>> check_columns(header, "kind", None, Evidence(text="text"))
    """
    find_column(frame, label)
    evidence.check(frame)
    if label in evidence.columns:
        raise UsageError(f"column {shown(label)} holds the labels; they cannot judge themselves")
    if key is not None:
        find_column(frame, key)


def refuse_hopeless(codes: IntArray, label: str) -> None:
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


def parted(rows: pd.DataFrame, column: str, folds: Any, groups: Any) -> BoolArray:
    """Say which rows lie in another fold than a copy: their probabilities were learned from it.

    Raises
    ------
    SourceError
        They are many: then folds were drawn without a look at copies.
    """
    split = split_rows(folds, groups)
    if too_many_split(split):
        first = pd.Series(folds).groupby(pd.Series(groups)).transform("first")
        row = int(np.flatnonzero(first.to_numpy() != folds)[0])
        other = int(np.flatnonzero(groups == groups[row])[0])
        raise SourceError(
            f"row {row_of(rows, other)} is its copy or of its group and lies in another fold, so "
            "the model behind this row's probabilities had seen it, and so it is with "
            f"{int(split.sum()):,} of {counted(len(split), 'row')}; keep copies in one fold and "
            "predict anew, or judge without these probabilities",
            file=rows.attrs.get("file"),
            row=row_of(rows, row),
            column=column,
            value=folds[row],
            header=int(rows.attrs.get("header", 0)),
        )
    return split
