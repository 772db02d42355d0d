"""Ingest of short texts from a CSV file, beside reading the file and writing the same table.

python -m benchmarks.ingest [--rows N] [--repeat 3]
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks._data import texts
from benchmarks._measure import Clock, Plan, main

PLAN = Plan(
    module="benchmarks.ingest",
    rows=1_000_000,
    ours=("labelops", "bare"),
    against={"ingest": "pandas → Delta", "ingest again": "ingest"},
)

SETTINGS = """
[schema]
name = "messages"
media = "text"
classes = ["a", "b"]
[source.messages]
path = "items.csv"
key = "id"
text = "text"
licence = "CC0-1.0"
purposes = ["training"]
"""


def prepare(rows: int, place: Path) -> None:
    """Write the file: varied texts of some 60 characters, one in fifty a near-duplicate."""
    found, _ = texts(rows, np.random.default_rng(0))
    with (place / "items.csv").open("w", encoding="utf-8") as file:
        file.write("id,text,channel\n")
        file.writelines(f'm{i:07d},"{text}",mail\n' for i, text in enumerate(found))
    (place / "labelops.toml").write_text(SETTINGS)


def labelops(clock: Clock, rows: int, place: Path, folder: Path) -> None:
    """Take the file in, and then once more as a new opener would: nothing is new."""
    from labelops.app import open_app

    # The settings are copied: the workspace is made beside them, and each run starts with none.
    (folder / "labelops.toml").write_text((place / "labelops.toml").read_text())
    (folder / "items.csv").symlink_to(place / "items.csv")
    app = open_app(folder)
    with clock.step("ingest", rows):
        first = app.ingest()["messages"]
    with clock.step("ingest again", rows):
        second = open_app(folder).ingest()["messages"]
    if (first.added, second.unchanged) != (rows, rows):
        raise SystemExit(f"{first.added} added, {second.unchanged} unchanged; expected {rows}")


def bare(clock: Clock, rows: int, place: Path, folder: Path) -> None:
    """Read the file with pandas and write it as it is: the least that any ingest does."""
    import pandas as pd
    from deltalake import write_deltalake

    with clock.step("pandas → Delta", rows):
        frame = pd.read_csv(place / "items.csv", dtype=str)
        write_deltalake(str(folder / "table"), frame)


if __name__ == "__main__":
    main(PLAN, "Ingest: short texts from one CSV file", prepare)
