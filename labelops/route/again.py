"""After an audit that failed: which labels are looked at again, and by whom."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from .needs import needs_frame

__all__ = ["again_seats", "doubt_needs", "looks_again"]

_AGAIN = "among the least certain after a failed audit"
"""The reason of seats at labels that failed, by which those put up for somebody new are known."""


def looks_again(doubt: npt.ArrayLike, error: float, bound: float) -> int:
    """Count the labels to look at again, the least certain first, after an audit that failed.

    So many as hold the errors in excess of half the bound, if errors are where the doubt is;
    and at least twice as many as there are errors, since doubt does not know where they all are.

    Parameters
    ----------
    doubt : (N,) float array in [0, 1]
        One less each label's posterior; 0 where the audit confirmed it.
    error : float
        The share of wrong labels that the audit found.
    bound : float
        The share that is tolerated.

    Examples
    --------
    >>> looks_again([0.0, 0.3, 0.1, 0.0, 0.2], error=0.2, bound=0.1)
    2
    """
    worst = -np.sort(-np.asarray(doubt, dtype=np.float64))
    share = 1.0 - bound / (2.0 * max(error, bound))
    held = np.cumsum(worst + 1e-12)
    enough = int(np.searchsorted(held, share * held[-1])) + 1 if len(held) else 0
    return min(len(held), max(enough, math.ceil(2 * error * len(held))))


def doubt_needs(
    item_ids: npt.ArrayLike, doubt: npt.ArrayLike, votes: npt.ArrayLike, purpose: str = "review"
) -> pd.DataFrame:
    """Ask one more person, blind, about the least certain labels after an audit that failed.

    Parameters
    ----------
    item_ids : (N,) item ids
    doubt : (N,) float array in [0, 1]
    votes : (N,) int array
        Votes given for the purpose.
    purpose : {"review", "audit"}
        To look at the label again; or to audit it, where nobody would be left to do so after that.

    Examples
    --------
    >>> doubt_needs(["a", "b"], [0.3, 0.1], [0, 1])[["purpose", "wanted"]].values.tolist()
    [['review', 1], ['review', 2]]
    """
    wanted = np.asarray(votes, dtype=np.int64) + 1
    return needs_frame(item_ids, purpose, wanted, _AGAIN, doubt, settles=purpose == "review")


def again_seats(plan: pd.DataFrame, since: pd.Timestamp | None = None) -> pd.DataFrame:
    """Return the seats put up for somebody who is to audit a label that failed, from `doubt_needs`.

    Parameters
    ----------
    plan : PLAN rows
    since : timestamp, optional
        Only those planned later.
    """
    rows = plan.loc[(plan["purpose"] == "audit") & (plan["reason"] == _AGAIN)]
    return rows if since is None else rows.loc[rows["planned_at"] > since]
