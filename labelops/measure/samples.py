"""Which items: drawn at random, chosen, or learned from. Types that never mix.

Every guarantee rests on items that nobody chose. So a `RandomSample` comes from permanent random
numbers and from nothing else, a `WeightedSample` from those and chances fixed beforehand, an
`ActiveSelection` holds what somebody or something chose, and a `TrainingSet` what a labeler learns
from. Each is made by one function; the latter two refuse items of the random samples they are to
stay apart from. What computes a calibration or an agreement takes a `RandomSample` only, what
certifies an audit or asks for it that or a `WeightedSample`; what trains takes a `TrainingSet`
only. A mix-up does not type-check, and is a `UsageError` where nobody checks types.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import InitVar, dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..digest import uniforms
from ..errors import UsageError
from ._sealed import SEAL, check_seal, fixed
from .weighted import weighted_order

__all__ = [
    "RandomSample",
    "WeightedSample",
    "draw_growing",
    "draw_sample",
    "draw_weighted",
    "expect_drawn",
    "expect_sample",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class RandomSample:
    """Items drawn at random; made by `draw_sample`.

    Parameters
    ----------
    ids : (n,) item ids in draw order
    total : int
        How many items it was drawn from.
    stream : str
        The stream of random numbers it was drawn by.
    """

    ids: npt.NDArray[np.object_]
    total: int
    stream: str
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        check_seal(seal, "RandomSample", "draw_sample")
        fixed(self.ids, self, "ids")

    def __len__(self) -> int:
        """Count the items."""
        return len(self.ids)

    def first(self, size: int) -> RandomSample:
        """Return the sample that is drawn if only `size` items are wanted."""
        return RandomSample(self.ids[: max(size, 0)], self.total, self.stream, SEAL)

    def part(self, inside: npt.ArrayLike) -> RandomSample:
        """Return the sample of a part of the items, which no look had a say in: (n,) bool."""
        kept = self.ids[np.asarray(inside, dtype=bool)]
        return RandomSample(kept, self.total, self.stream, SEAL)


@dataclass(frozen=True, slots=True, eq=False)
class WeightedSample:
    """Items drawn at random with unequal, known chances; made by `draw_weighted`.

    Only what weighs each look by its chance may conclude anything from it.

    Parameters
    ----------
    ids : (n,) item ids in draw order
    chances : (total,) float array
        Of all items that it was drawn from to be drawn first, in the draw order of all.
    total : int
        How many items it was drawn from.
    stream : str
        The stream of random numbers it was drawn by.
    """

    ids: npt.NDArray[np.object_]
    chances: npt.NDArray[np.float64]
    total: int
    stream: str
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        check_seal(seal, "WeightedSample", "draw_weighted")
        fixed(self.ids, self, "ids")
        fixed(self.chances, self, "chances")

    def __len__(self) -> int:
        """Count the items."""
        return len(self.ids)

    def first(self, size: int) -> WeightedSample:
        """Return the sample that is drawn if only `size` items are wanted."""
        return WeightedSample(self.ids[: max(size, 0)], self.chances, self.total, self.stream, SEAL)


def draw_sample(
    key: bytes, stream: str, item_ids: npt.ArrayLike, size: int | None = None
) -> RandomSample:
    """Draw items by the permanent random numbers that a secret key gives them in a stream.

    Of a grown set the sample holds the earlier sample's items as far as they are still among
    the first: no look is wasted when items arrive.

    Parameters
    ----------
    key : bytes
    stream : str
        What the sample is for, e.g. ``"audit/1"``.
    item_ids : (N,) item ids
        What is drawn from, in any order.
    size : int, optional
        At most so many; all of them, in random order, without it.

    Examples
    --------
    >>> draw_sample(b"k", "audit/1", ["a", "b", "c"], 2).ids.tolist()
    ['a', 'c']
    """
    ids = np.asarray(item_ids, dtype=object)
    draws = uniforms(key, stream, (str(i) for i in ids))
    order = _in_order(draws, ids)
    chosen = ids[order[: None if size is None else max(size, 0)]]
    return RandomSample(chosen, len(ids), stream, SEAL)


def _in_order(
    draws: npt.NDArray[np.float64], ids: npt.NDArray[np.object_]
) -> npt.NDArray[np.int64]:
    """Order by draw, and by id where two draws are equal, which next to none are."""
    order: npt.NDArray[np.int64] = np.argsort(draws, kind="stable")
    if (np.diff(draws[order]) == 0).any():
        order = np.lexsort((ids.astype(str), draws))
    return order


def draw_growing(
    key: bytes,
    stream: str,
    item_ids: npt.ArrayLike,
    arrived: npt.ArrayLike,
    size: Callable[[int], int],
    *,
    anew: object = None,
    read: npt.ArrayLike = (),
) -> RandomSample:
    """Draw anew whenever items arrive, and keep all that was ever drawn, in the order it was.

    What was drawn stays where it is, whatever arrives: an e-process reads on from its last look.
    Who is drawn depends on random numbers and arrival alone, never on what a look showed.
    Another `size` would have drawn others before: with what was `read` told, it only adds to that.

    Parameters
    ----------
    key, stream, item_ids
        As for `draw_sample`.
    arrived : (N,) array-like that sorts
        When each item arrived; those of equal time arrived together.
    size : callable
        How many of so many items there are; never falling.
    anew : optional
        Those who arrived later than this are drawn as a set of their own as well.
    read : (m,) item ids
        The sample as it was when it was read last: it comes first, as it was.

    Examples
    --------
    >>> draw_sample(b"k", "audit/1", ["a", "b", "c"], 1).ids.tolist()
    ['a']
    >>> draw_growing(b"k", "audit/1", ["a", "b", "c"], [2, 1, 1], lambda n: 1).ids.tolist()
    ['c', 'a']
    >>> more = draw_growing(
    ...     b"k", "audit/1", ["a", "b", "c"], [2, 1, 1], lambda n: 2, read=["c", "a"]
    ... )
    >>> more.ids.tolist()
    ['c', 'a', 'b']
    """
    ids, when = np.asarray(item_ids, dtype=object), np.asarray(arrived)
    draws = uniforms(key, stream, (str(i) for i in ids))
    order = _in_order(draws, ids)
    ranks = np.arange(len(ids))
    drawn = _ever_drawn(ranks, when[order], size)
    if anew is not None:
        late = ranks[when[order] > anew]
        drawn = np.concatenate([drawn, _ever_drawn(late, when[order][late], size)])
    before = np.asarray(read, dtype=object)
    chosen = pd.unique(np.concatenate([before, ids[order[drawn]]]))
    return RandomSample(chosen, len(ids), stream, SEAL)


def _ever_drawn(
    ranks: npt.NDArray[np.int64], when: npt.NDArray[Any], size: Callable[[int], int]
) -> npt.NDArray[np.int64]:
    """Return the ranks that were ever among the first, batch by batch as they came.

    Parameters
    ----------
    ranks : (N,) int array
        Places in the draw, rising.
    when : (N,) array
        When each arrived.
    size : callable
        How many of so many are drawn.
    """
    _, batch = np.unique(when, return_inverse=True)
    # Within a batch ranks rise.
    places = np.split(np.argsort(batch, kind="stable"), np.cumsum(np.bincount(batch))[:-1])
    kept: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    total, wanted, largest = 0, 0, max(size(len(ranks)), 0)
    drawn: dict[int, None] = {}
    for came in places:
        total += len(came)
        before, wanted = wanted, max(size(total), 0)
        # Most arrivals in a large set: all they bring is beyond what can ever be drawn.
        beyond = len(kept) == largest and (not largest or ranks[came[0]] > kept[-1])
        if beyond and wanted == before:
            continue
        # No sample is larger than the last one: beyond it nothing can ever be drawn.
        kept = np.sort(np.concatenate([kept, ranks[came]]))[:largest]
        drawn.update(dict.fromkeys(kept[:wanted].tolist()))
    return np.fromiter(drawn, np.int64, len(drawn))


def draw_weighted(
    key: bytes, stream: str, item_ids: npt.ArrayLike, chances: npt.ArrayLike
) -> WeightedSample:
    """Draw all items one by one, each time by their chances among those left.

    Parameters
    ----------
    key : bytes
    stream : str
        What the sample is for. The chances must not depend on its random numbers: fix them first.
    item_ids : (N,) item ids
        In any order.
    chances : (N,) float array
        Above 0, as from `labelops.measure.weighted.audit_chances`.

    Examples
    --------
    >>> sample = draw_weighted(b"k", "audit/weighted/1", ["a", "b", "c"], [0.2, 0.2, 0.6])
    >>> sample.ids.tolist(), sample.chances.tolist()
    (['a', 'b', 'c'], [0.2, 0.2, 0.6])
    """
    ids, odds = np.asarray(item_ids, dtype=object), np.asarray(chances, dtype=np.float64)
    by_id = np.argsort(ids.astype(str), kind="stable")
    ids, odds = ids[by_id], odds[by_id]
    draws = np.maximum(uniforms(key, stream, (str(i) for i in ids)), 1e-18)
    order = weighted_order(draws, odds)
    return WeightedSample(ids[order], odds[order], len(ids), stream, SEAL)


def expect_drawn(found: object) -> RandomSample | WeightedSample:
    """Return `found` if it was drawn at random, with equal chances or not.

    Raises
    ------
    UsageError
        If it is anything else.
    """
    return found if isinstance(found, WeightedSample) else expect_sample(found, RandomSample)


def expect_sample(found: object, kind: type[T]) -> T:
    """Return `found` if it is of the wanted kind: the check for callers that nobody type-checks.

    Raises
    ------
    UsageError
        If it is anything else.

    Examples
    --------
    >>> expect_sample(["a"], RandomSample)
    Traceback (most recent call last):
    labelops.errors.UsageError: expected a RandomSample (see labelops.measure.samples), found a list
    """
    if not isinstance(found, kind):
        raise UsageError(
            f"expected a {kind.__name__} (see labelops.measure.samples), "
            f"found a {type(found).__name__}"
        )
    return found
