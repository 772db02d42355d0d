"""Files of which some rows cannot be read: all others come as they are, each bad one is named."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelops.adapters.sources import SourceSpec, open_source
from labelops.errors import SourceError
from labelops.ports import SettingAside

from .written import IMAGES, spec_of


def _read(spec: SourceSpec) -> tuple[list[str], dict[int | str, tuple[str, str | None]]]:
    """Return the keys that are read, and what is wrong with others by row (or file), with key."""
    source, bad = open_source(spec), dict[int | str, tuple[str, str | None]]()
    assert isinstance(source, SettingAside)

    def add(error: SourceError, key: str | None) -> None:
        assert str(spec.path) in str(error)
        bad[error.row or str(error.file).rpartition("/")[2]] = (str(error), key)

    keys = [k for block in source.rows_but(add) for k in block.frame["key"]]
    return keys, bad


def test_csv(tmp_path: Path) -> None:
    """Cells too many or few, an empty line, a huge cell; what follows them is read."""
    path = tmp_path / "m.csv"
    path.write_text(f"id,text\na,one\nb\n\nc,three\nd,four,x\ne,{'x' * 20}\nf,six\n")
    keys, bad = _read(spec_of(path, max_cell=10))
    assert keys == ["a", "c", "f"]
    assert sorted(bad) == [2, 3, 5, 6]
    assert "line 3 has 1 cell" in bad[2][0] and "an empty line" in bad[3][0]
    assert [bad[row][1] for row in sorted(bad)] == [None, None, None, "e"]


def test_json_lines(tmp_path: Path) -> None:
    """A line that is no JSON, a text that is none, a key that is none."""
    path = tmp_path / "m.jsonl"
    path.write_text(
        '{"id":"a","text":"one"}\n{"id":"b","te\n{"id":"c","text":3}\n{"id":1.5,"text":"x"}\n'
        '{"id":"e","text":"five"}\n'
    )
    keys, bad = _read(spec_of(path))
    assert keys == ["a", "e"]
    assert {row: key for row, (_, key) in bad.items()} == {2: None, 3: "c", 4: None}


@pytest.mark.parametrize("coded", [True, False], ids=["dictionary", "plain"])
def test_parquet(tmp_path: Path, coded: bool) -> None:
    """A huge cell never becomes a text; bytes that are none, and the rows after them, too."""
    n = 2_500  # three batches
    texts = [f"text {row}" for row in range(n)]
    texts[1_200] = "x" * 100_000
    blobs = [b"fine"] * n
    blobs[2_100] = b"\xff\xfe"
    column = pa.array(texts).dictionary_encode() if coded else pa.array(texts)
    keys = [f"k{row}" for row in range(n)]
    pq.write_table(pa.table({"id": keys, "text": column, "z": blobs}), tmp_path / "m.parquet")
    found, bad = _read(spec_of(tmp_path / "m.parquet", max_cell=1_000))
    assert found == [k for row, k in enumerate(keys) if row not in (1_200, 2_100)]
    assert sorted(bad) == [1_201, 2_101]
    assert "column 'text': one cell holds 100,000" in bad[1_201][0]
    assert bad[2_101][1] == "k2100" and "column 'z'" in bad[2_101][0]


def test_folder_of_images(tmp_path: Path) -> None:
    """Half an image, an empty one, and a link out of the folder are named by their names."""
    for number, content in enumerate(IMAGES):
        (tmp_path / f"{number}.png").write_bytes(content)
    (tmp_path / "half.png").write_bytes(IMAGES[0][:60])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "link.png").symlink_to("/etc/hostname")
    keys, bad = _read(SourceSpec("scans", tmp_path, media="image"))
    assert keys == ["0.png", "1.png", "2.png"]
    assert {name: key for name, (_, key) in bad.items()} == {
        name: name for name in ("half.png", "empty.png", "link.png")
    }


def test_what_concerns_the_file_is_raised_all_the_same(tmp_path: Path) -> None:
    """A missing column, an open quote, another encoding, no rows: nothing begins where it seems."""
    path = tmp_path / "m.csv"
    for content in (b"id,body\na,b\n", b'id,text\na,b\nc,"d\n', b"id,text\na,\xef\n", b"id,text\n"):
        path.write_bytes(content)
        with pytest.raises(SourceError):
            _read(spec_of(path))
