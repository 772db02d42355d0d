"""The built-in labeler weighs labels from before, and holds out what it judges with them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labelops.adapters.sklearn_labeler import SklearnLabeler
from labelops.digest import canonical_json
from labelops.errors import SettingsError
from labelops.ports import Labeler
from labelops.schema import Schema
from labelops.testing.labelers import LabelerTests, example_items

PETS = Schema("pets", ("cat", "dog", "emu"))


@pytest.mark.slow
class TestWithEarlierLabels(LabelerTests):
    """Labels from before, a quarter of them wrong, change nothing of what is held out."""

    @pytest.fixture
    def items(self) -> pd.DataFrame:
        items = example_items()
        said = items["payload"].str.split().str[0].where(items.index % 4 > 0, "cat")
        return items.assign(attributes=[canonical_json({"old": name}) for name in said])

    def make(self) -> Labeler:
        return SklearnLabeler("sklearn.naive_bayes.MultinomialNB", folds=3, earlier_labels=["old"])

    def make_broken(self) -> Labeler:
        return SklearnLabeler(
            "sklearn.naive_bayes.MultinomialNB", media="image", earlier_labels=["old"]
        )


def _texts(texts: list[str]) -> pd.DataFrame:
    ids = [f"i{n}" for n in range(len(texts))]
    return pd.DataFrame({"item_id": ids, "payload": texts, "payload_digest": ids, "group": ids})


def _with_old(items: pd.DataFrame, old: list[object]) -> pd.DataFrame:
    return items.assign(attributes=[canonical_json({"old": cell, "by": "web"}) for cell in old])


def test_earlier_labels_tell_what_texts_do_not() -> None:
    """Power: of texts that say nothing, labels from before are believed as far as they are right.

    Their cells may be written in other ways: blanks, capitals, the name before it was changed.
    """
    rng = np.random.default_rng(5)
    schema = Schema("pets", ("cat", "dog"), renames={"hound": "dog"})
    truth = rng.integers(0, 2, 400)
    said = np.where(rng.random(400) < 0.9, truth, 1 - truth)
    names = [["cat", " Cat "], ["dog", "Hound"]]
    items = _texts([f"text {rng.integers(5)}" for _ in truth])
    items = _with_old(items, [names[k][n % 2] for n, k in enumerate(said)])
    labeled = items.iloc[:100]
    answers = {}
    for earlier in ((), ("old",)):
        labeler = SklearnLabeler("sklearn.naive_bayes.MultinomialNB", earlier_labels=earlier)
        labeler.fit(labeled, truth[:100].tolist(), labeled["group"].tolist(), schema)
        found = labeler.propose(items.iloc[100:], schema).set_index("item_id")
        answers[earlier] = found.loc[items["item_id"].iloc[100:]]
    right = ['"cat"', '"dog"']
    hits = {e: np.mean(a["value"] == [right[k] for k in truth[100:]]) for e, a in answers.items()}
    assert hits[()] < 0.65
    assert 0.85 < hits[("old",)] < 0.95
    assert abs(answers[("old",)]["confidence"].mean() - hits[("old",)]) < 0.05


def test_another_cell_is_another_version() -> None:
    """What columns said is part of what was learned from; other columns are not."""
    items = _with_old(_texts(["a cat", "a dog", "cats", "dogs"]), ["cat", "dog", None, 7])

    def version(frame: pd.DataFrame) -> str:
        labeler = SklearnLabeler(folds=2, earlier_labels=["old"])
        return labeler.fit(frame, [0, 1, 0, 1], frame["group"].tolist(), PETS)

    elsewhere = items.assign(attributes=[t.replace("web", "app") for t in items["attributes"]])
    changed = _with_old(items, ["dog", "dog", None, 7])
    assert version(items) == version(elsewhere) != version(changed)
    without = SklearnLabeler(folds=2).fit(items, [0, 1, 0, 1], items["group"].tolist(), PETS)
    assert without != version(items)


def test_a_column_that_is_not_there_is_named() -> None:
    """A misspelt column is no column that says nothing."""
    items = _with_old(_texts(["a cat", "a dog"]), ["cat", "dog"])
    labeler = SklearnLabeler(folds=2, earlier_labels=["odl"])
    with pytest.raises(SettingsError, match=r"column 'odl' .*did you mean 'old'\?.*'by', 'old'"):
        labeler.fit(items, [0, 1], ["a", "b"], PETS)
