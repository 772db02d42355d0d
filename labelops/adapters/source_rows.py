"""What all file sources share: the description of a source, and rows in standard columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from pathlib import Path

import pandas as pd

from labelops.digest import digest_bytes
from labelops.errors import SettingsError, SourceError, shown
from labelops.ingest import RAW_COLUMNS, Rights
from labelops.ingest.raw import MAX_CELL, Problems, too_large
from labelops.ports import RowBlock

from .source_files import Folder, Signature, read_bounded, settled, signature

__all__ = ["FORMATS", "Blocks", "Record", "SourceSpec", "not_encoded", "with_mark"]

FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"} | {
    ".parquet": "parquet",
    ".pq": "parquet",
}
"""File suffix → format, where the format is not said."""

BLOCK_ROWS = 50_000
BLOCK_BYTES = 32_000_000

Record = Mapping[str, object]
"""One row as it was found: column → cell."""


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


class Blocks:
    """Collects rows into blocks of bounded memory, and the bad rows of a file.

    Parameters
    ----------
    spec : SourceSpec
        The source.
    """

    def __init__(self, spec: SourceSpec) -> None:
        self.spec = spec
        self.problems = Problems()
        self._rows: list[tuple[object, ...]] = []
        self._bytes = 0
        self._encode = json.JSONEncoder(
            sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode
        self._named = {spec.key, spec.text, spec.image, spec.group} - {None}
        self._folder = Folder(spec.path.parent)

    def add(self, row: int, record: Record) -> RowBlock | None:
        """Add a row; returns a block when one is full. A bad row is remembered, not added."""
        try:
            self._rows.append(self._standard(row, record))
        except SourceError as error:
            self.add_problem(error, row)
        return self._full()

    def add_problem(self, error: SourceError, row: int) -> None:
        """Remember what is wrong with a row."""
        self.problems.add(_placed(error, str(self.spec.path), row, None))

    def finish(self) -> Iterator[RowBlock]:
        """Yield the last rows, or raise the file's first problem.

        Raises
        ------
        SourceError
            If any row was bad, or there was none.
        """
        self.problems.raise_first()
        if self._rows:
            yield self._block()

    def add_file(self, row: int, name: str, find: Callable[[], Path]) -> RowBlock | None:
        """Add a file of a folder, found by `find`; its key is its name."""
        try:
            self._rows.append(self._of_folder(row, name, find()))
        except SourceError as error:
            self.problems.add(_placed(error, str(self.spec.path / name), None, None))
        return self._full()

    def _full(self) -> RowBlock | None:
        if self.problems:
            # Nothing of this file will be taken; the rest is read only to count what is bad.
            self._rows, self._bytes = [], 0
        elif len(self._rows) >= BLOCK_ROWS or self._bytes >= BLOCK_BYTES:
            return self._block()
        return None

    def _block(self) -> RowBlock:
        frame = pd.DataFrame(self._rows, columns=list(RAW_COLUMNS), dtype=object)
        frame["row"] = frame["row"].astype("int64")
        frame.attrs["names"] = self.spec.names
        first = int(frame["row"].iloc[0])
        self._rows, self._bytes = [], 0
        return RowBlock(frame, str(self.spec.path), first)

    def _standard(self, row: int, record: Record) -> tuple[object, ...]:
        spec = self.spec
        key = None if spec.key is None else self._text(record, spec.key, "") or ""
        group = None if spec.group is None else self._text(record, spec.group, None) or None
        rest = self._attributes(record)
        if spec.image is not None:
            return (str(spec.path), row, key, *self._image(record, spec.image), group, rest)
        payload = record[str(spec.text)]
        if payload is not None and not isinstance(payload, str):
            raise SourceError("the text is not text; quote it", column=spec.text, value=payload)
        size = len(payload or "")
        if size > spec.max_cell:
            raise SourceError(too_large(size, spec.max_cell), column=spec.text)
        self._bytes += size + len(rest)
        return (
            str(spec.path),
            row,
            key,
            payload,
            None,
            None,
            None,
            "text/plain",
            None,
            group,
            rest,
        )

    def _text(self, record: Record, column: str, missing: str | None) -> str | None:
        cell = record[column]
        if cell is None:
            return missing
        if isinstance(cell, str):
            return cell
        if isinstance(cell, int) and not isinstance(cell, bool):
            return str(cell)
        raise SourceError("expected a text or a whole number", column=column, value=cell)

    def _attributes(self, record: Record) -> str:
        kept = self.spec.attributes
        if kept is None:
            others = {n: v for n, v in record.items() if n not in self._named}
        else:
            others = {n: record[n] for n in kept}
        text = _flat_json(others) if others else "{}"
        if text is None:
            text = self._nested_json(others)
        if len(text) > self.spec.max_cell:
            largest = max(others, key=lambda n: len(str(others[n])))
            raise SourceError(too_large(len(text), self.spec.max_cell), column=largest)
        return text

    def _nested_json(self, others: Record) -> str:
        try:
            return self._encode(others)
        except (ValueError, TypeError) as error:
            raise SourceError(f"the other columns cannot be kept as JSON ({error})") from None

    def _image(self, record: Record, column: str) -> tuple[object, ...]:
        name = record[column]
        if not isinstance(name, str) or not name.strip():
            raise SourceError("the image's path is empty; fill it in", column=column)
        try:
            return self._file(self._folder.find(name))
        except SourceError as error:
            raise _placed(error, None, None, column, name) from None

    def _of_folder(self, row: int, name: str, path: Path) -> tuple[object, ...]:
        place = (str(self.spec.path / name), row, name)
        if self.spec.media == "image":
            return (*place, *self._file(path), None, "{}")
        content = read_bounded(path, 4 * self.spec.max_cell)
        try:
            text = content.decode(with_mark(self.spec.encoding))
        except UnicodeDecodeError as error:
            raise SourceError(not_encoded(self.spec.encoding, content, error.start)) from None
        if len(text) > self.spec.max_cell:
            raise SourceError(too_large(len(text), self.spec.max_cell))
        self._bytes += len(text)
        return (*place, text, None, None, None, "text/plain", None, None, "{}")

    def _file(self, path: Path) -> tuple[object, ...]:
        spec = self.spec
        now = signature(path)
        before, sha = spec.seen.get(str(path), ((), ""))
        if before == now and sha in spec.known:
            return self._known(sha)
        content = read_bounded(path, spec.max_file)
        sha = digest_bytes(content)
        if settled(now):
            spec.seen[str(path)] = (now, sha)
        return self._known(sha) if sha in spec.known else self._stored(content, sha)

    def _known(self, sha: str) -> tuple[object, ...]:
        uri, media_type, sketch = self.spec.known[sha]
        return (None, None, uri, sha, media_type, sketch)

    def _stored(self, content: bytes, sha: str) -> tuple[object, ...]:
        # Texts do without Pillow and what the perceptual hash needs.
        self._bytes += len(content)
        from .images import read_image

        image = read_image(content, self.spec.max_pixels)
        uri = f"object:payloads/{sha[:2]}/{sha}.{image.suffix}"
        return (None, content, uri, sha, image.media_type, image.sketch)


def _flat_json(record: Record) -> str | None:
    """Write an object whose cells are all text; None if one is not. Five times as fast."""
    parts = []
    for name in sorted(record):
        cell = record[name]
        if not isinstance(cell, str):
            return None
        parts.append(f"{encode_basestring(name)}:{encode_basestring(cell)}")
    return "{" + ",".join(parts) + "}"


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


def _placed(
    error: SourceError, file: str | None, row: int | None, column: str | None, value: object = None
) -> SourceError:
    """Return the same problem with its place."""
    return SourceError(
        error.problem,
        file=error.file or file,
        row=error.row or row,
        column=error.column or column,
        value=error.value if error.value is not None else value,
    )
