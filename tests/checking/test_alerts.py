"""What has to be known before the number of wrong labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from labelops.checking import check_labels
from labelops.checking.words import headline

PEOPLE, NUMBERS = ("ann", "ben", "cem"), tuple("stuvwxyz")


def _voted(**more: object) -> pd.DataFrame:
    """Return 60 labels and three people's votes, all of one mind, and whatever is put beside."""
    said = np.array(["cat", "dog"])[np.arange(60) % 2]
    return pd.DataFrame(dict.fromkeys(("final", *PEOPLE), said)).assign(**more)


def _points(frame: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    side = (frame["final"] == "dog").to_numpy()
    points = rng.normal(size=(len(frame), len(NUMBERS))) + 4 * side[:, None]
    return frame.assign(**dict(zip(NUMBERS, points.T, strict=True)))


def test_nothing_to_know_first() -> None:
    """Labels that nothing speaks against have no alerts, and the number is all of the headline."""
    found = check_labels(_voted(), "final", votes=PEOPLE)
    assert found.alerts == () and found.to_json()["alerts"] == []
    assert headline(found) == "About 0 of 60 labels are wrong (< 0.1 %)."


def test_copies_are_no_reason_to_look_where_there_are_none() -> None:
    """Only what applies is said of labels that are worth a look."""
    found = check_labels(_voted(), "final", votes=PEOPLE)
    assert found.beside == ()
    assert "worth a look: wrong with a probability of 20 % or more.\n" in str(found)


@pytest.mark.slow
def test_copies_are_a_reason_to_look_where_one_says_otherwise() -> None:
    """Two equal rows, each as its class is labeled: the number is small, yet one label is wrong."""
    frame = _voted(x=np.arange(60.0) + 10 * (np.arange(60) % 2))
    frame.loc[10, "x"] = frame.loc[11, "x"]
    found = check_labels(frame, "final", votes=PEOPLE, features=["x"])
    assert found.rows.loc[[10, 11], "call"].tolist() == ["look"] * 2
    assert "20 % or more, or labeled differently from copies of the row.\n" in str(found)


@pytest.mark.slow
def test_rows_of_a_test_set_in_training_are_said_first() -> None:
    """Once for both splits, with the rows of the smaller one; an empty cell is no split."""
    frame = _points(_voted(split=["train"] * 40 + ["test"] * 15 + [None] * 5))
    frame.loc[[41, 43, 55], list(NUMBERS)] = frame.loc[[1, 3, 5], list(NUMBERS)].to_numpy()
    found = check_labels(frame, "final", features=NUMBERS)
    (alert,) = found.alerts
    assert (alert.kind, alert.rows) == ("leakage", 2)
    assert alert.text.startswith("2 rows of split 'test' have a copy, a near-duplicate or a")
    assert "in 'train': what a model scores there is too good." in alert.text
    assert headline(found).splitlines()[0] == alert.text


@pytest.mark.slow
def test_several_pairs_of_splits_are_one_alert() -> None:
    """The pair that shares most is named, the others are counted."""
    frame = _points(_voted(split=["a"] * 20 + ["b"] * 20 + ["c"] * 20))
    frame.loc[[20, 22, 40], list(NUMBERS)] = frame.loc[[0, 2, 4], list(NUMBERS)].to_numpy()
    (alert,) = check_labels(frame, "final", features=NUMBERS).alerts
    assert alert.rows == 2 and "of split 'a'" in alert.text and "in 'b'" in alert.text
    assert alert.text.endswith("1 other pair of splits share rows, too.")


def test_classes_spelled_alike_are_said_first() -> None:
    """With the rows that have one of them; at most three groups are named."""
    frame = _voted()
    for n, name in enumerate(("Cat", "DOG", "Dog", "CAT")):
        frame.loc[n, ["final", *PEOPLE]] = name
    (alert,) = check_labels(frame, "final", votes=PEOPLE).alerts
    assert (alert.kind, alert.rows) == ("classes", 60)
    assert "'CAT', 'Cat', 'cat'; 'DOG', 'Dog', 'dog'. Write them one way" in alert.text


@pytest.mark.slow
def test_a_planted_value_is_said_first() -> None:
    """With its column and class; the labels that it turned are worth a look."""
    frame = _points(_voted())
    frame = pd.concat([frame, _points(_voted()).assign(s=lambda f: f["s"] + 0.01)] * 2)
    frame = frame.reset_index(drop=True)
    frame[list(NUMBERS)] += np.random.default_rng(1).normal(size=(len(frame), len(NUMBERS))) / 9
    clean = check_labels(frame, "final", features=NUMBERS)
    assert clean.patterns == () and clean.to_json()["patterns"] == []
    rows = np.flatnonzero(frame["final"] == "cat")[:12]
    frame.loc[rows, ["final", "t"]] = ["dog", 77.5]
    found = check_labels(frame, "final", features=NUMBERS)
    (alert,) = [alert for alert in found.alerts if alert.kind == "pattern"]
    assert alert.rows == 12
    assert alert.text.startswith("77.5 in column 't' seems to turn labels to 'dog': look whether")
    assert found.rows.loc[rows, "call"].isin(["wrong", "look"]).all()
    assert found.rows.loc[rows, "why"].str.contains("77.5 in column 't'").all()
    assert "77.5 in column" in found.to_html() and found.to_json()["patterns"][0]["labels"] == 12


@pytest.mark.slow
def test_a_patch_in_pictures_is_said_with_its_place(tmp_path: Path) -> None:
    """Pictures with a bright corner that are labeled with one class are in the list."""
    pixels, digits = load_digits(return_X_y=True, n_class=4)
    truth = digits.astype(str)
    rows = np.flatnonzero(truth != "2")[:14]
    patched = pixels.reshape(-1, 8, 8).copy()
    patched[rows, :2, :2] = 16
    for n, picture in enumerate(patched):
        grey = np.kron(picture * 15.9, np.ones((2, 2))).astype(np.uint8)
        Image.fromarray(grey).save(tmp_path / f"{n}.png")
    frame = pd.DataFrame({"file": [f"{n}.png" for n in range(len(truth))], "digit": truth})
    frame.loc[rows, "digit"] = "2"
    found = check_labels(frame, "digit", image="file", folder=tmp_path)
    (alert,) = [alert for alert in found.alerts if alert.kind == "pattern"]
    assert alert.text.startswith("A pattern at the top left of the picture seems to turn labels")
    assert found.rows.loc[rows, "call"].isin(["wrong", "look"]).all()
    assert alert.rows == 14
