"""`labelops plan audit` says what a certificate will cost, with a label set and without."""

from __future__ import annotations

import dataclasses
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from labelops.app import App
from labelops.cli import main
from labelops.gate.candidate import Candidate, attempt_risk
from labelops.gate.certificate import certify
from labelops.settings import read_settings
from labelops.state import load_events, say


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(["plan", "audit", *argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_needs_no_label_set(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty folder it answers, with the published first step of the staircase."""
    monkeypatch.chdir(tmp_path)
    code, out, _ = said(capsys)
    assert code == 0
    assert out.startswith("Without any error found, 178 audits certify at most 2 % wrong at 95 %")
    assert list(tmp_path.iterdir()) == []


def test_json_has_the_same_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON there is one plan for each true error asked about."""
    code, out, _ = said(capsys, "--true", "0", "--true", "0.005", "--json")
    found = json.loads(out)
    assert (code, found["fewest"]) == (0, 178)
    assert [(p["true_error"], p["median"]) for p in found["plans"]] == [(0.0, 178), (0.005, 325)]


def test_plans_with_the_share_of_an_attempt(capsys: pytest.CaptureFixture[str]) -> None:
    """The first attempt has four fifths of the risk, as the gate asks; the second a fifth of it."""
    assert said(capsys, "--attempt", "1", "--true", "0")[1].startswith(
        "Without any error found, 191 audits"
    )
    assert said(capsys, "--attempt", "2", "--true", "0")[1].startswith(
        "Without any error found, 278 audits"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("items", "error", "attempt", "missed"),
    [(300, 0.02, 1, 0.05), (613, 0.02, 2, 0.0526), (1797, 0.02, 1, 0.042), (30_000, 0.01, 1, 0.1),
     (150, 0.05, 3, 0.2), (40, 0.02, 1, 0.02)],
)  # fmt: skip
def test_the_fewest_looks_are_what_the_gate_asks_for(
    capsys: pytest.CaptureFixture[str], items: int, error: float, attempt: int, missed: float
) -> None:
    """Of a set of so many labels, at this attempt, where looks miss so many: exactly."""
    asked = certify([], error, attempt_risk(attempt, 0.05), items, missed=missed).needed
    given = {"items": items, "error": error, "attempt": attempt, "missed": missed}
    argv = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    _, out, _ = said(capsys, *argv, "--true", "0")
    assert f"Without any error found, {asked} audits of" in out
    assert "of wrong labels are taken to look right.\n" in out


@pytest.mark.slow
def test_a_label_set_is_planned_with_what_its_last_audit_allows_for(
    capsys: pytest.CaptureFixture[str], passed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by folder or by `--config`; what is asked for goes before, and outside it is none."""
    candidate = App(read_settings(passed)).last_candidate()
    assert candidate is not None and candidate.missed > 0
    asked = ("--items", str(candidate.items), "--error", "0.2", "--true", "0")
    _, out, _ = said(capsys, *asked, "--config", str(passed))
    assert f"taken to look right, as in the audit of candidate {candidate.number}.\n" in out
    wanted = certify([], 0.2, 0.05, candidate.items, missed=candidate.missed).needed
    assert out.startswith(f"Without any error found, {wanted} audits")
    monkeypatch.chdir(passed.parent)
    assert said(capsys, *asked)[1] == out
    none = json.loads(said(capsys, *asked, "--missed", "0", "--json")[1])
    assert (none["missed"], none["missed_as"]) == (0.0, None)
    monkeypatch.chdir(passed.parents[2])
    assert json.loads(said(capsys, *asked, "--json")[1]) == none


@pytest.mark.slow
def test_the_largest_chance_of_an_order_counts(sent: Path) -> None:
    """As in its audit: looks that count on were read with what the first candidate allowed for."""
    app = App(read_settings(sent))
    first = Candidate(1, 1, 1, 10, "d", closed="withdrawn: more items came", missed=0.04)
    later = dataclasses.replace(first, number=2, closed="", missed=0.02)
    events = [("candidate", str(c.number), 0, c.to_body()) for c in (first, later)]
    say(load_events(app.workspace), events, datetime.now(UTC))
    found = app.last_candidate()
    assert found is not None
    assert (found.number, found.missed) == (2, 0.04)


@pytest.mark.slow
def test_planning_begins_no_workspace(
    capsys: pytest.CaptureFixture[str], sent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are settings and nothing else, a plan leaves it so; no candidate is none."""
    monkeypatch.chdir(sent.parent)
    assert "find every wrong label wrong; --missed allows for some." in said(capsys)[1]
    shutil.rmtree(sent.parent / "workspace")
    assert said(capsys)[0] == 0
    assert not (sent.parent / "workspace").exists()


@pytest.mark.slow
def test_a_known_set_is_planned_with_corrections(capsys: pytest.CaptureFixture[str]) -> None:
    """One error costs less in a set of 1,797, where it is corrected, than in any number."""
    asked = ("--true", "0.01", "--budget", "2000", "--json")
    known, endless = said(capsys, *asked, "--items", "1797")[1], said(capsys, *asked)[1]
    means = [json.loads(text)["plans"][0]["mean"] for text in (known, endless)]
    assert means[0] < 0.55 * means[1]


@pytest.mark.slow
def test_simulates_audits_by_doubt(capsys: pytest.CaptureFixture[str]) -> None:
    """Told where errors lie, it shows the cost of drawing by doubt too, twice the same."""
    argv = ("--error", "0.05", "--true", "0.03", "--told", "0.95", "--items", "800")
    out = said(capsys, *argv)[1]
    assert "Drawn by doubt, if a tenth of the labels holds 95 % of the errors (simulated):" in out
    found = json.loads(said(capsys, *argv, "--json")[1])
    assert found["by_doubt"][0]["mean"] < found["plans"][0]["mean"]
    assert json.loads(said(capsys, *argv, "--json")[1]) == found


def test_a_set_of_which_none_may_be_wrong_is_not_shown_by_looks_that_miss_some(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of 40 labels one in 20 that are wrong would look right: more than the first attempt's 4 %."""
    argv = ("--items", "40", "--attempt", "1", "--true", "0", "--missed")
    says = "Even without any error found, 40 audits of 40 labels cannot certify at most 2 % wrong"
    assert said(capsys, *argv, "0.05")[1].startswith(says)
    assert said(capsys, *argv, "0.04")[1].startswith("Without any error found, 40 audits of 40")


@pytest.mark.parametrize(
    ("items", "wrong"),
    [
        (20, [0]),
        (60, [0, 1]),
        (300, [0, 1, 2, 3, 4, 6]),
        pytest.param(1797, [0, 2, 4, 9, 18, 27, 36], marks=pytest.mark.slow),
    ],
)
def test_a_small_set_is_planned_in_whole_labels(
    capsys: pytest.CaptureFixture[str], items: int, wrong: list[int]
) -> None:
    """A row says for how many wrong labels it stands; shares that come to the same are one row."""
    argv = ("--items", str(items), "--missed", "0")
    plans = json.loads(said(capsys, *argv, "--json")[1])["plans"]
    assert [(p["wrong"], p["true_error"]) for p in plans] == [(n, n / items) for n in wrong]
    table = said(capsys, *argv)[1].split("\n\n")[1].splitlines()
    assert table[0].split()[:4] == ["wrong", "labels", "true", "error"]
    assert [int(line.split()[0]) for line in table[1:]] == wrong


@pytest.mark.slow
def test_shares_asked_about_stand_for_whole_labels_too(capsys: pytest.CaptureFixture[str]) -> None:
    """3 % and 6 % of 20 labels are one label each, 5 %, however the audit draws."""
    argv = ("--items", "20", "--true", "0.03", "--true", "0.06", "--true", "0.1", "--told", "0.5")
    found = json.loads(said(capsys, *argv, "--json")[1])
    for plans in (found["plans"], found["by_doubt"]):
        assert [(p["wrong"], p["true_error"]) for p in plans] == [(1, 0.05), (2, 0.1)]
    _, out, _ = said(capsys, *argv)
    assert out.count("wrong labels  true error") == 2


def test_an_endless_set_has_no_whole_labels(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a size a row is a share, and says so in one column."""
    assert json.loads(said(capsys, "--json")[1])["plans"][1]["wrong"] is None
    assert "wrong labels  true error" not in said(capsys)[1]


def test_says_what_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    """A budget below the first step is said to be too small."""
    _, out, _ = said(capsys, "--budget", "100")
    assert out.startswith("Even without any error found, 100 audits cannot certify")


@pytest.mark.parametrize(
    "argv",
    [
        ["--error", "0"],
        ["--error", "1"],
        ["--confidence", "1"],
        ["--true", "1.1"],
        ["--told", "2"],
        ["--attempt", "0"],
        ["--missed", "1"],
    ],
)
def test_impossible_bounds_are_wrong_use(
    capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    """A bound out of its range is one line and exit code 2."""
    code, out, err = said(capsys, *argv)
    assert (code, out) == (2, "")
    assert argv[0] in err
    assert err.count("\n") == 1
