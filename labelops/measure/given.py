"""Arguments of the wrong kind, refused by their name: else `"no"` would count as yes."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

import numpy as np

from labelops.errors import UsageError, shown

__all__ = [
    "check_each",
    "check_flag",
    "check_integer",
    "check_kind",
    "check_list",
    "check_named",
    "check_number",
    "check_steps",
]

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


def check_integer(name: str, value: object) -> int:
    """Return `value` if it is a whole number, of whatever type.

    Raises
    ------
    UsageError
        It is anything else, as 3.0 is.

    Examples
    --------
    >>> check_integer("n_items", np.int32(3))
    3
    """
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise UsageError(f"{name} is {shown(value)}, expected a whole number") from None


def check_number(name: str, value: object, *, above: bool = False) -> float:
    """Return `value` if it is a number that is not negative, or that is `above` 0.

    Raises
    ------
    UsageError
        It is less, infinite, NaN, or no number.

    Examples
    --------
    >>> check_number("tolerance", 1e-3)
    0.001
    >>> check_number("prior", float("nan"), above=True)
    Traceback (most recent call last):
    labelops.errors.UsageError: prior is nan, expected a number above 0
    """
    real = isinstance(value, int | float | np.integer | np.floating)
    if not real or not math.isfinite(value) or value < 0 or (above and not value):  # type: ignore[arg-type, operator]
        raise UsageError(
            f"{name} is {shown(value)}, expected a number {'above 0' if above else 'of 0 or more'}"
        )
    return float(value)  # type: ignore[arg-type]


def check_steps(max_iterations: object, tolerance: object) -> None:
    """Refuse a number of steps, or a movement that ends them, that is none.

    Minus infinity is one: nothing ends them, and all are taken.

    Raises
    ------
    UsageError
        The message names which.

    Examples
    --------
    >>> check_steps(100, "quick")
    Traceback (most recent call last):
    labelops.errors.UsageError: tolerance is 'quick', expected a number of 0 or more
    """
    check_integer("max_iterations", max_iterations)
    if tolerance != -math.inf:
        check_number("tolerance", tolerance)


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


def check_list(name: str, given: object, of: str = "names") -> None:
    """Refuse what is no list of something, such as a single text.

    Raises
    ------
    UsageError
        It says what a list of was expected.

    Examples
    --------
    >>> check_list("learners", "trees")
    Traceback (most recent call last):
    labelops.errors.UsageError: learners: expected a list of names, found 'trees'
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise UsageError(f"{name}: expected a list of {of}, found {shown(given)}")


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
