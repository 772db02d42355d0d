"""A Delta log on a local disk: what is lost or half written is refused, what is new is flushed."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..errors import StorageError
from ._storage import is_bucket

__all__ = ["DAMAGED", "flush", "log_entries", "refuse_empty_log", "refuse_lost_log"]

DAMAGED = "restore the folder from a backup, or move it away and collect again"


def log_entries(uri: str) -> tuple[str, ...]:
    """Name the entries of a log on disk; empty for a bucket, and where there is none."""
    if is_bucket(uri):
        return ()
    try:
        return tuple(sorted(os.listdir(f"{uri}/_delta_log")))  # noqa: PTH208 (names suffice)
    except FileNotFoundError:
        return ()


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
