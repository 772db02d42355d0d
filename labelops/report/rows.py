"""Rows of a report from the frames and codes of a label set."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from labelops.measure.codes import check_codes
from labelops.schema import Schema

from .facts import AnnotatorRow, Confusion, FindingRow

__all__ = ["annotator_rows", "confusion_of", "finding_rows"]


def confusion_of(
    title: str,
    rows: str,
    columns: str,
    row_codes: ArrayLike,
    column_codes: ArrayLike,
    classes: Sequence[str],
) -> Confusion:
    """Count one opinion against another; a pair with a missing code (-1) is left out.

    Raises
    ------
    UsageError
        A code is no class.

    Examples
    --------
    >>> confusion_of("t", "r", "c", [0, 1, 1, -1], [0, 0, 1, 1], ("a", "b")).counts
    ((1, 0), (1, 1))
    """
    K = len(classes)
    a, b = check_codes(row_codes, K), check_codes(column_codes, K)
    both = (a >= 0) & (b >= 0)
    counts = np.bincount(a[both] * K + b[both], minlength=K * K).reshape(K, K)
    return Confusion(title, rows, columns, tuple(classes), tuple(map(tuple, counts.tolist())))


def annotator_rows(
    judged: pd.DataFrame, remarks: Mapping[str, Sequence[str]] | None = None
) -> tuple[AnnotatorRow, ...]:
    """Turn the frame of `labelops.audit.judge_annotators` into rows, flagged ones first.

    Parameters
    ----------
    judged : frame
    remarks : mapping of annotator to texts, optional
        What else is odd about them.
    """
    names = [f.name for f in dataclasses.fields(AnnotatorRow) if f.name != "remarks"]
    order = judged.sort_values(["flagged", "annotator"], ascending=[False, True])
    return tuple(
        AnnotatorRow(
            **dict(zip(names, cells, strict=True)),
            remarks=tuple((remarks or {}).get(str(cells[0]), ())),
        )
        for cells in order[names].itertuples(index=False, name=None)
    )


def finding_rows(
    findings: pd.DataFrame,
    status: Sequence[str],
    schema: Schema,
    *,
    texts: Mapping[str, str] | None = None,
    images: Mapping[str, str] | None = None,
    labels: Mapping[str, str | None] | None = None,
    limit: int = 24,
) -> tuple[FindingRow, ...]:
    """Turn findings (in their order, worst first) into rows of the report.

    Parameters
    ----------
    findings : findings frame
        Planted errors are left out: they never were labels.
    status : sequence of str
        Of each finding, from `labelops.audit.finding_status`.
    schema : Schema
    texts, images : mapping of str to str, optional
        item_id → the item's text, or a data URI made by `thumbnail`.
    labels : mapping of str to str or None, optional
        item_id → the label's value now; what was corrected is shown with it.
    limit : int
        At most this many rows.
    """
    rows = findings.assign(status=list(status))
    rows = rows[~rows["planted"].astype(bool)].head(limit)
    return tuple(
        FindingRow(
            item_id=item_id,
            kind=kind,
            score=float(score),
            label=_class(value, schema),
            suggestion=_class(suggestion, schema),
            detector=detector,
            status=state,
            text=(texts or {}).get(item_id),
            image=(images or {}).get(item_id),
            now=_class((labels or {}).get(item_id), schema),
        )
        for item_id, kind, score, value, suggestion, detector, state in rows[
            ["item_id", "kind", "score", "value", "suggestion", "detector", "status"]
        ].itertuples(index=False, name=None)
    )


def _class(value: str | None, schema: Schema) -> str | None:
    """Return a class's present name; one that was only ever suggested may be gone."""
    if value is None:
        return None
    name = str(json.loads(value))
    return schema.renames.get(name, name)
