"""What was found of the judged rows, beside all rows of the frame."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..audit.duplicates import Disagreement
from ..audit.label_error_report import LabelErrorReport
from ..audit.learners import LEARNERS
from ..measure.codes import BoolArray, FloatArray, IntArray
from ..schema import Schema
from .columns import Evidence
from .suspicion import (
    APART,
    FEW,
    LONE,
    LOOK,
    SUSPECTED,
    UNLABELED,
    UNREAD,
    UNVOTED,
    calls,
    reasons,
)

__all__ = ["looked_at_beside", "said_of_rows"]


def looked_at_beside(probability: FloatArray, against: Mapping[str, BoolArray]) -> tuple[str, ...]:
    """Say for what, but its probability, some label is worth a look.

    Parameters
    ----------
    probability : (M,) float
        That the label is wrong; NaN where nothing could judge it.
    against : mapping of str to (M,) bool
        What speaks against each label, by name.

    Examples
    --------
    >>> speak = {"copies": np.array([True, False]), "vote": np.array([False, True])}
    >>> looked_at_beside(np.array([0.1, 0.9]), speak)  # The second is called wrong anyway.
    ('copies',)
    """
    return tuple(name for name, rows in against.items() if (rows & (probability < LOOK)).any())


def said_of_rows(
    index: pd.Index,
    codes: IntArray,
    place: IntArray,
    found: LabelErrorReport,
    copies: Disagreement,
    lone: IntArray,
    differs: BoolArray,
    planted: Mapping[str, BoolArray],
    schema: Schema,
    evidence: Evidence,
    apart: BoolArray,
) -> pd.DataFrame:
    """Put what was found of the rows at `place` beside all rows, as `LabelCheck.rows`.

    Parameters
    ----------
    index : (N,) index
    codes : (N,) int
        Labels of all rows.
    place : (M,) int
        The rows that were judged.
    found : LabelErrorReport
        Of M rows.
    copies : Disagreement
        What copies and near-duplicates say, of M rows.
    lone : (M,) int
        The one vote on each row where no row has two, else -1.
    differs : (M,) bool
        Where that is another class than the label.
    planted : mapping of str to (M,) bool
        Of each word or pattern that seems planted, in words, the labels that it turned.
    evidence : Evidence
        What they were judged by.
    apart : (M,) bool
        Where no model of the user's has a say, since it had seen a copy of the row.
    """
    names = np.array([*schema.classes, None], dtype=object)
    wrong = np.full(len(index), np.nan)
    wrong[place] = found.probability
    better = np.full(len(index), -1)
    better[place] = found.likeliest_other(codes[place])
    contradicted = np.zeros(len(index), dtype=np.bool_)
    contradicted[place] = copies.flagged
    by_copies = contradicted & ~(wrong >= LOOK)
    better[place] = np.where(
        by_copies[place] & (copies.suggestions >= 0), copies.suggestions, better[place]
    )
    by_vote = differs & ~(wrong[place] >= LOOK)
    better[place] = np.where(by_vote, lone, better[place])
    contradicted[place] |= differs
    for more in (*planted.values(), found.contradicted):
        if more is not None:
            contradicted[place] |= more
    call = calls(wrong, contradicted)
    better[~np.isin(call, SUSPECTED)] = -1
    why = np.full(len(index), "", dtype=object)
    said = {**found.scores, "copies": np.where(copies.flagged, 0.0, np.nan)}
    if differs.any():
        said["votes"] = np.where(differs, 0.0, np.nan)
    said |= {why: np.where(held, 0.0, np.nan) for why, held in planted.items()}
    why[place] = reasons(said, frozenset(LEARNERS))
    why[np.isnan(wrong)] = _unjudged(evidence)
    why[place[np.isnan(found.probability) & (lone >= 0)]] = LONE
    why[place[apart & np.isnan(found.probability)]] = APART
    why[np.setdiff1d(np.arange(len(index)), place)] = UNREAD
    why[codes < 0] = UNLABELED
    rows = pd.DataFrame(
        {"label": names[codes], "wrong": wrong, "better": names[better], "call": call,
         "why": why},
        index=index,
    )  # fmt: skip
    if found.contradicted is not None:
        (own,) = found.scores.values()
        rows["given"] = np.nan
        rows.iloc[place, -1] = own
    return rows


def _unjudged(evidence: Evidence) -> str:
    """Say why a label that could be judged was not: by models, by votes, or by neither."""
    voted = bool(evidence.votes or evidence.voted)
    learned = bool(set(evidence.columns) - {*evidence.votes, evidence.group, evidence.fold})
    arrays = bool(evidence.vectors or evidence.models)
    return ", and ".join([FEW] * (learned or arrays) + [UNVOTED] * voted)
