"""Has the stream of items changed? One alarm over all runs, however often one looks.

As long as the stream goes on as it was, whatever it is made of, a run's items are a random part
of all items so far. So, given how many of all have a property, the number in the run follows the
hypergeometric law, and its place in that law is uniform. It stays uniform given all that comes
later, so the places of different runs are independent, though every run is compared with all
before it. Bets that places fall too high, or too low, neither win nor lose on average then; when
shares or scores move, some bet wins steadily. Bets of several strengths and on several
statistics are averaged, and a little money is kept back to begin anew at each run, since nobody
knows when a change will come. What all of them own together is at least 1/risk with probability
at most risk in an unchanged stream, over all runs together: looking every day costs nothing.

Use it on a random stream only: actively chosen items are meant to differ. And a stream that goes on
as it was has its items in no particular order: one with weekends that differ has another order
each week, and has to say so (`strata`).

References
----------
Vovk, Gammerman, Shafer 2022, https://doi.org/10.1007/978-3-031-06649-8 (conformal martingales)
Vovk 2021, https://doi.org/10.1214/20-STS817 (testing for a change)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, ndtri

from labelops.audit.inputs import check_numbers, group_codes
from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes
from labelops.measure.draws import check_rng
from labelops.measure.eprocess import log_wanted
from labelops.measure.given import check_each, check_flags, check_list, check_named, check_share

__all__ = ["Drift", "accumulate", "class_indicators", "find_drift", "run_places"]

_SOON = 100
_LEAST = 20
_MOST_RUNS = 1_000_000
_CUTS = (0.1, 0.5, 0.9)
_SHIFTS = np.array([-3.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0])
"""Bets: by how many standard deviations a run's share is off."""


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


def class_indicators(codes: ArrayLike, classes: Sequence[str]) -> dict[str, FloatArray]:
    """Return one statistic a class for `find_drift`: 1 where an item has it; NaN where unknown.

    Examples
    --------
    >>> class_indicators([0, -1, 1], ("a", "b"))["share of b"].tolist()
    [0.0, nan, 1.0]
    """
    check_list("classes", classes)
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
    strata: ArrayLike | None = None,
) -> Drift:
    """Bet against "the stream is as it was", run after run.

    Parameters
    ----------
    statistics : mapping of str to (N,) array-like of float
        Numbers of each item of the random stream in order of arrival, such as the labeler's
        confidence, a length, or `class_indicators`; NaN where there is none.
    runs : (N,) array-like of int
        Which run brought each item: 0, 1, … never falling. The first items are the reference:
        nobody bets until 20 of them are known.
    rng : numpy.random.Generator
        Breaks ties. Seed it alike at each look, so that early runs keep their evidence.
    risk : float in (0, 1)
    strata : (N,) array-like, optional
        What each item is to be compared within, such as its weekday, its hour or its customer:
        then only a change among items of a kind is one, and how many come of each kind is free.
        Nobody bets on a kind until 20 items of it are known.

    Raises
    ------
    UsageError
        Lengths differ, runs fall, or there is no statistic.

    Notes
    -----
    Numbers of more than two values are watched at three cuts: their 10 %, 50 % and 90 % points.

    The promise is for items that might as well have come in any other order, within their stratum.
    A weekly pattern breaks it, and so do days that differ for reasons of their own. Of 200
    simulated streams (52 daily runs of 20 items, a share of 20 %) 1 % gave an alarm where nothing
    moved, 8 % where the share was 40 % on weekends and 94 % where it was 60 %; with weekdays as
    strata about 2 % did. Where the share had a standard deviation of six points from day to day
    18 % did, for which strata are no remedy.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> runs = np.repeat(np.arange(11), 200)
    >>> spam = rng.random(2200) < np.where(runs < 6, 0.1, 0.25)
    >>> found = find_drift({"spam": spam}, runs, rng=rng)
    >>> found.alarm, found.suspect
    (6, 'spam')
    """
    check_rng(rng)
    check_named("statistics", statistics)
    when = np.asarray(runs)
    if when.ndim != 1 or (when.size and (when.dtype.kind not in "iu" or when[0] < 0)):
        raise UsageError("runs: expected one whole number of 0 or more an item")
    if (when[1:] < when[:-1]).any():  # Not by differences: those of unsigned numbers wrap.
        raise UsageError("runs: a later item has an earlier run; sort items by arrival")
    if not statistics:
        raise UsageError("drift: there is no statistic to watch")
    if when.size and when[-1] >= _MOST_RUNS:
        raise UsageError(
            f"runs: the last one is {when[-1]}; number them 0, 1, … in order of arrival"
        )
    numbers = {name: check_numbers(f"drift: {name}", v) for name, v in statistics.items()}
    kinds = None if strata is None else group_codes(strata, when.size, "strata")
    for name, values in numbers.items():
        if values.shape != when.shape:
            raise UsageError(f"drift: {name} has {values.size} values for {when.size} items")
    places = []
    for run in range(int(when[-1]) + 1 if when.size else 0):
        so_far = when <= run
        seen = {name: values[so_far] for name, values in numbers.items()}
        alike = None if kinds is None else kinds[so_far]
        places.append(run_places(seen, when[so_far] == run, rng, strata=alike))
    return accumulate(places, risk=risk, statistics=tuple(statistics))


def run_places(
    statistics: Mapping[str, ArrayLike],
    new: ArrayLike,
    rng: np.random.Generator,
    *,
    strata: ArrayLike | None = None,
) -> dict[str, list[float]]:
    """Place one run's shares among those it might have had, were it a random part of all.

    Parameters
    ----------
    statistics : mapping of str to (N,) array-like of float
        Of all items so far; NaN where there is none.
    new : (N,) array-like of bool
        Which of them the run brought.
    rng : numpy.random.Generator
        Breaks ties: shares are discrete, places are not.
    strata : (N,) array-like, optional
        As for `find_drift`.

    Returns
    -------
    mapping of str to list of float
        One place for yes or no, else one a cut: uniform in (0, 1) for a stream that goes on as
        it was, near 1 where the run has many. 0.5 is no bet: the run brought nothing, or fewer
        than 20 earlier items are known.

    Examples
    --------
    >>> values = np.r_[np.zeros(40), np.ones(10)]
    >>> found = run_places({"spam": values}, values > 0, np.random.default_rng(0))
    >>> bool(found["spam"][0] > 0.99)
    True
    """
    check_rng(rng)
    batch = check_flags("new", new, np.size(new))
    kinds: IntArray = np.zeros(batch.size, dtype=np.int64)
    if strata is not None:
        kinds = group_codes(strata, batch.size, "strata")
    found = {}
    for name, values in check_named("statistics", statistics).items():
        numbers = check_numbers(f"drift: {name}", values)
        if numbers.shape != batch.shape:
            raise UsageError(f"drift: {name} has {numbers.size} values for {batch.size} items")
        known = ~np.isnan(numbers)
        numbers, fresh, kind = numbers[known], batch[known], kinds[known]
        # Drawn whether needed or not, so that what one statistic lacks moves no other's.
        draws = rng.random(len(_CUTS))
        found[name] = [
            _place(yes, fresh, kind, float(draw))
            for yes, draw in zip(_yes_or_no(numbers), draws, strict=False)
        ]
    return found


def _yes_or_no(numbers: FloatArray) -> list[BoolArray]:
    """Turn numbers into questions of yes or no, by nothing but all of them together."""
    if np.isin(numbers, (0.0, 1.0)).all():
        return [numbers == 1]
    cuts = np.quantile(numbers, _CUTS, method="inverted_cdf")
    return [numbers <= cut for cut in cuts]


def _place(yes: BoolArray, new: BoolArray, kinds: IntArray, draw: float) -> float:
    """Return where the run's count lies in its law, ties broken by `draw`."""
    law: FloatArray = np.ones(1)
    least = count = 0
    for kind in np.unique(kinds[new]):
        here = kinds == kind
        total, many, batch = (int(n.sum()) for n in (here, yes & here, new & here))
        if total - batch < _LEAST:
            continue
        # What one stratum holds tells nothing of another: their numbers add up.
        law = np.asarray(np.convolve(law, _law(total, many, batch)), dtype=np.float64)
        least += max(0, batch + many - total)
        count += int((yes & new & here).sum())
    if law.size == 1:
        return 0.5
    below, same, above = _tails(count - least, law)
    # Whichever tail is the shorter one is added to: 1 less the other would round.
    place = below + draw * same if below < above else 1 - (above + (1 - draw) * same)
    return min(max(place, 1e-15), 1 - 1e-15)


def _law(total: int, many: int, batch: int) -> FloatArray:
    """Return the hypergeometric probability of each count there may be, the least one first."""
    k = np.arange(max(0, batch + many - total), min(many, batch) + 1)
    rest = total - many - batch
    log_law = -(
        gammaln(k + 1) + gammaln(many - k + 1) + gammaln(batch - k + 1) + gammaln(rest + k + 1)
    )
    law = np.exp(log_law - log_law.max())
    return np.asarray(law / law.sum(), dtype=np.float64)


def _tails(at: int, law: FloatArray) -> tuple[float, float, float]:
    """Give the probability of fewer than the count at that place of the law, of it, and of more."""
    return float(law[:at].sum()), float(law[at]), float(law[at + 1 :].sum())


def accumulate(
    places: Sequence[Mapping[str, Sequence[float]]],
    *,
    risk: float,
    statistics: Sequence[str],
    families: Mapping[str, str] | None = None,
) -> Drift:
    """Say what bets on the places of all runs own together.

    Parameters
    ----------
    places : sequence of mappings
        Of each run, from `run_places`; a statistic that a run lacks does not bet there.
    risk : float in (0, 1)
    statistics : sequence of str
        Which take part: fixed before the first bet, or the promise is void.
    families : mapping of str to str, optional
        Statistic → family. Families share the money alike, and so do the statistics of each;
        every statistic is a family of its own when left out.

    Examples
    --------
    >>> found = accumulate([{"x": [0.5]}] + 6 * [{"x": [0.999]}], risk=0.05, statistics=["x"])
    >>> found.alarm, [round(float(e), 1) for e in found.e_values[:3]]
    (2, [1.0, 7.0, 576.3])
    """
    check_share("risk", risk, inside=True)
    check_list("statistics", statistics)
    if not statistics:
        raise UsageError("drift: there is no statistic to watch")
    check_each("places", places, dict, "`run_places`")
    if families is not None:
        check_named("families", families)
    owned = {name: _fortune([run.get(name, ()) for run in places]) for name in statistics}
    family = {name: (families or {}).get(name, name) for name in statistics}
    purses: dict[str, list[FloatArray]] = {}
    for name, fortune in owned.items():
        purses.setdefault(family[name], []).append(fortune)
    together = np.mean([np.mean(purse, axis=0) for purse in purses.values()], axis=0)
    reached = np.flatnonzero(np.log(together) >= log_wanted(risk))
    alarm = int(reached[0]) if reached.size else None
    suspect = "" if alarm is None else max(owned, key=lambda name: owned[name][alarm])
    return Drift(together, owned, alarm, suspect, risk)


def _fortune(places: Sequence[Sequence[float]]) -> FloatArray:
    """Bet on the places of one statistic; return what became of 1 by the end of each run."""
    cuts = max((len(run) for run in places), default=0)
    # Money in play by bet, in logarithms; what is kept back enters at the runs to come.
    playing = np.full((max(cuts, 1), _SHIFTS.size), -np.inf)
    kept, fortune = 1.0, np.ones(len(places))
    for run in range(1, len(places)):
        entering = _entering(run)
        kept -= entering
        playing = np.logaddexp(playing, math.log(entering / playing.size))
        scores = np.zeros(len(playing))
        said = ndtri(np.asarray(places[run], dtype=np.float64))
        scores[: said.size] = said
        # A run without a place does not bet; a place of exactly one half stands for that.
        bets = scores[:, None] * _SHIFTS - _SHIFTS**2 / 2
        playing = playing + np.where(scores[:, None] == 0, 0.0, bets)
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
