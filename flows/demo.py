"""`labelops demo`: the whole journey on real or invented data, with simulated annotators.

The flows are the ones that run in production, on a Prefect server; the annotators are
simulated and say so. Nothing else is special: what the demo leaves in its folder is an
ordinary workspace that every command works on.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelops.adapters import _watchdog
from labelops.adapters._address import free_port
from labelops.digest import canonical_json, digest_bytes
from labelops.errors import EndUnavailable, LabelopsError, UsageError, counted
from labelops.ports import Hands

from .demo_data import SAMPLES, Sample

__all__ = ["main"]

_MARK = ".labelops-demo"
_ROUNDS = 60
_PATIENCE = 180.0


def main(argv: Sequence[str]) -> int:
    """Run the demo; return the exit code.

    Parameters
    ----------
    argv : sequence of str
        Arguments after `labelops demo`.
    """
    args = _parser().parse_args(list(argv))
    try:
        _prepare_environment()
        with ExitStack() as stack:
            return _run(args, stack)
    except LabelopsError as error:
        print(f"labelops: error: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "labelops demo", description="Run the whole journey with simulated annotators."
    )
    parser.add_argument("sample", nargs="?", default="digits", choices=sorted(SAMPLES))
    parser.add_argument("--folder", default="demo", help="where the demo writes (default: demo)")
    parser.add_argument(
        "--prepare", action="store_true", help="only make Prefect's database, once a machine"
    )
    parser.add_argument(
        "--label-studio",
        action="store_true",
        help="label in a real Label Studio: the one of LABEL_STUDIO_URL and "
        "LABEL_STUDIO_API_KEY, or one that is started and stopped here",
    )
    return parser


def _prepare_environment() -> None:
    """Settle what Prefect reads from the environment, before it is imported."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("PREFECT_LOGGING_TO_API_ENABLED", "false")
    if "PREFECT_API_URL" not in os.environ:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        home = Path(os.environ.setdefault("PREFECT_HOME", str(cache / "labelops" / "prefect")))
        # Prefect makes the last folder only, and its server never answers without it.
        home.mkdir(parents=True, exist_ok=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run(args: argparse.Namespace, stack: ExitStack) -> int:
    started = time.monotonic()
    stack.enter_context(_prefect_server())
    if args.prepare:
        _wait_for_prefect()
        return 0
    sample = SAMPLES[args.sample]()
    folder = _fresh(Path(args.folder) / sample.name)
    queue = "label-studio" if args.label_studio else "local"
    settings = f'{sample.settings}\n[queue]\ntype = "{queue}"\n'
    (folder / "labelops.toml").write_text(settings, encoding="utf-8")
    _fix_draws(folder)
    _say(f"labelops demo: {sample.total} {sample.name}, annotators are simulated, in {folder}")
    if args.label_studio:
        stack.enter_context(_label_studio(folder))
    sample.write(folder, sample.first)
    demo = _Demo.opened(folder, sample, stack)
    stack.enter_context(_prefect())
    first = demo.release_of(sample.first)
    _say(f"{sample.total - sample.first} new items arrive")
    second = demo.release_of(sample.total)
    print(demo.screen(first, second, time.monotonic() - started))
    return 0


def _fresh(folder: Path) -> Path:
    """Return an empty folder for the demo; only an earlier demo's is ever emptied."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).is_file():
            raise UsageError(f"{folder} is not empty and no earlier demo; name another --folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()
    return folder.resolve()


def _fix_draws(folder: Path) -> None:
    """Give the demo's workspace a known key, so that every demo draws the same samples."""
    from labelops.adapters.objects import open_objects

    identity = {"id": secrets.token_hex(4), "key": digest_bytes(b"labelops demo")}
    content = canonical_json(identity).encode()
    open_objects(str(folder / "workspace")).put_new("workspace.json", content)


@contextmanager
def _label_studio(folder: Path) -> Iterator[None]:
    """Use the Label Studio of the environment, or one of our own for as long as the demo runs."""
    if os.environ.get("LABEL_STUDIO_URL"):
        yield
        return
    from labelops.adapters.label_studio_server import LabelStudioServer

    with LabelStudioServer(folder / "label-studio", progress=_say) as server:
        os.environ["LABEL_STUDIO_URL"] = server.url
        os.environ["LABEL_STUDIO_API_KEY"] = server.api_key
        _say(f"Label Studio runs at {server.url}")
        try:
            yield
        finally:
            del os.environ["LABEL_STUDIO_URL"], os.environ["LABEL_STUDIO_API_KEY"]


@contextmanager
def _prefect_server() -> Iterator[None]:
    """Run Prefect's server in a process of its own, unless the environment names one.

    It starts while the sample is written and opened; `_prefect` waits for it.
    """
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    port = free_port()
    # Before Prefect is imported here: it looks at this as it is loaded.
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--no-services", "--no-ui", "--log-level", "ERROR"]
    server = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, _watchdog.__file__, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        del os.environ["PREFECT_API_URL"]
        # The watchdog ends the server when its input closes, also if we are killed.
        server.communicate()


def _wait_for_prefect() -> None:
    import httpx

    url = os.environ["PREFECT_API_URL"]
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/health", timeout=5.0).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise EndUnavailable(f"Prefect at {url} did not answer within {_PATIENCE:.0f} seconds")


@contextmanager
def _prefect() -> Iterator[None]:
    """Wait until Prefect's server is there, and run flows on it."""
    _say("waiting for Prefect's server (the very first time takes longest)")
    _wait_for_prefect()
    from prefect.context import SyncClientContext
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    # A heartbeat tells a crashed run from a long one, and makes every run end up to a second
    # late. The demo's runs are short, and it watches them itself.
    # And one client for all runs: each would load the certificates anew.
    quick = temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
    with quick, SyncClientContext.get_or_create():
        yield


@dataclass(frozen=True, slots=True)
class _Version:
    """One release of the demo and what it cost."""

    reference: str
    votes: int
    rounds: int


class _Demo:
    """An open label set, the flows over it, and the people who label."""

    def __init__(self, folder: Path, sample: Sample) -> None:
        from labelops.app import open_app
        from labelops.testing.annotators import team_of_seven

        self.folder, self.sample = folder, sample
        self.config = str(folder / "labelops.toml")
        self.app = open_app(folder)
        self.team = team_of_seven(self.app.settings.schema)
        self.hands = self._hands()

    @classmethod
    def opened(cls, folder: Path, sample: Sample, stack: ExitStack) -> _Demo:
        from .tasks import opened

        demo = cls(folder, sample)
        stack.enter_context(opened(demo.config, demo.app))
        return demo

    def _hands(self) -> Hands:
        queue = self.app.queue
        if isinstance(queue, Hands):
            return queue
        from labelops.testing.label_studio import LabelStudioHands

        settings = self.app.settings
        return LabelStudioHands(
            settings.queue.url,
            settings.label_studio_key.reveal(),
            settings.schema.name,
            key=self.app.key,
            namespace=self.app.namespace,
        )

    def release_of(self, count: int) -> _Version:
        """Bring the first `count` items to a release, round by round."""
        from labelops.state import load
        from labelops.testing.annotators import work

        from .publish import publish
        from .receive import receive
        from .send import send

        self.sample.write(self.folder, count)
        for number in range(1, _ROUNDS + 1):
            sent = send(self.config)
            flagged = load(self.app.workspace).flagged
            people = [a for a in self.team if a.name not in flagged]
            answered = work(self.hands, people, self.sample.truth)
            received = receive(self.config)
            _say(_round_line(number, sent, answered, received))
            if received["gate"]["status"] == "pass":
                done = publish(self.config)
                votes = int((load(self.app.workspace).votes["status"] == "given").sum())
                return _Version(str(done["release"]["reference"]), votes, number)
        raise UsageError(f"no release after {_ROUNDS} rounds: {received['gate']}")

    def screen(self, first: _Version, second: _Version, seconds: float) -> str:
        """Return the closing screen."""
        from .demo_screen import screen

        return screen(self.app, self.sample, first.reference, second.reference, seconds)


def _round_line(
    number: int, sent: Mapping[str, Any], answered: int, received: Mapping[str, Any]
) -> str:
    route, labels, gate = sent["route"], received["consolidate"], received["gate"]
    votes = ", ".join(f"{n} {p}" for p, n in route["by_purpose"].items()) or "nothing new"
    asked = f"{votes}, got {counted(answered, 'answer')}"
    open_checks = [c for c in gate["checks"] if c["status"] != "pass"]
    state = open_checks[0]["message"] if open_checks else "every check of the gate passes"
    decided, total = labels["decided"], labels["decided"] + labels["undecided"]
    return f"round {number:>2}: asked {asked}; {decided:,} of {total:,} labeled; {state}"
