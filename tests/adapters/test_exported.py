"""An exported folder is what was exported, or it is said what is not, wherever it was copied to."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from labelops.adapters.export_files import write_export
from labelops.adapters.exported import Exported, is_export, read_export
from labelops.adapters.parquet import encode_parquet
from labelops.digest import digest, digest_bytes
from labelops.errors import EndRefused, NotFoundError
from labelops.reuse import FORMATS, SIDECAR, Provenance, export
from labelops.schema import Schema

SCHEMA = Schema("pets", ("cat", "dog"), media="image")


def _frame() -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "item_id": ["a", "b"],
            "image": [b"picture of a", b"picture of b"],
            "path": ["object:a.png", "object:b.png"],
            "media_type": ["image/png", "image/png"],
            "label": ["cat", "dog"],
            "code": [0, 1],
            "split": ["train", "test"],
            "group": ["a", "b"],
            "posterior": [0.9, 0.8],
            "method": ["majority", "majority"],
            "weight": [1.0, 1.0],
            "probs": [[1.0, 0.0], [0.0, 1.0]],
        }
    )
    frame.attrs = Provenance(SCHEMA, "pets@1.0.0", "ab" * 32, deprecated="swapped").to_json()
    return frame


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an export, copied to another place."""
    place = write_export(export(_frame(), "csv"), tmp_path / "out")
    return Path(shutil.move(place, tmp_path / "elsewhere"))


def _kinds(found: Exported) -> list[tuple[str, str, bool]]:
    return [(p.kind, p.file, p.harmful) for p in found.problems]


@pytest.mark.parametrize("layout", FORMATS)
def test_every_format_is_found_as_it_was_exported(layout: str, tmp_path: Path) -> None:
    """Its release, that release's digest and what was known of it come back; no file is amiss."""
    place = write_export(export(_frame(), layout, encode_parquet), tmp_path / layout)
    assert is_export(place)
    assert read_export(place) == Exported("pets@1.0.0", "ab" * 32, "swapped", ())


def test_any_changed_byte_is_found(folder: Path) -> None:
    """In whichever file, also in the one that says what the others are, or where one got longer."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        good, name = path.read_bytes(), path.relative_to(folder).as_posix()
        for place in {0, len(good) // 2, len(good) - 1}:
            path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
            assert _kinds(read_export(folder)) == [("changed", name, True)]
        path.write_bytes(good + b" ")
        assert _kinds(read_export(folder)) == [("changed", name, True)]
        path.write_bytes(good)
    assert read_export(folder).problems == ()


def test_files_that_are_gone_or_new(folder: Path) -> None:
    """A missing file is harmful, and so is one that readers of the folder take for data."""
    (image,) = (p for p in folder.glob("images/*") if p.read_bytes() == b"picture of a")
    image.unlink()
    (folder / "images" / "new.png").write_bytes(b"")
    (folder / ".DS_Store").write_bytes(b"")
    (folder / "_notes").mkdir()
    (folder / "_notes" / "mine.txt").write_bytes(b"")
    (folder / "more").symlink_to(folder / "images")
    assert sorted(_kinds(read_export(folder))) == [
        ("extra", ".DS_Store", False),
        ("extra", "_notes/mine.txt", False),
        ("extra", "images/new.png", True),
        ("extra", "more", True),
        ("missing", f"images/{image.name}", True),
    ]


def test_files_may_be_links(folder: Path, tmp_path: Path) -> None:
    """Stores of data replace files by links to their content."""
    kept = shutil.move(folder / "data.csv", tmp_path / "kept")
    (folder / "data.csv").symlink_to(kept)
    assert read_export(folder).problems == ()
    Path(kept).write_bytes(b"x")
    assert _kinds(read_export(folder)) == [("changed", "data.csv", True)]


@pytest.mark.parametrize(
    "files",
    [
        {"../../secret": {"bytes": 1, "sha256": digest_bytes(b"x")}},
        {"/etc/passwd": {"bytes": 1, "sha256": digest_bytes(b"x")}},
        {"data.csv": {"bytes": "1", "sha256": digest_bytes(b"x")}},
        {"data.csv": 7},
        ["data.csv"],
        None,
    ],
)
def test_what_a_stranger_wrote(folder: Path, files: object) -> None:
    """Names that lead out of the folder, and facts that are none, are refused, digest and all."""
    facts = {k: v for k, v in json.loads((folder / SIDECAR).read_text()).items() if k != "digest"}
    facts["files"] = files
    text = json.dumps({**facts, "digest": digest(facts)}, ensure_ascii=False, indent=2)
    (folder / SIDECAR).write_text(f"{text}\n")
    assert _kinds(read_export(folder)) == [("changed", SIDECAR, True)]


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b"\xff", b'{"release": "a@1.0.0"}']
)
def test_a_sidecar_that_says_nothing_of_files(folder: Path, content: bytes) -> None:
    """What cannot be compared is no pass."""
    (folder / SIDECAR).write_bytes(content)
    found = read_export(folder)
    assert (found.release, _kinds(found)) == ("", [("changed", SIDECAR, True)])


def test_no_export(tmp_path: Path) -> None:
    """A folder of something else, and none at all, are said to be no export."""
    for place in (tmp_path, tmp_path / "none"):
        assert not is_export(place)
        with pytest.raises(NotFoundError, match=r"holds no _labelops\.json"):
            read_export(place)


def test_a_file_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither sound nor damaged: nobody knows."""

    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(EndRefused):
        read_export(folder)
