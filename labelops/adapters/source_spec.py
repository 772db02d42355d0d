"""The description of a source: where it is, what its columns mean, how its bytes are read."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labelops.errors import SettingsError, SourceError, shown
from labelops.ingest import Rights
from labelops.ingest.raw import MAX_CELL

from .source_files import Signature

__all__ = ["FORMATS", "SourceSpec", "not_encoded", "with_mark"]

FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"} | {
    ".parquet": "parquet",
    ".pq": "parquet",
}
"""File suffix → format, where the format is not said."""


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
        if kind not in {*FORMATS.values(), "folder"}:
            raise SettingsError(
                f"source {self.name!r}: format {shown(kind)} is not one of csv, jsonl, parquet, "
                "folder; say which with `format`"
            )
        if kind != "folder" and (self.text is None) == (self.image is None):
            raise SettingsError(f"source {self.name!r}: name either a `text` or an `image` column")
        if self.media not in ("text", "image"):
            raise SettingsError(f"source {self.name!r}: media is text or image")
        _check_encoding(self.name, self.encoding)

    @property
    def names(self) -> dict[str, str]:
        """Raw column → the owner's name of it, for messages."""
        called = {"key": self.key, "payload": self.text or self.image, "owner_group": self.group}
        return {raw: name for raw, name in called.items() if name is not None}

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


def not_encoded(encoding: str, content: bytes, start: int) -> str:
    """Say which byte is not of the encoding, and what to do."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return f"this is UTF-16, not {encoding}; save it as UTF-8 or set `encoding = 'utf-16'`"
    return (
        f"byte 0x{content[start]:02x} is not {encoding}; save the file as UTF-8 or say "
        "what it is, e.g. `encoding = 'cp1252'`"
    )
