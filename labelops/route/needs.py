"""Reasons to look at an item: each function turns one kind of doubt into needs.

A need says how many votes *in all* an item should have for one purpose. What is already
given or asked for is subtracted later, so the same state always gives the same needs.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import counted
from ..measure.samples import RandomSample, WeightedSample, expect_drawn, expect_sample
from .value import Worth

__all__ = [
    "CROWD",
    "EXPERT",
    "NEED_COLUMNS",
    "adjudication_needs",
    "gold_needs",
    "label_needs",
    "needs_frame",
    "overlap_needs",
    "review_needs",
    "sample_needs",
    "seed_overlap",
]

NEED_COLUMNS = ("item_id", "purpose", "wanted", "reason", "priority", "by", "settles", "blind")
"""Columns of a needs frame: `wanted` votes in all; larger `priority` is earlier; `by` whom:
`CROWD`, `EXPERT`, or empty for anybody; `settles` where others looked and it is not settled yet;
`blind` where nobody may see a proposal, whatever else the item is asked about for."""

CROWD, EXPERT = "crowd", "expert"


_LEAST_OVERLAP = 30
"""As many of the seed as two people look at by default."""

# The order in which a budget is spent: the samples that guarantees rest on come first.
_BASE = {"calibrate": 4.0, "audit": 4.0, "gold": 3.0, "review": 2.0, "label": 1.0}


def needs_frame(
    item_ids: npt.ArrayLike,
    purpose: str,
    wanted: npt.ArrayLike,
    reason: npt.ArrayLike,
    value: npt.ArrayLike,
    *,
    settles: npt.ArrayLike = False,
    blind: bool = False,
) -> pd.DataFrame:
    """Put needs of one purpose into a frame, one a row.

    Parameters
    ----------
    item_ids : (N,) item ids
    purpose : str
        What the votes are for.
    wanted : (N,) int array
        Votes in all.
    reason : str, or (N,) str
    value : (N,) float array
        What comes earlier among needs of this purpose: larger, within 0 and 1.
    settles : bool, or (N,) bool
        True where others looked and it is not settled yet.
    blind : bool
        Whether nobody may see a proposal.

    Examples
    --------
    >>> needs_frame(["a"], "review", [1], "a doubt", [0.5])[["wanted", "priority"]].values.tolist()
    [[1.0, 2.5]]
    """
    ids = np.asarray(item_ids, dtype=object)
    frame = pd.DataFrame({"item_id": ids})
    frame["purpose"] = purpose
    frame["wanted"] = np.asarray(wanted, dtype=np.int64)
    frame["reason"] = reason
    frame["priority"] = _BASE[purpose] + np.clip(np.asarray(value, dtype=np.float64), 0.0, 0.999)
    frame["by"] = ""
    frame["settles"] = np.broadcast_to(np.asarray(settles, dtype=bool), len(ids))
    frame["blind"] = blind
    return frame


def sample_needs(
    sample: RandomSample | WeightedSample,
    given: npt.ArrayLike,
    unseen: npt.ArrayLike,
    purpose: str,
    votes: int = 1,
) -> pd.DataFrame:
    """Ask for blind votes on every item of a random sample that has none that counts.

    Parameters
    ----------
    sample : RandomSample or WeightedSample
        Of n items.
    given : (n,) int array
        Votes given for this purpose, those of excluded annotators too.
    unseen : (n,) bool array
        True where no vote counts yet.
    purpose : {"calibrate", "audit"}
    votes : int
        As many as settle it where all agree.

    Examples
    --------
    >>> from labelops.measure.samples import draw_sample
    >>> sample = draw_sample(b"k", "audit/1", list("abcdefghij"), 2)
    >>> sample_needs(sample, [0, 1], [True, False], "audit")["reason"].tolist()
    ['random audit sample, 1 of 2 from 10 items']
    """
    ids, total = expect_drawn(sample).ids, sample.total
    name = "calibration" if purpose == "calibrate" else purpose
    where = np.flatnonzero(np.asarray(unseen, dtype=bool))
    reasons = [
        f"random {name} sample, {i + 1} of {len(ids)} from {counted(total, 'item')}" for i in where
    ]
    wanted = np.asarray(given, dtype=np.int64)[where] + votes
    # Earlier in the draw is earlier in the queue: an e-process reads looks in draw order.
    return needs_frame(ids[where], purpose, wanted, reasons, 1.0 - where / max(len(ids), 1))


def adjudication_needs(
    item_ids: npt.ArrayLike,
    votes: npt.ArrayLike,
    pending: npt.ArrayLike,
    purpose: str,
    needed: npt.ArrayLike,
) -> pd.DataFrame:
    """Ask others wherever a blind vote and the value under test disagree, until it is settled.

    As many at once as no vote can make needless: the fewest votes, in the fewest rounds.

    Parameters
    ----------
    item_ids : (N,) item ids
    votes : (N,) int array
        Votes given for this purpose, those of excluded annotators too.
    pending : (N,) bool array
        True where the votes do not settle it yet.
    purpose : {"calibrate", "audit"}
    needed : (N,) int array
        The fewest more votes that can settle it (`Adjudication.needed`).

    Examples
    --------
    >>> asked = adjudication_needs(["a", "b"], [1, 1], [True, False], "audit", needed=[2, 0])
    >>> asked["wanted"].tolist()
    [3]
    """
    where = np.asarray(pending, dtype=bool)
    counts = np.asarray(votes, dtype=np.int64)[where]
    ids = np.asarray(item_ids, dtype=object)[where]
    wanted = counts + np.asarray(needed, dtype=np.int64)[where]
    reason = "a blind vote disagreed; others decide"
    return needs_frame(ids, purpose, wanted, reason, 0.999, settles=True)


def label_needs(
    item_ids: npt.ArrayLike,
    votes: npt.ArrayLike,
    worth: Worth,
    *,
    pairs: bool = False,
    again: npt.ArrayLike = 0.0,
) -> pd.DataFrame:
    """Ask for a label where there is none: whom and how many, by what their votes are worth.

    Parameters
    ----------
    item_ids : (N,) item ids without a decided label
    votes : (N,) int array
        Votes given for the purpose `label`, those of excluded annotators too.
    worth : Worth
        Of a vote on each of them.
    pairs : bool
        Whether people are asked until an odd number of them have voted.
    again : (N,) float array
        More than 0 where people had labeled the item, and their class was split since: these come
        before all that was never labeled, the largest first.

    Examples
    --------
    >>> from labelops.route.value import Voters, vote_worth
    >>> worth = vote_worth([[0.5, 0.5], [0.96, 0.04]], [Voters("crowd", 0.9)], [[5], [5]])
    >>> label_needs(["a", "b"], [1, 1], worth)[["wanted", "by"]].values.tolist()
    [[2, 'crowd'], [3, 'crowd']]
    """
    asked = worth.votes > 0
    ids, by = np.asarray(item_ids, dtype=object)[asked], worth.action[asked]
    counts = np.asarray(votes, dtype=np.int64)[asked]
    prevents, more = worth.prevents[asked], worth.votes[asked]
    more = more + (pairs & (by == CROWD) & ((counts + more) % 2 == 0))
    first = np.broadcast_to(np.asarray(again, dtype=np.float64), asked.shape)[asked]
    reasons = [
        f"{_lack(n, split=f > 0)}; "
        f"{counted(m, 'more vote prevents', 'more votes prevent')} {p:.2f} wrong labels"
        for n, m, p, f in zip(counts, more, prevents, first, strict=True)
    ]
    found = needs_frame(
        ids, "label", counts + more, reasons, worth.per_cost[asked], settles=counts > 0
    )
    return found.assign(by=by, priority=found["priority"] + first)


def _lack(votes: int, *, split: bool) -> str:
    """Say why an item has no label."""
    if votes:
        return "not enough evidence yet"
    return "its class was split" if split else "no label yet"


def _next_odd(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the next number of votes that can have a majority: 0 → 1, 1 and 2 → 3, 3 → 5."""
    return counts + 1 + counts % 2


def seed_overlap(share: float, seed: int) -> int:
    """Count the items of the random seed that two people look at, where no sample is drawn.

    Never below thirty unless that is switched off: agreement on fewer has too wide an interval to
    pass any gate.

    Examples
    --------
    >>> [seed_overlap(share, seed) for share, seed in ((0.2, 150), (0.2, 400), (0.2, 4), (0, 150))]
    [30, 80, 30, 0]
    """
    return max(math.ceil(share * seed), _LEAST_OVERLAP) if share else 0


def overlap_needs(
    sample: RandomSample, given: npt.ArrayLike, lacking: npt.ArrayLike, purpose: str
) -> pd.DataFrame:
    """Ask two people about items drawn at random, blind, to measure how far people agree.

    Parameters
    ----------
    sample : RandomSample
        Of n items.
    given : (n,) int array
        Votes given for this purpose, those that do not count too.
    lacking : (n,) int array
        Votes that are to be asked for now beside those.
    purpose : {"calibrate", "label"}

    Examples
    --------
    >>> from labelops.measure.samples import draw_sample
    >>> sample = draw_sample(b"k", "overlap", ["a"])
    >>> overlap_needs(sample, [1], [1], "calibrate")[["purpose", "wanted"]].values.tolist()
    [['calibrate', 2]]
    """
    more = np.asarray(lacking, dtype=np.int64)
    wanted = (np.asarray(given, dtype=np.int64) + more)[more > 0]
    ids = expect_sample(sample, RandomSample).ids[more > 0]
    reason = "random overlap, to measure agreement"
    return needs_frame(ids, purpose, wanted, reason, 0.5, blind=True)


def review_needs(
    item_ids: npt.ArrayLike, scores: npt.ArrayLike, votes: npt.ArrayLike
) -> pd.DataFrame:
    """Send suspected labels back to people, blind, the worst score first.

    Parameters
    ----------
    item_ids : (N,) item ids
    scores : (N,) float array in [0, 1]
        Low = bad.
    votes : (N,) int array
        Votes given for the purpose `review`.

    Examples
    --------
    >>> review_needs(["a", "b"], [0.02, 0.03], [0, 1])[["purpose", "wanted"]].values.tolist()
    [['review', 1], ['review', 3]]
    """
    score = np.asarray(scores, dtype=np.float64)
    wanted = _next_odd(np.asarray(votes, dtype=np.int64))
    return needs_frame(item_ids, "review", wanted, "suspected label error", 1.0 - score)


def gold_needs(sample: RandomSample, given: npt.ArrayLike, lacking: npt.ArrayLike) -> pd.DataFrame:
    """Ask everybody about items whose answer is known, to measure the people.

    Parameters
    ----------
    sample : RandomSample
        Of n items whose answer is known.
    given : (n,) int array
        Answers each has, by whomever.
    lacking : (n,) int array
        People who have not seen it yet.

    Examples
    --------
    >>> from labelops.measure.samples import draw_sample
    >>> gold_needs(draw_sample(b"k", "gold", ["g1"]), [2], [5])["wanted"].tolist()
    [7]
    """
    ids = expect_sample(sample, RandomSample).ids
    wanted = np.asarray(given, dtype=np.int64) + np.asarray(lacking, dtype=np.int64)
    return needs_frame(ids, "gold", wanted, "the answer is known: measures annotators", 0.5)
