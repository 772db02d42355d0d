"""Payloads: what is refused, their digest, and the form in which texts are compared."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import pandas as pd

from labelops.digest import digest_bytes
from labelops.errors import SourceError

from .raw import MAX_CELL, too_large

__all__ = ["normalised", "payload_problems", "problem_of", "text_digest"]


def normalised(text: str) -> str:
    r"""Return the text as duplicates are compared: NFC, case folded, white space single.

    The stored text is never changed.

    Examples
    --------
    >>> normalised("  Cafe\u0301 \n CLOSED ") == normalised("caf\u00e9 closed")
    True
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
        return " ".join(text.split())
    return " ".join(text.lower().split())


def text_digest(text: str) -> str:
    """Return the SHA-256 of the text as UTF-8, 64 hexadecimal characters."""
    return digest_bytes(text.encode("utf-8"))


def problem_of(text: object, max_cell: int = MAX_CELL) -> str | None:
    """Say what makes a text payload unusable, or None.

    Examples
    --------
    >>> problem_of(" "), problem_of("fine")
    ('the text is empty; fill it in or delete the row', None)
    """
    if not isinstance(text, str) or not text.strip():
        return "the text is empty; fill it in or delete the row"
    if len(text) > max_cell:
        return too_large(len(text), max_cell)
    if "\x00" in text:
        return "the text holds a NUL character; is this a binary or UTF-16 file? Save it as UTF-8"
    if not _encodable(text):
        return "the text holds half a surrogate pair, which is not Unicode; mend the export"
    return None


def payload_problems(raw: pd.DataFrame, column: str, max_cell: int) -> Iterator[SourceError]:
    """Yield what is wrong with the texts of a raw frame, by its rows.

    Parameters
    ----------
    raw : raw frame
    column : str
        The owner's name of the column, for messages.
    max_cell : int
    """
    header = raw.attrs.get("header", 0)
    texts = raw.loc[raw["uri"].isna(), ["file", "row", "payload"]]
    for file, row, text in texts.itertuples(index=False):
        problem = problem_of(text, max_cell)
        if problem:
            found = text[:200] if isinstance(text, str) else None
            yield SourceError(
                problem, file=file, row=int(row), column=column, value=found, header=header
            )


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
