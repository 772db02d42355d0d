"""Small label sets on disk, and what is common to the end-to-end tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from labelops.adapters.local_queue import LocalQueue
from labelops.app import App, open_app
from labelops.digest import canonical_json
from labelops.settings import read_settings
from labelops.testing.annotators import SimulatedAnnotator, skilled, work

PATIENT = 300.0
"""Seconds after which what should have ended long ago hangs, on however busy a machine."""

CLASSES = ("bill", "login", "parcel")
_WORDS = {
    "bill": ("invoice", "charged", "refund", "card", "paid"),
    "login": ("password", "account", "locked", "code", "sign"),
    "parcel": ("delivery", "box", "courier", "street", "late"),
}

MAIL = """
[schema]
name = "tickets"
classes = ["bill", "login", "parcel"]
[source.mail]
path = "mail.csv"
key = "id"
text = "text"
licence = "CC0-1.0"
purposes = ["training"]
[route]
seed = 12
training = 16
calibration = 10
overlap_share = 1.0
[accept]
error = 0.3
[audit]
repeats = 1
planted = 0.1
[gate]
error = 0.25
agreement = 0.0
"""


class OwnTime:
    """A label set on disk whose time is `now`, in the stages as in the embedded queue."""

    folder: Path
    now: datetime

    def opened(self) -> App:
        """Open it as another process would."""
        app = App(read_settings(self.folder / "labelops.toml"), lambda: self.now)
        place = Path(app.settings.workspace) / "queue"
        app.__dict__["queue"] = LocalQueue(place, clock=self._microseconds)
        return app

    def _microseconds(self) -> int:
        self.now += timedelta(microseconds=1)
        return int(self.now.timestamp() * 1e6)


def mails(count: int) -> dict[str, tuple[str, str]]:
    """Return item id → (text, class)."""
    found = {}
    for n in range(count):
        name = CLASSES[n % 3]
        words = _WORDS[name]
        text = f"{words[n % 5]} {words[(n * 3 + 1) % 5]} number {n * 7919 % 1000}"
        found[f"mail-{n:03d}"] = (text, name)
    return found


def write_mails(folder: Path, count: int, toml: str = MAIL) -> dict[str, str]:
    """Write a label set of e-mails; return item id → true value."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labelops.toml").write_text(toml)
    rows = mails(count)
    lines = [f"{key},{text}" for key, (text, _) in rows.items()]
    (folder / "mail.csv").write_text("\n".join(["id,text", *lines]) + "\n")
    return {key: canonical_json(name) for key, (_, name) in rows.items()}


def team(app: App, *accuracies: float) -> list[SimulatedAnnotator]:
    """Return annotators a0, a1, … of these accuracies."""
    schema = app.settings.schema
    return [skilled(f"human:a{i}", schema, p) for i, p in enumerate(accuracies)]


def one_round(app: App, people: list[SimulatedAnnotator], truth: Mapping[str, str]) -> None:
    """Ask, let people work, and decide."""
    app.autolabel()
    app.route()
    app.send()
    work(app.queue, people, truth)  # type: ignore[arg-type]
    app.collect()
    app.consolidate()


def until_passed(
    folder: Path, people: list[SimulatedAnnotator], truth: Mapping[str, str], rounds: int = 25
) -> App:
    """Work until the gate passes; nothing is released yet."""
    app = open_app(folder)
    app.ingest()
    for _ in range(rounds):
        one_round(app, people, truth)
        app.audit()
        if app.gate().verdict.passed:
            return app
    raise AssertionError(app.gate().verdict.summary)


def contents(folder: Path) -> dict[str, str]:
    """Return the digest of every file below a folder, by its path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }
