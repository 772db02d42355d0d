"""Files that cannot be read as they are: named with place, cell and remedy, in bounded memory."""

from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelops.adapters import source_parquet
from labelops.adapters.sources import SourceSpec, open_source
from labelops.errors import SettingsError, SourceError

from .written import read, spec_of

BAD_CSV = {
    "empty file": (b"", "there are no rows"),
    "header only": (b"id,text\n", "there are no rows"),
    "missing column": (b"id,body\na,b\n", "column 'text': there is no such column.*'id', 'body'"),
    "column twice": (b"id,text,text\na,b,c\n", "column 'text': the header names this column twice"),
    "ragged": (
        b"id,text\na,b\nc\nd\n",
        r"row 2: line 3 has 1 cell, .* 2.*1 more problem: row 3\)",
    ),
    "ragged after quoted lines": (b'id,text\na,"b\nb\nb"\nc\n', "row 2: line 5 has 1 cell"),
    "semicolons": (
        b"id;text\na;b\n",
        "'id;text': its cells .* set `delimiter = \";\"`",
    ),
    "tabs": (
        b"id\ttext\na\tb\n",
        r"'id\\ttext': its cells .* `delimiter = \"\\t\"`, or .*\",\"`",
    ),
    "blank line between": (b"id,text\na,b\n\nc,d\n", "row 2: an empty line"),
    "open quote": (b'id,text\na,"b\nc,d\n', "starts on line 2 .*never closed"),
    "text after quote": (b'id,text\na,"b"c\n', "starts on line 2 is not CSV"),
    "latin-1": ("id,text\na,b\nc,naïve\n".encode("latin-1"), "line 3: byte 0xef is not utf-8"),
    "cut inside a character": (b"id,text\na,\xe2\x98", "line 2: byte 0xe2"),
    "a picture": (b"\xff\xd8\xff\xe0", "not a text file but a JPEG image; name a file of rows"),
    "another file": (b"id,text\na,\x00\x01", "not a text file: byte 11 is NUL"),
    "utf-16": ("id,text\na,b\n".encode("utf-16"), "line 1: this is UTF-16"),
    "huge cell": (
        b"id,text\na," + b"x" * 1001,
        r"row 1 \(2 with .*column 'text': .*1,001.*at most",
    ),
    "huge attribute": (
        b"id,text,z\na,b," + b"x" * 1001,
        r"row 1 \(2 with .*column 'z': one cell",
    ),
    "huge line": (b"id,text\na," + b"x" * 90_000, "line 2: one cell holds more than 7,999"),
}


@pytest.mark.parametrize("case", BAD_CSV)
def test_bad_csv(tmp_path: Path, case: str) -> None:
    """Every broken CSV file is refused with one line that names the place."""
    content, message = BAD_CSV[case]
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        read(spec_of(path, max_cell=1000))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


BAD_JSONL = {
    "empty file": (b"\n\n", "there are no rows"),
    "array": (b'["id"]\n', "row 1: expected an object"),
    "NaN": (b'{"id":"a","text":"t","x":NaN}', "row 1: .*NaN is not JSON"),
    "infinite": (b'{"id":"a","text":"t","x":1e999}', "row 1: the other columns cannot be kept"),
    "number as text": (b'{"id":"a","text":5}', r"row 1, column 'text': .*quote it \(found 5\)"),
    "float key": (b'{"id":1.5,"text":"t"}', "row 1, column 'id': .*whole number"),
    "no such column": (b'{"id":"a","body":"t"}', "column 'text': there is no such column"),
    "deep": (b"[" * 7_000, "row 1: not (usable )?JSON"),
    "huge line": (b'{"text":"' + b"x" * 20_000 + b'"}', "row 1: the line is longer than 8,000"),
    "latin-1": ('{"id":"é"}'.encode("latin-1"), "line 1: byte 0xe9"),
    "two bad lines": (
        b'{\n{"id":"a","text":"t"}\n}\n',
        r"row 1: not JSON.*1 more problem: row 3\)",
    ),
    "many bad lines": (b"{\n" * 9, r"row 1: .*\(and 8 more problems: rows 2, 3, 4, 5, 6, …\)"),
}


@pytest.mark.parametrize("case", BAD_JSONL)
def test_bad_jsonl(tmp_path: Path, case: str) -> None:
    """Every broken JSON Lines file is refused with one line that names the place."""
    content, message = BAD_JSONL[case]
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        read(spec_of(path, max_cell=1000))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_bad_parquet(tmp_path: Path) -> None:
    """A huge cell, a missing column and no rows are refused."""
    path = tmp_path / "bad.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "text": ["t", "x" * 5000]}), path)
    with pytest.raises(SourceError, match="row 2, column 'text': one cell holds 5,000"):
        read(spec_of(path, max_cell=1000))
    with pytest.raises(SourceError, match=r"column 'body': .*'id', 'text'"):
        read(spec_of(path, text="body"))
    pq.write_table(pa.table({"id": pa.array([], "string"), "text": pa.array([], "string")}), path)
    with pytest.raises(SourceError, match="no rows"):
        read(spec_of(path))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "folder"])
def test_absent(tmp_path: Path, name: str) -> None:
    """A path that is not there is an error of ours."""
    kind = "folder" if name == "folder" else None
    with pytest.raises(SourceError, match="cannot be read"):
        read(spec_of(tmp_path / name, format=kind))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_hundred_megabytes_in_one_cell(tmp_path: Path, suffix: str) -> None:
    """100 MB in one cell are refused in much less memory than that."""
    path = tmp_path / f"huge{suffix}"
    start = b"id,text\n" if suffix == ".csv" else b'{"id":"'
    with path.open("wb") as file:
        file.write(start + b"a,")
        for _ in range(100):
            file.write(b"x" * 1_000_000)
    tracemalloc.start()
    with pytest.raises(SourceError, match="at most 1,000,000"):
        read(spec_of(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A line may be 8 cells long; reading it makes a few copies.
    assert peak < 80_000_000


def test_open_quote_in_a_long_file_is_bounded(tmp_path: Path) -> None:
    """A quote that is never closed does not swallow the file."""
    path = tmp_path / "open.csv"
    path.write_text('id,text\na,"b\n' + "c,d\n" * 100_000)
    with pytest.raises(SourceError, match="starts on line 2 is longer than 8,000"):
        read(spec_of(path, max_cell=1000))


def test_settings_that_do_not_fit(tmp_path: Path) -> None:
    """A source that cannot be read as described is refused before reading."""
    for more, message in (
        ({"format": "xml"}, "format 'xml'"),
        ({"text": None}, "either a `text` or an `image`"),
        ({"media": "video"}, "text or image"),
        ({"encoding": "klingon"}, "encoding 'klingon'"),
        ({"delimiter": ";;"}, "delimiter ';;' is not one character"),
        ({"delimiter": "\n"}, "is not one character between cells"),
        ({"suffixes": ("py",)}, "suffix 'py' is not like '.txt'"),
    ):
        with pytest.raises(SettingsError, match=message):
            spec_of(tmp_path / "a.csv", **more)
    (tmp_path / "a.doc").write_bytes(b"")
    with pytest.raises(SettingsError, match=r"a\.doc: \.doc is not read; save it as one of \.csv"):
        spec_of(tmp_path / "a.doc")
    (tmp_path / "a.xls").write_bytes(b"")
    with pytest.raises(SettingsError, match=r"a\.xls: a spreadsheet; save it as CSV or Parquet"):
        spec_of(tmp_path / "a.xls")
    with pytest.raises(SettingsError, match=r"no file or folder .*a\.xlsx; mend the path"):
        spec_of(tmp_path / "a.xlsx")


@pytest.mark.slow
@pytest.mark.parametrize("coded", [True, False], ids=["dictionary", "plain"])
def test_a_parquet_file_does_not_swell_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coded: bool
) -> None:
    """A text repeated in a tiny file is refused before all of it is unpacked, by its sizes."""
    monkeypatch.setattr(source_parquet, "_UNPACKED", 20_000_000)
    text, n = "spam " * 2_000, 5_000
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), pa.array([text]))
    keys = pa.array([str(i) for i in range(n)])
    table = pa.table({"id": keys, "text": texts if coded else texts.cast(pa.string())})
    path = tmp_path / "bomb.parquet"
    pq.write_table(table, path)
    assert path.stat().st_size < 100_000
    source = open_source(SourceSpec(name="x", path=path, key="id", text="text"))
    tracemalloc.start()
    with pytest.raises(SourceError, match=r"bomb\.parquet: unpacked.* 20,000,000 bytes"):
        list(source.rows())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 45_000_000 < n * len(text)


def test_a_large_cell_of_a_dictionary_is_named(tmp_path: Path) -> None:
    """Its row is that of its first use; texts of usual size pass."""
    texts = pa.array(["a", "b" * 50, "a", None, "b" * 50]).dictionary_encode()
    pq.write_table(pa.table({"id": list("vwxyz"), "text": texts}), tmp_path / "a.parquet")
    spec = SourceSpec(name="x", path=tmp_path / "a.parquet", key="id", text="text", max_cell=10)
    with pytest.raises(SourceError, match=r"row 2, column 'text'"):
        list(open_source(spec).rows())
    [block] = open_source(dataclasses.replace(spec, max_cell=50)).rows()
    assert block.frame["payload"].tolist() == ["a", "b" * 50, "a", None, "b" * 50]
