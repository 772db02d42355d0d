from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from labelops.state import State, load

from .conftest import PATIENT, World

# A process of its own that waits for the start of each flow. A `receive` that began after the
# other process's `send` would rightly say more than one round of a lone process.
_RUN = """
import sys
from labelops.app import open_app
from flows.receive import run_receive
from flows.send import run_send
app = open_app(sys.argv[1])
for flow in (run_receive, run_send):
    print("ready", flush=True)
    sys.stdin.readline()
    flow(app)
"""
_FLOWS = 2


def run_at_once(world: World, processes: int) -> None:
    """Run `receive`, then `send`, in so many processes that start each of them together."""
    command = [sys.executable, "-c", _RUN, str(world.config)]

    pipe = subprocess.PIPE
    started = [
        subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=pipe)
        for _ in range(processes)
    ]
    try:
        for _ in range(_FLOWS):
            for process in started:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n", process.communicate()[1]
            for process in started:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
        for process in started:
            _, errors = process.communicate(timeout=PATIENT)
            assert process.returncode == 0, errors
    finally:
        for process in started:
            process.kill()
            process.wait()


def said(state: State) -> tuple[object, ...]:
    """Return what a label set says, without the times at which it was said."""
    votes = state.votes.sort_values("vote_id")[["vote_id", "item_id", "annotator", "value"]]
    labels = state.labels.sort_values("item_id")[["item_id", "value", "method", "posterior"]]
    seats = state.open_seats.sort_values(["item_id", "purpose"])
    asked = seats[["item_id", "purpose", "open", "exclude"]]
    # When it was looked at is the clock's.
    standing = [replace(h, looked_at="", since="", until="").to_body() for h in state.standing]
    facts = state.labeler_version, standing
    return (votes.to_csv(index=False), labels.to_csv(index=False), asked.to_csv(index=False), facts)


@pytest.mark.slow
def test_flows_of_two_processes_at_once_say_what_one_says(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Round by round, two overlapping runs leave the votes, labels and plan of a serial run."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
    alone, beside = make_world("alone", 120), make_world("beside", 120)
    for _ in range(3):
        run_at_once(alone, 1)
        run_at_once(beside, 2)
        one, two = load(alone.open().workspace), load(beside.open().workspace)
        assert said(one) == said(two)
        assert alone.label() == beside.label()
    assert len(one.votes) > 50
    assert one.labels["value"].notna().any()
