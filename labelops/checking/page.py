"""The facts of a check as the page wants them: rows with their contents, tables, words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from ..adapters.source_files import Folder, read_bounded
from ..errors import SourceError
from ..measure.codes import IntArray
from ..report.check_page import CheckedClass, CheckedRow, CheckFacts, render_check
from ..report.facts import Confusion
from ..report.pictures import thumbnail
from ..report.rows import confusion_of
from ..report.views import view_rows
from .result import LabelCheck
from .suspicion import SUSPECTED
from .words import counted_errors, judged_by, left_out, meaning

__all__ = ["page_of"]

_SHOWN, _ODD = 60, 12
_BYTES = 50_000_000


def page_of(found: LabelCheck, title: str) -> str:
    """Write the page of a check."""
    places = np.flatnonzero(found.rows["call"].isin(SUSPECTED))
    places = places[np.argsort(-found.rows["wrong"].to_numpy()[places], kind="stable")]
    odd = found.looked.findings
    kinds = dict.fromkeys(odd["kind"])
    facts = CheckFacts(
        title=title,
        created=datetime.now(UTC).isoformat(),
        alerts=tuple(alert.text for alert in found.alerts),
        headline=counted_errors(found),
        meaning=(*meaning(found), *left_out(found)),
        numbers=_numbers(found),
        rows=tuple(_row(found, int(place)) for place in places[:_SHOWN]),
        rows_total=len(places),
        classes=tuple(
            CheckedClass(str(r.Index), r.labels, *_marked(found, r))
            for r in _worst_first(found.by_class()).itertuples()
            if found.any_judged
        ),
        confusion=_confusion(found),
        odd={
            kind: tuple(
                _row(found, int(place), odd=True)
                for place in odd.loc[odd["kind"] == kind, "item_id"].head(_ODD)
            )
            for kind in kinds
        },
        views=view_rows(found.looked.facts),
        how=judged_by(found),
    )
    return render_check(facts)


def _worst_first(classes: pd.DataFrame) -> pd.DataFrame:
    """Order classes by how many of their labels are expected to be wrong, else are suspected."""
    by = ["expected", "suspected"]
    return classes.sort_values(by, ascending=False, kind="stable")


def _marked(found: LabelCheck, row: Any) -> tuple[int, float | None]:
    """Return how many of a class are called wrong and expected to be, or one model contradicts."""
    return (row.suspected, None) if found.by_one_model else (row.called, row.expected)


def _numbers(found: LabelCheck) -> tuple[tuple[str, str], ...]:
    calls = found.rows["call"].value_counts()
    contradicted = found.report.contradicted
    told = [
        ("more probably wrong than right", int(calls.get("wrong", 0))),
        ("more worth a look", int(calls.get("look", 0))),
    ]
    if contradicted is not None:
        told = [("contradict the model", int(contradicted.sum()))]
    counted = [
        ("rows", len(found.rows)),
        ("labels judged", int(found.rows["wrong"].notna().sum())),
        *(told if found.any_judged else ()),
        ("rows that repeat another", found.copies.repeats),
    ]
    return tuple((what, f"{number:,}") for what, number in counted)


def _row(found: LabelCheck, place: int, *, odd: bool = False) -> CheckedRow:
    said = found.rows.iloc[place]
    return CheckedRow(
        item_id=found.name_of(place),
        label=said["label"],
        better=None if odd else said["better"],
        wrong=float(said["wrong"]),
        call="" if odd else said["call"],
        why=said["why"],
        given=float(said["given"]) if found.by_one_model else None,
        text=found.text_of(place),
        image=_picture(found, place),
    )


def _picture(found: LabelCheck, place: int) -> str | None:
    column = found.evidence.image or found.shown.get("image")
    if column is None:
        return None
    try:
        file = Folder(found.folder).find(str(found.frame[column].iloc[place]))
        return thumbnail(read_bounded(file, _BYTES))
    except SourceError:
        return None  # It is gone since it was judged.


def _confusion(found: LabelCheck) -> Confusion | None:
    """Count labels against what they probably are: those called wrong as their likeliest class.

    Where one model alone judges, those count that it contradicts; where nothing was judged, none.
    """
    called, said = ["wrong"], "what it probably is"
    if found.by_one_model:
        called, said = list(SUSPECTED), "the likeliest class"
    classes = found.schema.classes
    rows = found.rows.loc[found.rows["wrong"].notna()]
    if rows.empty:
        return None
    probably = rows["better"].where(rows["call"].isin(called), rows["label"])
    return confusion_of(
        "", "label", said, _codes(rows["label"], classes),
        _codes(probably, classes), classes,
    )  # fmt: skip


def _codes(names: pd.Series, classes: tuple[str, ...]) -> IntArray:
    return np.asarray(pd.Index(classes, dtype=object).get_indexer(pd.Index(names)), dtype=np.int64)
