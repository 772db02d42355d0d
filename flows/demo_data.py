"""What the demo runs on: real digits from scikit-learn, or the tickets of `sample_data`."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labelops.digest import canonical_json
from labelops.errors import NotFoundError

__all__ = ["SAMPLES", "Sample", "digits", "tickets"]

_POLICY = """
[audit]
repeats = 1
rounds = 1
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """A label set for the demo.

    Parameters
    ----------
    name : str
    first, total : int
        Items of the first release, and of the second.
    settings : str
        Its labelops.toml.
    truth : mapping of item id to canonical value
        Known here, because it is a demo; only the simulated annotators ever see it.
    write : callable
        (folder, number of items) → writes the source's files.
    """

    name: str
    first: int
    total: int
    settings: str
    truth: Mapping[str, str]
    write: Callable[[Path, int], None]


_DIGITS = (
    """# Settings of the demo. Every key is documented in docs/reference/settings.md.
[schema]
name = "digits"
media = "image"
question = "Which digit is this?"
classes = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]

[source.digits]
path = "items.csv"
key = "id"
image = "file"
gold = "gold"
licence = "CC-BY-4.0"
purposes = ["training"]

[gate]
error = 0.02
confidence = 0.95
agreement = 0.7
"""
    + _POLICY
)

_TICKETS = (
    """# Settings of the demo. Every key is documented in docs/reference/settings.md.
[schema]
name = "tickets"
media = "text"
question = "What does the customer want first?"
classes = [
  "account_access", "billing", "cancel", "delivery",
  "item_problem", "product_question", "return_exchange", "subscription_change",
]

[source.tickets]
path = "items.csv"
key = "ticket_id"
text = "text"
group = "customer"
licence = "Apache-2.0"
purposes = ["training"]

[route]
seed = 100
training = 180

[gate]
error = 0.04
confidence = 0.95
agreement = 0.7
"""
    + _POLICY
)


def digits() -> Sample:
    """Return the 1,797 handwritten digits that ship inside scikit-learn, as PNG files."""
    from sklearn.datasets import load_digits

    data = load_digits()
    truth = {f"digit-{i:04d}": canonical_json(str(t)) for i, t in enumerate(data.target)}

    def write(folder: Path, count: int) -> None:
        import numpy as np
        from PIL import Image

        images = folder / "images"
        images.mkdir(parents=True, exist_ok=True)
        rows = []
        for i, item_id in enumerate(list(truth)[:count]):
            file = images / f"{item_id}.png"
            if not file.exists():
                grey = (255 - data.images[i] / 16 * 255).astype(np.uint8)
                Image.fromarray(grey).resize((64, 64), Image.Resampling.NEAREST).save(file)
            # The owner knows a few answers; they measure annotators and are nobody's votes.
            gold = json.loads(truth[item_id]) if i < 8 else ""
            rows.append({"id": item_id, "file": f"images/{item_id}.png", "gold": gold})
        _write_csv(folder / "items.csv", rows)

    return Sample("digits", 1500, len(truth), _DIGITS, truth, write)


def tickets() -> Sample:
    """Return 613 invented customer-support messages in 8 intents."""
    source = _sample_folder("tickets")
    with (source / "truth.csv").open(encoding="utf-8", newline="") as file:
        truth = {r["ticket_id"]: canonical_json(r["intent"]) for r in csv.DictReader(file)}

    def write(folder: Path, count: int) -> None:
        with (source / "items.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        _write_csv(folder / "items.csv", rows[:count])

    return Sample("tickets", 500, len(truth), _TICKETS, truth, write)


SAMPLES: Mapping[str, Callable[[], Sample]] = {"digits": digits, "tickets": tickets}
"""The demo's samples by name."""


def _sample_folder(name: str) -> Path:
    """Return a sample's folder: beside the flows in a wheel, beside their folder in a clone."""
    here = Path(__file__).resolve().parent
    for folder in (here / "sample_data" / name, here.parent / "sample_data" / name):
        if folder.is_dir():
            return folder
    raise NotFoundError(f"the sample {name!r} is not installed; run the demo from a clone")


def _write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    shutil.move(partial, path)
