"""Tables and arrays of votes in, labels with a posterior out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from labelops.consolidate import consolidate, consolidate_codes
from labelops.errors import TableError, UsageError


def _table(seed: int = 0, n_items: int = 60, per_item: int = 4) -> pd.DataFrame:
    """Draw votes of six people on named items; `truth` is item number modulo three."""
    rng = np.random.default_rng(seed)
    items = np.repeat(np.arange(n_items), per_item)
    who = np.concatenate([rng.choice(6, per_item, replace=False) for _ in range(n_items)])
    right = rng.random(items.size) < np.array([0.95, 0.9, 0.85, 0.8, 0.75, 0.7])[who]
    code = np.where(right, items % 3, (items + rng.integers(1, 3, items.size)) % 3)
    return pd.DataFrame(
        {
            "item": [f"i{i:03}" for i in items],
            "annotator": [f"p{w}" for w in who],
            "label": np.array(["ant", "bee", "cow"], dtype=object)[code],
        }
    )


def _truth(items: object) -> list[str]:
    return [["ant", "bee", "cow"][int(str(i)[1:]) % 3] for i in np.asarray(items)]


@pytest.mark.slow
def test_table_arrays_and_codes_agree() -> None:
    """A table, its crowd-kit spelling, three arrays and plain codes are one question."""
    table = _table()
    found = consolidate(table)
    assert (found.labels == np.array(_truth(found.items))).mean() >= 0.85
    renamed = table.rename(columns={"item": "task", "annotator": "worker"})
    arrays = tuple(table[c].to_numpy() for c in ("item", "annotator", "label"))
    codes = [pd.factorize(table[c], sort=True)[0] for c in ("item", "annotator", "label")]
    for other in (consolidate(renamed), consolidate(arrays)):  # type: ignore[arg-type]
        np.testing.assert_array_equal(other.posterior, found.posterior)
        assert other.labels.tolist() == found.labels.tolist()
    plain = consolidate_codes(codes[0], codes[1], codes[2], 60, 3)
    np.testing.assert_array_equal(plain.posterior, found.posterior)
    assert (found.method, found.reason) == (plain.method, plain.reason)


def test_items_and_classes_in_the_given_order() -> None:
    """Given items keep their order, one without a vote has no label, others are left out."""
    found = consolidate(_table(), items=["i005", "new", "i000"], classes=["cow", "bee", "ant"])
    assert found.items.tolist() == ["i005", "new", "i000"]
    assert found.labels.tolist() == ["cow", None, "ant"]
    assert found.found.votes.tolist() == [4, 0, 4]
    frame = found.to_frame()
    assert frame.columns.tolist() == ["item", "label", "posterior", "votes"]
    assert found.decided(0.5, min_votes=5).tolist() == [None] * 3


def test_skills_rank_people() -> None:
    """Skills come with names and intervals, the best above the worst."""
    skills = consolidate(_table(n_items=200)).skills().set_index("annotator")
    assert skills.loc["p0", "accuracy"] > skills.loc["p5", "accuracy"]
    assert (skills["low"] < skills["accuracy"]).all()
    assert (skills["high"] > skills["accuracy"]).all()


@pytest.mark.slow
def test_yesterdays_state_goes_on() -> None:
    """Votes of today and people of today are added to yesterday's result."""
    day = _table(1, 120)
    cold = consolidate(day.iloc[:240])
    new = pd.DataFrame({"item": ["i000"], "annotator": ["a new one"], "label": ["ant"]})
    warm = consolidate(pd.concat([day, new], ignore_index=True), start=cold)
    assert warm.annotators.tolist() == [*cold.annotators, "a new one"]
    whole = consolidate(pd.concat([day, new], ignore_index=True))
    assert (warm.labels == whole.labels).mean() >= 0.98
    with pytest.raises(UsageError, match="start: its classes"):
        consolidate(day, classes=["cow", "bee", "ant"], start=cold)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "dawid_skene", "shrunk"])
def test_the_first_day_may_be_without_votes(method: str) -> None:
    """What begins with nobody ends where a cold start does."""
    day = _table(1, 120)
    cold = consolidate(day, method=method)
    before = consolidate(day.iloc[:0], classes=cold.classes, method=method)
    warm = consolidate(day, start=before, method=method)
    np.testing.assert_allclose(warm.posterior, cold.posterior, atol=1e-3)
    assert warm.annotators.tolist() == cold.annotators.tolist()


def test_a_model_helps_where_votes_are_single() -> None:
    """With one vote an item, a model as good as a person makes both better than either."""
    rng = np.random.default_rng(3)
    votes = _table(2, 300, per_item=1)
    truth = np.array(_truth(votes["item"]))
    classes = ["ant", "bee", "cow"]
    guess = np.where(rng.random(300) < 0.85, truth, np.roll(truth, 1))
    rows = [[0.8 if c == g else 0.1 for c in classes] for g in guess]
    probs = pd.DataFrame(rows, index=votes["item"], columns=classes)
    found = consolidate(votes, probs=probs)
    assert found.method == "votes_and_model"
    together = (found.labels == np.array(_truth(found.items))).mean()
    assert together > max((votes["label"] == truth).mean(), (guess == truth).mean())
    many = consolidate(_table(), probs=probs.iloc[:0])
    assert many.method == "blend"


def test_gold_is_read_by_item() -> None:
    """Gold of enough items calibrates."""
    table = _table(4, 100)
    items = np.unique(table["item"])[:50]
    found = consolidate(table, gold=pd.Series(_truth(items), index=items))
    assert found.found.calibration == "gold"


@pytest.mark.slow
def test_missing_labels_are_no_votes() -> None:
    """A missing label counts as nothing, in whatever spelling."""
    table = _table()
    more = pd.concat([table, table.assign(label=None), table.assign(label=np.nan)])
    np.testing.assert_array_equal(consolidate(more).posterior, consolidate(table).posterior)


def test_no_votes_at_all() -> None:
    """An empty table labels nothing and fails nothing."""
    empty = _table().iloc[:0]
    found = consolidate(empty, items=["a"], classes=["x", "y"])
    assert found.labels.tolist() == [None]
    np.testing.assert_allclose(found.posterior, 0.5)
    assert consolidate(empty, classes=["x", "y"]).posterior.shape == (0, 2)


@pytest.mark.parametrize(
    ("change", "settings", "error", "message"),
    [
        ({"label": "elk"}, {"classes": ["ant", "bee"]}, TableError, "row 0 says 'elk'"),
        ({"annotator": None}, {}, TableError, "row 0 has no annotator"),
        ({}, {"items": ["a", "a"]}, UsageError, "'a' is listed twice"),
        ({"label": "ant"}, {}, UsageError, r"all of them say 'ant', .*: classes=\[…\]"),
        ({"label": None}, {}, UsageError, r"none of them has a label, .*: classes=\[…\]"),
        ({"label": "ant"}, {"method": "best"}, UsageError, "method is 'best'"),
        ({"label": "ant", "weight": -1.0}, {}, UsageError, "row 0 is -1"),
        ({"label": "ant", "annotator": [["x"]] * 240}, {}, TableError, "row 0: annotator is"),
        ({"label": [["ant"]] * 240}, {}, TableError, r"row 0: label is \['ant'\]"),
        ({"weight": "heavy"}, {}, TableError, "row 0: weight is 'heavy'"),
        ({"weight": np.nan}, {}, TableError, "row 0: weight is nan"),
        ({"weight": 1e300}, {}, UsageError, "from 0 to 1e"),
        ({"saw_proposal": "no"}, {}, TableError, "saw_proposal is 'no'"),
        ({"saw_proposal": np.nan}, {}, TableError, "saw_proposal is nan"),
        (
            {},
            {"classes": ["ant", "bee", "cow", None]},
            UsageError,
            "class 3 of those listed is missing",
        ),
        ({}, {"probs": [[0.5, 0.5]]}, UsageError, "probs: shape"),
        ({}, {"probs": np.full((60, 3), 0.5)}, UsageError, "rows must sum to 1"),
        ({}, {"probs": np.full((60, 3), -1.0)}, UsageError, "negative"),
        ({}, {"probs": np.full((60, 3), "half")}, UsageError, "probs: expected numbers"),
        (
            {},
            {"probs": pd.DataFrame(0.5, index=["i000"] * 2, columns=["ant", "bee", "cow"])},
            UsageError,
            "'i000' is there twice",
        ),
        ({}, {"gold": pd.Series(["ant", "bee"], index=["i000"] * 2)}, UsageError, "there twice"),
        (
            {},
            {"gold": pd.Series({"i000": "elk"}), "classes": ["ant", "bee", "cow"]},
            UsageError,
            "elk",
        ),
    ],
)
def test_wrong_tables(
    change: dict[str, object],
    settings: dict[str, object],
    error: type[Exception],
    message: str,
) -> None:
    """What does not fit is refused in one line that names it."""
    with pytest.raises(error, match=message):
        consolidate(_table().assign(**change), **settings)  # type: ignore[arg-type]


def test_wrong_shapes() -> None:
    """Missing columns and ragged arrays are refused by name."""
    with pytest.raises(TableError, match="no column annotator"):
        consolidate(_table().drop(columns="annotator"))
    with pytest.raises(UsageError, match="differ in length"):
        consolidate(([1, 2], [1], [0, 1]))
    with pytest.raises(UsageError, match="one value a row"):
        consolidate((1, 2, 3))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="found a list"):
        consolidate([[1, 2], [1, 2], [0, 1]])  # type: ignore[arg-type]
    with pytest.raises(TableError, match="column item is there twice"):
        consolidate(pd.concat([_table(), _table()], axis=1))
    with pytest.raises(UsageError, match="min_posterior"):
        consolidate(_table(n_items=4)).decided(float("nan"))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_model_in_any_precision(dtype: type) -> None:
    """Half precision, columns first, every other row: the same labels, rows that sum to 1."""
    votes = _table(5, 80, per_item=1)
    probs = np.random.default_rng(5).dirichlet(np.ones(3), 80)
    classes = ["ant", "bee", "cow"]
    plain = consolidate(votes, classes=classes, probs=probs)
    forms = [np.asfortranarray(probs.astype(dtype)), np.repeat(probs.astype(dtype), 2, axis=0)[::2]]
    for form in forms:
        found = consolidate(votes, classes=classes, probs=form)
        np.testing.assert_allclose(found.posterior, plain.posterior, atol=2e-3)
        np.testing.assert_allclose(found.posterior.sum(axis=1), 1.0)


def test_ids_of_several_types() -> None:
    """Numbers and strings beside each other are told apart; numbers come first."""
    found = consolidate(
        (np.array([0, "0", 0, "0", 0, "0"], dtype=object), ["a", "a", "b", "b", 3, 3],
         ["x", "y"] * 3)
    )  # fmt: skip
    assert found.items.tolist() == [0, "0"]
    assert found.labels.tolist() == ["x", "y"]
    assert found.annotators.tolist() == [3, "a", "b"]
    gaps = consolidate(([1, 1, 2], ["a", "b", "a"], ["x", float("nan"), "y"]))
    assert gaps.classes.tolist() == ["x", "y"]


@pytest.mark.slow
def test_gold_may_be_a_dict_and_leaves_classes_as_they_are() -> None:
    """A gap makes floats of a column of whole numbers; the classes stay whole numbers."""
    codes = (
        np.repeat(np.arange(40), 3),
        np.tile(np.arange(3), 40),
        np.repeat(np.arange(40) % 2, 3),
    )
    by_dict = consolidate(codes, gold={0: 0, 1: 1})
    by_series = consolidate(codes, gold=pd.Series([0, 1, np.nan], index=[0, 1, 2]))
    for found in (by_dict, by_series):
        assert [type(c) for c in found.classes] == [int, int]
        np.testing.assert_array_equal(found.posterior, by_dict.posterior)
    assert consolidate(codes, gold={0: 7}, classes=[0, 1, 7]).classes.tolist() == [0, 1, 7]


@pytest.mark.parametrize(
    ("gold", "says"),
    [
        ({"a": "cta"}, "item 'a' is 'cta', which no vote says, the nearest is 'cat'; correct it"),
        ({"a": "cat", "b": "zebra"}, r"item 'b' is 'zebra', .* they say \['cat', 'dog'\]"),
        ({"a": 7}, r"item 'a' is 7, .* list all classes: classes="),
    ],
)
def test_a_slip_in_gold_is_no_class(gold: dict[str, object], says: str) -> None:
    """A class that only gold names is refused unless it is listed."""
    with pytest.raises(UsageError, match=says):
        consolidate(THREE, gold=gold)
    listed = consolidate(
        THREE, gold=gold, classes=list(dict.fromkeys(["cat", "dog", *gold.values()]))
    )
    assert listed.labels.tolist() == ["cat", "dog"]


@pytest.mark.slow
def test_three_arrays_one_after_the_other() -> None:
    """As a tuple or not, it is the same question; two or four of them are none."""
    table = _table()
    arrays = [table[c].tolist() for c in ("item", "annotator", "label")]
    found, apart = consolidate(table), consolidate(*arrays)
    np.testing.assert_array_equal(apart.posterior, found.posterior)
    with pytest.raises(UsageError, match="expected a table, or items, annotators and labels; fou"):
        consolidate(table, ["i000"])
    with pytest.raises(UsageError, match=r"rows become a table by pandas\.DataFrame\(rows"):
        consolidate([("a", "x", "cat"), ("b", "x", "dog")])


def test_a_weight_out_of_range_is_named_by_its_row() -> None:
    """Rows without a label keep their numbers."""
    votes = _table().assign(weight=1.0)
    votes.loc[3, "weight"], votes.loc[:2, "label"] = -0.5, None
    with pytest.raises(UsageError, match=r"weights: row 3 is -0\.5, expected a number from 0"):
        consolidate(votes)


def test_a_class_never_given_gets_no_item() -> None:
    """A class nobody named has some belief, and no label."""
    found = consolidate(_table(), classes=["ant", "bee", "cow", "elk"])
    assert "elk" not in found.labels.tolist()
    assert (found.posterior[:, 3] > 0).all()
    assert np.isfinite(found.posterior).all()


@pytest.mark.parametrize("people", [1, 2])
def test_too_few_people_are_majority(people: int) -> None:
    """One annotator's labels are taken as they are; of two who differ neither is."""
    items = np.repeat(np.arange(6), people)
    code = np.where((items == 0) & (np.arange(items.size) % people == 1), 1, items % 2)
    found = consolidate((items, np.tile(np.arange(people), 6), code))
    assert found.method == "majority"
    assert found.labels.tolist() == [0 if people == 1 else None, 1, 0, 1, 0, 1]


THREE = pd.DataFrame(
    {
        "item": list("aaabb"),
        "annotator": list("xyzxy"),
        "label": ["cat", "cat", "dog", "dog", "dog"],
    }
)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"gold": {"zzz": "cat"}}, "none of its items has a vote, 'zzz' for one"),
        (
            {"gold": ["cat", "dog"]},
            "expected a mapping or a Series from item to class, found a list",
        ),
        ({"gold": np.array([0, 1, 0])}, "found a ndarray"),
        ({"gold": pd.Series(["cat", "dog"])}, "none of its items has a vote, 0 for one"),
        ({"gold": {"q": "cat"}, "items": ["a", "b", "q"]}, "none of its items has a vote"),
        ({"classes": "catdog"}, "class: expected a list of them, found 'catdog'"),
        ({"items": 3}, "item: expected a list of them, found 3"),
        ({"classes": {"cat", "dog"}}, "class: expected a list of them, found {"),
        ({"start": 3}, "start is 3, expected what `consolidate` returned"),
    ],
)
def test_what_would_be_ignored_or_fail_by_itself(given: dict[str, Any], says: str) -> None:
    """Known classes that nothing has, and arguments of another kind, are named."""
    with pytest.raises(UsageError, match=says):
        consolidate(THREE, **given)


def test_gold_may_be_of_some_items_only() -> None:
    """Beside one with votes, others do no harm; none at all is none."""
    assert consolidate(THREE, gold={"a": "cat", "zzz": "dog"}).labels.tolist() == ["cat", "dog"]
    assert consolidate(THREE, gold={}).labels.tolist() == ["cat", "dog"]


def test_a_posterior_in_words_decides_nothing() -> None:
    """One line names the argument."""
    with pytest.raises(UsageError, match=r"min_posterior is '\.9', expected a share"):
        consolidate(THREE).decided(min_posterior=".9")  # type: ignore[arg-type]


@pytest.mark.parametrize("column", ["item", "annotator", "label"])
@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        (7, pd.Timestamp("2026-01-01"), r"row 1 is 7 and row 4 is Timestamp"),
        (pd.Timestamp("2026-01-01", tz="UTC"), pd.Timestamp("2026-01-02"), "row 1 is .*row 4 is"),
    ],
)
def test_names_of_which_no_order_is_known_are_named(
    column: str, one: object, other: object, says: str
) -> None:
    """A number and a day, days with and without a zone: one line with both rows."""
    columns = {"item": list("aabbcc"), "annotator": list("xyxyxy"), "label": list("uvuvuv")}
    given: dict[str, list[object]] = {n: list(cells) for n, cells in columns.items()}
    given[column] = [one, one, one, one, other, other]
    # An item without a label is no vote: the rows keep their numbers.
    given["label"][0] = None
    with pytest.raises(TableError, match=rf"{column}: {says}.*give all of them as text") as caught:
        consolidate(given)
    assert "\n" not in str(caught.value)
