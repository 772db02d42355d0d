"""The first guide, followed to the letter: its first round is what it says, its end a release."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from labelops.cli import main

pytestmark = pytest.mark.slow  # whole rounds, and fits of the model

PROJECT = Path(__file__).resolve().parents[2]
GUIDE = (PROJECT / "docs" / "guide" / "first-label-set.md").read_text(encoding="utf-8")
ROUNDS = 40


def _blocks(language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, GUIDE, flags=re.DOTALL | re.MULTILINE)


def _shown() -> dict[str, str]:
    """Return what the guide shows of each command, of the first time that it shows anything."""
    found: dict[str, str] = {}
    for block in _blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            if output:
                found.setdefault(command, output)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the guide's label set, with its settings."""
    folder = tmp_path / "tickets"
    folder.mkdir()
    shutil.copytree(PROJECT / "sample_data" / "tickets", tmp_path / "sample_data" / "tickets")
    shutil.copy(tmp_path / "sample_data" / "tickets" / "items.csv", folder / "tickets.csv")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LABELOPS_KEY", "guide")
    return folder


def _said(capsys: pytest.CaptureFixture[str], command: str) -> str:
    """Run a command of the guide; return what it wrote."""
    capsys.readouterr()
    if command == "python answer.py":
        script = next(b for b in _blocks("python") if b.startswith("# answer.py"))
        exec(compile(script, "answer.py", "exec"), {"__name__": "__main__"})
    else:
        assert main(shlex.split(command)[1:]) == 0, command
    return capsys.readouterr().out


def _settings(folder: Path) -> None:
    """Write the settings that the guide shows, in place of those that `init` wrote."""
    (folder / "labelops.toml").write_text(_blocks("toml")[0], encoding="utf-8")


def test_the_first_round_is_as_the_guide_shows_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From `init` to the first gate every line is as printed."""
    shown = _shown()
    (init,) = (c for c in shown if c.startswith("labelops init"))
    assert _said(capsys, init) == shown[init]
    _settings(folder)
    for command in ("labelops -q run send", "python answer.py", "labelops -q run receive"):
        assert _said(capsys, command) == shown[command]


def test_it_ends_certified_as_the_guide_says(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Round by round to a release that passed, with no more wrong labels than it certifies."""
    _settings(folder)
    said, rounds = "", 0
    while not re.search(r"^gate +PASS", said, re.MULTILINE) and rounds < ROUNDS:
        _said(capsys, "labelops -q run send")
        _said(capsys, "python answer.py")
        said, rounds = _said(capsys, "labelops -q run receive"), rounds + 1
    assert re.search(r"pass +certified error +≤ 4 % at 95 % confidence: ", said)
    assert "Released tickets@1.0.0: 613 labels." in _said(capsys, "labelops -q run publish")
    assert _said(capsys, "labelops verify").startswith("OK  tickets@latest")
    (use,) = (block for block in _blocks("python") if "labelops.load" in block)
    names: dict[str, Any] = {}
    exec(compile(use, "use.py", "exec"), names)
    frame = names["frame"]
    truth = pd.read_csv(PROJECT / "sample_data" / "tickets" / "truth.csv")
    right = truth.set_index("ticket_id")["intent"].reindex(frame["item_id"]).to_numpy()
    assert (frame["label"].to_numpy() != right).mean() <= 0.04
