"""What is broken in a part only stops nothing else: real commands, real servers, real files."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from flows.artifacts import plan_page
from labelops.adapters._address import free_port
from labelops.app import App, open_app
from labelops.cli import main
from labelops.digest import canonical_json
from labelops.state import State, load
from labelops.testing.annotators import work

from ..servers import served
from .label_sets import CLASSES, MAIL, mails, team, write_mails

FIRST, ALL = 100, 160


class World:
    """A label set of mails on disk, whose model is behind a port that may have no server."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder / "set", free_port()
        self.said = folder / "said.jsonl"
        toml = MAIL.replace("[accept]\nerror = 0.3", "[accept]\nerror = 0.5")
        toml = toml.replace("calibration = 10", "calibration = 24")
        url = f'[labeler]\ntype = "http"\nurl = "http://127.0.0.1:{self.port}"\n'
        write_mails(self.folder, FIRST, toml + url)
        self.truth = {key: canonical_json(name) for key, (_, name) in mails(ALL).items()}
        with self.said.open("w") as out:
            for n, (key, (_, name)) in enumerate(mails(ALL).items()):
                said = CLASSES[(CLASSES.index(name) + (n % 40 == 39)) % 3]
                probs = {c: 0.9 if c == said else 0.05 for c in CLASSES}
                out.write(json.dumps({"item_id": key, "probs": probs}) + "\n")

    def served(self) -> AbstractContextManager[str]:
        """Run the model's server in another process, at the same address each time."""
        return served("ml_backend", "--predictions", str(self.said), "--port", str(self.port))

    def grow(self) -> None:
        """Let more mails come."""
        rows = [f"{key},{text}" for key, (text, _) in mails(ALL).items()]
        (self.folder / "mail.csv").write_text("\n".join(["id,text", *rows]) + "\n")

    def open(self) -> App:
        return open_app(self.folder)

    @property
    def state(self) -> State:
        return load(self.open().workspace)

    def run(self, *arguments: str) -> int:
        """Run a command, as another process would."""
        return main(["-q", "--config", str(self.folder), *arguments])

    def label(self) -> int:
        app = self.open()
        return work(app.queue, team(app, 0.98, 0.98, 0.98), self.truth)  # type: ignore[arg-type]

    def a_round(self) -> None:
        assert self.run("run", "send") == 0
        self.label()
        assert self.run("run", "receive") == 0


@pytest.mark.server
def test_people_go_on_while_the_model_is_away_and_it_is_made_up_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3 and one line; random looks only, no label of the model's; then all is as ever."""
    world = World(tmp_path)
    with world.served():
        for _ in range(5):
            world.a_round()
    before = world.state
    assert len(before.accepted) > FIRST // 2
    world.grow()
    capsys.readouterr()
    assert world.run("run", "send") == 3
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert err.startswith("labelops: error: labeler 'model:http' at 127.0.0.1")
    assert "Not done: labeler 'model:http'" in out
    assert "Round " in out and "newly offered" in out
    away = world.state
    fresh = set(away.item_ids) - set(before.item_ids)
    assert len(fresh) == ALL - FIRST
    asked = away.open_seats.loc[away.open_seats["item_id"].isin(fresh)]
    assert set(asked["item_id"]) == fresh & set(away.calibration_stream.ids) != set()
    assert set(asked["purpose"]) == {"calibrate"}
    assert world.label() >= len(asked)
    assert world.run("run", "receive") == 0
    capsys.readouterr()
    assert world.run("run", "send", "--json") == 3
    done = json.loads(capsys.readouterr().out)
    assert done["autolabel"]["not_done"].startswith("labeler 'model:http'")
    assert done["route"]["votes"] == 0, "nobody settles what nothing was proposed for"
    assert world.run("status") == 0
    assert "NOT ASKED  The labeler could not be asked since " in capsys.readouterr().out
    away = world.state
    assert [h.to_body() for h in away.hypotheses] == [h.to_body() for h in before.hypotheses]
    assert set(away.accepted["item_id"]) <= set(before.accepted["item_id"])
    assert not set(away.labels.loc[away.labels["method"] == "accepted", "item_id"]) & fresh
    with world.served():
        for _ in range(3):
            world.a_round()
    after = world.state
    assert len(after.current_proposals) == ALL
    assert after.unasked is None
    assert set(after.accepted["item_id"]) & fresh
    assert after.hypotheses[-1].looks > before.hypotheses[-1].looks


@pytest.mark.slow
def test_a_rule_that_fails_keeps_neither_the_others_nor_people_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named with the item; the others vote, and what it says is stored once it is mended."""
    code = "def broken(item):\n    return {}[item['item_id']]\n"
    (tmp_path / "rules_of_parts.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    rules = (
        '[rule.broken]\nfunction = "rules_of_parts:broken"\n'
        '[rule.paid]\nlabel = "bill"\nwords = ["paid"]\n'
    )
    write_mails(tmp_path / "set", FIRST, MAIL + rules)
    config = ["-q", "--config", str(tmp_path / "set")]
    assert main([*config, "run", "send"]) == 3
    out, err = capsys.readouterr()
    assert err.startswith("labelops: error: rule 'broken'") and "KeyError" in err
    assert "newly offered" in out
    state = load(open_app(tmp_path / "set").workspace)
    assert set(state.machine_votes["annotator"]) == {"rule:paid"}
    assert len(state.open_seats)


def _two_sources(folder: Path) -> list[str]:
    """Write a label set with two files of mails; return the arguments that name it."""
    more = '[source.more]\npath = "more.csv"\nkey = "id"\ntext = "text"\npurposes = ["training"]\n'
    write_mails(folder, FIRST, MAIL + more)
    rows = list(mails(ALL).items())[FIRST:]
    lines = [f"{key},{text}" for key, (text, _) in rows[:30]]
    (folder / "more.csv").write_text("\n".join(["id,text", *lines]) + "\n")
    return ["-q", "--config", str(folder)]


def _append(file: Path, *rows: str) -> None:
    file.write_text(file.read_text() + "".join(f"{row}\n" for row in rows))


@pytest.mark.slow
def test_a_revised_row_is_set_aside_and_all_others_are_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named with file, row and key until somebody says what it is; nothing of it is taken.

    What the source does not allow any more holds for its item, too.
    """
    config = _two_sources(tmp_path / "set")
    assert main([*config, "run", "send"]) == 0
    file = tmp_path / "set" / "mail.csv"
    old = mails(ALL)["mail-003"][0]
    file.write_text(file.read_text().replace(f"mail-003,{old}", "mail-003,something else"))
    _append(file, "new-1,a parcel that came", "new-2,a card that did not")
    toml = tmp_path / "set" / "labelops.toml"
    toml.write_text(toml.read_text().replace('licence = "CC0-1.0"', 'licence = "none"', 1))
    capsys.readouterr()
    assert main([*config, "run", "send"]) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"labelops: error: {file}, row 4: the key 'mail-003' was ingested with")
    assert err.count("\n") == 1 and "--revise" in err and "Not done" not in out
    assert "1 row of mail set aside, such as 'mail-003'" in out
    assert "newly offered" in out
    items = load(open_app(tmp_path / "set").workspace).items.set_index("item_id")
    assert items.loc["mail-003", "payload"] == old
    assert set(items.loc[["mail-003", "mail-004", "new-1"], "licence"]) == {"none"}
    assert {"new-1", "new-2"} <= set(items.index)
    assert main([*config, "run", "send"]) == 2, "as long as it is so"
    capsys.readouterr()
    assert main([*config, "status"]) == 0
    said = capsys.readouterr().out
    assert f"SET ASIDE  1 row of mail: {file}, row 4: the key 'mail-003'" in said
    assert main([*config, "ingest", "--revise"]) == 0
    assert main([*config, "run", "send"]) == 0
    capsys.readouterr()
    assert main([*config, "status"]) == 0
    assert "SET ASIDE" not in capsys.readouterr().out
    state = load(open_app(tmp_path / "set").workspace)
    assert state.items.set_index("item_id").loc["mail-003", "payload"] == "something else"


@pytest.mark.slow
def test_one_source_of_two_that_is_broken_keeps_nobody_from_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of the broken one is taken, the other is; by itself `ingest` takes all or none."""
    config = _two_sources(tmp_path / "set")
    assert main([*config, "run", "send"]) == 0
    mail, more = (tmp_path / "set" / f"{name}.csv" for name in ("mail", "more"))
    _append(mail, "new-1,a parcel", 'new-2,"a quote')
    _append(more, "new-3,a card")
    assert main([*config, "ingest"]) == 2
    before = load(open_app(tmp_path / "set").workspace)
    assert not {"new-1", "new-3"} & set(before.item_ids)
    capsys.readouterr()
    assert main([*config, "run", "send"]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and f"{mail}: the row that starts on line 103" in err
    assert "newly offered" in out
    after = set(load(open_app(tmp_path / "set").workspace).item_ids)
    assert "new-3" in after and not {"new-1", "new-2"} & after
    more.unlink()
    assert main([*config, "run", "send"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert str(mail) in lines[0] and lines[1].startswith("  ") and str(more) in lines[1]
    assert main([*config, "status"]) == 0
    said = capsys.readouterr().out
    assert f"NOT READ  The source mail: {mail}: the row that starts on line 103" in said
    assert f"NOT READ  The source more: {more}" in said


BAD = {
    "empty": "new-2,",
    "ragged": "new-2,a card,lost",
    "no key": ",a card",
    "used twice": "mail-003,another card",
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_set_aside_and_all_others_are_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    """It is named until it is mended, and read then; by itself `ingest` takes all or nothing."""
    config = _two_sources(tmp_path / "set")
    assert main([*config, "run", "send"]) == 0
    file = tmp_path / "set" / "mail.csv"
    before = load(open_app(tmp_path / "set").workspace)
    _append(file, "new-1,a parcel that came", BAD[case])
    assert main([*config, "ingest"]) == 2
    assert load(open_app(tmp_path / "set").workspace).item_ids.tolist() == before.item_ids.tolist()
    capsys.readouterr()
    assert main([*config, "run", "send"]) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"labelops: error: {file}, row ") and f"{file}, row 102" in err
    bad_rows = 2 if case == "used twice" else 1
    assert err.count("\n") == bad_rows, "both rows that have a key, which is meant is not known"
    assert "of mail set aside" in out and "newly offered" in out
    assert (out + err).count(f"{file}, row 102") == 1, "it is said once"
    after = load(open_app(tmp_path / "set").workspace)
    assert set(after.item_ids) == {*before.item_ids, "new-1"}
    assert after.refusals["mail"].bad_rows == bad_rows
    assert main([*config, "run", "send", "--json"]) == 2, "as long as it is so"
    found = json.loads(capsys.readouterr().out)["ingest"]["mail"]
    assert (found["bad_rows"], found["gone"], len(found["bad"])) == (bad_rows, 0, bad_rows)
    assert len(load(open_app(tmp_path / "set").workspace).events) == len(after.events), "no news"
    assert main([*config, "status"]) == 0
    said = capsys.readouterr().out
    assert "SET ASIDE  " in said and f"{file}, row 102" in said
    file.write_text(file.read_text().replace(BAD[case], "new-2,a card that did not"))
    assert main([*config, "run", "send"]) == 0
    capsys.readouterr()
    assert main([*config, "status"]) == 0
    assert "SET ASIDE" not in capsys.readouterr().out
    whole = load(open_app(tmp_path / "set").workspace)
    assert set(whole.item_ids) == {*after.item_ids, "new-2"}
    assert whole.items.set_index("item_id").loc["mail-003", "payload"] == mails(9)["mail-003"][0]


@pytest.mark.slow
def test_a_source_that_may_have_no_bad_row_or_has_too_many_is_refused_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an exporter broke in every tenth row it may have broken in others."""
    config = _two_sources(tmp_path / "set")
    toml, file = tmp_path / "set" / "labelops.toml", tmp_path / "set" / "mail.csv"
    text = toml.read_text()
    _append(file, *[f"new-{n}," for n in range(13)])
    assert main([*config, "run", "send"]) == 2
    assert "more than 10 %" in capsys.readouterr().err
    items = load(open_app(tmp_path / "set").workspace).items
    assert set(items["source"]) == {"more"}
    toml.write_text(text.replace("[source.mail]", "[source.mail]\nbad_rows = 0.2"))
    assert main([*config, "run", "send"]) == 2
    assert len(load(open_app(tmp_path / "set").workspace).items) == FIRST + 30
    toml.write_text(text.replace("[source.mail]", "[source.mail]\nbad_rows = 0.0"))
    _append(tmp_path / "set" / "more.csv", "more-1,a card")
    assert main([*config, "run", "send"]) == 2
    capsys.readouterr()
    assert main([*config, "status"]) == 0
    assert f"NOT READ  The source mail: {file}, row 101" in capsys.readouterr().out
    toml.write_text(text.replace("[source.mail]", "[source.mail]\nbad_rows = 2.0"))
    capsys.readouterr()
    assert main([*config, "run", "send"]) == 2
    assert "source.mail.bad_rows is 2.0, expected 0 to 1" in capsys.readouterr().err


_ENCODER = """
from pathlib import Path
import numpy as np

class Sentences:
    version = "1"

    def encode(self, texts):
        if Path({away!r}).exists():
            raise RuntimeError("the model's server is away")
        return np.array([[len(t), t.count("a"), t.count("e")] for t in texts], dtype=float)
"""


@pytest.mark.slow
def test_an_encoder_that_fails_keeps_no_answer_and_no_gate_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The audit that needs it is not done, so nothing is frozen; all else of `receive` is."""
    away = tmp_path / "away"
    (tmp_path / "encoder_of_parts.py").write_text(_ENCODER.format(away=str(away)))
    monkeypatch.syspath_prepend(str(tmp_path))
    toml = MAIL.replace("[accept]\n", '[accept]\nrule = "never"\n')
    toml += '[labeler]\nvectors = "encoder_of_parts:Sentences"\n'
    truth = write_mails(tmp_path / "set", 40, toml)
    config = ["-q", "--config", str(tmp_path / "set")]
    for _ in range(4):
        assert main([*config, "run", "send"]) == 0
        app = open_app(tmp_path / "set")
        work(app.queue, team(app, 1.0, 1.0, 1.0), truth)  # type: ignore[arg-type]
        app.collect()
    away.touch()
    capsys.readouterr()
    assert main([*config, "run", "receive"]) == 3
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and "the model's server is away" in err
    assert "audit        Not done: " in out
    assert "gate         INCONCLUSIVE  no labels are frozen for a release" in out
    away.unlink()
    assert main([*config, "run", "receive"]) == 0
    assert "Audit 1: " in capsys.readouterr().out


@pytest.mark.slow
def test_an_encoder_that_is_away_leaves_the_order_by_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """People are asked all the same; the command, the status and the flow's page say how."""
    away = tmp_path / "away"
    (tmp_path / "encoder_of_order.py").write_text(_ENCODER.format(away=str(away)))
    monkeypatch.syspath_prepend(str(tmp_path))
    toml = MAIL.replace("training = 16", 'training = 16\norder = "diverse"')
    toml += '[labeler]\nvectors = "encoder_of_order:Sentences"\n'
    truth = write_mails(tmp_path / "set", 60, toml)
    config = ["-q", "--config", str(tmp_path / "set")]
    app = open_app(tmp_path / "set")
    for _ in range(2):
        assert main([*config, "run", "send"]) == 0
        work(app.queue, team(app, 1.0, 1.0, 1.0), truth)  # type: ignore[arg-type]
        app.collect()
    away.touch()
    (tmp_path / "set" / "labelops.toml").write_text(toml.replace("= 16", "= 30"))
    capsys.readouterr()
    assert main([*config, "run", "send"]) == 3
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and "the model's server is away" in err
    assert "Round 3 asks for " in out and "chosen by doubt alone, not `diverse`" in out
    assert main([*config, "status"]) == 0
    assert "BY DOUBT  Features could not be had since " in capsys.readouterr().out
    page = plan_page(app, {"autolabel": {}, "route": {"not_done": "away"}, "queue": {}})
    assert "New votes are asked for" in page and "Not done, route: away" in page
    away.unlink()
    assert main([*config, "run", "send"]) == 0
    capsys.readouterr()
    assert main([*config, "status"]) == 0
    assert "BY DOUBT" not in capsys.readouterr().out
