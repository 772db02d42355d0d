"""Every command explains itself, and every error is one line and an exit code."""

from __future__ import annotations

import importlib.metadata
import os
import runpy
import subprocess
import sys
from pathlib import Path

import click
import pytest

import labelops.app
from labelops.cli import labelops as root
from labelops.cli import main
from labelops.errors import EndUnavailable

PROJECT = Path(__file__).resolve().parent.parent.parent
COMMANDS = sorted(root.commands)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Help says what the command does, shows an example of it, and offers JSON."""
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    command = root.commands[name]
    assert (command.help or "").rstrip().endswith(".")
    assert f"\n    labelops {name}" in out
    assert "--json" in out
    assert len(command.get_short_help_str(200)) <= 62


def test_nothing_said_is_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the help comes, with commands of other packages and the exit codes."""
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in (*COMMANDS, "demo", "serve"))
    assert "Exit codes" in out


def test_the_reference_is_up_to_date() -> None:
    """docs/reference/cli.md is what the help says now."""
    script = runpy.run_path(str(PROJECT / "docs" / "build_reference.py"))
    assert script["main"](["--check"]) == 0, "run `python docs/build_reference.py`"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["status", "--help"], ["nope"]])
def test_help_is_cheap(arguments: list[str]) -> None:
    """Help, version and misspelt commands import neither pandas nor any vendor."""
    code = (
        f"import sys\nfrom labelops.cli import main\nmain({arguments!r})\n"
        "heavy = {'pandas', 'numpy', 'sklearn', 'prefect', 'label_studio_sdk', 'deltalake'}\n"
        "sys.exit(str(sorted(heavy & set(sys.modules))) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, "[" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["frobnicate"], "No such command 'frobnicate'."),
        (["status", "--jsn"], "See `labelops status --help`."),
        (["export"], "Missing argument 'TARGET'."),
        (["run", "sideways"], "'sideways' is not one of 'send', 'receive', 'publish'"),
        (["--config", "/nowhere", "status"], "`labelops init` writes one"),
        (["show", "\x1b[31mx", "--config", "/nowhere"], "/nowhere"),
    ],
)
def test_wrong_use(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong use is exit 2 and one line that says how to do better."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("labelops: error: ")
    assert says in err


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [
        (EndUnavailable("the server\nis away \x1b[2J"), 3, "error: the server is away"),
        (KeyError("place"), 70, "defect: KeyError: 'place' — this is a defect of labelops"),
        (KeyboardInterrupt(), 130, "stopped; what was done is kept"),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_exit_codes(
    raised: BaseException,
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Ends, defects, Ctrl-C and a closed pipe have exit codes of their own and no traceback."""

    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.delenv("LABELOPS_DEBUG", raising=False)
    monkeypatch.setattr(labelops.app, "open_app", fail)
    monkeypatch.setattr(os, "dup2", lambda *handles: None)
    assert main(["-q", "send"]) == code
    err = capfd.readouterr().err.strip()
    assert says in err
    assert not set("\x1b\n") & set(err)


def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """LABELOPS_DEBUG adds the traceback and keeps the exit code."""
    monkeypatch.setenv("LABELOPS_DEBUG", "1")
    assert main(["--config", "/nowhere", "status"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("labelops: error: ")


def _brought(argv: list[str]) -> int:
    click.echo(" ".join(argv))
    return 3


def test_commands_of_other_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They get their arguments and the settings' path, and return the exit code."""
    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", lambda point: _brought)
    assert main(["--config", "here", "demo", "tickets", "--help"]) == 3
    assert capsys.readouterr().out == "--config here tickets --help\n"


def test_a_command_that_cannot_be_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A package that is not there is one line, not a traceback."""

    def fail(point: importlib.metadata.EntryPoint) -> None:
        raise ModuleNotFoundError("No module named 'far'")

    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", fail)
    assert main(["demo"]) == 2
    assert "'demo' (labelops_flows.demo:main) cannot be loaded" in capsys.readouterr().err
