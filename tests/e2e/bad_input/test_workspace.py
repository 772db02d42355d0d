"""A workspace that is damaged, on a full disk, or released twice at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labelops.app import open_app
from labelops.errors import ConflictError

from ..label_sets import PATIENT, contents, team, until_passed, write_mails

pytestmark = pytest.mark.slow  # journeys that fail

_QUIET = {"OMP_NUM_THREADS": "1"} | {n: os.environ[n] for n in ("LABELOPS_KEY", "PATH")}


@pytest.mark.parametrize("damage", [b'{"add": ', b"", b"\xff\xfe\x00"])
@pytest.mark.parametrize("command", ["status", "consolidate", "release"])
def test_corrupted_table(
    folder: Path, refused: Callable[..., str], command: str, damage: bytes
) -> None:
    """A damaged log is named with its table and the remedy: code 3, never silently fewer rows."""
    log = folder / "workspace" / "tables" / "votes" / "_delta_log"
    sorted(log.glob("*.json"))[-1].write_bytes(damage)
    refused(folder, command, 3, str(folder / "workspace" / "tables" / "votes"), "damaged", "backup")


def test_corrupted_data_file(folder: Path, refused: Callable[..., str]) -> None:
    """A data file that is cut off is named by its table: code 3."""
    data = next((folder / "workspace" / "tables" / "votes").glob("*.parquet"))
    data.write_bytes(data.read_bytes()[:100])
    refused(folder, "consolidate", 3, "table votes", "damaged")


def _with_full_disk(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process in which no file can grow beyond 1,000 bytes."""
    code = (
        "import resource, signal, sys; import labelops.cli as cli; import labelops.app;"
        "import labelops.adapters.delta, labelops.adapters.local_queue;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    return subprocess.run(
        [sys.executable, "-c", code, "--config", str(folder), "-q", command],
        capture_output=True,
        text=True,
        env=_QUIET,
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=PATIENT,
    )


@pytest.mark.parametrize("command", ["ingest", "send", "collect"])
def test_full_disk(folder: Path, command: str) -> None:
    """When nothing more can be written: code 3, one line with the remedy, nothing changed."""
    if command == "ingest":
        write_mails(folder, 60)
    if command == "collect":
        _answer_something(folder)
    before = contents(folder)
    done = _with_full_disk(folder, command)
    # The storage library's own threads may complain before us; what we say is one line.
    said = [line for line in done.stderr.splitlines() if line.startswith("labelops:")]
    message = done.stderr.strip().splitlines()[-1]
    assert (done.returncode, said) == (3, [message]), done.stderr
    assert "disk" in message
    assert "free some space" in message
    assert contents(folder) == before


def _answer_something(folder: Path) -> None:
    app = open_app(folder)
    app.send()
    for offer in app.queue.offers("human:new"):  # type: ignore[attr-defined]
        app.queue.answer("human:new", offer, '"bill"')  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a label set whose gate passes, not released yet."""
    folder = tmp_path_factory.mktemp("passed") / "set"
    truth = write_mails(folder, 36)
    until_passed(folder, team(open_app(folder), 0.99, 0.99, 0.99, 0.99), truth)
    return folder


def test_two_release_at_once(passed: Path, tmp_path: Path) -> None:
    """Two processes releasing at once make one release, whole and the same for both."""
    folder = Path(shutil.copytree(passed, tmp_path / "set"))
    command = [sys.executable, "-m", "labelops", "--config", str(folder), "-q", "release", "--json"]
    place = Path(__file__).parents[2]
    both = [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_QUIET,
            cwd=place,
        )
        for _ in range(2)
    ]
    said = [(p.communicate(timeout=PATIENT), p.returncode) for p in both]
    assert {code for _, code in said} <= {0, ConflictError.exit_code}, said
    assert 0 in {code for _, code in said}
    app = open_app(folder)
    assert [m.reference for m in app.manifests()] == ["tickets@1.0.0"]
    assert app.verify() == []
    assert not app.release().new


def test_released_by_somebody_else_while_judging(passed: Path, tmp_path: Path) -> None:
    """Labels that another process releases after our gate, or before it, are released once."""
    folder = Path(shutil.copytree(passed, tmp_path / "set"))
    late, early = open_app(folder), open_app(folder)
    judge = late.gate

    def judged_too_late() -> object:
        assert early.release().new
        return judge()

    late.__dict__["gate"] = judged_too_late
    found = late.release()
    assert (found.reference, found.new) == ("tickets@1.0.0", False)
    assert early.manifests() == [found.manifest]
