"""Folders of files, and paths in files: what is followed, what is read again, what is refused."""

from __future__ import annotations

import dataclasses
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from labelops.adapters.source_files import read_bounded
from labelops.adapters.source_folder import FolderSource
from labelops.adapters.sources import SourceSpec
from labelops.errors import SourceError

from .written import IMAGES, read, spec_of, write_csv


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/etc/hostname", "must be relative"),
        ("C:\\x.png", "must be relative"),
        ("../x.png", "leaves the source's folder"),
        ("sub/../../x.png", "leaves the source's folder"),
        ("sub\\..\\..\\x.png", "leaves the source's folder"),
        ("out.png", "a link leads out"),
        ("loop.png", "go in a circle"),
        ("nothing.png", "no such file"),
        ("https://example.org/x.png", "no such file"),
        ("", "path is empty"),
        (".", "Is a directory"),
        ("pipe.png", "not an ordinary file"),
    ],
)
def test_paths_that_must_not_be_followed(tmp_path: Path, name: str, message: str) -> None:
    """Nothing outside the folder is read, whatever a row asks for."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "x.png").write_bytes(IMAGES[0])
    (folder / "out.png").symlink_to(tmp_path / "x.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    os.mkfifo(folder / "pipe.png")
    path = write_csv(folder / "m.csv", [["id", "file"], ["a", name]])
    with pytest.raises(SourceError, match=f"row 1 .*column 'file': .*{message}"):
        read(spec_of(path, text=None, image="file"))


def test_bad_folders(tmp_path: Path) -> None:
    """Links out, to folders, in a circle; other files; nothing at all: each named."""

    def refused(name: str, message: str, **more: Any) -> None:
        with pytest.raises(SourceError, match=message):
            read(SourceSpec("f", tmp_path / name, format="folder", **more))

    for name in ("empty", "out", "loop", "up", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "out" / "a.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "loop" / "a.txt").symlink_to(tmp_path / "loop" / "a.txt")
    (tmp_path / "up" / "again").symlink_to(tmp_path / "up")
    (tmp_path / "other" / "a.pdf").write_text("x")
    (tmp_path / "other" / "b.txt").write_text("fine")
    refused("empty", "no files")
    refused("out", r"a\.txt: a link leads out")
    refused("loop", r"a\.txt: .*circle")
    refused("up", "again: a link to a folder")
    refused("other", r"a\.pdf: not one of")
    refused("other", r"b\.txt: the file has 4 bytes|not one of", media="image")
    found = read(SourceSpec("f", tmp_path / "other", suffixes=(".txt",)))
    assert found["key"].tolist() == ["b.txt"]


def test_a_folder_of_something_else_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remedy is a setting that there is, others are named, and the rest is not looked at."""
    for place in range(300):
        (tmp_path / f"{place:03}.py").write_text("x")
    looked = []
    find = FolderSource._find
    monkeypatch.setattr(
        FolderSource, "_find", lambda self, *a: (looked.append(a), find(self, *a))[1]
    )
    with pytest.raises(SourceError) as caught:
        read(SourceSpec("f", tmp_path))
    said = str(caught.value)
    assert "000.py: not one of .txt, .md, .text; move it out" in said
    assert "`suffixes = ['.py']`" in said
    assert "(and at least 100 more problems: 001.py, 002.py, 003.py, 004.py, 005.py, …)" in said
    assert len(looked) == 101
    assert len(read(SourceSpec("f", tmp_path, suffixes=(".py",)))) == 300


def test_a_folder_of_images_is_not_told_to_read_texts(tmp_path: Path) -> None:
    """The files to read are named by what an image is called, not by what was found."""
    (tmp_path / "note.txt").write_text("x")
    with pytest.raises(
        SourceError, match=r"note.txt: not one of .*`suffixes = \['.png', '.jpg'\]`"
    ):
        read(SourceSpec("f", tmp_path, media="image"))


def _pictures(folder: Path, files: dict[str, bytes]) -> SourceSpec:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (1_000, 1_000))
    rows = [["id", "file"], *([name, name] for name in files)]
    return spec_of(write_csv(folder / "m.csv", rows), text=None, image="file")


def test_known_pictures_are_read_again_only_when_they_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with the same times, size and identity is not opened; one of the same size is."""
    spec = _pictures(tmp_path, {"s/a.png": IMAGES[0], "s/b.png": IMAGES[1]})
    first = read(spec)
    columns = (first[c] for c in ("uri", "media_type", "sketch"))
    known = dict(zip(first["digest"], zip(*columns, strict=True), strict=True))
    # The files were made just now: their inode's time is too fresh to trust.
    monkeypatch.setattr("labelops.adapters.source_files._TICK", -(10**18))
    again = dataclasses.replace(spec, known=known)
    assert read(again)["content"].isna().all()
    opened: list[str] = []

    def noted(path: Path, limit: int) -> bytes:
        opened.append(path.name)
        return read_bounded(path, limit)

    monkeypatch.setattr("labelops.adapters.source_rows.read_bounded", noted)
    third = read(again)
    assert opened == [] and third.equals(read(again))
    changed = bytearray(IMAGES[0])
    changed[-20] ^= 1
    (tmp_path / "s/a.png").write_bytes(bytes(changed))
    os.utime(tmp_path / "s/a.png", (1_000, 1_000))
    with suppress(SourceError):
        read(again)
    assert opened == ["a.png"]


def test_fresh_files_are_read_every_time(tmp_path: Path) -> None:
    """What was changed within the clock's tick is not taken for read."""
    spec = _pictures(tmp_path, {"a.png": IMAGES[0]})
    read(spec)
    assert spec.seen == {}


def test_links_among_ordinary_files(tmp_path: Path) -> None:
    """A link out of the folder is refused beside an ordinary file, a link inside is followed."""
    (tmp_path / "secret.png").write_bytes(IMAGES[1])
    spec = _pictures(tmp_path / "data", {"s/a.png": IMAGES[0], "s/b.png": IMAGES[1]})
    (tmp_path / "data/s/b.png").unlink()
    (tmp_path / "data/s/b.png").symlink_to("a.png")
    assert read(spec)["digest"].nunique() == 1
    (tmp_path / "data/s/b.png").unlink()
    (tmp_path / "data/s/b.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(SourceError, match=r"row 2.*a link leads out"):
        read(spec)
