"""Source files as they should be: every form gives the same rows, bounded and numbered."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelops.adapters.sources import SourceSpec, open_source
from labelops.ports import Source
from labelops.testing.sources import Made, SourceTests

from .written import IMAGES, TEXTS, read, spec_of, write_csv

KEYS = ["a", "NA", "007"]


class TestCsv(SourceTests):
    @pytest.fixture
    def made(self, tmp_path: Path) -> Made:
        rows = [["id", "text", "lang"], *([k, t, "x"] for k, t in zip(KEYS, TEXTS, strict=True))]
        path = write_csv(tmp_path / "m.csv", rows)
        return Made(open_source(spec_of(path)), KEYS, TEXTS)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> tuple[Source, str]:
        path = write_csv(tmp_path / "m.csv", [["id", "text"], ["a", "fine"], ["b", "x", "y"]])
        return open_source(spec_of(path)), "m.csv, row 2: line 3 has 3 cells, the header has 2"


class TestJsonl(SourceTests):
    @pytest.fixture
    def made(self, tmp_path: Path) -> Made:
        path = tmp_path / "m.jsonl"
        rows = [{"id": k, "text": t, "n": [1]} for k, t in zip(KEYS, TEXTS, strict=True)]
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        return Made(open_source(spec_of(path)), KEYS, TEXTS)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> tuple[Source, str]:
        path = tmp_path / "m.jsonl"
        path.write_text('{"id": "a", "text": "fine"}\n{"id": "b", "te')
        return open_source(spec_of(path)), "m.jsonl, row 2: not JSON"


class TestParquet(SourceTests):
    @pytest.fixture
    def made(self, tmp_path: Path) -> Made:
        path = tmp_path / "m.parquet"
        pq.write_table(pa.table({"id": KEYS, "text": TEXTS, "score": [1.5, None, 2]}), path)
        return Made(open_source(spec_of(path)), KEYS, TEXTS)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> tuple[Source, str]:
        path = tmp_path / "m.parquet"
        path.write_bytes(b"PAR1 but not really PAR1")
        return open_source(spec_of(path)), "m.parquet: not a readable Parquet file"


class TestFolderOfTexts(SourceTests):
    @pytest.fixture
    def made(self, tmp_path: Path) -> Made:
        (tmp_path / "sub").mkdir()
        (tmp_path / ".hidden").write_text("never read")
        names = ["a.txt", "b.txt", "sub/c.txt"]
        for name, text in zip(names, TEXTS, strict=True):
            (tmp_path / name).write_bytes(text.encode())
        return Made(open_source(SourceSpec("texts", tmp_path)), names, TEXTS)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> tuple[Source, str]:
        (tmp_path / "a.txt").write_bytes("naïve".encode("latin-1"))
        return open_source(SourceSpec("texts", tmp_path)), "a.txt: byte 0xef is not utf-8"


class TestFolderOfImages(SourceTests):
    @pytest.fixture
    def made(self, tmp_path: Path) -> Made:
        names = ["a.png", "b.png", "c.jpg"]
        for name, content in zip(names, IMAGES, strict=True):
            (tmp_path / name).write_bytes(content)
        return Made(open_source(SourceSpec("scans", tmp_path, media="image")), names, IMAGES)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> tuple[Source, str]:
        (tmp_path / "a.png").write_bytes(IMAGES[0])
        (tmp_path / "b.png").write_bytes(b"not a picture")
        return open_source(SourceSpec("scans", tmp_path, media="image")), "b.png: not an image"


class TestImagesOfCsv(SourceTests):
    @pytest.fixture
    def made(self, tmp_path: Path) -> Made:
        rows = [["id", "file"]]
        for key, content in zip(KEYS, IMAGES, strict=True):
            (tmp_path / f"{key}.png").write_bytes(content)
            rows.append([key, f"{key}.png"])
        path = write_csv(tmp_path / "m.csv", rows)
        return Made(open_source(spec_of(path, text=None, image="file")), KEYS, IMAGES)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> tuple[Source, str]:
        path = write_csv(tmp_path / "m.csv", [["id", "file"], ["a", "../secret.png"]])
        spec = spec_of(path, text=None, image="file")
        return open_source(
            spec
        ), "row 1 (2 with the header), column 'file': the path leaves the source's folder"


CELLS = st.text(st.sampled_from("ab\"',;\\\r\n\t é☃𝔸\u2028\u0085\ufeff"), max_size=20)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.tuples(CELLS.filter(bool), CELLS), min_size=1, max_size=6))
@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"])
def test_csv_round_trip(tmp_path: Path, rows: list[tuple[str, str]], ending: str) -> None:
    """Whatever the csv module writes is read back exactly, with any line ending."""
    body = [["id", "text"], *map(list, rows)]
    path = write_csv(tmp_path / "r.csv", body, lineterminator=ending, quoting=csv.QUOTE_ALL)
    found = read(spec_of(path))
    assert list(zip(found["key"], found["payload"], strict=True)) == rows


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(
        st.dictionaries(CELLS, CELLS | st.integers() | st.none() | st.lists(st.booleans())),
        min_size=1,
        max_size=5,
    )
)
def test_jsonl_round_trip(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    """Attributes and text come back as they were written."""
    path = tmp_path / "r.jsonl"
    full = [{**row, "id": str(i), "text": "t"} for i, row in enumerate(rows)]
    path.write_text("\n".join(map(json.dumps, full)), encoding="utf-8")
    found = read(spec_of(path))
    expected = [{k: v for k, v in row.items() if k not in ("id", "text")} for row in full]
    assert [json.loads(cell) for cell in found["attributes"]] == expected


def test_parquet_types(tmp_path: Path) -> None:
    """Whole-number keys become text, times ISO text, NaN null; dictionaries are read."""
    path = tmp_path / "t.parquet"
    frame = pd.DataFrame(
        {
            "id": [1, 2],
            "text": pd.Categorical(["x", "y"]),
            "at": pd.to_datetime(["2026-01-01", None], utc=True),
            "score": [float("nan"), 0.5],
        }
    )
    frame.to_parquet(path)
    found = read(spec_of(path))
    assert found["key"].tolist() == ["1", "2"] and found["payload"].tolist() == ["x", "y"]
    assert json.loads(found["attributes"][0]) == {"at": "2026-01-01T00:00:00+00:00", "score": None}


def test_byte_order_mark_group_and_chosen_attributes(tmp_path: Path) -> None:
    """A BOM is not part of the first column's name; group and attributes go where they belong."""
    path = tmp_path / "b.csv"
    path.write_text("\ufeffid,text,user,a,b\n1,hello,u9,2,3\n\n", encoding="utf-8")
    row = read(spec_of(path, group="user", attributes=("b",))).iloc[0]
    assert (row["key"], row["owner_group"], row["attributes"]) == ("1", "u9", '{"b":"3"}')


def test_other_encoding_and_tabs(tmp_path: Path) -> None:
    """The encoding can be said; `.tsv` is separated by tabs."""
    path = tmp_path / "b.tsv"
    path.write_bytes("id\ttext\n1\tnaïve, yes".encode("cp1252"))
    assert read(spec_of(path, encoding="cp1252"))["payload"].tolist() == ["naïve, yes"]


def test_blocks_are_bounded_and_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long file comes in several blocks whose first rows are numbered through."""
    monkeypatch.setattr("labelops.adapters.source_rows.BLOCK_ROWS", 10)
    path = write_csv(tmp_path / "l.csv", [["text"], *([f"t{i}"] for i in range(25))])
    blocks = list(open_source(spec_of(path, key=None)).rows())
    assert [(len(b.frame), b.first_row) for b in blocks] == [(10, 1), (10, 11), (5, 21)]
    assert blocks[0].frame["key"].isna().all()


def test_another_delimiter_is_read_where_it_is_named(tmp_path: Path) -> None:
    """As spreadsheets of many countries write it; a comma named is a comma, whatever the header."""
    path = write_csv(tmp_path / "e.csv", [["id", "text"], ["a", "1,5 kg; net"]], delimiter=";")
    assert read(spec_of(path, delimiter=";"))["payload"].tolist() == ["1,5 kg; net"]
    path = write_csv(tmp_path / "one.csv", [["a;b"], ["c;d"]])
    assert read(spec_of(path, key=None, text="a;b", delimiter=","))["payload"].tolist() == ["c;d"]


def test_blocks_carry_the_owners_names(tmp_path: Path) -> None:
    """Joined blocks still know what the owner calls the columns."""
    path = write_csv(tmp_path / "n.csv", [["id", "text"], ["a", "x"], ["b", "y"]])
    joined = read(spec_of(path)).drop(columns="content")
    assert joined.attrs["names"] == {"key": "id", "payload": "text"}
