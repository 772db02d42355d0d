"""Runs a small journey, killed on demand; a script, so that forks happen before any vendor's
threads exist.

It reads one JSON request a line, {"folder", "prepare", "watch", "copies", "at", "when"}, forks
a child that runs the journey in the folder (made first, if `prepare`; reading calls watched,
if `watch`; the folder copied to `copies`/N after writing call N, if that is not empty) and is
killed at call `at` (0: is not), and answers one JSON line: {"signal", "calls", "rounds"} or
{"signal", "problem"}.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

from labelops.adapters import (  # noqa: F401 - imported before any fork, to save the time
    cleanlab_detector,
    delta,
    local_queue,
    sklearn_features,
    sklearn_labeler,
)
from labelops.app import App
from labelops.digest import canonical_json
from labelops.journey import adopt_schema
from labelops.schema import Schema
from labelops.settings import read_settings
from labelops.state import Policies, Workspace
from labelops.testing.annotators import SimulatedAnnotator, skilled, work
from labelops.testing.killing import READING, Trap, trapped

ITEMS = 48
CLASSES = ("bill", "login", "parcel")
_WORDS = {
    "bill": ("invoice", "charged", "refund", "card", "paid"),
    "login": ("password", "account", "locked", "code", "sign"),
    "parcel": ("delivery", "box", "courier", "street", "late"),
}
_FILLER = ("please", "help", "today", "again", "my", "the", "with", "since", "week", "thanks")
TOML = """
[schema]
name = "tickets"
classes = ["bill", "login", "parcel"]
[source.mail]
path = "mail.jsonl"
key = "id"
text = "text"
gold = "gold"
licence = "CC0-1.0"
purposes = ["training"]
[route]
seed = 16
training = 16
calibration = 12
overlap_share = 0.7
[accept]
error = 0.3
[audit]
repeats = 1
planted = 0.1
[gate]
error = 0.3
agreement = 0.0
"""


def texts() -> list[tuple[str, str, str]]:
    """Return (id, text, class) of every item; some texts leave the class open."""
    rows = []
    for n in range(ITEMS):
        name = CLASSES[n % 3]
        other = CLASSES[(n + 1) % 3] if n % 9 == 0 else name
        first, second = _WORDS[name][n % 5], _WORDS[other][(n * 3 + 1) % 5]
        filler = " ".join(_FILLER[(n * k + k) % 10] for k in (1, 3, 7))
        rows.append((f"mail-{n:03d}", f"{first} {filler} {second} {n * 7919 % 1000}", name))
    return rows


def write(folder: Path) -> None:
    """Write the label set's files."""
    folder.mkdir(parents=True)
    (folder / "labelops.toml").write_text(TOML)
    with (folder / "mail.jsonl").open("w") as file:
        for n, (key, text, name) in enumerate(texts()):
            file.write(json.dumps({"id": key, "text": text, "gold": name if n < 4 else ""}) + "\n")


def team(schema: Schema) -> list[SimulatedAnnotator]:
    """Return four who can read, one of whom skips at times, and one who errs nine times of ten."""
    return [
        skilled("human:ann", schema, 1.0),
        skilled("human:bob", schema, 0.9),
        skilled("human:cyd", schema, 0.9, skip_rate=0.05),
        skilled("human:dee", schema, 1.0),
        skilled("human:gus", schema, 0.1),
    ]


def run(folder: Path, trap: Trap) -> int:
    """Run the whole journey up to the first release; return how many rounds it took."""
    app = _trapped_app(folder, trap)
    people = team(app.settings.schema)
    truth = {key: canonical_json(name) for key, _, name in texts()}
    app.ingest()
    for number in range(1, 30):
        app.autolabel()
        app.route()
        app.send()
        work(app.queue, people, truth)  # type: ignore[arg-type]
        app.collect()
        app.consolidate()
        app.audit()
        gated = app.gate()
        if gated.verdict.passed:
            app.release()
            return number
        if gated.candidate is None and app.manifests():
            return number  # a run before this one released, and died just after
    raise RuntimeError(f"no release: {app.gate().verdict.summary}")


def _trapped_app(folder: Path, trap: Trap) -> App:
    """Open the label set with a trap around every end, before anything is read or written."""
    app = App(read_settings(folder / "labelops.toml"))
    made = app.__dict__  # where a cached property keeps its value
    made["objects"] = trapped(app.objects, trap)
    settings = app.settings
    made["workspace"] = Workspace(
        tables=trapped(delta.DeltaTables(f"{settings.workspace}/tables"), trap),
        objects=app.objects,
        schema=settings.schema,
        key=b"k2",  # fixed: the same draws in every run
        policies=Policies(
            settings.accept, settings.route, settings.consolidate, settings.audit, settings.gate
        ),
    )
    adopt_schema(app.workspace, now=app.clock())
    made["queue"] = trapped(app.queue, trap)
    made["labeler"] = trapped(app.labeler, trap)
    return app


def _in_child(job: Callable[[], Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            said = job()
        except BaseException:
            said = {"problem": traceback.format_exc()}
        with os.fdopen(writing, "w") as file:
            json.dump(said, file)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        said = file.read()
    _, status = os.waitpid(child, 0)
    killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return {"signal": killed, **(json.loads(said) if said else {})}


class _Reads:
    """Looks whether a call that only reads changes a file: when it was written, or how long."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._before: object = None

    def __call__(self, call: str, when: str) -> None:
        if call.split()[0].partition(".")[2] not in READING:
            return
        now = self._files()
        if when == "after" and now != self._before:
            raise RuntimeError(f"{call} changed a file")
        self._before = now

    def _files(self) -> dict[str, tuple[int, int]]:
        found = {}
        for where, _, names in os.walk(self._folder):
            for name in names:
                # The database keeps its readers in the -shm file.
                if not name.endswith("-shm"):
                    facts = Path(where, name).stat()
                    found[f"{where}/{name}"] = (facts.st_mtime_ns, facts.st_size)
        return found


class _Copies:
    """Copies the folder after every writing call: what a process killed there leaves behind.

    What a process wrote is in the file system whether it lives on or not, and between two
    calls of an end nobody writes.
    """

    def __init__(self, folder: Path, copies: Path) -> None:
        self._folder, self._copies = folder, copies
        self._number = 0

    def __call__(self, call: str, when: str) -> None:
        self._number += when == "before"
        if when == "after" and call.split()[0].partition(".")[2] not in READING:
            shutil.copytree(self._folder, self._copies / str(self._number))


def _journey(
    folder: str,
    prepare: bool,
    watch: bool,
    copies: str,
    at: int,
    when: Literal["before", "after"],
) -> dict[str, Any]:
    if prepare:
        write(Path(folder))
    told: Callable[[str, str], None] | None = _Reads(Path(folder)) if watch else None
    if copies:
        told = _Copies(Path(folder), Path(copies))
    trap = Trap(at, when, told)
    rounds = run(Path(folder), trap)
    return {"calls": trap.calls, "rounds": rounds}


def main() -> None:
    """Serve requests until standard input ends."""
    for line in sys.stdin:
        answer = _in_child(partial(_journey, **json.loads(line)))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
