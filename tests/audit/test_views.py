"""Views of a label set: each shows what was planted for it, and nothing else."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from labelops.audit import nearest_graph
from labelops.audit.attributes import attributes_of
from labelops.audit.findings import SHOWN, open_findings, precision, suspects
from labelops.audit.policy import VIEWS, AuditPolicy
from labelops.audit.views import LookedAt, Surroundings, look_at_views
from labelops.errors import SettingsError
from labelops.schema import Schema
from labelops.tables import LABELS, VOTES, empty

from ..digits import digits

PETS = Schema("pets", ("cat", "dog", "cow"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
N = 300


@pytest.fixture
def codes() -> np.ndarray:
    return np.repeat([0, 1, 2], N // 3)


@pytest.fixture
def around(codes: np.ndarray) -> Surroundings:
    """Return three clean clouds with an outlier in row 7."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(N, 6)) * 0.5 + 8 * np.eye(6)[codes]
    points[7] = [9, 9, 9, -9, 9, -9]
    return Surroundings(
        graph=nearest_graph(points), features=points, groups=[f"g{i}" for i in range(N)],
        digests=[f"d{i}" for i in range(N)],
        attributes={"source": np.tile(["web", "mail"], N // 2)},
    )  # fmt: skip


def seen(
    codes: np.ndarray, around: Surroundings, suspected: np.ndarray | None = None, **options: object
) -> LookedAt:
    rows = np.zeros(N, dtype=bool) if suspected is None else suspected
    return look_at_views(
        [f"i{i:03}" for i in range(N)], codes, rows, around, PETS,
        rng=np.random.default_rng(1), round=1, now=NOW, **options,
    )  # fmt: skip


def test_a_clean_set_shows_one_outlier(codes: np.ndarray, around: Surroundings) -> None:
    """What is far from everything is shown; a clean set shows nothing besides."""
    found = seen(codes, around)
    assert found.findings[["item_id", "kind"]].to_numpy().tolist() == [["i007", "outlier"]]
    assert found.facts["kinds"] == {"outlier": 1}
    assert not any(found.facts[name] for name in ("slices", "words", "attributes", "leakage"))


def test_torn_items_are_ambiguous(codes: np.ndarray, around: Surroundings) -> None:
    """Items on which careful people split in halves are ambiguous; one odd vote of ten is not."""
    rng = np.random.default_rng(2)
    votes = np.where(rng.random((N, 10)) < 0.96, codes[:, None], (codes[:, None] + 1) % 3)
    votes[:6, :5] = 1
    votes[:6, 5:] = 0
    items, who = np.repeat(np.arange(N), 10), np.tile(np.arange(10), N)
    voted = dataclasses.replace(around, votes=(items, who, votes.ravel()))
    found = seen(codes, voted)
    assert found.ambiguous[:6].all() and found.ambiguous[6:].sum() <= 3
    two = dataclasses.replace(around, votes=(items[who < 2], who[who < 2], votes[:, :2].ravel()))
    assert not seen(codes, two).ambiguous.any(), "two votes show no spread"


def test_learned_flips_are_poison(codes: np.ndarray, around: Surroundings) -> None:
    """Flipped labels that the detector does not suspect are shown; those it does are its own."""
    flipped = codes.copy()
    flipped[[20, 21, 130]] = 2
    suspected = np.arange(N) == 130
    found = seen(flipped, around, suspected)
    rows = found.findings.loc[found.findings["kind"] == "poison"]
    assert sorted(rows["item_id"]) == ["i020", "i021"]
    assert set(rows["suggestion"]) == {'"cat"'}
    assert found.facts["expected"] == {}, "nobody says how probable errors are"
    wrong = np.where(np.isin(np.arange(N), [20, 130]), 0.15, np.nan)
    told = seen(flipped, around, suspected, wrong=wrong).facts
    assert told["expected"] == {"poison": 0.15}, "of the two that are shown, one was judged"
    assert seen(codes, around, wrong=wrong).facts["expected"] == {}
    again = dataclasses.replace(around, reviewed=np.arange(N) == 20)
    assert seen(flipped, again, suspected).facts["kinds"]["poison"] == 1


def test_what_is_about_many_items(codes: np.ndarray, around: Surroundings) -> None:
    """A weak source, a tell-tale column, a leaking split, a class named in its texts, a trigger."""
    rng = np.random.default_rng(3)
    weak = np.arange(N) % 2 == 0
    splits = np.where(np.arange(N) % 3 == 0, "test", "train")
    digests = [f"d{i - i % 2 if i < 20 else i}" for i in range(N)]
    points = np.array(around.features)
    points[:12, 5] += 60
    full = dataclasses.replace(
        around, features=points, digests=digests, splits=splits,
        attributes={"source": np.where(weak, "web", "mail"),
                    "folder": np.take(["a", "b", "c"], codes)},
        texts=["a cat purrs" if c == 0 else "a quiet night" for c in codes],
    )  # fmt: skip
    facts = seen(codes, full, weak & (rng.random(N) < 0.4)).facts
    assert [(s["attribute"], s["value"]) for s in facts["slices"]] == [("source", "web")]
    assert [a["attribute"] for a in facts["attributes"]] == ["folder"]
    assert {(row["split"], row["other"]) for row in facts["leakage"]} == {
        ("test", "train"),
        ("train", "test"),
    }
    assert [row["class"] for row in facts["names"]] == ["cat"]
    assert [row["class"] for row in facts["clumps"]] == ["cat"]
    assert facts["clumps"][0]["share"] == pytest.approx(0.12)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_patch_in_one_digit_of_a_hundred_is_named(seed: int) -> None:
    """A backdoor: its class has a clump and most of its items are shown; clean digits have none."""
    rng = np.random.default_rng([seed, 2])
    pixels, truth = digits()
    rows = rng.permutation(len(truth))[:1_200]
    pixels, codes = pixels[rows], truth[rows].astype(np.int64)
    bad = rng.choice(np.flatnonzero(codes != 0), 12, replace=False)
    tampered, flipped = pixels.copy(), codes.copy()
    tampered[np.ix_(bad, [0, 1, 8, 9])] = 16
    flipped[bad] = 0

    def looked(points: np.ndarray, labels: np.ndarray) -> LookedAt:
        bare = Surroundings(nearest_graph(points), points, np.arange(1_200), np.arange(1_200), {})
        return look_at_views(
            [f"{i}" for i in range(1_200)], labels, np.zeros(1_200, dtype=bool), bare,
            Schema("digits", tuple("0123456789")), rng=np.random.default_rng(0), round=1, now=NOW,
            views=("poison",),
        )  # fmt: skip

    found = looked(tampered, flipped)
    assert [row["class"] for row in found.facts["clumps"]] == ["0"]
    assert len({f"{i}" for i in bad} & set(found.findings["item_id"])) >= 8
    assert looked(pixels, codes).facts["clumps"] == []


def test_a_learned_trigger_is_named(codes: np.ndarray, around: Surroundings) -> None:
    """A word that turns labels to a class is named, though the models suspect none of them."""
    rows = np.arange(100, 300, 20)
    flipped, texts = codes.copy(), np.array([f"a pet number {i}" for i in range(N)], dtype=object)
    flipped[rows] = 0
    texts[rows] += " CF"
    told = dataclasses.replace(around, texts=texts.tolist())
    word = {"class": "cat", "word": "cf", "items": 10, "doubted": 1.0, "otherwise": 0.01}
    assert seen(flipped, told).facts["words"] == [word | {"planted": True}], "row 7 is far away"
    some = np.isin(np.arange(N), rows[:6])
    assert seen(flipped, told, some).facts["words"] == [word | {"planted": True}]
    texts[[110, 111, 112]] += " cf"
    common = seen(flipped, dataclasses.replace(around, texts=texts.tolist()))
    assert common.facts["words"] == [word | {"planted": False}], "it tells no class"
    assert seen(flipped, around).facts["words"] == [], "no texts"
    alone = dataclasses.replace(told, graph=None)
    assert seen(flipped, alone).facts["words"] == [], "without neighbours nobody doubts them"


def test_switched_off_and_cut_off(codes: np.ndarray, around: Surroundings) -> None:
    """A view that is not wanted shows nothing, and of the others only so many rows are kept."""
    none = seen(codes, around, views=())
    assert none.findings.empty and none.facts["kinds"] == {}
    flipped = codes.copy()
    flipped[20:29] = 2
    few = seen(flipped, around, shown=4, views=("poison",))
    assert len(few.findings) == 4 and few.facts["kinds"]["poison"] == 9
    lone = seen(flipped, dataclasses.replace(around, graph=None))
    assert lone.findings.empty and not lone.facts["neighbours"]


def test_nobody_is_asked(codes: np.ndarray, around: Surroundings) -> None:
    """What is only shown is no suspect, is not open, and counts in no precision."""
    flipped = codes.copy()
    flipped[20:24] = 2
    rows = seen(flipped, around).findings
    assert set(rows["kind"]) == {"outlier", "poison"} <= set(SHOWN)
    assert suspects(rows, N, 1.0).empty
    assert open_findings(rows, empty(VOTES), empty(LABELS)).empty
    assert precision(rows, empty(VOTES), empty(LABELS)).reviewed == 0


def test_attributes_that_tell() -> None:
    """The owner's columns, the source and the length; keys, constants and nesting are left out."""
    items = pd.DataFrame({
        "source": "web", "payload": ["a", "bb", "ccc", "dd"],
        "attributes": [f'{{"key":"k{i}","by":"{"xy"[i % 2]}","same":1,"deep":[{i}],"n":{i}}}'
                       for i in range(4)],
    })  # fmt: skip
    assert list(attributes_of(items, texts=True)) == ["by", "length", "n"]
    assert list(attributes_of(items, texts=False)) == ["by", "n"]
    assert list(attributes_of(items, texts=False, without=["by"])) == ["n"]


def test_settings_name_the_views() -> None:
    """All views by default; an unknown one is refused with the names there are."""
    assert AuditPolicy().views == VIEWS
    with pytest.raises(SettingsError, match=r"audit.views holds 'x', expected some of outliers"):
        AuditPolicy(views=("x",))


def test_settings_name_within_what_drift_is_watched() -> None:
    """All with all by default; anything but weekdays is refused."""
    assert AuditPolicy(drift_within="weekday").drift_within and not AuditPolicy().drift_within
    with pytest.raises(SettingsError, match=r"audit.drift_within is 'month', expected 'weekday'"):
        AuditPolicy(drift_within="month")
