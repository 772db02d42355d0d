"""SklearnLabeler keeps the suite's promises, and its own."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer

from labelops.adapters._sklearn_folds import assign_folds
from labelops.adapters.image_features import Grey, pixels
from labelops.adapters.sklearn_labeler import SklearnLabeler
from labelops.adapters.text_features import word_counts
from labelops.errors import SettingsError, SourceError, TableError, UsageError
from labelops.ports import Labeler
from labelops.schema import Schema
from labelops.testing.labelers import LabelerTests

from ..digits import digits

PETS = Schema("pets", ("cat", "dog", "emu"))


class TestOfCounts(LabelerTests):
    """One that learns in no time passes the suite."""

    def make(self) -> Labeler:
        return SklearnLabeler("sklearn.naive_bayes.MultinomialNB", folds=3)

    def make_broken(self) -> Labeler:
        return SklearnLabeler("sklearn.naive_bayes.MultinomialNB", media="image")


@pytest.mark.slow
class TestDefault(LabelerTests):
    """The default labeler passes it."""

    def make(self) -> Labeler:
        return SklearnLabeler()

    def make_broken(self) -> Labeler:
        return SklearnLabeler(media="image")


@pytest.mark.slow
class TestByName(LabelerTests):
    """One that would memorise its training rows passes it too: it is never asked in-sample."""

    def make(self) -> Labeler:
        return SklearnLabeler("sklearn.neighbors.KNeighborsClassifier", params={"n_neighbors": 1})

    def make_broken(self) -> Labeler:
        return SklearnLabeler("sklearn.neighbors.KNeighborsClassifier", media="image")


class _Leaky(SklearnLabeler):
    """Answers training items from the model that saw them, and names folds all the same."""

    def _learn(self, rows: pd.DataFrame, schema: Schema) -> object:  # type: ignore[override]
        fitted = super()._learn(rows, schema)
        object.__setattr__(fitted, "held_out", dict.fromkeys(fitted.held_out, fitted.whole))
        return fitted


@pytest.mark.slow
def test_suite_finds_a_leak() -> None:
    """The two tests about one's own label fail for a labeler that proposes in-sample."""

    class Suite(LabelerTests):
        def make(self) -> Labeler:
            return _Leaky("sklearn.neighbors.KNeighborsClassifier", params={"n_neighbors": 1})

    items = (
        LabelerTests.items.__wrapped__(Suite())
        if hasattr(LabelerTests.items, "__wrapped__")
        else None
    )
    if items is None:
        items = LabelerTests.items._get_wrapped_function()(Suite())
    schema = Schema("pets", ("cat", "dog", "bird"))
    with pytest.raises(AssertionError):
        Suite().test_own_group_has_no_say(schema, items)
    with pytest.raises(AssertionError):
        Suite().test_own_label_has_no_say(schema, items)


def _texts(texts: list[str], groups: list[str] | None = None) -> pd.DataFrame:
    ids = [f"i{n}" for n in range(len(texts))]
    return pd.DataFrame(
        {"item_id": ids, "payload": texts, "payload_digest": ids, "group": groups or ids}
    )


TOPICS = {"money": "invoice refund charge fee bank", "post": "parcel courier van depot letter"}


def _two_topics(n: int) -> tuple[pd.DataFrame, list[int]]:
    """Texts of two topics, each of two words of its topic's five."""
    rng = np.random.default_rng(3)
    topics = [words.split() for words in TOPICS.values()]
    codes = [k % 2 for k in range(n)]
    return _texts([" ".join(rng.choice(topics[k], 2, replace=False)) for k in codes]), codes


@pytest.mark.slow
def test_what_was_read_tells_of_words_that_no_label_knows() -> None:
    """Law and power: a word that only unlabeled texts link to a labeled one is understood."""
    items, _ = _two_topics(32)
    schema = Schema("topics", tuple(TOPICS))
    labeled = _texts(["invoice refund", "parcel courier", "refund invoice", "courier parcel"])
    labeled["item_id"] += "labeled"
    asked = _texts(["charge bank", "depot van", "fee charge", "letter depot"])
    right = ['"money"', '"post"', '"money"', '"post"']

    def sure(*, read: bool) -> pd.Series:
        labeler = SklearnLabeler(folds=2)
        if read:
            labeler.read(items, schema)
        labeler.fit(labeled, [0, 1, 0, 1], labeled["item_id"], schema)
        answers = labeler.propose(asked, schema)
        assert not read or answers["value"].tolist() == right
        return answers["confidence"]

    assert sure(read=True).min() > 0.8
    assert sure(read=False).max() < 0.6


@pytest.mark.slow
def test_reading_is_of_the_default_text_model_alone() -> None:
    """An estimator of one's own gets the tf-idf rows it always got, so it is the same version."""
    items, codes = _two_topics(40)
    schema = Schema("topics", tuple(TOPICS))
    for name, same in (("sklearn.naive_bayes.MultinomialNB", True), (None, False)):
        one, other = SklearnLabeler(name), SklearnLabeler(name)
        one.read(items, schema)
        versions = {m.fit(items, codes, items["group"], schema) for m in (one, other)}
        assert (len(versions) == 1) is same


def test_probabilities_are_in_schema_order_with_zeros_for_unseen_classes() -> None:
    """A class nobody voted for gets probability 0, in its own place."""
    items = _texts(["dog bark", "emu run", "dog barks", "emu runs", "dog barking", "emu running"])
    labeler = SklearnLabeler(folds=3)
    labeler.fit(items, [1, 2, 1, 2, 1, 2], items["group"], PETS)
    answers = labeler.propose(items, PETS)
    probs = np.stack(answers["probs"].to_list())
    assert (probs[:, 0] == 0).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1)
    np.testing.assert_allclose(answers["confidence"], probs.max(axis=1))
    assert answers["value"].tolist() == ['"dog"', '"emu"'] * 3


@pytest.mark.parametrize(
    ("codes", "why"), [([], "no labels"), ([1], "two classes"), ([1, 1, 1], "'dog'")]
)
def test_abstains_with_a_reason_until_there_are_two_classes(codes: list[int], why: str) -> None:
    """None, one or several labels of one class: no proposal, no crash, and the reason."""
    items = _texts(["a b", "c d", "e f", "g h"])
    labeler, some = SklearnLabeler(), items.iloc[: len(codes)]
    assert len(labeler.fit(some, codes, some["group"], PETS)) == 64
    answers = labeler.propose(items, PETS)
    assert answers["value"].isna().all()
    assert answers["probs"].isna().all()
    assert answers["confidence"].isna().all()
    assert why in str(labeler.why_silent)


@pytest.mark.parametrize("codes", [[0, 1], [0, 0, 1], [0, 1, 2], [0, 0, 0, 0, 0, 0, 1]])
def test_few_labels_do_not_crash(codes: list[int]) -> None:
    """One example of a class cannot be held out and learned; the rest is proposed."""
    items = _texts([f"word{n % 3} w{n}" for n in range(9)])
    labeler, some = SklearnLabeler(), items.iloc[: len(codes)]
    labeler.fit(some, codes, some["group"], PETS)
    answers = labeler.propose(items, PETS)
    assert answers["fold"].notna().sum() == len(codes)
    assert answers.loc[answers["fold"].isna(), "value"].notna().all()


def test_one_group_has_nothing_to_be_held_out_against() -> None:
    """When all labels are in one leakage group its items are not proposed, others are."""
    items = _texts(["cat", "dog", "cats", "dogs"], ["g", "g", "g", "h"])
    labeler = SklearnLabeler()
    labeler.fit(items.iloc[:2], [0, 1], ["g", "g"], PETS)
    answers = labeler.propose(items, PETS)
    assert answers["value"].isna().tolist() == [True, True, True, False]


def test_folds_keep_groups_and_spread_classes() -> None:
    """Law: one fold a group, and class counts a fold differ by little."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 300)
    groups = [f"g{n // 2}" for n in range(300)]
    folds = assign_folds(codes, groups, 5, seed=1)
    alone = assign_folds(codes, [f"g{n}" for n in range(300)], 5, seed=1)
    assert pd.crosstab(alone, codes).apply(lambda c: c.max() - c.min()).max() <= 1
    assert pd.Series(folds).groupby(groups).nunique().max() == 1
    assert pd.crosstab(folds, codes).apply(lambda c: c.max() - c.min()).max() <= 6


@pytest.mark.parametrize(
    ("name", "params", "says"),
    [
        ("sklearn.nowhere.Thing", {}, "cannot be imported"),
        ("json.dumps", {}, "not a class"),
        ("sklearn.svm.LinearSVC", {}, "predict_proba"),
        ("sklearn.linear_model.LogisticRegression", {"colour": 3}, "colour"),
        (None, {"colour": 3}, "colour"),
    ],
)
def test_refuses_an_estimator_that_cannot_serve(
    name: str | None, params: dict[str, object], says: str
) -> None:
    """A name that is not there, not a class, without probabilities, or a wrong parameter."""
    with pytest.raises(SettingsError, match=says):
        SklearnLabeler(name, params=params)


def test_refuses_what_the_estimator_refuses() -> None:
    """A classifier that cannot take these rows is a setting to change, in its own words."""
    items = _texts(["cat", "dog", "cats", "dogs"])
    labeler = SklearnLabeler("sklearn.naive_bayes.GaussianNB", folds=2)
    with pytest.raises(SettingsError, match="GaussianNB cannot learn"):
        labeler.fit(items, [0, 1, 0, 1], items["group"], PETS)


def test_refuses_wrong_training_rows() -> None:
    """Lengths, repeated items and codes outside the schema are named."""
    items = _texts(["cat", "dog"])
    with pytest.raises(UsageError, match="2 items, 1 codes"):
        SklearnLabeler().fit(items, [0], ["a", "b"], PETS)
    with pytest.raises(UsageError, match="'i1': code 3"):
        SklearnLabeler().fit(items, [0, 3], ["a", "b"], PETS)
    with pytest.raises(TableError, match="'i0' is given twice"):
        SklearnLabeler().fit(items.iloc[[0, 0]], [0, 1], ["a", "b"], PETS)
    with pytest.raises(SettingsError, match="is about image"):
        SklearnLabeler().propose(items, Schema("p", ("a", "b"), media="image"))


def _digits() -> tuple[pd.DataFrame, npt.NDArray[np.int64], dict[str, bytes]]:
    X, y = digits()
    store = {f"d{n:04d}": _png(row.reshape(8, 8) * 255 / 16) for n, row in enumerate(X)}
    ids = list(store)
    items = pd.DataFrame({"item_id": ids, "payload": ids, "payload_digest": ids, "group": ids})
    return items, y, store


def _png(grey: npt.NDArray[np.floating], mode: str = "L") -> bytes:
    file = io.BytesIO()
    Image.fromarray(grey.round().astype("uint16" if mode == "I;16" else "uint8")).save(file, "PNG")
    return file.getvalue()


@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
@example(["", " ", "ab", "Straße ΑΣ ΑΣ, İstanbul\u2003x\x1cy  zz\t\n q", "日本語 日本語 ab"])
def test_runs_of_characters_are_those_that_scikit_learn_counts(texts: list[str]) -> None:
    """Hashing each different word once gives what hashing every text does, to the last bit."""
    clean = [t.encode("utf-8", "replace").decode("utf-8") for t in texts]
    common = {"n_features": 2**18, "alternate_sign": False, "norm": None}
    words = HashingVectorizer(ngram_range=(1, 2), **common)
    runs = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), **common)
    wanted = sparse.hstack([words.transform(clean), runs.transform(clean)], format="csr")
    wanted.sort_indices()
    found = word_counts(texts)
    assert found.shape == wanted.shape
    for part in ("indptr", "indices", "data"):
        assert np.array_equal(getattr(found, part), getattr(wanted, part)), part


@pytest.mark.slow
def test_reads_digits_from_200_labels() -> None:
    """Real digits: ≥ .92 on fresh images, and the held-out accuracy says so within .05."""
    items, y, store = _digits()
    schema = Schema("digits", tuple("0123456789"), media="image")
    labeler = SklearnLabeler(media="image", load=store.__getitem__)
    train = np.random.default_rng(0).permutation(len(y))[:200]
    labeler.fit(items.iloc[train], y[train].tolist(), items["group"].iloc[train], schema)
    answers = labeler.propose(items, schema)
    right = answers["value"].str.strip('"').astype(int).to_numpy() == y
    held_out = answers["fold"].notna().to_numpy()
    assert held_out.sum() == 200
    assert right[~held_out].mean() >= 0.92
    assert abs(right[held_out].mean() - right[~held_out].mean()) <= 0.05


def test_images_of_all_sorts_are_read() -> None:
    """Transparent, 16-bit, palette, one-pixel and non-square images give finite pixels."""
    clear = io.BytesIO()
    Image.new("RGBA", (5, 9), (0, 0, 0, 0)).save(clear, "PNG")
    palette = io.BytesIO()
    Image.new("P", (1, 1)).save(palette, "GIF")
    deep = _png(np.arange(64).reshape(8, 8) * 1000.0, "I;16")
    store = {"clear": clear.getvalue(), "palette": palette.getvalue(), "deep": deep}
    items = pd.DataFrame({"item_id": list(store), "payload": list(store)})
    grey = pixels(items, store.__getitem__)
    assert grey.shape == (3, 256)
    assert (grey[0] == 1).all()
    assert 0.4 < grey[2].mean() < 0.6


def test_a_file_that_is_no_image_is_named() -> None:
    """The item is in the message, the bytes are not."""
    items = pd.DataFrame({"item_id": ["x7"], "payload": ["f"]})
    with pytest.raises(SourceError, match="'x7': the payload is not a readable image"):
        pixels(items, lambda _: b"<html>")
    with pytest.raises(SourceError, match="'x7'"):
        pixels(items, lambda _: _png(np.zeros((8, 8)))[:40])


def test_images_decoded_once_give_the_same_numbers() -> None:
    """What is kept by content is not loaded again, and says what decoding said."""
    rng = np.random.default_rng(0)
    store = {}
    for name in "abc":
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (20, 20), dtype=np.uint8)).save(file, "PNG")
        store[name] = file.getvalue()
    names = ["a", "b", "c", "a"]
    items = pd.DataFrame({"item_id": [*"wxyz"], "payload": names, "payload_digest": names})
    kept: dict[str, Grey] = {}
    first = pixels(items, store.__getitem__, kept)
    assert np.array_equal(first, pixels(items, store.__getitem__))
    assert sorted(kept) == ["a", "b", "c"]
    store.clear()
    assert np.array_equal(first, pixels(items, store.__getitem__, kept))
