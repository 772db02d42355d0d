"""The whole journey on real handwritten digits, up to two releases, and what it promises."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from labelops.app import App, open_app
from labelops.errors import ChangedPayloadError, GateNotPassed
from labelops.gate.candidate import OUTGROWN, attempt_of
from labelops.state import EVIDENCE, State, load
from labelops.tables import LABELS, TABLES, VOTES, newest
from labelops.testing.annotators import SimulatedAnnotator, confused, team_of_seven, work

from .label_sets import MAIL, contents, one_round, team, until_passed, write_mails

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


# --- the gate ----------------------------------------------------------------------------


def test_inconclusive_gate_refuses_a_release(tmp_path: Path) -> None:
    """Before the audit says enough the verdict is inconclusive, and nothing can be released."""
    folder = tmp_path / "set"
    truth = write_mails(folder, 30)
    app = open_app(folder)
    app.ingest()
    one_round(app, team(app, 0.99, 0.98, 0.97, 0.96), truth)
    assert app.gate().verdict.status == "inconclusive"
    with pytest.raises(GateNotPassed, match="INCONCLUSIVE"):
        app.release()
    assert app.manifests() == []


def test_three_annotators_are_enough(tmp_path: Path) -> None:
    """Nothing waits for a fourth person where all three have looked."""
    folder = tmp_path / "set"
    truth = write_mails(folder, 36)
    app = until_passed(folder, team(open_app(folder), 0.99, 0.98, 0.95), truth)
    assert app.release().reference == "tickets@1.0.0"


MISTAKEN = MAIL.replace("error = 0.25", "error = 0.05")


def _labeled_wrongly(
    folder: Path, truth: dict[str, str], pairs: dict[tuple[str, str], float]
) -> App:
    """Let three people label who make the same mistakes, until a verdict on what others audit."""
    app = open_app(folder)
    schema = app.settings.schema
    wrong = [confused(f"human:w{i}", schema, pairs) for i in range(3)]
    right = team(app, 0.99, 0.99, 0.99)
    app.ingest()
    for _ in range(20):
        candidate = load(app.workspace).candidate
        one_round(app, right if candidate else wrong, truth)
        app.audit()
        verdict = app.gate().verdict
        if verdict.passed or any(c.refuted for c in load(app.workspace).candidates):
            return app
    raise AssertionError(app.gate().verdict.summary)


def test_failing_certificate_gives_the_candidate_up(tmp_path: Path) -> None:
    """Labels that auditors refute fail: the candidate and the model's acceptance are closed."""
    folder = tmp_path / "set"
    truth = write_mails(folder, 120, MISTAKEN)
    # Everybody who labels takes parcels for bills and bills for parcels: two thirds are wrong.
    app = _labeled_wrongly(folder, truth, {("parcel", "bill"): 0.97, ("bill", "parcel"): 0.97})
    state = load(app.workspace)
    assert state.candidate is None
    assert state.candidates[-1].refuted
    assert state.hypotheses
    assert all(h.closed for h in state.hypotheses)
    assert state.accepted.empty
    with pytest.raises(GateNotPassed):
        app.release()


def test_an_audit_mends_what_it_finds(tmp_path: Path) -> None:
    """A small set, a third of it wrong, passes once nearly all was looked at, and is right then."""
    folder = tmp_path / "set"
    truth = write_mails(folder, 60, MISTAKEN)
    app = _labeled_wrongly(folder, truth, {("parcel", "bill"): 0.97})
    state = load(app.workspace)
    assert state.audit is not None and state.audit.certificate.status == "pass"
    found = state.audit.certificate
    assert found.n > 40 and found.corrected >= found.errors - 1 > 10
    values = state.frozen.set_index("item_id")["value"]
    assert (values != values.index.map(truth)).sum() <= 3
    assert app.release().new


def test_who_joins_three_audits_their_labels(tmp_path: Path) -> None:
    """Three who agree on mistakes audit each other's first votes; others then audit the labels."""
    folder = tmp_path / "set"
    truth = write_mails(folder, 60, MISTAKEN)
    app = _labeled_wrongly(folder, truth, {("parcel", "bill"): 0.97})
    first, second = load(app.workspace).candidates[:2]
    assert first.firsts and first.closed == OUTGROWN
    assert not second.firsts and second.stream == first.stream + 1
    assert attempt_of(second, [first, second]) == 2


# --- two at once -------------------------------------------------------------------------


def _outcome(folder: Path) -> dict[str, object]:
    tables = open_app(folder).workspace.tables
    votes = newest(VOTES, tables.read("votes")).drop(columns=["revision", "given_at"])
    labels = newest(LABELS, tables.read("labels")).drop(columns=["revision", "decided_at"])
    return {
        "votes": votes.sort_values("vote_id", ignore_index=True).to_json(),
        "labels": labels.sort_values("item_id", ignore_index=True).astype(str).to_json(),
    }


_PASS = """
import sys
from labelops.app import open_app
app = open_app(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for stage in sys.argv[2].split():
    getattr(app, stage)()
"""


def _stages(folder: Path, stages: str, processes: int) -> None:
    """Run stages in processes that start them at the same time."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _PASS, str(folder), stages],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            cwd=Path(__file__).parents[2],
        )
        for _ in range(processes)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in started:
        process.communicate(timeout=600)
        assert process.returncode == 0


def test_two_processes_at_once_end_as_one(tmp_path: Path) -> None:
    """Sending and receiving in two processes at once ends with the votes and labels of one."""
    outcomes = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        truth = write_mails(folder, 36)
        app = open_app(folder)
        app.ingest()
        people = team(app, 0.97, 0.96, 0.95, 0.95)
        for _ in range(3):
            _stages(folder, "autolabel route send", processes)
            work(app.queue, people, truth)  # type: ignore[arg-type]
            _stages(folder, "collect consolidate", processes)
        outcomes.append(_outcome(folder))
    assert outcomes[0] == outcomes[1]


def test_a_class_that_is_added_is_audited_anew(tmp_path: Path) -> None:
    """Looks from before it could be named certify nothing; those made since release the labels."""
    folder = tmp_path / "mail"
    truth = write_mails(folder, 60)
    app = open_app(folder)
    app = until_passed(folder, team(app, *[0.97] * 6), truth)
    app.release()
    truth = write_mails(folder, 80)
    toml = folder / "labelops.toml"
    toml.write_text(toml.read_text().replace('"parcel"]', '"parcel", "loss"]'))
    # Every other parcel is lost, of those that were released too.
    truth |= dict.fromkeys(sorted(truth)[2::6], '"loss"')
    app = open_app(folder)
    people = team(app, *[0.97] * 6)
    app.ingest()
    app.consolidate()
    assert not app.gate().verdict.passed
    app = until_passed(folder, people, truth)
    state, digest = load(app.workspace), app.settings.schema.digest
    judging, audit = state.judging[0], state.audit
    assert audit is not None and audit.certificate.status == "pass"
    assert set(judging["schema_digest"]) == {digest}
    since = state.votes.loc[state.votes["schema_digest"] == digest]
    assert audit.certificate.n <= since["item_id"].nunique()
    assert app.release().reference == "tickets@2.0.0"


def test_a_class_that_was_split_is_asked_about_again(tmp_path: Path) -> None:
    """What was released under its name is labeled anew, and by the same people."""
    folder = tmp_path / "mail"
    truth = write_mails(folder, 60)
    app = open_app(folder)
    app = until_passed(folder, team(app, *[0.97] * 4), truth)
    app.release()
    parcels = sorted(item for item, name in truth.items() if name == '"parcel"')
    toml = folder / "labelops.toml"
    text = toml.read_text().replace('"parcel"]', '"parcel", "loss"]')
    toml.write_text(text + '[schema.splits]\nparcel = ["loss"]\n')
    truth |= dict.fromkeys(parcels[::2], '"loss"')
    app = open_app(folder)
    assert sorted(load(app.workspace).undecided) == parcels
    app.route()
    plan = load(app.workspace).plan
    again = plan.loc[plan["reason"].str.startswith("its class was split"), "item_id"]
    assert set(parcels) >= set(again) and len(again) >= len(parcels) / 2
    app = until_passed(folder, team(app, *[0.97] * 4), truth)
    state = load(app.workspace)
    said = dict(zip(state.labels["item_id"], state.labels["value"], strict=True))
    assert sum(said[item] != truth[item] for item in parcels) <= 1
    for vote in app.explain(parcels[0]).votes:
        before = vote["schema_digest"] != app.settings.schema.digest
        assert vote["split"] is (before and vote["purpose"] != "gold")
    assert app.release().reference == "tickets@2.0.0"
