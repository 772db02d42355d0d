"""Probabilities in Parquet or Arrow files, read a block at a time for `labelops.audit`.

A file keeps a row's probabilities in one list column or in one number column a class. A Parquet
row group, or an Arrow record batch, is one block: at most one is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from labelops.errors import TableError, UsageError

__all__ = ["ArrowProbs", "open_probs"]


class ArrowProbs:
    """A file's probabilities as `labelops.audit.ProbBlocks`.

    Parameters
    ----------
    read : callable
        Reads block `number` as a table.
    sizes : sequence of int
        How many rows each block has.
    columns : sequence of str
        One list column, or one number column a class.
    name : str
        The file, for errors.
    """

    def __init__(
        self,
        read: Callable[[int], pa.Table],
        sizes: Sequence[int],
        columns: Sequence[str],
        name: str,
    ) -> None:
        self._read = read
        self._columns = list(columns)
        self._name = name
        kept = [number for number, size in enumerate(sizes) if size]
        self._numbers = kept
        ends = np.cumsum([0, *(sizes[number] for number in kept)])
        self.starts: Sequence[int] = ends[:-1].tolist()
        classes = self.block(0).shape[1] if kept else max(len(self._columns), 1)
        self.shape = (int(ends[-1]), classes)

    def block(self, number: int) -> NDArray[Any]:
        """Read one block, (rows, K).

        Raises
        ------
        TableError
            A value is missing, a row has another number of classes, or it holds no floats.
        """
        table = self._read(self._numbers[number])
        parts = [_one(table.column(name), f"{self._name}: {name}") for name in self._columns]
        if len(parts) == 1 and parts[0].ndim == 2:
            return parts[0]
        if any(part.ndim != 1 for part in parts):
            raise UsageError(f"{self._name}: expected one list column or one column a class")
        return np.column_stack(parts)


def _one(column: pa.ChunkedArray, where: str) -> NDArray[Any]:
    """Turn a column into an array: (rows,) of numbers, (rows, K) of lists."""
    if column.null_count:
        raise TableError("probs", [f"{where}: {column.null_count} values are missing"])
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks == 1 else pa.concat_arrays(array.chunks)
    lists = pa.types.is_list(array.type) or pa.types.is_large_list(array.type)
    width = array.type.list_size if pa.types.is_fixed_size_list(array.type) else None
    if lists:
        lengths = np.asarray(array.value_lengths())
        width = int(lengths[0])
        bad = np.flatnonzero(lengths != width)
        if bad.size:
            problem = f"row {bad[0]} of its block: {lengths[bad[0]]} numbers, expected {width}"
            raise TableError("probs", [f"{where}, {problem}"])
    values = array if width is None else array.flatten()
    if not pa.types.is_floating(values.type):
        raise TableError(
            "probs", [f"{where}: expected floating-point numbers, found {values.type}"]
        )
    if values.null_count:
        raise TableError("probs", [f"{where}: {values.null_count} values are missing"])
    flat = values.to_numpy(zero_copy_only=False)
    return np.asarray(flat if width is None else flat.reshape(-1, width))


def open_probs(path: Path | str, columns: str | Sequence[str] = "probs") -> ArrowProbs:
    """Open a Parquet (``.parquet``) or Arrow (``.arrow``, ``.feather``) file of probabilities.

    Parameters
    ----------
    path : path-like
    columns : str or sequence of str
        The list column, or one column a class in the classes' order.

    Raises
    ------
    UsageError
        There is no such file or column, or the suffix is another one.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"{file}: no such file")
    names = [columns] if isinstance(columns, str) else list(columns)
    openers = {".parquet": _parquet, ".arrow": _arrow, ".feather": _arrow}
    if file.suffix in openers:
        try:
            return openers[file.suffix](file, names)
        except pa.ArrowException as error:
            raise UsageError(f"{file}: cannot be read as {file.suffix[1:]}: {error}") from error
    raise UsageError(f"{file}: expected .parquet, .arrow or .feather")


def _parquet(file: Path, names: list[str]) -> ArrowProbs:
    held = parquet.ParquetFile(file, memory_map=True)
    _has(held.schema_arrow, names, file)
    groups = [held.metadata.row_group(i).num_rows for i in range(held.num_row_groups)]
    return ArrowProbs(
        lambda number: held.read_row_group(number, columns=names), groups, names, file.name
    )


def _arrow(file: Path, names: list[str]) -> ArrowProbs:
    held = pa.ipc.open_file(pa.memory_map(str(file)))
    _has(held.schema, names, file)
    batches = [held.get_batch(i).num_rows for i in range(held.num_record_batches)]

    def read(number: int) -> pa.Table:
        return pa.Table.from_batches([held.get_batch(number)]).select(names)

    return ArrowProbs(read, batches, names, file.name)


def _has(schema: pa.Schema, names: Sequence[str], file: Path) -> None:
    absent = [name for name in names if name not in schema.names]
    if absent:
        raise UsageError(f"{file}: no column {absent[0]!r}; it has {', '.join(schema.names[:20])}")
