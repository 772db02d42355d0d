"""Probabilities in files give the answer the array gives."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from labelops.adapters.prob_blocks import open_probs
from labelops.audit.confident import LabelIssues, find_label_issues
from labelops.errors import TableError, UsageError


def _some(dtype: Any = np.float32) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    probs = rng.dirichlet(np.full(6, 0.4), 500)
    codes = np.where(rng.random(500) < 0.2, rng.integers(-1, 6, 500), probs.argmax(axis=1))
    return codes, probs.astype(dtype)


def _lists(probs: np.ndarray, width: int) -> pa.Array:
    flat = pa.array(probs.ravel())
    if width:
        return pa.FixedSizeListArray.from_arrays(flat, width)
    ends = np.arange(len(probs) + 1, dtype=np.int32) * probs.shape[1]
    return pa.ListArray.from_arrays(pa.array(ends), flat)


def _same(ours: LabelIssues, other: LabelIssues) -> None:
    for field in fields(ours):
        one, two = getattr(ours, field.name), getattr(other, field.name)
        assert np.array_equal(one, two, equal_nan=one.dtype.kind == "f"), field.name


@pytest.mark.parametrize("width", [0, 6])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.slow
def test_parquet_lists_are_the_array(tmp_path: Path, width: int, dtype: Any) -> None:
    """A list column, fixed or not, cut into row groups, gives the array's answer."""
    codes, probs = _some(dtype)
    table = pa.table({"probs": _lists(probs, width)})
    parquet.write_table(table, tmp_path / "p.parquet", row_group_size=77)
    source = open_probs(tmp_path / "p.parquet")
    assert source.shape == probs.shape
    _same(find_label_issues(codes, source), find_label_issues(codes, probs))


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_a_column_a_class(tmp_path: Path, suffix: str) -> None:
    """One column a class, in the order asked for, in either format."""
    codes, probs = _some()
    names = [f"class {k}" for k in range(6)]
    table = pa.table({name: probs[:, k] for k, name in enumerate(names)})
    file = tmp_path / f"p.{suffix}"
    if suffix == "parquet":
        parquet.write_table(table, file, row_group_size=100)
    else:
        feather.write_feather(table, file, compression="uncompressed", chunksize=100)
    _same(find_label_issues(codes, open_probs(file, names)), find_label_issues(codes, probs))


def test_no_rows(tmp_path: Path) -> None:
    """A file without rows has no issues."""
    table = pa.table({"a": pa.array([], pa.float64()), "b": pa.array([], pa.float64())})
    parquet.write_table(table, tmp_path / "p.parquet")
    found = find_label_issues([], open_probs(tmp_path / "p.parquet", ["a", "b"]))
    assert found.mask.shape == (0,)
    assert found.joint.tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([[0.5, 0.5], None]), "1 values are missing"),
        (pa.array([[0.5, 0.5], [0.5, None]]), "1 values are missing"),
        (pa.array([[0.5, 0.5], [1.0]]), "row 1 of its block: 1 numbers, expected 2"),
        (pa.array([[1, 0], [0, 1]]), "floating-point"),
        (pa.array([[0.5, 0.5], [0.5, 0.6]]), "row 1: sums to 1.1"),
    ],
)
def test_bad_values_are_named(tmp_path: Path, column: pa.Array, message: str) -> None:
    """Missing values, rows of another length and rows that are no probabilities are refused."""
    parquet.write_table(pa.table({"probs": column}), tmp_path / "p.parquet")
    with pytest.raises(TableError, match=message):
        find_label_issues([0, 1], open_probs(tmp_path / "p.parquet"))


def test_rows_are_numbered_over_blocks(tmp_path: Path) -> None:
    """A bad row in a later block is named by its number in the file."""
    codes, probs = _some(np.float64)
    probs[321] = np.nan
    parquet.write_table(
        pa.table({"probs": _lists(probs, 6)}), tmp_path / "p.parquet", row_group_size=100
    )
    with pytest.raises(TableError, match="row 321"):
        find_label_issues(
            np.where(np.arange(500) == 321, -1, codes), open_probs(tmp_path / "p.parquet")
        )
    with pytest.raises(TableError, match="row 321"):
        find_label_issues(np.maximum(codes, 0), open_probs(tmp_path / "p.parquet"))


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """No file, no such column, another suffix."""
    parquet.write_table(pa.table({"a": [0.5]}), tmp_path / "p.parquet")
    with pytest.raises(UsageError, match="no column 'probs'; it has a"):
        open_probs(tmp_path / "p.parquet")
    with pytest.raises(UsageError, match="no such file"):
        open_probs(tmp_path / "q.parquet")
    (tmp_path / "r.parquet").write_text("no", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read as parquet"):
        open_probs(tmp_path / "r.parquet")
    (tmp_path / "p.csv").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match=r"expected \.parquet"):
        open_probs(tmp_path / "p.csv")
