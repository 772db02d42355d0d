"""The description of a source: where it is, what its columns mean, how its bytes are read."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labelops.errors import SettingsError, SourceError, shown
from labelops.ingest import Rights
from labelops.ingest.raw import MAX_CELL

from .not_text import SPREADSHEETS
from .source_files import Signature

__all__ = [
    "FOLDER",
    "FORMATS",
    "REMEDY",
    "SourceSpec",
    "not_encoded",
    "other_delimiter",
    "with_mark",
]

FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"} | {
    ".parquet": "parquet",
    ".pq": "parquet",
}
"""File suffix → format, where the format is not said."""

FOLDER = "folder"
"""Attribute of a file in a folder of files: the subfolder it lies in."""


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """Where rows come from and what their columns mean.

    Parameters
    ----------
    name : str
        The source's name; items carry it.
    path : Path
        A file, or a folder of files.
    format : {"csv", "jsonl", "parquet", "folder"} or None
        None: by the path.
    key : str or None
        The column with the owner's key. None: items are identified by their content. In a
        folder the key is always the file's path.
    text : str or None
        The column with the text.
    image : str or None
        The column with an image file's path, relative to the source's folder.
    group : str or None
        The column with the owner's group (user, document).
    attributes : tuple of str or None
        Other columns to keep; None: all.
    whole : bool
        Every column is kept as it is, and none is the item: no `text` or `image` is named.
    media : {"text", "image"}
        What the files of a folder are.
    suffixes : tuple of str or None
        Read only the folder's files with these suffixes; None: all, and one that is not of
        `media` is an error. Names that start with a dot are never read.
    encoding : str
        Of CSV and text files. A byte order mark is accepted.
    delimiter : str or None
        Of CSV files; None: a tab for ``.tsv``, else a comma.
    max_cell : int
        Largest cell, in characters.
    max_file : int
        Largest image file, in bytes.
    max_pixels : int
        Largest image.
    rights : Rights
        What the owner allows.
    known : mapping of SHA-256 to (URI, media type, sketch)
        Images taken in before: they are compared by digest, not decoded again, and their rows
        come without `content`.
    seen : mapping of path to (signature, SHA-256)
        Files read before: those of `known` content are not read again while their signature
        is the same. Reading adds to it.

    Raises
    ------
    SettingsError
        If the parts do not fit together.
    """

    name: str
    path: Path
    format: str | None = None
    key: str | None = None
    text: str | None = None
    image: str | None = None
    group: str | None = None
    attributes: tuple[str, ...] | None = None
    whole: bool = False
    media: str = "text"
    suffixes: tuple[str, ...] | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None
    max_cell: int = MAX_CELL
    max_file: int = 50_000_000
    max_pixels: int = 50_000_000
    rights: Rights = field(default_factory=Rights)
    known: Mapping[str, tuple[str, str, str | None]] = field(
        default_factory=dict, repr=False, compare=False
    )
    seen: MutableMapping[str, tuple[Signature, str]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))
        kind = self.format or _format_of(self.path)
        object.__setattr__(self, "format", kind)
        if kind is None:
            raise SettingsError(_unread(self.name, self.path))
        if kind not in {*FORMATS.values(), "folder"}:
            raise SettingsError(
                f"source {self.name!r}: format {shown(kind)} is not one of csv, jsonl, parquet, "
                "folder; say which with `format`"
            )
        named = [column for column in (self.text, self.image) if column is not None]
        if kind != "folder" and len(named) != (0 if self.whole else 1):
            raise SettingsError(f"source {self.name!r}: name either a `text` or an `image` column")
        if self.media not in ("text", "image"):
            raise SettingsError(f"source {self.name!r}: media is text or image")
        _check_encoding(self.name, self.encoding)
        _check_delimiter(self.name, self.delimiter)
        for suffix in self.suffixes or ():
            if not suffix.startswith(".") or suffix != suffix.lower():
                raise SettingsError(
                    f"source {self.name!r}: suffix {shown(suffix)} is not like '.txt': a dot, then "
                    "small letters"
                )

    @property
    def names(self) -> dict[str, str]:
        """Raw column → the owner's name of it, for messages."""
        called = {"key": self.key, "payload": self.text or self.image, "owner_group": self.group}
        return {raw: name for raw, name in called.items() if name is not None}

    def check_separated(self, header: Sequence[str], delimiter: str) -> None:
        """Refuse a CSV header of one cell that looks like several, where no delimiter is named.

        Raises
        ------
        SourceError
            With the delimiter that it seems to have.
        """
        seems = other_delimiter(header, delimiter)
        if self.delimiter is None and seems:
            raise SourceError(
                f"the header is one column, {shown(header[0])}: its cells seem to be separated by "
                f"{shown(seems)}; set `delimiter = {json.dumps(seems)}`, or `delimiter = "
                f"{json.dumps(delimiter)}` if it is one",
                file=str(self.path),
            )

    def check_columns(self, found: Sequence[str]) -> None:
        """Refuse a file that lacks a column that was named, or names one twice.

        Raises
        ------
        SourceError
            With the columns that are there.
        """
        twice = sorted({name for name in found if list(found).count(name) > 1})
        if twice:
            raise SourceError(
                "the header names this column twice; rename one",
                file=str(self.path),
                column=twice[0],
            )
        named = [self.key, self.text, self.image, self.group, *(self.attributes or ())]
        for column in named:
            if column is not None and column not in found:
                there = ", ".join(shown(name) for name in list(found)[:20]) or "none"
                raise SourceError(
                    f"there is no such column; there are {there}",
                    file=str(self.path),
                    column=column,
                )


def other_delimiter(header: Sequence[str], delimiter: str) -> str:
    r"""Return what seems to separate the cells of a header that was read as one; "" if nothing.

    Examples
    --------
    >>> other_delimiter(["id;text"], ","), other_delimiter(["id\ttext"], ",")
    (';', '\t')
    >>> other_delimiter(["text"], ","), other_delimiter(["id", "a;b"], ",")
    ('', '')
    """
    if len(header) != 1:
        return ""
    return next((d for d in (";", "\t", ",") if d != delimiter and d in header[0]), "")


def _unread(name: str, path: Path) -> str:
    if not path.exists():
        return f"source {name!r}: there is no file or folder {path}; mend the path"
    known = ", ".join(FORMATS)
    ending = path.suffix or "a name without an ending"
    if ending.lower() in SPREADSHEETS:
        return f"source {name!r}: {path}: a spreadsheet; save it as CSV or Parquet"
    return (
        f"source {name!r}: {path}: {ending} is not read; save it as one of {known}, or, if it is "
        "one, say which with `format`"
    )


def _check_delimiter(name: str, delimiter: str | None) -> None:
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '\r\n"\0 '):
        raise SettingsError(
            f"source {name!r}: delimiter {shown(delimiter)} is not one character between cells, "
            "such as ',', ';' or a tab"
        )


def _format_of(path: Path) -> str | None:
    return "folder" if path.is_dir() else FORMATS.get(path.suffix.lower())


def _check_encoding(name: str, encoding: str) -> None:
    try:
        "".encode(encoding)
    except LookupError:
        raise SettingsError(f"source {name!r}: encoding {shown(encoding)} is not known") from None


def with_mark(encoding: str) -> str:
    """Return the encoding that also accepts a byte order mark."""
    return "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding


REMEDY = "set `encoding = '{}'`"
"""How a source is told its encoding."""


def not_encoded(encoding: str, content: bytes, start: int, remedy: str = REMEDY) -> str:
    """Say which byte is not of the encoding, and what to do: `remedy` names another."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return f"this is UTF-16, not {encoding}; save it as UTF-8 or {remedy.format('utf-16')}"
    return (
        f"byte 0x{content[start]:02x} is not {encoding}; save the file as UTF-8, or "
        f"{remedy.format('cp1252')} if it is that"
    )
