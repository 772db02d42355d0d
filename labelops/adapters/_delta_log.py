"""A Delta log on a local disk: what is lost or half written is refused, what is new is flushed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ..errors import StorageError
from . import _disk
from ._storage import is_bucket

__all__ = [
    "DAMAGED",
    "Written",
    "ends_at",
    "flush",
    "log_entries",
    "log_names",
    "refuse_empty_log",
    "refuse_lost_log",
]

DAMAGED = "restore the folder from a backup, or move it away and collect again"


Written = tuple[int, int]
"""How long a log entry is, and when it was written."""


def log_names(uri: str) -> list[str]:
    """Name the entries of a log on disk, sorted; none for a bucket, and where there is no log."""
    if is_bucket(uri):
        return []
    try:
        return sorted(os.listdir(f"{uri}/_delta_log"))  # noqa: PTH208 (names suffice)
    except FileNotFoundError:
        return []


def log_entries(uri: str) -> dict[str, Written]:
    """Say of each entry of a log on disk how long it is and when it was written."""
    found = {}
    for name in log_names(uri):
        with suppress(FileNotFoundError):  # Another process may clean up old ones.
            facts = os.stat(f"{uri}/_delta_log/{name}")  # noqa: PTH116 (many, often)
            found[name] = facts.st_size, facts.st_mtime_ns
    return found


def ends_at(log: Mapping[str, Written], version: int) -> bool:
    """Say whether a version is a log's last one.

    Examples
    --------
    >>> ends_at({f"{0:020}.json": (9, 1), f"{1:020}.json": (9, 2)}, 0)
    False
    """
    return (
        max((name for name in log if name.endswith(".json")), default="") == f"{version:020}.json"
    )


def refuse_lost_log(uri: str) -> None:
    """Refuse data files without a log: a damaged table, not one that nobody wrote to."""
    if not is_bucket(uri) and next(Path(uri).glob("*.parquet"), None) is not None:
        raise StorageError(
            f"table at {uri} has data files but no log in _delta_log: it is damaged; {DAMAGED}"
        )


def refuse_empty_log(uri: str) -> None:
    """Refuse an empty log entry (a power cut): it would read as a commit that added nothing."""
    if is_bucket(uri):
        return
    with os.scandir(f"{uri}/_delta_log") as entries:
        for entry in entries:
            if entry.name.endswith(".json") and entry.stat().st_size == 0:
                raise StorageError(
                    f"table at {uri} is damaged: log entry {entry.name} is empty; {DAMAGED}"
                )


def flush(folder: Path, first: int, last: int) -> None:
    """Flush what commits `first` to `last` wrote, so that a power cut cannot take it back."""
    log = folder / "_delta_log"
    for version in range(first, last + 1):
        entry = log / f"{version:020d}.json"
        if not entry.exists():
            # A checkpoint made it superfluous: its rows are in files flushed by their writer.
            continue
        for line in entry.read_text(encoding="utf-8").splitlines():
            if '"add"' in line[:8]:
                _flush_if_there(folder / json.loads(line)["add"]["path"])
        _flush_if_there(entry)
    # Delta makes one by itself now and then, and reads the table from it.
    for name in log_names(str(folder)):
        if ".checkpoint" in name and first <= int(name[:20]) <= last:
            _flush_if_there(log / name)
    _flush_if_there(log / "_last_checkpoint")
    # Where the table is new, so are the names of its folder and of the one it is in.
    for place in (log, folder, *(folder.parents[:2] if first == 0 else ())):
        _flush_if_there(place)


def _flush_if_there(path: Path) -> None:
    # It may be compacted and removed meanwhile, or a directory entry of another writer.
    with suppress(FileNotFoundError):
        _disk.flush(path)
