"""A command for each stage: what it did in words, in JSON and on stderr."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labelops.cli import main
from labelops.cli.said import said_collected
from labelops.journey import Collected

from .world import (
    ITEMS,
    SETTINGS,
    label,
    run,
    shown,
    shown_as_json,
)


@pytest.mark.slow
def test_each_stage_has_its_command(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stage by stage: each says what it did in words and in JSON; doing it again adds nothing."""
    assert shown_as_json(capsys, sent, "ingest")["mails"]["unchanged"] == ITEMS
    assert "too few votes" in shown(capsys, sent, "autolabel")
    assert shown_as_json(capsys, sent, "route")["votes"] == 0
    assert shown_as_json(capsys, sent, "send")["offered"] == 0
    given = label(sent)
    assert shown_as_json(capsys, sent, "collect") == {
        "received": given,
        "new": given,
        "rejected": 0,
        "reasons": [],
        "skipped": 0,
        "deleted": 0,
        "broken": [],
    }
    assert "0 new votes of 0 answers received" in shown(capsys, sent, "collect")
    assert shown_as_json(capsys, sent, "consolidate")["decided"] > 0
    assert "No audit is due" in shown(capsys, sent, "audit")


@pytest.mark.slow
def test_ingest_says_what_has_no_row_any_more(
    sent: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line below the table, only where something is gone; the items stay."""
    assert "any more" not in shown(capsys, sent, "ingest")
    file = sent.parent / "mails.csv"
    file.write_text("\n".join(file.read_text(encoding="utf-8").splitlines()[:-2]) + "\n")
    said = shown(capsys, sent, "ingest")
    stay = "2 items of mails have no row any more and stay in the label set; "
    assert said.endswith(f"{stay}`labelops withdraw` takes items out.\n")
    found = shown_as_json(capsys, sent, "ingest")["mails"]
    assert (found["unchanged"], found["gone"]) == (ITEMS - 2, 2)
    assert shown_as_json(capsys, sent, "status")["items"] == ITEMS


def test_progress_goes_to_stderr(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without -q progress is on stderr; results stay alone on stdout."""
    assert main(["run", "receive", "--config", str(sent), "--json"]) == 0
    out, err = capsys.readouterr()
    assert set(json.loads(out)) == {"collect", "consolidate", "audit", "gate"}
    assert err.splitlines()[0] == "receive: collect …"


@pytest.mark.parametrize(
    "words",
    [
        ["send"], ["collect"], ["run", "send"], ["run", "receive"],
        ["report", "--output", "none/report.html"],
        ["export", "out"],
    ],
)  # fmt: skip
def test_a_refusal_comes_before_any_word_of_work(
    words: list[str], sent: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server without a key, a folder that is not there, no release: one line, nothing else."""
    said = sent.read_text(encoding="utf-8")
    sent.write_text(f'{said}[queue]\ntype = "label-studio"\n', encoding="utf-8")
    capsys.readouterr()
    assert main([*words, "--config", str(sent)]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and err.startswith("labelops: error: ")
    assert main(["ingest", "--config", str(sent.parent / "none.toml")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_gate_and_release_exit_1_before_they_pass(
    sent: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gate that does not pass is exit 1 with every check said; no release then, line by line."""
    capsys.readouterr()
    assert run(sent, "gate") == 1
    assert capsys.readouterr().out.startswith("INCONCLUSIVE  no labels are frozen")
    assert run(sent, "gate", "--json") == 1
    assert json.loads(capsys.readouterr().out)["verdict"]["status"] == "inconclusive"
    for command in (["release"], ["run", "publish"]):
        assert run(sent, *command) == 1
        first, *lines = capsys.readouterr().err.splitlines()
        assert first == "labelops: error: the gate did not pass: INCONCLUSIVE"
        assert lines[0].startswith("  certified error: no audit yet")
        assert all(line.startswith("  ") and line.count(": ") for line in lines)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Collected(131, 131, 0, (), skipped=1), "130 new votes and 1 skip of 131 answers received"),
        (Collected(9, 6, 0, (), skipped=2, deleted=1), "3 new votes, 2 skips and 1 deletion of 9"),
        (
            Collected(20, 5, 2, ("x",)),
            "5 new votes of 20 answers received, 13 of them known before; 2",
        ),
        (Collected(1, 1, 0, ()), "1 new vote of 1 answer received; 0 refused."),
    ],
)
def test_a_skip_is_no_vote(found: Collected, said: str) -> None:
    """What gives no vote is counted by itself, as `status` counts it."""
    assert said_collected(found).startswith(said)


def test_an_empty_workspace_has_nothing_to_judge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is taken in, status says what comes first, and no check has failed."""
    (tmp_path / "labelops.toml").write_text(SETTINGS, encoding="utf-8")
    said = shown(capsys, tmp_path / "labelops.toml", "status")
    assert "`labelops run send` takes them in" in said
    assert "FAIL" not in said and "review" not in said


@pytest.mark.slow
def test_colours_are_for_terminals_only(
    sent: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not a terminal gets no escapes; a terminal does, unless NO_COLOR says no."""
    assert "\x1b" not in shown(capsys, sent, "status")
    monkeypatch.setattr("click._compat.isatty", lambda stream: True)
    assert "\x1b[" in shown(capsys, sent, "status")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in shown(capsys, sent, "status")
