"""Tables in Delta Lake: ACID appends from many processes, readable by everybody's tools."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pa_fs
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from ..errors import (
    ConflictError,
    LabelopsError,
    StorageError,
    TableError,
    UsageError,
    shown,
)
from ..tables import TABLES, Column, TableSpec, check, empty
from ._storage import bucket_options, is_bucket, root_of, storage_error

if TYPE_CHECKING:
    from ..ports import Tables

__all__ = ["DeltaTables", "arrow_schema", "arrow_table", "frame_of_arrow"]

_ARROW: Mapping[str, Any] = {
    "text": pa.string(),
    "json": pa.string(),
    "floats": pa.list_(pa.float64()),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
}

_ATTEMPTS = 5
_SLICE = 50_000
"""Rows turned into Arrow, and written as one row group, at a time: bounds an append's memory."""

_POOL = pa.system_memory_pool()
"""Where Arrow holds rows on their way: its own pool would keep the memory when they are gone."""

_DAMAGED = "restore the folder from a backup, or move it away and collect again"


class DeltaTables:
    """Append-only tables under `<root>/<name>`, one Delta Lake table each.

    Parameters
    ----------
    root : str
        Where the tables are: a folder, or `s3://bucket/prefix`.
    storage_options : mapping of str to str, optional
        Options for a bucket, on top of the `AWS_*` environment.

    Raises
    ------
    SettingsError
        If the root is neither a folder nor an S3 address.
    """

    __slots__ = ("_options", "_root", "_seen")

    def __init__(self, root: str, storage_options: Mapping[str, str] | None = None) -> None:
        self._root = root_of(root)
        self._options = bucket_options(storage_options) if is_bucket(root) else {}
        self._seen: dict[str, tuple[tuple[str, ...], int]] = {}

    def __repr__(self) -> str:
        """Name the root and nothing else: options can hold secrets."""
        return f"DeltaTables({self._root!r})"

    def append(self, table: str, frame: pd.DataFrame, *, after: int | None = None) -> None:
        """Check and append rows, all or none; on a local disk they are flushed when this returns.

        Parameters
        ----------
        table : str
        frame : rows of the table
        after : int, optional
            Append only if the table is still at this version.

        Raises
        ------
        TableError
            If rows break the table's contract; nothing is appended.
        ConflictError
            If the table is at another version than `after`, or other writers kept changing its
            layout meanwhile; nothing is appended.
        StorageError
            If the disk is full or the table is damaged.
        """
        spec = _spec(table)
        rows = check(spec, frame)
        _refuse_unwritable(spec, rows)
        if rows.empty:
            return
        attempts = _ATTEMPTS if after is None else 1
        for attempt in range(attempts):
            try:
                with self._mapped(spec, "appending to"):
                    self._append_once(spec, rows, after)
                return
            except ConflictError:
                if attempt == attempts - 1:
                    raise

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        where: Mapping[str, str | int | Sequence[str]] | None = None,
    ) -> pd.DataFrame:
        """Return all rows (events, not collapsed), with the table's dtypes.

        Parameters
        ----------
        table : str
        columns : sequence of str, optional
            Only these columns, in this order.
        where : mapping, optional
            Column → value it must equal, or values it must be among; all must hold.

        Raises
        ------
        UsageError
            If a table or column does not exist, or a value does not fit its column.
        StorageError
            If the table is damaged.
        """
        spec = _spec(table)
        names = spec.names if columns is None else list(columns)
        wanted = [_column(spec, name) for name in names]
        condition = _condition(spec, where or {})
        with self._mapped(spec, "reading"):
            delta = self._open(spec)
            if delta is None:
                return empty(spec)[names]
            files = delta.to_pyarrow_dataset(filesystem=self._filesystem(spec))
            scan = files.scanner(
                columns=names,
                filter=condition,
                batch_readahead=4,
                fragment_readahead=2,
                memory_pool=_POOL,
            )
            parts = [frame_of_arrow(wanted, part) for part in _parts(scan)]
        return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)

    def _filesystem(self, spec: TableSpec) -> pa_fs.FileSystem | None:
        """Return how Arrow reads a local table's files; None leaves a bucket's to Delta.

        Delta's own reader is a Python object, which Arrow's threads may still hold when the
        interpreter ends: then the process aborts after its work is done.
        """
        if is_bucket(self._root):
            return None
        return pa_fs.SubTreeFileSystem(self._uri(spec), pa_fs.LocalFileSystem())

    def version(self, table: str) -> int:
        """Return a number that grows with every append; 0 for a table nobody wrote to."""
        spec = _spec(table)
        with self._mapped(spec, "reading"):
            # Asked before every stage: a log that holds the same entries is not read again.
            log = _log_entries(self._uri(spec))
            seen, version = self._seen.get(table, ((), 0))
            if not log or log != seen:
                delta = self._open(spec)
                version = 0 if delta is None else int(delta.version())
                self._seen[table] = (log, version)
        return version

    def compact(self, table: str) -> int:
        """Merge small files, so that a year of hourly appends stays quick to read.

        Rows do not change, and appenders and readers may work meanwhile: replaced files stay
        for a week before a later call removes them.

        Returns
        -------
        int
            How many files were merged away.
        """
        spec = _spec(table)
        with self._mapped(spec, "compacting"):
            delta = self._open(spec)
            if delta is None:
                return 0
            metrics = delta.optimize.compact()
            delta.update_incremental()
            delta.create_checkpoint()
            delta.vacuum(dry_run=False)
        return int(metrics["numFilesRemoved"])

    def _uri(self, spec: TableSpec) -> str:
        return f"{self._root}/{spec.name}"

    def _append_once(self, spec: TableSpec, rows: pd.DataFrame, after: int | None) -> None:
        delta = self._open(spec) or self._create(spec)
        before = delta.version()
        if after is not None and before != after:
            raise ConflictError(
                f"table {spec.name} at {self._uri(spec)} went on from version {after} to {before}"
            )
        write_deltalake(
            delta,
            pa.RecordBatchReader.from_batches(
                pa.schema(arrow_schema(spec)),
                (b for _, part in _slices(rows) for b in arrow_table(spec, part).to_batches()),
            ),
            mode="append",
            writer_properties=WriterProperties(max_row_group_size=_SLICE),
            # Without a retry Delta commits right after the version that was opened, or not at all.
            commit_properties=CommitProperties(max_commit_retries=50 if after is None else 0),
        )
        if not is_bucket(self._root):
            _flush(Path(self._uri(spec)), before + 1, delta.version())

    def _create(self, spec: TableSpec) -> DeltaTable:
        """Create the table; another process doing the same at once is fine."""
        uri = self._uri(spec)
        if not is_bucket(uri):
            Path(uri).mkdir(parents=True, exist_ok=True)
        try:
            DeltaTable.create(
                uri,
                pa.schema(arrow_schema(spec)),
                mode="ignore",
                name=spec.name,
                configuration={"delta.appendOnly": "true"},
                storage_options=self._options or None,
            )
        except DeltaError:
            # Lost the race: then the table is there now. Otherwise the error was a real one.
            if self._open(spec) is None:
                raise
        created = self._open(spec)
        if created is None:
            raise StorageError(f"table {spec.name} at {uri} vanished while it was created")
        return created

    def _open(self, spec: TableSpec) -> DeltaTable | None:
        """Open the table, or return None if nobody created it yet."""
        uri = self._uri(spec)
        try:
            delta = DeltaTable(uri, storage_options=self._options or None)
        except TableNotFoundError:
            _refuse_lost_log(uri)
            return None
        _refuse_empty_log(uri)
        found = set(delta.schema().to_arrow().names)
        missing = [n for n in spec.names if n not in found]
        if missing:
            raise StorageError(
                f"table {spec.name} at {uri} has no column {missing[0]!r}: another version of "
                "labelops wrote it; use that version, or start a new workspace"
            )
        return delta

    @contextmanager
    def _mapped(self, spec: TableSpec, doing: str) -> Iterator[None]:
        """Let only our errors out, each naming the table, its place and the remedy."""
        what = f"{doing} table {spec.name} at {self._uri(spec)}"
        try:
            yield
        except LabelopsError:
            raise
        except CommitFailedError as error:
            raise ConflictError(f"{what}: other writers got there first; run again") from error
        except (DeltaError, OSError, pa.ArrowException) as error:
            mapped = storage_error(
                error, what, self._options, otherwise=f"the table is damaged; {_DAMAGED}"
            )
            raise mapped from error


if TYPE_CHECKING:
    _: type[Tables] = DeltaTables


def _spec(table: str) -> TableSpec:
    if table not in TABLES:
        raise UsageError(f"no table {shown(table)}; there are {', '.join(TABLES)}")
    return TABLES[table]


def _column(spec: TableSpec, name: str) -> Column:
    if name not in spec.names:
        raise UsageError(f"table {spec.name} has no column {shown(name)}")
    return spec[name]


def _condition(
    spec: TableSpec, where: Mapping[str, str | int | Sequence[str]]
) -> ds.Expression | None:
    """Build the filter from values, never from text: nothing to inject into."""
    condition: ds.Expression | None = None
    for name, wanted in where.items():
        column = _column(spec, name)
        single = isinstance(wanted, str | int)
        values = [wanted] if single else list(wanted)  # type: ignore[arg-type]
        try:
            if column.type == "floats" or any(v is None for v in values):
                raise TypeError("no comparison")
            typed = pa.array(values, type=_ARROW[column.type])
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            raise UsageError(
                f"table {spec.name}, column {name!r}: {shown(wanted)} does not fit a "
                f"{column.type} column"
            ) from None
        field = ds.field(name)
        part = field == typed[0] if single else field.isin(typed)
        condition = part if condition is None else condition & part
    return condition


def arrow_schema(spec: TableSpec) -> list[tuple[str, Any]]:
    """Return (column, Arrow type) pairs of a table."""
    return [(column.name, _ARROW[column.type]) for column in spec.columns]


def _slices(frame: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """Cut a frame; each part comes with the number of its first row."""
    for start in range(0, len(frame), _SLICE):
        yield start, frame.iloc[start : start + _SLICE]


def _refuse_unwritable(spec: TableSpec, frame: pd.DataFrame) -> None:
    """Refuse what Arrow cannot hold before anything of it is written."""
    for first, part in _slices(frame):
        arrow_table(spec, part, first)


def arrow_table(spec: TableSpec, frame: pd.DataFrame, first: int = 0) -> pa.Table:
    """Turn a checked frame into Arrow; messages count its rows from `first`.

    Raises
    ------
    TableError
        If a text cannot be written as UTF-8 (a lone surrogate).
    """
    arrays = []
    for column in spec.columns:
        values = frame[column.name]
        try:
            arrays.append(
                pa.array(values, type=_ARROW[column.type], from_pandas=True, memory_pool=_POOL)
            )
        except UnicodeEncodeError:
            row = next(i for i, v in enumerate(values) if v is not None and not _is_utf8(v))
            raise TableError(
                spec.name,
                [
                    f"row {first + row}, column {column.name!r}: found {shown(values.iloc[row])}, "
                    "expected text that UTF-8 can hold"
                ],
            ) from None
    return pa.table(arrays, schema=pa.schema(arrow_schema(spec)))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def frame_of_arrow(columns: Sequence[Column], rows: pa.Table) -> pd.DataFrame:
    """Turn Arrow columns into pandas with the declared dtypes."""
    series = {column.name: _series(column, rows[column.name]) for column in columns}
    return pd.DataFrame(series, index=pd.RangeIndex(rows.num_rows))


def _parts(scan: ds.Scanner) -> Iterator[pa.Table]:
    """Yield what is read in a few large parts: Arrow never holds all rows beside pandas."""
    waiting: list[pa.RecordBatch] = []
    rows, whole = 0, True
    for batch in scan.to_batches():
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= 2 * _SLICE:
            yield pa.Table.from_batches(waiting)
            waiting, rows, whole = [], 0, False
    if waiting or whole:
        yield pa.Table.from_batches(waiting, schema=scan.projected_schema)


def _series(column: Column, cells: pa.ChunkedArray) -> pd.Series:
    if column.type == "floats":
        return pd.Series(_lists(cells), dtype=object)
    if column.pandas == "Int64":
        return cells.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    if column.pandas == "boolean":
        return cells.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
    return cells.to_pandas().astype(column.pandas)


def _lists(cells: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Split a list column into 1-D arrays that share one buffer; a missing cell is None."""
    result = np.empty(len(cells), dtype=object)
    at = 0
    for chunk in cells.chunks:
        flat = chunk.values.to_numpy(zero_copy_only=False)  # noqa: PD011 (Arrow, not pandas)
        starts = chunk.offsets.to_numpy().tolist()
        valid = chunk.is_valid().to_numpy(zero_copy_only=False).tolist()
        for row, here in enumerate(valid):
            if here:
                result[at + row] = flat[starts[row] : starts[row + 1]]
        at += len(chunk)
    return result


def _log_entries(uri: str) -> tuple[str, ...]:
    """Name the entries of a log on disk; empty for a bucket, and where there is none."""
    if is_bucket(uri):
        return ()
    try:
        return tuple(sorted(os.listdir(f"{uri}/_delta_log")))  # noqa: PTH208 (names suffice)
    except FileNotFoundError:
        return ()


def _refuse_lost_log(uri: str) -> None:
    """Refuse data files without a log: a damaged table, not one that nobody wrote to."""
    if not is_bucket(uri) and next(Path(uri).glob("*.parquet"), None) is not None:
        raise StorageError(
            f"table at {uri} has data files but no log in _delta_log: it is damaged; {_DAMAGED}"
        )


def _refuse_empty_log(uri: str) -> None:
    """Refuse an empty log entry (a power cut): it would read as a commit that added nothing."""
    if is_bucket(uri):
        return
    with os.scandir(f"{uri}/_delta_log") as entries:
        for entry in entries:
            if entry.name.endswith(".json") and entry.stat().st_size == 0:
                raise StorageError(
                    f"table at {uri} is damaged: log entry {entry.name} is empty; {_DAMAGED}"
                )


def _flush(folder: Path, first: int, last: int) -> None:
    """Flush what commits `first` to `last` wrote, so that a power cut cannot take it back."""
    log = folder / "_delta_log"
    for version in range(first, last + 1):
        entry = log / f"{version:020d}.json"
        if not entry.exists():
            # A checkpoint made it superfluous: its rows are in files flushed by their writer.
            continue
        for line in entry.read_text(encoding="utf-8").splitlines():
            if '"add"' in line[:8]:
                _fsync(folder / json.loads(line)["add"]["path"])
        _fsync(entry)
    _fsync(folder)
    _fsync(log)


def _fsync(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return  # compacted and removed meanwhile, or a directory entry of another writer
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
