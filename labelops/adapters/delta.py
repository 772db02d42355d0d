"""Tables in Delta Lake: ACID appends from many processes, readable by everybody's tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.fs as pa_fs
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from ..errors import (
    ConflictError,
    EndError,
    LabelopsError,
    StorageError,
    UsageError,
    shown,
)
from ..tables import TABLES, TableSpec, check, empty
from ._arrow import POOL, SLICE, arrow_schema, arrow_table, frame_of_arrow, parts, slices
from ._arrow_filter import column_of, condition_of
from ._delta_log import (
    DAMAGED,
    Written,
    ends_at,
    flush,
    log_entries,
    log_names,
    refuse_empty_log,
    refuse_lost_log,
)
from ._storage import bucket_options, is_bucket, root_of, storage_error

if TYPE_CHECKING:
    from ..ports import Tables

__all__ = ["DeltaTables"]


_ATTEMPTS = 5

MERGED_EVERY = 50
"""Commits after which small files are merged: each costs every later reading a millisecond."""


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

    __slots__ = ("_opened", "_options", "_root")

    def __init__(self, root: str, storage_options: Mapping[str, str] | None = None) -> None:
        self._root = root_of(root)
        self._options = bucket_options(storage_options) if is_bucket(root) else {}
        self._opened: dict[str, tuple[dict[str, Written], DeltaTable]] = {}

    def __repr__(self) -> str:
        """Name the root and nothing else: options can hold secrets."""
        return f"DeltaTables({self._root!r})"

    def append(self, table: str, frame: pd.DataFrame, *, after: int | None = None) -> None:
        """Check and append rows, all or none; on a local disk they are flushed when this returns.

        Every so many appends the small files that they left are merged, as `compact` does.

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
                    version = self._append_once(spec, rows, after)
                break
            except ConflictError:
                if attempt == attempts - 1:
                    raise
        if version % MERGED_EVERY == 0:
            # The rows are in, whatever comes of this; a later append merges what is left.
            with suppress(ConflictError, EndError):
                self.compact(table)

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
        wanted = [column_of(spec, name) for name in names]
        condition = condition_of(spec, where or {})
        with self._mapped(spec, "reading"):
            delta = self._open(spec)
            if delta is None:
                return empty(spec)[names]
            files = delta.to_pyarrow_dataset(filesystem=self._filesystem(spec))
            self._keep(spec, delta)
            scan = files.scanner(
                columns=names,
                filter=condition,
                batch_readahead=4,
                fragment_readahead=2,
                memory_pool=POOL,
            )
            frames = [frame_of_arrow(wanted, part) for part in parts(scan)]
        return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)

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
            # Asked before every stage, so names suffice: each entry is a version.
            log, opened = self._opened.get(table, ({}, None))
            if opened is not None and log and list(log) == log_names(self._uri(spec)):
                return int(opened.version())
            delta = self._open(spec)
            if delta is None:
                return 0
            self._keep(spec, delta)
            return int(delta.version())

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
            before = delta.version()
            metrics = delta.optimize.compact()
            delta.update_incremental()
            delta.create_checkpoint()
            self._flush(spec, before, delta.version())  # Before anything that it replaces goes.
            merged = delta.version()
            delta.vacuum(dry_run=False)
            delta.update_incremental()
            self._flush(spec, merged, delta.version())
        return int(metrics["numFilesRemoved"])

    def _uri(self, spec: TableSpec) -> str:
        return f"{self._root}/{spec.name}"

    def _flush(self, spec: TableSpec, first: int, last: int) -> None:
        if not is_bucket(self._root):
            flush(Path(self._uri(spec)), first, last)

    def _append_once(self, spec: TableSpec, rows: pd.DataFrame, after: int | None) -> int:
        """Append in one commit; return the version that it made."""
        delta = self._open(spec) or self._create(spec)
        before = delta.version()
        if after is not None and before != after:
            self._keep(spec, delta)
            raise ConflictError(
                f"table {spec.name} at {self._uri(spec)} went on from version {after} to {before}"
            )
        write_deltalake(
            delta,
            pa.RecordBatchReader.from_batches(
                pa.schema(arrow_schema(spec)),
                (b for _, part in slices(rows) for b in arrow_table(spec, part).to_batches()),
            ),
            mode="append",
            writer_properties=WriterProperties(max_row_group_size=SLICE),
            # Without a retry Delta commits right after the version that was opened, or not at all.
            commit_properties=CommitProperties(max_commit_retries=50 if after is None else 0),
        )
        if is_bucket(self._root):
            self._keep(spec, delta)
        else:
            # With the entry before it: who made that may have died before flushing it.
            self._flush(spec, before, delta.version())
            log = log_entries(self._uri(spec))
            if ends_at(log, delta.version()):
                self._opened[spec.name] = (log, delta)
        return int(delta.version())

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
        """Open the table, or return None if nobody created it yet.

        On a disk a log that holds the same entries is not read again. In a bucket, where each entry
        is a request, only what came since is read: see `_keep`.
        """
        uri = self._uri(spec)
        if is_bucket(uri) and (kept := self._opened.pop(spec.name, None)):
            with suppress(DeltaError):  # What came since may be cleaned up: then all is read.
                kept[1].update_incremental()
                return kept[1]
        log = log_entries(uri)
        seen, opened = self._opened.get(spec.name, ({}, None))
        if log and log == seen:
            return opened
        try:
            delta = DeltaTable(uri, storage_options=self._options or None)
        except TableNotFoundError:
            refuse_lost_log(uri)
            return None
        refuse_empty_log(uri)
        found = set(delta.schema().to_arrow().names)
        missing = [n for n in spec.names if n not in found]
        if missing:
            raise StorageError(
                f"table {spec.name} at {uri} has no column {missing[0]!r}: another version of "
                "labelops wrote it; use that version, or start a new workspace"
            )
        if log:
            self._opened[spec.name] = (log, delta)
        return delta

    def _keep(self, spec: TableSpec, delta: DeltaTable) -> None:
        """Keep a bucket's table for whoever opens it next.

        Reading on changes the table that was opened. So who opens it takes it away, and gives it
        back here: no thread reads on what another is about to append to.
        """
        if is_bucket(self._root):
            self._opened[spec.name] = ({}, delta)

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
                error, what, self._options, otherwise=f"the table is damaged; {DAMAGED}"
            )
            raise mapped from error


if TYPE_CHECKING:
    _: type[Tables] = DeltaTables


def _spec(table: str) -> TableSpec:
    if table not in TABLES:
        raise UsageError(f"no table {shown(table)}; there are {', '.join(TABLES)}")
    return TABLES[table]


def _refuse_unwritable(spec: TableSpec, frame: pd.DataFrame) -> None:
    """Refuse what Arrow cannot hold before anything of it is written."""
    for first, part in slices(frame):
        arrow_table(spec, part, first)
