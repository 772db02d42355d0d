"""A small real label set: 200 scanned digits on disk, simulated annotators, the local queue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from labelops.adapters._address import free_port
from labelops.adapters.local_queue import LocalQueue
from labelops.app import App, open_app
from labelops.schema import Schema
from labelops.testing.annotators import SimulatedAnnotator, skilled, work

T = TypeVar("T")
PATIENT = 600.0
"""Seconds after which what should have ended long ago hangs, on however busy a machine."""
PEOPLE = ("ann", "ben", "cat", "dan", "eve", "fay", "gil")

SETTINGS = """
workspace = "workspace"

[schema]
name = "digits"
media = "image"
classes = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]

[source.scans]
path = "scans/items.csv"
key = "id"
image = "file"
licence = "CC-BY-4.0"
purposes = ["training"]

[route]
seed = 30
training = 60
calibration = 40

[accept]
error = 0.2

[gate]
error = 0.2
agreement = 0.2
open_findings = 0.1
"""


@dataclass(frozen=True)
class World:
    """A label set on disk and the people who label it."""

    config: Path
    truth: dict[str, str]

    def open(self) -> App:
        """Open the label set anew, as another process would."""
        return open_app(self.config)

    def people(self) -> list[SimulatedAnnotator]:
        """Return SIMULATED annotators who are right 97 % of the time."""
        schema = Schema("digits", tuple("0123456789"), media="image")
        return [skilled(f"human:{name}", schema, 0.97) for name in PEOPLE]

    def label(self) -> int:
        """Let the people work until nothing is open."""
        queue = LocalQueue(self.config.parent / "workspace" / "queue")
        return work(queue, self.people(), self.truth)


def write_world(folder: Path, items: int = 200, extra: str = "") -> World:
    """Write real digits as PNG files, an items file and labelops.toml; truth stays in memory."""
    digits = load_digits()
    scans = folder / "scans"
    scans.mkdir(parents=True)
    rows = ["id,file"]
    truth = {}
    for place in range(items):
        pixels = (digits.images[place] * 15.9375).astype("uint8")
        Image.fromarray(pixels).save(scans / f"{place:04}.png")
        rows.append(f"digit-{place:04},{place:04}.png")
        truth[f"digit-{place:04}"] = json.dumps(str(digits.target[place]))
    (scans / "items.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    config = folder / "labelops.toml"
    config.write_text(SETTINGS + extra, encoding="utf-8")
    return World(config, truth)


@pytest.fixture
def make_world(tmp_path: Path) -> Callable[..., World]:
    """Return what writes label sets into this test's folder, by name."""

    def make(name: str = "digits", items: int = 200, extra: str = "") -> World:
        return write_world(tmp_path / name, items, extra)

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """Return a label set of 200 digits."""
    return make_world()


@dataclass(frozen=True)
class PrefectServer:
    """A Prefect server in another process."""

    url: str
    environ: dict[str, str]

    def get(self, path: str, body: object = None) -> Any:
        """Ask the server over plain HTTP, with none of the code under test."""
        if body is None:
            answer = httpx.get(self.url + path, timeout=PATIENT)
        else:
            answer = httpx.post(self.url + path, json=body, timeout=PATIENT)
        answer.raise_for_status()
        return answer.json()

    def artifact(self, key: str) -> str:
        """Return the newest artifact of a key."""
        return str(self.get(f"/artifacts/{key}/latest")["data"])


def until(promise: str, look: Callable[[], T | None]) -> T:
    """Return what `look` finds, looking again until it finds something."""
    end = time.monotonic() + PATIENT
    while time.monotonic() < end:
        found = look()
        if found is not None:
            return found
        time.sleep(0.25)
    pytest.fail(f"not within {PATIENT:.0f} s: {promise}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that this suite started, and its children, politely first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENT)


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """Start a real Prefect server on loopback for the whole run, with a home of its own."""
    with served(tmp_path_factory.mktemp("prefect"), free_port()) as (server, _):
        yield server


@contextmanager
def served(home: Path, port: int) -> Iterator[tuple[PrefectServer, subprocess.Popen[bytes]]]:
    """Run a server, and hand out its process: what it knows is in its home."""
    url = f"http://127.0.0.1:{port}/api"
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT")} | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    log = (home / "server.log").open("ab")
    process = subprocess.Popen(
        [*command, "--port", str(port)], env=environ, stdout=log, stderr=log, start_new_session=True
    )
    try:
        until("the Prefect server is up", lambda: _healthy(url, process, home))
        yield PrefectServer(url, environ), process
    finally:
        stop(process)
        log.close()


def _healthy(url: str, process: subprocess.Popen[bytes], home: Path) -> bool | None:
    if process.poll() is not None:
        pytest.fail(f"the Prefect server ended: {(home / 'server.log').read_text()[-2000:]}")
    try:
        return httpx.get(f"{url}/health", timeout=30).is_success or None
    except httpx.TransportError:
        return None
