"""Rounds of questions to shards: every shard answers with a partial, merged partials finish.

A round is put to all shards, which may be other processes on other machines. What they answer
adds up exactly: counts and sums are integers, candidates are kept by (value, row). So the
result is that of all rows at once, bit for bit, wherever the rows were cut. There are three
rounds: sums for the thresholds; confident counts for the joint; then scores and the rows that
might be taken out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelops.audit.confident.joint import Cells, Quotas, add_cells, calibrated, dense, quotas
from labelops.audit.confident.options import Options
from labelops.audit.confident.order import ranked, smallest_each
from labelops.audit.confident.sums import means
from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray

__all__ = ["LabelIssues", "Partial", "Round", "finish", "first_round", "merge"]


def _ints() -> IntArray:
    return np.zeros(0, dtype=np.int64)


def _floats() -> FloatArray:
    return np.zeros(0, dtype=np.float64)


def _bools() -> BoolArray:
    return np.zeros(0, dtype=np.bool_)


def _codes() -> NDArray[np.int32]:
    return np.zeros(0, dtype=np.int32)


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


def first_round(
    classes: int, options: Options | None = None, thresholds: FloatArray | None = None
) -> Round:
    """Begin; with thresholds given, with the second round.

    Examples
    --------
    >>> first_round(3).stage, first_round(2, thresholds=np.array([0.5, 0.5])).stage
    ('sums', 'joint')
    """
    asked = Options() if options is None else options
    if asked.compat is not None:
        raise UsageError("compat: cleanlab's arithmetic needs all rows at once; leave it out")
    if thresholds is None:
        return Round("sums", asked, classes)
    return Round("joint", asked, classes, thresholds)


def merge(partials: Sequence[Partial]) -> Partial:
    """Add up what shards answered to one round, in any order.

    Raises
    ------
    UsageError
        There is none, they answer different rounds, or rows are missing or there twice.

    Examples
    --------
    >>> ones = np.ones(2, dtype=np.int64)
    >>> halves = [Partial("sums", first, 5, ones, ones, ones) for first in (5, 0)]
    >>> merged = merge(halves)
    >>> merged.rows, merged.label_counts.tolist()
    (10, [2, 2])
    """
    if not partials:
        raise UsageError("merge: expected at least one partial")
    parts = sorted(partials, key=lambda part: (part.first_row, part.rows))
    if len({part.stage for part in parts}) > 1:
        raise UsageError("merge: the partials answer different rounds")
    for one, then in pairwise(parts):
        if then.first_row != one.first_row + one.rows:
            raise UsageError(
                f"merge: after row {one.first_row + one.rows - 1} expected row "
                f"{one.first_row + one.rows}, found {then.first_row}"
            )
    if len(parts) == 1:
        return parts[0]
    cells = add_cells([Cells(part.at, part.count) for part in parts])
    return Partial(
        stage=parts[0].stage,
        first_row=parts[0].first_row,
        rows=sum(part.rows for part in parts),
        label_counts=_total(parts, "label_counts"),
        high=_total(parts, "high"),
        low=_total(parts, "low"),
        at=cells.at,
        count=cells.count,
        off=sum(part.off for part in parts),
        scores=_joined(parts, "scores"),
        differs=_joined(parts, "differs"),
        elsewhere=_joined(parts, "elsewhere"),
        fits=_joined(parts, "fits"),
        group=_joined(parts, "group"),
        row=_joined(parts, "row"),
        value=_joined(parts, "value"),
    )


def _total(parts: Sequence[Partial], name: str) -> IntArray:
    total: IntArray = np.sum([getattr(part, name) for part in parts], axis=0, dtype=np.int64)
    return total


def _joined(parts: Sequence[Partial], name: str) -> NDArray[Any]:
    return np.concatenate([getattr(part, name) for part in parts])


def finish(asked: Round, partial: Partial) -> Round | LabelIssues:
    """Turn the merged answers to a round into the next round, or into the result.

    Raises
    ------
    UsageError
        The answers are to another round.
    """
    if partial.stage != asked.stage:
        raise UsageError(f"finish: expected answers to {asked.stage!r}, found {partial.stage!r}")
    if asked.stage == "sums":
        thresholds = means(partial.high, partial.low, partial.label_counts)
        return Round("joint", asked.options, asked.classes, thresholds)
    if asked.stage == "joint":
        return _after_joint(asked, partial)
    return _result(asked, partial)


def _after_joint(asked: Round, partial: Partial) -> Round:
    options, labels = asked.options, partial.label_counts
    confident = Cells(partial.at, partial.count)
    joint = calibrated(confident, labels)
    wanted = options.num_to_remove
    plan = quotas(
        joint,
        labels,
        frac_noise=options.frac_noise,
        min_examples_per_class=options.min_examples_per_class,
        num_to_remove=None if wanted is None else np.array(wanted, dtype=np.int64),
    )
    pairs = options.filter_by in ("prune_by_noise_rate", "both")
    whole = options.filter_by in ("prune_by_class", "both")
    lowest = options.filter_by in ("low_self_confidence", "low_normalized_margin")
    nothing = Quotas(_ints(), _ints(), _ints(), np.zeros(asked.classes, dtype=np.int64))
    return Round(
        "mark",
        options,
        asked.classes,
        asked.thresholds,
        labels,
        confident.at,
        confident.count,
        joint.at,
        joint.count,
        *(lambda used: (used.given, used.true, used.count))(plan if pairs else nothing),
        class_quota=(plan if whole else nothing).by_class,
        lowest=partial.off if lowest else 0,
    )


def _result(asked: Round, partial: Partial) -> LabelIssues:
    mask = _mask(asked, partial)
    return LabelIssues(
        mask,
        ranked(mask, partial.scores),
        partial.scores,
        np.where(mask, partial.fits, np.int64(-1)),
        asked.thresholds,
        dense(Cells(asked.confident_at, asked.confident_count), asked.classes),
        dense(Cells(asked.joint_at, asked.joint_count), asked.classes),
        asked.label_counts,
    )


def _mask(asked: Round, partial: Partial) -> BoolArray:
    chosen = asked.options.filter_by
    if chosen == "predicted_neq_given":
        return partial.differs
    if chosen == "confident_learning":
        return partial.elsewhere & partial.differs
    kept = smallest_each(partial.group, partial.value, partial.row, asked.group_quotas)
    group, row = partial.group[kept], partial.row[kept] - partial.first_row
    pairs = len(asked.quota)
    by_pair, by_rest = (np.zeros(partial.rows, dtype=np.bool_) for _ in range(2))
    by_pair[row[group < pairs]] = True
    by_rest[row[group >= pairs]] = True
    if chosen == "both":
        return by_pair & by_rest & partial.differs
    if asked.options.prunes:
        return (by_pair | by_rest) & partial.differs
    return by_rest
