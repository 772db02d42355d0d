"""CSV and JSON Lines: every row exactly as it is, or refused with its line."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, TextIO

from labelops.errors import SourceError, counted, shown
from labelops.ingest.raw import too_large
from labelops.ports import RowBlock

from .file_source import FileSource
from .not_text import refuse_binary
from .source_rows import Blocks
from .source_spec import REMEDY, SourceSpec, not_encoded, with_mark

__all__ = ["CsvSource", "JsonlSource", "encoding_problem"]

_ROW_CELLS = 8
"""A row holds at most this many cells of the largest size."""


class _Lines:
    """Lines of a text file in bounded memory: the length since `start_row` is bounded.

    The file's own line endings are kept, whichever they are.
    """

    def __init__(self, file: TextIO, spec: SourceSpec) -> None:
        self._file, self._spec = file, spec
        self._limit = _ROW_CELLS * spec.max_cell
        self._pending = 0
        self.number = 0
        self.first = 1

    def start_row(self) -> None:
        """Take the next line as the first of a row."""
        self._pending, self.first = 0, self.number + 1

    def __iter__(self) -> Iterator[str]:
        read, limit = self._file.readline, self._limit
        while line := read(limit + 1):
            self.number += 1
            self._pending += len(line)
            if self._pending > limit:
                raise _Overlong(line)
            yield line


class _Overlong(Exception):
    """A row is longer than any row may be; carries what was read of its last line."""

    def __init__(self, start: str) -> None:
        super().__init__()
        self.start = start


def _open(spec: SourceSpec) -> TextIO:
    try:
        refuse_binary(spec.path, spec.encoding)
        return spec.path.open(encoding=with_mark(spec.encoding), newline="")
    except OSError as error:
        raise SourceError(
            f"the file cannot be read ({error.strerror}); mend the path", file=str(spec.path)
        ) from None


def encoding_problem(path: Path, encoding: str, remedy: str = REMEDY) -> str | None:
    """Say on which line a file is not of an encoding, with the byte; None if it is.

    Parameters
    ----------
    path : Path
    encoding : str
    remedy : str
        What to do to name the encoding that goes into its braces.
    """
    decoder = codecs.getincrementaldecoder(with_mark(encoding))("strict")
    line = 1
    with path.open("rb") as file:
        try:
            while chunk := file.read(1 << 20):
                line += decoder.decode(chunk).count("\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            if "BOM" in error.reason:  # Python 3.13 on; before, any other `UnicodeError`.
                return _without_mark(encoding)
            before = bytes(error.object[: error.start])
            line += before.decode(encoding, "replace").count("\n")
            problem = not_encoded(encoding, bytes(error.object), error.start, remedy)
            return f"line {line}: {problem}"
        except UnicodeError:
            return _without_mark(encoding)
    return None


def _without_mark(encoding: str) -> str:
    """Say that nothing tells which of a character's two bytes comes first."""
    return f"line 1: it has no byte-order mark; name {encoding}-le or {encoding}-be as its encoding"


def _refuse_encoding(spec: SourceSpec) -> NoReturn:
    """Read the file again to name the line and the byte that are not of the encoding."""
    problem = encoding_problem(spec.path, spec.encoding)
    changed = "the file changed while it was read; try again"
    raise SourceError(problem or changed, file=str(spec.path)) from None


class CsvSource(FileSource):
    """Rows of a CSV file: a header, then as many cells in every row.

    The standard library's reader in its strict mode: faster readers mend ragged rows and
    unclosed quotes, or cannot name the line. Cells are kept as they are; no cell is a number
    or missing because of how it is spelled.

    Parameters
    ----------
    spec : SourceSpec
    """

    def _rows(self, blocks: Blocks) -> Iterator[RowBlock]:
        spec = self.spec
        # Python's bound on a cell is one number for the whole process: only ever raise it.
        csv.field_size_limit(max(csv.field_size_limit(), 2 * _ROW_CELLS * spec.max_cell))
        with _open(spec) as file:
            lines = _Lines(file, spec)
            header: list[str] = []
            try:
                reader = csv.reader(lines, strict=True, delimiter=_delimiter(spec))
                header = next(reader, [])
                if not header:
                    raise _empty(spec)
                spec.check_separated(header, _delimiter(spec))
                spec.check_columns(header)
                yield from self._blocks(reader, lines, header, blocks)
            except UnicodeError:
                _refuse_encoding(spec)
            except csv.Error as error:
                raise _broken(spec, lines, str(error)) from None
            except _Overlong as error:
                raise _overlong(spec, lines, header, error.start) from None

    def _blocks(
        self, reader: Iterator[list[str]], lines: _Lines, header: list[str], blocks: Blocks
    ) -> Iterator[RowBlock]:
        width, row, blank = len(header), 0, 0
        lines.start_row()
        for cells in reader:
            row += 1
            if cells and blank:
                blocks.add_problem(_BLANK, blank)
                blank = 0
            if not cells:
                blank = blank or row
            elif len(cells) != width:
                blocks.add_problem(_ragged(cells, width, lines.first), row)
            else:
                block = blocks.add(row, dict(zip(header, cells, strict=True)))
                if block is not None:
                    yield block
            lines.start_row()
        if row == 0 or blank == 1:
            raise _empty(self.spec)
        yield from blocks.finish()


def _delimiter(spec: SourceSpec) -> str:
    return spec.delimiter or ("\t" if spec.path.suffix.lower() == ".tsv" else ",")


def _empty(spec: SourceSpec) -> SourceError:
    return SourceError("there are no rows in this file", file=str(spec.path))


_BLANK = SourceError("an empty line between the rows; delete it")


def _ragged(cells: list[str], width: int, line: int) -> SourceError:
    return SourceError(
        f"line {line} has {counted(len(cells), 'cell')}, the header has {width}; is a quote or a "
        "delimiter missing?",
        value=",".join(cells),
    )


def _broken(spec: SourceSpec, lines: _Lines, why: str) -> SourceError:
    if "unexpected end" in why:
        why = "a quote is opened and never closed"
    return SourceError(
        f"the row that starts on line {lines.first} is not CSV: {why}; double the quotes inside "
        "a quoted cell",
        file=str(spec.path),
    )


def _overlong(spec: SourceSpec, lines: _Lines, header: list[str], start: str) -> SourceError:
    if lines.number > lines.first:
        return SourceError(
            f"the row that starts on line {lines.first} is longer than "
            f"{_ROW_CELLS * spec.max_cell:,} characters; a quote is probably never closed",
            file=str(spec.path),
        )
    cells = next(csv.reader([start], delimiter=_delimiter(spec)), [""])
    column = header[len(cells) - 1] if 0 < len(cells) <= len(header) else None
    found = f"line {lines.number}: " + too_large(len(cells[-1]), spec.max_cell)
    return SourceError(
        found.replace("holds", "holds more than"), file=str(spec.path), column=column
    )


class JsonlSource(FileSource):
    """Rows of a JSON Lines file: one object a line. Rows are numbered as lines.

    A key that an object lacks is a missing cell; a column that no object of the file has is
    an error. Empty lines are skipped.

    Parameters
    ----------
    spec : SourceSpec
    """

    def _rows(self, blocks: Blocks) -> Iterator[RowBlock]:
        with _open(self.spec) as file:
            lines = _Lines(file, self.spec)
            try:
                yield from self._blocks(lines, blocks)
            except UnicodeError:
                _refuse_encoding(self.spec)
            except _Overlong as error:
                raise SourceError(
                    f"the line is longer than {len(error.start) - 1:,} characters; one cell holds "
                    f"at most {self.spec.max_cell:,}; split the text",
                    file=str(self.spec.path),
                    row=lines.number,
                ) from None

    def _blocks(self, lines: _Lines, blocks: Blocks) -> Iterator[RowBlock]:
        spec = self.spec
        named = [spec.key, spec.text, spec.image, spec.group, *(spec.attributes or ())]
        blank: dict[str, object] = {n: None for n in named if n is not None}
        seen: dict[str, None] = {}
        for line in lines:
            if line.strip():
                try:
                    record = _object(line)
                except SourceError as error:
                    blocks.add_problem(error, lines.number)
                else:
                    seen |= dict.fromkeys(record)
                    block = blocks.add(lines.number, blank | record)
                    if block is not None:
                        yield block
            lines.start_row()
        if not seen and not blocks.bad_rows:
            raise _empty(spec)
        if seen:
            spec.check_columns(list(seen))
        yield from blocks.finish()


def _object(line: str) -> dict[str, object]:
    try:
        record = json.loads(line, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise SourceError(
            f"not JSON: {error.msg} at character {error.colno}; mend the line", value=line.strip()
        ) from None
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"not usable JSON: {str(error).splitlines()[0]}; mend the line", value=line.strip()
        ) from None
    if not isinstance(record, dict):
        raise SourceError(
            f"expected an object like {shown({'text': '…'})} on each line", value=line.strip()
        )
    return record


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON, use null")
