"""A Label Studio server that labelops owns: installed apart, on loopback only, ended cleanly.

Label Studio's own requirements contradict ours, so it lives in an environment of its own
under the user's cache folder, installed from `label-studio.lock` (exact versions, every file
by its digest). Nothing it does leaves the machine: analytics, error reports and the check for
newer versions are off. An environment that already has Label Studio can be named in
``LABELOPS_LABEL_STUDIO_ENV``.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType

import httpx

from labelops.adapters._address import free_port
from labelops.digest import digest_bytes
from labelops.errors import EndProtocolError, EndTimeout, EndUnavailable, SettingsError

__all__ = ["ENV_VARIABLE", "VERSION", "LabelStudioServer", "cache_folder", "ensure_installed"]

VERSION = "1.23.2"
"""The Label Studio this version of labelops was tested with."""

ENV_VARIABLE = "LABELOPS_LABEL_STUDIO_ENV"
"""Names an environment (a folder with ``bin/label-studio``) that already has Label Studio."""

ADMIN = "admin@labelops.invalid"
"""The administrator of a server that labelops owns; `.invalid` is a reserved domain."""

_LOCK = Path(__file__).with_name("label-studio.lock")
_WATCHDOG = Path(__file__).with_name("_watchdog.py")
_DATABASE = "label_studio.sqlite3"
_CREDENTIALS = "labelops-credentials.json"
_MIGRATION_SECONDS = 600.0

Progress = Callable[[str], None]


def _silent(_: str) -> None:
    """Tell nobody."""


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder where labelops keeps what it can make again.

    Examples
    --------
    >>> str(cache_folder({"XDG_CACHE_HOME": "/c"}))
    '/c/labelops'
    """
    known = os.environ if environ is None else environ
    base = known.get("XDG_CACHE_HOME") or str(Path(known.get("HOME", "~")).expanduser() / ".cache")
    return Path(base) / "labelops"


def ensure_installed(env_dir: Path | None = None, *, progress: Progress = _silent) -> Path:
    """Return the path of a `label-studio` command, installing it the first time (minutes).

    Parameters
    ----------
    env_dir : Path, optional
        Where the environment is or should be; else the one named in
        ``LABELOPS_LABEL_STUDIO_ENV``, else ``label-studio-1.23.2`` in the cache folder.
    progress : callable
        Told what is going on, a line each.

    Raises
    ------
    SettingsError
        If the named environment has no Label Studio.
    EndUnavailable
        If it cannot be installed.
    """
    named = os.environ.get(ENV_VARIABLE)
    if env_dir is None and named:
        return _command_in(Path(named))
    folder = env_dir or cache_folder() / f"label-studio-{VERSION}"
    command = folder / "bin" / "label-studio"
    marker, wanted = folder / "labelops-installed", digest_bytes(_LOCK.read_bytes())
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(folder.name + ".lock")):
        if not (command.exists() and marker.exists() and marker.read_text() == wanted):
            _install(folder, progress)
            marker.write_text(wanted)
    return command


def _command_in(folder: Path) -> Path:
    command = folder / "bin" / "label-studio"
    if not command.exists():
        raise SettingsError(
            f"{ENV_VARIABLE} names {folder}, but there is no {command}; unset it to let labelops "
            "install Label Studio itself"
        )
    return command


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that the operating system takes back when we die."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _install(folder: Path, progress: Progress) -> None:
    progress(f"installing Label Studio {VERSION} into {folder} (about 800 MB, once)")
    _run_to_end([sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    _run_to_end([*pip, "install", "--quiet", "--require-hashes", "-r", str(_LOCK)])


def _run_to_end(
    command: list[str], env: Mapping[str, str] | None = None, timeout: float | None = None
) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own commands
            command,
            env=env,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        raise EndTimeout(f"{command[0]}: no end after {timeout:.0f} s") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no message"]
        raise EndUnavailable(f"{' '.join(command[:4])} … failed ({done.returncode}): {said[0]}")


class LabelStudioServer:
    """A running Label Studio, as a context manager.

    The server listens on 127.0.0.1 only. It ends with the ``with`` block, and also when this
    process dies in any way. Its data stay in `data_dir`: starting again there goes on.

    Parameters
    ----------
    data_dir : Path
        Where its database, its uploads, its log and its administrator's credentials are.
    port : int, optional
        A free one by default.
    env_dir : Path, optional
        As for `ensure_installed`.
    timeout : float
        Seconds to wait until it answers.
    progress : callable
        Told what is going on, a line each.

    Attributes
    ----------
    url : str
        Its address.
    api_key : str
        The administrator's token.
    email, password : str
        What the administrator logs in with in a browser.

    Raises
    ------
    EndTimeout, EndUnavailable
        If it does not answer in time, or ends at once; the message names its log.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        env_dir: Path | None = None,
        *,
        timeout: float = 240.0,
        progress: Progress = _silent,
    ) -> None:
        self.data_dir = Path(data_dir)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.data_dir / "label-studio.log"
        self.email, self.password, self.api_key = ADMIN, "", ""
        self._env_dir, self._timeout, self._progress = env_dir, timeout, progress
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        """Name the server without its secrets."""
        return f"LabelStudioServer({str(self.data_dir)!r}, url={self.url!r})"

    def __enter__(self) -> LabelStudioServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it answers as ours."""
        command = ensure_installed(self._env_dir, progress=self._progress)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._load_credentials()
        self._seed_database(command)
        self._progress(f"starting Label Studio on {self.url}")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [
                    *(sys.executable, "-I", str(_WATCHDOG), str(command), "start"),
                    *("--no-browser", "--port", str(self.port), "--internal-host", "127.0.0.1"),
                ],
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._await_health()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server and everything it started; stopping twice is fine."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _load_credentials(self) -> None:
        """Read the administrator's password and token, made up at the first start."""
        path = self.data_dir / _CREDENTIALS
        if not path.exists():
            made = {"password": secrets.token_urlsafe(18), "api_key": secrets.token_hex(20)}
            # Whole or not at all, for the next start takes what it finds.
            unfinished = path.with_name(path.name + ".part")
            unfinished.unlink(missing_ok=True)
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                json.dump(made, file)
            unfinished.replace(path)
        known = json.loads(path.read_text())
        self.password, self.api_key = str(known["password"]), str(known["api_key"])

    def _seed_database(self, command: Path) -> None:
        """Copy an already migrated, empty database: migrating takes most of a minute."""
        database = self.data_dir / _DATABASE
        if database.exists():
            return
        template = cache_folder() / f"label-studio-{VERSION}.sqlite3"
        if not template.exists():
            self._make_template(command, template)
        # Whole or not at all, for the next start takes what it finds.
        unfinished = database.with_name(database.name + ".part")
        shutil.copyfile(template, unfinished)
        unfinished.replace(database)

    def _make_template(self, command: Path, template: Path) -> None:
        self._progress("preparing Label Studio's database (about a minute, once)")
        template.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=template.parent) as folder:
            # `version` migrates first and starts no server.
            environment = _environment_for(Path(folder))
            _run_to_end([str(command), "version"], environment, _MIGRATION_SECONDS)
            (Path(folder) / _DATABASE).replace(template)

    def _environment(self) -> dict[str, str]:
        return _environment_for(self.data_dir) | {
            "LABEL_STUDIO_USERNAME": self.email,
            "LABEL_STUDIO_PASSWORD": self.password,
            "LABEL_STUDIO_USER_TOKEN": self.api_key,
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            # No second account by accident: people join by the administrator's invitation link.
            "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        }

    def _await_health(self) -> None:
        process, deadline = self._process, time.monotonic() + self._timeout
        headers = {"Authorization": f"Token {self.api_key}"}
        with httpx.Client(base_url=self.url, timeout=10, headers=headers) as client:
            while time.monotonic() < deadline:
                if process is None or process.poll() is not None:
                    raise EndUnavailable(f"Label Studio ended at its start; see {self.log}")
                with contextlib.suppress(httpx.TransportError):
                    if client.get("/health").status_code == httpx.codes.OK:
                        self._check_ours(client)
                        return
                time.sleep(0.25)
        raise EndTimeout(
            f"Label Studio did not answer within {self._timeout:.0f} s; see {self.log}"
        )

    def _check_ours(self, client: httpx.Client) -> None:
        """Make sure that it is our server that answers: it moves elsewhere if a port is taken."""
        answer = client.get("/api/current-user/whoami")
        if answer.status_code != httpx.codes.OK or self.email not in answer.text:
            raise EndProtocolError(
                f"port {self.port} is answered by another server; choose another port"
            )


def _environment_for(data_dir: Path) -> dict[str, str]:
    """Return what the server may know of the environment: nothing that configures Label Studio."""
    kept = {k: os.environ[k] for k in ("HOME", "LANG", "PATH", "TMPDIR") if k in os.environ}
    return kept | {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data_dir),
        "COLLECT_ANALYTICS": "0",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "LOG_LEVEL": "ERROR",
        # Labels its purpose badly: it turns on SQLite's write-ahead log, so readers and one
        # writer do not wait for each other.
        "AZURE_MOUNT_FIX": "1",
        "PYTHONUNBUFFERED": "1",
    }
