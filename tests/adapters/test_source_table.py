"""A file as one frame: every column, every row, and the row's own number."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from labelops.adapters.source_table import read_table
from labelops.errors import LabelopsError


def test_cells_of_csv_are_texts(tmp_path: Path) -> None:
    """No cell is a number or missing because of how it is spelled; breaks and marks are kept."""
    file = tmp_path / "a.csv"
    file.write_text('﻿b,a\n007,NA\n"two\nlines",😀\n', encoding="utf-8")
    table = read_table(file)
    assert table["b"].tolist() == ["007", "two\nlines"]
    assert table["a"].tolist() == ["NA", "😀"]
    assert table.index.tolist() == [1, 2]
    assert table.attrs["header"] == 1


def test_missing_cells_of_json(tmp_path: Path) -> None:
    """An object may lack a key; empty lines count as lines."""
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": 1, "b": [1, 2]}\n\n{"a": null, "c": "x"}\n', encoding="utf-8")
    table = read_table(file)
    assert table.index.tolist() == [1, 3]
    assert table["b"].tolist() == [[1, 2], None]
    assert table["a"].tolist() == [1, None]
    assert table["c"].tolist() == [None, "x"]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    """Numbers stay numbers, and a missing number is missing."""
    frame = pd.DataFrame({"n": [1, 2], "x": [0.5, None], "t": ["a", None], "b": [True, False]})
    frame.to_parquet(tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert [table[c].tolist() for c in "nxtb"] == [[1, 2], [0.5, None], ["a", None], [True, False]]


def test_an_unknown_format(tmp_path: Path) -> None:
    """A spreadsheet is refused, with what to do."""
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(LabelopsError, match="save it as"):
        read_table(tmp_path / "a.xlsx")
