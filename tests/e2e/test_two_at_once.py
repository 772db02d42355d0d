"""Two processes that run the same stages at the same time end as one would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labelops.app import open_app
from labelops.tables import LABELS, VOTES, newest
from labelops.testing.annotators import work

from .label_sets import team, write_mails

pytestmark = pytest.mark.slow


def _outcome(folder: Path) -> dict[str, object]:
    tables = open_app(folder).workspace.tables
    votes = newest(VOTES, tables.read("votes")).drop(columns=["revision", "given_at"])
    labels = newest(LABELS, tables.read("labels")).drop(columns=["revision", "decided_at"])
    return {
        "votes": votes.sort_values("vote_id", ignore_index=True).to_json(),
        "labels": labels.sort_values("item_id", ignore_index=True).astype(str).to_json(),
    }


_PASS = """
import sys
from labelops.app import open_app
app = open_app(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for stage in sys.argv[2].split():
    getattr(app, stage)()
"""


def _stages(folder: Path, stages: str, processes: int) -> None:
    """Run stages in processes that start them at the same time."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _PASS, str(folder), stages],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            cwd=Path(__file__).parents[2],
        )
        for _ in range(processes)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in started:
        process.communicate(timeout=600)
        assert process.returncode == 0


def test_two_processes_at_once_end_as_one(tmp_path: Path) -> None:
    """Sending and receiving in two processes at once ends with the votes and labels of one."""
    outcomes = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        truth = write_mails(folder, 36)
        app = open_app(folder)
        app.ingest()
        people = team(app, 0.97, 0.96, 0.95, 0.95)
        for _ in range(3):
            _stages(folder, "autolabel route send", processes)
            work(app.queue, people, truth)  # type: ignore[arg-type]
            _stages(folder, "collect consolidate", processes)
        outcomes.append(_outcome(folder))
    assert outcomes[0] == outcomes[1]
