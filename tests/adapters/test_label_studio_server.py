"""Our own Label Studio: found or refused, started, and ended with whoever started it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from labelops.adapters import label_studio_server as server_module
from labelops.adapters.label_studio_server import (
    ENV_VARIABLE,
    LabelStudioServer,
    cache_folder,
    ensure_installed,
)
from labelops.errors import EndUnavailable, SettingsError

LOCK = Path(server_module.__file__).with_name("label-studio.lock")
WATCHDOG = Path(server_module.__file__).with_name("_watchdog.py")


def test_a_named_environment_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that has Label Studio is used as it is; one without is refused by name."""
    monkeypatch.setenv(ENV_VARIABLE, str(tmp_path))
    with pytest.raises(SettingsError, match=ENV_VARIABLE):
        ensure_installed()
    command = tmp_path / "bin" / "label-studio"
    command.parent.mkdir()
    command.touch()
    assert ensure_installed() == command


def test_the_cache_follows_the_desktop_rules() -> None:
    """XDG_CACHE_HOME goes first, then ~/.cache."""
    assert cache_folder({"XDG_CACHE_HOME": "/x", "HOME": "/h"}) == Path("/x/labelops")
    assert cache_folder({"HOME": "/h"}) == Path("/h/.cache/labelops")


def test_the_lock_pins_all_and_names_no_index() -> None:
    """Every requirement is exact and hashed, and no line holds an address or an option."""
    lines = [ln for ln in LOCK.read_text().splitlines() if ln and not ln.lstrip().startswith("#")]
    starts = [line for line in lines if not line.startswith(" ")]
    assert f"label-studio=={server_module.VERSION} \\" in starts
    assert all("==" in line for line in starts)
    assert all(line.lstrip().startswith("--hash=sha256:") for line in lines if line[0] == " ")
    assert "://" not in LOCK.read_text()


def test_a_start_that_was_killed_leaves_no_half_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are written whole or not at all; the next start makes its own, for us alone."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    server = LabelStudioServer(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(server_module.json, "dump", killed)
        server._load_credentials()
    server._load_credentials()
    again = LabelStudioServer(tmp_path)
    again._load_credentials()
    assert (again.password, again.api_key) == (server.password, server.api_key)
    [kept] = tmp_path.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_nothing_of_ours_leaves_and_nothing_foreign_comes_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's environment has no settings or secrets of ours, and reports to nobody."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "secret")
    monkeypatch.setenv("DJANGO_DB", "default")
    environment = server_module._environment_for(tmp_path)
    assert "secret" not in environment.values()
    assert "DJANGO_DB" not in environment
    assert environment["SENTRY_DSN"] == environment["FRONTEND_SENTRY_DSN"] == ""
    assert environment["COLLECT_ANALYTICS"] == "0"


def _fake(tmp_path: Path, script: str) -> Path:
    """Make an environment whose `label-studio` is a script."""
    command = tmp_path / "env" / "bin" / "label-studio"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!{sys.executable}\n{script}")
    command.chmod(0o755)
    return tmp_path / "env"


@pytest.mark.slow
def test_a_server_that_ends_at_once_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If Label Studio cannot start, the error names its log, and nothing is left running."""
    env = _fake(tmp_path, "import sys; print('no space'); sys.exit(3)")
    monkeypatch.setenv(ENV_VARIABLE, str(env))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "label_studio.sqlite3").touch()
    server = LabelStudioServer(tmp_path / "data", timeout=600)
    with pytest.raises(EndUnavailable, match=r"label-studio\.log"):
        server.start()
    assert "no space" in server.log.read_text()
    credentials = tmp_path / "data" / "labelops-credentials.json"
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    assert server.api_key not in repr(server)
    assert server.password not in repr(server)


def _alive(pid: int) -> bool:
    try:
        # A dead process that nobody has waited for is still listed, as a zombie.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait_until(done: object, seconds: float = 300.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if callable(done) and done():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")
def test_the_server_dies_with_whoever_started_it(tmp_path: Path) -> None:
    """After a SIGKILL of the parent, the command and what it started end as well."""
    grandchild = tmp_path / "pids"
    command = (
        "import os, subprocess, sys, time; "
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        f"open({str(grandchild)!r} + '.part', 'w').write(f'{{os.getpid()}} {{p.pid}}'); "
        f"os.rename({str(grandchild)!r} + '.part', {str(grandchild)!r}); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys, time\n"
            f"p = subprocess.Popen([sys.executable, '-I', {str(WATCHDOG)!r}, sys.executable, '-c', "
            f"{command!r}], stdin=subprocess.PIPE, start_new_session=True)\n"
            "time.sleep(600)",
        ]
    )
    assert _wait_until(grandchild.exists)
    pids = [int(p) for p in grandchild.read_text().split()]
    assert all(map(_alive, pids))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert _wait_until(lambda: not any(map(_alive, pids)))


@pytest.mark.server
def test_a_server_goes_on_where_it_was(tmp_path: Path) -> None:
    """A second start in the same folder has the same accounts; after `stop` nobody answers."""
    with LabelStudioServer(tmp_path, timeout=900) as first:
        headers = {"Authorization": f"Token {first.api_key}"}
        with httpx.Client(base_url=first.url, headers=headers, timeout=300) as client:
            made = client.post("/api/projects/", json={"title": "kept"})
            assert made.status_code == httpx.codes.CREATED
            assert "sentry.io" not in client.get("/user/login/").text
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{first.url}/health", timeout=300)
    with LabelStudioServer(tmp_path, port=first.port, timeout=900) as second:
        assert (second.url, second.api_key) == (first.url, first.api_key)
        listed = httpx.get(f"{second.url}/api/projects/", headers=headers, timeout=300).json()
        assert [p["title"] for p in listed["results"]] == ["kept"]
