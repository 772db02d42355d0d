"""File sources: round trips, and every kind of bad input with its place."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from labelops.adapters import source_parquet
from labelops.adapters.source_files import read_bounded
from labelops.adapters.source_folder import FolderSource
from labelops.adapters.sources import SourceSpec, open_source
from labelops.errors import SettingsError, SourceError
from labelops.ports import Source
from labelops.testing.sources import Made, SourceTests

TEXTS = ['one, "quoted"', "two\nlines", "drei – ☃"]
KEYS = ["a", "NA", "007"]


def png(shade: int, size: tuple[int, int] = (12, 9)) -> bytes:
    image = Image.radial_gradient("L").resize(size).point(lambda p: (p + shade) % 256)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


IMAGES = [png(0), png(60), png(120)]


def read(spec: SourceSpec) -> pd.DataFrame:
    return pd.concat([b.frame for b in open_source(spec).rows()], ignore_index=True)


def spec_of(path: Path, **more: Any) -> SourceSpec:
    return SourceSpec(**{"name": "mails", "path": path, "key": "id", "text": "text", **more})


def write_csv(path: Path, rows: list[list[str]], **more: Any) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, **more).writerows(rows)
    return path


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


BAD_CSV = {
    "empty file": (b"", "there are no rows"),
    "header only": (b"id,text\n", "there are no rows"),
    "missing column": (b"id,body\na,b\n", "column 'text': there is no such column.*'id', 'body'"),
    "column twice": (b"id,text,text\na,b,c\n", "column 'text': the header names this column twice"),
    "ragged": (
        b"id,text\na,b\nc\nd\n",
        r"row 2: line 3 has 1 cells, .* 2.*1 more problem: row 3\)",
    ),
    "ragged after quoted lines": (b'id,text\na,"b\nb\nb"\nc\n', "row 2: line 5 has 1 cells"),
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


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/etc/hostname", "must be relative"),
        ("C:\\x.png", "must be relative"),
        ("../x.png", "leaves the source's folder"),
        ("sub/../../x.png", "leaves the source's folder"),
        ("sub\\..\\..\\x.png", "leaves the source's folder"),
        ("out.png", "a link leads out"),
        ("loop.png", "go in a circle"),
        ("nothing.png", "no such file"),
        ("https://example.org/x.png", "no such file"),
        ("", "path is empty"),
        (".", "Is a directory"),
        ("pipe.png", "not an ordinary file"),
    ],
)
def test_paths_that_must_not_be_followed(tmp_path: Path, name: str, message: str) -> None:
    """Nothing outside the folder is read, whatever a row asks for."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "x.png").write_bytes(IMAGES[0])
    (folder / "out.png").symlink_to(tmp_path / "x.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    os.mkfifo(folder / "pipe.png")
    path = write_csv(folder / "m.csv", [["id", "file"], ["a", name]])
    with pytest.raises(SourceError, match=f"row 1 .*column 'file': .*{message}"):
        read(spec_of(path, text=None, image="file"))


def test_bad_folders(tmp_path: Path) -> None:
    """Links out, to folders, in a circle; other files; nothing at all: each named."""

    def refused(name: str, message: str, **more: Any) -> None:
        with pytest.raises(SourceError, match=message):
            read(SourceSpec("f", tmp_path / name, format="folder", **more))

    for name in ("empty", "out", "loop", "up", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "out" / "a.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "loop" / "a.txt").symlink_to(tmp_path / "loop" / "a.txt")
    (tmp_path / "up" / "again").symlink_to(tmp_path / "up")
    (tmp_path / "other" / "a.pdf").write_text("x")
    (tmp_path / "other" / "b.txt").write_text("fine")
    refused("empty", "no files")
    refused("out", r"a\.txt: a link leads out")
    refused("loop", r"a\.txt: .*circle")
    refused("up", "again: a link to a folder")
    refused("other", r"a\.pdf: not one of")
    refused("other", r"b\.txt: the file has 4 bytes|not one of", media="image")
    found = read(SourceSpec("f", tmp_path / "other", suffixes=(".txt",)))
    assert found["key"].tolist() == ["b.txt"]


def test_another_delimiter_is_read_where_it_is_named(tmp_path: Path) -> None:
    """As spreadsheets of many countries write it; a comma named is a comma, whatever the header."""
    path = write_csv(tmp_path / "e.csv", [["id", "text"], ["a", "1,5 kg; net"]], delimiter=";")
    assert read(spec_of(path, delimiter=";"))["payload"].tolist() == ["1,5 kg; net"]
    path = write_csv(tmp_path / "one.csv", [["a;b"], ["c;d"]])
    assert read(spec_of(path, key=None, text="a;b", delimiter=","))["payload"].tolist() == ["c;d"]


def test_a_folder_of_something_else_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remedy is a setting that there is, others are named, and the rest is not looked at."""
    for place in range(300):
        (tmp_path / f"{place:03}.py").write_text("x")
    looked = []
    find = FolderSource._find
    monkeypatch.setattr(
        FolderSource, "_find", lambda self, *a: (looked.append(a), find(self, *a))[1]
    )
    with pytest.raises(SourceError) as caught:
        read(SourceSpec("f", tmp_path))
    said = str(caught.value)
    assert "000.py: not one of .txt, .md, .text; move it out" in said
    assert "`suffixes = ['.py']`" in said
    assert "(and at least 100 more problems: 001.py, 002.py, 003.py, 004.py, 005.py, …)" in said
    assert len(looked) == 101
    assert len(read(SourceSpec("f", tmp_path, suffixes=(".py",)))) == 300


def test_a_folder_of_images_is_not_told_to_read_texts(tmp_path: Path) -> None:
    """The files to read are named by what an image is called, not by what was found."""
    (tmp_path / "note.txt").write_text("x")
    with pytest.raises(
        SourceError, match=r"note.txt: not one of .*`suffixes = \['.png', '.jpg'\]`"
    ):
        read(SourceSpec("f", tmp_path, media="image"))


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


def test_blocks_carry_the_owners_names(tmp_path: Path) -> None:
    """Joined blocks still know what the owner calls the columns."""
    path = write_csv(tmp_path / "n.csv", [["id", "text"], ["a", "x"], ["b", "y"]])
    joined = read(spec_of(path)).drop(columns="content")
    assert joined.attrs["names"] == {"key": "id", "payload": "text"}


def _pictures(folder: Path, files: dict[str, bytes]) -> SourceSpec:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (1_000, 1_000))
    rows = [["id", "file"], *([name, name] for name in files)]
    return spec_of(write_csv(folder / "m.csv", rows), text=None, image="file")


def test_known_pictures_are_read_again_only_when_they_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with the same times, size and identity is not opened; one of the same size is."""
    spec = _pictures(tmp_path, {"s/a.png": IMAGES[0], "s/b.png": IMAGES[1]})
    first = read(spec)
    columns = (first[c] for c in ("uri", "media_type", "sketch"))
    known = dict(zip(first["digest"], zip(*columns, strict=True), strict=True))
    # The files were made just now: their inode's time is too fresh to trust.
    monkeypatch.setattr("labelops.adapters.source_files._TICK", -(10**18))
    again = dataclasses.replace(spec, known=known)
    assert read(again)["content"].isna().all()
    opened: list[str] = []

    def noted(path: Path, limit: int) -> bytes:
        opened.append(path.name)
        return read_bounded(path, limit)

    monkeypatch.setattr("labelops.adapters.source_rows.read_bounded", noted)
    third = read(again)
    assert opened == [] and third.equals(read(again))
    changed = bytearray(IMAGES[0])
    changed[-20] ^= 1
    (tmp_path / "s/a.png").write_bytes(bytes(changed))
    os.utime(tmp_path / "s/a.png", (1_000, 1_000))
    with suppress(SourceError):
        read(again)
    assert opened == ["a.png"]


def test_fresh_files_are_read_every_time(tmp_path: Path) -> None:
    """What was changed within the clock's tick is not taken for read."""
    spec = _pictures(tmp_path, {"a.png": IMAGES[0]})
    read(spec)
    assert spec.seen == {}


def test_links_among_ordinary_files(tmp_path: Path) -> None:
    """A link out of the folder is refused beside an ordinary file, a link inside is followed."""
    (tmp_path / "secret.png").write_bytes(IMAGES[1])
    spec = _pictures(tmp_path / "data", {"s/a.png": IMAGES[0], "s/b.png": IMAGES[1]})
    (tmp_path / "data/s/b.png").unlink()
    (tmp_path / "data/s/b.png").symlink_to("a.png")
    assert read(spec)["digest"].nunique() == 1
    (tmp_path / "data/s/b.png").unlink()
    (tmp_path / "data/s/b.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(SourceError, match=r"row 2.*a link leads out"):
        read(spec)


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
