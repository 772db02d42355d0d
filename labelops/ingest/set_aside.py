"""Bad rows that are set aside, each by itself, so that all others of their source are taken."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from labelops.errors import SourceError, counted, percent, shown

from .known import none_for_missing
from .rights import Rights

__all__ = ["NAMED", "SetAside", "as_they_were", "set_aside", "with_known"]

NAMED = 20
"""Bad rows of a source that are named; beyond, they are counted."""


class SetAside:
    """Rows of one source that cannot be taken, and what is wrong with the first of them.

    Parameters
    ----------
    most : float in [0, 1]
        Share of a source's rows that may be bad, rounded up to whole rows: with more nothing of
        it is taken, for what is wrong is its export.

    Examples
    --------
    >>> aside = SetAside(0.1)
    >>> aside.add(SourceError("the text is empty", file="a.csv", row=7, column="text"), "k7")
    >>> aside.add(SourceError("the text is empty", file="a.csv", row=3, column="text"), None)
    >>> len(aside), sorted(aside.keys), aside.lines[0]
    (2, ['k7'], "a.csv, row 3, column 'text': the text is empty")
    >>> aside.refuse_too_many(100)
    >>> aside.refuse_too_many(9)
    Traceback (most recent call last):
    labelops.errors.SourceError: a.csv, row 3, column 'text': the text is empty (and 1 more bad \
row, of 9 rows: more than 10 %, so nothing of the source is taken; mend the export, or raise the \
source's `bad_rows`)
    """

    def __init__(self, most: float) -> None:
        self._most = most
        self._places: set[tuple[str | None, int | None]] = set()
        self._named: list[tuple[int, str, str]] = []
        self.keys: set[str] = set()
        """Keys of such rows, as far as they can be read."""

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self._places)

    def __contains__(self, place: object) -> bool:
        """Say whether the row at a place (file, row) is set aside."""
        return place in self._places

    def add(self, error: SourceError, key: str | None) -> None:
        """Set a row aside: at the place that the error names, with its key where it has one."""
        place = (error.file, error.row)
        if place in self._places:
            return
        self._places.add(place)
        if key:
            self.keys.add(key)
        if len(self._named) <= NAMED or (error.row or 0) < self._named[-1][0]:
            self._named.append((error.row or 0, error.file or "", str(error)))
            self._named = sorted(self._named)[: NAMED + 1]

    @property
    def lines(self) -> tuple[str, ...]:
        """What is wrong with each, by row; only the first of many."""
        return tuple(line for _, _, line in self._named[:NAMED])

    def without(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows (with `file` and `row`) that are not set aside."""
        places = [place for place in self._places if place[1] is not None]
        if not places:
            return rows
        at = pd.MultiIndex.from_arrays([rows["file"].astype(object), rows["row"].astype(object)])
        out = at.isin(pd.MultiIndex.from_tuples(places))
        return rows.loc[~out].reset_index(drop=True)

    def refuse_too_many(self, rows: int) -> None:
        """Raise the first problem if more of so many rows are bad than may be.

        Raises
        ------
        SourceError
        """
        others = len(self) - 1
        if others >= math.ceil(self._most * rows):
            more = f"and {counted(others, 'more bad row')}, " if others else ""
            raise SourceError(
                f"{self.lines[0]} ({more}of {counted(rows, 'row')}: more than "
                f"{percent(self._most)}, so nothing of the source is taken; mend the export, or "
                "raise the source's `bad_rows`)"
            )


def set_aside(
    raw: pd.DataFrame, apart: SetAside, problems: Iterable[SourceError], column: str
) -> pd.DataFrame:
    """Add bad rows to those that are set aside, and return the others.

    Which of several rows with one key is meant nobody knows: all of them are set aside.

    Parameters
    ----------
    raw : raw frame
    apart : SetAside
        What the source could not read.
    problems : iterable of SourceError
        What is wrong with rows of the frame.
    column : str
        The owner's name of the column with keys, for messages.
    """
    header, keyed = raw.attrs.get("header", 0), raw["key"].notna()
    twice = keyed & (raw["key"].duplicated(keep=False) | raw["key"].isin(list(apart.keys)))
    keys: dict[tuple[str, int], str] = {}
    for error in problems:
        keys = keys or dict(zip(zip(raw["file"], raw["row"], strict=True), raw["key"], strict=True))
        apart.add(error, keys[error.file or "", error.row or 0])
    for file, row, key in raw.loc[twice, ["file", "row", "key"]].itertuples(index=False):
        problem = f"the key {shown(key)} is used in another row, too; keys must be unique"
        place = {"file": file, "row": int(row), "column": column, "header": header}
        apart.add(SourceError(problem, **place), key)
    return apart.without(raw)


_OWN = ("item_id", "payload", "media_type", "payload_digest", "sketch", "owner_group", "attributes")
"""What a row says of its item; its rights are the source's."""


def as_they_were(
    existing: pd.DataFrame, keys: Iterable[str], source: str, rights: Rights
) -> pd.DataFrame:
    """Return rows of a source's items as they were, for all but its rights.

    What an owner does not allow any more is not allowed for an item whose row is set aside.
    """
    ours = existing["item_id"].isin(list(keys)) & (existing["source"] == source)
    items = existing.loc[ours]
    found = pd.DataFrame({name: none_for_missing(items[name]) for name in _OWN})
    files = [not media.startswith("text/") for media in found["media_type"]]
    return found.assign(source=source, is_file=files, file="", row=0, keyed=True).assign(
        **rights.columns()
    )


def with_known(rows: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return rows, and known items as they were after them."""
    parts = [part for part in (rows, known[rows.columns]) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else rows
