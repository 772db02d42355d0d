"""A Prefect server that ends in the middle of a run and is started again: nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.send import run_send
from labelops.adapters._address import free_port
from labelops.state import load

from .conftest import World, served, stop, until

pytestmark = pytest.mark.server

_PROJECT = Path(__file__).resolve().parents[2]


def test_a_run_outlives_its_server(make_world: Callable[..., World], tmp_path: Path) -> None:
    """Its stages go on, it waits for the server to say so, and the next run finds nothing to do."""
    world, home, port = make_world(), tmp_path / "prefect", free_port()
    home.mkdir()
    log = tmp_path / "run.log"
    code = "import sys; from flows.send import send; send(sys.argv[1])"
    with served(home, port) as (server, process), log.open("wb") as out:
        run = subprocess.Popen(
            [sys.executable, "-c", code, str(world.config)], cwd=_PROJECT, env=server.environ,
            stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
        try:
            until("the run begins", lambda: "Beginning flow run" in log.read_text() or None)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert "Finished in state" not in log.read_text(), "it ended before its server did"
            until(
                "a stage is done meanwhile", lambda: len(load(world.open().workspace).plan) or None
            )
            assert run.poll() is None, "it waits"
            with served(home, port) as (again, _):
                assert run.wait(180) == 0, log.read_text()[-2000:]
                (found,) = again.get("/flow_runs/filter", {})
                assert (found["name"], found["state_name"]) == ("send digits", "Completed")
        finally:
            stop(run)
    state = load(world.open().workspace)
    assert len(state.items) == len(world.truth)
    assert len(state.plan) == len(state.plan.drop_duplicates(["item_id", "round", "purpose"]))
    done = run_send(world.open())
    assert (done["route"]["votes"], done["queue"]["offered"]) == (0, 0)
    assert done["queue"]["known"] == len(state.open_seats)
