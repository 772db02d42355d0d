from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from tempfile import TemporaryFile
from typing import IO

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
    run_together([sys.executable, "-c", _RUN, str(world.config)], processes, _FLOWS)


def run_together(command: list[str], processes: int, steps: int, patience: float = PATIENT) -> None:
    """Run a command so many times at once; each step waits until every process is ready for it.

    Who is not done after so many seconds is ended, and fails with what it said.
    """
    with ExitStack() as stack:
        # A file each: a pipe that nobody reads fills up, and whoever writes to it hangs.
        said = [stack.enter_context(TemporaryFile("w+")) for _ in range(processes)]
        started = [
            subprocess.Popen(
                command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
            for errors in said
        ]
        for process in started:
            stack.enter_context(process)
            stack.callback(process.kill)
        late = threading.Timer(patience, lambda: [process.kill() for process in started])
        late.start()
        stack.callback(late.cancel)
        for _ in range(steps):
            for process, errors in zip(started, said, strict=True):
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n", _text(errors)
            for process in started:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
        for process, errors in zip(started, said, strict=True):
            process.communicate()
            assert process.returncode == 0, _text(errors)


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


_SAYS_MUCH = "import sys; sys.stderr.write('x' * 300_000); print('ready', flush=True); input()"
_HANGS = "import sys, time; sys.stderr.write('here'); sys.stderr.flush(); time.sleep(600)"


@pytest.mark.slow
def test_a_process_that_says_much_or_hangs_ends() -> None:
    """More errors than a pipe holds stop nobody; who never gets ready fails with what it said."""
    run_together([sys.executable, "-c", _SAYS_MUCH], 1, 1)
    with pytest.raises(AssertionError, match="here"):
        run_together([sys.executable, "-c", _HANGS], 1, 1, patience=1.0)


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
