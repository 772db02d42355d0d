"""What a check found: a frame beside the one that was checked, and how far to believe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..audit.label_error_report import LabelErrorReport
from ..audit.planted import Recall
from ..audit.views import LookedAt
from ..errors import UsageError, shown
from ..ingest.payload import normalised
from ..measure.brief import brief
from ..schema import Schema
from .alerts import Alert, alerts_of
from .columns import Evidence
from .copies import Copies
from .patterns import Pattern
from .suspicion import (
    SUSPECTED,
)

__all__ = ["ANNOTATED", "LabelCheck", "refuse_taken"]

_FOUND = ("wrong", "better", "call", "why")
_PREFIX = "check_"

ANNOTATED = tuple(_PREFIX + name for name in _FOUND)
"""Columns that `LabelCheck.annotated` writes; a check that is made again writes them anew."""


@brief
@dataclass(frozen=True, slots=True)
class LabelCheck:
    """What is wrong with the labels of a frame.

    Parameters
    ----------
    rows : (N,) frame
        With the index of the frame that was checked: ``label``; ``wrong``, the probability that
        it is (NaN where nothing could judge it); ``better``, the likeliest other class, where
        ``call`` is wrong or look;
        ``call``, one of `CALLS`; ``why``, who contradicts the label, or why nothing judged it;
        and where one model alone judges, ``given``, its probability of the label.
    frame : (N,) frame
        What was checked.
    label : str
        The column of labels.
    key : str or None
        The column that names a row.
    evidence : Evidence
        The columns that judged them.
    schema : Schema
        The classes in their order.
    report : LabelErrorReport
        What the probabilities rest on; its arrays are of the rows that could be read.
    looked : LookedAt
        What else is odd: outliers, items people disagree on, slices, leakage between splits.
    copies : Copies
        Rows that repeat another one's content, and those of them with another label.
    folder : Path
        Where paths of images begin.
    apart : int
        Rows in another fold than a copy, or the rest of their group: `probs` have no say there.
    planted : tuple of mapping
        Of each word that seems planted, as in `LookedAt.facts`: labels are judged without it.
    lone_votes : bool
        Whether no row has two votes: one that differs from the label is only worth a look.
    beside : tuple of {"copies", "vote", "word", "pattern"}
        For what else than its probability some label is worth a look: its copies, or the one vote
        on it, say another class; or it holds a word or a pattern that seems planted.
    patterns : tuple of Pattern
        Values and patches of pixels that seem planted; labels are judged with them.
    by_chance : tuple of str
        Arrays of probabilities that tell no more of the labels than in any other order of rows.
    shown : mapping of {"text", "image"} to str
        The column that shows a reader what a row is, where neither texts nor images judge.
    """

    rows: pd.DataFrame
    frame: pd.DataFrame
    label: str
    key: str | None
    evidence: Evidence
    schema: Schema
    report: LabelErrorReport
    looked: LookedAt
    copies: Copies
    folder: Path
    apart: int = 0
    planted: tuple[Mapping[str, Any], ...] = ()
    lone_votes: bool = False
    beside: tuple[str, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    by_chance: tuple[str, ...] = ()
    shown: Mapping[str, str] = field(default_factory=dict)

    @property
    def any_judged(self) -> bool:
        """Whether any label could be judged."""
        return bool(self.rows["wrong"].notna().any())

    @property
    def by_one_model(self) -> bool:
        """Whether a model's probabilities are all that judges: they rank, and count no errors."""
        return self.report.contradicted is not None

    @property
    def counts_errors(self) -> bool:
        """Whether it is told how many are wrong: some were judged, not by one model alone."""
        return self.any_judged and not self.by_one_model

    def name_of(self, place: int) -> str:
        """Return how a reader finds the row at a place again: its key, or its index."""
        named = self.frame.index[place]
        if self.key is not None:
            return str(self.frame[self.key].iloc[place])
        return f"row {named}"

    def text_of(self, place: int) -> str | None:
        """Return the text of the row at a place; None where there is none to show."""
        column = self.evidence.text or self.shown.get("text")
        cell = None if column is None else self.frame[column].iloc[place]
        return cell if isinstance(cell, str) else None

    def not_judged(self) -> dict[str, int]:
        """Return why labels were not judged, and of how many rows that is so."""
        unjudged = self.rows.loc[self.rows["wrong"].isna(), "why"]
        return {str(why): int(n) for why, n in unjudged.value_counts().sort_index().items()}

    def worst(self, n: int | None = None) -> pd.DataFrame:
        """Return the rows whose label is most probably wrong, the worst first.

        Parameters
        ----------
        n : int, optional
            How many; by default all that are called wrong or worth a look.
        """
        order = self.rows.sort_values("wrong", ascending=False, kind="stable")
        if n is None:
            return order.loc[order["call"].isin(SUSPECTED)]
        return order.loc[order["wrong"].notna()].head(n)

    def by_class(self) -> pd.DataFrame:
        """Return, for each class, its labels, those called wrong, and how many are expected to be.

        Returns
        -------
        frame by class: ``labels``, ``judged``, ``called`` and ``expected`` (a sum of
        probabilities; NaN where it cannot be told), ``suspected`` (called wrong or worth a
        look).
        """
        rows = self.rows.loc[self.rows["label"].notna()]
        by = rows.groupby("label")
        found = pd.DataFrame({
            "labels": by.size(),
            "judged": by["wrong"].count(),
            "called": (rows["call"] == "wrong").groupby(rows["label"]).sum(),
            "expected": by["wrong"].sum(),
            "suspected": rows["call"].isin(SUSPECTED).groupby(rows["label"]).sum(),
        })  # fmt: skip
        found = (
            found.reindex(self.schema.classes, fill_value=0)
            .astype(int)
            .assign(
                expected=found["expected"].reindex(self.schema.classes, fill_value=0).astype(float)
            )
        )
        return found if self.counts_errors else found.assign(expected=np.nan)

    @property
    def alike(self) -> tuple[tuple[str, ...], ...]:
        """Classes that differ by case, white space or Unicode form alone: probably one class."""
        names = pd.Series(self.schema.classes, dtype=object)
        same = names.groupby(names.map(normalised), sort=False).agg(tuple)
        return tuple(group for group in same if len(group) > 1)

    def annotated(self, prefix: str = _PREFIX) -> pd.DataFrame:
        """Return the frame that was checked with what was found beside it, in its order.

        What an earlier check wrote under the usual prefix is not in it twice.

        Raises
        ------
        UsageError
            If the frame has a column of that name that was part of this check.
        """
        refuse_taken(self.frame, prefix)
        found = self.rows[list(_FOUND)].add_prefix(prefix)
        return pd.concat([self.frame, found], axis=1)

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """What has to be known before the number of wrong labels, the gravest first."""
        return alerts_of(self)

    @property
    def at_least(self) -> int:
        """How many labels are wrong at least, if equal contents have one label."""
        return self.copies.wrong

    @property
    def recall(self) -> Recall | None:
        """Of errors planted in memory, how many would be called wrong; None where that misleads.

        The votes on a planted error are taken to make it, too: the errors that are hardest to
        find. Where nothing else judges a label, none of them would be found, whatever the votes.
        And where one model alone does, real errors lie where it doubts, planted ones anywhere.
        """
        if self.report.held_out is None or self.by_one_model:
            return None
        return self.report.planted_recall

    def to_json(self) -> dict[str, Any]:
        """Return the facts as a JSON object; rows are those called wrong or worth a look.

        Null is what cannot be told, as the number of errors is where one model alone judges, or
        nothing does.
        """
        from .words import headline

        report, suspected = self.report, self.worst()
        by_class = self.by_class()
        if not self.counts_errors:
            by_class = by_class.drop(columns="expected")
        return {
            "headline": headline(self),
            "alerts": [alert.to_json() for alert in self.alerts],
            "label": self.label,
            "classes": list(self.schema.classes),
            "rows": len(self.rows),
            "judged": int(self.rows["wrong"].notna().sum()),
            "not_judged": self.not_judged(),
            "copies": self.copies.repeats,
            "at_least_wrong": self.at_least,
            "apart": self.apart,
            "patterns": [pattern.to_json() for pattern in self.patterns],
            "by_chance": list(self.by_chance),
            "alike": [list(group) for group in self.alike],
            "contradicted": None if report.contradicted is None else int(report.contradicted.sum()),
            "expected_wrong": float(self.rows["wrong"].sum()) if self.counts_errors else None,
            "error_rate": None if self.by_one_model else report.error_rate,
            "called": self.rows["call"].value_counts().to_dict(),
            "calibration": report.calibration,
            "calibration_error": None if self.by_one_model else report.calibration_error,
            "recall_of_planted": None
            if self.recall is None
            else {"found": self.recall.found, "planted": self.recall.planted},
            "by_class": by_class.reset_index().to_dict("records"),
            "views": dict(self.looked.facts),
            "suspected": [
                {"row": str(index), **row}
                for index, row in zip(suspected.index, suspected.to_dict("records"), strict=True)
            ],
        }

    def __str__(self) -> str:
        """Say how many labels are wrong, and what that rests on."""
        from .words import headline, left_out, meaning

        return "\n".join((headline(self), *meaning(self), *left_out(self)))

    def to_html(self, title: str = "") -> str:
        """Write it as one HTML page that works offline.

        Parameters
        ----------
        title : str
            What was checked; by default the column of labels.
        """
        from .page import page_of

        return page_of(self, title or self.label)


def refuse_taken(frame: pd.DataFrame, prefix: str = _PREFIX) -> None:
    """Refuse a frame beside which nothing can be written, since it has columns named so.

    Raises
    ------
    UsageError
        With the column.
    """
    for name in _FOUND:
        if prefix + name in frame.columns:
            raise UsageError(f"the frame has a column {shown(prefix + name)} already; rename that")
