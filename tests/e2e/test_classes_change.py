"""A class that is added, or split, after a release: what is asked and audited anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelops.app import open_app
from labelops.state import load

from .label_sets import team, until_passed, write_mails

pytestmark = pytest.mark.slow


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
