"""Parquet: batches of rows in bounded memory, with the types that the file declares."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from labelops.errors import SourceError
from labelops.ingest.raw import too_large
from labelops.ports import RowBlock

from .file_source import FileSource
from .source_rows import Blocks

__all__ = ["ParquetSource"]

_BATCH = 1_000
"""Rows unpacked at once: each may hold a cell of the largest size, in the tiniest file."""

_UNPACKED, _SWELLING = 1_000_000_000, 100
"""Bytes of text that any file may unpack to, and how many times its own size a larger one may."""


class ParquetSource(FileSource):
    """Rows of a Parquet file.

    Parameters
    ----------
    spec : SourceSpec
    """

    def _rows(self, blocks: Blocks) -> Iterator[RowBlock]:
        spec, where = self.spec, str(self.spec.path)
        try:
            with spec.path.open("rb") as handle:
                yield from self._blocks(pq.ParquetFile(handle), blocks)
        except (pa.ArrowException, pa.ArrowInvalid) as error:
            raise SourceError(
                f"not a readable Parquet file ({_one_line(error)}); export it again", file=where
            ) from None
        except SourceError:
            raise
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(
                f"the file cannot be read ({_one_line(error)}); export it again", file=where
            ) from None

    def _blocks(self, file: Any, blocks: Blocks) -> Iterator[RowBlock]:
        spec, row, unpacked = self.spec, 0, 0
        most = max(_UNPACKED, _SWELLING * spec.path.stat().st_size)
        spec.check_columns(file.schema_arrow.names)
        named = [spec.key, spec.text, spec.image, spec.group, *(spec.attributes or ())]
        wanted = None if spec.attributes is None else [n for n in named if n is not None]
        for batch in file.iter_batches(batch_size=_BATCH, columns=wanted):
            size, large = self._sizes(batch)
            unpacked += size
            if unpacked > most:
                raise SourceError(
                    f"unpacked, its texts have more than {most:,} bytes, "
                    f"{unpacked // max(spec.path.stat().st_size, 1):,} times as many as the file: "
                    "one text seems to be repeated very often; export each item once",
                    file=str(spec.path),
                )
            for place, error in sorted(large.items()):
                blocks.add_problem(error, row + place + 1)
            places = [place for place in range(len(batch)) if place not in large]
            # A huge cell never becomes a Python text.
            records = (batch.take(places) if large else batch).to_pylist()
            for place, record in zip(places, records, strict=True):
                block = _added(blocks, row + place + 1, record)
                if block is not None:
                    yield block
            row += len(batch)
        if row == 0:
            raise SourceError("there are no rows in this file", file=str(spec.path))
        yield from blocks.finish()

    def _sizes(self, batch: Any) -> tuple[int, dict[int, SourceError]]:
        """Return how many bytes the batch's texts have, and which rows hold a huge cell."""
        total, large = 0, dict[int, SourceError]()
        for column in batch.schema:
            cells, places = batch.column(column.name), None
            if pa.types.is_dictionary(column.type):
                cells, places = cells.dictionary, cells.indices
            if not _is_long(cells.type):
                continue
            lengths = pc.binary_length(cells)
            lengths = (lengths if places is None else lengths.take(places)).fill_null(0).to_numpy()
            total += int(lengths.sum(dtype="int64"))
            # Bytes here, characters later: a character has at most four bytes.
            for place in (lengths > 4 * self.spec.max_cell).nonzero()[0]:
                problem = too_large(int(lengths[place]), self.spec.max_cell)
                large.setdefault(int(place), SourceError(problem, column=column.name))
        return total, large


def _added(blocks: Blocks, row: int, record: dict[str, object]) -> RowBlock | None:
    """Add a row; return a block when one is full."""
    try:
        cells = _cells(record)
    except SourceError as error:
        blocks.add_problem(error, row, record)
        return None
    return blocks.add(row, cells)


def _cells(record: dict[str, object]) -> dict[str, object]:
    """Return the cells as JSON has them.

    Raises
    ------
    SourceError
        With the column.
    """
    found: dict[str, object] = {}
    for name, cell in record.items():
        try:
            found[name] = _plain(cell)
        except UnicodeDecodeError:
            raise SourceError(
                "holds bytes that are not UTF-8 text; leave the column out, or store texts",
                column=name,
            ) from None
    return found


def _is_long(kind: Any) -> bool:
    types = pa.types
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _plain(cell: object) -> object:
    """Return the cell as JSON has it: times, decimals and UTF-8 bytes as text, NaN as null."""
    if isinstance(cell, bytes):
        return cell.decode()
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    if isinstance(cell, Decimal | timedelta):
        return str(cell)
    if isinstance(cell, dict):
        return {str(name): _plain(inner) for name, inner in cell.items()}
    if isinstance(cell, list | tuple):
        return [_plain(inner) for inner in cell]
    return cell
