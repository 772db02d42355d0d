from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from labelops.adapters.objects import LocalObjects, open_objects
from labelops.errors import SettingsError, StorageError, UsageError
from labelops.ports import Objects
from labelops.testing.objects import ObjectsTests


def files_under(place: Path) -> dict[str, bytes]:
    return {
        f.relative_to(place).as_posix(): f.read_bytes() for f in place.rglob("*") if f.is_file()
    }


class TestLocalObjects(ObjectsTests):
    def make(self, place: Path) -> Objects:
        return open_objects(str(place))

    def stored(self, place: Path) -> dict[str, bytes]:
        return files_under(place)


def test_a_name_through_an_object_is_refused(tmp_path: Path) -> None:
    """An object cannot also be a folder: a clear error, and the object stays."""
    objects = open_objects(str(tmp_path))
    objects.put_new("a", b"x")
    with pytest.raises(UsageError, match="runs through another object"):
        objects.put_new("a/b", b"y")
    objects.put_new("c/d", b"x")
    with pytest.raises(UsageError, match="runs through another object"):
        objects.put_new("c", b"y")
    assert files_under(tmp_path) == {"a": b"x", "c/d": b"x"}


def test_unfinished_writes_do_not_show(tmp_path: Path) -> None:
    """What a killed writer left is in no listing and in nobody's way."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".partial-0123").write_bytes(b"half")
    objects = open_objects(str(tmp_path))
    assert objects.list() == []
    assert objects.put_new("a/b", b"whole")
    assert objects.list() == ["a/b"]
    with pytest.raises(UsageError, match="unfinished"):
        objects.get("a/.partial-0123")


@pytest.mark.parametrize(
    "root",
    [
        "gs://bucket/x",
        "s3://",
        "",
        "s3://key:hunter2@bucket/x",
        "s3://b/x?token=hunter2",
        "s3://b/x#hunter2",
    ],
)
def test_bad_roots_are_refused_without_an_echo_of_secrets(root: str) -> None:
    """A root that is neither a folder nor S3 is a wrong setting; credentials are not repeated."""
    with pytest.raises(SettingsError) as caught:
        open_objects(root)
    assert "hunter2" not in str(caught.value)


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the inode of everything that is flushed, in order."""
    found, fsync = list[int](), os.fsync

    def noted(handle: int) -> None:
        found.append(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    return found


def _inodes(*places: Path) -> list[int]:
    return [place.stat().st_ino for place in places]


def test_a_power_cut_takes_no_object_back(tmp_path: Path, flushed: list[int]) -> None:
    """Content is flushed before it has a name, then each folder that has a new one; none above."""
    root = tmp_path / "workspace"
    objects = LocalObjects(str(root))
    for name, folders in {"a/b/one": ("a/b", "a", ""), "a/b/two": ("a/b",), "c": ("",)}.items():
        flushed.clear()
        assert objects.put_new(name, name.encode())
        assert flushed == _inodes(root / name, *(root / folder for folder in folders))


def test_a_power_cut_takes_nothing_of_a_writer_that_died(
    tmp_path: Path, flushed: list[int]
) -> None:
    """Who finds a name taken builds on it, and whoever took it may not have flushed it."""
    root = tmp_path / "workspace"
    (root / "a").mkdir(parents=True)
    (root / "a" / "b").write_bytes(b"whole")
    assert not LocalObjects(str(root)).put_new("a/b", b"whole")
    assert flushed == _inodes(root / "a", root)


def test_no_right_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's refusal becomes an error that says so."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="access refused"):
        LocalObjects(str(tmp_path)).put_new("a", b"x")
    assert files_under(tmp_path) == {}


_FULL = textwrap.dedent(
    """
    import json, resource, signal, sys
    from labelops.adapters.objects import open_objects
    from labelops.errors import StorageError
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    objects = open_objects(sys.argv[1])
    objects.put_new("before", b"x" * 100)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        objects.put_new("big", b"x" * 5000)
    except StorageError as error:
        print(json.dumps([str(error), objects.list()]))
    """
)


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_disk_without_hard_links_is_said(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share or a memory card is named as what cannot serve, and is left as it was."""

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(StorageError, match=r"a/b: this file system has no hard links.*local disk"):
        LocalObjects(str(tmp_path)).put_new("a/b", b"content")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_full_disk_is_said_and_changes_nothing(tmp_path: Path) -> None:
    """Where the system stops a write in the middle, the error says so and no name is made."""
    ran = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    message, names = json.loads(ran.stdout)
    assert "disk is full" in message
    assert names == ["before"]
    assert files_under(tmp_path) == {"before": b"x" * 100}
    assert not StorageError("x").retryable
