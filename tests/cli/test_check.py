"""`labelops check`: one command from a file with labels to the wrong ones, and plain refusals."""

from __future__ import annotations

import errno
import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from labelops.cli import main

from .world import mails, run, shown_as_json


def _crowd(path: Path, rows: int = 60) -> Path:
    """Write labels beside three annotators' votes; row 5 is labeled as nobody said."""
    lines = ["id,final,ann,ben,cem"]
    for n in range(rows):
        said = ("cat", "dog")[n % 2]
        lines.append(f"k{n},{'dog' if n == 4 else said},{said},{said},{said}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


VOTES = ("--label", "final", "--votes", "ann, ben,cem")


def test_wrong_labels_by_votes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table names the row by its key; --output has the file's rows and what was found."""
    file = _crowd(tmp_path / "crowd.csv")
    page, table = tmp_path / "wrong.html", tmp_path / "checked.csv"
    written = ("--report", str(page), "--output", str(table))
    assert run(tmp_path, "check", str(file), *VOTES, *written) == 0
    said = capsys.readouterr().out
    assert "k4" in said
    assert "k5" not in said
    assert "planted" not in said and "not found by votes" in said
    assert shown_as_json(capsys, tmp_path, "check", str(file), *VOTES)["recall_of_planted"] is None
    checked = pd.read_csv(table)
    assert list(checked)[:5] == ["id", "final", "ann", "ben", "cem"]
    assert checked.loc[checked["check_call"] == "wrong", "id"].tolist() == ["k4"]
    assert "k4" in page.read_text(encoding="utf-8")


def _long(path: Path, crowd: Path, *more: str) -> Path:
    """Write the votes of a crowd's columns as one row a vote, in another order."""
    wide = pd.read_csv(crowd)
    long = wide.melt("id", ["cem", "ann", "ben"], "worker", "answer").rename(columns={"id": "item"})
    long.sample(frac=1, random_state=1).to_csv(path, index=False)
    with path.open("a") as file:
        file.writelines(f"{row}\n" for row in more)
    return path


def test_votes_in_a_file_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One row a vote says what one column an annotator says; an empty cell is no vote."""
    file = _crowd(tmp_path / "crowd.csv")
    long = str(_long(tmp_path / "votes.csv", file, "k0,dan,", "k1,dan,bird"))
    (tmp_path / "labels.csv").write_text(
        "\n".join(",".join(line.split(",")[:2]) for line in file.read_text().splitlines()) + "\n"
    )
    asked = ("check", str(tmp_path / "labels.csv"), "--label", "final", "--votes", long)
    assert run(tmp_path, *asked) == 0
    said = capsys.readouterr().out
    assert "k4" in said and "k5" not in said
    assert "181 votes by 4 annotators: how far each" in said
    assert run(tmp_path, *asked[:-1], str(tmp_path / "votes.csv"), "--classes", "cat,dog") == 2
    assert "column 'answer': not one of the classes 'cat', 'dog'" in capsys.readouterr().err


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
    file = _crowd(tmp_path / "crowd.csv")
    long = str(_long(tmp_path / "votes.csv", file, *more))
    assert run(tmp_path, "-q", "check", str(file), "--label", "final", "--votes", long) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1


def test_a_file_of_votes_that_cannot_be_read_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No such file, the file itself, no key or one that is double, a column that has no meaning."""
    file = _crowd(tmp_path / "crowd.csv")
    long = _long(tmp_path / "votes.csv", file)
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


def test_where_nothing_may_be_written_is_found_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder or a file without permission: asked of the system, as root may write anywhere."""
    file = _crowd(tmp_path / "crowd.csv")
    closed = tmp_path / "closed"
    closed.mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: path != closed)
    for option in ("--output", "--report"):
        assert main(["check", str(file), *VOTES, option, str(closed / "x.csv")]) == 2
        (said,) = capsys.readouterr().err.splitlines()
        assert "x.csv: cannot be written (no permission)" in said


@pytest.mark.parametrize("option", ["--report", "--output"])
def test_a_result_that_fails_half_way_leaves_the_one_before(
    option: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A full disk takes no earlier result away, and leaves nothing behind."""
    file, target = _crowd(tmp_path / "crowd.csv"), tmp_path / "before"
    target.write_text("earlier")
    target.chmod(0o640)

    def fail(to: Path, *_: object, **__: object) -> None:
        to.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", fail)
        patch.setattr(pd.DataFrame, "to_csv", lambda _, to, **__: fail(to))
        assert run(tmp_path, "check", str(file), *VOTES, option, str(target)) == 2
    assert "before: cannot be written (No space left on device); free some" in (
        capsys.readouterr().err
    )
    assert target.read_text() == "earlier"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["before", "crowd.csv"]
    assert run(tmp_path, "check", str(file), *VOTES, option, str(target)) == 0
    assert "k4" in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_result_may_go_into_a_pipe(tmp_path: Path) -> None:
    """`--output /dev/stdout` is no file to be replaced."""
    file = _crowd(tmp_path / "crowd.csv")
    command = [sys.executable, "-m", "labelops", "-q", "check", str(file), *VOTES]
    done = subprocess.run([*command, "--output", "/dev/stdout"], capture_output=True, check=True)
    assert done.stdout.decode().startswith("id,final,ann,ben,cem,check_wrong")


@pytest.mark.parametrize("option", ["--report", "--output"])
def test_the_labels_are_never_written_over(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file itself, also by another way to it, and one result over the other: refused."""
    file = _crowd(tmp_path / "crowd.csv")
    before = file.read_bytes()
    (tmp_path / "link.csv").symlink_to(file)
    for name in ("crowd.csv", "link.csv"):
        assert run(tmp_path, "check", str(file), *VOTES, option, str(tmp_path / name)) == 2
        assert "different files" in capsys.readouterr().err
    one = str(tmp_path / "one")
    assert run(tmp_path, "check", str(file), *VOTES, "--report", one, "--output", one) == 2
    assert file.read_bytes() == before and not (tmp_path / "one").exists()


def test_a_folder_that_is_not_there_is_found_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And said in one line."""
    file = _crowd(tmp_path / "crowd.csv")
    target = str(tmp_path / "none" / "x.csv")
    assert main(["check", str(file), *VOTES, "--output", target]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "no such folder" in said


def test_utf_16_without_a_mark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its remedy is named; as utf-16-le the file is read."""
    file = tmp_path / "crowd.csv"
    file.write_bytes(_crowd(file).read_text(encoding="utf-8").encode("utf-16-le"))
    assert run(tmp_path, "check", str(file), *VOTES, "--encoding", "utf-16") == 2
    assert "utf-16-le" in capsys.readouterr().err
    assert run(tmp_path, "check", str(file), *VOTES, "--encoding", "utf-16-le") == 0


def test_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for programs; a row is named as in the file, from 1 after the header."""
    file = _crowd(tmp_path / "crowd.csv")
    facts = shown_as_json(capsys, tmp_path, "check", str(file), *VOTES)
    assert facts["rows"] == 60
    assert [row["row"] for row in facts["suspected"]] == ["5"]
    assert facts["suspected"][0]["better"] == "cat"


def test_needs_no_label_set_and_leaves_nothing(tmp_path: Path) -> None:
    """No labelops.toml is read or written; nothing is left that was not asked for."""
    file = _crowd(tmp_path / "crowd.csv")
    assert run(tmp_path, "check", str(file), *VOTES) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["crowd.csv"]


@pytest.mark.slow
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_text_and_label_are_guessed(
    delimiter: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Columns named as usual need no option, however a spreadsheet separated them."""
    rows = mails(120)[:-1]
    frame = pd.DataFrame(rows, columns=["id", "message", "label"])
    frame.loc[10, "label"] = "recipe" if frame.loc[10, "label"] != "recipe" else "billing"
    file = tmp_path / "mails.csv"
    frame.to_csv(file, index=False, sep=delimiter, encoding="utf-8-sig")
    facts = shown_as_json(capsys, tmp_path, "check", str(file))
    assert facts["label"] == "label"
    assert facts["suspected"][0]["row"] == "11"


@pytest.mark.slow
def test_parquet_with_probabilities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers stay numbers; classes that are numbers keep their order."""
    truth = np.arange(300) % 3
    frame = pd.DataFrame(np.where(np.eye(3)[truth] > 0, 0.9, 0.05), columns=["p0", "p1", "p2"])
    frame["y"] = truth
    frame.loc[6, "y"] = 2
    frame.to_parquet(tmp_path / "scores.parquet")
    words = ["check", str(tmp_path / "scores.parquet"), "--label", "y", "--probs", "p"]
    facts = shown_as_json(capsys, tmp_path, *words, "--out-of-sample")
    assert facts["classes"] == ["0", "1", "2"]
    assert facts["suspected"][0]["row"] == "7"


def test_memorised_probabilities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are refused in the words of the command line, unless one insists."""
    truth = np.arange(600) % 2
    frame = pd.DataFrame(np.where(np.eye(2)[truth] > 0, 0.999, 0.001), columns=["p0", "p1"])
    frame.assign(y=truth).to_csv(tmp_path / "a.csv", index=False)
    words = ["check", str(tmp_path / "a.csv"), "--label", "y", "--probs", "p", "--out-of-sample"]
    assert run(tmp_path, *words) == 2
    said = capsys.readouterr().err
    assert "give --trust-probs if you are sure" in said
    assert "check_memorised" not in said
    assert run(tmp_path, *words, "--trust-probs") == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--label COLUMN; there are 'id', 'final', 'ann', 'ben', 'cem'"),
        (["--label", "nope", "--votes", "ann"], "crowd.csv, column 'nope': there is no such"),
        (["--label", "final", "--probs", "p_"], "no column begins so"),
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
    file = _crowd(tmp_path / "crowd.csv", 20)
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


def test_a_column_of_results_that_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Votes in a column named as the result would be: said before the work."""
    file, target = tmp_path / "crowd.csv", str(tmp_path / "out.csv")
    pd.DataFrame({"y": ["a", "b"] * 9, "check_call": ["a", "b"] * 9}).to_csv(file, index=False)
    asked = ["check", str(file), "--label", "y", "--votes", "check_call", "--output", target]
    assert main(asked) == 2
    _, line = capsys.readouterr().err.splitlines()
    assert "has a column 'check_call' already; rename that" in line
    assert main(asked[:-2]) == 0


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


def test_bytes_in_parquet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """UTF-8 is read as text; other bytes are refused with their column and what to do."""
    frame = pd.read_csv(_crowd(tmp_path / "crowd.csv"))
    file = tmp_path / "crowd.parquet"
    frame.assign(final=frame["final"].str.encode("utf-8")).to_parquet(file)
    facts = shown_as_json(capsys, tmp_path, "check", str(file), *VOTES)
    assert facts["classes"] == ["cat", "dog"]
    assert [row["row"] for row in facts["suspected"]] == ["5"]
    frame.assign(scan=b"\xff\xd8").to_parquet(file)
    assert run(tmp_path, "check", str(file), *VOTES) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "row 1, column 'scan': holds bytes that are not UTF-8" in said
    assert "leave the column out" in said


def test_classes_that_look_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two spellings are two classes, and it is said; the decomposed accent is one of them."""
    file = _crowd(tmp_path / "crowd.csv")
    text = file.read_text(encoding="utf-8")
    text = text.replace("k8,cat", "k8,Cat").replace("dog", "caf\u00e9")
    file.write_text(text.replace("k9,caf\u00e9", "k9,cafe\u0301"), encoding="utf-8")
    facts = shown_as_json(capsys, tmp_path, "check", str(file), *VOTES)
    assert facts["alike"] == [["Cat", "cat"], ["cafe\u0301", "caf\u00e9"]]
    assert run(tmp_path, "check", str(file), *VOTES) == 0
    assert "Classes 'Cat', 'cat' are spelled alike" in capsys.readouterr().out


def test_a_checked_file_is_checked_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its columns are written anew, not twice, and nothing is judged by them."""
    file, again = _crowd(tmp_path / "crowd.csv"), tmp_path / "again.csv"
    once = tmp_path / "once.csv"
    assert run(tmp_path, "check", str(file), *VOTES, "--output", str(once)) == 0
    assert run(tmp_path, "check", str(once), *VOTES, "--output", str(again)) == 0
    assert again.read_bytes() == once.read_bytes()
    named = ("--label", "check_call", "--votes", "ann,ben")
    capsys.readouterr()
    assert run(tmp_path, "check", str(once), *named, "--output", str(again)) == 2
    assert "has a column 'check_call' already" in capsys.readouterr().err


def test_a_report_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so before, or instead of, a traceback."""
    file = _crowd(tmp_path / "crowd.csv", 20)
    there: Any = ("--report", str(tmp_path / "no" / "such" / "a.html"))
    assert run(tmp_path, "check", str(file), *VOTES, *there) == 2
    assert "cannot be written" in capsys.readouterr().err


def _numbers(path: Path) -> Path:
    """Write measurements of two kinds; row 8 has the label of the other one."""
    lines = ["x1,x2,y1,label"]
    for n in range(120):
        kind = n % 2
        label = ("cat", "dog")[1 - kind if n == 7 else kind]
        lines.append(f"{kind + n / 1000},{kind * 3 - n / 900},{n * 7 % 5},{label}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_columns_of_numbers_are_no_texts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is guessed from them; `x*` names those that begin with x."""
    file = str(_numbers(tmp_path / "a.csv"))
    assert run(tmp_path, "-q", "check", file) == 2
    assert "no column seems to hold texts or image files" in capsys.readouterr().err
    assert run(tmp_path, "-q", "check", file, "--features", "z*") == 2
    assert "--features 'z*': no column is named so; there are 'x1'" in capsys.readouterr().err
    assert run(tmp_path, "-q", "check", file, "--features", "x*") == 0
    said = capsys.readouterr().out
    assert "x1, x2: models" in said
    (row,) = (line for line in said.splitlines() if line.strip().startswith("row 8 "))
    *_, share, _, given, other = row.split()
    assert int(share) >= 95 and (given, other) == ("cat", "dog"), row


def test_a_column_named_like_labels_is_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it has one class, or one a row, that is what is said."""
    rows = [f"hello number {n}" for n in range(40)]
    for name, label, says in (
        ("one", lambda n: "x", "column 'label' holds 1 class"),
        ("all", str, "column 'label' holds 40 different labels in 40 rows; is it the column"),
    ):
        lines = [f"{text},{label(n)}" for n, text in enumerate(rows)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *lines]) + "\n")
        assert run(tmp_path, "-q", "check", str(tmp_path / f"{name}.csv")) == 2
        assert says in capsys.readouterr().err


def test_an_image_that_is_not_there_is_named_by_its_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Among many, the row is what one looks for."""
    (tmp_path / "a.csv").write_text("file,label\nnone.png,cat\nnone.png,dog\n" * 3)
    assert run(tmp_path, "-q", "check", str(tmp_path / "a.csv"), "--image", "file") == 2
    assert (
        "a.csv, row 1 (2 with the header), column 'file': no such file" in capsys.readouterr().err
    )


def test_a_search_that_finds_little_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No error found says nothing where most planted ones are not found; N/A is no class."""
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
    lines = [
        f"{words[n % 10]} {words[n * 3 % 7]} {n},{('a', 'b', 'N/A')[n % 3]}" for n in range(45)
    ]
    (tmp_path / "a.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    assert run(tmp_path, "-q", "check", str(tmp_path / "a.csv")) == 0
    said = capsys.readouterr().out
    assert "Most of them would not have been: where classes overlap, or rows are few" in said
    assert "'N/A' is taken for a class: empty its cells if it means that there is no label" in said
