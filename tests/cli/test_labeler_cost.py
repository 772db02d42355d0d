"""`labelops plan labeler` prices what was taken in, and says so where nothing was."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from labelops.cli import main

from .world import SETTINGS, mails, run

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "own-labeler.md"
CHAT = """
[labeler]
type = "chat"
url = "http://127.0.0.1:9/v1"
[chat]
model = "small"
input_price = 0.5
output_price = 2.0
"""


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """Return a label set with a chat labeler that nobody can reach, before its first run."""
    write_mails(tmp_path, 20)
    config = tmp_path / "labelops.toml"
    config.write_text(SETTINGS + CHAT, encoding="utf-8")
    return config


def write_mails(folder: Path, number: int) -> None:
    rows = "".join(f"{i},{text}\n" for i, text, _ in mails(40)[:number])
    (folder / "mails.csv").write_text("id,text\n" + rows, encoding="utf-8")


def planned(
    capsys: pytest.CaptureFixture[str], config: Path, *options: str
) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["--config", str(config), "plan", "labeler", *options])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_before_the_first_run_nothing_is_priced(
    fresh: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """It names the command that takes items in, exits with 2, and begins no workspace."""
    code, out, err = planned(capsys, fresh, *options)
    assert (code, out) == (2, "")
    assert "no item was taken in yet" in err and "`labelops ingest`" in err
    assert err.count("\n") == 1
    assert not (fresh.parent / "workspace").exists()


@pytest.mark.slow
def test_nothing_is_priced_in_a_workspace_without_items(
    fresh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A workspace that was begun, by a look for answers, holds no items either."""
    assert run(fresh, "collect") == 0
    assert (fresh.parent / "workspace").exists()
    assert planned(capsys, fresh)[0] == 2


@pytest.mark.slow
def test_the_order_of_the_guide_prices_all_items(
    fresh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the guide has one run before the plan takes the items in; nobody is asked."""
    block = next(
        b
        for b in re.findall(r"^```sh\n(.*?)^```$", GUIDE.read_text("utf-8"), re.DOTALL | re.M)
        if "labelops plan labeler" in b
    )
    commands = re.findall(r"^labelops ([a-z ]+?) *(?:#.*)?$", block, re.M)
    before = commands[: commands.index("plan labeler")]
    for command in before:
        assert run(fresh, *command.split()) == 0
    found = json.loads(planned(capsys, fresh, "--json")[1])
    assert (found["items"], found["answered"], found["spent"]) == (20, 0, 0.0)
    assert found["cost"] > 0


@pytest.mark.slow
def test_rows_that_were_not_taken_in_are_said_to_be_left_out(
    fresh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A source that has grown since is priced after the next ingest, and the plan says how."""
    assert run(fresh, "ingest") == 0
    write_mails(fresh.parent, 30)
    _, out, _ = planned(capsys, fresh)
    assert out.startswith("20 items are to be asked about")
    assert "Only items taken in are counted: `labelops ingest` takes in what is new.\n" in out
    assert run(fresh, "ingest") == 0
    assert planned(capsys, fresh)[1].startswith("30 items are to be asked about")


def test_a_labeler_that_costs_nothing_says_so_before_any_item(
    fresh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where answers cost nothing it does not matter how many there are."""
    fresh.write_text(SETTINGS, encoding="utf-8")
    assert planned(capsys, fresh)[:2] == (0, "The labeler's answers cost nothing.\n")
