"""Label sets whose labeler is somebody else's and learns nothing here: a server's model, rules."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from labelops.app import App, open_app
from labelops.cli import main
from labelops.state import last_body, load

from ..servers import served
from .label_sets import MAIL, mails, one_round, team, write_mails

COUNT = 120
POISONED = "mail-007"


def _poisoned(file: Path) -> AbstractContextManager[str]:
    """Serve what is in a file, but for an item that is refused."""
    return served("ml_backend", "--behaviour", "poison", "--predictions", str(file))


def _predictions(file: Path) -> None:
    """Write what a good model says: wrong about every fortieth item."""
    names = sorted({name for _, name in mails(COUNT).values()})
    with file.open("w") as out:
        for n, (key, (_, name)) in enumerate(mails(COUNT).items()):
            said = names[(names.index(name) + (n % 40 == 39)) % 3]
            probs = {c: 0.9 if c == said else 0.05 for c in names}
            out.write(json.dumps({"item_id": key, "probs": probs}) + "\n")


def _write(folder: Path, url: str) -> dict[str, str]:
    """Write a label set with a model behind a URL, and an item that the model cannot take."""
    toml = MAIL.replace("[accept]\nerror = 0.3", "[accept]\nerror = 0.5")
    truth = write_mails(folder, COUNT, f'{toml}[labeler]\ntype = "http"\nurl = "{url}"\n')
    file = folder / "mail.csv"
    file.write_text(file.read_text().replace(f"{POISONED},", f"{POISONED},POISON "))
    return truth


def _rounds(folder: Path, truth: dict[str, str], most: int = 8) -> App:
    """Go on until there is nothing to ask."""
    app = open_app(folder)
    app.ingest()
    people = team(app, 0.98, 0.98, 0.98)
    for _ in range(most):
        one_round(app, people, truth)
    return app


@pytest.mark.slow
def test_a_served_model_is_tried_and_accepted(tmp_path: Path) -> None:
    """It learns nothing from what people label: none of its proposals needs to be held out.

    An item that its server refuses is labeled by people and holds nobody up.
    """
    _predictions(tmp_path / "said.jsonl")
    with _poisoned(tmp_path / "said.jsonl") as url:
        truth = _write(tmp_path / "set", url)
        app = _rounds(tmp_path / "set", truth)
    state = load(app.workspace)
    assert state.labeler_version is not None
    assert len(state.proposals) == COUNT
    assert state.proposals.loc[state.proposals["value"].isna(), "item_id"].tolist() == [POISONED]
    assert state.proposals["fold"].isna().all()
    assert state.hypotheses, "acceptance was tried"
    assert last_body(state.fits)["items"] >= state.training_enough
    labels = state.labels.set_index("item_id")
    assert labels["value"].notna().all()
    assert labels.loc[POISONED, "value"] == truth[POISONED]
    assert len(state.accepted) > COUNT // 2


@pytest.mark.slow
def test_what_a_server_refuses_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By `autolabel`, and afterwards by all that shows the label set or the item, with the reason.

    What was said of it stays when nothing is asked any more.
    """
    _predictions(tmp_path / "said.jsonl")
    with _poisoned(tmp_path / "said.jsonl") as url:
        truth = _write(tmp_path / "set", url)
        app = open_app(tmp_path / "set")
        app.ingest()
        one_round(app, team(app, 1.0, 1.0), truth)
        assert main(["--config", str(tmp_path / "set"), "-q", "autolabel"]) == 0
    said = capsys.readouterr().out
    assert f"1 item refused by the labeler's server, such as '{POISONED}': status 400, " in said
    assert "people label it" in said
    config = ["--config", str(tmp_path / "set"), "-q"]
    assert main([*config, "status"]) == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("Refused")]
    assert "status 400, " in line and f"(1 item, such as '{POISONED}')" in line
    assert main([*config, "explain", POISONED]) == 0
    assert "Refused by a model" in (told := capsys.readouterr().out) and "status 400" in told
    assert main([*config, "explain", "mail-008"]) == 0
    assert "Refused" not in capsys.readouterr().out
    assert main([*config, "report", "--json"]) == 0
    lineage = json.loads(capsys.readouterr().out)["lineage"]
    (row,) = [row for row in lineage if row["role"] == "refused by the labeler"]
    assert row["name"] == "1 item" and POISONED in row["detail"]


@pytest.mark.slow
def test_rules_alone_propose_and_people_decide(tmp_path: Path) -> None:
    """Rules learn nothing, and say nothing of how sure they are: no proposal stands as a label."""
    (tmp_path / "rules_of_mail.py").write_text(
        "from labelops.adapters.rule_labeler import contains\n"
        'bill = contains(["invoice", "charged", "refund", "card", "paid"], "bill")\n'
    )
    toml = f'{MAIL}[labeler]\ntype = "rules"\nrules = ["rules_of_mail:bill"]\n'
    truth = write_mails(tmp_path / "set", COUNT, toml)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        app = _rounds(tmp_path / "set", truth)
    state = load(app.workspace)
    assert len(state.proposals) == COUNT
    assert state.proposals["value"].notna().sum() == COUNT // 3
    assert not len(state.accepted)
    assert state.labels["value"].notna().all()


@pytest.mark.slow
def test_a_chat_model_without_log_probabilities_proposes_and_people_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing to calibrate, so nothing is learned; its proposals have no confidence."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with served("chat_server", "--behaviour", "nologprobs") as url:
        chat = f'[labeler]\ntype = "chat"\nurl = "{url}/v1"\n[chat]\nmodel = "small"\n'
        app = _rounds(tmp_path, write_mails(tmp_path, COUNT, MAIL + chat))
    state = load(app.workspace)
    assert len(state.proposals) == COUNT
    assert state.proposals["confidence"].isna().all()
    assert not len(state.accepted)
    assert state.labels["value"].notna().all()
