"""What all file sources share: rows in standard columns, in blocks, and the bad ones named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from json.encoder import encode_basestring
from pathlib import Path

import pandas as pd

from labelops.digest import digest_bytes
from labelops.errors import SourceError
from labelops.ingest import RAW_COLUMNS
from labelops.ingest.raw import Problems, too_large
from labelops.ports import BadRow, RowBlock

from .not_text import not_text
from .source_files import Folder, read_bounded, settled, signature
from .source_spec import FOLDER, SourceSpec, not_encoded, with_mark

__all__ = ["Blocks", "Record"]

BLOCK_ROWS = 50_000
BLOCK_BYTES = 32_000_000

Record = Mapping[str, object]
"""One row as it was found: column → cell."""


class Blocks:
    """Collects rows into blocks of bounded memory, and the bad rows of a file.

    Parameters
    ----------
    spec : SourceSpec
        The source.
    bad : callable, optional
        Is handed bad rows, and all others are collected. Without it there are no others: the first
        bad row is raised at the end.
    """

    def __init__(self, spec: SourceSpec, bad: BadRow | None = None) -> None:
        self.spec = spec
        self.problems = Problems()
        self.bad_rows = 0
        self._bad = bad
        self._rows: list[tuple[object, ...]] = []
        self._bytes = 0
        self._encode = json.JSONEncoder(
            sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode
        self._named = {spec.key, spec.text, spec.image, spec.group} - {None}
        self._folder = Folder(spec.path.parent)
        self._header = 1 if spec.format == "csv" else 0

    def add(self, row: int, record: Record) -> RowBlock | None:
        """Add a row; returns a block when one is full. A bad row is remembered, not added."""
        try:
            self._rows.append(self._standard(row, record))
        except SourceError as error:
            placed = _placed(error, str(self.spec.path), row, None, header=self._header)
            self._remember(placed, self._key(record))
        return self._full()

    def add_problem(self, error: SourceError, row: int, record: Record | None = None) -> None:
        """Remember what is wrong with a row, of which there may be a record nevertheless."""
        key = None if record is None else self._key(record)
        self._remember(_placed(error, str(self.spec.path), row, None), key)

    def _remember(self, error: SourceError, key: str | None) -> None:
        self.bad_rows += 1
        if self._bad is None:
            self.problems.add(error)
        else:
            self._bad(error, key)

    def _key(self, record: Record) -> str | None:
        try:
            return None if self.spec.key is None else self._text(record, self.spec.key, None)
        except SourceError:
            return None  # that is what is wrong with it

    def finish(self, *, stopped: bool = False) -> Iterator[RowBlock]:
        """Yield the last rows, or raise the file's first problem.

        Parameters
        ----------
        stopped : bool
            Whether what comes after the problems was not looked at.

        Raises
        ------
        SourceError
            If any row was bad, or there was none.
        """
        self.problems.raise_first(stopped=stopped)
        if self._rows:
            yield self._block()

    def add_file(self, row: int, name: str, find: Callable[[], Path]) -> RowBlock | None:
        """Add a file of a folder, found by `find`; its key is its name."""
        try:
            self._rows.append(self._of_folder(row, name, find()))
        except SourceError as error:
            self._remember(_placed(error, str(self.spec.path / name), None, None), name)
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
        frame.attrs["header"] = self._header
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
        payload = None if spec.text is None else record[spec.text]
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
            return (*place, *self._file(path), None, self._of_place(name))
        content = read_bounded(path, 4 * self.spec.max_cell)
        try:
            text = content.decode(with_mark(self.spec.encoding))
        except UnicodeDecodeError as error:
            problem = not_text(content, self.spec.encoding)
            raise SourceError(
                problem or not_encoded(self.spec.encoding, content, error.start)
            ) from None
        if len(text) > self.spec.max_cell:
            raise SourceError(too_large(len(text), self.spec.max_cell))
        self._bytes += len(text)
        return (*place, text, None, None, None, "text/plain", None, None, self._of_place(name))

    def _of_place(self, name: str) -> str:
        """Return what a file's place says: the folder it lies in, where that is one of several."""
        *above, _ = name.split("/")
        kept = self.spec.attributes
        if not above or (kept is not None and FOLDER not in kept):
            return "{}"
        return self._nested_json({FOLDER: above[-1]})

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


def _placed(
    error: SourceError,
    file: str | None,
    row: int | None,
    column: str | None,
    value: object = None,
    header: int = 0,
) -> SourceError:
    """Return the same problem with its place."""
    return SourceError(
        error.problem,
        file=error.file or file,
        row=error.row or row,
        column=error.column or column,
        value=error.value if error.value is not None else value,
        header=header,
    )
