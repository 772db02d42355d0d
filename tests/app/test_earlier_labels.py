"""`[labeler] earlier_labels`: what stands in a column of the data is weighed, never believed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelops.adapters.local_queue import LocalQueue
from labelops.app import open_app
from labelops.app.ends import Ends
from labelops.digest import canonical_json
from labelops.errors import SettingsError
from labelops.schema import Schema
from labelops.settings import read_settings
from labelops.state import load
from labelops.testing.annotators import skilled, work

from ..cli.world import ITEMS, SETTINGS, label, mails, run

PETS = Schema("pets", ("cat", "dog"))
TOML = """
[schema]
name = "pets"
classes = ["cat", "dog"]
[source.mail]
path = "mail.csv"
key = "id"
text = "text"
[route]
seed = 60
training = 60
[labeler]
earlier_labels = ["old"]
"""
PETS_SEEN = 240


def _truth() -> dict[str, str]:
    names = np.random.default_rng(0).choice(PETS.classes, PETS_SEEN).tolist()
    return {f"m{n:03}": name for n, name in enumerate(names)}


@pytest.mark.slow
def test_people_tell_what_they_are_worth(tmp_path: Path) -> None:
    """Texts say nothing, and the labels from before are right in 85 %: so are the proposals.

    And the model knows it: it says .85, not 1.
    """
    rng, truth = np.random.default_rng(1), _truth()
    other = {"cat": "dog", "dog": "cat"}
    said = {i: t if rng.random() < 0.85 else other[t] for i, t in truth.items()}
    letters = list("abcdefghijklmnopqrstuvwxyz")
    texts = [" ".join("".join(rng.choice(letters, 6)) for _ in range(8)) for _ in truth]
    rows = [f"{i},{text},{said[i]}" for i, text in zip(truth, texts, strict=True)]
    (tmp_path / "mail.csv").write_text("\n".join(["id,text,old", *rows]) + "\n")
    (tmp_path / "labelops.toml").write_text(TOML)
    app = open_app(tmp_path)
    app.ingest()
    people = [skilled(f"human:{n}", PETS, 0.999) for n in ("ann", "ben", "cem", "dan")]
    queue = LocalQueue(tmp_path / "workspace" / "queue")
    app.route()
    app.send()
    work(queue, people, {i: canonical_json(t) for i, t in truth.items()})
    app.collect()
    assert app.autolabel().trained_on == 60
    found = load(app.workspace).current_proposals
    others = found[found["fold"].isna()]
    right = (others["value"] == others["item_id"].map(truth).map(canonical_json)).mean()
    assert len(others) == PETS_SEEN - 60
    assert 0.75 < right < 0.95
    assert abs(others["confidence"].mean() - right) < 0.1
    # The report holds them against the labels that people gave, and says who learned from them.
    app.consolidate()
    facts = json.loads(app.report()[1])
    table = facts["confusions"][-1]
    assert table["title"] == "Earlier labels, column old, against the labels"
    labels = load(app.workspace).labels.dropna(subset=["value"])
    same = sum(f'"{said[i]}"' == v for i, v in zip(labels["item_id"], labels["value"], strict=True))
    counts = np.array(table["counts"])
    assert (counts.sum(), np.trace(counts)) == (len(labels), same)
    assert facts["lineage"][0]["detail"].endswith("and earlier labels in old")


@pytest.mark.slow
def test_what_tells_labels_is_no_odd_attribute_of_them(tmp_path: Path) -> None:
    """To a release: the report does not warn of the column that is meant to tell the labels."""
    rng, truth = np.random.default_rng(2), {i: name for i, _, name in mails(ITEMS)}
    said = {i: t if rng.random() < 0.9 else "recipe" for i, t in truth.items()}
    rows = [(i, text.split(chr(27))[0], said[i], said[i]) for i, text, _ in mails(ITEMS)]
    frame = pd.DataFrame(rows, columns=["id", "text", "old", "copy"])
    frame.to_csv(tmp_path / "mails.csv", index=False)
    (tmp_path / "labelops.toml").write_text(SETTINGS + '[labeler]\nearlier_labels = ["old"]\n')
    config = tmp_path / "labelops.toml"
    for _ in range(8):
        run(config, "run", "send")
        label(config)
        run(config, "run", "receive")
    app = open_app(tmp_path)
    assert app.verdict().status == "pass"
    facts = json.loads(app.report()[1])
    told = [row["subject"] for row in facts["views"] if row["view"] == "attributes"]
    assert "old" not in told
    assert "copy" in told, "the same under another name is odd, as ever"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('type = "none"', "labeler.earlier_labels is for the built-in labeler"),
        ('[source.more]\npath = "a.csv"\ntext = "text"\ngold = "old"', "as known answers (gold)"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, more: str, says: str) -> None:
    """Another labeler would never look at them, and known answers judge people."""
    (tmp_path / "labelops.toml").write_text(TOML + more)
    with pytest.raises(SettingsError, match=r"earlier_labels") as caught:
        Ends(read_settings(tmp_path / "labelops.toml")).check_ends()
    assert says in str(caught.value)
