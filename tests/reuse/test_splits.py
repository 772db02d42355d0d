"""Sides that hold: for every group, for ever."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.errors import TableError, UsageError
from labelops.reuse import assign_splits, split_conflicts

SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}
KEY = b"workspace key"
GROUPS = st.lists(st.sampled_from([f"g{i}" for i in range(30)]), max_size=60)


@given(GROUPS)
def test_order_changes_nothing(groups: list[str]) -> None:
    """Rows in another order stand on the same sides."""
    order = np.random.default_rng(len(groups)).permutation(len(groups))
    sides = assign_splits(groups, SHARES, KEY)
    shuffled = assign_splits([groups[i] for i in order], SHARES, KEY)
    assert shuffled.tolist() == sides[order].tolist()


@given(GROUPS, GROUPS)
def test_growing_keeps_sides(groups: list[str], more: list[str]) -> None:
    """What a release held before stays on its side when items arrive."""
    before = assign_splits(groups, SHARES, KEY)
    after = assign_splits([*more, *groups], SHARES, KEY)
    assert after[len(more) :].tolist() == before.tolist()


@given(GROUPS)
def test_no_group_is_split(groups: list[str]) -> None:
    """All rows of a group stand on one side."""
    sides = pd.Series(assign_splits(groups, SHARES, KEY), dtype=object)
    assert (sides.groupby(np.asarray(groups, dtype=object)).nunique() <= 1).all()


def test_shares_hold_over_many_groups() -> None:
    """Of 10,000 groups each side gets its share, within four standard errors."""
    sides = assign_splits([f"group {i}" for i in range(10_000)], SHARES, KEY)
    for side, share in SHARES.items():
        error = np.sqrt(share * (1 - share) / 10_000)
        assert abs((sides == side).mean() - share) < 4 * error


def test_another_key_is_another_split() -> None:
    """Sides cannot be known without the key."""
    groups = [f"g{i}" for i in range(200)]
    assert (assign_splits(groups, SHARES, KEY) != assign_splits(groups, SHARES, b"other")).any()


def test_a_share_of_zero_gets_nothing() -> None:
    """A side with share 0 stays empty, wherever it stands in the order."""
    groups = [f"g{i}" for i in range(500)]
    sides = assign_splits(groups, {"none": 0.0, "all": 1.0, "last": 0.0}, KEY)
    assert set(sides) == {"all"}


@pytest.mark.parametrize(
    "shares", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": float("nan"), "b": 1.0}]
)
def test_bad_shares(shares: dict[str, float]) -> None:
    """Shares that are negative, missing or do not sum to 1 are refused."""
    with pytest.raises(UsageError, match="sum to 1"):
        assign_splits(["g"], shares, KEY)


@pytest.mark.parametrize("bad", [None, float("nan"), "", 3])
def test_missing_group(bad: object) -> None:
    """A row without a group is named, not put anywhere."""
    with pytest.raises(UsageError, match="row 1, column 'group'"):
        assign_splits(np.array(["g", bad], dtype=object), SHARES, KEY)


def _items(sides: list[object], groups: list[str]) -> pd.DataFrame:
    n = len(groups)
    return pd.DataFrame(
        {
            "item_id": [f"i{i}" for i in range(n)],
            "group": groups,
            "attributes": [json.dumps({"n": 1} if s is None else {"split": s}) for s in sides],
        }
    )


def test_conflicts_are_explained() -> None:
    """Only groups on two sides are named, with counts and examples; no side is no conflict."""
    items = _items(["train", "train", "test", "test", None, "", "test"], list("aaabbbc"))
    assert split_conflicts(items) == {
        "a": "1 item in 'test' (such as 'i2'), 2 items in 'train' (such as 'i0')"
    }


def test_owner_sides_of_any_type() -> None:
    """Folds numbered with integers are sides too; another column holds none."""
    items = _items([0, 1], ["g", "g"])
    assert list(split_conflicts(items)) == ["g"]
    assert split_conflicts(items, "fold") == {}


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), max_size=12))
def test_conflicts_match_a_plain_count(rows: list[tuple[str, str]]) -> None:
    """A group conflicts exactly when its items name more than one side."""
    items = _items([side for side, _ in rows], [group for _, group in rows])
    expected = {g for g in "xyz" if len({s for s, h in rows if h == g}) > 1}
    assert set(split_conflicts(items)) == expected


@pytest.mark.parametrize("bad", ["not json", "[1]", None])
def test_malformed_attributes(bad: object) -> None:
    """Attributes that are no object are an error with their row, never a pass."""
    items = _items(["train", "test"], ["g", "g"])
    items.loc[1, "attributes"] = bad
    with pytest.raises(TableError, match="row 1, column 'attributes'"):
        split_conflicts(items)


def test_frame_uses_the_same_sides(
    labels_of: Callable[..., pd.DataFrame], items_of: Callable[..., pd.DataFrame]
) -> None:
    """`training_frame` puts each item on its group's side."""
    from labelops.reuse import training_frame
    from labelops.schema import Schema

    schema = Schema("s", ("a", "b"))
    groups = [f"g{i % 7}" for i in range(40)]
    frame = training_frame(
        labels_of([0, 1] * 20, schema),
        items_of(["t"] * 40, groups=groups),
        schema,
        shares=SHARES,
        key=KEY,
    )
    assert frame["split"].tolist() == assign_splits(groups, SHARES, KEY).tolist()
