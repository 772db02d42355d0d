"""What `labelops check` cannot read or use: refused in plain words, as early as it shows."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from labelops.cli import main

from .checked import VOTES, crowd_file, votes_file
from .world import run


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("k99,ann,cat",), "votes.csv, row 181 (182 with the header), column 'item': no row has"),
        (("k3,ann,cat",), "row 181 (182 with the header), column 'worker': votes twice on this"),
        ((",ann,cat",), "column 'item': it is empty; fill it in"),
        (("k3,,cat",), "column 'worker': it is empty"),
    ],
)
def test_a_row_of_votes_that_says_nothing_is_named(
    more: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its file and row, in one line."""
    file = crowd_file(tmp_path / "crowd.csv")
    long = str(votes_file(tmp_path / "votes.csv", file, *more))
    assert run(tmp_path, "-q", "check", str(file), "--label", "final", "--votes", long) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1


def test_a_file_of_votes_that_cannot_be_read_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No such file, the file itself, no key or one that is double, a column that has no meaning."""
    file = crowd_file(tmp_path / "crowd.csv")
    long = votes_file(tmp_path / "votes.csv", file)
    (tmp_path / "odd.csv").write_text("item,who,label\nk1,ann,cat\n")
    (tmp_path / "keyless.csv").write_text("name,final\na,cat\na,dog\nb,cat\nb,dog\n")
    (tmp_path / "bird.csv").write_text("item,worker,answer\nk1,ann,bird\n")
    keyless = str(tmp_path / "keyless.csv")
    for arguments, says in (
        ((str(file), "--votes", "none.csv"), "none.csv: no such file"),
        ((str(file), "--votes", str(file)), "--votes is FILE itself"),
        ((keyless, "--votes", str(long)), "name the column that identifies a row, --key COLUMN"),
        ((keyless, "--votes", str(long), "--key", "name"), "'name': two rows have this key"),
        ((str(file), "--votes", str(tmp_path / "odd.csv")), "no column names the annotator of a"),
        (
            (str(file), "--votes", str(tmp_path / "bird.csv"), "--classes", "cat,dog"),
            "bird.csv, row 1 (2 with the header), column 'answer': not one of the classes",
        ),
    ):
        assert run(tmp_path, "-q", "check", arguments[0], "--label", "final", *arguments[1:]) == 2
        said = capsys.readouterr().err
        assert says in said and said.count("\n") == 1, said


@pytest.mark.parametrize("column", ["final", "ann", "answer"])
@pytest.mark.parametrize("odd", ["x" * 201, "b\tc"])
def test_a_cell_that_cannot_be_a_class(
    column: str, odd: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A label, a vote beside it or in a file of its own: named with file, row and column."""
    file, votes = tmp_path / "crowd.csv", tmp_path / "votes.csv"
    said = dict.fromkeys(("final", "ann", "answer"), "cat") | {column: odd}
    rows = [["k1", "dog", "dog"], ["k2", said["final"], said["ann"]], ["k3", "dog", "dog"]]
    pd.DataFrame(rows, columns=["id", "final", "ann"]).to_csv(file, index=False)
    long = [["k1", "eve", "dog"], ["k2", "eve", said["answer"]]]
    pd.DataFrame(long, columns=["item", "worker", "answer"]).to_csv(votes, index=False)
    asked = ["-q", "check", str(file), "--label", "final", "--key", "id"]
    assert run(tmp_path, *asked, "--votes", str(votes) if column == "answer" else "ann") == 2
    (line,) = capsys.readouterr().err.splitlines()
    where = "votes.csv" if column == "answer" else "crowd.csv"
    assert f"{where}, row 2 (3 with the header), column {column!r}: a class has at most" in line


@pytest.mark.slow
def test_utf_16_without_a_mark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its remedy is named; as utf-16-le the file is read."""
    file = tmp_path / "crowd.csv"
    file.write_bytes(crowd_file(file).read_text(encoding="utf-8").encode("utf-16-le"))
    assert run(tmp_path, "check", str(file), *VOTES, "--encoding", "utf-16") == 2
    assert "utf-16-le" in capsys.readouterr().err
    assert run(tmp_path, "check", str(file), *VOTES, "--encoding", "utf-16-le") == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--label COLUMN; there are 'id', 'final', 'ann', 'ben', 'cem'"),
        (["--label", "nope", "--votes", "ann"], "crowd.csv, column 'nope': there is no such"),
        (["--label", "final", "--probs", "p_"], "no column begins so"),
        (["--label", "final", "--probs", "p.npy"], "p.npy: no such file; mend the path"),
        (["--label", "final", "--features", "e.npz:x"], "e.npz: no such file; mend the path"),
        (["--label", "final", "--probs", "p.pt"], "an array is read from .npy or .npz; save it"),
        (["--label", "final", "--features", "e.pkl"], "no column is named so, and an array is"),
        (["--label", "final", "--votes", "ann,bob"], "no such column"),
        (["--label", "final", "--votes", "final"], "they cannot judge themselves"),
        (["--label", "final", "--votes", "ann", "--group", "who"], "no such column"),
        (["--label", "final", "--probs", "b"], "say which fold each row was held out in"),
        (["--label", "final", "--votes", "ann", "--fold", "ben"], "and there are none"),
        (["--label", "final", "--votes", "ann", "--encoding", "klingon"], "not known"),
    ],
)
def test_what_the_header_shows_is_refused_before_the_file_is_read(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong use is one line and exit code 2, and nothing is said to be done before it."""
    file = crowd_file(tmp_path / "crowd.csv", 20)
    assert main(["check", str(file), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("labelops: error: ") and said in line


PROBS = ("--probs", "p_", "--fold", "fold")


@pytest.mark.parametrize(
    ("column", "cell", "words", "said"),
    [
        ("n", "x", ["--features", "n"], "column 'n': expected a number (found 'x')"),
        ("n", "1e200", ["--features", "n"], "column 'n': expected a number below 1e+100; divide"),
        ("p_a", ".5", PROBS, "should be 0 or more and sum to 1"),
        ("fold", "", PROBS, "column 'fold': it is empty"),
        ("text", "words of 3", (*PROBS, "--text", "text"), "row 4 is its copy or of its group"),
        ("y", "c", ["--text", "text", "--classes", "a,b"], "column 'y': not one of the classes"),
        ("text", "none.png", ["--image", "text"], "column 'text': no such file"),
    ],
)
def test_what_a_cell_shows_is_refused_before_anything_is_judged(
    column: str,
    cell: str,
    words: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The whole file is read first; the refusal is the next line, with file and row."""
    rows = pd.DataFrame({"y": ["a", "b"] * 10, "p_a": [".9", ".1"] * 10, "p_b": [".1", ".9"] * 10})
    rows = rows.assign(n=rows.index, fold=rows.index % 3)
    rows["text"] = [f"words of {n}" for n in rows.index]
    if "--image" in words:
        rows["text"] = "dot.png"
        Image.new("L", (8, 8)).save(tmp_path / "dot.png")
    rows = rows.astype(object)
    rows.loc[4, column] = cell
    file = tmp_path / "scores.csv"
    rows.to_csv(file, index=False)
    assert main(["check", str(file), "--label", "y", *words]) == 2
    first, line = capsys.readouterr().err.splitlines()
    assert first.startswith("check: reading") and line.startswith("labelops: error: ")
    assert said in line and "scores.csv" in line
    assert "row 5 (6 with the header)" in line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "there are no rows"),
        (b"label,text\n", "there are no rows"),
        ("label,text\na,b\n".encode("utf-16"), "--encoding utf-16"),
        (b"label,text\na,m\xfcde\nb,x\n", "cp1252"),
        (b'label,text\na,"open\nb,x\n', "never closed"),
        (b"label,text\na,b,c\nb,x\n", "3 cells"),
        (b"label,text,text\na,b,c\nb,x,y\n", "twice"),
    ],
)
def test_files_that_cannot_be_read(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are refused as a source's are: with the line, and what to do."""
    (tmp_path / "a.csv").write_bytes(content)
    assert run(tmp_path, "check", str(tmp_path / "a.csv"), "--label", "label") == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not a text file but a PNG image"),
        ("a.csv", gzip.compress(b"label,text\na,b\n", mtime=0), "but a gzip file; unpack it"),
        (
            "a.jsonl",
            b"PK\x03\x04..[Content_Types].xml",
            "save it as CSV or Parquet",
        ),
        ("a.csv", b"PAR1\x15\x04", "but a Parquet file; let its name end in .parquet"),
        ("a.csv", b"label,text\na,\0b\nc,d\n", "byte 14 is NUL; save it as CSV or Parquet"),
        ("a.xlsx", b"PK\x03\x04", "a spreadsheet; save it as CSV or Parquet"),
        ("a.ODS", b"PK\x03\x04", "a spreadsheet; save it as CSV or Parquet"),
    ],
)
@pytest.mark.parametrize("command", ["check", "init"])
def test_what_is_no_text_is_said_to_be_none(
    command: str, name: str, content: bytes, said: str, tmp_path: Path, capsys: Any
) -> None:
    """By its first bytes or its ending, whatever it is called; no encoding is advised."""
    (tmp_path / name).write_bytes(content)
    assert run(tmp_path, command, str(tmp_path / name)) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert said in line and "cp1252" not in line


def test_an_image_that_is_not_there_is_named_by_its_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Among many, the row is what one looks for."""
    (tmp_path / "a.csv").write_text("file,label\nnone.png,cat\nnone.png,dog\n" * 3)
    assert run(tmp_path, "-q", "check", str(tmp_path / "a.csv"), "--image", "file") == 2
    assert (
        "a.csv, row 1 (2 with the header), column 'file': no such file" in capsys.readouterr().err
    )
