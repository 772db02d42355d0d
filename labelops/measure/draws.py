"""Random numbers are drawn from what the caller passes, and from nothing else."""

from __future__ import annotations

import numpy as np

from labelops.errors import UsageError, shown
from labelops.measure.codes import IntArray

__all__ = ["check_rng", "some_rows"]


def check_rng(rng: object) -> None:
    """Refuse what is no numpy Generator; a bare seed as well.

    A seed would give the same numbers to each function that it is passed to, and so make one
    what should be several independent draws.

    Raises
    ------
    UsageError
        The generator is none.

    Examples
    --------
    >>> check_rng(np.random.default_rng(7))
    >>> check_rng(7)
    Traceback (most recent call last):
    labelops.errors.UsageError: rng is 7, expected a numpy Generator: numpy.random.default_rng(7)
    """
    if isinstance(rng, np.random.Generator):
        return
    # A number is a seed, and the remedy is told with it; a truth value is none.
    seed = rng if isinstance(rng, int | np.integer) and not isinstance(rng, bool) else 0
    raise UsageError(
        f"rng is {shown(rng)}, expected a numpy Generator: numpy.random.default_rng({seed})"
    )


def some_rows(rows: IntArray, limit: int, rng: np.random.Generator) -> IntArray:
    """Return the rows where they are at most `limit`, else so many of them, drawn at random.

    Parameters
    ----------
    rows : (M,) int
    limit : int
    rng : numpy.random.Generator
        Is asked only where rows are to be drawn.

    Returns
    -------
    (min(M, limit),) int, ascending where `rows` are.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> some_rows(np.arange(3), 3, rng).tolist(), len(some_rows(np.arange(9), 3, rng))
    ([0, 1, 2], 3)
    """
    check_rng(rng)
    if len(rows) <= limit:
        return rows
    return rows[np.sort(rng.choice(len(rows), limit, replace=False))]
