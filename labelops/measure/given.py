"""The checks that arguments pass on the way in: what is wrong is refused by its name, in one line.

Without them `"no"` would count as true, and a confidence would be taken for a risk. What checks
the contents of a whole table or array stands beside what reads it (`codes`, `votes`, `aligned`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from labelops.errors import UsageError, shown

__all__ = [
    "check_each",
    "check_flag",
    "check_flags",
    "check_function",
    "check_integer",
    "check_kind",
    "check_list",
    "check_named",
    "check_number",
    "check_risk",
    "check_share",
    "check_steps",
    "check_whole",
    "risk_of",
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


def check_flags(name: str, given: ArrayLike, size: int) -> NDArray[np.bool_]:
    """Return a flat array of true and false, which may be written 1 and 0.

    Anything else would count as true: "no", and NaN.

    Raises
    ------
    UsageError
        There are not `size` of them, or one is neither.

    Examples
    --------
    >>> check_flags("saw", [1, 0], 2).tolist()
    [True, False]
    """
    array = np.asarray(given)
    if array.shape != (size,):
        raise UsageError(f"{name}: found shape {array.shape}, expected ({size},)")
    if array.dtype != np.bool_:
        bad = np.flatnonzero(~pd.Series(array).isin([True, False]).to_numpy())
        if bad.size:
            said = shown(array[bad[0]])
            raise UsageError(f"{name}: row {bad[0]} is {said}, expected true or false")
    return array.astype(np.bool_)


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


def check_whole(name: str, value: int, least: int = 1) -> int:
    """Return `value` if it is a whole number of at least `least`.

    Raises
    ------
    UsageError
        It is not; the message names it.

    Examples
    --------
    >>> check_whole("attempt", 2)
    2
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise UsageError(f"{name} is {shown(value)}, expected a whole number, {least} or more")
    return number


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


def check_share(name: str, value: float, *, inside: bool = False) -> float:
    """Return `value` if it lies in [0, 1] (strictly between when `inside`).

    Raises
    ------
    UsageError
        It does not; the message names it.

    Examples
    --------
    >>> check_share("risk", 0.05, inside=True)
    0.05
    """
    expected = "strictly between 0 and 1" if inside else "from 0 to 1"
    try:
        fits = bool(0 < value < 1 if inside else 0 <= value <= 1)
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise UsageError(f"{name} is {shown(value)}, expected a share {expected}")
    return float(value)


def check_risk(risk: float) -> float:
    """Return the risk of a certificate, 1 - confidence; above a half it is no risk to promise at.

    Raises
    ------
    UsageError
        It is none, or it looks like a confidence.

    Examples
    --------
    >>> check_risk(0.05)
    0.05
    """
    check_share("risk", risk, inside=True)
    if risk > 0.5:
        raise UsageError(
            f"risk is {risk:g}, the chance of a wrong certificate: at {100 * risk:g} % confidence "
            f"it is {1 - risk:.4g}"
        )
    return risk


def risk_of(confidence: float, risk: float | None = None) -> float:
    """Return the risk that is given, or else the one that a confidence leaves.

    Raises
    ------
    UsageError
        It is not strictly between 0 and 1.

    Examples
    --------
    >>> risk_of(0.75), risk_of(0.75, 1e-20)
    (0.25, 1e-20)
    """
    if risk is not None:
        return check_share("risk", risk, inside=True)
    return 1 - check_share("confidence", confidence, inside=True)


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


def check_function(name: str, value: object) -> None:
    """Refuse what cannot be called.

    Raises
    ------
    UsageError

    Examples
    --------
    >>> check_function("progress", 3)
    Traceback (most recent call last):
    labelops.errors.UsageError: progress: expected a function, found 3
    """
    if not callable(value):
        raise UsageError(f"{name}: expected a function, found {shown(value)}")


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
