"""A team of four loses one in the middle of an audit, and the release comes all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labelops.app import App, open_app
from labelops.cli import main
from labelops.cli.said import said_routed
from labelops.state import load
from labelops.state.awaited import awaited
from labelops.testing.annotators import SimulatedAnnotator

from .label_sets import MAIL, one_round, team, write_mails

pytestmark = pytest.mark.slow  # whole journeys

ITEMS, MOST_ROUNDS, LEFT = 60, 12, "human:a3"
ALONE = MAIL.replace("[accept]", '[accept]\nrule = "never"')


def _people(app: App) -> list[SimulatedAnnotator]:
    return team(app, 0.9, 0.9, 0.9, 0.9)


def _until_frozen(folder: Path, truth: dict[str, str]) -> None:
    """Label with four people until the labels are frozen, and nobody has audited any."""
    app = open_app(folder)
    app.ingest()
    for _ in range(MOST_ROUNDS):
        one_round(app, _people(app), truth)
        app.audit()
        app.gate()
        if load(app.workspace).candidate is not None:
            return
    raise AssertionError(app.gate().verdict.summary)


def _three_go_on(folder: Path, truth: dict[str, str]) -> App:
    """Let those who stayed work until the gate passes, or for long."""
    app = open_app(folder)
    for _ in range(MOST_ROUNDS):
        one_round(app, _people(app)[:3], truth)
        app.audit()
        if app.gate().verdict.passed:
            break
    return app


def test_a_release_comes_when_one_of_four_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It waits for the fourth; once it is said who left, looks of theirs are errors and it goes on.

    What is released is as good as it says, what they said counts on, and nothing more is theirs.
    """
    monkeypatch.setenv("LABELOPS_KEY", f"{0:032x}")
    folder = tmp_path / "set"
    truth = write_mails(folder, ITEMS, ALONE)
    _until_frozen(folder, truth)
    app = _three_go_on(folder, truth)
    before = load(app.workspace)
    assert not app.gate().verdict.passed and f"for {LEFT}" in awaited(before)
    settings = folder / "labelops.toml"
    asked = settings.read_text()
    settings.write_text(asked.replace("[route]", '[route]\nleft = ["human:a3x"]'))
    slip = "[route] left names human:a3x, who never voted (perhaps human:a3?)."
    assert main(["status", "--config", str(settings)]) == 0 and slip in capsys.readouterr().out
    assert slip in said_routed(open_app(folder).route())
    settings.write_text(asked.replace("[route]", f'[route]\nleft = ["{LEFT}"]'))
    assert main(["status", "--config", str(settings)]) == 0
    said = capsys.readouterr().out
    assert f"{LEFT} left\n" in said and "only people who left" in said and slip not in said
    app = _three_go_on(folder, truth)
    found, state = app.gate().verdict, load(app.workspace)
    assert found.passed and state.audit is not None
    assert 0 < state.audit.lost <= state.audit.certificate.errors
    assert f"{state.audit.lost} of them count as wrong because only people who left" in str(found)
    assert len(state.candidates) == 1, "the audit goes on, it is no second attempt"
    made = app.release()
    labels = app.read(made.reference).labels
    assert (labels["value"] != labels["item_id"].map(truth)).mean() <= 0.25
    assert (state.evidence["annotator"] == LEFT).sum() > 0
    later = state.plan.loc[state.plan["round"] > before.last_round]
    assert len(later) and all(LEFT in json.loads(row) for row in later["exclude"])
    assert awaited(state) == "" and state.open_seats.empty
