from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prefect.states import Failed

from flows.publish import run_publish
from flows.receive import run_receive
from flows.send import run_send
from flows.stages import STAGES, Summary, run_stages
from flows.tasks import TASKS, app_of, opened
from labelops import errors
from labelops.state import load

from .conftest import World, write_world

pytestmark = pytest.mark.slow  # a whole journey up to a release

Done = list[dict[str, Summary]]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Done]:
    """Run rounds of all flows, without Prefect, until there is a release."""
    world = write_world(tmp_path_factory.mktemp("released") / "digits", items=120)
    app, done = world.open(), Done()
    for _ in range(25):  # Six to twelve rounds, by what is drawn.
        sent = run_send(app)
        world.label()
        done.append(sent | run_receive(app) | run_publish(app))
        if done[-1]["release"]["new"]:
            return world, done
    pytest.fail(f"no release in {len(done)} rounds: {done[-1]['release']['reason']}")


def test_stages_tell_what_the_command_line_prints(world: World) -> None:
    """In plain text, a part for each stage; what is not there yet is no part left out."""
    told: list[str] = []
    run_stages(world.open(), list(STAGES), told.append)
    assert len(told) == len(STAGES)
    assert not any("\x1b" in words for words in told)
    assert told[0].splitlines()[1].split() == ["scans", "200", "0", "0", "0", "0", "0"]
    assert told[-2].startswith("Nothing is released: the gate did not pass")
    assert told[-1].startswith("There is no release yet")


def test_rounds_of_all_stages_end_in_a_release_and_its_training_frame(
    released: tuple[World, Done],
) -> None:
    """A folder of scans and some people become a version and a folder to train on."""
    world, done = released
    last = done[-1]
    assert list(last) == list(STAGES)
    assert done[0]["ingest"]["scans"]["added"] == 120
    assert last["ingest"]["scans"]["added"] == 0
    assert last["gate"]["status"] == "pass"
    assert last["release"]["reference"] == last["reuse"]["reference"] == "digits@1.0.0"
    folder = Path(last["reuse"]["folder"])
    assert folder == world.config.parent / "exports" / "digits@1.0.0"
    sidecar = json.loads((folder / "_labelops.json").read_text())
    assert (sidecar["rows"], sidecar["manifest_digest"]) == (120, last["release"]["digest"])
    assert Path(last["reuse"]["report"]).is_file()
    app = world.open()
    labels = app.read().labels
    right = [world.truth[i] == v for i, v in zip(labels["item_id"], labels["value"], strict=True)]
    assert sum(right) / len(right) > 1 - app.settings.gate.error


def test_publish_again_changes_nothing_and_writes_a_lost_training_frame_again(
    released: tuple[World, Done],
) -> None:
    """A run that died between release and export is made whole by the next."""
    world, done = released
    app, first = world.open(), done[-1]
    folder = Path(first["reuse"]["folder"])
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    again = run_publish(app)
    assert not again["release"]["new"]
    assert again["release"]["reason"]
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before
    folder.rename(folder.with_name("lost"))
    assert run_publish(world.open())["reuse"] == first["reuse"]
    assert {p.name for p in folder.iterdir()} == set(before)


def test_a_training_frame_of_another_release_of_that_name_is_replaced(
    released: tuple[World, Done],
) -> None:
    """What a workspace that is gone left under `exports` is never taken for the release."""
    world, done = released
    folder = Path(done[-1]["reuse"]["folder"])
    sidecar = json.loads((folder / "_labelops.json").read_text())
    other = json.dumps({**sidecar, "manifest_digest": "0" * 64})
    (folder / "_labelops.json").write_text(other)
    (folder / "data.parquet").write_bytes(b"of another release")
    manifest, found = world.open().export_newest()
    assert found == folder
    assert json.loads((folder / "_labelops.json").read_text()) == sidecar
    assert len(pd.read_parquet(folder)) == manifest.counts["items"]
    (folder / "_labelops.json").unlink()
    with pytest.raises(errors.UsageError, match="no earlier export"):
        world.open().export_newest()
    (folder / "_labelops.json").write_text(json.dumps(sidecar))


def test_training_frames_that_are_published_at_once_are_one(
    released: tuple[World, Done],
) -> None:
    """Whoever is second finds the frame there, and nothing is left beside it."""
    world, done = released
    folder = Path(done[-1]["reuse"]["folder"])
    apps = [world.open() for _ in range(4)]
    for _ in range(5):
        shutil.rmtree(folder)
        with ThreadPoolExecutor(4) as pool:
            found = [f.result() for f in [pool.submit(a.export_newest) for a in apps]]
        assert {place for _, place in found} == {folder}
        assert json.loads((folder / "_labelops.json").read_text())["rows"] == 120
        assert not [p.name for p in folder.parent.iterdir() if p.name.startswith(".")]


def test_nothing_to_publish_is_an_answer_with_a_reason(world: World) -> None:
    """Before anything passes the gate, publish says why, raises nothing and writes nothing."""
    app = world.open()
    run_send(app)
    done = run_publish(app)
    assert done["release"]["reference"] is done["reuse"]["folder"] is None
    assert "certified error" in done["release"]["reason"]
    assert not (world.config.parent / "exports").exists()


def test_summaries_are_json_and_without_contents(make_world: Callable[..., World]) -> None:
    """What stages say they did can be kept as JSON, and quotes no item."""
    folder = make_world("texts").config.parent
    text = "a very private complaint"
    rows = "\n".join(f"t{i},{text} about parcel {i * 7919}" for i in range(40))
    (folder / "mail.csv").write_text(f"id,body\n{rows}\n", encoding="utf-8")
    (folder / "labelops.toml").write_text(
        '[schema]\nname = "mail"\nclasses = ["a", "b"]\n'
        '[source.mail]\npath = "mail.csv"\nkey = "id"\ntext = "body"\n',
        encoding="utf-8",
    )
    with opened(str(folder / "labelops.toml")) as app:
        done = run_send(app) | run_receive(app) | run_publish(app)
    assert text not in json.dumps(done, allow_nan=False)


def test_no_labeler_is_no_obstacle(make_world: Callable[..., World]) -> None:
    """With `labeler.type = "none"` people are asked about everything."""
    world = make_world(extra='[labeler]\ntype = "none"\n')
    done = run_send(world.open())
    assert done["autolabel"]["reason"] == "no labeler is configured"
    assert done["queue"]["offered"] > 0


def test_errors_go_through_unchanged(world: World) -> None:
    """A stage's error reaches the caller as what it is, also where it concerned one row only."""
    app = world.open()
    run_send(app)
    before = load(app.workspace).items
    scans = world.config.parent / "scans"
    (scans / "0000.png").write_bytes((scans / "0001.png").read_bytes())
    table = scans / "items.csv"
    row = table.read_text().splitlines()[1]
    (scans / "new.png").write_bytes((scans / "0002.png").read_bytes())
    table.write_text(
        table.read_text() + row.replace("digit-0000", "new").replace("0000", "new") + "\n"
    )
    told: list[str] = []
    with pytest.raises(errors.ChangedPayloadError, match="digit-0000"):
        run_stages(world.open(), ("ingest", "autolabel", "route", "queue"), told.append)
    items = load(world.open().workspace).items
    assert set(items["item_id"]) - set(before["item_id"]) == {"new"}
    kept = items.loc[items["item_id"] != "new", before.columns].reset_index(drop=True)
    pd.testing.assert_series_equal(kept["payload"], before["payload"])
    assert "1 row of scans set aside, such as 'digit-0000'" in told[0]
    assert len(told) == 4 and not any("Not done" in line for line in told), "it is said once"


def test_an_open_label_set_is_shared_by_what_runs_inside(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside `opened`, the same path (however written) is the same label set; outside, not."""
    config = str(world.config)
    app = world.open()
    with opened(config, app) as same:
        assert same is app is app_of(config)
        monkeypatch.chdir(world.config.parent)
        assert app_of("labelops.toml") is app
        with opened(config) as inner:
            assert inner is app
    assert app_of(config) is not app


def test_retryable_errors_are_the_only_ones_tried_again() -> None:
    """The task's condition follows `LabelopsError.retryable`; strangers are not tried again."""

    def again(error: BaseException) -> Any:
        condition: Any = TASKS["queue"].retry_condition_fn
        return condition(TASKS["queue"], None, Failed(data=error))

    assert again(errors.EndUnavailable("down"))
    assert again(errors.EndTimeout("slow"))
    assert again(errors.ConflictError("somebody else"))
    assert not again(errors.EndRefused("wrong token"))
    assert not again(errors.SettingsError("a bound"))
    assert not again(ValueError("a defect"))
    assert not again(KeyboardInterrupt())
