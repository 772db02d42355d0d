"""Suspicions as rows: making them, choosing what people look at, and which are still open."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from labelops.digest import canonical_json
from labelops.errors import UsageError
from labelops.kinds.choice import values_of
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.given import check_share
from labelops.measure.intervals import Interval, clopper_pearson
from labelops.schema import Schema
from labelops.tables import FINDINGS, VOTES, frame_of, newest

__all__ = [
    "SHOWN",
    "STATUS",
    "Precision",
    "finding_status",
    "findings_of",
    "open_findings",
    "precision",
    "suspects",
]

STATUS = ("open", "disputed", "confirmed", "corrected")
"""What became of a finding: nobody reviewed it; reviewers contradict the label or each other;
reviewers confirmed the label (a false alarm); the label was changed."""


SHOWN = ("ambiguous", "outlier", "poison")
"""Kinds that are shown and reviewed by nobody: they do not say that the label is wrong."""


@dataclass(frozen=True, slots=True)
class Precision:
    """How many of the reviewed findings were real errors.

    Attributes
    ----------
    corrected, reviewed : int
        Findings whose label was changed, and all findings that are settled.
    share : float
        corrected / reviewed; NaN before the first review.
    interval : Interval
        Clopper–Pearson; (0, 1) before the first review.
    """

    corrected: int
    reviewed: int
    share: float
    interval: Interval


def findings_of(
    kind: str,
    item_ids: ArrayLike,
    codes: IntArray,
    scores: FloatArray,
    schema: Schema,
    *,
    detector: str,
    round: int,  # noqa: A002 - the column's name
    now: datetime,
    suggestions: IntArray | None = None,
    flagged: BoolArray | None = None,
    evidence: Mapping[str, NDArray[Any]] | None = None,
    planted: bool = False,
) -> pd.DataFrame:
    """Turn arrays of scores into checked rows of the findings table, worst first.

    Parameters
    ----------
    kind : str
        What sort of suspicion.
    item_ids : (N,) array-like of str
    codes : (N,) int
        The labels under suspicion; -1 is missing.
    scores : (N,) float in [0, 1]
        Low = bad; a row with NaN could not be judged and gives no finding.
    schema : Schema
    detector : str
        Which detectors said so.
    round, now
        Which audit this was, and when.
    suggestions : (N,) int, optional
        Classes that fit better, -1 for none.
    flagged : (N,) bool, optional
        Which rows are findings; every judged one when left out.
    evidence : mapping of str to (N,) array, optional
        What the detectors saw, by name; a NaN becomes null.
    planted : bool
        Whether these are errors planted to measure recall.

    Raises
    ------
    TableError
        A score is outside [0, 1].
    UsageError
        The arrays have different lengths.

    Examples
    --------
    >>> from datetime import UTC
    >>> frame = findings_of("label_error", ["a", "b"], np.array([0, 1]), np.array([0.7, 0.1]),
    ...     Schema("pets", ("cat", "dog")), detector="x", round=1,
    ...     now=datetime(2026, 1, 1, tzinfo=UTC))
    >>> frame["item_id"].tolist(), frame["value"].tolist()
    (['b', 'a'], ['"dog"', '"cat"'])
    """
    ids = np.asarray(item_ids, dtype=object)
    better = np.full(len(ids), -1, dtype=np.int64) if suggestions is None else suggestions
    columns = {"codes": codes, "scores": scores, "suggestions": better, **(evidence or {})}
    for name, values in columns.items():
        if len(values) != len(ids):
            raise UsageError(f"found {len(values)} {name} for {len(ids)} items")
    keep = ~np.isnan(scores) & (True if flagged is None else flagged)
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(scores[rows], kind="stable")]
    return frame_of(
        FINDINGS,
        {
            "item_id": ids[rows],
            "kind": kind,
            "round": round,
            "score": scores[rows],
            "value": values_of(codes[rows], schema),
            "suggestion": values_of(better[rows], schema),
            "detector": detector,
            "evidence": _evidence_texts(evidence or {}, rows),
            "planted": planted,
            "found_at": now,
        },
        len(rows),
    )


def _evidence_texts(evidence: Mapping[str, NDArray[Any]], rows: IntArray) -> NDArray[np.object_]:
    names = list(evidence)
    cells = [[_plain(v) for v in np.asarray(evidence[n])[rows].tolist()] for n in names]
    texts = np.empty(len(rows), dtype=object)
    for i in range(len(rows)):
        texts[i] = canonical_json({n: cells[j][i] for j, n in enumerate(names)})
    return texts


def _plain(value: object) -> object:
    if isinstance(value, float):
        return None if not np.isfinite(value) else round(value, 6)
    return value


def suspects(findings: pd.DataFrame, size: int, max_share: float = 0.05) -> pd.DataFrame:
    """Choose what people should look at: one finding an item, kinds taking turns, worst first.

    Kinds take turns because their scores are not on one scale. Planted errors are left out, and
    so are the kinds that are only `SHOWN`.

    Parameters
    ----------
    findings : findings frame
    size : int
        Items in the label set.
    max_share : float
        At most this share of them (rounded up), in [0, 1].

    Returns
    -------
    Findings rows with the additional column ``place`` (1 = look first).

    Raises
    ------
    UsageError
        `max_share` is out of range.
    """
    check_share("max_share", max_share)
    real = _suspicions(findings)
    real = real.sort_values(["score", "item_id", "kind"], kind="stable")
    turn = real.groupby("kind").cumcount()
    chosen = (
        real.assign(_turn=turn)
        .sort_values(["_turn", "score", "item_id"], kind="stable")
        .drop_duplicates("item_id")
        .head(int(np.ceil(max_share * size)))
        .drop(columns="_turn")
        .reset_index(drop=True)
    )
    return chosen.assign(place=np.arange(1, len(chosen) + 1))


def _suspicions(findings: pd.DataFrame) -> pd.DataFrame:
    """Leave out planted errors, and what does not say that a label is wrong."""
    return findings[~findings["planted"].astype(bool) & ~findings["kind"].isin(SHOWN)]


def finding_status(
    findings: pd.DataFrame, votes: pd.DataFrame, labels: pd.DataFrame, unable: Collection[str] = ()
) -> pd.Series[str]:
    """Say what became of each finding; one of `STATUS`, on the findings' index.

    A finding on an item and value that reviewers have confirmed once stays confirmed when a
    later audit raises it again: nobody is asked the same thing for ever. But who reviewed before a
    class was added confirms nothing: it could not be named. What they contradict stays disputed.

    Parameters
    ----------
    findings : findings frame
    votes : votes frame
        Purpose ``review`` counts, if given after the item's value first came under suspicion.
    labels : labels frame
        The labels now, one row an item; a label that is gone or missing counts as changed.
    unable : collection of str
        Digests of schemas that lack classes of now.
    """
    now = findings["item_id"].map(labels.set_index("item_id")["value"]).astype(object)
    changed = (now != findings["value"]).to_numpy(dtype=bool)
    first = findings.groupby(["item_id", "value"], dropna=False)["found_at"].transform("min")
    able = votes.loc[~votes["schema_digest"].isin(list(unable))]
    (support, against), (lately, lately_against) = (
        _review_counts(findings, first, rows).to_numpy().T for rows in (votes, able)
    )
    refuted = (support + against > 0) & (support <= against)
    unasked = (lately + lately_against == 0) & ~refuted
    confirmed = (lately > lately_against) & ~refuted
    status = np.select(
        [changed, unasked, confirmed], ["corrected", "open", "confirmed"], "disputed"
    )
    return pd.Series(status, index=findings.index, dtype=object, name="status")


def _review_counts(
    findings: pd.DataFrame, first: pd.Series[pd.Timestamp], votes: pd.DataFrame
) -> pd.DataFrame:
    """Count review votes for and against each finding's value, in the findings' order."""
    current = newest(VOTES, votes)
    review = current[(current["purpose"] == "review") & (current["status"] == "given")]
    cases = findings[["item_id", "value"]].assign(first=first, case=np.arange(len(findings)))
    pairs = cases.merge(
        review[["item_id", "value", "given_at"]], on="item_id", suffixes=("", "_review")
    )
    pairs = pairs[pairs["given_at"] >= pairs["first"]]
    same = pairs["value"] == pairs["value_review"]
    counts = pd.DataFrame({"for_label": same, "against": ~same}).groupby(pairs["case"]).sum()
    return counts.reindex(np.arange(len(findings)), fill_value=0).astype(np.int64)


def open_findings(
    findings: pd.DataFrame, votes: pd.DataFrame, labels: pd.DataFrame, unable: Collection[str] = ()
) -> pd.DataFrame:
    """Return the findings nobody has settled yet; planted and `SHOWN` ones are never among them.

    Parameters are those of `finding_status`; ``open`` and ``disputed`` are unsettled. Of the
    same suspicion raised in several audits only the newest row is returned.
    """
    real = _suspicions(findings)
    status = finding_status(real, votes, labels, unable)
    unsettled = real[status.isin(("open", "disputed"))].sort_values("round", kind="stable")
    last = unsettled.drop_duplicates(["item_id", "kind", "value"], keep="last")
    return last.sort_values(["score", "item_id"], kind="stable").reset_index(drop=True)


def precision(
    findings: pd.DataFrame,
    votes: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    confidence: float = 0.95,
) -> Precision:
    """Measure how many settled findings were real: the reason to go on reviewing, or to stop.

    An item whose label was changed counts only if somebody reviewed it; one item counts once.
    """
    real = _suspicions(findings)
    first = real.groupby(["item_id", "value"], dropna=False)["found_at"].transform("min")
    reviewed = _review_counts(real, first, votes).sum(axis=1).to_numpy() > 0
    settled = real.assign(status=finding_status(real, votes, labels))[reviewed]
    settled = settled[settled["status"].isin(("confirmed", "corrected"))]
    settled = settled.drop_duplicates(["item_id", "value"])
    corrected, n = int((settled["status"] == "corrected").sum()), len(settled)
    share = corrected / n if n else float("nan")
    return Precision(corrected, n, share, clopper_pearson(corrected, n, confidence))
