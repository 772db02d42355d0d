"""Onto the disk for good: after these a power cut takes nothing back."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["flush", "write_flushed"]


def flush(path: Path) -> None:
    """Flush a file's content, or the names that a folder holds.

    Raises
    ------
    OSError
        There is nothing of that name, or the disk refuses.

    Examples
    --------
    >>> import tempfile
    >>> flush(Path(tempfile.mkdtemp()))
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_flushed(path: Path, content: bytes) -> None:
    """Write a new file and flush its content; its name is safe once its folder is flushed.

    Raises
    ------
    OSError
        The file is there already, or the disk refuses.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "new"
    >>> write_flushed(file, b"content")
    >>> file.read_bytes()
    b'content'
    """
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
