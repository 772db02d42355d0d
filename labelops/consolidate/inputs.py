"""What a user hands to `consolidate`, checked once: votes, items, a model's probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import TableError, UsageError, shown
from ..measure.codes import BoolArray, FloatArray
from ..measure.ordering import unsorted_pair
from ..measure.votes import check_weights
from ..tables.brought import Table, as_frame, is_table

__all__ = [
    "GivenVotes",
    "VoteTable",
    "distinct",
    "listed",
    "model_probs",
    "read_probs",
    "read_votes",
]

_COLUMNS = {
    "item": ("item", "item_id", "task"),
    "annotator": ("annotator", "annotator_id", "worker"),
    "label": ("label", "value", "code"),
    "weight": ("weight",),
    "saw": ("saw_proposal",),
}
_NEEDED = ("item", "annotator", "label")

VoteTable: TypeAlias = "Table | tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]"


@dataclass(frozen=True, slots=True)
class GivenVotes:
    """V votes that say something, as columns.

    Attributes
    ----------
    items, annotators, labels : (V,) Series
        Indexed by the row each vote came in; None is missing.
    weights : (V,) float or None
    saw : (V,) bool or None
    """

    items: pd.Series[Any]
    annotators: pd.Series[Any]
    labels: pd.Series[Any]
    weights: FloatArray | None
    saw: BoolArray | None


def read_votes(votes: VoteTable) -> GivenVotes:
    """Take the columns of a table of votes, or three arrays; rows without a label are left out.

    Raises
    ------
    TableError
        A column is missing or there twice, or a vote names no item or annotator.
    UsageError
        Neither a table nor three flat arrays of one length.

    Examples
    --------
    >>> given = read_votes(([7, 7, 8], ["x", "y", "x"], ["cat", None, "dog"]))
    >>> given.items.tolist(), given.labels.tolist()
    ([7, 8], ['cat', 'dog'])
    """
    table = _columns(votes)
    table = table.loc[table["label"].notna()]  # Rows keep the numbers they had: errors name them.
    for name in ("item", "annotator"):
        if table[name].isna().any():
            row = table.index[table[name].isna()][0]
            raise TableError("votes", [f"row {row} has no {name}; every vote needs one"])
    return GivenVotes(
        table["item"],
        table["annotator"],
        table["label"],
        _numbers(table["weight"]) if "weight" in table else None,
        _yes_or_no(table["saw"]) if "saw" in table else None,
    )


def _columns(votes: VoteTable) -> pd.DataFrame:
    """Give the table our column names."""
    if isinstance(votes, tuple):
        if len(votes) != 3:
            raise UsageError(
                "votes: expected a table, or items, annotators and labels; found "
                f"{len(votes)} of them"
            )
        votes = dict(zip(_NEEDED, votes, strict=True))
    frame = as_frame("votes", votes, "a tuple (items, annotators, labels)")
    found: dict[str, pd.Series[Any]] = {}
    for name, among in _COLUMNS.items():
        column = next((c for c in among if c in frame.columns), None)
        if column is not None:
            values = frame[column]
            if isinstance(values, pd.DataFrame):
                raise TableError("votes", [f"column {column} is there twice"])
            found[name] = values.reset_index(drop=True)
        elif name in _NEEDED:
            raise TableError(
                "votes", [f"no column {' or '.join(among)}; found {shown(list(frame.columns))}"]
            )
    return pd.DataFrame(found)


def _numbers(values: pd.Series[Any]) -> FloatArray:
    found = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.flatnonzero(np.isnan(found))
    if bad.size:
        row, said = values.index[bad[0]], shown(values.iloc[bad[0]])
        raise TableError("votes", [f"row {row}: weight is {said}, no number"])
    by_row = np.zeros(int(values.index.max()) + 1 if len(values) else 0)
    by_row[values.index.to_numpy()] = found  # Errors name the row as it was given.
    check_weights(by_row)
    return np.asarray(found)


def _yes_or_no(values: pd.Series[Any]) -> BoolArray:
    """Read true and false, also as 1 and 0; "no" would count as true, and nothing as false."""
    good = values.isin([True, False]).to_numpy()
    if not good.all():
        bad = np.flatnonzero(~good)[0]
        row, said = values.index[bad], shown(values.iloc[bad])
        raise TableError("votes", [f"row {row}: saw_proposal is {said}, expected true or false"])
    return np.asarray(values.astype(bool), dtype=np.bool_)


def distinct(name: str, values: pd.Series[Any]) -> pd.Index[Any]:
    """Return each value once, sorted; of several types, numbers come before strings.

    Raises
    ------
    TableError
        A value cannot be told from others, as a list cannot; or no order is known of two, such as
        of a number and a day.

    Examples
    --------
    >>> distinct("item", pd.Series(["b", 2, "a", 2])).tolist()
    [2, 'a', 'b']
    """
    try:
        once = values.unique()
    except TypeError as problem:
        row, said = next((i, shown(v)) for i, v in values.items() if v.__hash__ is None)
        raise TableError(
            "votes", [f"row {row}: {name} is {said}; expected a number or a string"]
        ) from problem
    try:
        return pd.Index(np.sort(once))
    except TypeError:
        several = np.asarray(once, dtype=object)
    try:
        return pd.Index(pd.factorize(several, sort=True)[1])
    except TypeError as problem:
        pair = unsorted_pair(values.dropna().items())
        raise TableError("votes", [f"{name}: {pair}"]) from problem


def listed(name: str, given: Any) -> pd.Index[Any]:
    """Return what was listed, in its order.

    Raises
    ------
    UsageError
        It is no list (a set has no order), or something is listed twice, or missing.

    Examples
    --------
    >>> listed("class", ["dog", "cat"]).tolist()
    ['dog', 'cat']
    """
    if isinstance(given, str | bytes | set | frozenset) or not np.iterable(given):
        raise UsageError(f"{name}: expected a list of them, found {shown(given)}")
    index = pd.Index(given)
    if not index.is_unique:
        raise UsageError(f"{name} {shown(index[index.duplicated()][0])} is listed twice")
    if index.isna().any():
        raise UsageError(
            f"{name} {int(np.flatnonzero(index.isna())[0])} of those listed is missing"
        )
    return index


def read_probs(probs: Any) -> Any:
    """Give a table of probabilities that has no index, as Arrow's have none, its items for one.

    Raises
    ------
    UsageError
        It is a table without a column of items.

    Examples
    --------
    >>> read_probs({"item": ["i"], "cat": [0.9], "dog": [0.1]}).loc["i"].tolist()
    [0.9, 0.1]
    """
    if isinstance(probs, pd.DataFrame) or not is_table(probs):
        return probs
    frame = as_frame("probs", probs)
    column = next((c for c in _COLUMNS["item"] if c in frame.columns), None)
    if column is None:
        among, found = " or ".join(_COLUMNS["item"]), shown(list(frame.columns))
        raise UsageError(f"probs: no column {among} says whose they are; found {found}")
    return frame.set_index(column)


def model_probs(probs: Any, known: pd.Index[Any], names: pd.Index[Any]) -> FloatArray:
    """Order a model's probabilities by item and class, (N, K); NaN rows where it says nothing.

    Rows in half precision sum to 1 only nearly; all are made to.

    Raises
    ------
    UsageError
        They are of another shape, not probabilities, or there twice.

    Examples
    --------
    >>> model_probs(np.array([[0.9, 0.1]], dtype=np.float16), pd.Index(["i"]), pd.Index([0, 1])
    ...             ).round(3).tolist()
    [[0.9, 0.1]]
    """
    if isinstance(probs, pd.DataFrame):
        missing = names[~names.isin(probs.columns)]
        if len(missing):
            raise UsageError(f"probs: no column for class {shown(missing[0])}")
        for what, index in (("item", probs.index), ("class", probs.columns)):
            if not index.is_unique:
                twice = shown(index[index.duplicated()][0])
                raise UsageError(f"probs: {what} {twice} is there twice")
        probs = probs.reindex(index=known, columns=names).to_numpy()
    try:
        array = np.asarray(probs, dtype=np.float64)
    except (TypeError, ValueError) as problem:
        raise UsageError(f"probs: expected numbers; {problem}") from problem
    if array.shape != (len(known), len(names)):
        raise UsageError(
            f"probs: shape {array.shape}, expected {(len(known), len(names))} (items, classes)"
        )
    said = array[~np.isnan(array).all(axis=1)]
    if said.size and not (np.isfinite(said).all() and (said >= 0).all()):
        raise UsageError("probs: a value is negative or missing; a row is all NaN or none")
    if said.size and np.abs(said.sum(axis=1) - 1).max() > 1e-3:
        raise UsageError("probs: rows must sum to 1; normalise them first")
    return np.asarray(array / array.sum(axis=1, keepdims=True))
