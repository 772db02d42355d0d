"""Labels and items as one frame to learn from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from labelops.errors import SchemaError, TableError, UsageError
from labelops.reuse import WEIGHTS, Provenance, provenance, training_frame
from labelops.reuse.frame import IMAGE_COLUMNS, TEXT_COLUMNS
from labelops.schema import Schema

Maker = Callable[..., pd.DataFrame]
PETS = Schema("pets", ("cat", "dog", "ant"))
ONE = {"shares": {"train": 1.0}, "key": b"key"}


def _frame(labels: pd.DataFrame, items: pd.DataFrame, **more: object) -> pd.DataFrame:
    return training_frame(labels, items, PETS, **{**ONE, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("weights", WEIGHTS)
def test_shape_never_depends_on_weights(labels_of: Maker, items_of: Maker, weights: str) -> None:
    """Hard, soft and weighted frames have the same columns and dtypes."""
    frame = _frame(labels_of([0, 1], PETS), items_of(["a", "b"]), weights=weights)
    hard = _frame(labels_of([0, 1], PETS), items_of(["a", "b"]))
    assert tuple(frame.columns) == TEXT_COLUMNS
    assert frame.dtypes.equals(hard.dtypes)


def test_worked_example(labels_of: Maker, items_of: Maker) -> None:
    """Three items by hand: hard, weighted and soft say what the table in the docstring says."""
    labels, items = labels_of([1, -1, 2], PETS), items_of(["x", "y", "z"])
    labels["posterior"] = [0.8, np.nan, 0.6]
    labels["probs"] = [np.array([0.1, 0.8, 0.1]), None, np.array([0.3, 0.1, 0.6])]
    hard, weighted, soft = (_frame(labels, items, weights=w) for w in ("hard", "weighted", "soft"))
    assert hard[["item_id", "text", "label", "code"]].values.tolist() == [
        ["i00", "x", "dog", 1],
        ["i02", "z", "ant", 2],
    ]
    assert hard["weight"].tolist() == soft["weight"].tolist() == [1.0, 1.0]
    assert weighted["weight"].tolist() == [0.8, 0.6]
    one_hot = [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert np.stack(hard["probs"]).tolist() == np.stack(weighted["probs"]).tolist() == one_hot
    assert np.stack(soft["probs"]).tolist() == [[0.1, 0.8, 0.1], [0.3, 0.1, 0.6]]


def test_undecided_never_appear(labels_of: Maker, items_of: Maker) -> None:
    """Neither undecided items nor items without a label are in the frame."""
    frame = _frame(labels_of([0, -1], PETS), items_of(["a", "b", "c"]))
    assert frame["item_id"].tolist() == ["i00"]


def test_order_of_rows_changes_nothing(labels_of: Maker, items_of: Maker) -> None:
    """Shuffled labels and items give the same frame."""
    labels, items = labels_of([0, 1, 2, 1], PETS), items_of(list("abcd"))
    shuffled = _frame(labels.sample(frac=1, random_state=1), items.sample(frac=1, random_state=2))
    pd.testing.assert_frame_equal(shuffled, _frame(labels, items))


def test_missing_posterior_is_absent(labels_of: Maker, items_of: Maker) -> None:
    """A label without posterior or probabilities weighs 1 and is soft in no class."""
    labels = labels_of([0, 1], PETS, method="adjudicated")
    labels["posterior"], labels["probs"] = np.nan, None
    for weights in WEIGHTS:
        frame = _frame(labels, items_of(["a", "b"]), weights=weights)
        assert frame["weight"].tolist() == [1.0, 1.0]
        assert np.stack(frame["probs"]).tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
        assert frame["posterior"].isna().all()


def test_accepted_labels_are_soft_by_the_model(labels_of: Maker, items_of: Maker) -> None:
    """An accepted label's soft row is the model's probabilities as they were released."""
    labels = labels_of([0], PETS, method="accepted")
    labels["probs"] = [np.array([0.9, 0.07, 0.03])]
    frame = _frame(labels, items_of(["a"]), weights="soft")
    assert frame["probs"].iloc[0].tolist() == [0.9, 0.07, 0.03]


def test_provenance_travels(hard_frame: Maker) -> None:
    """The frame says release, manifest digest, schema digest and class order."""
    frame = hard_frame("soft")
    found = provenance(frame)
    assert (found.release, found.manifest_digest) == ("hard@1.2.3", "ab" * 32)
    assert frame.attrs["schema_digest"] == found.schema.digest
    assert frame.attrs["classes"] == list(found.schema.classes)
    assert Provenance(found.schema, weights="soft").to_json()["weights"] == "soft"


def test_lost_attrs_are_named(hard_frame: Maker) -> None:
    """A frame whose attrs were lost is refused with the remedy."""
    frame = hard_frame()
    frame.attrs = {}
    with pytest.raises(UsageError, match="attrs"):
        provenance(frame)


def test_renamed_classes_count(labels_of: Maker, items_of: Maker) -> None:
    """A label under an old class name is the new class."""
    old = Schema("pets", ("kitty", "dog", "ant"))
    new = Schema("pets", ("cat", "dog", "ant"), renames={"kitty": "cat"})
    frame = training_frame(labels_of([0], old), items_of(["a"]), new, **ONE)  # type: ignore[arg-type]
    assert frame["label"].tolist() == ["cat"]


def test_probabilities_of_another_class_order(labels_of: Maker, items_of: Maker) -> None:
    """Soft labels whose class order is not known are refused; hard ones are not."""
    labels = labels_of([0], Schema("pets", ("ant", "cat", "dog")))
    with pytest.raises(SchemaError, match="class order"):
        _frame(labels, items_of(["a"]), weights="soft")
    assert _frame(labels, items_of(["a"]))["label"].tolist() == ["ant"]


@pytest.mark.parametrize("bad", [[0.5, 0.1, 0.1], [1.2, -0.1, -0.1], [0.5, 0.5]])
def test_bad_probabilities(labels_of: Maker, items_of: Maker, bad: list[float]) -> None:
    """Probabilities that do not sum to 1, are negative or too few are refused."""
    labels = labels_of([0], PETS)
    labels["probs"] = [np.array(bad)]
    with pytest.raises(TableError, match="probs"):
        _frame(labels, items_of(["a"]), weights="soft")


def test_label_without_item(labels_of: Maker, items_of: Maker) -> None:
    """A label whose item is not there is named."""
    with pytest.raises(TableError, match="'i01'"):
        _frame(labels_of([0, 1], PETS), items_of(["a"]))


def test_two_rows_an_item(labels_of: Maker, items_of: Maker) -> None:
    """Labels or items that were not collapsed are refused."""
    labels, items = labels_of([0], PETS), items_of(["a"])
    with pytest.raises(TableError, match="table labels: row 1"):
        _frame(pd.concat([labels, labels]), items)
    with pytest.raises(TableError, match="table items: row 1"):
        _frame(labels, pd.concat([items, items]))


def test_unknown_class_and_weights(labels_of: Maker, items_of: Maker) -> None:
    """A class of another schema, or a way to weight nobody knows, is refused."""
    with pytest.raises(SchemaError, match="unknown class 'owl'"):
        _frame(labels_of([0], Schema("x", ("owl", "cat", "dog"))), items_of(["a"]))
    with pytest.raises(UsageError, match="'heavy'"):
        _frame(labels_of([0], PETS), items_of(["a"]), weights="heavy")


def test_images(image_frame: pd.DataFrame) -> None:
    """An image frame has bytes where they were given, and the address always."""
    assert tuple(image_frame.columns) == IMAGE_COLUMNS
    assert [isinstance(c, bytes) for c in image_frame["image"]] == [True, True, False]
    assert image_frame["path"].tolist() == ["object:2", "object:1", "object:3"]


def test_no_labels(labels_of: Maker, items_of: Maker) -> None:
    """A label set with nothing decided is an empty frame with its columns."""
    frame = _frame(labels_of([-1], PETS), items_of(["a"]), weights="soft")
    assert (len(frame), tuple(frame.columns)) == (0, TEXT_COLUMNS)
