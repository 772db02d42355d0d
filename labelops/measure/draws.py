"""Random numbers are drawn from what the caller passes, and from nothing else."""

from __future__ import annotations

import numpy as np

from labelops.errors import UsageError, shown

__all__ = ["check_rng"]


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
