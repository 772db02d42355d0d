"""Vectors of texts are checked, shared and kept, and what encodes them is not trusted."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]

from labelops.adapters import _sklearn_model, text_vectors
from labelops.adapters.sklearn_labeler import SklearnLabeler
from labelops.adapters.text_features import TextMap, TextRows, text_rows, word_counts
from labelops.adapters.text_vectors import TextVectors
from labelops.errors import ConflictError, EndProtocolError, EndUnavailable, SettingsError
from labelops.ports import Labeler, TextEncoder
from labelops.schema import Schema
from labelops.testing.encoders import EncoderTests
from labelops.testing.labelers import LabelerTests

TOPICS = {
    "money": "charge fee bank invoice refund",
    "post": "parcel package arrived waiting letter",
    "door": "password login forgot code account",
}


class Topics:
    """A tiny encoder: how often each topic's words stand in a text, and how long it is."""

    version = "topics 1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Count, and remember what was asked."""
        self.asked += texts
        words = [text.split() for text in texts]
        found = [[sum(w in t for w in ws) for t in map(str.split, TOPICS.values())] for ws in words]
        return np.array([[*row, len(text) / 100] for row, text in zip(found, texts, strict=True)])


class Answers:
    """An encoder that answers whatever it is told to."""

    version = "answers 1"

    def __init__(self, answer: Callable[[Sequence[str]], Any]) -> None:
        self.encode = answer


class TestTopics(EncoderTests):
    """The suite passes for the tiny encoder."""

    def make(self) -> TextEncoder:
        return Topics()


@pytest.mark.slow
class TestWithVectors(LabelerTests):
    """The built-in labeler keeps every promise of labelers with vectors as well."""

    def make(self) -> Labeler:
        return SklearnLabeler(vectors=Topics())


def _items(texts: Sequence[str]) -> pd.DataFrame:
    ids = [f"i{n}" for n in range(len(texts))]
    return pd.DataFrame({"item_id": ids, "payload": texts, "payload_digest": ids, "group": ids})


@pytest.mark.slow
def test_vectors_tell_of_words_that_no_label_and_no_text_knows() -> None:
    """Power: only the encoder links the asked words to the labeled ones."""
    labeled = _items(["charge fee", "parcel letter", "fee charge", "letter parcel"])
    asked = _items(["invoice refund", "package arrived"])
    schema, sure = Schema("topics", ("money", "post")), []
    for vectors in (Topics(), None):
        labeler = SklearnLabeler(folds=2, vectors=vectors)
        labeler.fit(labeled, [0, 1, 0, 1], labeled["group"], schema)
        answers = labeler.propose(asked, schema)
        sure.append(answers["confidence"].min())
        assert vectors is None or answers["value"].tolist() == ['"money"', '"post"']
    assert sure[0] > 0.9
    assert sure[1] < 0.6


@pytest.mark.slow
def test_each_text_is_encoded_once_for_all_folds_and_runs() -> None:
    """Law: reading, fitting, proposing and a second labeler ask for every text and name once."""
    encoder, schema = Topics(), Schema("topics", ("money", "post"))
    items = _items([f"{w} {n}" for n in range(20) for w in ("fee", "parcel")] + ["fee 0"])
    shared = TextVectors(encoder)
    for _ in range(2):
        labeler = SklearnLabeler(folds=2, vectors=shared)
        labeler.read(items, schema)
        labeler.fit(items.iloc[:40], [0, 1] * 20, items["group"].iloc[:40], schema)
        labeler.propose(items, schema)
    assert sorted(encoder.asked) == sorted({*items["payload"], *schema.classes})


def test_texts_are_asked_in_blocks_and_no_more_are_kept_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """2,100 texts come in three blocks; where three fit in, the others are encoded again."""
    sizes: list[int] = []

    class Counted(Topics):
        def encode(self, texts: Sequence[str]) -> np.ndarray:
            sizes.append(len(texts))
            return super().encode(texts)

    texts = [f"fee {n}" for n in range(2_100)]
    vectors = TextVectors(Counted())
    first = vectors.of(_items(texts))
    assert sizes == [1024, 1024, 52]
    assert np.array_equal(vectors.of(_items(texts[::-1])), first[::-1])
    assert len(sizes) == 3
    monkeypatch.setattr(text_vectors, "_KEPT", 3 * (4 + 64))
    encoder = Topics()
    few = TextVectors(encoder)
    assert np.array_equal(few.of(_items(texts[:5])), few.of(_items(texts[:5])))
    assert encoder.asked == [*texts[:5], *texts[3:5]]


@pytest.mark.parametrize("size", [2, 256])
def test_what_is_kept_takes_the_memory_it_says(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Law: four bytes a number, whether vectors are short or long; a block more while it works."""
    monkeypatch.setattr(text_vectors, "_KEPT", 2**18)
    items = _items([f"t{n}" for n in range(6_000 if size == 2 else 2_000)])
    vectors = TextVectors(Answers(lambda texts: np.ones((len(texts), size), dtype=np.float32)))
    tracemalloc.start()
    vectors.of(items)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    block = 4 * 1024 * size
    assert 0.5 * 4 * 2**18 < kept < 4 * 2**18 + block


def test_rows_are_unit_vectors_and_zero_stays_zero() -> None:
    """A worked example: (3, 4) is (.6, .8), tiny and huge numbers do no harm, 0 is no direction."""
    rows = np.array([[3, 4], [3e-20, 4e-20], [3e30, 4e30], [0, 0]])
    found = TextVectors(Answers(lambda texts: rows)).of(_items(list("abcd")))
    np.testing.assert_allclose(found, [[0.6, 0.8]] * 3 + [[0, 0]], rtol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda texts: np.full((len(texts), 3), np.nan), "item 'i0': .* NaN or infinity"),
        (lambda texts: np.array([[1.0], [np.inf], [2.0]]), "item 'i1': .* NaN or infinity"),
        (lambda texts: np.array([[1.0], [1e300], [2.0]]), "item 'i1': .* NaN or infinity"),
        (lambda texts: np.ones((2, 4)), r"3 rows of numbers and gave float64 of shape \(2, 4\)"),
        (lambda texts: np.ones(3), r"shape \(3,\)"),
        (lambda texts: np.ones((3, 0)), "gave 0 numbers a text"),
        (lambda texts: np.ones((3, 2), dtype=complex), "complex128"),
        (lambda texts: np.ones((3, 2), dtype=bool), "bool"),
        (lambda texts: [["a"], ["b"], ["c"]], "gave <U1"),
        (lambda texts: None, "object"),
        (lambda texts: [[1.0], [1.0, 2.0], [3.0]], "raised ValueError"),
        (lambda texts: 1 / 0, "raised ZeroDivisionError: .division by zero"),
    ],
)
def test_a_wrong_answer_is_named(answer: Callable[[Sequence[str]], Any], says: str) -> None:
    """NaN, infinity, wrong lengths, shapes and types, and what it raises: one line, our error."""
    with pytest.raises(EndProtocolError, match=says) as caught:
        TextVectors(Answers(answer)).of(_items(list("abc")))
    assert "'answers 1'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_vectors_of_another_length_than_before_are_refused() -> None:
    """An encoder that changes in the middle is no encoder."""
    vectors = TextVectors(Answers(lambda texts: np.ones((len(texts), len(texts)))))
    vectors.of(_items(["a", "b"]))
    with pytest.raises(EndProtocolError, match="gave 1 numbers a text, not 2"):
        vectors.of(_items(["c"]))


class Renamed(Topics):
    """An encoder whose model somebody changes: from the given call on it has another version."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.calls, self.at = 0, at

    @property
    def version(self) -> str:  # type: ignore[override]
        """The first version up to the change."""
        return "topics 1" if self.calls < self.at else "topics 2"

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Encode, by either version with as many numbers as it has."""
        self.calls += 1
        found = super().encode(texts)
        return found if self.calls < self.at else found[:, :2]


def test_another_version_in_mid_run_ends_it_and_the_next_run_is_of_the_new_one() -> None:
    """Nothing of before is kept; trying again is right with nothing changed by anybody."""
    encoder = Renamed(at=2)
    vectors = TextVectors(encoder)
    assert vectors.of(_items(["fee"])).shape == (1, 4)
    with pytest.raises(ConflictError, match="was 'topics 1' and is now 'topics 2'") as caught:
        vectors.of(_items(["fee", "parcel"]))
    assert caught.value.retryable
    assert vectors.version == "topics 2"
    assert vectors.of(_items(["fee", "parcel"])).shape == (2, 2)
    assert encoder.asked == ["fee", "parcel", "fee", "parcel"]


def test_a_model_never_meets_vectors_of_another_version() -> None:
    """Whether it or an audit has noticed: it proposes nothing until it is fitted again."""
    items, schema = _items(["fee", "parcel", "charge", "letter"]), Schema("t", ("money", "post"))
    shared = TextVectors(Renamed(at=2))
    labeler = SklearnLabeler(folds=2, vectors=shared)
    first = labeler.fit(items, [0, 1, 0, 1], items["group"], schema)
    for _ in range(2):
        with pytest.raises(ConflictError, match="topics 2"):
            labeler.propose(_items(["refund"]), schema)
    assert labeler.fit(items, [0, 1, 0, 1], items["group"], schema) != first
    assert labeler.propose(_items(["refund"]), schema)["value"].tolist() == ['"money"']


def test_an_encoder_may_change_the_list_it_is_handed() -> None:
    """It is its own; what it was asked is counted by what was asked."""

    def emptying(texts: list[str]) -> Any:
        found = np.ones((len(texts), 2))
        texts.clear()
        return found

    def adding(texts: list[str]) -> Any:
        texts.append("more")
        return np.ones((len(texts), 2))

    assert TextVectors(Answers(emptying)).of(_items(["a", "b"])).shape == (2, 2)
    with pytest.raises(EndProtocolError, match=r"asked for 2 rows .* shape \(3, 2\)"):
        TextVectors(Answers(adding)).of(_items(["a", "b"]))


@pytest.mark.slow
def test_an_encoder_has_all_threads_and_the_classifier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading, fitting and proposing: what limits our sums does not slow a model of one's own."""
    seen: dict[str, set[int]] = {"encoder": set(), "classifier": set()}

    def threads() -> set[int]:
        return {i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"}

    class Watched(LogisticRegression):
        def fit(self, *given: Any, **named: Any) -> Any:
            seen["classifier"] |= threads()
            return super().fit(*given, **named)

        def predict_proba(self, *given: Any, **named: Any) -> Any:
            seen["classifier"] |= threads()
            return super().predict_proba(*given, **named)

    class Watching(Topics):
        def encode(self, texts: Sequence[str]) -> np.ndarray:
            seen["encoder"] |= threads()
            return super().encode(texts)

    monkeypatch.setattr(_sklearn_model, "LogisticRegression", Watched)
    items, schema = _items(["fee", "parcel", "charge", "letter"]), Schema("t", ("money", "post"))
    with threadpool_limits(2, "blas"):
        for texts in (items, _items(["fee one", "fee two"])):
            labeler = SklearnLabeler(folds=2, vectors=Watching())
            labeler.read(texts, schema)
            labeler.fit(items, [0, 1, 0, 1], items["group"], schema)
            labeler.propose(_items(["refund", "package"]), schema)
    assert seen == {"encoder": {2}, "classifier": {1}}


def test_our_own_errors_pass() -> None:
    """An encoder behind a network says itself that trying again helps."""

    def away(texts: Sequence[str]) -> Any:
        raise EndUnavailable("the server is away")

    with pytest.raises(EndUnavailable, match="away"):
        TextVectors(Answers(away)).of(_items(["a"]))


def test_half_a_character_pair_is_replaced_before_it_is_asked() -> None:
    """The encoder gets valid Unicode, as the port says; no items are no question."""
    encoder = Topics()
    vectors = TextVectors(encoder)
    assert vectors.of(_items(["fee \ud800", "fee ?"])).shape == (2, 4)
    assert encoder.asked == ["fee ?"]
    assert vectors.of(_items([])).shape == (0, 4)
    assert TextVectors(encoder).of(_items([])).shape == (0, 0)


@pytest.mark.parametrize(
    ("encoder", "says"),
    [
        (object(), "no text encoder"),
        (len, "no text encoder"),
        (type("Unnamed", (), {"encode": lambda self, texts: texts})(), "no text encoder"),
        (type("Empty", (Topics,), {"version": " "})(), "`version` is empty"),
        (
            type("Broken", (Topics,), {"version": property(lambda self: 1 / 0)})(),
            "`version` raised ZeroDivisionError: 'division by zero'",
        ),
    ],
)
def test_what_is_no_encoder_is_refused(encoder: Any, says: str) -> None:
    """Without `encode`, or without a version, nothing is begun."""
    with pytest.raises(SettingsError, match=says):
        SklearnLabeler(vectors=encoder)


def test_vectors_are_of_texts() -> None:
    """An image labeler refuses them."""
    with pytest.raises(SettingsError, match="vectors are of texts"):
        SklearnLabeler(media="image", vectors=Topics())


@pytest.mark.slow
def test_the_version_is_of_the_vectors() -> None:
    """Other vectors are another version; without any it is what it always was."""
    items, schema = _items(["fee", "parcel", "charge", "letter"]), Schema("t", ("money", "post"))

    class Other(Topics):
        version = "topics 2"

    made = [SklearnLabeler(folds=2, vectors=v) for v in (None, Topics(), Topics(), Other())]
    versions = [m.fit(items, [0, 1, 0, 1], items["group"], schema) for m in made]
    assert versions[1] == versions[2]
    assert len(set(versions)) == 3


def test_without_vectors_nothing_has_changed() -> None:
    """The default model's features are words' alone, as ever, so no workspace is fitted anew."""
    rows = text_rows(_items(["fee", "parcel", "charge", "letter"]))
    learned = TextMap.learned(rows)
    assert rows.vectors is None
    assert (learned(rows) != learned.tfidf(rows.counts)).nnz == 0


def test_an_estimator_of_ones_own_gets_them_beside_the_words() -> None:
    """They are asked for, so they are there; one that cannot take them says what to change."""
    items, schema = _items(["fee", "parcel", "charge", "letter"]), Schema("t", ("money", "post"))
    name, few = "sklearn.ensemble.RandomForestClassifier", {"n_estimators": 5}
    forest = SklearnLabeler(name, params=few, vectors=Topics(), folds=2)
    forest.fit(items, [0, 1, 0, 1], items["group"], schema)
    assert forest.propose(_items(["refund"]), schema)["value"].tolist() == ['"money"']
    minus = Answers(lambda texts: -np.ones((len(texts), 2)))
    bayes = SklearnLabeler("sklearn.naive_bayes.MultinomialNB", vectors=minus, folds=2)
    with pytest.raises(SettingsError, match="go without `vectors`"):
        bayes.fit(items, [0, 1, 0, 1], items["group"], schema)


def test_rows_keep_counts_and_vectors_together() -> None:
    """Law: picking rows before mapping is mapping and picking rows."""
    counts = word_counts(["red cat", "blue dog", "red dog"])
    rows = TextRows(counts, np.eye(3, dtype=np.float32))
    learned, mask = TextMap.learned(rows), np.array([True, False, True])
    assert (learned(rows[mask]) != learned(rows)[[0, 2]]).nnz == 0
