"""Which classes there are, by name: those listed or those that votes name, and gold's."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from ..errors import TableError, UsageError, shown
from ..measure.codes import IntArray
from .inputs import distinct, listed

__all__ = ["class_codes", "class_names", "gold_codes", "known_classes"]


def class_names(values: pd.Series[Any], given: Any, probs: Any, gold: Any) -> pd.Index[Any]:
    """Return the classes: those listed, or the model's, or those that votes name.

    Raises
    ------
    UsageError
        A class is listed twice; or none is listed, and votes name fewer than two, or gold one
        that they do not name.

    Examples
    --------
    >>> class_names(pd.Series([1, 0]), None, None, {"i": 1}).tolist()
    [0, 1]
    """
    if given is not None:
        return listed("class", given)
    if isinstance(probs, pd.DataFrame):
        return listed("class", probs.columns)
    found = distinct("label", values)
    if gold is not None:
        _refuse_new(pd.Series(gold, dtype=object).dropna(), found)
    if len(found) < 2:
        said = f"all of them say {shown(found[0])}" if len(found) else "none of them has a label"
        raise UsageError(
            f"votes: {said}, so nothing tells which classes there are; list them, also those "
            "that nobody gave: classes=[…]"
        )
    return found


def _refuse_new(gold: pd.Series[Any], found: pd.Index[Any]) -> None:
    """Refuse a class that gold names and no vote does: a slip would be one more class."""
    new = gold[~gold.isin(found)]
    if new.empty:
        return
    near = get_close_matches(str(new.iloc[0]), [str(name) for name in found], 1)
    there = f"the nearest is {shown(near[0])}" if near else f"they say {shown(list(found))}"
    raise UsageError(
        f"gold: item {shown(new.index[0])} is {shown(new.iloc[0])}, which no vote says, {there}; "
        "correct it, or list all classes: classes=[…]"
    )


def class_codes(values: pd.Series[Any], names: pd.Index[Any]) -> IntArray:
    """Return the number of each vote's class, (V,).

    Raises
    ------
    TableError
        A vote names a class that is not listed; the row is named.

    Examples
    --------
    >>> class_codes(pd.Series(["b", "a"]), pd.Index(["a", "b"])).tolist()
    [1, 0]
    """
    codes: IntArray = names.get_indexer(values).astype(np.int64)
    if (codes < 0).any():
        bad = np.flatnonzero(codes < 0)[0]
        row, said = values.index[bad], shown(values.iloc[bad])
        raise TableError("votes", [f"row {row} says {said}, expected one of {shown(list(names))}"])
    return codes


def known_classes(gold: pd.Series[Any] | Mapping[Any, Any], known: pd.Index[Any]) -> pd.Series[Any]:
    """Return known classes by item.

    Raises
    ------
    UsageError
        They are not by item, an item is there twice, or none of them is among the items.

    Examples
    --------
    >>> known_classes({"i": "b"}, pd.Index(["h", "i"])).to_dict()
    {'i': 'b'}
    """
    if not isinstance(gold, pd.Series | Mapping):
        raise UsageError(
            "gold: expected a mapping or a Series from item to class, found a "
            f"{type(gold).__name__}, which does not say whose classes they are"
        )
    given = pd.Series(gold, dtype=object)
    if not given.index.is_unique:
        twice = shown(given.index[given.index.duplicated()][0])
        raise UsageError(f"gold: item {twice} is there twice")
    if len(given) and not given.index.isin(known).any():
        raise UsageError(
            f"gold: none of its items has a vote, {shown(given.index[0])} for one; give the "
            "classes by the items' ids in the votes"
        )
    return given


def gold_codes(given: pd.Series[Any], known: pd.Index[Any], names: pd.Index[Any]) -> IntArray:
    """Return the number of each item's known class, (N,); -1 where none is.

    Raises
    ------
    UsageError
        A class is not listed.

    Examples
    --------
    >>> gold_codes(pd.Series({"i": "b"}), pd.Index(["h", "i"]), pd.Index(["a", "b"])).tolist()
    [-1, 1]
    """
    values = given.reindex(known)
    codes: IntArray = names.get_indexer(values).astype(np.int64)
    bad = (codes < 0) & values.notna().to_numpy()
    if bad.any():
        raise UsageError(f"gold: {shown(values[bad].iloc[0])} is not one of {shown(list(names))}")
    return codes
