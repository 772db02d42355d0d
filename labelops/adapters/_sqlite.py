"""One SQLite file as a durable store: transactions, and vendor errors mapped in one place."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from ..errors import EndError, EndUnavailable, StorageError, UsageError

__all__ = ["mapped", "transaction"]

PATIENCE = 30.0
"""Seconds to wait for other processes' transactions; each takes milliseconds."""

_BUSY = {"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"}
_REMEDY = {
    "SQLITE_FULL": "the disk is full; free some space and run again",
    "SQLITE_IOERR": "the disk failed or is full; free some space or repair it, and run again",
    "SQLITE_CANTOPEN": "it cannot be opened; check that folder and file exist and are yours",
    "SQLITE_READONLY": "it cannot be written; check its permissions",
    "SQLITE_PERM": "it cannot be written; check its permissions",
    "SQLITE_CORRUPT": "it is damaged; restore it from a backup",
    "SQLITE_NOTADB": "it is not a SQLite file; restore it from a backup or move it away",
}


def _as_ours(error: sqlite3.Error, path: Path) -> EndError | UsageError:
    name = getattr(error, "sqlite_errorname", None) or "SQLITE_ERROR"
    primary = "_".join(name.split("_")[:2])
    if primary in _BUSY:
        return EndUnavailable(f"{path} is locked by another process ({error}); try again")
    if primary == "SQLITE_TOOBIG":
        return UsageError(f"{path}: a text is too large to store ({error}); shorten it")
    remedy = _REMEDY.get(primary, "it is not what it should be; restore it from a backup")
    return StorageError(f"{path}: {remedy} ({error})")


@contextmanager
def mapped(path: Path) -> Iterator[None]:
    """Raise SQLite's errors, and what it cannot hold, as ours.

    Raises
    ------
    EndUnavailable
        If another process holds the file for too long.
    StorageError
        If the disk is full or the file is gone, damaged, or not writable.
    UsageError
        If a text is too large or not valid Unicode.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _as_ours(error, path) from error
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{path}: a text holds a lone surrogate at character {error.start}, which is no "
            "Unicode; repair the text"
        ) from error


def _opened(path: Path, mode: str, begin: str) -> sqlite3.Connection:
    """Connect and begin; a lock held for recovery reaches no busy handler, so ask again."""
    deadline = time.monotonic() + PATIENCE
    while True:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            if mode == "rwc":
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(begin)
        except sqlite3.OperationalError as error:
            connection.close()
            busy = isinstance(_as_ours(error, path), EndUnavailable)
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        except BaseException:
            connection.close()
            raise
        else:
            return connection


@contextmanager
def transaction(
    path: Path, kind: Literal["read", "write", "create"]
) -> Iterator[sqlite3.Connection]:
    """Give a connection inside one transaction: committed at the end, undone on any error.

    Raises
    ------
    EndError, UsageError
        As `mapped`.
    """
    mode = "rwc" if kind == "create" else "rw"
    begin = "BEGIN" if kind == "read" else "BEGIN IMMEDIATE"
    with mapped(path), closing(_opened(path, mode, begin)) as connection:
        yield connection
        connection.execute("COMMIT")
