"""Arguments of the wrong kind, refused by their name: else `"no"` would count as yes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

import numpy as np

from labelops.errors import UsageError, shown

__all__ = ["check_each", "check_flag", "check_kind", "check_named"]

T = TypeVar("T")


def check_flag(name: str, value: object) -> bool:
    """Return `value` if it is True or False.

    Raises
    ------
    UsageError
        It is anything else, which Python would take for true or false all the same.

    Examples
    --------
    >>> check_flag("adjusted", np.bool_(True))
    True
    """
    if not isinstance(value, bool | np.bool_):
        raise UsageError(f"{name} is {shown(value)}, expected True or False")
    return bool(value)


def check_kind(name: str, value: object, kind: type[T], made_by: str) -> T:
    """Return `value` if it is of a kind; else say what makes one.

    Raises
    ------
    UsageError
        It is not.

    Examples
    --------
    >>> check_kind("graph", 3, dict, "`nearest_graph`")
    Traceback (most recent call last):
    labelops.errors.UsageError: graph is 3, expected a dict, made by `nearest_graph`
    """
    if not isinstance(value, kind):
        expected = f"expected a {kind.__name__}, made by {made_by}"
        raise UsageError(f"{name} is {shown(value)}, {expected}")
    return value


def check_each(name: str, values: Iterable[object], kind: type[T], made_by: str) -> list[T]:
    """Return a list of `values` if all of them are of a kind.

    Raises
    ------
    UsageError
        They are no list, or one is something else; the message says which.

    Examples
    --------
    >>> check_each("partials", [], dict, "`Shard.answer`")
    []
    """
    # One alone may be iterable as well, as a frame or a text is.
    if isinstance(values, kind | str) or not isinstance(values, Iterable):
        raise UsageError(
            f"{name} is {shown(values)}, expected a list of {kind.__name__}, made by {made_by}"
        )
    return [check_kind(f"{name}[{n}]", v, kind, made_by) for n, v in enumerate(values)]


def check_named(name: str, given: object) -> Mapping[Any, Any]:
    """Return `given` if it maps names to values, as a frame does its columns.

    Raises
    ------
    UsageError
        It does not.

    Examples
    --------
    >>> check_named("attributes", [[1, 2]])
    Traceback (most recent call last):
    labelops.errors.UsageError: attributes is [[1, 2]], expected a dict of names and values
    """
    if not callable(getattr(given, "items", None)):
        raise UsageError(f"{name} is {shown(given)}, expected a dict of names and values")
    return cast("Mapping[Any, Any]", given)
