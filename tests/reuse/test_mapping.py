"""One label set as another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.errors import SchemaError
from labelops.reuse import map_labels, provenance, training_frame
from labelops.schema import Schema

Maker = Callable[..., pd.DataFrame]
FINE = Schema("fine", ("cat", "dog", "oak", "fern"))
COARSE = Schema("coarse", ("plant", "animal"))
GROUPED = {"cat": "animal", "dog": "animal", "oak": "plant", "fern": "plant"}


@pytest.fixture
def fine(labels_of: Maker, items_of: Maker) -> pd.DataFrame:
    """Four soft labels, one of each class."""
    return training_frame(
        labels_of([0, 1, 2, 3], FINE),
        items_of(list("wxyz")),
        FINE,
        shares={"train": 1.0},
        key=b"key",
        weights="soft",
        release="fine@1.0.0",
    )


def test_many_to_one(fine: pd.DataFrame) -> None:
    """Labels follow the mapping, codes the target's order, probabilities are summed."""
    mapped = map_labels(fine, GROUPED, COARSE)
    assert mapped["label"].tolist() == ["animal", "animal", "plant", "plant"]
    assert mapped["code"].tolist() == [1, 1, 0, 0]
    before = np.stack(fine["probs"])
    expected = np.stack([before[:, 2] + before[:, 3], before[:, 0] + before[:, 1]], axis=1)
    np.testing.assert_allclose(np.stack(mapped["probs"]), expected, atol=1e-15)


def test_none_drops(fine: pd.DataFrame) -> None:
    """Rows of a dropped class go; belief in it is shared out in proportion."""
    mapped = map_labels(fine, {**GROUPED, "fern": None}, COARSE)
    assert mapped["item_id"].tolist() == ["i00", "i01", "i02"]
    before = fine["probs"].iloc[0]
    expected = [before[2] / (1 - before[3]), (before[0] + before[1]) / (1 - before[3])]
    np.testing.assert_allclose(mapped["probs"].iloc[0], expected)


def test_a_certificate_is_of_the_labels_that_were_released(
    labels_of: Maker, items_of: Maker
) -> None:
    """Where rows go, what is wrong may be among those that are left; it is said in its words."""
    certified = training_frame(
        labels_of([0, 1, 2, 3], FINE),
        items_of(list("wxyz")),
        FINE,
        shares={"train": 1.0},
        key=b"key",
        certificate="≤ 2 % at 95 % confidence",
    )
    kept = map_labels(certified, GROUPED, COARSE)
    assert provenance(kept).certificate == "≤ 2 % at 95 % confidence"
    fewer = map_labels(certified, {**GROUPED, "fern": None}, COARSE)
    assert provenance(fewer).certificate == (
        "≤ 2 % at 95 % confidence; of all labels released: 1 label was dropped, of the others more "
        "may be wrong"
    )


def test_all_belief_dropped(fine: pd.DataFrame) -> None:
    """A row that believed only in dropped classes keeps its label for certain."""
    fine.at[0, "probs"] = np.array([0.0, 0.0, 0.0, 1.0])
    mapped = map_labels(fine, {**GROUPED, "fern": None}, COARSE)
    assert mapped["probs"].iloc[0].tolist() == [0.0, 1.0]


def test_identity_changes_nothing(fine: pd.DataFrame) -> None:
    """A mapping of every class to itself gives the same frame, to the last bit."""
    same = map_labels(fine, {c: c for c in FINE.classes}, FINE)
    pd.testing.assert_frame_equal(same, fine, check_exact=True)


def test_class_order_is_the_targets(fine: pd.DataFrame) -> None:
    """Mapping into the same classes in another order permutes codes and columns together."""
    turned = Schema("fine", tuple(reversed(FINE.classes)))
    mapped = map_labels(fine, {c: c for c in FINE.classes}, turned)
    assert mapped["label"].tolist() == fine["label"].tolist()
    assert (np.stack(mapped["probs"]) == np.stack(fine["probs"])[:, ::-1]).all()
    assert mapped["code"].tolist() == [3, 2, 1, 0]


def test_provenance_is_kept(fine: pd.DataFrame) -> None:
    """The result says its schema, the release, and every mapping on the way."""
    once = map_labels(fine, GROUPED, COARSE)
    twice = map_labels(
        once, {"plant": "living", "animal": "living"}, Schema("one", ("living", "dead"))
    )
    found = provenance(twice)
    assert (found.schema.classes, found.release) == (("living", "dead"), "fine@1.0.0")
    assert [step["schema"] for step in found.mapped_from] == ["fine", "coarse"]
    assert found.mapped_from[0]["mapping"] == GROUPED
    assert provenance(fine).schema == FINE


@given(st.permutations(FINE.classes), st.lists(st.sampled_from(["plant", "animal"]), min_size=4))
def test_belief_is_neither_made_nor_lost(classes: list[str], goals: list[str]) -> None:
    """Whatever goes where, every row's probabilities still sum to 1."""
    frame = pd.DataFrame({"label": [FINE.classes[0]], "code": [0]})
    frame["probs"] = [np.array([0.4, 0.3, 0.2, 0.1])]
    from labelops.reuse import Provenance

    frame.attrs = Provenance(FINE).to_json()
    mapped = map_labels(frame, dict(zip(classes, goals, strict=False)), COARSE)
    assert mapped["probs"].iloc[0].sum() == pytest.approx(1.0)


def test_unmapped_class_is_named(fine: pd.DataFrame) -> None:
    """A class that the mapping forgets is an error, even if no row has it."""
    with pytest.raises(SchemaError, match="'fern' of schema 'fine' is not mapped"):
        map_labels(fine.head(1), {k: v for k, v in GROUPED.items() if k != "fern"}, COARSE)


def test_unknown_names(fine: pd.DataFrame) -> None:
    """A misspelt class on either side is named."""
    with pytest.raises(SchemaError, match="'cta'"):
        map_labels(fine, {**GROUPED, "cta": "animal"}, COARSE)
    with pytest.raises(SchemaError, match="unknown class 'tree'"):
        map_labels(fine, {**GROUPED, "oak": "tree"}, COARSE)


def test_other_media(fine: pd.DataFrame) -> None:
    """Texts do not become images."""
    with pytest.raises(SchemaError, match="same media"):
        map_labels(fine, GROUPED, Schema("coarse", ("plant", "animal"), media="image"))


def test_everything_dropped(fine: pd.DataFrame) -> None:
    """Dropping every class is an empty frame."""
    assert map_labels(fine, dict.fromkeys(FINE.classes), COARSE).empty
