"""How far long work is, told on stderr."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from labelops.cli import main, progress
from labelops.cli.progress import Told

from .world import mails


def _told(seconds: Iterable[float], *calls: tuple[str, int, int]) -> list[str]:
    """Return what is said where the clock says so at the beginning, and at each call."""
    lines: list[str] = []
    clock = iter(seconds)
    told = Told(lines.append, "check", clock=lambda: next(clock))
    for call in calls:
        told(*call)
    return lines


def test_of_short_work_nothing_is_told() -> None:
    """Whatever its stages and parts."""
    assert _told([0, 0.1, 1, 1.9], ("reading", 0, 1), ("training", 0, 2), ("training", 1, 2)) == []


def test_time_left_is_that_of_the_stage() -> None:
    """Each other part takes as long as those before; parts are told every five seconds at most."""
    calls = [("training", done, 4) for done in range(5)]
    assert _told([0, 100, 130, 131, 400, 500], *calls) == [
        "check: training",
        "check: training, 1 of 4 parts, about 90 s left",
        "check: training, 3 of 4 parts, about 2 min left",
    ]


def test_a_stage_after_short_ones_is_told() -> None:
    """Once two seconds are over each new stage is named at once."""
    calls = [("reading", 0, 1), ("training", 0, 1), ("weighing", 0, 1)]
    assert _told([5, 6, 7, 7.5], *calls) == ["check: training", "check: weighing"]


@pytest.mark.slow
def test_a_check_tells_its_stages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stderr, in their order; never on stdout, and nothing with --quiet."""
    monkeypatch.setattr(progress, "_SHORT", 0.0)
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    file = tmp_path / "mails.csv"
    lines = ["id,text,label", *(f"{i},{t},{name}" for i, t, name in mails(120)[:-1])]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(["check", str(file), "--label", "label", "--text", "text", "--json"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("{") and "check:" not in out
    said = err.splitlines()
    stages = [
        f"check: reading {file}", "check: reading texts", "check: judging 119 rows",
        "check: looking for the nearest rows", "check: training models",
        "check: training models, 1 of 10 parts, about 10 s left", "check: weighing what they say",
        "check: looking at words, slices and outliers",
    ]  # fmt: skip
    assert [line for line in said if line in stages] == stages
    assert main(["-q", "check", str(file), "--label", "label", "--text", "text"]) == 0
    assert capsys.readouterr().err == ""
