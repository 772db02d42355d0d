"""Train, validation and test sides that no leakage group ever straddles."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..digest import canonical_json, uniforms
from ..errors import TableError, UsageError, counted, shown

__all__ = ["assign_splits", "split_conflicts"]

STREAM = "split"
"""The stream of permanent random numbers that sides are drawn from."""


def assign_splits(
    groups: npt.ArrayLike, shares: Mapping[str, float], key: bytes
) -> npt.NDArray[np.object_]:
    """Give every leakage group one side, for ever.

    A group's side follows from its permanent random number: it depends neither on the other
    groups nor on their order, so in a grown release everything that was in the test side still
    is. Shares are shares of *groups*: where groups differ much in size, the rows on a side may
    be off by a few of the largest groups. When two groups are merged (a new item duplicates
    both), the merged group takes the side of the id it keeps.

    Parameters
    ----------
    groups : (N,) array of str
        Leakage group of each row, none missing.
    shares : mapping of side to float
        Shares in [0, 1] that sum to 1. Changing them, or their order, moves groups.
    key : bytes
        The workspace's secret key; without it nobody can predict a side.

    Returns
    -------
    (N,) object array of sides.

    Raises
    ------
    UsageError
        If a share is out of range, they do not sum to 1, or a group is missing.

    Examples
    --------
    >>> shares = {"train": 0.8, "test": 0.2}
    >>> sides = assign_splits(["g1", "g2", "g1"], shares, b"key")
    >>> bool(sides[0] == sides[2])
    True
    """
    names, bounds = _bounds(shares)
    groups = np.asarray(groups, dtype=object)
    for row, group in enumerate(groups):
        if not isinstance(group, str) or not group:
            raise UsageError(f"row {row}, column 'group': found {shown(group)}, expected text")
    places, distinct = pd.factorize(groups)
    drawn = uniforms(key, STREAM, distinct)
    sides = names[np.searchsorted(bounds, drawn, side="right")]
    result: npt.NDArray[np.object_] = sides[places]
    return result


def _bounds(
    shares: Mapping[str, float],
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.float64]]:
    values = np.asarray(list(shares.values()), dtype=np.float64)
    if not len(values) or not (values >= 0.0).all() or abs(values.sum() - 1.0) > 1e-9:
        raise UsageError(
            f"split shares {dict(shares)}: expected numbers of 0 or more that sum to 1"
        )
    used = np.flatnonzero(values > 0.0)
    names = np.array(list(shares), dtype=object)[used]
    # The last bound is left out: rounding must not push a draw beyond every side.
    return names, np.cumsum(values[used])[:-1]


def split_conflicts(items: pd.DataFrame, column: str = "split") -> dict[str, str]:
    """Find leakage groups that the owner's own split puts on two sides.

    Parameters
    ----------
    items : ITEMS rows
        One row an item.
    column : str
        The owner's column, as it is kept in `attributes`. An item without it, or with null or
        an empty text there, stands on no side.

    Returns
    -------
    dict
        Group → which sides, with how many items and an example of each; sorted by group.

    Raises
    ------
    TableError
        If an item's attributes are not a JSON object.

    Examples
    --------
    >>> items = pd.DataFrame({"item_id": ["a", "b", "c"], "group": ["g", "g", "h"],
    ...     "attributes": ['{"split":"train"}', '{"split":"test"}', "{}"]})
    >>> split_conflicts(items)
    {'g': "1 item in 'test' (such as 'b'), 1 item in 'train' (such as 'a')"}
    """
    sides = _owner_sides(items["attributes"], column)
    rows = pd.DataFrame(
        {"group": items["group"].to_numpy(), "item": items["item_id"].to_numpy(), "side": sides}
    ).dropna(subset=["side"])
    found = rows.groupby(["group", "side"])["item"].agg(["size", "min"]).reset_index()
    found = found.loc[found.duplicated("group", keep=False)]
    return {
        str(group): ", ".join(
            f"{counted(size, 'item')} in {shown(side)} (such as {shown(item)})"
            for side, size, item in part[["side", "size", "min"]].itertuples(index=False)
        )
        for group, part in found.groupby("group")
    }


def _owner_sides(attributes: pd.Series, column: str) -> list[str | None]:
    places, distinct = pd.factorize(attributes.to_numpy(dtype=object))
    sides = [_owner_side(text, column) for text in distinct]
    missing = np.flatnonzero(places < 0)
    if len(missing) or any(side is False for side in sides):
        wrong = [i for i, place in enumerate(places) if place < 0 or sides[place] is False]
        raise TableError(
            "items",
            [
                f"row {i}, column 'attributes': found {shown(attributes.iloc[i])}, "
                "expected a JSON object"
                for i in wrong[:100]
            ],
        )
    return [side if isinstance(side := sides[place], str) else None for place in places]


def _owner_side(text: object, column: str) -> str | bool | None:
    """Return the side, None for no side, and False where the attributes are malformed."""
    try:
        found = json.loads(str(text))
    except ValueError:
        return False
    if not isinstance(found, dict):
        return False
    side = found.get(column)
    if side is None or isinstance(side, str):
        return side or None
    return canonical_json(side)
