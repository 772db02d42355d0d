"""`labelops check`: one command from a file with labels to the wrong ones."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from .checked import VOTES, crowd_file, votes_file
from .world import mails, run, shown_as_json


@pytest.mark.slow
def test_wrong_labels_by_votes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table names the row by its key; --output has the file's rows and what was found."""
    file = crowd_file(tmp_path / "crowd.csv")
    page, table = tmp_path / "wrong.html", tmp_path / "checked.csv"
    written = ("--report", str(page), "--output", str(table))
    assert run(tmp_path, "check", str(file), *VOTES, *written) == 0
    said = capsys.readouterr().out
    assert "k4" in said
    assert "k5" not in said
    assert "labelops init" not in said, "there is nothing to show to people"
    assert "planted" not in said and "not found by votes" in said
    assert shown_as_json(capsys, tmp_path, "check", str(file), *VOTES)["recall_of_planted"] is None
    checked = pd.read_csv(table)
    assert list(checked)[:5] == ["id", "final", "ann", "ben", "cem"]
    assert checked.loc[checked["check_call"] == "wrong", "id"].tolist() == ["k4"]
    assert "k4" in page.read_text(encoding="utf-8")


def test_votes_in_a_file_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One row a vote says what one column an annotator says; an empty cell is no vote."""
    file = crowd_file(tmp_path / "crowd.csv")
    long = str(votes_file(tmp_path / "votes.csv", file, "k0,dan,", "k1,dan,bird"))
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


def test_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for programs; a row is named as in the file, from 1 after the header."""
    file = crowd_file(tmp_path / "crowd.csv")
    facts = shown_as_json(capsys, tmp_path, "check", str(file), *VOTES)
    assert facts["rows"] == 60
    assert [row["row"] for row in facts["suspected"]] == ["5"]
    assert facts["suspected"][0]["better"] == "cat"


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
    assert (facts["contradicted"], facts["expected_wrong"]) == (1, None)
    assert run(tmp_path, *words, "--out-of-sample") == 0
    said = capsys.readouterr().out
    assert "The model contradicts 1 of 300 labels" in said
    assert "No label looks wrong" not in said and "planted" not in said
    assert re.search(r"row 7 +5 % +2 +0", said)


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


def test_bytes_in_parquet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """UTF-8 is read as text; other bytes are refused with their column and what to do."""
    frame = pd.read_csv(crowd_file(tmp_path / "crowd.csv"))
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


@pytest.mark.slow
def test_classes_that_look_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two spellings are two classes, and it is said; the decomposed accent is one of them."""
    file = crowd_file(tmp_path / "crowd.csv")
    text = file.read_text(encoding="utf-8")
    text = text.replace("k8,cat", "k8,Cat").replace("dog", "caf\u00e9")
    file.write_text(text.replace("k9,caf\u00e9", "k9,cafe\u0301"), encoding="utf-8")
    facts = shown_as_json(capsys, tmp_path, "check", str(file), *VOTES)
    assert facts["alike"] == [["Cat", "cat"], ["cafe\u0301", "caf\u00e9"]]
    assert run(tmp_path, "check", str(file), *VOTES) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("Classes are spelled alike and taken for different ones: 'Cat', 'cat';")


def _numbers(path: Path) -> Path:
    """Write measurements of two kinds; row 8 has the label of the other one."""
    lines = ["x1,x2,y1,label"]
    for n in range(120):
        kind = n % 2
        label = ("cat", "dog")[1 - kind if n == 7 else kind]
        lines.append(f"{kind + n / 1000},{kind * 3 - n / 900},{n * 7 % 5},{label}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert "by a search that misses most errors." in said.splitlines()[0]
    assert said.splitlines()[-1].endswith(f"labelops init {tmp_path}/a.csv --labels label")
    assert "'N/A' is taken for a class: empty its cells if it means that there is no label" in said


@pytest.mark.slow
def test_one_pair_of_copies_in_two_folds_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the model says of the two is left out, in a sentence; the rest is judged by it."""
    frame = pd.DataFrame(mails(120)[:-1], columns=["id", "message", "label"])
    kinds = sorted(frame["label"].unique())
    for kind in kinds:
        frame[f"p_{kind}"] = np.where(frame["label"] == kind, 0.9, 0.1 / (len(kinds) - 1))
    frame["fold"] = frame.index % 4
    frame.loc[9, "message"] = frame.loc[4, "message"]
    file = tmp_path / "mails.csv"
    frame.to_csv(file, index=False)
    words = ["-q", "check", str(file), "--text", "message", "--probs", "p_", "--fold", "fold"]
    assert run(tmp_path, *words) == 0
    assert "2 rows lie in another fold than a copy" in capsys.readouterr().out
    frame["message"] = frame.loc[frame.index // 2, "message"].to_numpy()
    frame.to_csv(file, index=False)
    assert run(tmp_path, *words) == 2
    assert "lies in another fold, so the model behind this row's" in capsys.readouterr().err
