"""What only reads leaves every byte of a label set as it is, whatever stands in its settings."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from labelops.cli import labelops
from labelops.digest import digest_bytes

from .world import WORDS, run, shown, shown_as_json

pytestmark = pytest.mark.slow

_READING = {
    "status": [],
    "explain": ["mail-003"],
    "annotators": [],
    "schema": [],
    "report": ["--json"],
    "certificates": [],
    "rules": [],
    "log": [],
    "show": [],
    "diff": ["mails@1.0.0", "mails@latest"],
    "verify": [],
    "plan": ["audit", "--error", "0.1"],
    "export": ["../taken-out"],
}
_WRITING = {
    *("ingest", "autolabel", "route", "send", "collect", "consolidate", "audit", "gate", "release"),
    *("run", "name", "deprecate", "withdraw"),
}
_OF_FILES = {"init", "check"}
"""Commands that open no label set."""

_ASKED = str(list(WORDS)).replace("'", '"')
_EDITS = {
    "as it was made": (_ASKED, _ASKED),
    "with a new class": (_ASKED, _ASKED.replace("]", ', "other"]')),
    "with a new name": (
        _ASKED,
        _ASKED.replace("recipe", "food") + '\n[schema.renames]\nrecipe = "food"',
    ),
    "without a class in use": (_ASKED, '["billing", "delivery"]'),
}


def _contents(folder: Path) -> dict[str, str]:
    """Return every file's digest, and every folder, by path."""
    return {
        str(path.relative_to(folder)): digest_bytes(path.read_bytes()) if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def test_every_command_is_one_that_reads_or_one_that_writes() -> None:
    """Whoever adds a command says which, and what only reads is held to it below."""
    assert set(labelops.commands) == set(_READING) | _WRITING | _OF_FILES


@pytest.mark.parametrize("edited", [*_EDITS, "before its first run"])
@pytest.mark.parametrize("command", _READING)
def test_what_only_reads_changes_nothing(
    released: Path, command: str, edited: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Classes that were edited are put in force by the next work, and none begins by a look."""
    monkeypatch.chdir(released.parent)
    if edited in _EDITS:
        text, other = released.read_text("utf-8"), _EDITS[edited]
        assert other[0] in text
        released.write_text(text.replace(*other), encoding="utf-8")
    else:
        monkeypatch.delenv("LABELOPS_KEY", raising=False)
        shutil.rmtree(released.parent / "workspace")
    before = _contents(released.parent)
    code = run(released, command, *_READING[command])
    assert _contents(released.parent) == before
    if edited != "without a class in use":
        nothing_there = edited == "before its first run"
        names_a_release = command in {"show", "diff", "verify", "export", "explain"}
        assert code == (2 if nothing_there and names_a_release else 0)


def test_a_look_says_what_work_will_find(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an edit takes back is seen before work has put the classes in force as it is after."""
    looks = (["annotators"], ["certificates"], ["rules"])

    def seen() -> tuple[Any, list[str]]:
        return shown_as_json(capsys, released, "status"), [
            shown(capsys, released, *look) for look in looks
        ]

    before = seen()
    cut = _ASKED.replace("]", ', "dessert"]') + '\n[schema.splits]\nrecipe = ["dessert"]'
    released.write_text(released.read_text("utf-8").replace(_ASKED, cut), encoding="utf-8")
    foreseen = seen()
    assert run(released, "collect") == 0
    assert seen() == foreseen
    assert foreseen[0]["undecided"] > before[0]["undecided"]
