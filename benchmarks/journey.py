"""The whole journey over made-up texts, from file to release, beside its model fits alone.

python -m benchmarks.journey [--rows N] [--repeat 1]
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._data import CLASSES, texts
from benchmarks._measure import Clock, Plan, main

PLAN = Plan(
    module="benchmarks.journey",
    rows=20_000,
    ours=("labelops",),
    against={"journey": "model fits alone"},
)

STAGES = ("autolabel", "route", "send", "collect", "consolidate", "audit", "gate")
MOST_ROUNDS = 60
SETTINGS = f"""
[schema]
name = "messages"
media = "text"
classes = {json.dumps(CLASSES)}
[source.messages]
path = "items.csv"
key = "id"
text = "text"
licence = "CC0-1.0"
purposes = ["training"]
[route]
votes_per_round = 2000
"""


def prepare(rows: int, place: Path) -> None:
    """Write the items, and apart from them the truth that only the annotators know."""
    found, classes = texts(rows, np.random.default_rng(0))
    with (place / "items.csv").open("w", encoding="utf-8") as file:
        file.write("id,text\n")
        file.writelines(f'm{i:07d},"{text}"\n' for i, text in enumerate(found))
    truth = {f"m{i:07d}": json.dumps(CLASSES[c]) for i, c in enumerate(classes)}
    (place / "truth.json").write_text(json.dumps(truth))
    (place / "labelops.toml").write_text(SETTINGS)


def labelops(clock: Clock, rows: int, place: Path, folder: Path) -> None:
    """Go round after round until the gate passes and a release is written."""
    from labelops.app import open_app
    from labelops.state import load
    from labelops.testing.annotators import team_of_seven, work

    # The settings are copied: the workspace is made beside them, and each run starts with none.
    (folder / "labelops.toml").write_text((place / "labelops.toml").read_text())
    (folder / "items.csv").symlink_to(place / "items.csv")
    truth = json.loads((place / "truth.json").read_text())
    app = open_app(folder)
    team = team_of_seven(app.settings.schema)
    fits, rounds = _Fits(), 0
    with clock.step("journey", rows), fits:
        with clock.step("ingest", rows):
            app.ingest()
        while rounds < MOST_ROUNDS:
            rounds += 1
            for stage in STAGES:
                with clock.step(stage, rows):
                    done = getattr(app, stage)()
                if stage == "send":
                    with clock.step("annotators (simulated)", rows):
                        work(app.queue, team, truth)  # type: ignore[arg-type]
            if done.verdict.passed:
                break
        else:
            clock.notes.append(
                f"{rows:,} rows: no release after {MOST_ROUNDS} rounds: {done.verdict.summary}"
            )
        if done.verdict.passed:
            with clock.step("release", rows):
                reference = app.release().reference
            given = int((load(app.workspace).votes["status"] == "given").sum())
            clock.notes.append(
                f"{rows:,} rows: {reference} after {rounds} rounds and {given:,} votes"
            )
    clock.add("model fits alone", rows, fits.wall, fits.cpu)


class _Fits:
    """Adds up the time spent inside scikit-learn's own fits and predictions."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self._inside = False

    def __enter__(self) -> None:
        from sklearn.ensemble import ExtraTreesClassifier
        from sklearn.linear_model import LogisticRegression

        for model in (ExtraTreesClassifier, LogisticRegression):
            for name in ("fit", "predict_proba"):
                setattr(model, name, self._timed(getattr(model, name)))

    def __exit__(self, *_: object) -> None:
        """Leave the timing in place: the process ends here."""

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return method(*args, **kwargs)
            self._inside = True
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return method(*args, **kwargs)
            finally:
                self._inside = False
                self.wall += time.perf_counter() - wall
                self.cpu += time.process_time() - cpu

        return timed


if __name__ == "__main__":
    main(PLAN, "Journey: made-up texts in 6 classes, from file to release", prepare)
