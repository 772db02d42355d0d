"""An audit of first votes: what a team of three can say of labels that two of them made.

Two people make a label and the third audits it. Where that one errs nobody is left to say so: of
people who are right 96 times in 100, every 25th right label would count as wrong, and of those that
two of three named all would, since the third has contradicted. To let them stand because two agree
is no audit: what a label waited for does not judge it.

So it is not the label that is audited there but the first vote on the item, whatever became of it,
and everybody who looked later audits it, whenever and for whatever purpose. Who looks first, no
vote decides. A first vote that is wrong passes where one of two others names its class, which is a
tie (`labelops.gate.confirm.may_tie`). First votes that others refuted count as errors, and as
corrected where the label is what they agree on: the certificate is of what is released. So what
the first votes had wrong, and found so, tells what they may have wrong and not found; two votes
that agree need no third.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..measure.adjudication import AGREES, WRONG, Adjudication
from ..measure.codes import BoolArray, IntArray

__all__ = ["TEAM_OF_FIRSTS", "WHY_FIRSTS", "judge_firsts"]

TEAM_OF_FIRSTS = 3
"""People in a team whose first votes are audited; larger ones have somebody left for labels."""

WHY_FIRSTS = "three people are too few to audit what two of them made: the first votes are audited"


def judge_firsts(
    looks: Adjudication, first: IntArray, label: IntArray
) -> tuple[Adjudication, BoolArray]:
    """Say which labels are wrong, of which the first votes were looked at, and which corrected.

    Parameters
    ----------
    looks : Adjudication
        Of the N first votes, against all later ones.
    first, label : (N,) int array
        The class each names, and the label as it is now; -1 is none.

    Returns
    -------
    looks : Adjudication
        A label that is another than a first vote that was confirmed is wrong, and what was
        confirmed is right.
    corrected : (N,) bool array
        First votes that were refuted, where the label is what others agree on.

    Examples
    --------
    Two refute the first vote and the label follows them; one agrees and the label does not follow.

    >>> from labelops.measure.adjudication import adjudicate
    >>> first, label = np.array([0, 0]), np.array([1, 1])
    >>> looks = adjudicate(first, [0, 0, 1], [1, 1, 0], 2, stuck=True)
    >>> found, corrected = judge_firsts(looks, first, label)
    >>> found.status.tolist(), corrected.tolist(), found.consensus.tolist()
    ([3, 3], [True, False], [1, 0])
    """
    other = (looks.status == AGREES) & (label != first)
    corrected = (looks.status == WRONG) & (label >= 0) & (looks.consensus == label)
    status = np.where(other, WRONG, looks.status)
    return replace(looks, status=status, tied=looks.tied & ~other), corrected
