"""Comparing a value with blind votes: right, wrong, or somebody else has to look.

Calibration and audit samples are looked at by people who do not see the value in question.
One agreeing vote confirms it, or a lead of two where people often err alike. A disagreeing vote
proves nothing yet, since people err more often than the values under test do: further people
look until one side prevails, another value by a lead of three: three people against a value that
is right 99 times in 100 are still more often the people's error than the value's if a majority
suffices. People who are right 84 times in 100, half of whose errors name one class of ten, call
1.8 % of right values wrong by a bare majority, 0.5 % by a lead of two and 0.3 % by a lead of
three, most of these because seven votes do not settle it; between two classes 4.5, 1.2 and 0.8 %.
All find the same wrong values (nine in ten; four in five between two classes): those that the
first vote does not confirm.

Where two of those who may look disagree and there is no third, whichever had been asked first would
have decided. To count the value as wrong then calls every slip of one of them an error of the
value: of people who are right 93 times in 100, two of whom are left, 13 % of right values. To
count it as right misses a wrong one where either of two names it: at most twice as often as one
vote does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["AGREES", "NO_VOTE", "OVERTURNS", "PENDING", "WRONG", "Adjudication", "adjudicate"]

NO_VOTE, PENDING, AGREES, WRONG = 0, 1, 2, 3

OVERTURNS = 3
"""By how many votes another class must lead for the value to be wrong."""

_PEOPLE = 2
"""Who refute a single value; that nobody is left to settle what one says is no refutation."""

_CORRECTS = 2
"""By how many it must lead to take the value's place, where nobody is left to ask."""


@dataclass(frozen=True, slots=True)
class Adjudication:
    """What blind votes say of N values.

    Parameters
    ----------
    status : (N,) int array
        `NO_VOTE`, `PENDING` (ask `needed` more people), `AGREES` or `WRONG`.
    votes : (N,) int array
        Votes counted for each item.
    consensus : (N,) int array
        The class most votes name where the status is `AGREES` or `WRONG`; else, and where no class
        leads the value by two, -1.
    needed : (N,) int array
        The fewest more votes that can settle it, all of them surely needed; 0 where it is settled.
    tied : (N,) bool array
        Values that stand though half of the votes name others; empty means none.
    lost : (N,) bool array
        Values that count as wrong only because nobody is left who could settle them; empty means
        none.
    """

    status: npt.NDArray[np.int64]
    votes: npt.NDArray[np.int64]
    consensus: npt.NDArray[np.int64]
    needed: npt.NDArray[np.int64]
    tied: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    lost: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    @property
    def refuted(self) -> npt.NDArray[np.bool_]:
        """Values that two people or more found wrong; that nobody is left to look is no finding."""
        found: npt.NDArray[np.bool_] = (self.status == WRONG) & (self.votes >= _PEOPLE)
        return found & ~self.lost if len(self.lost) else found


def adjudicate(
    values: npt.ArrayLike,
    items: npt.ArrayLike,
    votes: npt.ArrayLike,
    n_classes: int,
    *,
    max_votes: int = 7,
    confirms: int = 1,
    stuck: npt.ArrayLike = False,
    ties_stand: npt.ArrayLike = False,
    lost: npt.ArrayLike = False,
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
        With that many votes, still unsettled, the value counts as wrong: a doubt that people
        cannot settle must not certify anything.
    confirms : int
        By how many votes the value must lead to be right. Between two classes people who err
        in 18 of 100 votes miss 22 % of the wrong values by one vote, 5 % by a lead of two.
    stuck : (N,) bool array
        Items that nobody is left to look at: any lead confirms there, and what is unsettled is
        wrong.
    ties_stand : (N,) bool array
        Stuck items whose value is right where half of the votes or more name it.
    lost : (N,) bool array
        Items at which only somebody who left could still look: as what that person would have said
        is not known, what is unsettled is wrong, and no smaller lead confirms than elsewhere.

    Examples
    --------
    Item 0: one vote agrees. Item 1: one against, ask two again. Item 2: four against one.

    >>> a = adjudicate([0, 0, 0], [0, 1, 2, 2, 2, 2, 2], [0, 1, 1, 0, 1, 1, 1], 2)
    >>> a.status.tolist(), a.consensus.tolist()
    ([2, 1, 3], [0, -1, 1])
    >>> a.needed.tolist()
    [0, 2, 0]

    Nobody is left to ask, and half of those who looked name the value.

    >>> votes = [0, 0, 1, 1], [0, 1, 0, 1]
    >>> adjudicate([0, 0], *votes, 2, stuck=True, ties_stand=[True, False]).status.tolist()
    [2, 3]

    Two votes have to agree, and who could have given the second has left.

    >>> adjudicate([0, 0], [0, 1, 1], [0, 0, 0], 2, confirms=2, lost=True).status.tolist()
    [3, 2]
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
    alone = np.broadcast_to(np.asarray(stuck, dtype=bool), total.shape)
    agrees = agree - rival >= np.where(alone, 1, confirms)
    agrees |= alone & np.asarray(ties_stand, dtype=bool) & (agree > 0) & (2 * agree >= total)
    wrong = rival >= agree + OVERTURNS
    overturned = wrong | (total >= max_votes)
    gone = np.broadcast_to(np.asarray(lost, dtype=bool), total.shape) & ~alone
    wrong = wrong | ((overturned | alone | gone) & ~agrees)
    status = np.select([agrees, wrong, total == 0], [AGREES, WRONG, NO_VOTE], default=PENDING)
    leader = np.where(agrees, codes, others.argmax(axis=1) if n else codes)
    # Two rival values with the same count: people agree that it is wrong, not on what is right.
    single = (others == rival[:, None]).sum(axis=1) == 1
    clear = agrees | (wrong & (rival >= agree + _CORRECTS) & single)
    # A vote moves the lead by one at most: so many are needed, whatever they say.
    lead = agree - rival
    fewest = np.where(codes >= 0, np.minimum(confirms - lead, OVERTURNS + lead), OVERTURNS + lead)
    fewest = np.minimum(np.where(total == 0, confirms, fewest), max_votes - total)
    needed = np.where(agrees | wrong, 0, np.maximum(fewest, 1))
    consensus = np.where(clear, leader, -1)
    tied = agrees & (2 * agree == total)
    unsettled = gone & ~agrees & ~overturned & ~clear
    return Adjudication(status.astype(np.int64), total, consensus, needed, tied, unsettled)
