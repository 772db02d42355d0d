"""Label sets with known classes, and people to label them, real or drawn from real ones.

Every possible vote is laid down before a run: for each item, in which order people would look at
it and what each would say. So two pipelines that ask about the same item get the same answers,
and no pipeline has luckier people than another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from labelops.adapters.image_features import Grey, pixels
from labelops.adapters.sklearn_labeler import SklearnLabeler
from labelops.adapters.text_features import TextRows, TfidfMap, comparable, text_rows, word_counts
from labelops.adapters.text_vectors import TextVectors
from labelops.adapters.wordllama_encoder import WordLlamaEncoder
from labelops.audit.few_dimensions import few_dimensions
from labelops.digest import canonical_json
from labelops.schema import Schema
from labelops.testing.annotators import team_of_seven

__all__ = [
    "SETS",
    "TEAM",
    "Crowd",
    "LabelSet",
    "data_folder",
    "label_set",
    "measured_skills",
    "most_alike",
]

Codes = npt.NDArray[np.int64]

TEAM = 20
"""People in a simulated team."""

BANKING = 4_000
"""Messages drawn from the 13,083 of banking77."""

_SHRINK = 4.0


def data_folder() -> Path:
    """Return where the real data sets are: LABELOPS_TEST_DATA, or beside the project."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("LABELOPS_TEST_DATA", beside))


@dataclass(frozen=True)
class Crowd:
    """Every vote that could be had: row i holds item i's, in the order in which people look.

    Parameters
    ----------
    who : (N, M) int array
        Annotators, none twice in a row.
    said : (N, M) int array
        The class each of them names.
    """

    who: Codes
    said: Codes

    def majority(self, votes: int) -> Codes:
        """Decide every item by its first votes; where classes tie, by the earliest of theirs."""
        first = self.said[:, :votes]
        counts = (first[:, :, None] == first[:, None, :]).sum(axis=2)
        return first[np.arange(len(first)), counts.argmax(axis=1)]


@dataclass(frozen=True)
class LabelSet:
    """Items whose classes are known here, and how to have them labeled.

    Parameters
    ----------
    schema : Schema
        Named as the set is.
    payloads, groups : list of str
        Of each item.
    truth : (N,) int array
    features : array
        For the search of label errors: not learned from labels.
    crowds : mapping of name to callable
        From a seed to the votes that could be had: of the set's own people ("real"), of a team of
        RTE's workers ("rte"), or of the demonstration's seven ("seven").
    labeler : callable
        Returns the labeler, to be fitted anew.
    attributes : list of str
        Of each item, as JSON: labels from before, where there are any.
    """

    schema: Schema
    payloads: list[str]
    groups: list[str]
    truth: Codes
    features: npt.NDArray[np.float64]
    crowds: Mapping[str, Callable[[int], Crowd]]
    labeler: Callable[[], SklearnLabeler]
    attributes: list[str] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """Return the items' ids, sorted."""
        return [f"i{n:05d}" for n in range(len(self.truth))]


class _Remembering(SklearnLabeler):
    """The built-in labeler, with what it reads off payloads kept: it learns nothing from that."""

    def __init__(self, places: Mapping[str, int], raw: Any, **settings: Any) -> None:
        super().__init__(**settings)
        self._places, self._counts = places, raw

    def with_earlier(self, columns: Sequence[str]) -> _Remembering:
        """Return one that also learns from columns with labels from before."""
        return _Remembering(
            self._places, self._counts, media=self._recipe.media, vectors=self._vectors,
            earlier_labels=columns,
        )  # fmt: skip

    def _raw(self, items: pd.DataFrame) -> Any:
        return self._counts[[self._places[p] for p in items["payload"]]]


def _labeler(
    payloads: list[str], raw: Any, media: str, vectors: TextVectors | None = None
) -> Callable[[], SklearnLabeler]:
    places = {payload: n for n, payload in enumerate(payloads)}
    # One for all: what it has read of the texts it need not read again.
    labeler = _Remembering(places, raw, media=media, vectors=vectors)
    return lambda: labeler


def _of_texts(
    name: str,
    texts: list[str],
    classes: list[str],
    truth: Codes,
    groups: list[str] | None,
    crowd: Callable[[int], Crowd] | None = None,
    vectors: TextVectors | None = None,
) -> LabelSet:
    ids = [f"i{n:05d}" for n in range(len(texts))]
    rows = text_rows(pd.DataFrame({"item_id": ids, "payload": texts}), vectors)
    # Two items may say the same: their rows of counts are the same too.
    features = comparable(TextRows(rows.counts))
    schema = Schema(name, tuple(classes))
    # People err by the words, whatever the model has: they are the same with vectors and without.
    crowds = _simulated(features, truth, schema) if crowd is None else {"real": crowd}
    if vectors is not None:
        features = comparable(rows)
    return LabelSet(
        schema, texts, groups or [f"g{n}" for n in range(len(texts))], truth,
        features, crowds, _labeler(texts, rows, "text", vectors),
    )  # fmt: skip


def _digits() -> LabelSet:
    """Return scikit-learn's 1,797 handwritten digits, shown as the demonstration shows them."""
    from PIL import Image
    from sklearn.datasets import load_digits

    data = load_digits()
    payloads = [f"image:{n}" for n in range(len(data.target))]
    kept: dict[str, Grey] = {}
    for payload, image in zip(payloads, data.images, strict=True):
        whole = Image.fromarray((255 - image / 16 * 255).astype(np.uint8))
        shown = whole.resize((64, 64), Image.Resampling.NEAREST)
        small = shown.resize((16, 16), Image.Resampling.BILINEAR)
        kept[payload] = np.asarray(small, dtype=np.uint8).ravel()
    frame = pd.DataFrame({"item_id": payloads, "payload": payloads, "payload_digest": payloads})
    grey = pixels(frame, lambda uri: b"", kept)
    features, truth = few_dimensions(grey), data.target.astype(np.int64)
    schema = Schema("digits", tuple("0123456789"), media="image")
    return LabelSet(
        schema, payloads, payloads, truth, features, _simulated(features, truth, schema),
        _labeler(payloads, grey, "image"),
    )  # fmt: skip


def _tickets(name: str = "tickets", vectors: TextVectors | None = None) -> LabelSet:
    folder = Path(__file__).resolve().parents[1] / "sample_data" / "tickets"
    rows = pd.read_csv(folder / "items.csv").merge(pd.read_csv(folder / "truth.csv"))
    truth, names = pd.factorize(rows["intent"], sort=True)
    groups = rows["customer"].fillna(rows["ticket_id"]).tolist()
    texts = rows["text"].tolist()
    return _of_texts(name, texts, list(names), truth, groups, vectors=vectors)


def _tickets_vectors() -> LabelSet:
    """Return the tickets with a labeler that learns from their vectors, too."""
    return _tickets("tickets_vectors", TextVectors(WordLlamaEncoder()))


def _banking() -> LabelSet:
    """Return 4,000 bank customers' questions, 77 intents, as 128 latent dimensions of their words.

    A model on those, as the built-in one for images is, reads .71 of them right after 1,000
    labels, one on all words .73, in a tenth of the time.
    """
    parts = [pd.read_csv(data_folder() / "banking77" / f"{p}.csv") for p in ("train", "test")]
    rows = pd.concat(parts, ignore_index=True).sample(BANKING, random_state=0)
    truth, names = pd.factorize(rows["category"], sort=True)
    counts = word_counts(rows["text"].tolist())
    features = few_dimensions(TfidfMap.learned(counts)(counts), 128)
    payloads = [f"text:{n}" for n in range(len(truth))]
    schema = Schema("banking77", tuple(names), media="image")
    return LabelSet(
        schema, payloads, payloads, truth, features, _simulated(features, truth, schema),
        _labeler(payloads, features, "image"),
    )  # fmt: skip


def _rte() -> LabelSet:
    """Return the 800 pairs of sentences, with the ten votes that people gave to each."""
    folder = data_folder() / "rte_snow"
    rows = pd.read_csv(folder / "items.csv")
    texts = (rows["text"] + " ⇒ " + rows["hypothesis"]).tolist()
    votes = pd.read_csv(folder / "annotations.csv")
    votes["place"] = pd.Index(rows["item_id"]).get_indexer(votes["item_id"])
    votes = votes.sort_values("place", kind="stable")
    who = pd.factorize(votes["worker"], sort=True)[0].reshape(len(rows), -1)
    said = votes["label"].to_numpy(dtype=np.int64).reshape(len(rows), -1)

    def replayed(seed: int) -> Crowd:
        order = np.random.default_rng([seed, 1]).random(who.shape).argsort(axis=1)
        return Crowd(np.take_along_axis(who, order, 1), np.take_along_axis(said, order, 1))

    truth = rows["gold"].to_numpy(dtype=np.int64)
    return _of_texts("rte_snow", texts, ["no", "yes"], truth, None, replayed)


def measured_skills() -> npt.NDArray[np.float64]:
    """Return how often each of RTE's 164 workers is right, (164, 2): where no, where yes is true.

    A little towards the crowd's mean, since many gave twenty votes only.
    """
    folder = data_folder() / "rte_snow"
    gold = pd.read_csv(folder / "items.csv").set_index("item_id")["gold"]
    votes = pd.read_csv(folder / "annotations.csv")
    votes = votes.assign(gold=votes["item_id"].map(gold))
    votes["right"] = votes["label"] == votes["gold"]
    by = {
        how: votes.pivot_table(
            index="worker", columns="gold", values="right", aggfunc=how, fill_value=0
        ).to_numpy(dtype=np.float64)
        for how in ("sum", "count")
    }
    mean = votes.groupby(["worker", "gold"])["right"].mean().groupby("gold").mean().to_numpy()
    return (by["sum"] + _SHRINK * mean) / (by["count"] + _SHRINK)


def _simulated(
    features: npt.NDArray[np.float64], truth: Codes, schema: Schema
) -> Mapping[str, Callable[[int], Crowd]]:
    """Let teams of twenty of RTE's workers, or the demonstration's seven, label another set.

    Of RTE's workers each is right as often as measured there: on half of the classes as where
    "no" was true, on the others as where "yes" was. Half of their errors name the class that
    looks most alike (whose items' features have the nearest mean), the others any class.
    """
    alike = most_alike(features, truth)
    K = len(alike)

    def rte(seed: int) -> Crowd:
        rng = np.random.default_rng([seed, 1])
        skills = measured_skills()
        team = skills[rng.choice(len(skills), TEAM, replace=False)]
        sides = rng.permutation(K) % 2
        who = rng.random((len(truth), TEAM)).argsort(axis=1)
        right = rng.random(who.shape) < team[who, sides[truth][:, None]]
        other = (truth[:, None] + rng.integers(1, K, who.shape)) % K
        wrong = np.where(rng.random(who.shape) < 0.5, alike[truth][:, None], other)
        return Crowd(who, np.where(right, truth[:, None], wrong))

    def seven(seed: int) -> Crowd:
        rng = np.random.default_rng([seed, 2])
        team = np.stack([a.confusion for a in team_of_seven(schema)]).cumsum(axis=2)
        who = rng.random((len(truth), len(team))).argsort(axis=1)
        draws = rng.random(who.shape)
        said = (draws[:, :, None] >= team[who, truth[:, None]]).sum(axis=2)
        return Crowd(who, np.minimum(said, K - 1))

    return {"rte": rte, "seven": seven}


def most_alike(features: npt.NDArray[np.float64], truth: Codes) -> Codes:
    """Return for each class the one whose items' features have the nearest mean."""
    K = int(truth.max()) + 1
    means = np.stack([features[truth == k].mean(axis=0) for k in range(K)])
    distance = ((means[:, None] - means[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    return distance.argmin(axis=1).astype(np.int64)


SETS: Mapping[str, Callable[[], LabelSet]] = {
    "digits": _digits,
    "tickets": _tickets,
    "tickets_vectors": _tickets_vectors,
    "rte_snow": _rte,
    "banking77": _banking,
}
"""The label sets by name; all but digits' and tickets' items lie in `data_folder`."""


@cache
def label_set(name: str) -> LabelSet:
    """Return a label set, read once a process.

    ``"digits-0.95"`` are the digits with a label each from before, 95 % of them right. Half of the
    mistakes name the class that looks most alike, the others any.
    """
    plain, _, right = name.partition("-")
    data = SETS[plain]()
    return _with_earlier(data, name, float(right)) if right else data


def _with_earlier(data: LabelSet, name: str, right: float) -> LabelSet:
    rng = np.random.default_rng([4, round(100 * right)])
    truth, K = data.truth, len(data.schema.classes)
    other = (truth + rng.integers(1, K, len(truth))) % K
    alike = most_alike(data.features, truth)[truth]
    wrong = np.where(rng.random(len(truth)) < 0.5, alike, other)
    said = np.where(rng.random(len(truth)) < right, truth, wrong)
    labeler = data.labeler()
    assert isinstance(labeler, _Remembering)
    made = labeler.with_earlier(["label"])
    return replace(
        data,
        schema=replace(data.schema, name=name),
        labeler=lambda: made,
        attributes=[canonical_json({"label": data.schema.classes[k]}) for k in said],
    )
