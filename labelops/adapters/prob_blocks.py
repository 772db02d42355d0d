"""Probabilities in Parquet or Arrow files, read a block at a time for `labelops.audit`.

A file keeps a row's probabilities in one list column or in one number column a class; several files
are one matrix, the rows of one after those of the other. A Parquet row group, or an Arrow record
batch, is one block: at most one is in memory at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from labelops.errors import TableError, UsageError, shown

__all__ = ["ArrowProbs", "open_probs"]

_OPEN = 64
"""Files held open at a time: there may be more parts than a process may have open."""
_SUFFIXES = (".parquet", ".arrow", ".feather")


class _Held(Protocol):
    """An open file: its columns, how many rows each block has, and its blocks."""

    schema: pa.Schema
    sizes: list[int]

    def read(self, number: int, names: list[str]) -> pa.Table:
        """Read some columns of one block."""


@dataclass(frozen=True, slots=True)
class _Block:
    file: Path
    number: int
    rows: int


class ArrowProbs:
    """The probabilities of files, one after the other, as `labelops.audit.ProbBlocks`.

    Parameters
    ----------
    files : sequence of Path
        Parquet or Arrow files.
    columns : sequence of str
        One list column, or one number column a class.
    """

    def __init__(self, files: Sequence[Path], columns: Sequence[str]) -> None:
        self._columns = list(columns)
        self._held: Callable[[Path], _Held] = lru_cache(maxsize=_OPEN)(_opened)
        blocks = [block for file in files for block in self._blocks(file, files[0])]
        self._kept = [block for block in blocks if block.rows]
        ends = np.cumsum([0, *(block.rows for block in self._kept)])
        self.starts: Sequence[int] = ends[:-1].tolist()
        classes = self._read(self._kept[0]).shape[1] if self._kept else max(len(self._columns), 1)
        self.shape = (int(ends[-1]), classes)

    def block(self, number: int) -> NDArray[Any]:
        """Read one block, (rows, K).

        Raises
        ------
        TableError
            A value is missing, a row has another number of classes, or it holds no numbers.
        """
        block = self._kept[number]
        found = self._read(block)
        if found.shape[1] != self.shape[1]:
            first, width = self._kept[0].file.name, self.shape[1]
            says = f"{found.shape[1]} classes, where the first rows of {first} have {width}"
            raise TableError("probs", [f"{block.file.name}: {says}"])
        return found

    def _blocks(self, file: Path, first: Path) -> list[_Block]:
        """List a file's blocks, once its columns are known to be those of the first one."""
        held = self._held(file)
        for name in self._columns:
            if name not in held.schema.names:
                there = ", ".join(held.schema.names[:20])
                raise UsageError(f"{file}: no column {name!r}; it has {there}")
            one, other = (self._held(f).schema.field(name).type for f in (file, first))
            kinds = [_number(_inside(kind)) for kind in (one, other)]
            if None not in kinds and kinds[0] != kinds[1]:
                raise UsageError(
                    f"{file}: column {name!r} is {one}, in {first.name} {other}; write one type"
                )
        return [_Block(file, number, rows) for number, rows in enumerate(held.sizes)]

    def _read(self, block: _Block) -> NDArray[Any]:
        table = self._held(block.file).read(block.number, self._columns)
        name = block.file.name
        parts = [_one(table.column(column), f"{name}: {column}") for column in self._columns]
        if len(parts) == 1 and parts[0].ndim == 2:
            return parts[0]
        if any(part.ndim != 1 for part in parts):
            raise UsageError(f"{name}: expected one list column or one column a class")
        return np.column_stack(parts)


def _inside(kind: pa.DataType) -> pa.DataType:
    """Give the type of a list's values, or of a column's own."""
    nested = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return kind.value_type if any(is_one(kind) for is_one in nested) else kind


def _number(kind: pa.DataType) -> pa.DataType | None:
    """Give the type that numbers are taken as; None of anything else."""
    if pa.types.is_floating(kind):
        return kind
    return pa.float64() if pa.types.is_integer(kind) or pa.types.is_boolean(kind) else None


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
    if values.null_count:
        raise TableError("probs", [f"{where}: {values.null_count} values are missing"])
    if _number(values.type) is None:
        raise TableError("probs", [f"{where}: expected numbers, found {values.type}"])
    if not pa.types.is_floating(values.type):
        values = values.cast(pa.float64())  # As whole numbers in memory are taken.
    flat = values.to_numpy(zero_copy_only=False)
    return np.asarray(flat if width is None else flat.reshape(-1, width))


def open_probs(
    path: Path | str | Sequence[Path | str], columns: str | Sequence[str] = "probs"
) -> ArrowProbs:
    """Open Parquet (``.parquet``) or Arrow (``.arrow``, ``.feather``) files of probabilities.

    Parameters
    ----------
    path : path-like, or sequence of them
        A file; several, whose rows follow each other; or a folder of files, taken in the order of
        their names, but for those that begin with a dot or an underscore.
    columns : str or sequence of str
        The list column, or one column a class in the classes' order.

    Raises
    ------
    UsageError
        There is no such file or column, the suffix is another one, or files differ in type.
    """
    several = [path] if isinstance(path, str | os.PathLike) else path
    if not isinstance(several, Sequence):
        raise UsageError(
            f"probs: expected a file, a folder or a list of files, found {shown(path)}"
        )
    names = [columns] if isinstance(columns, str) else list(columns)
    files = [file for one in several for file in _files(one)]
    if not files:
        raise UsageError(f"{path if several == [path] else 'probs'}: no file")
    return ArrowProbs(files, names)


def _files(path: Path | str) -> list[Path]:
    """Return a file, or those of a folder."""
    if not isinstance(path, str | os.PathLike):
        raise UsageError(f"probs: expected paths of files, found {shown(path)}")
    file = Path(path)
    if file.is_dir():
        # What begins so is no data by the custom of those who write folders of parts.
        return [f for p in sorted(file.iterdir()) if p.name[0] not in "._" for f in _plain(p)]
    return _plain(file)


def _plain(file: Path) -> list[Path]:
    if not file.is_file():
        raise UsageError(f"{file}: no such file" + (", but a folder" if file.is_dir() else ""))
    if file.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{file}: expected {', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]}")
    return [file]


def _opened(file: Path) -> _Held:
    try:
        return _Parquet(file) if file.suffix.lower() == ".parquet" else _Arrow(file)
    except pa.ArrowException as error:
        kind = file.suffix[1:].lower()
        raise UsageError(f"{file}: cannot be read as {kind}: {error}") from error


class _Parquet:
    def __init__(self, file: Path) -> None:
        self._held = parquet.ParquetFile(file, memory_map=True)
        self.schema = self._held.schema_arrow
        groups, metadata = range(self._held.num_row_groups), self._held.metadata
        self.sizes = [metadata.row_group(i).num_rows for i in groups]

    def read(self, number: int, names: list[str]) -> pa.Table:
        return self._held.read_row_group(number, columns=names)


class _Arrow:
    def __init__(self, file: Path) -> None:
        self._held = pa.ipc.open_file(pa.memory_map(str(file)))
        self.schema = self._held.schema
        batches = range(self._held.num_record_batches)
        self.sizes = [self._held.get_batch(i).num_rows for i in batches]

    def read(self, number: int, names: list[str]) -> pa.Table:
        return pa.Table.from_batches([self._held.get_batch(number)]).select(names)
