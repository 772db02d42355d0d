"""What a table promises: its key, its columns, and what a cell of each may hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Column", "TableSpec"]

_PANDAS = {
    "text": "object",
    "json": "object",
    "floats": "object",
    "int": "int64",
    "int?": "Int64",
    "float": "float64",
    "bool": "bool",
    "bool?": "boolean",
    "time": "datetime64[us, UTC]",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column's contract.

    Parameters
    ----------
    name : str
        The column.
    type : {"text", "json", "floats", "int", "float", "bool", "time"}
        What a cell holds; `json` is canonical JSON text, `floats` a list of numbers.
    nullable : bool
        Whether a cell may be missing (None, NaN, NaT). A missing `float` is NaN.
    among : tuple of str
        The only values allowed, or empty for any.
    low, high : float
        Bounds of a number, inclusive.
    meaning : str
        What the column says, in one line.
    """

    name: str
    type: str
    nullable: bool = False
    among: tuple[str, ...] = ()
    low: float = -np.inf
    high: float = np.inf
    meaning: str = ""

    @property
    def pandas(self) -> str:
        """The pandas dtype of this column."""
        nullable_key = f"{self.type}?"
        key = nullable_key if self.nullable and nullable_key in _PANDAS else self.type
        return _PANDAS[key]


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table's contract: its key, the column that says which row is newest, and its columns.

    Parameters
    ----------
    name : str
        The table.
    key : tuple of str
        The columns that say which rows are about the same thing.
    columns : tuple of Column
        All columns, in order.
    revision : str or None
        The column whose largest value wins among rows of one key; None if a key has one row only.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    revision: str | None = None

    @property
    def names(self) -> list[str]:
        """The column names in order."""
        return [c.name for c in self.columns]

    def __getitem__(self, name: str) -> Column:
        """Return a column by name."""
        return next(c for c in self.columns if c.name == name)
