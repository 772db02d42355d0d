"""The command line: every command on a small real label set, exit codes, errors of one line."""

from __future__ import annotations

import importlib.metadata
import json
import os
import random
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import labelops.app
from labelops.adapters.local_queue import LocalQueue
from labelops.cli import labelops as root
from labelops.cli import main
from labelops.cli.releases import FORMATS, WEIGHTS
from labelops.cli.words import columns, safe
from labelops.digest import canonical_json
from labelops.errors import EndUnavailable
from labelops.reuse import FORMATS as KNOWN_FORMATS
from labelops.reuse import WEIGHTS as KNOWN_WEIGHTS
from labelops.schema import Schema
from labelops.settings import read_settings
from labelops.testing.annotators import skilled, work

PROJECT = Path(__file__).resolve().parent.parent
COMMANDS = sorted(root.commands)
WORDS = {
    "billing": ["invoice", "refund", "charge", "price", "card", "payment", "account", "receipt"],
    "delivery": ["parcel", "courier", "late", "address", "tracking", "shipped", "box", "arrived"],
    "recipe": ["oven", "butter", "sauce", "boil", "garlic", "flour", "spoon", "onion"],
}
PLAIN = ["please", "the", "my", "about", "today", "when", "why", "thanks", "again", "hello"]
ITEMS = 120
EVIL = "\x1b]0;owned\x07 \x1b[31mred\u202e"
SETTINGS = """
workspace = "workspace"
[schema]
name = "mails"
classes = ["billing", "delivery", "recipe"]
[source.mails]
path = "mails.csv"
key = "id"
text = "text"
licence = "CC0-1.0"
purposes = ["training"]
[route]
seed = 30
training = 30
calibration = 24
[audit]
repeats = 1
[accept]
error = 0.2
[gate]
error = 0.2
agreement = -1.0
open_findings = 0.1
"""


def _mails(number: int) -> list[tuple[str, str, str]]:
    """Return (id, text, class) of made-up messages; the last one tries to command terminals."""
    rng = random.Random(7)
    rows = []
    for place in range(number):
        name = rng.choice(list(WORDS))
        text = " ".join(rng.sample(WORDS[name], 5) + rng.sample(PLAIN, 4))
        rows.append((f"mail-{place:03}", text, name))
    last, text, name = rows[-1]
    return [*rows[:-1], (last, f"{text} {EVIL}", name)]


def _label(config: Path) -> int:
    schema = Schema("mails", tuple(WORDS))
    people = [skilled(f"human:{n}", schema, 0.999) for n in ("ann", "ben", "cat", "dan", "eve")]
    truth = {i: canonical_json(name) for i, _, name in _mails(ITEMS)}
    return work(LocalQueue(config.parent / "workspace" / "queue"), people, truth)


def _run(config: Path, *arguments: str) -> int:
    return main(["-q", "--config", str(config), *arguments])


@pytest.fixture(scope="module", autouse=True)
def _same_draws() -> Iterator[None]:
    """Key the random draws, so that every run of the suite sees the same label set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABELOPS_KEY", "the key of this suite")
        yield


@pytest.fixture(scope="module")
def sent_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a label set whose first items are offered to people."""
    folder = tmp_path_factory.mktemp("sent")
    rows = "".join(f"{i},{text}\n" for i, text, _ in _mails(ITEMS))
    (folder / "mails.csv").write_text("id,text\n" + rows, encoding="utf-8")
    config = folder / "labelops.toml"
    config.write_text(SETTINGS, encoding="utf-8")
    assert _run(config, "run", "send") == 0
    return config


@pytest.fixture(scope="module")
def passed_once(sent_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Let people label it until there is a candidate that passes the gate."""
    config = _copied(sent_once, tmp_path_factory.mktemp("passed"))
    for _ in range(12):
        _label(config)
        assert _run(config, "run", "receive") == 0
        if _run(config, "gate") == 0:
            return config
        assert _run(config, "run", "send") == 0
    assert _run(config, "status") == 0
    raise AssertionError("the gate did not pass in 12 rounds")


@pytest.fixture(scope="module")
def released_once(passed_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make its first release."""
    config = _copied(passed_once, tmp_path_factory.mktemp("released"))
    assert _run(config, "release") == 0
    return config


def _copied(config: Path, folder: Path) -> Path:
    name = config.parent.parent.name
    return shutil.copytree(config.parent, folder / f"after-{name}") / config.name


@pytest.fixture
def sent(sent_once: Path, tmp_path: Path) -> Path:
    return _copied(sent_once, tmp_path)


@pytest.fixture
def passed(passed_once: Path, tmp_path: Path) -> Path:
    return _copied(passed_once, tmp_path)


@pytest.fixture
def released(released_once: Path, tmp_path: Path) -> Path:
    return _copied(released_once, tmp_path)


def _said(capsys: pytest.CaptureFixture[str], config: Path, *arguments: str) -> str:
    """Run a command that succeeds and return its standard output."""
    capsys.readouterr()
    code = _run(config, *arguments)
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out


def _json(capsys: pytest.CaptureFixture[str], config: Path, *arguments: str) -> Any:
    return json.loads(_said(capsys, config, *arguments, "--json"))


# --- every command -----------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Help says what the command does, shows an example of it, and offers JSON."""
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    command = root.commands[name]
    assert (command.help or "").rstrip().endswith(".")
    assert f"\n    labelops {name}" in out
    assert "--json" in out
    assert len(command.get_short_help_str(200)) <= 62


def test_nothing_said_is_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the help comes, with commands of other packages and the exit codes."""
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in (*COMMANDS, "demo", "serve"))
    assert "Exit codes" in out


def test_the_reference_is_up_to_date() -> None:
    """docs/reference/cli.md is what the help says now."""
    script = runpy.run_path(str(PROJECT / "docs" / "build_reference.py"))
    assert script["main"](["--check"]) == 0, "run `python docs/build_reference.py`"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["status", "--help"], ["nope"]])
def test_help_is_cheap(arguments: list[str]) -> None:
    """Help, version and misspelt commands import neither pandas nor any vendor."""
    code = (
        f"import sys\nfrom labelops.cli import main\nmain({arguments!r})\n"
        "heavy = {'pandas', 'numpy', 'sklearn', 'prefect', 'label_studio_sdk', 'deltalake'}\n"
        "sys.exit(str(sorted(heavy & set(sys.modules))) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, "[" in done.stderr) == (0, False), done.stderr


# --- the journey -------------------------------------------------------------------------


def test_each_stage_has_its_command(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stage by stage: each says what it did in words and in JSON; doing it again adds nothing."""
    assert _json(capsys, sent, "ingest")["mails"]["unchanged"] == ITEMS
    assert "too few votes" in _said(capsys, sent, "autolabel")
    assert _json(capsys, sent, "route")["votes"] == 0
    assert _json(capsys, sent, "send")["offered"] == 0
    given = _label(sent)
    assert _json(capsys, sent, "collect") == {
        "received": given,
        "new": given,
        "rejected": 0,
        "reasons": [],
    }
    assert "0 new votes of 0 answers received" in _said(capsys, sent, "collect")
    assert _json(capsys, sent, "consolidate")["decided"] > 0
    assert "No audit is due" in _said(capsys, sent, "audit")


def test_progress_goes_to_stderr(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without -q progress is on stderr; results stay alone on stdout."""
    assert main(["run", "receive", "--config", str(sent), "--json"]) == 0
    out, err = capsys.readouterr()
    assert set(json.loads(out)) == {"collect", "consolidate", "audit", "gate"}
    assert err.splitlines()[0] == "receive: collect …"


def test_gate_and_release_exit_1_before_they_pass(
    sent: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gate that does not pass is exit 1 with every check said; no release then, in one line."""
    capsys.readouterr()
    assert _run(sent, "gate") == 1
    assert capsys.readouterr().out.startswith("INCONCLUSIVE  no labels are frozen")
    assert _run(sent, "gate", "--json") == 1
    assert json.loads(capsys.readouterr().out)["verdict"]["status"] == "inconclusive"
    for command in (["release"], ["run", "publish"]):
        assert _run(sent, *command) == 1
        err = capsys.readouterr().err
        assert err.startswith("labelops: error: the gate did not pass: INCONCLUSIVE")
        assert err.count("\n") == 1


@pytest.mark.slow
def test_publish(passed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pass that publishes releases and exports; the second changes nothing and succeeds."""
    first = _json(capsys, passed, "run", "publish")
    assert (first["release"]["reference"], first["release"]["new"]) == ("mails@1.0.0", True)
    assert (Path(first["export"]["folder"]) / "data.parquet").is_file()
    assert "Nothing has changed since mails@1.0.0" in _said(capsys, passed, "run", "publish")


# --- reading -----------------------------------------------------------------------------


@pytest.mark.slow
def test_status_says_what_is_next(
    sent: Path, passed: Path, released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status counts what is there and names the next command; it changes nothing."""
    before = sorted(p for p in sent.parent.rglob("*") if p.is_file())
    said = _said(capsys, sent, "status")
    assert sorted(p for p in sent.parent.rglob("*") if p.is_file()) == before
    assert f"{ITEMS}  in" in said
    assert "`labelops run receive`" in said.splitlines()[-1]
    found = _json(capsys, sent, "status")
    assert (found["items"], found["undecided"], found["releases"]) == (ITEMS, ITEMS, [])
    assert sum(found["waiting"].values()) > 20
    assert "`labelops release`" in _said(capsys, passed, "status").splitlines()[-1]
    assert "RELEASED" in _said(capsys, released, "status")


@pytest.mark.slow
def test_log_show_verify(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A release is listed, shown and found untouched, in words and in JSON."""
    (entry,) = _json(capsys, released, "log")
    assert (entry["version"], entry["names"]) == ("1.0.0", ["latest"])
    assert "mails@1.0.0" in _said(capsys, released, "log")
    assert _json(capsys, released, "show")["digest"] == entry["digest"]
    assert "PASS  when it was released" in _said(capsys, released, "show", "mails@1.0.0")
    assert _json(capsys, released, "verify") == {
        "release": "mails@latest",
        "ok": True,
        "problems": [],
    }


@pytest.mark.slow
def test_verify_finds_a_changed_byte(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One changed byte in a part is exit 1, with the file and what to do."""
    (labels,) = (released.parent / "workspace").glob("releases/mails/1.0.0/labels-*.parquet")
    content = bytearray(labels.read_bytes())
    content[100] ^= 1
    labels.chmod(0o644)
    labels.write_bytes(content)
    capsys.readouterr()
    assert _run(released, "verify") == 1
    out = capsys.readouterr().out
    assert out.startswith("DAMAGED  mails@latest: 1 problem found")
    assert labels.name in out


@pytest.mark.slow
def test_name_and_diff(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name means a release from then on, and can be compared with it."""
    assert _said(capsys, released, "name", "prod", "mails@1.0.0") == (
        "prod now means mails@1.0.0.\n"
    )
    assert _json(capsys, released, "log")[0]["names"] == ["latest", "prod"]
    assert "have the same labels" in _said(capsys, released, "diff", "mails@prod", "mails@1.0.0")
    found = _json(capsys, released, "diff", "mails@prod", "mails@1.0.0")
    assert found["counts"] == {"added": 0, "changed": 0, "removed": 0, "unchanged": ITEMS}


@pytest.mark.slow
def test_explain_cannot_command_the_terminal(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An item's escapes and direction marks are gone from the screen and quoted in JSON."""
    said = _said(capsys, released, "explain", "mail-119")
    assert "owned" in said
    assert not set("\x1b\x07\u202e") & set(said)
    raw = _said(capsys, released, "explain", "mail-119", "--json")
    assert raw.isascii()
    assert "\x1b" not in raw
    assert EVIL.rstrip() in json.loads(raw)["payload"]


@pytest.mark.slow
def test_annotators_certificates_schema(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """People with their accuracy, attempts with the risk spent, classes in order."""
    people = {row["annotator"]: row for row in _json(capsys, released, "annotators")}
    assert set(people) >= {"human:ann", "human:eve"}
    assert "human:ann" in _said(capsys, released, "annotators")
    found = _json(capsys, released, "certificates")
    assert found["acceptance"]["spent"] <= found["acceptance"]["risk"] == 0.05
    assert found["candidates"][-1]["closed"] == "released mails@1.0.0"
    assert found["acceptance"]["left"] == 0.05 - found["acceptance"]["spent"]
    assert "released mails@1.0.0" in _said(capsys, released, "certificates")
    assert _json(capsys, released, "schema")["classes"] == list(WORDS)
    assert "Which class fits best?" in _said(capsys, released, "schema")


@pytest.mark.slow
def test_rules(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rules of labelops.toml vote, once, and their table says what they are worth."""
    assert "No rule has voted" in _said(capsys, sent, "rules")
    rule = '[rule.money]\nlabel = "billing"\nwords = ["invoice", "refund"]\n'
    sent.write_text(sent.read_text(encoding="utf-8") + rule, encoding="utf-8")
    assert "Rules gave" in _said(capsys, sent, "autolabel")
    assert "Rules gave" not in _said(capsys, sent, "autolabel")
    (row,) = _json(capsys, sent, "rules")["rules"]
    money = [t for _, t, n in _mails(ITEMS) if {"invoice", "refund"} & set(t.split())]
    assert (row["rule"], row["votes"], row["judged"]) == ("rule:money", len(money), 0)
    assert "rule:money" in _said(capsys, sent, "rules")


@pytest.mark.slow
def test_export(released: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A release is exported once; again only with --overwrite."""
    target = str(tmp_path / "train")
    found = _json(capsys, released, "export", target, "--format", "csv", "--weights", "soft")
    assert (Path(found["folder"]) / found["files"][0]).is_file()
    assert _run(released, "export", target) == 2
    err = capsys.readouterr().err
    assert err.startswith("labelops: error: ")
    assert "Wrote" in _said(capsys, released, "export", target, "mails@latest", "--overwrite")


def test_choices_are_those_of_the_library() -> None:
    """The formats and weights offered, without importing it, are those that reuse has."""
    assert set(FORMATS) == set(KNOWN_FORMATS)
    assert WEIGHTS == KNOWN_WEIGHTS


@pytest.mark.slow
def test_report(passed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report goes to the file named, its facts as JSON to stdout; a bad place is one line."""
    page = tmp_path / "page.html"
    assert f"Wrote {page}" in _said(capsys, passed, "report", "--output", str(page))
    assert page.read_text(encoding="utf-8").lstrip().startswith("<!")
    assert _json(capsys, passed, "report")["title"] == "mails"
    assert _run(passed, "report", "--output", str(tmp_path / "none" / "page.html")) == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- init --------------------------------------------------------------------------------


def _init(folder: Path, *arguments: str) -> int:
    return _run(folder, "init", *arguments)


def test_init_then_ingest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a CSV alone: the file it writes can be used at once."""
    rows = "".join(f"{i},{text.split(chr(27))[0]},x\n" for i, text, _ in _mails(20))
    (tmp_path / "mails.csv").write_text("mail_id,message,channel\n" + rows, encoding="utf-8")
    assert _init(tmp_path, str(tmp_path / "mails.csv"), "--classes", "billing, delivery") == 0
    settings = read_settings(tmp_path / "labelops.toml", {})
    assert settings.schema.classes == ("billing", "delivery")
    (source,) = settings.sources
    assert (source.name, source.path, source.key, source.text) == (
        "mails",
        "mails.csv",
        "mail_id",
        "message",
    )
    assert _json(capsys, tmp_path, "ingest")["mails"]["added"] == 20


def test_init_shows_every_default(tmp_path: Path) -> None:
    """With all marks removed, the file holds every setting, and says what the defaults are."""
    (tmp_path / "a.csv").write_text("id,text\n1,hello\n", encoding="utf-8")
    assert _init(tmp_path, str(tmp_path / "a.csv"), "--classes", "a,b") == 0
    path = tmp_path / "labelops.toml"
    as_written = read_settings(path, {})
    lines = [
        line.removeprefix("# ") if line.startswith("# ") and " = " in line else line
        for line in path.read_text(encoding="utf-8").splitlines()
        if '"old name"' not in line
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    for section in ("gate", "accept", "route", "consolidate", "audit", "labeler", "chat", "queue"):
        assert getattr(read_settings(path, {}), section) == getattr(as_written, section)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", '{"n": 1, "body": "hello you", "label": "x"}\n{"body": "a", "label": "y"}\n',
         {"format": "jsonl", "text": "body", "known": "label", "classes": ["x", "y"]}),
        ("a.tsv", "file\tid\na.png\t1\nb.png\t2\n",
         {"format": "csv", "image": "file", "key": "id", "text": "", "media": "image"}),
    ],
)  # fmt: skip
def test_init_guesses(
    name: str,
    content: str,
    expected: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Format, media, columns and classes are read off the first rows."""
    (tmp_path / name).write_text(content, encoding="utf-8")
    guess = _json(capsys, tmp_path, "init", str(tmp_path / name))["guess"]
    assert {key: guess[key] for key in expected} == expected


def test_init_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of images is one; nothing in it needs to be opened."""
    (tmp_path / "My Photos!").mkdir()
    for place in range(3):
        (tmp_path / "My Photos!" / f"{place}.png").write_bytes(b"")
    found = _json(capsys, tmp_path, "init", str(tmp_path / "My Photos!"))
    assert (found["name"], found["guess"]["media"]) == ("my-photos", "image")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none.csv"], "no such file or folder"),
        (["a.xlsx"], "expected a folder, or a file ending in .csv"),
        (["a.csv", "--text", "body"], "there is no such column; there are 'id', 'text'"),
        (["a.csv", "--classes", "one"], "needs at least two classes"),
        (["a.csv", "--name", "a b"], "name 'a b'"),
        (["latin.csv"], "not UTF-8"),
    ],
)
def test_init_refuses(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot work is said in one line, and nothing is written."""
    (tmp_path / "a.csv").write_text("id,text\n1,hello\n", encoding="utf-8")
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    (tmp_path / "latin.csv").write_bytes("text\nGrüße\n".encode("latin-1"))
    assert _init(tmp_path, str(tmp_path / arguments[0]), *arguments[1:]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err
    assert not (tmp_path / "labelops.toml").exists()


def test_init_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A labelops.toml that is there stays as it is."""
    (tmp_path / "a.csv").write_text("id,text\n1,hello\n", encoding="utf-8")
    (tmp_path / "labelops.toml").write_text("# mine\n", encoding="utf-8")
    assert _init(tmp_path, str(tmp_path / "a.csv")) == 2
    assert "is there already and is never overwritten" in capsys.readouterr().err
    assert (tmp_path / "labelops.toml").read_text(encoding="utf-8") == "# mine\n"


# --- errors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["frobnicate"], "No such command 'frobnicate'."),
        (["status", "--jsn"], "See `labelops status --help`."),
        (["export"], "Missing argument 'TARGET'."),
        (["run", "sideways"], "'sideways' is not one of 'send', 'receive', 'publish'"),
        (["--config", "/nowhere", "status"], "`labelops init` writes one"),
        (["show", "\x1b[31mx", "--config", "/nowhere"], "/nowhere"),
    ],
)
def test_wrong_use(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong use is exit 2 and one line that says how to do better."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("labelops: error: ")
    assert says in err


@pytest.mark.slow
def test_unknown_things(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A release or item that is not there is exit 2; what was typed cannot command the screen."""
    for arguments in (["show", "mails@9.9.9"], ["explain", "\x1b[31m"], ["show", "\x1b@x"]):
        capsys.readouterr()
        assert _run(released, *arguments) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n"), "\x1b" in err) == ("", 1, False)


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [
        (EndUnavailable("the server\nis away \x1b[2J"), 3, "error: the server is away"),
        (KeyError("place"), 70, "defect: KeyError: 'place' — this is a defect of labelops"),
        (KeyboardInterrupt(), 130, "stopped; what was done is kept"),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_exit_codes(
    raised: BaseException,
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Ends, defects, Ctrl-C and a closed pipe have exit codes of their own and no traceback."""

    def fail(config: str | None) -> None:
        raise raised

    monkeypatch.delenv("LABELOPS_DEBUG", raising=False)
    monkeypatch.setattr(labelops.app, "open_app", fail)
    monkeypatch.setattr(os, "dup2", lambda *handles: None)
    assert main(["-q", "send"]) == code
    err = capfd.readouterr().err.strip()
    assert says in err
    assert not set("\x1b\n") & set(err)


def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """LABELOPS_DEBUG adds the traceback and keeps the exit code."""
    monkeypatch.setenv("LABELOPS_DEBUG", "1")
    assert main(["--config", "/nowhere", "status"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("labelops: error: ")


@pytest.mark.slow
def test_a_closed_pipe_is_quiet(released_once: Path) -> None:
    """`labelops log | true` prints nothing on stderr."""
    command = [sys.executable, "-m", "labelops", "--config", str(released_once), "show", "--json"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def _brought(argv: list[str]) -> int:
    click.echo(" ".join(argv))
    return 3


def test_commands_of_other_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They get their arguments and the settings' path, and return the exit code."""
    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", lambda point: _brought)
    assert main(["--config", "here", "demo", "tickets", "--help"]) == 3
    assert capsys.readouterr().out == "--config here tickets --help\n"


def test_a_command_that_cannot_be_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A package that is not there is one line, not a traceback."""

    def fail(point: importlib.metadata.EntryPoint) -> None:
        raise ModuleNotFoundError("No module named 'far'")

    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", fail)
    assert main(["demo"]) == 2
    assert "'demo' (labelops_flows.demo:main) cannot be loaded" in capsys.readouterr().err


# --- words -------------------------------------------------------------------------------


def test_colours_are_for_terminals_only(
    sent: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not a terminal gets no escapes; a terminal does, unless NO_COLOR says no."""
    assert "\x1b" not in _said(capsys, sent, "status")
    monkeypatch.setattr("click._compat.isatty", lambda stream: True)
    assert "\x1b[" in _said(capsys, sent, "status")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in _said(capsys, sent, "status")


def test_safe_removes_whatever_a_terminal_obeys() -> None:
    """No control (C0, C1, DEL), escape, direction mark or line break survives."""
    every = "".join(map(chr, [*range(32), *range(127, 160), 0x202E, 0x2066, 0x2028, 0x200B]))
    assert safe(every).isprintable()
    assert safe("naïve 日本 🙂") == "naïve 日本 🙂"


def test_columns_align_wide_characters() -> None:
    """Cells of wide characters take two places each."""
    assert columns([["日本", "1"], ["abcd", "2"]]) == "日本  1\nabcd  2"
