"""Exports onto the disk: a whole folder or nothing."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..errors import ConflictError, LabelopsError, UsageError, shown
from ..reuse import SIDECAR
from ._disk import flush, write_flushed
from ._storage import storage_error
from .objects import check_name

__all__ = ["holds_export", "refuse_occupied", "write_export"]


def write_export(
    files: Mapping[str, bytes], target: str | Path, *, overwrite: bool = False
) -> Path:
    """Write an export's files into a folder, all or none.

    The files go into a folder beside the target, are flushed, and the folder then gets the
    target's name. The target is never a mixture: it is the old export or the new one. (A
    kill between the two renames of an `overwrite` leaves the old one beside it, as
    `.NAME.old-…`.)

    Parameters
    ----------
    files : mapping of relative file name to bytes
        As `labelops.reuse.export` returns it.
    target : str or Path
        The folder; it and those above it are created.
    overwrite : bool
        Replace an earlier export. A folder that holds anything else is never replaced.

    Returns
    -------
    Path
        The target, absolute.

    Raises
    ------
    UsageError
        If the target is not empty, or a file name leaves the folder.
    ConflictError
        If another program put files into the target meanwhile.
    StorageError, EndRefused
        If the disk is full or the place may not be written; the target is as before.
    """
    place = Path(target).expanduser().absolute()
    for name in files:
        check_name(name)
    refuse_occupied(place, overwrite=overwrite)
    partial = place.with_name(f".{place.name}.partial-{secrets.token_hex(6)}")
    with _mapped(f"writing {place}"):
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            _write_all(files, partial)
            with _alone_in(place.parent):
                _refuse_occupied(place, overwrite)
                if not _is_there(files, place):
                    _put_in_place(partial, place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return place


def refuse_occupied(target: str | Path, *, overwrite: bool = False) -> None:
    """Refuse a target that `write_export` would not write into.

    Raises
    ------
    UsageError
        If it is no folder, is not empty, or is to be replaced and holds no earlier export.
    """
    place = Path(target).expanduser().absolute()
    with _mapped(f"looking at {place}"), _alone_in(place.parent):
        _refuse_occupied(place, overwrite)


def holds_export(target: str | Path, manifest_digest: str) -> bool:
    """Say whether a folder is an export of this release. A folder is a whole export or none."""
    try:
        found = json.loads((Path(target).expanduser() / SIDECAR).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    return isinstance(found, dict) and found.get("manifest_digest") == manifest_digest


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes from looking or renaming between two renames of this one."""
    if not folder.is_dir():  # nothing is there to be replaced
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _refuse_occupied(place: Path, overwrite: bool) -> None:
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        raise UsageError(f"export target {shown(str(place), 200)} is not a folder; name another")
    if not place.exists() or not any(place.iterdir()):
        return
    if not overwrite:
        raise UsageError(
            f"export target {shown(str(place), 200)} is not empty; name another folder, or "
            "replace an earlier export with --overwrite (in Python `overwrite=True`)"
        )
    if not (place / SIDECAR).is_file():
        raise UsageError(
            f"export target {shown(str(place), 200)} holds no {SIDECAR}, so it is no earlier "
            "export and is not replaced; name another folder"
        )


def _write_all(files: Mapping[str, bytes], folder: Path) -> None:
    folder.mkdir()
    folders = {folder}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        folders.update(p for p in path.parents if p.is_relative_to(folder))
        write_flushed(path, content)
    for each in folders:
        flush(each)


def _is_there(files: Mapping[str, bytes], place: Path) -> bool:
    """Say whether another process wrote the same meanwhile: its readers are not disturbed."""
    there = {p.relative_to(place).as_posix(): p for p in place.rglob("*") if not p.is_dir()}
    return there.keys() == files.keys() and all(
        path.read_bytes() == files[name] for name, path in there.items()
    )


def _put_in_place(partial: Path, place: Path) -> None:
    old = place.with_name(f".{place.name}.old-{secrets.token_hex(6)}")
    replaced = place.exists()
    if replaced:
        place.rename(old)
    try:
        partial.rename(place)
    except OSError:
        if replaced:
            old.rename(place)
        raise
    flush(place.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _mapped(what: str) -> Iterator[None]:
    try:
        yield
    except LabelopsError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise ConflictError(f"{what}: another program wrote into it; run again") from error
        raise storage_error(error, what) from error
