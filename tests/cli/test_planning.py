"""`labelops plan audit` says what a certificate will cost, without a label set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labelops.cli import main


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
