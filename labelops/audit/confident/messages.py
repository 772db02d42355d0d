"""What goes between a coordinator and its shards, and the result; all of plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelops.audit.confident.options import Options
from labelops.measure.brief import brief
from labelops.measure.codes import BoolArray, FloatArray, IntArray

__all__ = ["LabelIssues", "Partial", "Round"]


def _ints() -> IntArray:
    return np.zeros(0, dtype=np.int64)


def _floats() -> FloatArray:
    return np.zeros(0, dtype=np.float64)


def _bools() -> BoolArray:
    return np.zeros(0, dtype=np.bool_)


def _codes() -> NDArray[np.int32]:
    return np.zeros(0, dtype=np.int32)


@brief
@dataclass(frozen=True, slots=True)
class LabelIssues:
    """Which labels are probably wrong.

    Attributes
    ----------
    mask : (N,) bool
        The labels found; never a missing one.
    ranked : (M,) int
        Their rows, the worst score first, the earlier row at a tie.
    scores : (N,) float in [0, 1]
        Quality of every label, low = bad; NaN where it is missing.
    suggestions : (N,) int
        For found labels the class that fits better, -1 if none does; -1 for all others.
    thresholds : (K,) float
        What a class's probability has to reach to be confidently present; infinity for a class
        nobody has.
    confident_joint : (K, K) int
        How many items labeled with the row's class are confidently of the column's.
    joint : (K, K) int
        The same scaled to all labels: rows sum to `label_counts`.
    label_counts : (K,) int
        How many items are labeled with each class.
    """

    mask: BoolArray
    ranked: IntArray
    scores: FloatArray
    suggestions: IntArray
    thresholds: FloatArray
    confident_joint: IntArray
    joint: IntArray
    label_counts: IntArray


class _Arrays:
    """To and from plain arrays, for `numpy.savez`, Arrow or any wire: nothing is pickled."""

    __slots__ = ()

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give every field as an array."""
        held = ((f.name, getattr(self, f.name)) for f in fields(self))  # type: ignore[arg-type]
        return {
            name: np.array(value.to_json()) if isinstance(value, Options) else np.asarray(value)
            for name, value in held
        }


@dataclass(frozen=True, slots=True)
class Round(_Arrays):
    """What every shard is asked.

    Attributes
    ----------
    stage : str
        ``sums``, ``joint`` or ``mark``.
    options : Options
    classes : int
        K.
    thresholds : (K,) float
        Known from the stage ``joint`` on.
    label_counts : (K,) int
    confident_at, confident_count, joint_at, joint_count : (C,) int
        Cells of the two joints, known from the stage ``mark`` on.
    given, true, quota : (P,) int
        How many labels to take out of one class in favour of another.
    class_quota : (K,) int
    lowest : int
        How many labels of lowest score to find.
    """

    stage: str
    options: Options
    classes: int
    thresholds: FloatArray = field(default_factory=_floats)
    label_counts: IntArray = field(default_factory=_ints)
    confident_at: IntArray = field(default_factory=_ints)
    confident_count: IntArray = field(default_factory=_ints)
    joint_at: IntArray = field(default_factory=_ints)
    joint_count: IntArray = field(default_factory=_ints)
    given: IntArray = field(default_factory=_ints)
    true: IntArray = field(default_factory=_ints)
    quota: IntArray = field(default_factory=_ints)
    class_quota: IntArray = field(default_factory=_ints)
    lowest: int = 0

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Round:
        """Read what `to_arrays` gave."""
        values: dict[str, Any] = dict(arrays)
        return cls(
            stage=str(values.pop("stage")),
            options=Options.from_json(str(values.pop("options"))),
            classes=int(values.pop("classes")),
            lowest=int(values.pop("lowest")),
            **values,
        )

    @property
    def group_quotas(self) -> IntArray:
        """How many candidates each group has at most: pairs, then classes, then all rows."""
        return np.concatenate([self.quota, self.class_quota, np.array([self.lowest])])


@dataclass(frozen=True, slots=True)
class Partial(_Arrays):
    """What one shard, or several merged, answers in a round; fields of other stages are empty.

    Attributes
    ----------
    stage : str
    first_row, rows : int
        Which rows these are.
    label_counts, high, low : (K,) int
        Stage ``sums``: exact sums, see `sums.means`; the counts are in ``joint`` too.
    at, count : (C,) int
        Stage ``joint``: cells of the confident joint.
    off : int
        How many labels the confident joint has off its diagonal, near ties aside.
    scores, differs, elsewhere, fits : (rows,) float, bool, bool, int
        Stage ``mark``: score; whether another class is more probable; whether the row is
        confidently another class; and which class fits better.
    group, row, value : (M,) int, int, float
        Stage ``mark``: candidates, the smallest value first to be taken out.
    """

    stage: str
    first_row: int
    rows: int
    label_counts: IntArray = field(default_factory=_ints)
    high: IntArray = field(default_factory=_ints)
    low: IntArray = field(default_factory=_ints)
    at: IntArray = field(default_factory=_ints)
    count: IntArray = field(default_factory=_ints)
    off: int = 0
    scores: FloatArray = field(default_factory=_floats)
    differs: BoolArray = field(default_factory=_bools)
    elsewhere: BoolArray = field(default_factory=_bools)
    fits: NDArray[np.int32] = field(default_factory=_codes)
    group: IntArray = field(default_factory=_ints)
    row: IntArray = field(default_factory=_ints)
    value: FloatArray = field(default_factory=_floats)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Partial:
        """Read what `to_arrays` gave."""
        values: dict[str, Any] = dict(arrays)
        values |= {name: int(values[name]) for name in ("first_row", "rows", "off")}
        return cls(**values | {"stage": str(values["stage"])})
