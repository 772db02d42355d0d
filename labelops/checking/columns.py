"""What a frame's columns bring to a check: labels, probabilities, votes, numbers, groups."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import SchemaError, SourceError, UsageError, counted, shown
from ..measure.codes import IntArray
from ..measure.given import check_flag
from ..schema import check_class

__all__ = [
    "YOURS",
    "Evidence",
    "Model",
    "bad_cell",
    "classes_in",
    "classes_of",
    "filled",
    "find_column",
    "in_order",
    "labels_of",
    "names_of",
    "row_of",
    "votes_of",
]

_CLASSES = 1_000
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")

YOURS = "your model"
Model: TypeAlias = Mapping[str, str] | npt.NDArray[Any]
"""Probabilities: the column of each class, or an array with the classes in their order."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Which columns judge the labels; any combination.

    Parameters
    ----------
    text : str or None
        Texts. Models are trained on them, each held out from what it judges.
    image : str or None
        Paths of image files.
    features : sequence of str
        Numbers, such as an embedding, that were not learned from these labels; a cell holds one, or
        a list of as many as in every row.
    probs : mapping of class to column
        Probabilities of a model of yours that did not see the row.
    models : mapping of name to (N, K) array, or to mapping of class to column
        Those of several models, or without columns: arrays have the classes in their order.
    vectors : mapping of name to (N, D) array
        Numbers without columns, beside `features`.
    votes : sequence of str
        One column an annotator; an empty cell is no vote.
    voted : str
        What is said of votes in a table of their own; empty where there is none.
    fold : str or None
        The fold each row was held out in when `probs` were made.
    out_of_sample : bool
        You declare that the model behind `probs` never saw any of these rows.
    group : str or None
        Rows of one user or document, never split between training and judging.
    """

    text: str | None = None
    image: str | None = None
    features: Sequence[str] = ()
    probs: Mapping[str, str] | None = None
    votes: Sequence[str] = ()
    voted: str = ""
    fold: str | None = None
    out_of_sample: bool = False
    group: str | None = None
    models: Mapping[str, Model] = field(default_factory=dict)
    vectors: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_flag("out_of_sample", self.out_of_sample)
        for name in ("features", "votes"):
            object.__setattr__(self, name, _named(name, getattr(self, name)))
        if isinstance(self.probs, Mapping):
            named = {name_of(of) or "": column for of, column in self.probs.items()}
            object.__setattr__(self, "probs", named)
        if self.probs is not None and not isinstance(self.probs, Mapping):
            raise UsageError(
                "probs: expected the column of each class, such as {'spam': 'p_spam'}, found a "
                f"{type(self.probs).__name__}; put an array into columns of the frame, or give it "
                "to labelops.audit.detect_label_errors"
            )

    @property
    def opinions(self) -> Mapping[str, Model]:
        """All models' probabilities, by what the model is called."""
        return {**({YOURS: self.probs} if self.probs else {}), **self.models}

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns named."""
        single = [c for c in (self.text, self.image, self.fold, self.group) if c is not None]
        scored = [c for m in self.opinions.values() if isinstance(m, Mapping) for c in m.values()]
        return (*single, *self.features, *scored, *self.votes)

    def check(self, frame: pd.DataFrame) -> None:
        """Refuse what no check can be made of.

        Raises
        ------
        UsageError
            Nothing to judge by, two kinds of contents, or probabilities that say not how they
            were held out.
        SourceError
            A column that is not there.
        """
        for column in self.columns:
            find_column(frame, column)
        if self.text is not None and self.image is not None:
            raise UsageError("name either a text or an image column: a row is one of the two")
        judges = (
            self.text,
            self.image,
            *self.features,
            *self.opinions,
            *self.vectors,
            *self.votes,
            self.voted,
        )
        if not any(judges):
            raise UsageError(
                "nothing to judge the labels by: name a column with texts or images, or columns "
                "with probabilities, votes or numbers"
            )
        if self.fold is not None and not self.opinions:
            raise UsageError(
                f"column {shown(self.fold)} says how probabilities were held out (fold), and there "
                "are none: name their columns (probs), or leave it out"
            )
        if self.opinions and self.fold is None and not self.out_of_sample:
            raise UsageError(
                "probabilities of a model that learned from these very labels hide their errors: "
                "say which fold each row was held out in (fold), or that the model never saw these "
                "rows (out-of-sample)"
            )


def _named(what: str, given: Any) -> tuple[str, ...]:
    """Return names of columns; refuse a single one, and the numbers themselves."""
    if isinstance(given, str):
        raise UsageError(f"{what}: expected a list of columns, found {shown(given)}; put it in []")
    if np.ndim(given) != 1:
        raise UsageError(
            f"{what}: expected a list of columns, found a {type(given).__name__} of "
            f"{np.ndim(given)} dimensions; put it into the frame, such as by "
            "frame['numbers'] = list(array), and name that column"
        )
    return tuple(given)


def find_column(frame: pd.DataFrame, column: str) -> pd.Series:
    """Return a column.

    Raises
    ------
    SourceError
        There is none, or there are two.
    """
    if isinstance(column, list | dict | set | np.ndarray | pd.Series):
        raise UsageError(f"expected the name of one column, found a {type(column).__name__}")
    if list(frame.columns).count(column) != 1:
        there = ", ".join(shown(name) for name in list(frame.columns)[:20]) or "none"
        why = "the frame has it twice" if column in frame.columns else f"there are {there}"
        raise SourceError(
            f"there is no such column; {why}", file=frame.attrs.get("file"), column=column
        )
    return frame[column]


def name_of(cell: object) -> str | None:
    """Write a cell as a class's name: whole numbers without a point; None where it is missing.

    Examples
    --------
    >>> name_of(" cat "), name_of(3.0), name_of(True), name_of(float("nan")), name_of("")
    ('cat', '3', 'true', None, None)
    """
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "backslashreplace")
    if isinstance(cell, str):
        return cell.strip() or None
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell)).lower()
    if cell is None or pd.isna(cell):
        return None
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return str(cell)


def names_of(frame: pd.DataFrame, column: str) -> npt.NDArray[np.object_]:
    """Return a column's classes, None where one is missing.

    Raises
    ------
    SourceError
        If a cell holds a list or a mapping.
    """
    cells = find_column(frame, column)
    for n, cell in enumerate(cells):
        if isinstance(cell, list | dict | set | np.ndarray):
            raise bad_cell(frame, n, column, "expected one class in a cell, found several values")
    codes, different = pd.factorize(cells)
    names = np.array([*(name_of(cell) for cell in different), None], dtype=object)
    return np.asarray(names[codes], dtype=object)


def classes_of(
    frame: pd.DataFrame,
    label: str,
    votes: Sequence[str],
    named: Sequence[str] = (),
    voted: Collection[str] = (),
) -> tuple[str, ...]:
    """Return the classes: those named, in their order, else all that labels and votes say, sorted.

    `voted` are the classes that are voted for in a table of its own.

    Raises
    ------
    UsageError
        Fewer than two, or so many that the column cannot be one of classes.
    """
    if isinstance(named, str):
        raise UsageError(f"classes: expected a list of names, found {shown(named)}; put it in []")
    if len(named):
        found = tuple(name_of(name) or "" for name in named)
        twice = [name for name in found if found.count(name) > 1]
        if twice:
            raise UsageError(f"classes: {shown(twice[0])} is named twice")
    else:
        said = set(voted).union(*(classes_in(frame, column) for column in (label, *votes)))
        found = tuple(sorted(said, key=in_order))
    if len(found) < 2:
        raise UsageError(
            f"column {shown(label)} holds {counted(len(found), 'class', 'classes')}; a label can "
            "only be wrong where there are two"
        )
    if len(found) > _CLASSES:
        raise UsageError(
            f"column {shown(label)} holds {counted(len(found))} different labels, more than "
            f"{counted(_CLASSES)}; is it the column of labels?"
        )
    return found


def classes_in(frame: pd.DataFrame, column: str) -> set[str]:
    """Return all classes that a column names.

    Raises
    ------
    SourceError
        A cell that cannot be a class, with its row.

    Examples
    --------
    >>> sorted(classes_in(pd.DataFrame({"kind": ["cat", None, "dog", "cat"]}), "kind"))
    ['cat', 'dog']
    """
    names = names_of(frame, column)
    found = {str(name) for name in names if name is not None}
    for name in sorted(found):
        try:
            check_class(name)
        except SchemaError:
            place = int(np.flatnonzero(names == name)[0])
            problem = "a class has at most 200 characters, all of them printable; mend the cell"
            raise bad_cell(frame, place, column, problem, name) from None
    return found


def in_order(name: str) -> tuple[int, float, str]:
    """Sort numbers by their size, before words.

    Examples
    --------
    >>> sorted(["b", "10.0", "2.0", "-1", "a", "1"], key=in_order)
    ['-1', '1', '2.0', '10.0', 'a', 'b']
    """
    return (0, float(name), name) if _NUMBER.fullmatch(name) else (1, 0.0, name)


def labels_of(frame: pd.DataFrame, column: str, classes: tuple[str, ...]) -> IntArray:
    """Return the code of each label, -1 where there is none.

    Raises
    ------
    SourceError
        A label that is no class, with its row.
    """
    names = names_of(frame, column)
    codes = pd.Index(classes, dtype=object).get_indexer(pd.Index(names, dtype=object))
    missing = np.array([name is None for name in names], dtype=np.bool_)
    unknown = np.flatnonzero((codes < 0) & ~missing)
    if unknown.size:
        row = int(unknown[0])
        known = ", ".join(map(shown, classes[:20]))
        raise bad_cell(frame, row, column, f"not one of the classes {known}", names[row])
    return np.where(missing, -1, codes).astype(np.int64)


def row_of(frame: pd.DataFrame, place: int) -> int:
    """Return the number a reader knows a row by: its own in a file, else its place from 1."""
    named = frame.index[place]
    return int(named) if frame.index.name == "row" else place + 1


def bad_cell(
    frame: pd.DataFrame, place: int, column: str, problem: str, value: object = None
) -> SourceError:
    """Return what is said of a cell that is not what it should be, where a reader finds it."""
    return SourceError(
        problem,
        file=frame.attrs.get("file"),
        row=row_of(frame, place),
        column=column,
        value=value,
        header=int(frame.attrs.get("header", 0)),
    )


def filled(frame: pd.DataFrame, column: str) -> npt.NDArray[np.object_]:
    """Return a column's names where no cell may be empty.

    Raises
    ------
    SourceError
        An empty cell, with its row.
    """
    names = names_of(frame, column)
    empty = np.flatnonzero([name is None for name in names])
    if empty.size:
        problem = "it is empty; fill it in, or leave the row out"
        raise bad_cell(frame, int(empty[0]), column, problem)
    return names


def votes_of(
    frame: pd.DataFrame, columns: Sequence[str], classes: tuple[str, ...]
) -> tuple[IntArray, IntArray, IntArray]:
    """Return rows, annotators and codes of all votes; an annotator is a column."""
    codes = np.stack([labels_of(frame, column, classes) for column in columns], axis=1)
    rows, who = np.nonzero(codes >= 0)
    return rows.astype(np.int64), who.astype(np.int64), codes[rows, who]
