"""Frames as Parquet bytes: equal in, equal out."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.adapters.parquet import decode_parquet, encode_parquet
from labelops.errors import IntegrityError, TableError
from labelops.tables import TABLES, empty, frame_of

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def _labels() -> pd.DataFrame:
    return frame_of(
        TABLES["labels"],
        {
            "item_id": ["a", "b", "c"],
            "revision": [2**60 + 1, 0, 3],
            "value": ['"NA"', None, '"1.0"'],
            "posterior": [0.1 + 0.2, np.nan, 1.0],
            "probs": [np.array([0.25, 0.75]), None, np.array([])],
            "method": "majority",
            "reason": "",
            "evidence": "{}",
            "schema_digest": "d",
            "decided_at": NOW,
        },
        3,
    )


def test_a_table_comes_back_equal() -> None:
    """Text, large integers, NaN, lists, empty lists and times survive with their dtypes."""
    frame = _labels()
    pd.testing.assert_frame_equal(decode_parquet(encode_parquet(frame)), frame, check_exact=True)


@pytest.mark.parametrize("name", TABLES)
def test_empty_tables(name: str) -> None:
    """Every table without rows keeps its columns and dtypes."""
    frame = empty(TABLES[name])
    pd.testing.assert_frame_equal(decode_parquet(encode_parquet(frame)), frame)


def test_equal_frames_equal_bytes() -> None:
    """The index and the frame's history leave no trace in the bytes."""
    frame = _labels()
    moved = frame.set_axis([7, 8, 9])
    moved.attrs = {"note": "other"}
    assert encode_parquet(moved) == encode_parquet(frame)


def test_nullable_numbers() -> None:
    """A missing integer or boolean stays missing, and the others whole numbers."""
    frame = pd.DataFrame(
        {
            "n": pd.array([2**60 + 1, None], dtype="Int64"),
            "b": pd.array([None, True], dtype="boolean"),
        }
    )
    pd.testing.assert_frame_equal(decode_parquet(encode_parquet(frame)), frame)


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]))))
def test_any_text(cells: list[str | None]) -> None:
    """Every text that UTF-8 can hold comes back, and None is not a text."""
    frame = pd.DataFrame({"t": pd.Series(cells, dtype=object)})
    assert decode_parquet(encode_parquet(frame))["t"].tolist() == cells


def test_metadata() -> None:
    """Arrow alone reads the metadata that was given."""
    content = encode_parquet(_labels(), metadata={"labelops": "é"})
    assert pq.read_schema(io.BytesIO(content)).metadata[b"labelops"].decode() == "é"


def test_lone_surrogate() -> None:
    """A text that UTF-8 cannot hold is named by row and column."""
    with pytest.raises(TableError, match=r"row 1, column 't'"):
        encode_parquet(pd.DataFrame({"t": ["fine", "\udc00"]}))


def test_cell_of_another_type() -> None:
    """A cell that does not fit its column's type is an error, never converted."""
    with pytest.raises(TableError, match="column 't': expected text"):
        encode_parquet(pd.DataFrame({"t": ["a", 1]}))
    with pytest.raises(TableError, match="dtype category"):
        encode_parquet(pd.DataFrame({"t": pd.Categorical(["a"])}))


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:-9], lambda b: b"PAR1" * 9])
def test_damaged_bytes(damage: object) -> None:
    """Bytes that are no whole Parquet file are an integrity error."""
    content = damage(encode_parquet(_labels()))  # type: ignore[operator]
    with pytest.raises(IntegrityError, match="no Parquet file"):
        decode_parquet(content)
