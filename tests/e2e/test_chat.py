"""A label set with a chat model: killed on the way, priced, bounded, and never its own auditor."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from labelops.adapters._address import free_port
from labelops.adapters.local_queue import LocalQueue
from labelops.app import open_app
from labelops.cli import main
from labelops.digest import canonical_json
from labelops.schema import Schema
from labelops.state import load
from labelops.testing.annotators import skilled, work

from ..servers import Start

pytestmark = pytest.mark.slow  # whole journeys

CLASSES = ("billing", "delivery", "recipe")
ITEMS = 90
SETTINGS = """
[schema]
name = "mails"
classes = ["billing", "delivery", "recipe"]
[source.mails]
path = "mails.csv"
key = "id"
text = "text"
licence = "CC0-1.0"
purposes = ["training"]
[labeler]
type = "chat"
url = "{url}"
timeout = 120.0
[chat]
model = "small"
prompt = "prompt.txt"
concurrency = 2
input_price = 0.5
output_price = 2.0
{more}
[rule.money]
label = "billing"
words = ["billing"]
[route]
seed = 20
training = 30
{route}
[accept]
error = 0.2
[gate]
error = 0.2
agreement = -1.0
open_findings = 0.2
"""


@pytest.fixture
def url(start_chat: Start) -> str:
    """Start a chat server that behaves well."""
    return start_chat()


def truth() -> dict[str, str]:
    rng = random.Random(3)
    return {f"mail-{n:03}": rng.choice(CLASSES) for n in range(ITEMS)}


def project(folder: Path, url: str, more: str = "", route: str = "calibration = 22") -> Path:
    """Write a label set whose first votes are in."""
    rows = "".join(f"{i},about {name} number {i}\n" for i, name in truth().items())
    (folder / "mails.csv").write_text("id,text\n" + rows, encoding="utf-8")
    (folder / "prompt.txt").write_text("One of:\n{classes}\n{form}\n", encoding="utf-8")
    config = folder / "labelops.toml"
    config.write_text(SETTINGS.format(url=url, more=more, route=route), encoding="utf-8")
    assert run(config, "run", "send") == 0
    people = [skilled(f"human:{n}", Schema("mails", CLASSES), 0.98) for n in ("ann", "ben", "cy")]
    answers = {i: canonical_json(name) for i, name in truth().items()}
    work(LocalQueue(folder / "workspace" / "queue"), people, answers)
    assert run(config, "run", "receive") == 0
    return config


def run(config: Path, *arguments: str) -> int:
    return main(["-q", "--config", str(config), *arguments])


def counts(url: str, path: str = "/asked") -> dict[str, dict[str, int]]:
    with urllib.request.urlopen(url.removesuffix("/v1") + path) as answer:
        found: dict[str, dict[str, int]] = json.loads(answer.read())
    return found


def said(capsys: pytest.CaptureFixture[str], config: Path, *arguments: str) -> Any:
    capsys.readouterr()
    assert run(config, *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_killed_in_the_middle(
    start_chat: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A killed run's answers are kept: the next asks only what is missing, and knows the cost."""
    # It answers ten questions, and no more until it is told to.
    url = start_chat("--hold-after", "10")
    config = project(tmp_path, url)
    assert counts(url)["asked"] == {}
    before = said(capsys, config, "plan", "labeler")
    assert (before["items"], before["answered"], before["spent"]) == (ITEMS, 0, 0.0)
    command = [sys.executable, "-m", "labelops", "-q", "--config", str(config), "autolabel"]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    victim = subprocess.Popen(command, env=environment)
    while len(counts(url)["answered"]) < 10:
        assert victim.poll() is None
        time.sleep(0.005)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    half = counts(url, "/go")["answered"]
    assert 10 <= len(half) < ITEMS
    assert run(config, "autolabel") == 0
    after = counts(url)
    assert len(after["answered"]) == ITEMS
    # What was under way at the kill, at most one a thread, was answered to nobody.
    assert sum(after["answered"].values()) <= ITEMS + 2
    assert run(config, "autolabel") == 0
    assert counts(url) == after

    (usage,) = said(capsys, config, "status")["usage"]
    assert (usage["model"], usage["answers"], usage["estimated"]) == ("small", ITEMS, 0)
    assert 0.2 * before["cost"] < usage["cost"] < before["cost"]
    assert said(capsys, config, "plan", "labeler")["answered"] == ITEMS
    lineage = said(capsys, config, "report")["lineage"]
    assert any("answers of small" in json.dumps(row) for row in lineage)
    state = load(open_app(config).workspace)
    assert set(state.current_proposals["labeler"]) == {"model:small"}
    assert state.current_proposals["confidence"].between(0.5, 1).all()


def test_the_bound_holds(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the estimate is beyond max_cost nothing is asked, and the command says so."""
    config = project(tmp_path, url, more="max_cost = 0.001")
    assert run(config, "autolabel") == 2
    assert "chat.max_cost is 0.0010" in capsys.readouterr().err
    assert counts(url)["asked"] == {}


def test_a_guess_forbids_nothing(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty answers replace the guess, where they may be paid; then all are bought, or none."""
    config = project(tmp_path, url)
    guess, text = said(capsys, config, "plan", "labeler")["cost"], config.read_text("utf-8")
    for share, code, answers in ((0.2, 2, 0), (0.25, 2, 20), (0.8, 0, ITEMS)):
        more = f"max_cost = {share * guess:.6f}\n[rule.money]"
        config.write_text(text.replace("[rule.money]", more), encoding="utf-8")
        assert run(config, "autolabel") == code
        assert len(counts(url)["answered"]) == answers
        (usage,) = said(capsys, config, "status")["usage"] or [{"answers": 0, "cost": 0.0}]
        assert usage["answers"] == answers and usage["cost"] <= share * guess


def test_the_proposer_audits_nothing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All the way to a release that rules had a part in, every audit vote is a person's."""
    # So few items have too few second votes for rules to be heard otherwise.
    monkeypatch.setattr("labelops.consolidate.opinions.heard_yet", lambda items: True)
    monkeypatch.setenv("LABELOPS_ACCEPT_RULE", "never")
    config = project(tmp_path, url, route="overlap_share = 1.0")
    schema, names = Schema("mails", CLASSES), ("ann", "ben", "cy", "di")
    people = [skilled(f"human:{name}", schema, 1.0) for name in names]
    answers = {i: canonical_json(name) for i, name in truth().items()}
    for _ in range(8):
        assert run(config, "run", "send") == 0
        work(LocalQueue(tmp_path / "workspace" / "queue"), people, answers)
        assert run(config, "run", "receive") == 0
    votes = open_app(config).workspace.tables.read("votes")
    machine = votes["annotator"].str.startswith(("rule:", "model:"))
    assert set(votes.loc[machine, "annotator"]) == {"rule:money"}
    assert set(votes.loc[machine, "purpose"]) == {"label"}
    state = load(open_app(config).workspace)
    assert state.audit is not None and state.audit.certificate.n > 0
    assert state.audit_votes["annotator"].str.startswith("human:").all()
    assert len(state.heard) and set(state.current_proposals["labeler"]) == {"model:small"}

    assert run(config, "release") == 0
    assert run(config, "verify") == 0
    released = open_app(config).read()
    right = released.labels["value"].map(json.loads) == released.labels["item_id"].map(truth())
    assert right.mean() > 0.9
    evidence = {v for text in released.labels["evidence"] for v in json.loads(text)["votes"]}
    rules = [v for v in evidence if v.startswith("rule:money/")]
    assert rules and run(config, "explain", rules[0].split("/")[2]) == 0


def test_who_waits_for_a_model_is_told_and_the_rest_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whom it asks, that nobody is there, and for how long it tries; people are asked meanwhile."""
    away = f"http://127.0.0.1:{free_port()}/v1"
    config = project(tmp_path, away, more="attempts = 2")
    text = config.read_text("utf-8")
    config.write_text(text.replace("[chat]", "patience = 3.0\n[chat]"), encoding="utf-8")
    capsys.readouterr()
    assert main(["--config", str(config), "run", "send"]) == 3
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if "127.0.0.1" in line]
    assert lines[0].startswith("asking chat model at 127.0.0.1:")
    assert "no server is there" in lines[1]
    assert lines[1].endswith(" s more (labeler.patience is 3)")
    assert lines[2].startswith("labelops: error: chat model at 127.0.0.1:")
    assert "Not done: chat model" in out and "Round 2 asks for" in out
