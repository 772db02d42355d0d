"""Evidence that is sharpest at one look fixed beforehand, and may be read at all others.

Who plans to look n times can test then, exactly, as if no other look were ever taken, and still
look before and after. Of the wealth that an e-process bets, two thirds go on that one test: held
at each look is the chance, at the bound, that the test will pass, divided by what that chance was
in the beginning. This is a fair game at the bound and a losing one above it, since every error
makes passing less likely. The last third is the mixture of `measure.error_evidence`, for looks that
come after the plan.

References
----------
Ramdas, Grünwald, Vovk, Shafer 2023, https://doi.org/10.1214/23-STS894
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr

from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.eprocess import log_e_value
from labelops.measure.finite import ROUNDING
from labelops.measure.given import check_share, check_whole
from labelops.measure.intervals import check_counts

__all__ = ["ON_PLAN", "log_e_value_planned", "most_errors"]

ON_PLAN = 2 / 3
"""Share of the risk that goes on the planned look."""


@lru_cache(maxsize=4096)
def most_errors(n: int, bound: float, risk: float) -> int:
    """Give the most errors in n looks that rule out a share of `bound` or more; -1 if none do.

    Examples
    --------
    >>> most_errors(300, 0.02, 0.05), most_errors(100, 0.02, 0.05)
    (1, -1)
    """
    passing = bdtr(np.arange(n + 1), n, bound) <= risk * (1 + ROUNDING)
    return int(passing.sum()) - 1


def log_e_value_planned(
    errors: ArrayLike,
    n: ArrayLike,
    bound: float,
    risk: float,
    *,
    planned: ArrayLike,
    by_plan: ArrayLike,
) -> FloatArray:
    """Give the log evidence that the share of errors is below `bound`, most of it at one look.

    Parameters
    ----------
    errors, n : array-like of int
        Errors among the first n looks of a stream.
    bound : float
        The hypothesis is "the share of errors is at least this".
    risk : float
        For which the planned look is to suffice, in (0, 1).
    planned : array-like of int
        How many looks there are at the planned one: fixed before any outcome is known. 0, or so
        few that nothing could be shown by then, is no plan: all is `log_e_value`.
    by_plan : array-like of int
        Errors among the first `planned` looks, for rows beyond those; else not read.

    Returns
    -------
    float array of the broadcast shape

    Raises
    ------
    UsageError
        The counts, the bound or the plan are impossible.

    Examples
    --------
    >>> wanted = np.log(1 / 0.05)
    >>> bool(log_e_value(1, 310, 0.02) < wanted)
    True
    >>> bool(log_e_value_planned(1, 310, 0.02, 0.05, planned=310, by_plan=1) >= wanted)
    True
    """
    k, looks = check_counts(errors, n)
    share = check_share("bound", bound)
    check_share("risk", risk, inside=True)
    plans = np.asarray(planned)
    mixed = np.asarray(log_e_value(k, looks, share), dtype=np.float64)
    bearable = [_most_by_plan(one, share, risk) for one in plans.ravel().tolist()]
    k, looks, at_plan, plan, most = np.broadcast_arrays(
        k, looks, np.asarray(by_plan, dtype=np.float64), plans, np.reshape(bearable, plans.shape)
    )
    at_plan = np.where(looks <= plan, k, at_plan)
    left = np.maximum(plan - looks, 0).astype(np.int64)
    with np.errstate(divide="ignore"):
        passing = np.log(_at_most((most - at_plan).astype(np.int64), left, share))
    tested = passing - np.log(np.where(most < 0, 1.0, bdtr(most.astype(np.float64), plan, share)))
    every = np.logaddexp(np.log(ON_PLAN) + tested, np.log1p(-ON_PLAN) + mixed)
    return np.asarray(np.where(most < 0, mixed, every), dtype=np.float64)


def _most_by_plan(planned: int, share: float, risk: float) -> int:
    """Give the most errors that the planned look bears; -1 where there is no plan."""
    check_whole("planned", planned, 0)
    return most_errors(planned, share, ON_PLAN * risk) if 0 < share < 1 else -1


def _at_most(k: IntArray, n: IntArray, share: float) -> FloatArray:
    """Probability of at most k errors in n looks, where k may be below 0 or above n."""
    inside = np.clip(k, 0, n)
    return np.where(k < 0, 0.0, np.where(k >= n, 1.0, bdtr(inside, n, share)))
