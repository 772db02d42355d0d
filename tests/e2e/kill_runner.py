"""Runs a small journey, killed on demand; a script, so that forks happen before any vendor's
threads exist.

It reads one JSON request a line, {"folder", "prepare", "watch", "copies", "at", "when",
"known"}, forks a child that runs the journey in the folder (made first, if `prepare`; reading
calls watched, if `watch`; the folder copied to `copies`/N after writing call N, if that is not
empty) and is killed at call `at` (0: is not), and answers one JSON line: {"signal", "calls",
"standings", "ended"} or {"signal", "problem"}. After each round it looks where it stands (see
`standing`), and ends there if that is among the `known`: `ended` is then false.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import sys
import traceback
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from labelops.adapters import (  # noqa: F401 - imported before any fork, to save the time
    cleanlab_detector,
    delta,
    local_queue,
    sklearn_labeler,
    text_features,
)
from labelops.app import App
from labelops.digest import canonical_json
from labelops.journey import adopt_schema
from labelops.parts import Parts
from labelops.schema import Schema
from labelops.settings import read_settings
from labelops.state import Policies, Workspace, load
from labelops.state.rows import last_body
from labelops.tables import TABLES, newest
from labelops.testing.annotators import SimulatedAnnotator, skilled, work
from labelops.testing.killing import READING, Trap, trapped

ITEMS = 48
MOST_ROUNDS = 20
CLASSES = ("bill", "login", "parcel")
_WORDS = {
    "bill": ("invoice", "charged", "refund", "card", "paid"),
    "login": ("password", "account", "locked", "code", "sign"),
    "parcel": ("delivery", "box", "courier", "street", "late"),
}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.+]+")
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
agreement = -1.0
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


def run(folder: Path, trap: Trap, known: Collection[str]) -> tuple[list[str], bool]:
    """Run the journey to the first release and a warning not to use it, or to a known standing.

    Two items are withdrawn first. Known is where another run stood after a round. Returns where
    this one did after each of its rounds, and whether it went on to the end.
    """
    app = _trapped_app(folder, trap)
    people = team(app.settings.schema)
    truth = {key: canonical_json(name) for key, _, name in texts()}
    parts = Parts()
    app.ingest(parts=parts)  # As passes do: each source by itself.
    parts.raise_first()
    app.withdraw(["mail-010", "mail-011"], "asked for", "ann")
    stood: list[str] = []
    while len(stood) < MOST_ROUNDS:
        app.autolabel(going_on=True)
        app.route()
        app.send()
        work(app.queue, people, truth)  # type: ignore[arg-type]
        app.collect()
        app.consolidate()
        app.audit()
        gated = app.gate()
        if gated.verdict.passed:
            app.release()
        # Else a run before this one released, and died just after.
        if gated.verdict.passed or (gated.candidate is None and app.manifests()):
            app.deprecate("tickets@latest", "a warning")
            return stood, True
        stood.append(standing(app))
        if stood[-1] in known:
            return stood, False
    raise RuntimeError(f"no release: {app.gate().verdict.summary}")


def standing(app: App) -> str:
    """Digest all that the next round will read, but for what the clock says.

    Of every table the newest revisions, for a time how many votes were given before, every
    object, and the queue's file. What the next rounds do follows from that: two runs that stand
    alike end alike.
    """
    said = hashlib.sha256()
    for part in _parts(app, Path(app.settings.workspace)):
        said.update(part.encode() + b"\0")
    return said.hexdigest()


def _parts(app: App, workspace: Path) -> Iterator[str]:
    tables = delta.DeltaTables(str(workspace / "tables"))  # Not the trapped ones.
    state = load(replace(app.workspace, tables=tables, cache={}))
    queue = sqlite3.connect(workspace / "queue" / "queue.sqlite")
    [identity] = queue.execute("SELECT value FROM facts WHERE name = 'identity'").fetchone()
    given = np.sort(tables.read("votes")["given_at"].unique())
    for name, spec in TABLES.items():
        frame = newest(spec, tables.read(name))
        for clock in frame.select_dtypes("datetimetz").columns:
            frame[clock] = np.searchsorted(given, frame[clock])
        if name == "votes":
            frame["revision"] = frame["revision"].rank()
        if name == "events":
            frame["body"] = [_INSTANT.sub("then", b.replace(identity, "it")) for b in frame["body"]]
            # A digest of votes has their revisions in it, which are times.
            frame.loc[frame["kind"] == "consolidated", "body"] = ""
        yield frame.astype(str).to_json(orient="values")
    yield str(last_body(state.latest("consolidated"))["votes"] == state.votes_digest)
    for name in ("schemas", "offers", "excluded", "answers", "changes", "paused"):
        rows = queue.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
        # Revisions are times, and the last column of the two tables that have them.
        yield repr([row[:-1] for row in rows] if name in ("answers", "changes") else rows)
    queue.close()
    for file in sorted(workspace.rglob("*")):
        place = file.relative_to(workspace)
        if file.is_file() and place.parts[0] not in ("tables", "queue"):
            yield f"{place} {hashlib.sha256(file.read_bytes()).hexdigest()}"


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
    known: list[str],
) -> dict[str, Any]:
    if prepare:
        write(Path(folder))
    told: Callable[[str, str], None] | None = _Reads(Path(folder)) if watch else None
    if copies:
        told = _Copies(Path(folder), Path(copies))
    trap = Trap(at, when, told)
    stood, ended = run(Path(folder), trap, known)
    return {"calls": trap.calls, "standings": stood, "ended": ended}


def main() -> None:
    """Serve requests until standard input ends."""
    for line in sys.stdin:
        answer = _in_child(partial(_journey, **json.loads(line)))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
