"""What a source hands over: the standard raw columns, and how problems in them are counted."""

from __future__ import annotations

from collections.abc import Iterable

from labelops.errors import SourceError, counted

__all__ = ["MAX_CELL", "RAW_COLUMNS", "Problems", "too_large"]

MAX_CELL = 1_000_000
"""Default bound on the characters of one text cell."""

RAW_COLUMNS = (
    "file",
    "row",
    "key",
    "payload",
    "content",
    "uri",
    "digest",
    "media_type",
    "sketch",
    "owner_group",
    "attributes",
)
"""The columns of a raw frame.

``file``, ``row``
    Where the row came from: the file as the user named it, the row from 1 after any header.
``key``
    The owner's key; ``""`` where the owner's cell is empty, None where there is no key column.
``payload``
    The text, or None for a file.
``content``, ``uri``, ``digest``, ``sketch``
    For a file: its bytes, where they are to be stored (``object:payloads/…``), their SHA-256,
    and the image's near-duplicate sketch. None for a text. `content` may be dropped once stored,
    and is None where the source knows that it is.
``media_type``
    ``text/plain``, ``image/png``, …
``owner_group``
    The owner's own group (user, document), or None.
``attributes``
    The row's other columns as a JSON object, in text.
"""


def too_large(size: int, limit: int) -> str:
    """Say in one line that a cell of `size` characters is over the limit.

    Examples
    --------
    >>> too_large(2_000_000, 1_000_000)
    'one cell holds 2,000,000 characters, at most 1,000,000 are allowed; split the text'
    """
    return f"one cell holds {size:,} characters, at most {limit:,} are allowed; split the text"


_PLACES = 5
"""Rows or files named beside the first problem's."""


class Problems:
    """The bad rows of one file: the first is reported, all are counted, a few more are named.

    Examples
    --------
    >>> problems = Problems()
    >>> problems.add(SourceError("the text is empty", file="a.csv", row=7, column="text"))
    >>> problems.add(SourceError("the text is empty", file="a.csv", row=3, column="text"))
    >>> problems.raise_first()
    Traceback (most recent call last):
    labelops.errors.SourceError: a.csv, row 3, column 'text': the text is empty (and 1 more \
problem: row 7)
    """

    def __init__(self) -> None:
        self._first: SourceError | None = None
        self._rows: set[int] = set()
        self._files: dict[str, None] = {}
        self._count = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def add(self, error: SourceError) -> None:
        """Count a problem; the one of the smallest row is kept."""
        self._count += 1
        if error.row is not None:
            self._rows.add(error.row)
        elif error.file is not None and len(self._files) <= _PLACES + 1:
            self._files[error.file] = None
        if self._first is None or (error.row or 0) < (self._first.row or 0):
            self._first = error

    def extend(self, errors: Iterable[SourceError]) -> None:
        """Count several problems."""
        for error in errors:
            self.add(error)

    def raise_first(self, *, stopped: bool = False) -> None:
        """Raise the first problem with the count of the others, or return if there are none.

        Parameters
        ----------
        stopped : bool
            Whether nobody looked at what comes after them.

        Raises
        ------
        SourceError
            The problem of the smallest row.
        """
        first, others = self._first, self._count - 1
        if first is None:
            return
        if not others:
            raise first
        more = ("at least " if stopped else "") + counted(others, "more problem")
        whole = SourceError(f"{first} (and {more}{self._elsewhere(first)})")
        whole.file, whole.row, whole.column = first.file, first.row, first.column
        whole.problem, whole.value = first.problem, first.value
        raise whole

    def _elsewhere(self, first: SourceError) -> str:
        """Name the first few places of the other problems."""
        rows = [str(row) for row in sorted(self._rows - {first.row})]
        places = rows or [file.rpartition("/")[2] for file in self._files if file != first.file]
        if not places:
            return ""
        what = ("row " if len(places) == 1 else "rows ") if rows else ""
        rest = ", …" if len(places) > _PLACES else ""
        return f": {what}{', '.join(places[:_PLACES])}{rest}"
