"""Verdicts over the whole journey: inconclusive, failing, mended, and audited by whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelops.app import App, open_app
from labelops.errors import GateNotPassed
from labelops.gate.candidate import OUTGROWN, attempt_of
from labelops.state import load
from labelops.testing.annotators import confused

from .label_sets import MAIL, one_round, team, until_passed, write_mails

pytestmark = pytest.mark.slow


def test_inconclusive_gate_refuses_a_release(tmp_path: Path) -> None:
    """Before the audit says enough the verdict is inconclusive, and nothing can be released."""
    folder = tmp_path / "set"
    truth = write_mails(folder, 30)
    app = open_app(folder)
    app.ingest()
    one_round(app, team(app, 0.99, 0.98, 0.97, 0.96), truth)
    assert app.gate().verdict.status == "inconclusive"
    with pytest.raises(GateNotPassed, match="INCONCLUSIVE"):
        app.release()
    assert app.manifests() == []


def test_three_annotators_are_enough(tmp_path: Path) -> None:
    """Nothing waits for a fourth person where all three have looked."""
    folder = tmp_path / "set"
    truth = write_mails(folder, 36)
    app = until_passed(folder, team(open_app(folder), 0.99, 0.98, 0.95), truth)
    assert app.release().reference == "tickets@1.0.0"


MISTAKEN = MAIL.replace("error = 0.25", "error = 0.05")


def _labeled_wrongly(
    folder: Path, truth: dict[str, str], pairs: dict[tuple[str, str], float]
) -> App:
    """Let three people label who make the same mistakes, until a verdict on what others audit."""
    app = open_app(folder)
    schema = app.settings.schema
    wrong = [confused(f"human:w{i}", schema, pairs) for i in range(3)]
    right = team(app, 0.99, 0.99, 0.99)
    app.ingest()
    for _ in range(20):
        candidate = load(app.workspace).candidate
        one_round(app, right if candidate else wrong, truth)
        app.audit()
        verdict = app.gate().verdict
        if verdict.passed or any(c.refuted for c in load(app.workspace).candidates):
            return app
    raise AssertionError(app.gate().verdict.summary)


def test_failing_certificate_gives_the_candidate_up(tmp_path: Path) -> None:
    """Labels that auditors refute fail: the candidate and the model's acceptance are closed."""
    folder = tmp_path / "set"
    truth = write_mails(folder, 120, MISTAKEN)
    # Everybody who labels takes parcels for bills and bills for parcels: two thirds are wrong.
    app = _labeled_wrongly(folder, truth, {("parcel", "bill"): 0.97, ("bill", "parcel"): 0.97})
    state = load(app.workspace)
    assert state.candidate is None
    assert state.candidates[-1].refuted
    assert state.hypotheses
    assert all(h.closed for h in state.hypotheses)
    assert state.accepted.empty
    with pytest.raises(GateNotPassed):
        app.release()


def test_an_audit_mends_what_it_finds(tmp_path: Path) -> None:
    """A small set, a third of it wrong, passes once nearly all was looked at, and is right then."""
    folder = tmp_path / "set"
    truth = write_mails(folder, 60, MISTAKEN)
    app = _labeled_wrongly(folder, truth, {("parcel", "bill"): 0.97})
    state = load(app.workspace)
    assert state.audit is not None and state.audit.certificate.status == "pass"
    found = state.audit.certificate
    assert found.n > 40 and found.corrected >= found.errors - 1 > 10
    values = state.frozen.set_index("item_id")["value"]
    assert (values != values.index.map(truth)).sum() <= 3
    assert app.release().new


def test_who_joins_three_audits_their_labels(tmp_path: Path) -> None:
    """Three who agree on mistakes audit each other's first votes; others then audit the labels."""
    folder = tmp_path / "set"
    truth = write_mails(folder, 60, MISTAKEN)
    app = _labeled_wrongly(folder, truth, {("parcel", "bill"): 0.97})
    first, second = load(app.workspace).candidates[:2]
    assert first.firsts and first.closed == OUTGROWN
    assert not second.firsts and second.stream == first.stream + 1
    assert attempt_of(second, [first, second]) == 2
