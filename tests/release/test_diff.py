from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.errors import TableError
from labelops.release import diff
from labelops.schema import Schema

from .world import PETS, labels

sets = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(PETS.classes))


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(sets)
def test_nothing_differs_from_itself(values: dict[str, str]) -> None:
    """diff(a, a) is empty."""
    frame = labels(values)
    found = diff(frame, frame, PETS, PETS)
    assert found.is_empty
    assert found.counts() == {"added": 0, "changed": 0, "removed": 0, "unchanged": len(values)}


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(sets, sets)
def test_the_difference_is_that_of_dictionaries(
    before: dict[str, str], after: dict[str, str]
) -> None:
    """Against plain dictionaries, and whatever the order of rows; swapping swaps the sides."""
    shuffled = labels(after).sample(frac=1, random_state=len(after)).set_axis([3] * len(after))
    found = diff(labels(before), shuffled, PETS, PETS)
    assert found.added["item_id"].tolist() == sorted(after.keys() - before.keys())
    assert found.removed["item_id"].tolist() == sorted(before.keys() - after.keys())
    common = [i for i in sorted(before) if i in after and before[i] != after[i]]
    assert found.changed["item_id"].tolist() == common
    assert found.changed["before"].tolist() == [f'"{before[i]}"' for i in common]
    assert found.changed["after"].tolist() == [f'"{after[i]}"' for i in common]
    assert found.pairs["items"].sum() == len(common)
    back = diff(labels(after), labels(before), PETS, PETS)
    assert back.added["item_id"].tolist() == found.removed["item_id"].tolist()


def test_worked_example() -> None:
    """Two corrections one way, one the other: counted by pair, most first, each with its why."""
    before = labels({"a": "cat", "b": "cat", "c": "dog", "d": "dog"})
    after = labels({"a": "dog", "b": "dog", "c": "cat", "d": "dog"})
    after["reason"] = ["r1", "r2", "r3", "r4"]
    found = diff(before, after, PETS, PETS)
    assert found.pairs.to_dict("records") == [
        {"before": '"cat"', "after": '"dog"', "items": 2},
        {"before": '"dog"', "after": '"cat"', "items": 1},
    ]
    assert found.changed["why"].tolist() == ["r1", "r2", "r3"]
    assert found.unchanged == 1
    assert found.to_json(limit=1)["changed"] == [
        {
            "item_id": "a",
            "before": '"cat"',
            "after": '"dog"',
            "method_before": "majority",
            "method_after": "majority",
            "why": "r1",
        }
    ]


def test_a_rename_changes_the_schema_and_no_label() -> None:
    """A renamed class is one change of meaning, not one change a label."""
    now = Schema("pets", ("kitty", "dog"), renames={"cat": "kitty"})
    found = diff(
        labels({"a": "cat", "b": "dog"}),
        labels({"a": "dog", "b": "dog"}).assign(value=['"kitty"', '"dog"']),
        PETS,
        now,
    )
    assert found.unchanged == 2
    assert found.schema is not None
    assert found.schema.to_json() == {
        "added": [],
        "removed": [],
        "renamed": {"cat": "kitty"},
        "reordered": False,
        "other": [],
    }


def test_class_order_and_lost_classes_are_schema_changes() -> None:
    """Another order of the same classes is said; so are classes that came and went."""
    none = labels({})
    turned = diff(none, none, PETS, Schema("pets", ("dog", "cat"))).schema
    assert turned is not None
    assert (turned.reordered, turned.added, turned.removed) == (True, (), ())
    other = diff(none, none, PETS, Schema("pets", ("cat", "eel"), media="image")).schema
    assert other is not None
    assert (other.reordered, other.added, other.removed) == (False, ("eel",), ("dog",))
    assert other.other == ("media",)


def test_labels_of_a_lost_class_are_changed() -> None:
    """A label whose class is gone keeps its old name on the old side."""
    found = diff(
        labels({"a": "dog"}),
        labels({"a": "cat"}).assign(value='"eel"'),
        PETS,
        Schema("pets", ("cat", "eel")),
    )
    assert found.changed[["before", "after"]].to_numpy().tolist() == [['"dog"', '"eel"']]


def test_two_rows_of_one_item_are_refused() -> None:
    """Collapsing is the caller's; guessing would hide a change."""
    twice = pd.concat([labels({"a": "cat"}), labels({"a": "dog"})])
    with pytest.raises(TableError, match="two rows"):
        diff(twice, labels({}), PETS, PETS)


def test_undecided_rows_do_not_count() -> None:
    """A label that became undecided is removed."""
    after = labels({"a": "cat"}).assign(value=np.array([None], dtype=object))
    assert diff(labels({"a": "cat"}), after, PETS, PETS).counts()["removed"] == 1
