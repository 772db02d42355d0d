"""SIGKILL at any call of an end; run again: votes, labels and release are as if undisturbed."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pandas as pd
import pytest

from labelops.adapters.delta import DeltaTables
from labelops.adapters.objects import LocalObjects
from labelops.adapters.parquet import decode_parquet
from labelops.release import Manifest, manifest_name, release_folder, released_versions, verify
from labelops.tables import LABELS, VOTES, newest
from labelops.testing.killing import READING

pytestmark = pytest.mark.slow  # many whole journeys

RUNNER = Path(__file__).with_name("kill_runner.py")
NAME = "tickets"
CHAIN = 30
"""Most kills in a row, after which a run is let through."""


class Runner:
    """A process that forks a child for every run and says how the child ended."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(RUNNER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Two runners share two cores; more threads than that only get in each other's way.
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            cwd=RUNNER.parents[2],
        )

    def run(
        self,
        folder: Path,
        *,
        prepare: bool = False,
        watch: bool = False,
        copies: Path | None = None,
        at: int = 0,
        when: str = "before",
        known: Sequence[str] = (),
    ) -> Any:
        """Run the journey in a folder; kill it at call `at` unless that is 0."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"folder": str(folder), "prepare": prepare, "watch": watch}
        request |= {"copies": str(copies or ""), "at": at, "when": when, "known": list(known)}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "problem" not in answer, answer["problem"]
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=300)


@dataclass(frozen=True)
class World:
    """The undisturbed run, the folder as it was after each of its writes, and more runners."""

    folder: Path
    copies: Path
    run: Future[Any]
    runners: SimpleQueue[Runner]
    good: set[str] = field(default_factory=set)
    """Where runs stood that ended as the undisturbed one: whoever stands there ends so too."""

    @property
    def calls(self) -> list[str]:
        """All calls of the undisturbed run, in order."""
        found: list[str] = self.run.result()["calls"]
        return found

    @property
    def writes(self) -> list[int]:
        """Numbers of the calls that may change something."""
        return [n for n, call in enumerate(self.calls, 1) if _method(call) not in READING]


def _method(call: str) -> str:
    return call.split()[0].partition(".")[2]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Start the undisturbed run; the second runner is free meanwhile."""
    place = tmp_path_factory.mktemp("kill")
    folder, copies = place / "undisturbed", place / "copies"
    runners = [Runner(), Runner()]
    free: SimpleQueue[Runner] = SimpleQueue()
    free.put(runners[1])

    def undisturbed() -> Any:
        answer = runners[0].run(folder, prepare=True, copies=copies)
        free.put(runners[0])
        return answer

    with ThreadPoolExecutor(1) as pool:
        yield World(folder, copies, pool.submit(undisturbed), free)
    for runner in runners:
        runner.close()


def outcome(folder: Path) -> dict[str, Any]:
    """Return what a run ended with, without what the clock decides."""
    tables = DeltaTables(str(folder / "workspace" / "tables"))
    votes = newest(VOTES, tables.read("votes")).drop(columns=["revision", "given_at"])
    labels = newest(LABELS, tables.read("labels")).drop(columns=["revision", "decided_at"])
    events = set(tables.read("events")["event_id"])
    objects = LocalObjects(str(folder / "workspace"))
    versions = released_versions(NAME, objects.list(f"releases/{NAME}/"))
    manifests = [Manifest.from_bytes(objects.get(manifest_name(NAME, v))) for v in versions]
    released = [decode_parquet(objects.get(m.part_name("labels"))) for m in manifests]
    for manifest, version in zip(manifests, versions, strict=True):
        names = objects.list(release_folder(NAME, version))
        assert verify(objects.get(manifest.object_name), objects.get, names) == []
    return {
        "versions": [str(v) for v in versions],
        "votes": votes.sort_values("vote_id", ignore_index=True),
        "labels": labels.sort_values("item_id", ignore_index=True),
        "released": released[0].drop(columns=["revision", "decided_at"], errors="ignore"),
        "gold": sorted(e for e in events if e.startswith("gold/")),
        "flagged": sorted(e for e in events if e.startswith("annotator_flagged/")),
        "acceptance": sorted(e for e in events if e.startswith(("hypothesis/", "candidate/"))),
        "named": "name/latest/0" in events,
        "deprecated": sorted(e for e in events if e.startswith("deprecated/")),
        "withdrawn": sorted(e for e in events if e.startswith("withdrawn/")),
    }


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(found[name], value, check_exact=True, obj=name)
        else:
            assert found[name] == value, name


@dataclass(frozen=True)
class Kill:
    """Where a run ends: at a call of an end, before it is made or after."""

    at: int
    when: str
    real: bool = True
    """By SIGKILL; otherwise in the copy of what such a kill leaves."""


def survives(world: World, folder: Path, kill: Kill) -> None:
    """Run again what was killed, and compare."""
    runner = world.runners.get()
    try:
        if kill.real:
            assert runner.run(folder, prepare=True, at=kill.at, when=kill.when)["signal"] == 9
        else:
            folder = world.copies / str(kill.at)
        again = runner.run(folder, known=sorted(world.good))
        assert again["signal"] == 0
    finally:
        world.runners.put(runner)
    if again["ended"]:
        try:
            assert_same(outcome(folder), outcome(world.folder))
        except AssertionError as error:
            raise AssertionError(f"{kill}, {world.calls[kill.at - 1]}: {error}") from error
        world.good.update(again["standings"])
    shutil.rmtree(folder)


def sweep(world: World, folder: Path, kills: Sequence[Kill]) -> list[str]:
    """Try many kills, two at a time; return what went wrong."""

    def one(kill: Kill) -> str | None:
        try:
            survives(world, folder / f"{kill.at}-{kill.when}", kill)
        except AssertionError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(2) as pool:
        return [problem for problem in pool.map(one, kills) if problem]


def test_kill_after_kill_changes_nothing(world: World, tmp_path: Path) -> None:
    """One label set whose runs are killed again and again ends as if undisturbed."""
    draw, folder, kills = random.Random(20260107), tmp_path / "chain", 0
    runner = world.runners.get()
    try:
        signal = 9
        while signal and kills < CHAIN:
            # A run repeats about ninety calls before it makes one that is new.
            at, when = draw.randint(60, 260), draw.choice(["before", "after"])
            signal = runner.run(folder, prepare=not kills, at=at, when=when)["signal"]
            kills += signal == 9
        if signal:
            assert runner.run(folder)["signal"] == 0
    finally:
        world.runners.put(runner)
    assert kills >= 6
    assert world.calls
    assert_same(outcome(folder), outcome(world.folder))


def test_undisturbed_run_is_worth_disturbing(world: World) -> None:
    """The run has every kind of call and event, so that kills have something to break."""
    made = {call.split()[0].partition(".")[2] for call in world.calls}
    assert {"append", "put_new", "send", "receive", "answer_many", "fit", "propose"} <= made
    found = outcome(world.folder)
    assert found["versions"] == ["1.0.0"]
    assert found["flagged"] == ["annotator_flagged/human:gus/0"]
    assert found["deprecated"] == ["deprecated/tickets@1.0.0/0"]
    assert found["withdrawn"] == ["withdrawn/mail-010/0", "withdrawn/mail-011/0"]
    assert not set(found["released"]["item_id"]) & {"mail-010", "mail-011"}
    assert {"hypothesis/1/0", "candidate/1/0", "candidate/1/1"} <= set(found["acceptance"])
    purposes = set(found["votes"]["purpose"])
    assert purposes == {"label", "calibrate", "review", "audit", "gold"}


def test_reading_calls_change_nothing(world: World, tmp_path: Path) -> None:
    """No call that only reads changes a file, so a kill at one is a kill between two writes."""
    runner = world.runners.get()
    try:
        watched = runner.run(tmp_path / "watched", prepare=True, watch=True)
    finally:
        world.runners.put(runner)
    # Two undisturbed runs stand alike after each round, and never where they stood before.
    stood = world.run.result()["standings"]
    assert watched["standings"] == stood
    assert len(set(stood)) == len(stood) > 5
    assert_same(outcome(tmp_path / "watched"), outcome(world.folder))


def test_what_is_lost_is_noticed(world: World, tmp_path: Path) -> None:
    """A run that lost an answer never stands where an undisturbed one does, nor ends as it."""
    first = next(n for n in world.writes if "Hands.answer_many" in world.calls[n - 1])
    folder = tmp_path / "lost"
    shutil.copytree(world.copies / str(first), folder)
    queue = sqlite3.connect(folder / "workspace" / "queue" / "queue.sqlite", isolation_level=None)
    queue.execute("DELETE FROM changes WHERE change = 1")
    queue.close()
    runner = world.runners.get()
    try:
        with pytest.raises(AssertionError, match="no release"):
            runner.run(folder, known=world.run.result()["standings"])
    finally:
        world.runners.put(runner)


def test_a_kill_at_every_call_changes_nothing(world: World, tmp_path: Path) -> None:
    """Every call that may write, dead after it: what it left is run again to the same end.

    A run ends early where it stands after a round as a run did that ended so.

    A call that only reads leaves the workspace as it was, so a kill there, and one before the
    next write, leave what a kill after the write before leaves. The annotators' own calls are
    another process's, alike but for who answers: some of them stand for all. Of all four kinds
    some are killed for real, from the start.
    """
    world.good.update(world.run.result()["standings"])
    draw = random.Random(7)
    reads = sorted(set(range(1, len(world.calls) + 1)) - set(world.writes))
    theirs = [n for n in world.writes if "Hands." in world.calls[n - 1]]
    ours = sorted(set(world.writes) - set(theirs))
    assert len(ours) > 90
    kills = [Kill(n, "after", real=False) for n in sorted(ours + draw.sample(theirs, 12))]
    kills += [Kill(n, when) for when in ("before", "after") for n in draw.sample(ours, 2)]
    kills += [Kill(n, when) for when in ("before", "after") for n in draw.sample(reads, 2)]
    assert sweep(world, tmp_path, kills) == []
