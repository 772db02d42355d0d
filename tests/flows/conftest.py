"""A small real label set: 200 scanned digits on disk, simulated annotators, the local queue."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from sklearn.datasets import load_digits

from labelops.app import App, open_app
from labelops.schema import Schema
from labelops.testing.annotators import SimulatedAnnotator, skilled, work

PEOPLE = ("ann", "ben", "cat", "dan", "eve", "fay", "gil")

SETTINGS = """
workspace = "workspace"

[schema]
name = "digits"
media = "image"
classes = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]

[source.scans]
path = "scans/items.csv"
key = "id"
image = "file"
licence = "CC-BY-4.0"
purposes = ["training"]

[route]
seed = 30
training = 60
calibration = 40

[accept]
error = 0.2

[gate]
error = 0.2
agreement = 0.2
open_findings = 0.1
"""


@dataclass(frozen=True)
class World:
    """A label set on disk and the people who label it."""

    config: Path
    truth: dict[str, str]

    def open(self) -> App:
        """Open the label set anew, as another process would."""
        return open_app(self.config)

    def people(self) -> list[SimulatedAnnotator]:
        """Return SIMULATED annotators who are right 97 % of the time."""
        schema = Schema("digits", tuple("0123456789"), media="image")
        return [skilled(f"human:{name}", schema, 0.97) for name in PEOPLE]

    def label(self) -> int:
        """Let the people work until nothing is open."""
        from labelops.adapters.local_queue import LocalQueue

        queue = LocalQueue(self.config.parent / "workspace" / "queue")
        return work(queue, self.people(), self.truth)


def write_world(folder: Path, items: int = 200, extra: str = "") -> World:
    """Write real digits as PNG files, an items file and labelops.toml; truth stays in memory."""
    digits = load_digits()
    scans = folder / "scans"
    scans.mkdir(parents=True)
    rows = ["id,file"]
    truth = {}
    for place in range(items):
        pixels = (digits.images[place] * 15.9375).astype("uint8")
        Image.fromarray(pixels).save(scans / f"{place:04}.png")
        rows.append(f"digit-{place:04},{place:04}.png")
        truth[f"digit-{place:04}"] = json.dumps(str(digits.target[place]))
    (scans / "items.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    config = folder / "labelops.toml"
    config.write_text(SETTINGS + extra, encoding="utf-8")
    return World(config, truth)


@pytest.fixture
def make_world(tmp_path: Path) -> Callable[..., World]:
    """Return what writes label sets into this test's folder, by name."""

    def make(name: str = "digits", items: int = 200, extra: str = "") -> World:
        return write_world(tmp_path / name, items, extra)

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """Return a label set of 200 digits."""
    return make_world()
