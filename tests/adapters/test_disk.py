"""Flushing to disk, and ports for servers that start."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from labelops.adapters._address import free_port
from labelops.adapters._disk import flush, write_flushed


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the inode of everything that is flushed, and flush it."""
    seen: list[int] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        seen.append(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    return seen


def test_a_file_is_written_once_and_flushed(tmp_path: Path, flushed: list[int]) -> None:
    """The content is on the disk when it returns; what is there is never written over."""
    file = tmp_path / "new"
    write_flushed(file, b"content")
    assert flushed == [file.stat().st_ino]
    with pytest.raises(FileExistsError):
        write_flushed(file, b"other")
    assert file.read_bytes() == b"content"


def test_folders_and_files_are_flushed_and_closed(tmp_path: Path, flushed: list[int]) -> None:
    """Flushing a folder keeps the names in it; nothing stays open; what is absent is an error."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    before = len(list(Path("/proc/self/fd").iterdir()))
    flush(tmp_path)
    flush(file)
    assert flushed == [tmp_path.stat().st_ino, file.stat().st_ino]
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    with pytest.raises(FileNotFoundError):
        flush(tmp_path / "absent")


def test_a_free_port_can_be_listened_on() -> None:
    """A server that starts at once gets the port it was told."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))
        server.listen()
