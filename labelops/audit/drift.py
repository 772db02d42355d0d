"""Has the stream of items changed? One alarm over all runs, however often one looks.

Each item's place among the items before it is uniform as long as the stream goes on as it
was, whatever it is made of. A bet that places fall too often on one side of a break neither
wins nor loses on average then; when shares or scores move, some bet wins steadily. Bets on
several breaks, strengths and statistics are averaged, and a little money is kept back to begin
anew at each run, since nobody knows when a change will come. What all of them own together is
at least 1/risk with probability at most risk in an unchanged stream, over all runs together:
looking every day costs nothing.

Use it on a random stream only: actively chosen items are meant to differ.

References
----------
Vovk, Gammerman, Shafer 2022, https://doi.org/10.1007/978-3-031-06649-8 (conformal martingales)
Vovk 2021, https://doi.org/10.1214/20-STS817 (testing for a change)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray, IntArray, check_codes
from labelops.measure.intervals import check_share

__all__ = ["Drift", "class_indicators", "find_drift", "places_among_earlier"]

_BLOCK = 512
_SOON = 100
_LEAST = 20
_BREAKS = (0.1, 0.25, 0.5, 0.75, 0.9)
_ODDS = (0.5, 0.7, 1.4, 2.0)
"""Bets: the odds of falling below the break, against what they were."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The evidence of a change after each run.

    Attributes
    ----------
    e_values : (R,) float
        What a fortune of 1 became by the end of each run, all statistics together.
    by_statistic : mapping of str to (R,) float
        The same for each statistic by itself.
    alarm : int or None
        The first run (from 0) whose e-value reached 1/risk; None when there is none.
    suspect : str
        The statistic that owned most at the alarm; empty without one.
    risk : float
        Probability of ever giving an alarm in an unchanged stream, at most.
    """

    e_values: FloatArray
    by_statistic: Mapping[str, FloatArray]
    alarm: int | None
    suspect: str
    risk: float

    @property
    def drifting(self) -> bool:
        """Whether there was an alarm."""
        return self.alarm is not None


def class_indicators(codes: ArrayLike, classes: tuple[str, ...]) -> dict[str, FloatArray]:
    """Return one statistic a class for `find_drift`: 1 where an item has it; NaN where unknown.

    Examples
    --------
    >>> class_indicators([0, -1, 1], ("a", "b"))["share of b"].tolist()
    [0.0, nan, 1.0]
    """
    checked = check_codes(codes, len(classes))
    return {
        f"share of {name}": np.where(checked < 0, np.nan, checked == code)
        for code, name in enumerate(classes)
    }


def find_drift(
    statistics: Mapping[str, ArrayLike],
    runs: ArrayLike,
    *,
    rng: np.random.Generator,
    risk: float = 0.05,
) -> Drift:
    """Bet against "the stream is as it was", run after run.

    Parameters
    ----------
    statistics : mapping of str to (N,) array-like of float
        Numbers of each item of the random stream in order of arrival, such as the labeler's
        confidence, a length, or `class_indicators`; NaN where there is none.
    runs : (N,) array-like of int
        Which run brought each item: 0, 1, … never falling. Run 0 is the reference: nobody bets
        there.
    rng : numpy.random.Generator
        Breaks ties. Seed it alike at each run, so that early items keep their places.
    risk : float in (0, 1)

    Raises
    ------
    UsageError
        Lengths differ, runs fall, or there is no statistic.

    Notes
    -----
    A statistic joins when 20 items of the reference have it. Time: N log N.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> runs = np.repeat(np.arange(11), 200)
    >>> spam = rng.random(2200) < np.where(runs < 6, 0.1, 0.25)
    >>> found = find_drift({"spam": spam}, runs, rng=rng)
    >>> found.alarm, found.suspect
    (6, 'spam')
    """
    check_share("risk", risk, inside=True)
    when = np.asarray(runs)
    if when.ndim != 1 or (when.size and (when.dtype.kind not in "iu" or when[0] < 0)):
        raise UsageError("runs: expected one whole number of 0 or more an item")
    if (np.diff(when) < 0).any():
        raise UsageError("runs: a later item has an earlier run; sort items by arrival")
    if not statistics:
        raise UsageError("drift: there is no statistic to watch")
    total = int(when[-1]) + 1 if when.size else 0
    owned: dict[str, FloatArray] = {}
    for name, values in statistics.items():
        numbers = np.asarray(values, dtype=np.float64)
        if numbers.shape != when.shape:
            raise UsageError(f"drift: {name} has {numbers.size} values for {when.size} items")
        # A generator for each, so that a statistic more or less leaves the others' places.
        own = rng.spawn(1)[0]
        owned[name] = _fortune(numbers, when.astype(np.int64), total, own)
    together = np.mean(list(owned.values()), axis=0)
    reached = np.flatnonzero(together >= 1 / risk)
    alarm = int(reached[0]) if reached.size else None
    suspect = "" if alarm is None else max(owned, key=lambda name: owned[name][alarm])
    return Drift(together, owned, alarm, suspect, risk)


def places_among_earlier(values: ArrayLike, uniforms: ArrayLike) -> FloatArray:
    """Place each value among itself and all before it: near 1 is largest, ties at random.

    For exchangeable values the places are independent and uniform on (0, 1).

    Parameters
    ----------
    values, uniforms : (N,) array-like of float

    Examples
    --------
    >>> places_among_earlier([3.0, 5.0, 4.0, 4.0], [0.5] * 4).round(3).tolist()
    [0.5, 0.75, 0.5, 0.5]
    """
    numbers, draws = (np.asarray(a, dtype=np.float64) for a in (values, uniforms))
    below, equal = np.zeros(numbers.size), np.zeros(numbers.size)
    before = np.zeros(0)
    for first in range(0, numbers.size, _BLOCK):
        block = numbers[first : first + _BLOCK]
        left, right = (np.searchsorted(before, block, side=side) for side in ("left", "right"))
        earlier = np.tri(block.size, k=-1, dtype=np.bool_)
        smaller = ((block[None, :] < block[:, None]) & earlier).sum(axis=1)
        same = ((block[None, :] == block[:, None]) & earlier).sum(axis=1)
        below[first : first + _BLOCK] = left + smaller
        equal[first : first + _BLOCK] = right - left + same
        before = np.sort(np.concatenate([before, block]), kind="stable")
    found: FloatArray = (below + draws * (equal + 1)) / np.arange(1, numbers.size + 1)
    return found


def _fortune(
    values: FloatArray, runs: IntArray, total: int, rng: np.random.Generator
) -> FloatArray:
    """Bet on one statistic; return what became of 1 by the end of each run."""
    there = ~np.isnan(values)
    places = places_among_earlier(values[there], rng.random(values.size)[there])
    values, when = values[there], runs[there]
    if (when == 0).sum() < _LEAST or total < 2:
        return np.ones(total)
    two = bool(np.isin(values[when == 0], (0.0, 1.0)).all())
    odds = np.tile(_ODDS, 1 if two else len(_BREAKS))
    # Money in play by bet, in logarithms; what is kept back enters at the runs to come.
    playing = np.full(odds.size, -np.inf)
    kept, fortune = 1.0, np.ones(total)
    for run in range(1, total):
        first, last = np.searchsorted(when, [run, run + 1])
        # Of yes or no, the one break is the share of "no" so far; both are assumed possible.
        no = (np.sum(values[:first] == 0) + 0.5) / (first + 1)
        breaks = np.full(odds.size, no) if two else np.repeat(_BREAKS, len(_ODDS))
        share = odds * breaks / (1 - breaks + odds * breaks)
        entering = _entering(run)
        kept -= entering
        playing = np.logaddexp(playing, math.log(entering / odds.size))
        below = (places[first:last, None] < breaks).sum(axis=0)
        playing = playing + below * np.log(share / breaks)
        playing += (last - first - below) * np.log((1 - share) / (1 - breaks))
        # Beyond any alarm: a fortune that stays a number.
        playing = np.minimum(playing, 600.0)
        fortune[run] = kept + np.exp(playing).sum()
    return fortune


def _entering(run: int) -> float:
    """Share of the money that begins to play at a run: these sum to less than 1 over all runs.

    Half of it is for the first hundred runs alike, where most changes are looked for, and half
    for all of them, falling so slowly that a change after years is found as well.
    """
    soon = 0.5 / _SOON if run <= _SOON else 0.0
    return soon + 0.235 / ((run + 1) * math.log(run + 1) ** 2)
