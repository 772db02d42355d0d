"""The whole journey on real handwritten digits, up to two releases, and what it promises."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from labelops.app import App, open_app
from labelops.errors import ChangedPayloadError
from labelops.state import EVIDENCE, State, load
from labelops.tables import TABLES
from labelops.testing.annotators import SimulatedAnnotator, team_of_seven

from .label_sets import contents, one_round

DIGITS = """
[schema]
name = "digits"
media = "image"
classes = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
[source.digits]
path = "items.csv"
key = "id"
image = "file"
gold = "gold"
licence = "CC-BY-4.0"
purposes = ["training"]
[route]
seed = 60
training = 100
calibration = 70
overlap_share = 0.5
[accept]
error = 0.05
[audit]
repeats = 1
[gate]
error = 0.06
"""


FIRST, ALL = 260, 320


def write_digits(folder: Path, count: int) -> dict[str, str]:
    """Write the first digits as PNG files with an items file; return item id → true value."""
    digits, truth = load_digits(), {}
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "labelops.toml").write_text(DIGITS)
    with (folder / "items.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "file", "gold"])
        for n in range(count):
            key, name = f"digit-{n:04d}", str(digits.target[n])
            path = folder / "images" / f"{key}.png"
            if not path.exists():
                grey = (255 - digits.images[n] * 15.9).astype(np.uint8)
                Image.fromarray(grey).resize((32, 32), Image.Resampling.NEAREST).save(path)
            rows.writerow([key, f"images/{key}.png", name if n < 8 else ""])
            truth[key] = json.dumps(name)
    return truth


@dataclass(frozen=True)
class Run:
    """A finished journey."""

    folder: Path
    truth: Mapping[str, str]
    certified: dict[str, float]
    true_error: dict[str, float]

    @property
    def app(self) -> App:
        """The label set, opened anew."""
        return open_app(self.folder)

    @property
    def state(self) -> State:
        """The tables as they stand."""
        return load(self.app.workspace)


def _released(app: App, truth: Mapping[str, str]) -> tuple[str, float, float]:
    """Release; return the version, the certified bound and the true share of wrong labels."""
    released = app.release()
    labels = app.read(released.reference).labels
    wrong = float((labels["value"] != labels["item_id"].map(truth)).mean())
    return released.reference, app.settings.gate.error, wrong


def _work_until_passed(
    app: App, people: list[SimulatedAnnotator], truth: Mapping[str, str]
) -> None:
    for _ in range(25):
        one_round(app, people, truth)
        app.audit()
        if app.gate().verdict.passed:
            return
    raise AssertionError(app.gate().verdict.summary)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Go up to release 1.0.0, let new items arrive, and go up to 1.1.0."""
    folder = tmp_path_factory.mktemp("journey") / "digits"
    certified, true_error = {}, {}
    truth: dict[str, str] = {}
    for count in (FIRST, ALL):
        truth = write_digits(folder, count)
        app = open_app(folder)
        people = list(team_of_seven(app.settings.schema))
        app.ingest()
        _work_until_passed(app, people, truth)
        reference, bound, wrong = _released(app, truth)
        certified[reference], true_error[reference] = bound, wrong
    return Run(folder, truth, certified, true_error)


pytestmark = pytest.mark.slow


def test_two_releases(run: Run) -> None:
    """Two versions, the second with the new items; both verify; the diff says what came."""
    app = run.app
    assert [m.reference for m in app.manifests()] == ["digits@1.0.0", "digits@1.1.0"]
    assert [m.counts["items"] for m in app.manifests()] == [FIRST, ALL]
    assert all(app.verify(m.reference) == [] for m in app.manifests())
    assert app.diff("digits@1.0.0", "digits@latest").counts()["added"] == ALL - FIRST


def test_true_error_is_within_the_certified_bound(run: Run) -> None:
    """What the gate certified holds, measured against the truth nobody told it."""
    for reference, bound in run.certified.items():
        assert run.true_error[reference] <= bound, reference


def test_votes_are_saved(run: Run) -> None:
    """It takes fewer votes than three on everything."""
    assert len(run.state.votes) < 3 * ALL


def test_random_clicker_is_flagged_alone(run: Run) -> None:
    """Who clicks at random is found out, and nobody else."""
    assert run.state.flagged == ("human:gus",)


def test_flagged_votes_decide_nothing(run: Run) -> None:
    """No released label rests on a vote of the flagged annotator."""
    assert "human:gus" not in set(run.state.evidence["annotator"])


def test_second_pass_appends_nothing(run: Run, tmp_path: Path) -> None:
    """With nothing new, no stage appends a row to any table or writes an object."""
    folder = Path(shutil.copytree(run.folder, tmp_path / "digits"))
    app = open_app(folder)
    before = {name: app.workspace.tables.version(name) for name in TABLES}
    files = contents(folder / "workspace")
    app.ingest()
    app.autolabel()
    app.route()
    app.send()
    app.collect()
    app.consolidate()
    app.audit()
    app.gate()
    assert {name: app.workspace.tables.version(name) for name in TABLES} == before
    assert contents(folder / "workspace") == files


def test_calibration_and_audit_items_are_never_trained_on(run: Run) -> None:
    """No fit ever saw an item of the calibration sample, or a label that an audit decided."""
    state, objects = run.state, run.app.objects
    # The first release's sample, drawn from fewer items, counts too.
    calibrated = set(state.votes.loc[state.votes["purpose"] == "calibrate", "item_id"])
    corrected = set(state.labels.loc[state.labels["method"] == "adjudicated", "item_id"])
    bodies = [json.loads(objects.get(n)) for n in objects.list("training/")]
    assert len(bodies) == len(state.fits) > 0
    for body in bodies:
        assert not calibrated & set(body["items"])
    assert not corrected & set(bodies[-1]["items"])


def test_audit_votes_decide_no_label(run: Run) -> None:
    """No label's evidence names an audit vote, unless an audit corrected it."""
    state = run.state
    audits = set(state.votes.loc[state.votes["purpose"].isin(["audit", "gold"]), "vote_id"])
    history = run.app.workspace.tables.read("labels")
    assert audits
    for row in history.loc[history["method"] != "adjudicated"].itertuples():
        assert not audits & set(json.loads(row.evidence).get("votes", ())), row.item_id


def test_nobody_audits_an_item_they_labeled(run: Run) -> None:
    """Audit votes come from people who had no part in the item's label."""
    state = run.state
    votes = state.votes.loc[state.votes["status"] == "given", ["item_id", "annotator", "purpose"]]
    audits = votes.loc[votes["purpose"] == "audit"]
    labels = votes.loc[votes["purpose"].isin(EVIDENCE)]
    both = audits.merge(labels, on=["item_id", "annotator"])
    assert len(audits)
    assert both.empty


def test_revised_payload_drops_what_was_said_of_the_old_one(run: Run, tmp_path: Path) -> None:
    """Another picture under a known key is refused; with --revise its old votes are gone."""
    folder = Path(shutil.copytree(run.folder, tmp_path / "digits"))
    app = open_app(folder)
    voted = load(app.workspace).votes
    item = str(voted["item_id"].iloc[0])
    other = next(k for k, v in run.truth.items() if v != run.truth[item])
    shutil.copy(folder / "images" / f"{other}.png", folder / "images" / f"{item}.png")
    with pytest.raises(ChangedPayloadError, match=item):
        app.ingest()
    assert app.ingest(revise=True)["digits"].revised == 1
    state = load(app.workspace)
    assert item not in set(state.votes["item_id"])
    assert len(state.votes) == len(voted) - int((voted["item_id"] == item).sum())
    app.consolidate()
    labels = load(app.workspace).labels.set_index("item_id")
    assert labels.loc[item, "method"] in ("undecided", "accepted")
