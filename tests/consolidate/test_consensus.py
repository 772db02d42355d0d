"""Tables and arrays of votes in, labels with a posterior out."""

from __future__ import annotations

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
        ({"label": "ant"}, {}, UsageError, "1 classes were given"),
        ({}, {"probs": [[0.5, 0.5]]}, UsageError, "probs: shape"),
        ({}, {"probs": np.full((60, 3), 0.5)}, UsageError, "rows must sum to 1"),
        ({}, {"probs": np.full((60, 3), -1.0)}, UsageError, "negative"),
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
