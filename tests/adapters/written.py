"""Small source files, and how they are read."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from labelops.adapters.sources import SourceSpec, open_source

TEXTS = ['one, "quoted"', "two\nlines", "drei – ☃"]


def png(shade: int, size: tuple[int, int] = (12, 9)) -> bytes:
    image = Image.radial_gradient("L").resize(size).point(lambda p: (p + shade) % 256)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


IMAGES = [png(0), png(60), png(120)]


def read(spec: SourceSpec) -> pd.DataFrame:
    return pd.concat([b.frame for b in open_source(spec).rows()], ignore_index=True)


def spec_of(path: Path, **more: Any) -> SourceSpec:
    return SourceSpec(**{"name": "mails", "path": path, "key": "id", "text": "text", **more})


def write_csv(path: Path, rows: list[list[str]], **more: Any) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, **more).writerows(rows)
    return path
