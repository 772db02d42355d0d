"""Which items were chosen, and which a labeler learns from: never those of a random sample.

See `labelops.measure.samples` for why these are types of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import InitVar, dataclass

import numpy as np
import numpy.typing as npt

from ..errors import UsageError, shown
from ._sealed import SEAL, check_seal, fixed
from .samples import RandomSample, expect_sample

__all__ = ["ActiveSelection", "TrainingSet", "choose_active", "training_set"]


@dataclass(frozen=True, slots=True, eq=False)
class ActiveSelection:
    """Items chosen for what is known of them; made by `choose_active`.

    Parameters
    ----------
    ids : (n,) item ids, the most valuable first
    """

    ids: npt.NDArray[np.object_]
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        check_seal(seal, "ActiveSelection", "choose_active")
        fixed(self.ids, self, "ids")

    def __len__(self) -> int:
        """Count the items."""
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Items a labeler learns from; made by `training_set`.

    Parameters
    ----------
    ids : (n,) item ids
    codes : (n,) int array
        Their classes.
    """

    ids: npt.NDArray[np.object_]
    codes: npt.NDArray[np.int64]
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        check_seal(seal, "TrainingSet", "training_set")
        fixed(self.ids, self, "ids")
        fixed(self.codes, self, "codes")

    def __len__(self) -> int:
        """Count the items."""
        return len(self.ids)


def choose_active(
    item_ids: npt.ArrayLike,
    value: npt.ArrayLike,
    size: int,
    *,
    apart_from: Iterable[RandomSample],
) -> ActiveSelection:
    """Choose the `size` items of the largest value, by id where it is equal.

    Parameters
    ----------
    item_ids : (N,) item ids
    value : (N,) float array
    size : int
    apart_from : random samples
        None of their items may be among `item_ids`.

    Raises
    ------
    UsageError
        If an item is one of a random sample, or a value is not a number.

    Examples
    --------
    >>> choose_active(["a", "b", "c"], [0.1, 0.9, 0.5], 2, apart_from=[]).ids.tolist()
    ['b', 'c']
    """
    ids, worth = np.asarray(item_ids, dtype=object), np.asarray(value, dtype=np.float64)
    if ids.shape != worth.shape or np.isnan(worth).any():
        raise UsageError(f"choose_active: {len(ids)} items need as many values, none of them NaN")
    _refuse_sampled(ids, apart_from, "chosen")
    order = np.lexsort((ids.astype(str), -worth))
    return ActiveSelection(ids[order[: max(size, 0)]], SEAL)


def training_set(
    item_ids: npt.ArrayLike, codes: npt.ArrayLike, *, apart_from: Iterable[RandomSample]
) -> TrainingSet:
    """Gather what a labeler learns from; none of it may be in a random sample.

    Parameters
    ----------
    item_ids : (N,) item ids
    codes : (N,) int array
    apart_from : random samples

    Raises
    ------
    UsageError
        If an item is one of a random sample, or the arrays differ in length.

    Examples
    --------
    >>> from labelops.measure.samples import draw_sample
    >>> sample = draw_sample(b"k", "audit/1", ["a", "b", "c"], 1)
    >>> training_set(["a", "b"], [0, 1], apart_from=[sample])
    Traceback (most recent call last):
    labelops.errors.UsageError: item 'a' of the random sample 'audit/1' cannot be learned from
    """
    ids, classes = np.asarray(item_ids, dtype=object), np.asarray(codes, dtype=np.int64)
    if ids.shape != classes.shape:
        raise UsageError(f"training_set: {len(ids)} items, {len(classes)} codes")
    _refuse_sampled(ids, apart_from, "learned from")
    return TrainingSet(ids, classes, SEAL)


def _refuse_sampled(
    ids: npt.NDArray[np.object_], apart_from: Iterable[RandomSample], what: str
) -> None:
    known = set(ids)
    for sample in apart_from:
        both = known.intersection(expect_sample(sample, RandomSample).ids)
        if both:
            raise UsageError(
                f"item {shown(min(map(str, both)))} of the random sample {shown(sample.stream)} "
                f"cannot be {what}"
            )
