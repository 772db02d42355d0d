"""A label set's key: the owner's, or one of its own that it keeps."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from labelops.app.ends import Ends
from labelops.cli import main
from labelops.errors import SettingsError, StorageError, UsageError
from labelops.settings import read_settings
from labelops.state import load


def _opened(folder: Path, more: str = "") -> Ends:
    folder.mkdir(exist_ok=True)
    schema = '[schema]\nname = "a"\nclasses = ["x", "y"]\n'
    (folder / "labelops.toml").write_text(schema + more)
    return Ends(read_settings(folder / "labelops.toml"))


def test_a_workspace_draws_a_key_once_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `LABELOPS_KEY` every workspace has its own; with it, all have that one."""
    monkeypatch.delenv("LABELOPS_KEY")
    first, other = _opened(tmp_path / "a"), _opened(tmp_path / "b")
    assert len(first.workspace.key) == 32
    assert first.workspace.key != other.workspace.key
    again = _opened(tmp_path / "a")
    assert again.workspace.key == first.workspace.key
    assert again.namespace == first.namespace != other.namespace
    monkeypatch.setenv("LABELOPS_KEY", "ours")
    assert _opened(tmp_path / "c").workspace.key == _opened(tmp_path / "d").workspace.key == b"ours"
    assert _opened(tmp_path / "a").namespace == first.namespace


@pytest.mark.parametrize(
    ("begun", "now", "says"),
    [
        ("ours", None, "LABELOPS_KEY is not set, and this workspace was begun with it; set it"),
        ("ours", "theirs", "LABELOPS_KEY is another one than this workspace was begun with"),
        (None, "ours", "LABELOPS_KEY is set, and this workspace was begun without it; unset it"),
    ],
)
def test_another_key_is_refused_before_anything_is_drawn_by_it(
    tmp_path: Path,
    begun: str | None,
    now: str | None,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A scheduler may lack the variable that a shell has: it is said, and no key is told."""

    def take(key: str | None) -> None:
        monkeypatch.delenv("LABELOPS_KEY", raising=False)
        if key is not None:
            monkeypatch.setenv("LABELOPS_KEY", key)

    take(begun)
    own = _opened(tmp_path).workspace.key
    take(now)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    for command in (["run", "send"], ["status"]):
        assert main(["-q", "--config", str(tmp_path), *command]) == 2
        assert says in capsys.readouterr().err
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    take(begun)
    assert _opened(tmp_path).workspace.key == _opened(tmp_path).to_read.key == own
    if begun:
        assert all(begun.encode() not in content for content in before.values())


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"id": "a"}', '{"key": "zz"}'])
def test_a_damaged_key_is_no_new_key(tmp_path: Path, content: str) -> None:
    """Items were drawn by it: it is named with its remedy, and never drawn anew."""
    ends = _opened(tmp_path)
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "workspace.json").write_text(content)
    with pytest.raises(StorageError, match=r"workspace\.json is damaged.*restore it from a backup"):
        _ = ends.workspace
    assert (tmp_path / "workspace" / "workspace.json").read_text() == content


def test_a_process_digests_a_key_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a label set anew, as every run does, finds the slow digest done."""
    real, took = hashlib.scrypt, list[bytes]()

    def scrypt(key: bytes, **options: Any) -> bytes:
        took.append(options["salt"])
        return real(key, **options)

    monkeypatch.setattr(hashlib, "scrypt", scrypt)
    for name in "aabba":
        _ = _opened(tmp_path / name).workspace
    assert len(took) == len(set(took)) == 2


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"salt": "zz", "digest": "00"}'])
def test_what_tells_the_key_is_damaged(tmp_path: Path, content: str) -> None:
    """Then nobody knows whether this is the key: it is named with its remedy."""
    _ = _opened(tmp_path).workspace
    told = tmp_path / "workspace" / "drawn-by.json"
    told.write_text(content)
    with pytest.raises(StorageError, match=r"drawn-by\.json is damaged; restore it from a backup"):
        _ = _opened(tmp_path).workspace
    assert told.read_text() == content


def test_a_short_key_is_not_told_by_a_table_of_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may read two workspaces of one key cannot even see that it is one."""
    monkeypatch.setenv("LABELOPS_KEY", "ours")
    for name in ("a", "b"):
        _ = _opened(tmp_path / name).workspace
    told = [(tmp_path / n / "workspace" / "drawn-by.json").read_bytes() for n in ("a", "b")]
    assert told[0] != told[1]


def test_a_lost_key_is_no_new_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables without it are those of a workspace whose backup was put back in part."""
    monkeypatch.delenv("LABELOPS_KEY")
    _ = _opened(tmp_path).workspace
    own = tmp_path / "workspace" / "workspace.json"
    content = own.read_bytes()
    own.unlink()
    for look in ("workspace", "key_to_read"):
        with pytest.raises(StorageError, match=r"workspace\.json is missing.*from a backup"):
            getattr(_opened(tmp_path), look)
    assert not own.exists()
    own.write_bytes(content)
    assert _opened(tmp_path).workspace.key == _opened(tmp_path).key_to_read


def test_who_reads_before_work_begins_reads_what_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A label set that stays open learns the key that somebody drew meanwhile, and cannot write."""
    monkeypatch.delenv("LABELOPS_KEY")
    reader, worker = _opened(tmp_path), _opened(tmp_path)
    before = reader.to_read
    with pytest.raises(UsageError, match="opened to read from"):
        before.tables.append("events", before.tables.read("events"))
    assert load(before).items.empty and not reader.begun
    assert worker.workspace.key == reader.to_read.key != before.key
    assert worker.to_read is worker.workspace


def test_whether_there_is_a_workspace_takes_one_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket may hold very much, so nothing is listed; and asking begins no workspace."""

    def refuse(*_: object) -> None:
        raise AssertionError("all of it is listed")

    monkeypatch.setattr("labelops.adapters.objects.LocalObjects.list", refuse)
    assert not _opened(tmp_path).begun and not (tmp_path / "workspace").exists()
    _ = _opened(tmp_path).workspace
    assert _opened(tmp_path).begun


def test_a_workspace_from_before_there_were_ids_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key is read as ever, and its projects are found by their names."""
    monkeypatch.delenv("LABELOPS_KEY")
    ends = _opened(tmp_path)
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "workspace.json").write_text('{"key": "0a"}')
    assert (ends.key, ends.namespace) == (b"\n", "")


_WRONG = [
    ('[labeler]\ntype = "http"', "labeler.url is missing: labeler.type is 'http'; give the server"),
    ('[labeler]\ntype = "chat"', "labeler.url is missing: labeler.type is 'chat'"),
    ('[labeler]\nvectors = "no_such_module:f"', "labeler.vectors: 'no_such_module:f' cannot be"),
    ('[rule.r]\nlabel = "x"\npattern = "("', "rule.r.pattern: regular expression '(': missing )"),
    ('[accept]\nrule = "audited"\n[consolidate]\nmethod = "majority"', "accept.rule is 'audited'"),
    ('[accept]\nrule = "audited"\nmin_posterior = 0.9999', "accept.min_posterior is 0.9999"),
]


@pytest.mark.parametrize(("text", "says"), _WRONG, ids=[w[1][:28] for w in _WRONG])
def test_a_wrong_end_is_named_with_its_file_before_any_work(
    tmp_path: Path, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line starts with the file, and no item was taken in by the pass that stopped."""
    (tmp_path / "mails.csv").write_text("id,text\n1,hello\n2,bye\n", encoding="utf-8")
    source = '\n[source.mails]\npath = "mails.csv"\nkey = "id"\ntext = "text"\n'
    ends = _opened(tmp_path, text + source)
    config = tmp_path / "labelops.toml"
    with pytest.raises(SettingsError) as caught:
        ends.check_ends()
    assert str(caught.value).startswith(f"{config}: {says}")
    assert str(caught.value).count(str(config)) == 1
    assert main(["-q", "--config", str(config), "run", "send"]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "workspace" / "tables" / "items").exists()


@pytest.mark.parametrize("command", ["status", "certificates", "annotators", "report", "schema"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[queue]\ntype = "paper"', "queue.type is 'paper', expected one of local, label-studio"),
        ('[labeler]\ntype = "oracle"', "labeler.type is 'oracle', expected one of sklearn, http"),
    ],
)
def test_an_end_that_is_none_is_said_by_what_only_reads(
    tmp_path: Path,
    text: str,
    says: str,
    command: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In one line with the file, before there is a workspace: who looks learns that no run can."""
    _ = _opened(tmp_path)
    config = tmp_path / "labelops.toml"
    config.write_text(f"{config.read_text()}\n{text}\n")
    monkeypatch.chdir(tmp_path)
    assert main(["--config", str(config), command]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"labelops: error: {config}: {says}")
    assert not (tmp_path / "workspace").exists()


def test_the_remedy_of_a_wrong_pattern_is_said(tmp_path: Path) -> None:
    """Whoever meant a bracket learns how to write one."""
    with pytest.raises(SettingsError, match="put a backslash before"):
        _ = _opened(tmp_path, '[rule.r]\nlabel = "x"\npattern = "("').rules
