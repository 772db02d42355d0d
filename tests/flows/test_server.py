"""The flows on a real Prefect server in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateName,
)
from prefect.flow_engine import run_flow
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOGGING_TO_API_BATCH_INTERVAL,
    temporary_settings,
)

from flows.deploy import _pause, deployments
from flows.publish import publish
from flows.receive import receive, run_receive
from flows.send import run_send, send
from flows.tasks import TASKS
from labelops.errors import EndUnavailable, SettingsError, SourceError
from labelops.settings import read_settings
from labelops.state import load

from .conftest import PrefectServer, World, stop, until

pytestmark = [
    pytest.mark.server,
    # Prefect 3.8 leaves the closing of its clients' sockets and loops to the interpreter; files
    # and processes left open are errors here as elsewhere.
    pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning"),
]

_PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server(prefect_server: PrefectServer) -> Iterator[PrefectServer]:
    """Let the flows of this process use the server."""
    quick = {
        PREFECT_API_URL: prefect_server.url,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        PREFECT_LOGGING_TO_API_BATCH_INTERVAL: 0.1,
    }
    with temporary_settings(quick):
        yield prefect_server


def runs_of(server: PrefectServer, config: Path, **state: Any) -> list[dict[str, Any]]:
    """Return the flow runs about a label set, oldest first."""
    body = {"flow_runs": {"state": state}, "sort": "START_TIME_ASC"} if state else {}
    found = server.get("/flow_runs/filter", body)
    return [run for run in found if run["parameters"].get("config") == str(config.resolve())]


def tasks_of(server: PrefectServer, run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a flow run's task runs by name, once all of them are known to have ended."""

    def look() -> dict[str, dict[str, Any]] | None:
        found = server.get("/task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
        done = found and all(t["state_type"] in ("COMPLETED", "FAILED") for t in found)
        return {t["name"]: t for t in found} if done else None

    return until("the server knows how every task ended", look)


def test_a_round_leaves_its_tasks_and_artifacts_on_the_server(
    server: PrefectServer, world: World
) -> None:
    """One task a stage, the path as the only parameter, a plan and a verdict to read."""
    config = str(world.config)
    sent = send(config)
    plan = server.artifact("digits-plan")
    assert f"{sent['route']['votes']} new votes asked for" in plan
    assert "random calibration sample" in plan
    world.label()
    received = receive(config)
    assert received["collect"]["new"] == sent["route"]["votes"]
    assert server.artifact("digits-verdict").startswith("# INCONCLUSIVE: digits")
    published = publish(config)
    assert published["release"]["reference"] is None
    runs = runs_of(server, world.config)
    assert {run["state_type"] for run in runs} == {"COMPLETED"}
    assert all(run["parameters"] == {"config": config} for run in runs)
    assert {run["name"] for run in runs} == {"send digits", "receive digits", "publish digits"}
    stages = [set(tasks_of(server, run)) for run in runs]
    assert {"ingest", "autolabel", "route", "queue"} in stages
    assert {"collect", "consolidate", "audit", "gate"} in stages
    assert {"release", "reuse"} in stages

    def logged() -> bool | None:
        said = "\n".join(line["message"] for line in server.get("/logs/filter", {}))
        wanted = (
            "new votes of",
            "Round 1 asks for",
            "INCONCLUSIVE  no labels",
            "Nothing is released",
        )
        return all(words in said for words in wanted) or None

    until("every stage's words are in the server's logs", logged)


def test_an_end_that_is_down_is_tried_again_and_then_fails_the_run_in_one_line(
    server: PrefectServer, make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the stage that met it is run again; secrets and contents are nowhere on the server."""
    token, key = "5ecre7" * 6, "the-key-of-all-draws"
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", token)
    monkeypatch.setenv("LABELOPS_KEY", key)
    monkeypatch.setattr(TASKS["queue"], "retry_delay_seconds", [0.0, 0.0, 0.0])
    queue = '[queue]\ntype = "label-studio"\nurl = "http://127.0.0.1:9"\n'
    world = make_world("down", extra=queue)
    with pytest.raises(EndUnavailable):
        send(str(world.config))
    (run,) = runs_of(server, world.config)
    assert run["state_type"] == "FAILED"
    assert "EndUnavailable" in run["state"]["message"]
    assert "\n" not in run["state"]["message"]
    done = tasks_of(server, run)
    assert {name: t["run_count"] for name, t in done.items()} == {
        "ingest": 1,
        "autolabel": 1,
        "route": 1,
        "queue": 4,
    }

    def logged() -> bool | None:
        found = server.get("/logs/filter", {"logs": {"flow_run_id": {"any_": [run["id"]]}}})
        return any("EndUnavailable" in line["message"] for line in found) or None

    until("the error is in the server's logs", logged)
    kept = b"".join(p.read_bytes() for p in Path(server.environ["PREFECT_HOME"]).glob("*.db*"))
    assert str(world.config).encode() in kept
    assert token.encode() not in kept
    assert key.encode() not in kept


def test_a_labeler_that_is_away_fails_its_task_and_the_others_go_on(
    server: PrefectServer, make_world: Callable[..., World]
) -> None:
    """It is waited for once; people are offered the plan; the run has failed, and says why."""
    extra = '[labeler]\ntype = "http"\nurl = "http://127.0.0.1:9"\npatience = 1.0\n'
    world = make_world("away", extra=extra)
    app = world.open()
    run_send(app)
    world.label()
    run_receive(app)
    with pytest.raises(EndUnavailable, match=r"127\.0\.0\.1:9"):
        send(str(world.config))
    (run,) = runs_of(server, world.config)
    assert run["state_type"] == "FAILED"
    assert "EndUnavailable: labeler 'model:http'" in run["state"]["message"]
    done = tasks_of(server, run)
    assert {name: (t["run_count"], t["state_type"]) for name, t in done.items()} == {
        "ingest": (1, "COMPLETED"),
        "autolabel": (1, "FAILED"),
        "route": (1, "COMPLETED"),
        "queue": (1, "COMPLETED"),
    }
    assert "Not done, autolabel: labeler" in server.artifact("digits-plan")

    def told() -> bool | None:
        found = server.get("/logs/filter", {"logs": {"flow_run_id": {"any_": [run["id"]]}}})
        said = [line["message"] for line in found if "127.0.0.1:9" in line["message"]]
        return any(line.startswith("asking labeler") for line in said) or None

    until("who is asked is in the run's log", told)
    assert load(world.open().workspace).sent() == 2
    assert receive(str(world.config))["gate"]["status"] == "inconclusive"


def test_what_is_wrong_for_good_is_not_tried_again(server: PrefectServer, world: World) -> None:
    """Items that cannot be read fail the stage at its first attempt, and the file is named.

    The other stages go on with the items there are.
    """
    (world.config.parent / "scans" / "0003.png").unlink()
    with pytest.raises(SourceError, match=r"0003\.png"):
        send(str(world.config))
    (run,) = runs_of(server, world.config)
    assert run["state_type"] == "FAILED"
    assert "0003.png" in run["state"]["message"]
    done = tasks_of(server, run)
    assert {name: (t["run_count"], t["state_type"]) for name, t in done.items()} == {
        "ingest": (1, "FAILED"),
        "autolabel": (1, "COMPLETED"),
        "route": (1, "COMPLETED"),
        "queue": (1, "COMPLETED"),
    }


def test_a_setting_that_cannot_work_fails_before_any_stage(
    server: PrefectServer, make_world: Callable[..., World]
) -> None:
    """What to set is said at once, and no item was taken in."""
    world = make_world("wrong", extra='[labeler]\ntype = "http"\n')
    with pytest.raises(SettingsError, match=r"labeler\.url is missing"):
        send(str(world.config))
    (run,) = runs_of(server, world.config)
    assert "labeler.url is missing" in run["state"]["message"]
    assert run["run_count"] == 1
    asked = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    assert server.get("/task_runs/filter", asked) == []
    assert load(world.open().workspace).items.empty


def test_a_served_label_set_runs_when_its_schedule_says(
    prefect_server: PrefectServer, make_world: Callable[..., World]
) -> None:
    """Served from another process, with nobody pressing a button; stopped without a trace."""
    times = '[schedule]\nsend = 4\nreceive = ""\npublish = ""\n'
    world = make_world("served", extra=times)
    text = world.config.read_text().replace('name = "digits"', 'name = "served-digits"')
    world.config.write_text(text)
    environ = prefect_server.environ | {"PREFECT_RUNNER_POLL_FREQUENCY": "1"}
    log = (world.config.parent / "serve.log").open("wb")
    serving = subprocess.Popen(
        [sys.executable, "-m", "flows.deploy", "--config", str(world.config)],
        cwd=_PROJECT,
        env=environ,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )

    def completed() -> dict[str, Any] | None:
        if serving.poll() is not None:
            pytest.fail(f"serving ended: {Path(log.name).read_text()[-2000:]}")
        found = runs_of(prefect_server, world.config, type={"any_": ["COMPLETED"]})
        return found[0] if found else None

    try:
        run = until("a scheduled run is completed", completed)
        second = subprocess.run(
            [sys.executable, "-m", "flows.deploy", "--config", str(world.config)],
            cwd=_PROJECT,
            # Long enough for the first to be heard of on however busy a machine.
            env=prefect_server.environ | {"PREFECT_RUNNER_POLL_FREQUENCY": "60"},
            capture_output=True,
            text=True,
        )
        assert serving.poll() is None
    finally:
        stop(serving)
        log.close()
    assert second.returncode == 3, second.stderr
    assert "another process serves a label set 'served-digits'" in second.stderr
    assert run["auto_scheduled"]
    assert run["deployment_id"]
    assert "served-digits" in run["tags"]
    assert "random calibration sample" in prefect_server.artifact("served-digits-plan")
    assert len(load(world.open().workspace).plan) > 0
    until("no process of it is left", lambda: not _processes_of(serving.pid) or None)
    deployment = prefect_server.get(f"/deployments/{run['deployment_id']}")
    assert deployment["global_concurrency_limit"]["limit"] == 1
    assert deployment["paused"]


def test_what_came_due_is_done_once(
    server: PrefectServer, make_world: Callable[..., World]
) -> None:
    """The first run that begins leaves out all others that were due, and nothing else.

    What somebody asked for by hand stays, and so do later runs and those of other flows.
    """
    times = '[schedule]\nsend = 3600\nreceive = 3600\npublish = ""\n'
    config = make_world("missed", extra=times).config
    ready = deployments(read_settings(config), config)
    ids = {d.flow_name: str(d.apply()) for d in ready}  # type: ignore[attr-defined]
    now = datetime.now(UTC)
    with get_client(sync_client=True) as client:  # which asks again where the server is busy
        for flow in ("labelops-send", "labelops-receive"):
            # Of which hour is the server's to say: what was due, and what is to come.
            for first, last in ((-120, 0), (1, 3)):
                span = [str(now + timedelta(hours=hours)) for hours in (first, last)]
                body = {
                    "start_time": span[0],
                    "end_time": span[1],
                    "max_runs": 120,
                    "min_runs": 120,
                }
                client.request("POST", f"/deployments/{ids[flow]}/schedule", json=body)
        first, second = (
            client.create_flow_run_from_deployment(UUID(ids["labelops-send"])) for _ in range(2)
        )

        def waiting(flow: str, **when: datetime) -> set[UUID]:
            state = FlowRunFilterStateName(any_=["Scheduled", "Late"])
            wanted = FlowRunFilter(
                deployment_id=FlowRunFilterDeploymentId(any_=[UUID(ids[flow])]),
                state=FlowRunFilterState(name=state),
                expected_start_time=FlowRunFilterExpectedStartTime(**when),
            )
            found, page = set[UUID](), client.read_flow_runs(flow_run_filter=wanted)
            while page:
                found |= {run.id for run in page}
                page = client.read_flow_runs(flow_run_filter=wanted, offset=len(found))
            return found

        begun = now + timedelta(minutes=5)
        assert len(waiting("labelops-send", before_=now)) > 100
        other = waiting("labelops-receive", before_=now)
        later = waiting("labelops-send", after_=begun)
        assert later
        run_flow(send, client.read_flow_run(first.id), parameters=first.parameters)
        assert waiting("labelops-send", before_=begun) == {second.id}
        assert waiting("labelops-send", after_=begun) >= later
        assert waiting("labelops-receive", before_=now) == other
    _pause(ready)


def _processes_of(session: int) -> list[int]:
    """Return the living processes of a session that this suite started."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == session:
                found.append(int(entry.name))
        except ProcessLookupError:
            continue
    return found
