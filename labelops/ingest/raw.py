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


class Problems:
    """The bad rows of one file: the first is reported, all are counted.

    Examples
    --------
    >>> problems = Problems()
    >>> problems.add(SourceError("the text is empty", file="a.csv", row=7, column="text"))
    >>> problems.add(SourceError("the text is empty", file="a.csv", row=3, column="text"))
    >>> problems.raise_first()
    Traceback (most recent call last):
    labelops.errors.SourceError: a.csv, row 3, column 'text': the text is empty (and 1 more problem)
    """

    def __init__(self) -> None:
        self._first: SourceError | None = None
        self._count = 0

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self._count > 0

    def add(self, error: SourceError) -> None:
        """Count a problem; the one of the smallest row is kept."""
        self._count += 1
        if self._first is None or (error.row or 0) < (self._first.row or 0):
            self._first = error

    def extend(self, errors: Iterable[SourceError]) -> None:
        """Count several problems."""
        for error in errors:
            self.add(error)

    def raise_first(self) -> None:
        """Raise the first problem with the count of the others, or return if there are none.

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
        more = counted(others, "more problem")
        whole = SourceError(f"{first} (and {more})")
        whole.file, whole.row, whole.column = first.file, first.row, first.column
        whole.problem, whole.value = first.problem, first.value
        raise whole
