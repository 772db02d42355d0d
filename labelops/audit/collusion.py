"""Annotators who copy each other: they agree where both differ from everybody else.

Two people who answer on their own are right together often and wrong together seldom, and when
both are wrong they need not choose the same wrong class. Copiers do. So a pair is judged only
on items where both differ from the majority of the others, and there by how often they agree.

Where there are two classes, both who differ from the majority agree by necessity: nothing can
be tested, and nobody is accused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import coo_matrix
from scipy.special import bdtrc

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, code_count
from labelops.measure.intervals import check_share

__all__ = ["Collusion", "find_collusion"]

_LEAST = 8
_CHANCE = 0.6
_PAIRS = 10
_BLOCK = 200_000


@dataclass(frozen=True, slots=True)
class Collusion:
    """Pairs of annotators, and groups of those who copy.

    Attributes
    ----------
    pairs : frame
        One row a tested pair, the surest first: first, second (annotator codes); items (where
        both differ from the majority of the others); agreeing; p_value (of so many agreeing by
        chance); flagged.
    groups : tuple of tuple of int
        Annotators tied together by flagged pairs, each group sorted.
    chance : float
        How often two who are both wrong agree by chance, as it was assumed.
    """

    pairs: pd.DataFrame
    groups: tuple[tuple[int, ...], ...]
    chance: float

    @property
    def annotators(self) -> tuple[int, ...]:
        """All members of all groups, sorted."""
        return tuple(sorted(who for group in self.groups for who in group))


def find_collusion(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_classes: int,
    *,
    least: int = _LEAST,
    chance: float = _CHANCE,
    risk: float = 0.01,
) -> Collusion:
    """Find pairs of annotators who are wrong together in the same way too often.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        One vote an item and annotator; code -1 (missing) is no vote.
    n_classes : int
        K.
    least : int
        Fewest items on which both differ from the others.
    chance : float in (0, 1)
        Least chance of agreeing when both are wrong. Where the crowd as a whole agrees more
        often on wrong answers, as on look-alike classes, the crowd's own rate is taken.
    risk : float in (0, 1)
        Expected share of false accusations among the flagged pairs (Benjamini–Hochberg).

    Raises
    ------
    UsageError
        Lengths differ, somebody votes twice on an item, or a number is out of range.

    Notes
    -----
    Time grows with the pairs of votes on each item, and so linearly in items. Honest people
    misled by the same item are not told from copiers, and where copiers outvote the others it is
    the others who seem to collude: look before you accuse.

    References
    ----------
    Benjamini, Hochberg 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x

    Examples
    --------
    Annotator 1 copies annotator 0, who clicks at random; five others are right.

    >>> rng = np.random.default_rng(0)
    >>> items, who = np.repeat(np.arange(60), 7), np.tile(np.arange(7), 60)
    >>> truth, clicks = rng.integers(4, size=60), rng.integers(4, size=60)
    >>> found = find_collusion(items, who, np.where(who < 2, clicks[items], truth[items]), 4)
    >>> found.groups
    ((0, 1),)
    """
    from scipy.stats import false_discovery_control  # lazy: .4 s

    check_share("chance", chance, inside=True)
    check_share("risk", risk, inside=True)
    place, who, code = _checked(items, annotators, codes, n_classes)
    counts = _pair_counts(place, who, code) if n_classes > 2 else _no_pairs()
    # The middle pair's rate: a few copiers cannot raise it, look-alike classes do. It takes
    # some pairs to have a middle that is not one of the copiers'.
    if len(counts) >= _PAIRS:
        rates = counts["agreeing"] / counts["items"]
        # Pairs weigh alike once they have enough items: two who click at random meet far more
        # often outside the majority than all others together.
        weights = np.minimum(counts["items"].to_numpy(), least)
        middle = _weighted_median(rates.to_numpy(), weights)
        chance = min(max(chance, middle), 0.95)
    tested = counts.loc[counts["items"] >= least].reset_index(drop=True)
    p_value = bdtrc(tested["agreeing"] - 1.0, tested["items"].astype(np.int64), chance)
    p_value = np.where(tested["agreeing"] > 0, p_value, 1.0)
    flagged = false_discovery_control(p_value) <= risk if len(tested) else p_value > 1
    pairs = tested.assign(p_value=p_value, flagged=flagged)
    pairs = pairs.sort_values(["p_value", "first", "second"], ignore_index=True)
    return Collusion(pairs, _groups(pairs.loc[pairs["flagged"]]), float(chance))


def _checked(
    items: ArrayLike, annotators: ArrayLike, codes: ArrayLike, n_classes: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Return checked votes with a class, sorted by item, items and annotators from 0."""
    if n_classes < 2:
        raise UsageError(f"{n_classes} classes; expected two or more")
    place, who = (
        check_codes(ids, code_count(ids), missing=False, name=f"votes' {what}")
        for ids, what in ((items, "items"), (annotators, "annotators"))
    )
    code = check_codes(codes if np.size(codes) else np.zeros(0, np.int64), n_classes)
    if not place.shape == who.shape == code.shape:
        raise UsageError("votes: items, annotators and codes differ in length")
    there = code >= 0
    order = np.lexsort((who[there], place[there]))
    place, who, code = (a[there][order] for a in (place, who, code))
    twice = np.flatnonzero((np.diff(place) == 0) & (np.diff(who) == 0))
    if twice.size:
        at = int(twice[0])
        raise UsageError(f"votes: annotator {who[at]} votes twice on item {place[at]}; keep one")
    return place, who, code


def _pair_counts(place: IntArray, who: IntArray, code: IntArray) -> pd.DataFrame:
    """Count, for each pair, items where both differ from the others, and where they agree."""
    starts = np.flatnonzero(np.r_[True, np.diff(place) > 0]) if place.size else place
    sizes = np.diff(np.r_[starts, place.size])
    found = [_no_pairs()]
    # Fewer than three votes leave nobody to differ from. Items of one size pair up alike.
    for size in np.unique(sizes[sizes >= 3]):
        first, second = np.triu_indices(int(size), 1)
        step = max(1, _BLOCK // len(first))
        same = starts[sizes == size]
        for at in range(0, len(same), step):
            rows = same[at : at + step, None] + np.arange(size)
            both = _both_differ(code[rows], first, second)
            item, pair = np.nonzero(both)
            a, b = rows[item, first[pair]], rows[item, second[pair]]
            frame = pd.DataFrame(
                {"first": who[a], "second": who[b], "agreeing": code[a] == code[b]}
            )
            found.append(_added_up(frame.assign(items=1)))
    return _added_up(pd.concat(found, ignore_index=True))


def _both_differ(
    codes: IntArray, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]
) -> BoolArray:
    """(items, pairs): whether both differ from the one class that most of the others chose."""
    # A class is called by the first vote for it: an item has few, however many there are.
    codes = (codes[:, :, None] == codes[:, None, :]).argmax(axis=2)
    counts = (codes[:, :, None] == np.arange(codes.shape[1])).sum(axis=1)
    differ = np.zeros((len(codes), len(first)), dtype=np.bool_)
    for pair, (a, b) in enumerate(zip(first, second, strict=True)):
        others = counts.copy()
        np.subtract.at(others, (np.arange(len(codes)), codes[:, a]), 1)
        np.subtract.at(others, (np.arange(len(codes)), codes[:, b]), 1)
        top = others.max(axis=1)
        alone = (others == top[:, None]).sum(axis=1) == 1
        majority = others.argmax(axis=1)
        differ[:, pair] = alone & (codes[:, a] != majority) & (codes[:, b] != majority)
    return differ


def _no_pairs() -> pd.DataFrame:
    return pd.DataFrame(
        {n: np.zeros(0, np.int64) for n in ("first", "second", "items", "agreeing")}
    )


def _added_up(rows: pd.DataFrame) -> pd.DataFrame:
    summed = rows.groupby(["first", "second"], as_index=False)[["items", "agreeing"]].sum()
    return summed.astype(np.int64)


def _weighted_median(values: FloatArray, weights: IntArray) -> float:
    order = np.argsort(values, kind="stable")
    half = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    return float(values[order][half])


def _groups(pairs: pd.DataFrame) -> tuple[tuple[int, ...], ...]:
    """Join annotators along flagged pairs."""
    from scipy.sparse.csgraph import connected_components  # lazy: .1 s

    if pairs.empty:
        return ()
    names, ends = np.unique(pairs[["first", "second"]].to_numpy(), return_inverse=True)
    ends = ends.reshape(-1, 2)
    links = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(names),) * 2)
    _, member = connected_components(links, directed=False)
    groups = [tuple(int(n) for n in names[member == g]) for g in range(member.max() + 1)]
    return tuple(sorted(groups))
