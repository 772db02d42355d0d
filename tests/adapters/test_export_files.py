"""A folder is written whole or not at all."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from labelops.adapters.export_files import write_export
from labelops.errors import EndRefused, StorageError, UsageError
from labelops.reuse import SIDECAR

FILES = {"data/train.bin": b"\x00\xff", SIDECAR: b"{}\n", "images/a.png": b"png"}


def _read(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_writes_every_byte(tmp_path: Path) -> None:
    """The folder holds exactly the files, and nothing else is left beside it."""
    place = write_export(FILES, tmp_path / "new" / "out")
    assert _read(place) == FILES
    assert [p.name for p in place.parent.iterdir()] == ["out"]


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    """A folder that is there and empty needs no permission to overwrite."""
    (tmp_path / "out").mkdir()
    assert _read(write_export(FILES, tmp_path / "out")) == FILES


def test_occupied_target(tmp_path: Path) -> None:
    """A folder with files is refused and stays as it was."""
    place = write_export(FILES, tmp_path / "out")
    with pytest.raises(UsageError, match="not empty"):
        write_export({SIDECAR: b"new"}, place)
    assert _read(place) == FILES


def test_overwrite_replaces_whole(tmp_path: Path) -> None:
    """An earlier export is replaced: none of its files stay."""
    place = write_export(FILES, tmp_path / "out")
    write_export({SIDECAR: b"new"}, place, overwrite=True)
    assert _read(place) == {SIDECAR: b"new"}
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_overwrite_spares_what_is_no_export(tmp_path: Path) -> None:
    """Somebody's own folder is never replaced, whatever is asked."""
    own = tmp_path / "home"
    own.mkdir()
    (own / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="no earlier export"):
        write_export(FILES, own, overwrite=True)
    assert _read(own) == {"thesis.txt": b"years of work"}


@pytest.mark.parametrize("name", ["../up", "/etc/x", "a/../../b", "", "a\\b"])
def test_names_stay_inside(tmp_path: Path, name: str) -> None:
    """A name that leaves the folder is refused before anything is written."""
    with pytest.raises(UsageError):
        write_export({name: b""}, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_target_that_is_no_folder(tmp_path: Path) -> None:
    """A file or a link in the target's place is refused, also with overwrite."""
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link"):
        with pytest.raises(UsageError, match="not a folder"):
            write_export(FILES, tmp_path / name, overwrite=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool) -> None:
    """A disk that fills up leaves the earlier export whole and no half of the new one."""
    place = tmp_path / "out"
    if overwrite:
        write_export(FILES, place)
    calls: list[int] = []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full"):
        write_export({**FILES, SIDECAR: b"new"}, place, overwrite=overwrite)
    assert [p.name for p in tmp_path.iterdir()] == (["out"] if overwrite else [])
    assert not overwrite or _read(place) == FILES


def test_failed_rename_restores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the new folder cannot get its name, the earlier export is back in its place."""
    place = write_export(FILES, tmp_path / "out")
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if ".partial-" in self.name:
            raise OSError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(EndRefused):
        write_export({SIDECAR: b"new"}, place, overwrite=True)
    assert _read(place) == FILES
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_two_writers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes second to a new target is told so, and the first one's export stays."""
    place = tmp_path / "out"

    def late(handle: int) -> None:
        monkeypatch.undo()
        write_export({SIDECAR: b"first"}, place)

    monkeypatch.setattr(os, "fsync", late)
    with pytest.raises(UsageError, match="is not empty"):
        write_export(FILES, place)
    assert _read(place) == {SIDECAR: b"first"}
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_the_same_written_twice_is_left_as_it_is(tmp_path: Path) -> None:
    """Whoever reads the export meanwhile is not disturbed; a file too many is taken away."""
    place = write_export(FILES, tmp_path / "out")
    first = place.stat().st_ino
    assert write_export(FILES, place, overwrite=True).stat().st_ino == first
    (place / "data" / "more.bin").write_bytes(b"")
    assert write_export(FILES, place, overwrite=True).stat().st_ino != first
    assert _read(place) == FILES


def test_a_target_is_never_seen_between_two_exports(tmp_path: Path) -> None:
    """Writers at once that replace one another find a folder each time; the last one stays."""
    place = write_export(FILES, tmp_path / "out")
    wanted = [{**FILES, SIDECAR: str(n).encode()} for n in range(4)]

    def replace(files: dict[str, bytes]) -> None:
        for _ in range(25):
            write_export(files, place, overwrite=True)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(replace, files) for files in wanted]:
            done.result()
    assert _read(place) in wanted
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
