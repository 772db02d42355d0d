"""Where raw rows come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pandas as pd

from ..errors import SourceError

__all__ = ["BadRow", "RowBlock", "SettingAside", "Source"]


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Some rows of a source, as they were found.

    Parameters
    ----------
    frame : pandas.DataFrame
        Raw rows; text cells are str, a missing cell is None. Columns are the source's own.
    origin : str
        The file the rows came from, as the user named it; goes into messages.
    first_row : int
        Number of the first row in that file, counted from 1 after any header.
    """

    frame: pd.DataFrame
    origin: str
    first_row: int = 1


@runtime_checkable
class Source(Protocol):
    """Where raw rows come from."""

    name: str

    def rows(self) -> Iterator[RowBlock]:
        """Yield all rows in blocks; reading again yields the same.

        Raises
        ------
        SourceError
            For a file or row that cannot be read, with its place.
        """
        ...


BadRow = Callable[[SourceError, str | None], None]
"""Is handed what is wrong with a row, with its place, and the owner's key where it can be read."""


@runtime_checkable
class SettingAside(Source, Protocol):
    """A source that can go on where a row of it cannot be read."""

    def rows_but(self, bad: BadRow) -> Iterator[RowBlock]:
        """Yield the rows that `rows` would, but for those that cannot be read.

        Each of these is handed to `bad` before the reading ends.

        Raises
        ------
        SourceError
            For a file that cannot be read at all, or has no rows.
        """
        ...
