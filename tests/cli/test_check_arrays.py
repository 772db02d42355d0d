"""`labelops check` with arrays beside the data: rows in its order, columns as the classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from .world import run, shown_as_json

N = 150
TRUTH = np.arange(N) % 3
NAMES = np.array(["ant", "bee", "cat"])
WRONG = {9: "ant", 101: "cat"}
"""Rows, from 1, with a label that is not theirs."""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write labels, and beside them what models and encoders left in arrays."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.75, 0.97, N)
    probs = np.repeat((1 - sure)[:, None] / 2, 3, axis=1)
    probs[np.arange(N), TRUTH] = sure
    kinds = pd.Series(NAMES[TRUTH], index=range(1, N + 1))
    kinds.update(pd.Series(WRONG))
    frame = pd.DataFrame({"kind": kinds.to_numpy(), "fold": np.arange(N) // 3 % 5})
    frame.to_csv("data.csv", index=False)
    frame.assign(**{f"q_{k}": probs[:, i] for i, k in enumerate(NAMES)}).to_csv("q.csv")
    numbers = rng.normal(size=(N, 6)) + 5 * np.eye(6)[TRUTH]
    np.save("probs.npy", probs.astype(np.float32))
    np.save("emb.npy", numbers.astype(np.float16))
    np.savez("all.npz", probs=probs, emb=numbers)
    np.save("other.npy", probs[:, [2, 0, 1]])
    np.save("short.npy", probs[1:])
    np.save("wide.npy", np.c_[probs, np.zeros(N)])
    np.save("logits.npy", np.log(probs))
    np.save("nan.npy", np.where(np.arange(N)[:, None] == 7, np.nan, numbers))
    return tmp_path


HELD = ("--fold", "fold")


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("--probs", "probs.npy", *HELD),
        ("--probs", "all.npz:probs", *HELD),
        ("--probs", "probs.npy,all.npz:probs", *HELD),
        ("--probs", "other.npy", "--classes", "cat,ant,bee", *HELD),
        ("--features", "emb.npy"),
        ("--features", "all.npz:emb", "--probs", "probs.npy", *HELD),
    ],
)
def test_arrays_find_the_wrong_labels(
    words: tuple[str, ...], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alone and together, one model or several; and what judged is named by its file."""
    asked = ("check", "data.csv", "--label", "kind", *words)
    facts = shown_as_json(capsys, data, *asked)
    assert sorted(int(row["row"]) for row in facts["suspected"])[:2] == sorted(WRONG)
    assert len(facts["suspected"]) < 5
    assert run(data, "-q", *asked) == 0
    said = capsys.readouterr().out
    for name in words[1].split(","):
        assert f"{name}: " in said
    if "other.npy" in words:
        assert "its columns are cat, ant, bee" in said


@pytest.mark.slow
def test_an_array_says_what_columns_say(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same numbers by name or by place give the same probabilities."""
    words = ("--label", "kind", *HELD)
    np.save("same.npy", pd.read_csv("q.csv")[[f"q_{name}" for name in NAMES]].to_numpy())
    by_name = shown_as_json(capsys, data, "check", "q.csv", *words, "--probs", "q_")
    by_place = shown_as_json(capsys, data, "check", "q.csv", *words, "--probs", "same.npy")
    for facts in (by_name, by_place):
        for row in facts["suspected"]:
            row.pop("why")
    assert by_name == by_place
    mixed = shown_as_json(capsys, data, "check", "q.csv", *words, "--probs", "q_,probs.npy")
    assert mixed["contradicted"] is None


@pytest.mark.slow
def test_rows_that_cannot_be_read_take_their_numbers_along(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row without a text is left out, and no other row gets its probabilities."""
    frame = pd.read_csv("data.csv").assign(text=[f"words of {n} and {n * n}" for n in range(N)])
    frame.loc[4, "text"] = ""
    frame.to_csv("data.csv", index=False)
    words = ("check", "data.csv", "--label", "kind", "--text", "text", "--probs", "probs.npy")
    facts = shown_as_json(capsys, data, *words, "--out-of-sample")
    assert facts["not_judged"] == {"nothing to read": 1}
    against = {int(row["row"]) for row in facts["suspected"] if "probs.npy" in row["why"]}
    assert against == set(WRONG)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--probs", "short.npy"), "short.npy: 149 rows, but 150 rows of data; expected one each"),
        (("--features", "short.npy"), "short.npy: 149 rows, but 150 rows of data"),
        (("--probs", "wide.npy"), "4 columns, but 3 classes: 'ant', 'bee', 'cat'; list the"),
        (("--probs", "wide.npy"), "in their order, --classes NAMES"),
        (("--probs", "other.npy"), "if the columns were 'cat', 'ant', 'bee'"),
        (("--probs", "logits.npy"), "logits.npy, row 1: these 3 probabilities should be 0 or"),
        (("--features", "nan.npy"), "nan.npy, row 8: expected a number (found nan)"),
        (("--probs", "all.npz"), "name one of its arrays, as all.npz:NAME; there are 'probs'"),
    ],
)
def test_arrays_that_do_not_fit(
    words: tuple[str, ...], says: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line with both numbers or the row, and exit code 2."""
    held = HELD if "--probs" in words else ()
    assert run(data, "-q", "check", "data.csv", "--label", "kind", *words, *held) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("labelops: error: ")
    assert says in line


def test_an_array_of_other_rows_is_said_to_be_one(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything else; by itself it would accuse most labels."""
    np.save("shuffled.npy", np.random.default_rng(1).permutation(np.load("probs.npy")))
    asked = ("check", "data.csv", "--label", "kind", *HELD)
    assert run(data, "-q", *asked, "--probs", "shuffled.npy") == 0
    said = capsys.readouterr().out
    assert said.startswith("shuffled.npy tells no more of these labels than chance: see whether")
    facts = shown_as_json(capsys, data, *asked, "--probs", "shuffled.npy,probs.npy")
    assert facts["by_chance"] == ["shuffled.npy"]


def test_a_column_of_lists_is_no_prefix(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What to do with it is said; and with numbers that have a comma."""
    frame = pd.read_csv("data.csv")
    frame.assign(probs=list(np.load("probs.npy"))).to_parquet("lists.parquet")
    assert run(data, "check", "lists.parquet", "--label", "kind", "--probs", "probs", *HELD) == 2
    assert "that is a single column; name what begins one a class" in capsys.readouterr().err
    frame.assign(x=np.arange(N) / 2).to_csv("comma.csv", sep=";", decimal=",")
    assert run(data, "-q", "check", "comma.csv", "--label", "kind", "--features", "x") == 2
    assert "expected a number; write a point for the comma (found '0,0')" in capsys.readouterr().err


def test_a_file_that_is_no_array_is_refused_before_the_data_is_read(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its header is enough; the data may be large."""
    (data / "bad.npy").write_bytes(b"PK\x03\x04")
    assert run(data, "check", "data.csv", "--label", "kind", "--features", "bad.npy") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "bad.npy: broken, or no array of numpy" in line


def test_probabilities_in_a_file_say_how_they_were_held_out(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As those in columns do."""
    assert run(data, "check", "data.csv", "--label", "kind", "--probs", "probs.npy") == 2
    assert "say which fold each row was held out in" in capsys.readouterr().err
