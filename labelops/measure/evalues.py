"""Many e-values at once: which of them count, whatever depends on what."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from labelops.measure.codes import BoolArray
from labelops.measure.given import check_share

__all__ = ["e_benjamini_hochberg"]


def e_benjamini_hochberg(log_e_values: ArrayLike, risk: float) -> BoolArray:
    """Say which hypotheses are rejected (e-BH); at most `risk` of them falsely, as expected.

    Unlike with p-values this holds however the e-values depend on each other, and whenever one
    stops to look. Of e-processes (given all that was seen before, of every hypothesis) it holds too
    for all that was ever rejected at any look: what one of R rejections adds to the share, 1/R, is
    at most risk / A times its e-value when it was first rejected, and that is a stopping time. It
    takes e-values as they stand: the largest so far is no e-value. And it takes A hypotheses from
    the start: where they come one after another the share is at most risk (1 + 1/2 + … + 1/A).

    Parameters
    ----------
    log_e_values : (A,) array-like of float
        Logarithms; infinity is a certainty.
    risk : float in (0, 1)

    References
    ----------
    Wang, Ramdas 2022, https://doi.org/10.1111/rssb.12489

    Examples
    --------
    >>> e_benjamini_hochberg(np.log([500.0, 90.0, 1.0]), 0.02).tolist()
    [True, True, False]
    >>> e_benjamini_hochberg(np.log([90.0, 1.0, 1.0]), 0.02).tolist()
    [False, False, False]
    """
    check_share("risk", risk, inside=True)
    values = np.asarray(log_e_values, dtype=np.float64)
    A = values.size
    order = np.argsort(-values, kind="stable")
    wanted = math.log(A / risk) - np.log(np.arange(1, A + 1)) if A else values
    enough = np.flatnonzero(values[order] >= wanted - 1e-12)
    rejected = np.zeros(A, dtype=np.bool_)
    if enough.size:
        rejected[order[: int(enough[-1]) + 1]] = True
    return rejected
