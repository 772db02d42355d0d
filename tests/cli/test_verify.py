"""Whoever holds a release, by version, name or as an exported copy, learns what became of it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

import labelops
from labelops.app import App, open_app
from labelops.cli import main
from labelops.errors import DeprecatedRelease, NotFoundError, SettingsError
from labelops.release import Manifest, parse_reference
from labelops.released import say_name

from .world import run, shown, shown_as_json

pytestmark = pytest.mark.slow  # journeys up to a release

WHY = "3 and 8 were swapped"


def _next(config: Path, version: str) -> None:
    """Release the same labels again as another version, as if something had changed."""
    app = open_app(config)
    old = app.manifest("mails@1.0.0")
    new = dataclasses.replace(old, version=parse_reference(f"mails@{version}").version)
    for part in old.parts:
        folder = new.object_name.rpartition("/")[0]
        app.objects.put_new(f"{folder}/{part.file}", app.objects.get(old.part_name(part.role)))
    assert app.objects.put_new(new.object_name, new.to_bytes())
    say_name(app.workspace, "latest", new, datetime.now(UTC))


@pytest.fixture
def copy(released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an export of mails@1.0.0 in a place where no label set is near."""
    assert run(released, "export", str(released.parent / "out"), "--format", "csv") == 0
    place = tmp_path / "elsewhere" / "train"
    place.parent.mkdir()
    shutil.move(released.parent / "out", place)
    monkeypatch.chdir(place.parent)
    return place


def _verified(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["-q", "verify", *arguments])
    out, err = capsys.readouterr()
    return code, out + err


def test_a_pinned_version_learns_of_newer_ones_quietly(
    released: Path, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    """`show`, `verify` and Python say what is newer; loading does not warn of it."""
    assert shown_as_json(capsys, released, "show")["newer"] == ""
    _next(released, "1.1.0")
    assert "newer      mails@1.1.0\n" in shown(capsys, released, "show", "mails@1.0.0")
    assert "newer" not in shown(capsys, released, "show", "mails@1.1.0")
    assert shown(capsys, released, "verify", "mails@1.0.0") == (
        "OK  mails@1.0.0: every byte is as it was released\n  newer  mails@1.1.0\n"
    )
    found = labelops.verify("mails@1.0.0", config=released)
    assert (found.ok, found.deprecated, found.newer) == (True, "", "mails@1.1.0")
    assert labelops.verify("mails@latest", config=released).newer == ""
    labelops.load("mails@1.0.0", config=released)
    assert not [w for w in recwarn if w.category is DeprecatedRelease]


def test_who_reads_a_deprecated_release_is_told_what_to_use(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By version and by name; what is deprecated itself is not recommended."""
    assert run(released, "name", "prod", "mails@1.0.0") == 0
    for version in ("1.1.0", "1.10.0", "2.0.0"):
        _next(released, version)
    said = shown(capsys, released, "deprecate", "mails@1.0.0", "--because", WHY)
    assert said == "mails@1.0.0 is deprecated: who reads it is warned. Still named so: prod.\n"
    shown(capsys, released, "deprecate", "mails@2.0.0", "--because", "worse")
    for reference in ("mails@1.0.0", "mails@prod"):
        with pytest.warns(DeprecatedRelease, match=rf"1\.0\.0 .*{WHY}; newer is mails@1\.10\.0$"):
            labelops.load(reference, config=released)
        assert run(released, "verify", reference) == 4
        out = capsys.readouterr().out
        assert out.startswith(f"OK  {reference}: every byte is as it was released\n")
        assert f"deprecated: {WHY}\n  newer  mails@1.10.0\n" in out
    assert run(released, "verify", "--json") == 4
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["deprecated"], found["newer"]) == (True, "worse", "")
    assert run(released, "name", "prod", "mails@2.0.0") == 0
    assert capsys.readouterr().err == "labelops: warning: mails@2.0.0 is deprecated: worse\n"


def test_a_copy_without_its_label_set(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its bytes are compared, and it is said that nobody knows the rest."""
    code, said = _verified(capsys, "./train")
    assert (code, said.splitlines()[0]) == (
        0,
        "OK  ./train: every byte is as it was exported from mails@1.0.0",
    )
    assert "not known here: name the label set with --config" in said
    found = labelops.verify(copy)
    assert (found.ok, found.release, found.deprecated, found.newer) == (
        True,
        "mails@1.0.0",
        "",
        None,
    )
    (copy / "data.csv").write_bytes(b"other")
    code, said = _verified(capsys, "train", "--json")
    assert (code, json.loads(said)["ok"], json.loads(said)["newer"]) == (1, False, None)
    assert not labelops.verify("train").ok


def test_a_copy_learns_what_became_of_its_release(
    copy: Path, released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the label set that is named, or is near; taken back, it holds no more."""
    known = ["--config", str(released)]
    assert _verified(capsys, "train", *known)[0] == 0
    _next(released, "1.1.0")
    assert "\n  newer  mails@1.1.0\n" in _verified(capsys, "train", *known)[1]
    assert run(released, "deprecate", "mails@1.0.0", "--because", WHY) == 0
    code, said = _verified(capsys, "train", *known)
    assert (code, f"deprecated: {WHY}\n" in said) == (4, True)
    assert labelops.verify(copy, config=released).deprecated == WHY
    assert _verified(capsys, "train")[0] == 0
    (copy / "data.csv").write_bytes(b"other")
    assert _verified(capsys, "train", *known)[0] == 1
    assert run(released, "deprecate", "mails@1.0.0", "--undo") == 0
    assert labelops.verify(copy, config=released).deprecated == ""


def test_a_copy_that_was_deprecated_when_it_was_made(
    released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so wherever it is, until its label set says otherwise."""
    assert run(released, "deprecate", "mails@1.0.0", "--because", WHY) == 0
    assert run(released, "export", str(tmp_path / "train")) == 0
    monkeypatch.chdir(tmp_path)
    assert main(["-q", "verify", "train"]) == 4
    assert run(released, "deprecate", "mails@1.0.0", "--undo") == 0
    assert main(["-q", "verify", "train"]) == 4
    assert main(["-q", "--config", str(released), "verify", "train"]) == 0


def test_a_copy_and_another_label_set(
    copy: Path, passed: Path, released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that is named and never released it is an error; one merely near knows nothing."""
    code, said = _verified(capsys, "train", "--config", str(passed))
    assert (code, "has no release mails@1.0.0" in said) == (2, True)
    near = copy.parent / "labelops.toml"
    near.write_text(passed.read_text().replace('"workspace"', '"none"'), encoding="utf-8")
    assert _verified(capsys, "train")[0] == 0
    assert not (copy.parent / "none").exists()
    with pytest.raises(NotFoundError):
        labelops.verify(copy, config=near)
    path = released.parent / "workspace/releases/mails/1.0.0/manifest.json"
    made = Manifest.from_bytes(path.read_bytes())
    _forget_names(released)
    path.chmod(0o644)
    path.write_bytes(dataclasses.replace(made, created_at="2020-01-01T00:00:00+00:00").to_bytes())
    code, said = _verified(capsys, "train", "--config", str(released))
    assert (code, "one of the two was made anew" in said) == (1, True)


def _forget_names(config: Path) -> None:
    """Take away what the workspace noted of its releases, as one made anew has it."""
    app: App = open_app(config)
    events = app.workspace.tables.read("events")
    shutil.rmtree(config.parent / "workspace" / "tables" / "events")
    app.workspace.tables.append("events", events.loc[events["kind"] != "name"])


def test_what_is_no_release_and_no_folder(
    released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path is never taken for a release, nor a release's name for a folder of something else."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mails@1.0.0").mkdir()
    assert labelops.verify("mails@1.0.0", config=released).export is False
    with pytest.raises(NotFoundError, match=r"holds no _labelops\.json"):
        labelops.verify("./mails@1.0.0", config=released)
    with pytest.raises(SettingsError, match=r"no labelops\.toml"):
        labelops.verify("mails@1.0.0")
