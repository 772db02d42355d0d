"""Files that are no text, told by how they begin: a PNG or an Excel workbook that ends in .csv."""

from __future__ import annotations

from pathlib import Path

from labelops.errors import SourceError

__all__ = ["SPREADSHEETS", "not_text", "refuse_binary"]

SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".ods")
"""Endings of files that a spreadsheet program writes, and can write as CSV."""

_HEAD = 4096
_SAVE = "save it as CSV or Parquet"
_KINDS = (
    (b"\x89PNG\r\n", "a PNG image", ""),
    (b"\xff\xd8\xff", "a JPEG image", ""),
    (b"GIF8", "a GIF image", ""),
    (b"%PDF-", "a PDF document", ""),
    (b"\x1f\x8b", "a gzip file", "unpack it"),
    (b"\xfd7zXZ\x00", "an xz file", "unpack it"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", "unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file", _SAVE),
    (b"SQLite format 3\x00", "an SQLite database", "export the table as CSV or Parquet"),
    (b"PAR1", "a Parquet file", "let its name end in .parquet"),
    (b"ARROW1\x00\x00", "an Arrow file", "save it as Parquet"),
)
"""How a file begins, what it is, and what makes rows of it; empty where nothing does."""


def not_text(head: bytes, encoding: str = "utf-8") -> str:
    r"""Say what a file is by its first bytes and what to do, where it is no text; else empty.

    Parameters
    ----------
    head : bytes
        The beginning of the file.
    encoding : str
        Of the text that is expected; NUL bytes are a matter of course in UTF-16 and UTF-32.

    Examples
    --------
    >>> not_text(b"\x1f\x8b\x08...")
    'not a text file but a gzip file; unpack it'
    >>> not_text(b"id,text\n1,\xff"), not_text("id,text".encode("utf-16-le"), "utf-16-le")
    ('', '')
    """
    for begins, kind, remedy in (*_KINDS, _zipped(head)):
        if head.startswith(begins):
            return f"not a text file but {kind}; {remedy or 'name a file of rows'}"
    wide = encoding.lower().replace("_", "-").startswith(("utf-16", "utf16", "utf-32", "utf32"))
    # Of two bytes a character, with or without a mark: to be said by whoever knows encodings.
    nuls = head.count(b"\x00")
    if not nuls or wide or head[:2] in (b"\xff\xfe", b"\xfe\xff") or 3 * nuls >= len(head) > 1:
        return ""
    return f"not a text file: byte {head.index(0) + 1:,} is NUL; {_SAVE}"


def _zipped(head: bytes) -> tuple[bytes, str, str]:
    inside = (b"[Content_Types].xml", b"_rels/", b"xl/", b"opendocument.spreadsheet")
    if any(name in head for name in inside):
        return b"PK\x03\x04", "a workbook, as Excel writes it", _SAVE
    return b"PK\x03\x04", "a zip file", "unpack it"


def refuse_binary(path: Path, encoding: str) -> None:
    """Refuse a file that is no text.

    Raises
    ------
    SourceError
        With what it is and what to do.
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        problem = not_text(file.read(_HEAD), encoding)
    if problem:
        raise SourceError(problem, file=str(path))
