"""Cells are read as people write them: a class is a class in any letters."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from labelops.autolabel.earlier_cells import EarlierCells, check_there, texts_of
from labelops.errors import SettingsError
from labelops.schema import Schema


def _items(*cells: object) -> pd.DataFrame:
    return pd.DataFrame({"attributes": [json.dumps({"old": c, "by": "x"}) for c in cells]})


def test_reads_what_names_a_class() -> None:
    """Blanks, capitals, numbers and a name that was changed are understood; others are kept."""
    schema = Schema("s", ("1", "Dog"), renames={"hound": "Dog"})
    items = _items(" dog ", 1, 1.0, "1", "HOUND", "cat", "", None, ["a"], True)
    cells = EarlierCells.learned(["old"], pd.concat([items, items]), schema)
    assert cells.classes_of(items)[:, 0].tolist() == [1, 0, 0, 0, 1, -1, -1, -1, -1, -1]
    assert cells.sizes == [5]
    assert sorted(cells.of(items)[5:, 0].tolist()) == [-1, -1, 2, 3, 4]
    assert cells.of(_items("never seen")).tolist() == [[-1]]


def test_what_one_item_alone_has_is_nothing() -> None:
    """Serial numbers take no place; of many values the thousand that come most often do."""
    schema, numbers = Schema("s", ("a", "b")), _items(*range(3_000))
    assert EarlierCells.learned(["old"], numbers, schema).sizes == [2]
    twice = pd.concat([numbers, numbers, _items("often", "often", "often")])
    cells = EarlierCells.learned(["old"], twice, schema)
    assert cells.sizes == [1_002]
    assert cells.of(_items("often")).tolist() == [[2]]


def test_classes_that_differ_in_capitals_only() -> None:
    """What is written as a class is that class."""
    schema = Schema("s", ("US", "us", "b"))
    items = _items("US", "us", "B")
    assert EarlierCells.learned(["old"], items, schema).of(items)[:, 0].tolist() == [0, 1, 2]


def test_an_item_without_the_column_says_nothing() -> None:
    """As where its cell is empty; only a column that no item has is refused."""
    items = pd.concat([_items("a"), pd.DataFrame({"attributes": ["{}", ""]})])
    assert texts_of(["old"], items) == [["a"], [""], [""]]
    check_there(["old"], items)
    with pytest.raises(SettingsError, match=r"of 2 items has a column 'old' .*no other columns"):
        check_there(["old"], items.iloc[1:])
