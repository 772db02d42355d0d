"""Duplicates with different labels."""

from __future__ import annotations

import json
from typing import Any


def _found(items: Any, labels: Any, ten: Any, now: Any) -> dict[str, Any]:
    from labelops.audit.duplicates import duplicate_conflicts

    frame = duplicate_conflicts(items, labels, ten, round=2, now=now)
    assert (frame["kind"] == "duplicate_conflict").all()
    return frame.set_index("item_id").to_dict("index")


def test_the_odd_one_out_is_named(items_of: Any, labels_of: Any, ten: Any, now: Any) -> None:
    """Three copies, two labels: the lonely label is the finding, the common one the suggestion."""
    items = items_of([(i, i, "g", None) for i in "abc"])
    found = _found(items, labels_of({"a": 1, "b": 1, "c": 2}), ten, now)
    assert list(found) == ["c"]
    assert found["c"]["suggestion"] == '"1"'
    assert found["c"]["score"] == 1 / 3
    assert json.loads(found["c"]["evidence"]) == {"cluster": "group g", "cluster_size": 3}


def test_a_tie_accuses_all_and_suggests_nothing(
    items_of: Any, labels_of: Any, ten: Any, now: Any
) -> None:
    """Two copies, two labels: nobody knows which is right."""
    items = items_of([("a", "x", "g", None), ("b", "x", "g", None)])
    found = _found(items, labels_of({"a": 1, "b": 2}), ten, now)
    assert [found[i]["suggestion"] for i in "ab"] == [None, None]


def test_owner_groups_are_not_duplicates(items_of: Any, labels_of: Any, ten: Any, now: Any) -> None:
    """One user's different items may differ; the same payload twice may not."""
    items = items_of([("a", "x", "g", "user"), ("b", "y", "g", "user"), ("c", "x", "g", "user")])
    assert _found(items, labels_of({"a": 1, "b": 2, "c": 1}), ten, now) == {}
    assert list(_found(items, labels_of({"a": 1, "b": 1, "c": 2}), ten, now)) == ["a", "c"]


def test_undecided_and_lonely_items_conflict_with_nobody(
    items_of: Any, labels_of: Any, ten: Any, now: Any
) -> None:
    """A missing label takes no part; neither does an item without duplicates."""
    items = items_of([("a", "x", "g", None), ("b", "x", "g", None), ("c", "z", "h", None)])
    assert _found(items, labels_of({"a": 1, "b": -1, "c": 2}), ten, now) == {}
    assert _found(items, labels_of({"a": -1}), ten, now) == {}
