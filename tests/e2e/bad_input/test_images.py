"""Files that are no images of the source's folder, and links that lead out of it or in circles."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelops.app import open_app

pytestmark = pytest.mark.slow  # journeys that fail

PETS = """
[schema]
name = "pets"
media = "image"
classes = ["cat", "dog"]
[source.photos]
path = "photos.csv"
key = "id"
image = "file"
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Make a label set of two ingested photos, with a file beside it that nobody may read."""
    folder = tmp_path / "pets"
    (folder / "img").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in "ab":
        Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)).save(
            folder / "img" / f"{name}.png"
        )
    shutil.copy(folder / "img" / "a.png", tmp_path / "secret.png")
    (folder / "labelops.toml").write_text(PETS)
    (folder / "photos.csv").write_text("id,file\na,img/a.png\nb,img/b.png\n")
    open_app(folder).ingest()
    return folder


def _cut(folder: Path) -> None:
    content = (folder / "img" / "a.png").read_bytes()
    (folder / "img" / "c.png").write_bytes(content[: len(content) // 2])


def _loop(folder: Path) -> None:
    (folder / "img" / "c.png").symlink_to("d.png")
    (folder / "img" / "d.png").symlink_to("c.png")


IMAGES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "not an image": (lambda f: (f / "img/c.png").write_text("hello"), "img/c.png", "image"),
    "half an image": (_cut, "img/c.png", "image"),
    "an empty file": (lambda f: (f / "img/c.png").write_bytes(b""), "img/c.png", ""),
    "no such file": (lambda f: None, "img/c.png", "no such file"),
    "leaves the folder": (lambda f: None, "../secret.png", "leaves the source's folder"),
    "absolute": (lambda f: None, "/etc/passwd", "relative"),
    "link out": (
        lambda f: (f / "img/c.png").symlink_to(f.parent / "secret.png"),
        "img/c.png",
        "leads out",
    ),
    "symlink loop": (_loop, "img/c.png", "circle"),
    "a folder": (lambda f: (f / "img/c.png").mkdir(), "img/c.png", ""),
    "a pipe": (lambda f: os.mkfifo(f / "img/c.png"), "img/c.png", "not an ordinary file"),
}


@pytest.mark.parametrize("case", IMAGES)
def test_bad_image(photos: Path, refused: Callable[..., str], case: str) -> None:
    """A file that is no image of the folder is named by row, column and path; code 2."""
    make, name, why = IMAGES[case]
    make(photos)
    (photos / "photos.csv").write_text(f"id,file\na,img/a.png\nc,{name}\n")
    refused(photos, "ingest", 2, "photos.csv, row 2", "column 'file'", name, why)


def test_folder_that_links_to_itself(photos: Path, refused: Callable[..., str]) -> None:
    """A folder source does not follow a link to a folder, so it cannot go in circles."""
    (photos / "img" / "again").symlink_to(photos / "img")
    toml = PETS.replace("photos.csv", "img").replace('key = "id"\nimage = "file"\n', "")
    (photos / "labelops.toml").write_text(toml)
    refused(photos, "ingest", 2, str(photos / "img" / "again"), "copy the files in")
