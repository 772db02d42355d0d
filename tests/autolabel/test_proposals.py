"""Answers are checked cell by cell before they become proposals."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labelops.autolabel.proposals import (
    check_answers,
    proposals_frame,
)
from labelops.errors import EndProtocolError, LeakageError
from labelops.schema import Schema
from labelops.tables import PROPOSALS, check

PETS = Schema("pets", ("cat", "hound"), renames={"dog": "hound"})
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ITEMS = pd.DataFrame({"item_id": list("abcd"), "group": ["g", "g", "h", "i"]})


def _answers(**columns: Any) -> pd.DataFrame:
    n = len(columns["item_id"])
    blank: dict[str, Any] = {
        "value": [None] * n,
        "confidence": [np.nan] * n,
        "probs": [None] * n,
        "fold": pd.array([pd.NA] * n, dtype="Int64"),
    }
    return pd.DataFrame({**blank, **columns})


def _one(**columns: Any) -> pd.DataFrame:
    return _answers(item_id=["a"], **{name: [cell] for name, cell in columns.items()})


def test_good_answers_come_back_in_the_order_asked() -> None:
    """Order, filled confidence, absent confidence and abstentions, in one worked example."""
    given = _answers(
        item_id=["c", "a", "b"],
        value=['"cat"', '"dog"', None],
        confidence=[np.nan, np.nan, np.nan],
        probs=[None, np.array([0.25, 0.75]), None],
    )
    answers = check_answers(given, ITEMS, PETS)
    assert answers["item_id"].tolist() == ["a", "b", "c"]
    assert answers["value"].tolist() == ['"hound"', None, '"cat"']
    np.testing.assert_array_equal(answers["confidence"], [0.75, np.nan, np.nan])


def test_order_of_rows_changes_nothing() -> None:
    """Law: permuting the answers gives the same frame."""
    given = _answers(item_id=list("dacb"), value=['"cat"', '"dog"', None, '"cat"'])
    a = check_answers(given, ITEMS, PETS)
    b = check_answers(given.iloc[[2, 0, 3, 1]], ITEMS, PETS)
    pd.testing.assert_frame_equal(a, b)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"value": '"fish"'}, "column 'value'.*unknown class 'fish'"),
        ({"value": "cat"}, "column 'value'.*not a JSON value"),
        ({"value": '["cat"]'}, "column 'value'"),
        ({"value": 3}, "column 'value'"),
        ({"value": '"cat"', "confidence": 1.5}, "column 'confidence'"),
        ({"confidence": 0.5}, "column 'confidence'.*NaN without a value"),
        ({"value": '"cat"', "probs": np.array([1.0])}, "column 'probs'.*expected 2 numbers"),
        ({"value": '"cat"', "probs": np.array([0.5, 0.4])}, "column 'probs'.*sum of 1"),
        ({"value": '"cat"', "probs": np.array([1.5, -0.5])}, "column 'probs'.*0 to 1"),
        ({"value": '"cat"', "probs": np.array([np.nan, 1.0])}, "column 'probs'"),
        ({"value": '"cat"', "probs": np.array([[0.5, 0.5]])}, "column 'probs'"),
        (
            {"value": '"cat"', "probs": np.array([0.4, 0.6]), "confidence": 0.6},
            "column 'confidence'.*0.4, its probability",
        ),
        ({"value": '"cat"', "fold": -1}, "column 'fold'"),
    ],
)
def test_a_bad_cell_is_named(bad: dict[str, Any], says: str) -> None:
    """Item, column, value, what was expected, and whose fault it is; on one line."""
    with pytest.raises(EndProtocolError, match=f"item 'a'.*{says}.*mend the labeler") as caught:
        check_answers(_one(**bad), ITEMS, PETS)
    assert "\n" not in str(caught.value)


def test_invented_and_repeated_items_are_named() -> None:
    """An answer about an item not asked, or a second one, is refused."""
    with pytest.raises(EndProtocolError, match=r"'z'.*only items that were asked"):
        check_answers(_answers(item_id=["z"]), ITEMS, PETS)
    with pytest.raises(EndProtocolError, match=r"'a'.*one row an item"):
        check_answers(_answers(item_id=["a", "a"]), ITEMS, PETS)
    with pytest.raises(EndProtocolError, match="'fold' is missing"):
        check_answers(_answers(item_id=["a"]).drop(columns="fold"), ITEMS, PETS)


@pytest.mark.parametrize("item", ["a", "b"])
def test_in_sample_answers_are_refused(item: str) -> None:
    """A trained item, or one of its leakage group, must say which fold held it out."""
    given = _answers(item_id=[item], value=['"cat"'])
    with pytest.raises(LeakageError, match=f"item '{item}'.*'fold' is missing"):
        check_answers(given, ITEMS, PETS, trained=["a"])
    held_out = given.assign(fold=pd.array([0], dtype="Int64"))
    assert len(check_answers(held_out, ITEMS, PETS, trained=["a"])) == 1
    assert len(check_answers(given, ITEMS, PETS, trained=["c"])) == 1


def test_an_abstention_on_a_trained_item_is_no_leak() -> None:
    """Saying nothing tells nothing about the training label."""
    assert len(check_answers(_answers(item_id=["a"]), ITEMS, PETS, trained=["a"])) == 1


def test_proposals_keep_the_contract() -> None:
    """Rows pass the table's check, signed with who, which version and which schema."""
    answers = check_answers(
        _answers(item_id=["a", "b"], value=['"cat"', None], probs=[np.array([1.0, 0.0]), None]),
        ITEMS,
        PETS,
    )
    rows = proposals_frame(answers, "model:m", "v1", PETS, NOW)
    pd.testing.assert_frame_equal(rows, check(PROPOSALS, rows))
    assert set(rows["schema_digest"]) == {PETS.digest}
    assert rows["confidence"].tolist()[0] == 1.0
    assert len(proposals_frame(answers.iloc[:0], "model:m", "v1", PETS, NOW)) == 0
