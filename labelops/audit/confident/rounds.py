"""Rounds of questions to shards: every shard answers with a partial, merged partials finish.

A round is put to all shards, which may be other processes on other machines. What they answer
adds up exactly: counts and sums are integers, candidates are kept by (value, row). So the
result is that of all rows at once, bit for bit, wherever the rows were cut. There are three
rounds: sums for the thresholds; confident counts for the joint; then scores and the rows that
might be taken out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelops.audit.confident.joint import Cells, Quotas, add_cells, calibrated, dense, quotas
from labelops.audit.confident.messages import LabelIssues, Partial, Round
from labelops.audit.confident.options import Options
from labelops.audit.confident.order import ranked, smallest_each
from labelops.audit.confident.sums import means
from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.given import check_each, check_kind

__all__ = ["finish", "first_round", "merge"]


def first_round(
    classes: int, options: Options | None = None, thresholds: FloatArray | None = None
) -> Round:
    """Begin; with thresholds given, with the second round.

    Examples
    --------
    >>> first_round(3).stage, first_round(2, thresholds=np.array([0.5, 0.5])).stage
    ('sums', 'joint')
    """
    asked = Options()
    if options is not None:
        asked = check_kind("options", options, Options, "`Options`")
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
    given = check_each("partials", partials, Partial, "`Shard.answer`")
    if not given:
        raise UsageError("merge: expected at least one partial")
    parts = sorted(given, key=lambda part: (part.first_row, part.rows))
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
    plan = _plan(options, joint, labels)
    lowest = options.filter_by in ("low_self_confidence", "low_normalized_margin")
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
        plan.given,
        plan.true,
        plan.count,
        plan.by_class,
        lowest=partial.off if lowest else 0,
    )


def _plan(options: Options, joint: Cells, labels: IntArray) -> Quotas:
    """Say how many labels the filter takes out of which pairs of classes and of which classes."""
    none = np.zeros(0, dtype=np.int64)
    nothing = Quotas(none, none, none, np.zeros(len(labels), dtype=np.int64))
    if not options.prunes:
        return nothing
    wanted = options.num_to_remove
    plan = quotas(
        joint,
        labels,
        frac_noise=options.frac_noise,
        min_examples_per_class=options.min_examples_per_class,
        num_to_remove=None if wanted is None else np.array(wanted, dtype=np.int64),
    )
    if options.filter_by == "prune_by_class":
        return replace(nothing, by_class=plan.by_class)
    return plan if options.filter_by == "both" else replace(plan, by_class=nothing.by_class)


def _result(asked: Round, partial: Partial) -> LabelIssues:
    mask = _mask(asked, partial)
    rows = np.flatnonzero(mask)
    found = ranked(rows, partial.scores)
    suggestions = np.full(partial.rows, -1, dtype=np.int64)
    suggestions[rows] = partial.fits[rows]
    return LabelIssues(
        mask,
        found,
        partial.scores,
        suggestions,
        asked.thresholds,
        dense(Cells(asked.confident_at, asked.confident_count), asked.classes),
        dense(Cells(asked.joint_at, asked.joint_count), asked.classes),
        asked.label_counts,
    )


def _mask(asked: Round, partial: Partial) -> BoolArray:
    chosen = asked.options.filter_by
    if chosen == "predicted_neq_given":
        return partial.differs.copy()  # Facts share their memory, a result holds its own only.
    if chosen == "confident_learning":
        return partial.elsewhere & partial.differs
    kept = smallest_each(partial.group, partial.value, partial.row, asked.group_quotas)
    group, row = partial.group[kept], partial.row[kept] - partial.first_row
    if chosen == "both":
        by_pair = group < len(asked.quota)
        found = _flags(row[by_pair], partial.rows) & _flags(row[~by_pair], partial.rows)
    else:
        found = _flags(row, partial.rows)
    return found & partial.differs if asked.options.prunes else found


def _flags(row: IntArray, rows: int) -> BoolArray:
    flags = np.zeros(rows, dtype=np.bool_)
    flags[row] = True
    return flags
