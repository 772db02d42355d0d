"""What is read from a label set that is far along, and released."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

import labelops
from labelops.adapters.delta import DeltaTables
from labelops.app import open_app
from labelops.cli.reading import _said_schema
from labelops.digest import canonical_json
from labelops.errors import DeprecatedRelease, StorageError
from labelops.release import Manifest
from labelops.release.version import Version
from labelops.released import name_release
from labelops.schema import Schema
from labelops.state import decide, load_events

from .world import (
    EVIL,
    ITEMS,
    WORDS,
    mails,
    run,
    shown,
    shown_as_json,
)

pytestmark = pytest.mark.slow  # journeys up to a release


def test_publish(passed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pass that publishes releases and exports; the second changes nothing and succeeds."""
    first = shown_as_json(capsys, passed, "run", "publish")
    assert (first["release"]["reference"], first["release"]["new"]) == ("mails@1.0.0", True)
    assert (Path(first["export"]["folder"]) / "data.parquet").is_file()
    assert "Nothing has changed since mails@1.0.0" in shown(capsys, passed, "run", "publish")


def test_status_says_what_is_next(
    sent: Path, passed: Path, released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status counts what is there and names the next command; it changes nothing."""
    before = sorted(p for p in sent.parent.rglob("*") if p.is_file())
    said = shown(capsys, sent, "status")
    assert sorted(p for p in sent.parent.rglob("*") if p.is_file()) == before
    assert f"Items     {ITEMS}" in said
    assert "`labelops run receive`" in said.splitlines()[-1]
    found = shown_as_json(capsys, sent, "status")
    assert (found["items"], found["undecided"], found["releases"]) == (ITEMS, ITEMS, [])
    assert sum(found["waiting"].values()) > 20
    assert "`labelops run publish`" in shown(capsys, passed, "status").splitlines()[-1]
    assert "RELEASED" in shown(capsys, released, "status")


def test_log_show_verify(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A release is listed, shown and found untouched, in words and in JSON."""
    (entry,) = shown_as_json(capsys, released, "log")
    assert (entry["version"], entry["names"]) == ("1.0.0", ["latest"])
    assert "mails@1.0.0" in shown(capsys, released, "log")
    assert shown_as_json(capsys, released, "show")["digest"] == entry["digest"]
    assert "PASS  when it was released" in shown(capsys, released, "show", "mails@1.0.0")
    assert shown_as_json(capsys, released, "verify") == {
        "release": "mails@latest",
        "ok": True,
        "problems": [],
        "deprecated": "",
        "newer": "",
    }


def test_verify_finds_a_changed_byte(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One changed byte in a part is exit 1, with the file and what to do."""
    (labels,) = (released.parent / "workspace").glob("releases/mails/1.0.0/labels-*.parquet")
    content = bytearray(labels.read_bytes())
    content[100] ^= 1
    labels.chmod(0o644)
    labels.write_bytes(content)
    capsys.readouterr()
    assert run(released, "verify") == 1
    out = capsys.readouterr().out
    assert out.startswith("DAMAGED  mails@latest: 1 problem found")
    assert labels.name in out


def _rewritten(config: Path, **counts: object) -> Manifest:
    """Change what the release says of itself, digest and all; return its manifest now."""
    (path,) = config.parent.glob("workspace/releases/mails/1.0.0/manifest.json")
    forged = Manifest.from_bytes(path.read_bytes())
    forged = dataclasses.replace(forged, counts={**forged.counts, **counts})
    path.chmod(0o644)
    path.write_bytes(forged.to_bytes())
    return forged


def test_show_names_classes_as_they_are_called(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An owner's class keeps its underscore; a method of ours is written as words."""
    facts = {"classes": {"two_words": 9}, "methods": {"votes_and_model": 9}}
    _rewritten(released, **facts)
    said = shown(capsys, released, "show")
    assert "two_words 9" in said
    assert "votes and model 9" in said


def test_verify_finds_a_rewritten_manifest(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when names have moved on since, or were given to what was rewritten."""
    app = open_app(released)
    later = dataclasses.replace(app.manifest("mails@1.0.0"), version=Version(1, 1, 0))
    forged = _rewritten(released, annotators=99)
    assert run(released, "verify", "mails@1.0.0") == 1
    name_release(app.workspace, "prod", "mails@1.0.0", now=datetime.now(UTC))
    assert run(released, "verify", "mails@1.0.0") == 1
    app.objects.put_new(later.object_name, later.to_bytes())
    name_release(app.workspace, "prod", "mails@1.1.0", now=datetime.now(UTC))
    body = canonical_json({"digest": later.digest, "release": later.reference})
    event = load_events(app.workspace).next_event("name", "latest", body)
    decide(app.workspace, lambda _: (None, [event]), datetime.now(UTC), read=load_events)
    assert app.names["latest"] == "mails@1.1.0"
    capsys.readouterr()
    assert run(released, "verify", "mails@1.0.0") == 1
    said = capsys.readouterr().out
    assert "it was rewritten" in said
    assert forged.digest in said


@pytest.mark.parametrize("name", ["pr od", "9.9.9", "", "latest"])
def test_a_name_that_cannot_be_read_is_not_given(
    released: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, and no release has it."""
    assert run(released, "name", name, "mails@1.0.0") == 2
    assert "labelops: error: the name" in capsys.readouterr().err
    assert shown_as_json(capsys, released, "log")[0]["names"] == ["latest"]


def test_a_damaged_release_is_named(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever loads it learns which object is damaged, and what looks at all of it."""
    (labels,) = released.parent.glob("workspace/releases/mails/1.0.0/labels-*.parquet")
    labels.chmod(0o644)
    labels.write_bytes(b"not Parquet")
    assert run(released, "export", str(released.parent / "out")) == 1
    said = capsys.readouterr().err
    assert f"releases/mails/1.0.0/{labels.name}: these bytes are not those released" in said
    assert "`labelops verify mails@1.0.0`" in said


def test_deprecate(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Reading warns, log and show say why, nothing of the release changes; it can be undone."""
    why = "ann misread the guideline\x1b[31m"
    assert "mails@1.0.0 is deprecated" in shown(
        capsys, released, "deprecate", "mails@latest", "--because", why
    )
    assert "deprecated: ann misread the guideline" in shown(capsys, released, "log")
    assert "\x1b[31m" not in shown(capsys, released, "show")
    assert shown_as_json(capsys, released, "show")["deprecated"] == why
    assert shown_as_json(capsys, released, "log")[0]["names"] == ["latest"]
    capsys.readouterr()
    assert run(released, "verify", "--json") == 4
    assert json.loads(capsys.readouterr().out)["ok"]
    with pytest.warns(DeprecatedRelease, match="ann misread"):
        frame = labelops.load("mails@latest", config=released)
    assert len(frame) == ITEMS
    assert frame.attrs["deprecated"] == why
    assert frame.attrs["certificate"].startswith("≤ ")
    assert run(released, "export", str(released.parent / "out")) == 0
    assert "labelops: warning: mails@1.0.0 should not be used" in capsys.readouterr().err
    sidecar = json.loads((released.parent / "out" / "_labelops.json").read_text("utf-8"))
    assert sidecar["deprecated"] == why
    undone = shown(capsys, released, "deprecate", "mails@1.0.0", "--undo")
    assert undone == "mails@1.0.0 is not deprecated any more.\n"
    assert "deprecated" not in shown(capsys, released, "show")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert labelops.load("mails@latest", config=released).attrs["deprecated"] == ""


def test_the_warning_points_to_the_line_that_reads(released: Path, tmp_path: Path) -> None:
    """Whichever way a deprecated release is read, Python shows the caller's line, not ours."""
    assert run(released, "deprecate", "mails@1.0.0", "--because", "ann misread it") == 0
    app = open_app(released)
    ways: list[Callable[[], object]] = [
        lambda: labelops.load("mails@1.0.0", config=released),
        lambda: app.load("mails@1.0.0"),
        lambda: app.export(tmp_path / "out", "mails@1.0.0"),
        lambda: app.export_newest(),
    ]
    for read in ways:
        with pytest.warns(DeprecatedRelease) as said:
            read()
        assert [(w.filename, w.lineno) for w in said] == [
            (__file__, read.__code__.co_firstlineno)
        ], read


def test_deprecate_says_what_holds(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was so already is said to be; the reason is the one that is kept, and shown whole."""
    undone = shown(capsys, released, "deprecate", "mails@1.0.0", "--undo")
    assert undone == "mails@1.0.0 was not deprecated.\n"
    kept = " ".join(["ann misread it"] * 33)
    words = ("deprecate", "mails@1.0.0", "--because", kept.replace(" ", " \n "))
    for new in (True, False):
        assert shown_as_json(capsys, released, *words) == {
            "release": "mails@1.0.0",
            "deprecated": kept,
            "new": new,
            "names": ["latest"],
        }
    assert f"deprecated: {kept}\n" in shown(capsys, released, "show")
    assert shown(capsys, released, "log").endswith(f"deprecated: {kept}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mails@1.0.0"], "say why with --because"),
        (["mails@1.0.0", "--because", "x", "--undo"], "one of the two"),
        (["mails@1.0.0", "--because", " "], "say why with --because"),
        (["mails@1.0.0", "--because", "x" * 501], "500 at most"),
        (["mails@3.0.0", "--because", "x"], "there is no release mails@3.0.0"),
    ],
)
def test_deprecate_refuses(
    words: list[str], said: str, released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a reason, or of a release that is none, nothing is said."""
    assert run(released, "deprecate", *words) == 2
    assert said in capsys.readouterr().err
    assert shown_as_json(capsys, released, "log")[0]["deprecated"] == ""


def test_name_and_diff(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name means a release from then on, and can be compared with it."""
    assert shown(capsys, released, "name", "prod", "mails@1.0.0") == (
        "mails@prod now means mails@1.0.0.\n"
    )
    assert run(released, "show", "prod") == 2
    assert capsys.readouterr().err.endswith("there is no release prod@latest; write mails@prod\n")
    assert shown_as_json(capsys, released, "log")[0]["names"] == ["latest", "prod"]
    assert "have the same labels" in shown(capsys, released, "diff", "mails@prod", "mails@1.0.0")
    found = shown_as_json(capsys, released, "diff", "mails@prod", "mails@1.0.0")
    assert found["counts"] == {"added": 0, "changed": 0, "removed": 0, "unchanged": ITEMS}


def test_explain_cannot_command_the_terminal(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An item's escapes and direction marks are gone from the screen and quoted in JSON."""
    said = shown(capsys, released, "explain", "mail-119")
    assert "owned" in said
    assert not set("\x1b\x07\u202e") & set(said)
    raw = shown(capsys, released, "explain", "mail-119", "--json")
    assert raw.isascii()
    assert "\x1b" not in raw
    assert EVIL.rstrip() in json.loads(raw)["payload"]


def test_annotators_certificates_schema(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """People with their accuracy, attempts with the risk spent, classes in order."""
    people = {row["annotator"]: row for row in shown_as_json(capsys, released, "annotators")}
    assert set(people) >= {"human:ann", "human:eve"}
    assert "human:ann" in shown(capsys, released, "annotators")
    found = shown_as_json(capsys, released, "certificates")
    assert found["acceptance"]["spent"] <= found["acceptance"]["risk"] == 0.05
    assert found["candidates"][-1]["closed"] == "released mails@1.0.0"
    assert found["acceptance"]["left"] == 0.05 - found["acceptance"]["spent"]
    assert "released mails@1.0.0" in shown(capsys, released, "certificates")
    assert shown_as_json(capsys, released, "schema")["classes"] == list(WORDS)
    assert "Which class fits best?" in shown(capsys, released, "schema")


def test_schema_says_what_a_class_was() -> None:
    """Its old name, and which class it was cut out of."""
    schema = Schema(
        "pets", ("cat", "hound", "pup"), renames={"dog": "hound"}, splits={"hound": ("pup",)}
    )
    lines = click.unstyle(_said_schema(schema)).splitlines()[-3:]
    assert [line.split(None, 2)[1:] for line in lines] == [
        ["cat"], ["hound", "was dog"], ["pup", "cut out of hound"]
    ]  # fmt: skip


def test_export(released: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A release is exported once; again only with --overwrite."""
    target = str(tmp_path / "train")
    found = shown_as_json(
        capsys, released, "export", target, "--format", "csv", "--weights", "soft"
    )
    assert (Path(found["folder"]) / found["files"][0]).is_file()
    assert run(released, "export", target) == 2
    err = capsys.readouterr().err
    assert err.startswith("labelops: error: ")
    assert "Wrote" in shown(capsys, released, "export", target, "mails@latest", "--overwrite")


def test_report(passed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report goes to the file named, its facts as JSON to stdout; a bad place is one line."""
    page = tmp_path / "page.html"
    assert f"Wrote {page}" in shown(capsys, passed, "report", "--output", str(page))
    assert page.read_text(encoding="utf-8").lstrip().startswith("<!")
    assert shown_as_json(capsys, passed, "report")["title"] == "mails"
    assert run(passed, "report", "--output", str(tmp_path / "none" / "page.html")) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_rules(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rules of labelops.toml vote, once, and their table says what they are worth."""
    assert "No rule has voted" in shown(capsys, sent, "rules")
    rule = '[rule.money]\nlabel = "billing"\nwords = ["invoice", "refund"]\n'
    sent.write_text(sent.read_text(encoding="utf-8") + rule, encoding="utf-8")
    assert "Rules gave" in shown(capsys, sent, "autolabel")
    assert "Rules gave" not in shown(capsys, sent, "autolabel")
    (row,) = shown_as_json(capsys, sent, "rules")["rules"]
    money = [t for _, t, n in mails(ITEMS) if {"invoice", "refund"} & set(t.split())]
    assert (row["rule"], row["votes"], row["judged"]) == ("rule:money", len(money), 0)
    assert "rule:money" in shown(capsys, sent, "rules")


def test_unknown_things(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A release or item that is not there is exit 2; what was typed cannot command the screen."""
    for arguments in (["show", "mails@9.9.9"], ["explain", "\x1b[31m"], ["show", "\x1b@x"]):
        capsys.readouterr()
        assert run(released, *arguments) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n"), "\x1b" in err) == ("", 1, False)


def test_a_closed_pipe_is_quiet(released_once: Path) -> None:
    """`labelops log | true` prints nothing on stderr."""
    command = [sys.executable, "-m", "labelops", "--config", str(released_once), "show", "--json"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_release_is_made_although_tables_cannot_be_merged(
    passed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is done after a release, on a disk that is full by then, does not say that it failed."""

    def full(self: DeltaTables, table: str) -> int:
        raise StorageError("the disk is full")

    monkeypatch.setattr(DeltaTables, "compact", full)
    assert run(passed, "release") == 0
    assert run(passed, "verify", "mails@1.0.0") == 0
    assert "the disk is full" not in capsys.readouterr().err
