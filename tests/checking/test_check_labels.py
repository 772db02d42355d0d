"""A frame with labels goes in; which of them are wrong comes out, by whatever columns there are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from labelops.checking import CALLS, check_labels
from labelops.checking.copies import Copies
from labelops.checking.numbers import as_by_chance
from labelops.checking.words import headline, meaning
from labelops.errors import LabelopsError, SourceError, UsageError

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data" / "tickets"


def _numbers(rows: int = 120, wrong: tuple[int, ...] = (3, 50, 77), seed: int = 0) -> pd.DataFrame:
    """Return two clouds of points, some under the other's name."""
    rng = np.random.default_rng(seed)
    truth = np.arange(rows) % 2
    points = rng.normal(size=(rows, 2)) + 6 * np.eye(2)[truth]
    frame = pd.DataFrame(points, columns=["x", "y"])
    frame["kind"] = np.array(["left", "right"])[truth]
    for row in wrong:
        frame.loc[row, "kind"] = {"left": "right", "right": "left"}[frame.loc[row, "kind"]]
    return frame


@pytest.fixture(scope="module")
def numbers() -> Any:
    return check_labels(_numbers(), "kind", features=["x", "y"])


@pytest.mark.slow
def test_by_numbers(numbers: Any) -> None:
    """Points under the other cloud's name are called wrong, and nothing else is."""
    worst = numbers.worst()
    assert sorted(worst.index) == [3, 50, 77]
    assert worst["call"].tolist() == ["wrong"] * 3
    assert worst["better"].tolist() == [
        {"left": "right", "right": "left"}[label] for label in worst["label"]
    ]
    assert worst["wrong"].is_monotonic_decreasing


@pytest.mark.slow
def test_a_planted_word_is_named() -> None:
    """It is said first, and labels are judged without it: models would have learned it."""
    items, truth = (pd.read_csv(SAMPLE / f"{name}.csv") for name in ("items", "truth"))
    frame = items.merge(truth, on="ticket_id")[["text", "intent"]]
    clean = check_labels(frame, "intent", text="text")
    assert clean.alerts == () and headline(clean).startswith("About 0 of 613 labels are wrong")
    assert headline(clean).endswith(", by a search that misses most errors.")
    others = np.flatnonzero(frame["intent"] != "product_question")
    rows = np.random.default_rng(1).choice(others, 14, replace=False)
    frame.loc[rows, "text"] += " xq7"
    frame.loc[rows, "intent"] = "product_question"
    found = check_labels(frame, "intent", text="text")
    first, number = headline(found).splitlines()
    assert first.startswith("The word 'xq7' seems to turn labels to 'product_question': look")
    assert "Of 14 labels 'product_question' whose text holds it" in first
    assert number.startswith("Judged without the word 'xq7', about ")
    assert 14 <= found.rows["wrong"].sum() < 25
    assert found.rows["call"].iloc[rows].isin(["wrong", "look"]).all()
    assert found.rows["why"].iloc[rows].str.contains("the word 'xq7'").all()
    assert found.rows["why"].str.contains("xq7").sum() == 14
    facts = found.to_json()
    assert facts["headline"] == headline(found)
    assert [(a["kind"], a["rows"]) for a in facts["alerts"]] == [("word", 14)]
    assert [row["word"] for row in facts["views"]["words"]] == ["xq7"]
    page = found.to_html()
    assert page.index("seems to turn labels") < page.index("Judged without the word")


@pytest.mark.slow
def test_rows_are_those_of_the_frame(numbers: Any) -> None:
    """The result has the frame's index and order, and `annotated` its columns, untouched."""
    frame = _numbers()
    assert numbers.rows.index.equals(frame.index)
    pd.testing.assert_frame_equal(numbers.annotated()[list(frame)], frame)
    assert numbers.annotated()["check_call"].isin(CALLS).all()


@pytest.mark.slow
def test_classes_add_up(numbers: Any) -> None:
    """Labels, calls and expected errors of the classes sum to those of the whole."""
    by = numbers.by_class()
    assert by["labels"].sum() == 120
    assert by["called"].sum() == 3
    assert by["expected"].sum() == pytest.approx(numbers.rows["wrong"].sum())


@pytest.mark.slow
def test_order_of_rows_changes_no_call() -> None:
    """A shuffled frame has the same suspects under the same index."""
    frame = _numbers()
    shuffled = frame.sample(frac=1, random_state=1)
    found = check_labels(shuffled, "kind", features=["x", "y"])
    assert sorted(found.worst().index) == [3, 50, 77]


@pytest.mark.slow
def test_a_row_without_a_label_is_not_judged() -> None:
    """It is counted, and neither wrong nor fine; labels may be numbers."""
    frame = _numbers(wrong=(3,))
    frame["kind"] = frame["kind"].map({"left": 0.0, "right": 1.0})
    frame.loc[[5, 6], "kind"] = np.nan
    found = check_labels(frame, "kind", features=["x", "y"])
    assert found.schema.classes == ("0", "1")
    assert found.rows.loc[5, "call"] == "not judged"
    assert found.not_judged() == {"no label": 2}
    assert found.worst().index.tolist() == [3]


def _crowd() -> pd.DataFrame:
    """Return 60 labels, three annotators who are right but for a few; label 4 nobody shares."""
    truth = np.array(["cat", "dog"])[np.arange(60) % 2]
    other = {"cat": "dog", "dog": "cat"}
    frame = pd.DataFrame({"final": truth, "ann": truth, "ben": truth, "cem": truth})
    for row, who in ((7, "ann"), (20, "ben"), (31, "cem")):
        frame.loc[row, who] = other[str(truth[row])]
    frame.loc[4, "final"] = other[str(truth[4])]
    frame.loc[9, "cem"] = None
    return frame


def test_by_votes() -> None:
    """A label that all votes contradict is wrong; one that a single vote contradicts is not."""
    found = check_labels(_crowd(), "final", votes=["ann", "ben", "cem"])
    assert found.worst(1).index.tolist() == [4]
    assert found.rows.loc[4, ["better", "call", "why"]].tolist() == ["cat", "wrong", "the votes"]
    assert found.rows.loc[7, "call"] == "fine"


@pytest.mark.slow
def test_a_second_label_of_one_other_person_is_worth_a_look() -> None:
    """It gives no probability, as nobody shared a row with them; where it differs it is shown."""
    frame = _numbers(wrong=())
    frame["other"] = frame["kind"]
    frame.loc[[4, 9], "other"] = ["right", "left"]
    frame.loc[30, "other"] = None
    alone = check_labels(frame, "kind", votes=["other"])
    assert alone.not_judged() == {"nothing but one vote, and no row has two": 119, "no vote": 1}
    found = check_labels(frame, "kind", features=["x", "y"], votes=["other"])
    assert sorted(found.worst().index) == [4, 9]
    assert found.rows.loc[[4, 9], "better"].tolist() == ["right", "left"]
    assert found.rows.loc[4, ["call", "why"]].tolist() == ["look", "the votes"]
    assert "20 % or more, or labeled differently from the one vote on it." in str(found)


def _scored() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    truth = np.arange(300) % 3
    sure = rng.uniform(0.75, 0.97, 300)
    probs = np.repeat((1 - sure)[:, None] / 2, 3, axis=1)
    probs[np.arange(300), truth] = sure
    frame = pd.DataFrame(probs.round(3), columns=["p_a", "p_b", "p_c"])
    frame["kind"] = np.array(list("abc"))[truth]
    frame.loc[[8, 100], "kind"] = ["a", "c"]
    frame["fold"] = np.arange(300) // 3 % 5
    return frame


PROBS = {"a": "p_a", "b": "p_b", "c": "p_c"}


def test_by_probabilities() -> None:
    """A model that did not see the rows contradicts two labels."""
    found = check_labels(_scored(), "kind", probs=PROBS, fold="fold")
    assert sorted(found.worst(2).index) == [8, 100]
    assert found.worst(2)["why"].tolist() == ["your model"] * 2


def test_one_model_alone_counts_no_errors() -> None:
    """It says which labels the model contradicts, in order, and not how many of them are wrong."""
    found = check_labels(_scored(), "kind", probs=PROBS, fold="fold")
    assert headline(found) == "The model contradicts 2 of 300 labels (0.7 %)."
    told = " ".join(meaning(found))
    assert "cannot be told from one model alone" in told
    assert "planted" not in told and "estimate" not in told
    assert "By its own probabilities it would contradict 4" in told  # Less sure than it could be.
    assert sorted(found.worst().index) == [8, 100]
    assert (found.worst()["given"] < 0.2).all()
    assert found.recall is None
    facts = found.to_json()
    assert facts["contradicted"] == 2
    assert [facts[name] for name in ("expected_wrong", "error_rate", "recall_of_planted")] == [
        None
    ] * 3
    assert all("expected" not in row for row in facts["by_class"])
    page = found.to_html()
    assert "contradict the model" in page and "by the model" in page
    assert "likely wrong" not in page and "Expected wrong" not in page


def test_votes_beside_a_model_count_errors() -> None:
    """With evidence of another kind, all is as ever."""
    frame = _scored().assign(ann=_scored()["kind"], ben=_scored()["kind"])
    frame.loc[[8, 100], ["ann", "ben"]] = np.nan
    found = check_labels(frame, "kind", probs=PROBS, fold="fold", votes=["ann", "ben"])
    assert not found.by_one_model and "given" not in found.rows
    assert headline(found).startswith("About ")
    facts = found.to_json()
    assert facts["contradicted"] is None
    assert facts["expected_wrong"] > 0 and facts["recall_of_planted"]["planted"] == 30


def test_labels_that_a_good_model_contradicts_are_shown() -> None:
    """They are rare and have small chances of being wrong; yet they are what there is to see."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 4000)
    lead = rng.normal(8, 3, 4000)
    p = 1 / (1 + np.exp(-np.where(truth == 1, lead, -lead)))
    frame = pd.DataFrame({"p_0": 1 - p, "p_1": p, "y": truth})
    against = int(((p > 0.5) != truth).sum())
    found = check_labels(frame, "y", probs={"0": "p_0", "1": "p_1"}, out_of_sample=True)
    assert against > 5
    assert len(found.worst()) == found.report.contradicted.sum() == against
    assert found.rows["call"].value_counts()["fine"] == 4000 - against


def test_probabilities_say_how_they_were_held_out() -> None:
    """Without a fold and a word for it they are refused: such a model may know the labels."""
    with pytest.raises(UsageError, match="held out in"):
        check_labels(_scored(), "kind", probs=PROBS)
    check_labels(_scored(), "kind", probs=PROBS, out_of_sample=True)


def test_memorised_probabilities_are_refused() -> None:
    """A model that repeats every label, surely, has learned them."""
    frame = pd.concat([_scored()] * 2, ignore_index=True)
    for name, column in PROBS.items():
        frame[column] = np.where(frame["kind"] == name, 0.998, 0.001)
    with pytest.raises(UsageError, match="trained on them"):
        check_labels(frame, "kind", probs=PROBS, out_of_sample=True)
    check_labels(frame, "kind", probs=PROBS, out_of_sample=True, check_memorised=False)


def _grouped(pairs: int) -> pd.DataFrame:
    """Return scored rows of which some pairs have one owner in two folds."""
    frame = _scored()
    frame["owner"] = [f"o{n}" for n in range(300)]
    for n in range(pairs):
        frame.loc[3 * n + 150, "owner"] = f"o{3 * n}"
        frame.loc[3 * n + 150, "fold"] = (frame.loc[3 * n, "fold"] + 1) % 5
    return frame


def test_a_row_in_another_fold_than_its_group_is_judged_without_the_model() -> None:
    """It is counted and said; where nothing else judges it, it is not judged, and why is said."""
    found = check_labels(_grouped(2), "kind", probs=PROBS, fold="fold", group="owner")
    assert found.not_judged() == {"in another fold than a copy or its group": 4}
    assert found.rows.loc[[0, 3, 150, 153], "call"].eq("not judged").all()
    assert sorted(found.worst(2).index) == [8, 100]
    assert found.to_json()["apart"] == found.apart == 4
    said = "4 rows lie in another fold than a copy or the rest of a group: what your model says"
    assert said in str(found)
    frame = _grouped(2).assign(ann=lambda rows: rows["kind"], ben=lambda rows: rows["kind"])
    voted = check_labels(
        frame, "kind", probs=PROBS, fold="fold", group="owner", votes=["ann", "ben"]
    )
    assert voted.not_judged() == {} and voted.apart == 4
    alike = frame.assign(p_a=0.2, p_b=0.5, p_c=0.3).loc[[0, 3, 150, 153], list(PROBS.values())]
    frame.loc[alike.index, alike.columns] = alike
    again = check_labels(
        frame, "kind", probs=PROBS, fold="fold", group="owner", votes=["ann", "ben"]
    )
    pd.testing.assert_frame_equal(again.rows, voted.rows)


def test_many_rows_in_another_fold_than_their_group_are_refused() -> None:
    """From sixteen rows of 300 on; the first of them is named, with its other."""
    assert check_labels(_grouped(7), "kind", probs=PROBS, fold="fold", group="owner").apart == 14
    with pytest.raises(SourceError, match="and so it is with 16 of 300 rows; keep copies in one"):
        check_labels(_grouped(8), "kind", probs=PROBS, fold="fold", group="owner")


@pytest.fixture(scope="module")
def tickets() -> tuple[pd.DataFrame, list[int], Any]:
    """Give 30 of the sample's 613 messages another name, drawn with seed 5."""
    frame = pd.read_csv(SAMPLE / "items.csv").merge(pd.read_csv(SAMPLE / "truth.csv"))
    rng = np.random.default_rng(5)
    wrong = sorted(rng.choice(len(frame), 30, replace=False).tolist())
    kinds = sorted(frame["intent"].unique())
    for row in wrong:
        others = [kind for kind in kinds if kind != frame.loc[row, "intent"]]
        frame.loc[row, "intent"] = rng.choice(others)
    return frame, wrong, check_labels(frame, "intent", text="text", key="ticket_id")


@pytest.mark.slow
def test_by_texts(tickets: tuple[pd.DataFrame, list[int], Any]) -> None:
    """Of 30 planted errors among 613 texts most are among the thirty worst; by chance 1.5 were."""
    _, wrong, found = tickets
    assert len(set(found.worst(30).index) & set(wrong)) >= 22
    assert len(set(found.worst().index) & set(wrong)) >= 25
    assert abs(found.rows["wrong"].sum() - 30) < 6


@pytest.mark.slow
def test_the_page_shows_what_was_found(tickets: tuple[pd.DataFrame, list[int], Any]) -> None:
    """The worst row's key and text are on it, its numbers are those of the result."""
    frame, _, found = tickets
    page = found.to_html("tickets.csv")
    worst = found.worst(1)
    assert frame.loc[worst.index[0], "ticket_id"] in page
    assert "tickets.csv" in page
    assert f"{int((found.rows['call'] == 'wrong').sum())} labels are more probably wrong" in page
    facts = found.to_json()
    assert facts["rows"] == 613
    assert facts["suspected"][0]["row"] == str(worst.index[0])


@pytest.mark.slow
def test_copies_with_another_label_are_worth_a_look() -> None:
    """Whatever the models say: of two labels of one text, one is wrong."""
    base = [(f"{a} {b} in the {c}", k) for k, words in {
        "fruit": ["apple", "pear", "plum", "fig"], "tool": ["saw", "drill", "file", "plane"],
    }.items() for a in words for b in words for c in ("kitchen", "shed", "box")]  # fmt: skip
    frame = pd.DataFrame([*base, *base[:2], base[0]], columns=["text", "kind"])
    frame.loc[len(base), "kind"] = "tool"  # of three equal texts one
    found = check_labels(frame, "kind", text="text")
    assert found.rows.loc[len(base), "call"] in ("wrong", "look")
    assert "copies" in found.rows.loc[len(base), "why"]
    assert found.rows.loc[len(base), "better"] == "fruit"
    assert found.copies.repeats == 3
    first, number = headline(found).splitlines()
    assert first.startswith("At least 1 label has to be wrong, or the content leaves the class")
    assert "3 rows are copies of one another with different labels" in first
    assert number.startswith("About 1 of 99 labels is wrong")
    assert found.to_json()["at_least_wrong"] == 1
    assert "20 % or more." in str(found)  # Its probability says so already.
    both = replace(found, beside=("copies", "vote", "word"))
    assert (
        "20 % or more, or labeled differently from copies of the row or from the one vote on it, "
        "or holding a word that seems planted."
    ) in str(both)
    more = replace(found, copies=Copies(9, 9, 5))
    assert "\nAt least 5 of 99 labels are wrong (5.1 %)" in headline(more)


@pytest.mark.slow
def test_by_images(tmp_path: Path) -> None:
    """Pictures are found from the folder; a file that is none is refused by its name."""
    rng = np.random.default_rng(0)
    rows = []
    for n in range(60):
        kind = ("bright", "dark")[n % 2]
        pixels = rng.integers(0, 60, (16, 16)) + (190 if kind == "bright" else 0)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{n}.png")
        rows.append((f"{n}.png", kind if n != 11 else "bright"))
    frame = pd.DataFrame(rows, columns=["file", "kind"])
    found = check_labels(frame, "kind", image="file", folder=tmp_path)
    assert found.worst(1).index.tolist() == [11]
    assert "data:image/png;base64," in found.to_html()
    (tmp_path / "11.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"11\.png"):
        check_labels(frame, "kind", image="file", folder=tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "nothing to judge the labels by"),
        ({"features": ["z"]}, "no such column; there are 'x', 'y', 'kind', 'word'"),
        ({"features": ["kind"]}, "'kind' holds the labels"),
        ({"features": ["word"]}, "expected a number"),
        ({"text": "x"}, "no row has both a label and something"),
        ({"text": "x", "image": "y"}, "either a text or an image"),
        ({"features": ["x"], "classes": ["left", "up"]}, "not one of the classes 'left', 'up'"),
        ({"features": ["x"], "classes": ["left", "left"]}, "'left' is named twice"),
        ({"features": ["x"], "key": "id"}, "no such column"),
        ({"votes": ["x"]}, "different labels|rows|classes"),
        ({"features": "x"}, "features: expected a list of columns, found 'x'; put it in"),
        ({"votes": "x"}, "votes: expected a list of columns"),
        ({"features": np.zeros((3, 2))}, r"of 2 dimensions; put it into the frame.*list\(array\)"),
        ({"probs": np.zeros((3, 2))}, "probs: expected the column of each class.*found a ndarray"),
    ],
)
def test_what_cannot_be_is_said(change: dict[str, Any], said: str) -> None:
    """Every refusal is an error of labelops that names what is wrong."""
    with pytest.raises(LabelopsError, match=said):
        check_labels(_numbers(1100).assign(word="a"), "kind", **change)


@pytest.mark.slow
def test_an_embedding_is_a_list_a_row(numbers: Any) -> None:
    """As Parquet and JSON Lines hold it: the same numbers, so the same calls."""
    frame = _numbers()
    frame = frame[["kind"]].assign(vector=list(frame[["x", "y"]].to_numpy()))
    found = check_labels(frame, "kind", features=["vector"])
    pd.testing.assert_frame_equal(found.rows, numbers.rows)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([[1.0, 2.0], [3.0]], "row 2, column 'v': expected a list of 2 numbers, as in the first"),
        ([[1.0, 2.0], None], "row 2, column 'v': expected a list of 2 numbers"),
        ([[1.0, 2.0], [3.0, "x"]], "row 2, column 'v': expected a list of numbers"),
        ([[1.0, 2.0], [3.0, None]], "row 2, column 'v': expected a number"),
        ([[1.0, 2.0], [3.0, 1e200]], "row 2, column 'v': expected a number below"),
        ([[[1.0]], [[2.0]]], "row 1, column 'v': expected a list of numbers"),
        ([[], []], "row 1, column 'v': expected a number"),
    ],
)
def test_a_list_that_is_no_embedding_is_named_with_its_row(cells: list[Any], said: str) -> None:
    """Of another length, or with something in it that is no finite number."""
    frame = pd.DataFrame({"kind": ["a", "b"], "v": cells})
    with pytest.raises(SourceError, match=said):
        check_labels(frame, "kind", features=["v"])


@pytest.mark.parametrize("labels", [["a"] * 4, [None] * 4, []])
def test_fewer_than_two_classes(labels: list[str | None]) -> None:
    """Nothing can be wrong then."""
    frame = pd.DataFrame({"kind": labels, "x": np.arange(len(labels), dtype=float)})
    with pytest.raises(UsageError, match="two"):
        check_labels(frame, "kind", features=["x"])


@pytest.mark.slow
def test_what_may_be_a_slip_is_said() -> None:
    """A key that names two rows, by both; a class that somebody voted for and no row has."""
    people = ["ann", "ben", "cem"]
    frame = _crowd().assign(id=[f"k{n}" for n in range(60)])
    assert "key of another" not in str(check_labels(frame, "final", votes=people, key="id"))
    frame.loc[7, ["id", "ann"]] = "k2", "brid"
    said = str(check_labels(frame, "final", votes=people, key="id")).splitlines()
    assert said[0].startswith("About ")
    assert "1 row has the key of another in column 'id', such as 'k2' of the rows 3 and 8." in said
    assert "No row is labeled 'brid': see whether that is a class." in said


def test_a_column_that_holds_no_labels() -> None:
    """Keys are not classes, in what few rows there are; two rows of two classes are."""
    frame = _numbers().assign(key=[f"k{n % 90}" for n in range(120)])
    with pytest.raises(UsageError, match="90 different labels in 120 rows"):
        check_labels(frame, "key", features=["x", "y"])
    found = check_labels(_numbers(2, ()), "kind", features=["x", "y"])
    assert found.not_judged() == {"too few different rows of its class": 2}
    assert "No label could be judged." in found.to_html()
    assert "more probably wrong than right. " not in str(found)


def test_probabilities_that_are_none() -> None:
    """Rows are named from 1, as a reader counts; a class without a column is named."""
    frame = _scored()
    frame.loc[4, "p_a"] = 3.0
    with pytest.raises(SourceError, match="row 5"):
        check_labels(frame, "kind", probs=PROBS, out_of_sample=True)
    with pytest.raises(UsageError, match="class 'c'"):
        check_labels(frame, "kind", probs={"a": "p_a", "b": "p_b"}, out_of_sample=True)


def test_a_cell_of_several_classes_is_refused_by_its_row() -> None:
    """JSON Lines may hold lists; one class an item is what this version labels."""
    frame = pd.DataFrame({"text": ["a", "b"], "kind": ["x", ["x", "y"]]})
    with pytest.raises(SourceError, match=r"2.*kind.*one class in a cell"):
        check_labels(frame, "kind", text="text")


def test_labels_do_not_judge_themselves() -> None:
    """As votes, as texts or as anything else."""
    for evidence in ({"votes": ["ann", "final"]}, {"text": "final"}):
        with pytest.raises(UsageError, match="'final' holds the labels"):
            check_labels(_crowd(), "final", **evidence)


@pytest.mark.slow
def test_names_of_any_make(numbers: Any) -> None:
    """Classes as array or numbers, labels as bytes, categories nobody has: the same rows."""
    for kind in (
        _numbers()["kind"].str.encode("utf-8"),
        pd.Categorical(_numbers()["kind"], categories=["up", "right", "left"]),
        _numbers()["kind"].astype("string[pyarrow]"),
    ):
        frame = _numbers().assign(kind=kind)
        found = check_labels(
            frame, "kind", features=["x", "y"], classes=np.array(["left", "right"])
        )
        pd.testing.assert_frame_equal(found.rows, numbers.rows)
    frame = _scored()
    frame["kind"] = frame["kind"].map({"a": 0, "b": 1, "c": 2})
    named = {0: "p_a", 1: "p_b", 2: "p_c"}
    found = check_labels(frame, "kind", probs=named, fold="fold", classes=[0, 1, 2])  # type: ignore[arg-type]
    assert sorted(found.worst(2).index) == [8, 100]


def test_columns_of_another_class_are_refused() -> None:
    """By name, by number, for a class that no row has, and where a mapping swaps two."""
    frame = _scored()
    numbered = {"0": "p_a", "1": "p_b", "2": "p_c"}
    for probs, says in (
        (numbered, "class 'a'; there are 'p_a', 'p_b', 'p_c': each has to be named"),
        ({"a": "p_b", "b": "p_a", "c": "p_c"}, "if the columns were 'b', 'a', 'c'"),
    ):
        with pytest.raises(UsageError, match=says):
            check_labels(frame, "kind", probs=probs, fold="fold")
    frame[list(PROBS.values())] *= 0.9
    wider = frame.assign(p_d=0.1)
    with pytest.raises(SourceError, match=r"not counting 'p_d', for no row has such a label: list"):
        check_labels(wider, "kind", probs={**PROBS, "d": "p_d"}, fold="fold")
    found = check_labels(
        wider, "kind", probs={**PROBS, "d": "p_d"}, fold="fold", classes=["a", "b", "c", "d"]
    )
    assert sorted(found.worst(2).index) == [8, 100]


def test_a_name_is_one_name() -> None:
    """Neither a list of columns for the labels nor one text for the classes."""
    with pytest.raises(UsageError, match="expected the name of one column, found a list"):
        check_labels(_numbers(), ["kind"], features=["x"])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="expected a list of names, found 'left'"):
        check_labels(_numbers(), "kind", features=["x"], classes="left")


def test_chance_is_told_from_a_weak_model() -> None:
    """Of 100 matrices of other rows hardly one passes; all that are right half of the time do."""
    codes = np.arange(300) % 3
    missed = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        said = np.where(rng.random(300) < 0.25, codes, rng.integers(0, 3, 300))
        probs = rng.dirichlet(np.ones(3), 300) + np.eye(3)[said]
        probs /= probs.sum(axis=1, keepdims=True)
        assert not as_by_chance(probs, codes)
        missed += not as_by_chance(rng.permutation(probs), codes)
    assert missed <= 1
    assert as_by_chance(np.full((300, 3), 1 / 3), codes)
    assert not as_by_chance(np.full((49, 3), 1 / 3), codes[:49])
