"""Annotators who copy each other: they agree nearly always, where nothing explains it.

How often two people who answer each for themselves agree follows from how often either agrees with
third people. Who copies agrees far more often, right or wrong; see `labelops.consolidate.copies`.
The same groups are counted once where votes become labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from labelops.consolidate import find_copies
from labelops.errors import UsageError
from labelops.measure.codes import IntArray, check_codes, code_count
from labelops.measure.given import check_whole
from labelops.measure.votes import pack_votes

__all__ = ["Collusion", "find_collusion"]

_LEAST = 8


@dataclass(frozen=True, slots=True)
class Collusion:
    """Pairs of annotators, and groups of those who copy.

    Attributes
    ----------
    pairs : frame
        One row a tested pair, the surest first: first, second (annotator codes); items (both
        answered); agreeing; expected (of them, by what third people say of each); p_value (of
        so many agreeing without copying, corrected for all pairs); flagged (both are in one group).
    groups : tuple of tuple of int
        Annotators who answer as one, each group sorted.
    """

    pairs: pd.DataFrame
    groups: tuple[tuple[int, ...], ...]

    @property
    def annotators(self) -> tuple[int, ...]:
        """All members of all groups, sorted."""
        return tuple(sorted(who for group in self.groups for who in group))


def find_collusion(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_classes: int | None = None,
    *,
    least: int = _LEAST,
    risk: float = 0.01,
) -> Collusion:
    """Find annotators who agree nearly always, and far more than their skill lets expect.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        One vote an item and annotator; code -1 (missing) is no vote.
    n_classes : int, optional
        K; the largest code plus one when left out, at least 2.
    least : int
        Fewest items that both answered.
    risk : float in (0, 1)
        Chance of any accusation where everybody answers for themselves (Bonferroni).

    Raises
    ------
    UsageError
        Lengths differ, somebody votes twice on an item, or a number is out of range.

    Notes
    -----
    Time grows with the pairs of votes on each item, and so linearly in items; of more than a
    million pairs so many are looked at. Two classes are enough, but two others are needed beside a
    pair. A few people who hardly ever err are not told from copiers where items mislead most of
    the others, and where copiers outvote the others nobody may be found: look before you accuse.

    Examples
    --------
    Annotator 1 copies annotator 0, who clicks at random; five others are mostly right.

    >>> rng = np.random.default_rng(0)
    >>> items, who = np.repeat(np.arange(60), 7), np.tile(np.arange(7), 60)
    >>> truth, clicks = rng.integers(4, size=60), rng.integers(4, size=60)
    >>> said = np.where(rng.random(420) < 0.8, truth[items], rng.integers(4, size=420))
    >>> found = find_collusion(items, who, np.where(who < 2, clicks[items], said), 4)
    >>> found.groups
    ((0, 1),)
    """
    check_whole("least", least)
    K = max(code_count(codes), 2) if n_classes is None else n_classes
    place, who, code = _checked(items, annotators, codes, K)
    votes = pack_votes(place, who, code, n_classes=K)
    found = find_copies(votes, risk=risk, least=least)
    group = np.arange(votes.n_annotators)
    for members in found.groups:
        group[list(members)] = members[0]
    pairs = pd.DataFrame(
        {
            "first": found.first, "second": found.second, "items": found.items,
            "agreeing": found.agreeing, "expected": found.expected, "p_value": found.p_value,
            "flagged": group[found.first] == group[found.second],
        }
    )  # fmt: skip
    pairs = pairs.sort_values(
        ["p_value", "flagged", "first", "second"], ascending=[True, False, True, True],
        ignore_index=True,
    )  # fmt: skip
    return Collusion(pairs, found.groups)


def _checked(
    items: ArrayLike, annotators: ArrayLike, codes: ArrayLike, n_classes: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Return checked votes with a class, sorted by item, items and annotators from 0."""
    check_whole("n_classes", n_classes, least=2)
    place, who = (
        check_codes(ids, code_count(ids, name=what), missing=False, name=what)
        for ids, what in ((items, "votes' items"), (annotators, "votes' annotators"))
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
