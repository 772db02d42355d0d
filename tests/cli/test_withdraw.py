"""`labelops withdraw`: an item is out, whatever is ingested, until it is taken back."""

from __future__ import annotations

import getpass
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import labelops
from labelops.adapters.local_queue import LocalQueue
from labelops.app import open_app

from .world import ITEMS, label, mails, run, shown, shown_as_json

pytestmark = pytest.mark.slow  # journeys up to a release

WHY = ("--because", "the writer asked for it", "--by", "ann")


def _released_again(config: Path) -> None:
    """Go on until there is another release."""
    for _ in range(12):
        label(config)
        assert run(config, "run", "receive") == 0
        if run(config, "release") == 0:
            return
        assert run(config, "run", "send") == 0
    raise AssertionError("the gate did not pass in 12 rounds")


def test_a_release_keeps_what_the_next_one_does_not_have(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The release that holds it is named; the next one is made without it, and says so."""
    said = shown(capsys, released, "withdraw", "mail-003", "mail-119", *WHY)
    assert said.startswith("2 items are out of the label set now.\n")
    assert "  mails@1.0.0  2 items\n" in said
    assert "`labelops deprecate REF" in said
    assert f"{ITEMS - 2}" in shown(capsys, released, "status").splitlines()[2]
    assert "2 withdrawn" in shown(capsys, released, "status")
    assert "RELEASED" not in shown(capsys, released, "status")
    assert run(released, "release") == 1
    _released_again(released)
    frame = labelops.load("mails@latest", config=released)
    assert frame.attrs["release"] == "mails@1.1.0"
    assert len(frame) == ITEMS - 2
    assert not {"mail-003", "mail-119"} & set(frame["item_id"])
    diff = shown_as_json(capsys, released, "diff", "mails@1.0.0", "mails@1.1.0")
    assert diff["counts"]["removed"] == 2
    assert len(labelops.load("mails@1.0.0", config=released)) == ITEMS
    assert shown_as_json(capsys, released, "verify", "mails@1.0.0")["ok"]
    assert run(released, "deprecate", "mails@1.0.0", "--because", "holds withdrawn items") == 0
    found = shown_as_json(capsys, released, "withdraw", "mail-003", *WHY)
    assert (found["changed"], found["releases"]) == ([], {"mails@1.0.0": 1})
    assert found["deprecated"] == ["mails@1.0.0"]


def test_it_stays_out_when_it_is_ingested_again(
    sent: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it was, revised, or once its row is gone: none of that makes it an item again."""
    shown(capsys, sent, "withdraw", "mail-002", *WHY)
    file = sent.parent / "mails.csv"
    rows = file.read_text(encoding="utf-8")
    assert shown_as_json(capsys, sent, "ingest")["mails"]["unchanged"] == ITEMS
    file.write_text(rows.replace("mail-002,", "mail-002,now "), encoding="utf-8")
    assert shown_as_json(capsys, sent, "ingest", "--revise")["mails"]["revised"] == 1
    assert shown_as_json(capsys, sent, "status")["items"] == ITEMS - 1
    kept = [line for line in rows.splitlines(keepends=True) if not line.startswith("mail-002,")]
    file.write_text("".join(kept), encoding="utf-8")
    assert shown_as_json(capsys, sent, "ingest")["mails"]["gone"] == 0
    file.write_text(rows, encoding="utf-8")
    assert shown_as_json(capsys, sent, "ingest", "--revise")["mails"]["added"] == 0
    found = shown_as_json(capsys, sent, "status")
    assert (found["items"], found["withdrawn"]) == (ITEMS - 1, 1)
    shown(capsys, sent, "withdraw", "mail-002", "--undo", *WHY)
    assert shown_as_json(capsys, sent, "status")["items"] == ITEMS


def test_what_is_on_offer_is_taken_away(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the next send; taken back, it is offered again, and answered."""
    queue = LocalQueue(sent.parent / "workspace" / "queue")
    offered = {offer.item_id for offer in queue.offers("human:ann")}
    item = sorted(offered)[0]
    shown(capsys, sent, "withdraw", item, *WHY)
    for _ in range(2):
        assert run(sent, "send") == 0
        assert {o.item_id for o in queue.offers("human:ann")} == offered - {item}
    label(sent)
    assert run(sent, "run", "receive") == 0
    assert not (open_app(sent).workspace.tables.read("votes")["item_id"] == item).any()
    shown(capsys, sent, "withdraw", item, "--undo", *WHY)
    assert run(sent, "send") == 0
    assert item in {o.item_id for o in queue.offers("human:ann")}
    label(sent)
    assert run(sent, "run", "receive") == 0
    assert (open_app(sent).workspace.tables.read("votes")["item_id"] == item).any()


def test_explain_says_who_withdrew_it_and_why(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what its label was; taken back, it is explained as before."""
    before = shown(capsys, released, "explain", "mail-003")
    shown(capsys, released, "withdraw", "mail-003", "--because", "a\x1b[31m person", "--by", "ann")
    said = shown(capsys, released, "explain", "mail-003")
    assert "by ann: a\ufffd[31m person.\nBefore: label: " in said
    assert shown_as_json(capsys, released, "explain", "mail-003")["withdrawn"]["by"] == "ann"
    shown(capsys, released, "withdraw", "mail-003", "--undo", *WHY)
    assert shown(capsys, released, "explain", "mail-003") == before


def test_copies_are_named(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Other items of the very same content are not withdrawn by that, and are said to be there."""
    file = sent.parent / "mails.csv"
    rows = file.read_text(encoding="utf-8")
    text = next(r for r in rows.splitlines() if r.startswith("mail-005,")).partition(",")[2]
    file.write_text(f"{rows}copy-1,{text}\ncopy-2,{text}\n", encoding="utf-8")
    assert run(sent, "ingest") == 0
    found = shown_as_json(capsys, sent, "withdraw", "mail-005", "copy-2", *WHY)
    assert found["copies"] == ["copy-1"]
    assert "still there as copy-1" in shown(capsys, sent, "withdraw", "mail-005", *WHY)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mail-001", "nobody", *WHY], "no item 'nobody' among the items, so nothing was changed"),
        (["mail-001"], "--because"),
        ([*WHY], "ITEM"),
        (["mail-001", "--because", " "], "say why"),
    ],
)
def test_withdraw_refuses(
    words: list[str], said: str, sent: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An item that is none, or no reason: exit 2, and nothing is withdrawn."""
    assert run(sent, "withdraw", *words) == 2
    assert said in capsys.readouterr().err
    assert shown_as_json(capsys, sent, "status")["withdrawn"] == 0


def test_who_says_so_is_known(
    sent: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By default the user of the computer; where it has none, a name has to be given."""
    monkeypatch.setattr(getpass, "getuser", lambda: "berta")
    assert run(sent, "withdraw", "mail-001", "--because", "w") == 0
    events = open_app(sent).workspace.tables.read("events")
    (body,) = events.loc[events["kind"] == "withdrawn", "body"]
    assert json.loads(body)["by"] == "berta"

    def nobody() -> str:
        raise KeyError("uid")

    monkeypatch.setattr(getpass, "getuser", nobody)
    capsys.readouterr()
    assert run(sent, "withdraw", "mail-002", "--because", "w") == 2
    assert "give --by NAME" in capsys.readouterr().err


GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "withdraw.md"


def test_the_guide_erases_content_and_the_label_set_goes_on(
    sent: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its script leaves none of it in tables, log or queue; the items stay known and withdrawn."""
    queue = LocalQueue(sent.parent / "workspace" / "queue")
    gone = sorted(offer.item_id for offer in queue.offers("human:ann"))[:2]
    rows = {i: text for i, text, _ in mails(ITEMS)}
    (script,) = re.findall(
        r"^```python\n(# erase\.py.*?)^```$", GUIDE.read_text(), re.DOTALL | re.M
    )
    script = re.sub(r"^ITEMS = .*$", f"ITEMS = {gone!r}", script, flags=re.MULTILINE)
    shown(capsys, sent, "withdraw", *gone, *WHY)
    assert run(sent, "send") == 0
    file = sent.parent / "mails.csv"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(r for r in lines if r.partition(",")[0] not in gone), encoding="utf-8")
    assert _holding(sent, rows[gone[0]])
    monkeypatch.chdir(sent.parent)
    exec(compile(script, "erase.py", "exec"), {"__name__": "__main__"})
    for item in gone:
        assert _holding(sent, rows[item]) == []
    assert _holding(sent, rows["mail-050"])
    assert shown_as_json(capsys, sent, "ingest")["mails"]["gone"] == 0
    for _ in range(20):
        label(sent)
        assert run(sent, "run", "receive") == 0
        if run(sent, "gate") == 0:
            break
        assert run(sent, "run", "send") == 0
    assert run(sent, "release") == 0
    frame = labelops.load("mails@latest", config=sent)
    assert set(frame["item_id"]) == set(rows) - set(gone)
    assert run(sent, "explain", gone[0]) == 0


def _holding(config: Path, text: str) -> list[Path]:
    """Return the files of a workspace that hold the beginning of a text."""
    found, words = [], text[:30].encode()
    for path in (config.parent / "workspace").rglob("*"):
        if path.suffix == ".parquet":
            frame = pq.read_table(path)
            content = "\n".join(
                str(frame[name].to_pylist()) for name in frame.column_names
            ).encode()
        elif path.is_file():
            content = path.read_bytes()
        else:
            continue
        if words in content:
            found.append(path)
    return found
