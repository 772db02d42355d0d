"""How many items, annotators and classes votes by number are about."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError

from .codes import code_count
from .given import check_integer

__all__ = ["check_sizes", "sizes_of"]

_ROOM = 1 << 20
"""So many there may be without a vote for each hundred of them, unless they are named."""


def sizes_of(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_items: int | None,
    n_annotators: int | None,
    n_classes: int | None,
) -> tuple[int, int, int]:
    """Return N, A and K as they are given, or else one more than the largest number of each.

    Raises
    ------
    UsageError
        What is left out shows in no integers, or only in one so large that it is an id and no
        number from 0; or the sizes are none (`check_sizes`).

    Examples
    --------
    >>> sizes_of([0, 2], [0, 1], [1, -1], None, None, None), sizes_of([0], [0], [0], 9, None, 2)
    ((3, 2, 2), (9, 1, 2))
    """
    size = (
        _size("items", items, n_items),
        _size("annotators", annotators, n_annotators),
        _size("classes", codes, n_classes),
    )
    if n_classes is None and not size[2]:
        raise UsageError("codes: no vote names a class; say with `n_classes` how many there are")
    check_sizes(*size)
    return size


def _size(name: str, numbers: ArrayLike, given: int | None) -> int:
    if given is not None:
        return check_integer(f"n_{name}", given)
    array = "codes" if name == "classes" else name
    found, votes = code_count(numbers, name=array), np.size(numbers)
    if found > max(_ROOM, 100 * votes):
        raise UsageError(
            f"{array}: the largest of {votes} is {found - 1}; number {name} from 0, without gaps, "
            f"or say how many there are with `n_{name}`"
        )
    return found


def check_sizes(n_items: int, n_annotators: int, n_classes: int) -> None:
    """Refuse negative sizes, no class at all, and more cells than 64 bits number.

    Raises
    ------
    UsageError
        A size is negative, there is no class, or items, annotators and classes multiply to 2⁶³.

    Examples
    --------
    >>> check_sizes(0, 0, 2)
    """
    n_items, n_annotators, n_classes = (
        check_integer(f"n_{name}", size)
        for name, size in (
            ("items", n_items), ("annotators", n_annotators), ("classes", n_classes)
        )
    )  # fmt: skip
    if min(n_items, n_annotators) < 0 or n_classes < 1:
        raise UsageError(
            f"votes: {n_items} items, {n_annotators} annotators and {n_classes} classes; "
            "expected at least one class, and no negative number"
        )
    if max(n_items, 1) * max(n_annotators, 1) * n_classes >= 2**63:
        raise UsageError(
            f"votes: {n_items} items, {n_annotators} annotators and {n_classes} classes are more "
            "than can be numbered together; number items and annotators from 0, without gaps"
        )
