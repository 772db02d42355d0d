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
        (pa.array([["a", "b"], ["c", "d"]]), "p.parquet: probs: expected numbers, found string"),
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


def _in_parts(folder: Path, probs: np.ndarray, suffix: str = "parquet") -> list[Path]:
    """Write three parts, one of them empty, whose names are in their order."""
    folder.mkdir()
    files = []
    for name, (first, last) in {"a": (0, 130), "b": (130, 130), "c": (130, 500)}.items():
        file = folder / f"part-{name}.{suffix}"
        table = pa.table({"probs": _lists(probs[first:last], 6)})
        if suffix == "parquet":
            parquet.write_table(table, file, row_group_size=77)
        else:
            feather.write_feather(table, file, compression="uncompressed", chunksize=77)
        files.append(file)
    return files


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["parquet", "feather"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parts_are_the_whole(
    tmp_path: Path, suffix: str, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder, or a list in its order, is one matrix, also with one file open at a time."""
    codes, probs = _some(dtype)
    files = _in_parts(tmp_path / "parts", probs, suffix)
    (tmp_path / "parts" / "_SUCCESS").touch()
    (tmp_path / "parts" / ".part-a.crc").touch()
    whole = find_label_issues(codes, probs)
    monkeypatch.setattr("labelops.adapters.prob_blocks._OPEN", 1)
    for given in (tmp_path / "parts", str(tmp_path / "parts"), files, [str(f) for f in files]):
        source = open_probs(given)  # type: ignore[arg-type]
        assert source.shape == probs.shape
        _same(find_label_issues(codes, source), whole)
    order = np.r_[130:500, 0:130]
    turned = open_probs([files[2], files[1], files[0]])
    _same(find_label_issues(codes[order], turned), find_label_issues(codes[order], probs[order]))


def test_whole_numbers_are_probabilities_too(tmp_path: Path) -> None:
    """Lists, columns, and a part of ones and noughts beside parts of fractions."""
    hard = np.eye(3, dtype=np.int64)[[0, 1, 2, 1, 0]]
    codes = [0, 1, 2, 2, 1]
    whole = find_label_issues(codes, hard)
    parquet.write_table(pa.table({"probs": hard.tolist()}), tmp_path / "lists.PARQUET")
    parquet.write_table(pa.table({str(k): hard[:, k] for k in range(3)}), tmp_path / "c.parquet")
    _same(find_label_issues(codes, open_probs(tmp_path / "lists.PARQUET")), whole)
    _same(find_label_issues(codes, open_probs(tmp_path / "c.parquet", list("012"))), whole)
    soft = np.random.default_rng(0).dirichlet(np.ones(3), 5)
    parquet.write_table(pa.table({"probs": soft.tolist()}), tmp_path / "soft.parquet")
    both = open_probs([tmp_path / "lists.PARQUET", tmp_path / "soft.parquet"])
    expected = find_label_issues(codes * 2, np.concatenate([hard, soft]))
    _same(find_label_issues(codes * 2, both), expected)


def test_parts_that_do_not_fit(tmp_path: Path) -> None:
    """No part, another type, width, kind of file or column: one line that names the file."""
    _, probs = _some()
    files = _in_parts(tmp_path / "parts", probs)
    for name, values in {"wide": [[0.5] * 2], "double": [[1 / 6] * 6], "other": None}.items():
        column = pa.array(values or [1], pa.list_(pa.float32() if name == "wide" else pa.float64())
                          if values else None)  # fmt: skip
        table = pa.table({"probs" if values else "x": column})
        parquet.write_table(table, tmp_path / f"{name}.parquet")
    (tmp_path / "none").mkdir()
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "notes.txt").touch()
    (tmp_path / "deep" / "inner").mkdir(parents=True)
    for given, says in (
        ([], "probs: no file"),
        (tmp_path / "none", "none: no file"),
        (tmp_path / "mixed", r"notes\.txt: expected \.parquet"),
        (tmp_path / "deep", "inner: no such file, but a folder"),
        ([*files, tmp_path / "gone.parquet"], r"gone\.parquet: no such file"),
        ([*files, tmp_path / "other.parquet"], r"other\.parquet: no column 'probs'; it has x"),
        (
            [*files, tmp_path / "double.parquet"],
            r"double\.parquet: column 'probs' is .*double.*",
        ),
        ([3], "probs: expected paths of files, found 3"),
        (3, "probs: expected a file, a folder or a list of files, found 3"),
    ):
        with pytest.raises(UsageError, match=says):
            open_probs(given)  # type: ignore[arg-type]
    wide = open_probs([files[0], tmp_path / "wide.parquet"])
    with pytest.raises(TableError, match=r"wide\.parquet: 2 classes, where the first"):
        find_label_issues(np.zeros(131, dtype=int), wide)
