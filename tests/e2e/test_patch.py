"""What happens after a release: the gate says so, and changed metadata become a patch."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from labelops.adapters.delta import DeltaTables
from labelops.app import open_app
from labelops.cli import labelops
from labelops.errors import GateNotPassed
from labelops.state import load
from labelops.testing.killing import Trap, trapped

from .label_sets import team, until_passed, write_mails

pytestmark = pytest.mark.slow  # a journey up to its release


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a label set that is released, with one item more that nobody was asked about."""
    folder = tmp_path_factory.mktemp("released") / "set"
    truth = write_mails(folder, 36)
    until_passed(folder, team(open_app(folder), 0.99, 0.99, 0.99, 0.99), truth)
    open_app(folder).release()
    return folder


@pytest.fixture
def folder(released: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(released, tmp_path / "set"))


def rewrite(folder: Path, old: str, new: str) -> None:
    """Change the settings."""
    path = folder / "labelops.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_gate_says_that_labels_are_released(folder: Path) -> None:
    """After a release `gate` names it and exits 0."""
    done = CliRunner().invoke(labelops, ["gate", "--config", str(folder)])
    assert done.exit_code == 0, done.output
    assert "RELEASED" in done.output and "tickets@1.0.0" in done.output


def test_other_rights_become_a_patch_once(folder: Path) -> None:
    """A change of licence is 1.0.1 with the same labels; releasing again makes nothing."""
    assert not open_app(folder).release().new
    rewrite(folder, "CC0-1.0", "CC-BY-4.0")
    app = open_app(folder)
    assert app.ingest()["mail"].updated == 36
    done = app.release()
    assert (done.reference, done.new) == ("tickets@1.0.1", True)
    assert done.manifest.change["level"] == "patch"
    assert done.manifest.rights["licences"] == {"CC-BY-4.0": 36}
    before, after = app.read("tickets@1.0.0").labels, app.read("tickets@1.0.1").labels
    assert before["value"].tolist() == after["value"].tolist()
    again = open_app(folder).release()
    assert (again.reference, again.new) == ("tickets@1.0.1", False)
    assert app.gate().released_as == "tickets@1.0.1"
    assert app.verify() == []


def test_a_reworded_question_becomes_a_patch(folder: Path) -> None:
    """The question is metadata, too."""
    rewrite(folder, 'name = "tickets"', 'name = "tickets"\nquestion = "What is it about?"')
    assert open_app(folder).release().reference == "tickets@1.0.1"


def test_rights_that_forbid_the_purpose_make_no_patch(folder: Path) -> None:
    """A patch is judged as any release: what may not be used any more is not released."""
    rewrite(folder, 'purposes = ["training"]', 'purposes = ["evaluation"]')
    app = open_app(folder)
    app.ingest()
    with pytest.raises(GateNotPassed, match="rights"):
        app.release()
    assert [str(m.version) for m in app.manifests()] == ["1.0.0"]


def test_a_patch_that_died_before_it_was_named_is_found(folder: Path) -> None:
    """Written but not said: the next run says it, and writes nothing."""
    first = open_app(folder).manifest()
    rewrite(folder, "CC0-1.0", "CC-BY-4.0")
    app = open_app(folder)
    app.ingest()
    events = app.workspace.tables.read("events")
    app.release()
    tables = folder / "workspace" / "tables" / "events"
    shutil.rmtree(tables)

    DeltaTables(str(folder / "workspace" / "tables")).append("events", events)
    found = open_app(folder).release()
    assert (found.reference, found.new) == ("tickets@1.0.1", False)
    state = load(open_app(folder).workspace)
    assert json.loads(state.latest("name")["body"].iloc[0])["release"] == "tickets@1.0.1"
    assert first.reference == "tickets@1.0.0"


def test_a_warning_at_any_moment_of_a_release(folder: Path) -> None:
    """Around each kind of call of a release another process warns of the one before: both hold."""
    rewrite(folder, "CC0-1.0", "CC-BY-4.0")
    app, said = open_app(folder), []
    app.ingest()

    def warn(call: str, when: str) -> None:
        if (moment := f"{when} {call}") not in said:
            said.append(moment)
            assert open_app(folder).deprecate("tickets@1.0.0", said[-1]).new

    trap = Trap(watch=warn)
    tables, objects = (trapped(end, trap) for end in (app.workspace.tables, app.objects))
    workspace = dataclasses.replace(app.workspace, tables=tables, objects=objects, cache={})
    app.__dict__.update(workspace=workspace, objects=objects)
    assert app.release().reference == "tickets@1.0.1"
    assert sum("append" in moment or "put" in moment for moment in said) > 6
    found = open_app(folder)
    assert found.deprecated == {"tickets@1.0.0": said[-1]}
    assert found.names["latest"] == "tickets@1.0.1" and found.verify() == []
    events = found.workspace.tables.read("events")
    assert events["event_id"].is_unique
    assert (events["kind"] == "deprecated").sum() == len(said)
    assert not open_app(folder).release().new


def test_an_item_nobody_was_asked_about_is_explained(folder: Path) -> None:
    """An item that was only taken in is told from one that is not there."""
    with (folder / "mail.csv").open("a") as file:
        file.write("mail-new,where is my box\n")
    open_app(folder).ingest()
    done = CliRunner().invoke(labelops, ["explain", "mail-new", "--config", str(folder)])
    assert done.exit_code == 0, done.output
    assert "nothing was planned for it yet" in done.output
    done = CliRunner().invoke(labelops, ["explain", "mail-nobody", "--config", str(folder)])
    assert done.exit_code != 0
