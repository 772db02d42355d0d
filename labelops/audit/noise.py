"""One audit of a label set: the default detector's findings, second opinions, planted errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from labelops.audit.detect import detect_label_errors
from labelops.audit.findings import findings_of
from labelops.audit.graph import NeighbourGraph
from labelops.audit.inputs import Votes
from labelops.audit.label_error_report import LabelErrorReport
from labelops.audit.planted import Recall, recall
from labelops.audit.review_model import Reviews
from labelops.errors import UsageError
from labelops.kinds.choice import codes_of
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes
from labelops.measure.draws import check_rng
from labelops.ports import Detector
from labelops.schema import Schema
from labelops.tables import VOTES, newest

__all__ = ["NoiseAudit", "audit_noise", "reviews_for", "votes_for"]


@dataclass(frozen=True, slots=True)
class NoiseAudit:
    """What one audit of the labels found.

    Attributes
    ----------
    findings : findings frame
        Kinds ``label_error`` (the score is one minus the probability of being wrong), one
        ``detector:NAME`` for each other detector, and ``planted`` (marked).
    recall : Recall
        Of the planted errors.
    report : LabelErrorReport
        What the findings rest on.
    """

    findings: pd.DataFrame
    recall: Recall
    report: LabelErrorReport


@dataclass(frozen=True, slots=True)
class _Opinion:
    """What one detector says about every label."""

    kind: str
    detector: str
    scores: FloatArray
    flagged: BoolArray
    suggestions: IntArray
    evidence: Mapping[str, NDArray[Any]]


def audit_noise(
    item_ids: ArrayLike,
    features: Any,  # dense or scipy-sparse: no common type
    codes: ArrayLike,
    groups: Sequence[str] | NDArray[Any],
    schema: Schema,
    *,
    rng: np.random.Generator,
    round: int,  # noqa: A002 - the column's name
    now: datetime,
    votes: Votes | None = None,
    reviews: Reviews | None = None,
    detectors: Sequence[Detector] = (),
    planted_share: float = 0.02,
    confusion: ArrayLike | None = None,
    learners: Sequence[str] | None = None,
    repeats: int = 2,
    threshold: float = 0.2,
    graph: NeighbourGraph | None = None,
    embeddings: ArrayLike | None = None,
) -> NoiseAudit:
    """Find labels that are probably wrong, and measure how many such labels would be found.

    The findings are `detect_label_errors`'s. A planted error counts as found when any detector
    flags it under the same rule as a real one.

    Parameters
    ----------
    item_ids : (N,) array-like of str
    features : (N, D) array or scipy sparse matrix
        Not learned from these labels.
    codes : (N,) array-like of int
        The labels under audit; -1 is missing.
    groups : (N,) sequence
        Leakage groups; never split between training and held-out.
    schema : Schema
    rng : numpy.random.Generator
    round, now
        The audit's number and time.
    votes, reviews, confusion, learners, repeats, graph, embeddings
        As in `detect_label_errors`.
    detectors : sequence of Detector
        Further opinions over the same held-out probabilities.
    planted_share : float
        Share of the labels that get a planted error.
    threshold : float
        Probability from which a label is a finding: by default, where one look in five pays.

    Raises
    ------
    UsageError
        Shapes differ, or too few classes or groups to hold anything out.
    """
    check_rng(rng)
    labels = check_codes(codes, len(schema.classes))
    if len(np.unique(labels[labels >= 0])) < 2:
        raise UsageError("labels of fewer than two classes: nothing can be learned to check them")
    found = detect_label_errors(
        labels, n_classes=len(schema.classes), features=features, votes=votes, groups=groups,
        reviews=reviews, learners=learners, repeats=repeats, threshold=threshold,
        planted_share=planted_share, confusion=confusion, rng=rng, graph=graph,
        embeddings=embeddings,
    )  # fmt: skip
    held = found.probs if found.held_out is None else found.held_out
    others = [_second_opinion(d, held, labels, found.probability) for d in detectors]
    parts = [
        findings_of(
            o.kind, item_ids, labels, o.scores, schema, detector=o.detector, round=round, now=now,
            suggestions=o.suggestions, flagged=o.flagged, evidence=o.evidence,
        )
        for o in [_own_opinion(found), *others]
    ]  # fmt: skip
    parts.append(
        _planted_findings(item_ids, labels, found, held, detectors, threshold, schema, round, now)
    )
    findings = pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)
    return NoiseAudit(findings, recall(findings), found)


def _own_opinion(found: LabelErrorReport) -> _Opinion:
    evidence = {
        "probability": found.probability,
        "suggested_probability": found.probs.max(axis=1),
        **found.scores,
    }
    return _Opinion(
        "label_error", "+".join(found.scores), 1 - found.probability, found.flagged,
        found.suggestion, evidence,
    )  # fmt: skip


def _second_opinion(
    detector: Detector, probs: FloatArray, codes: IntArray, probability: FloatArray
) -> _Opinion:
    found = detector.detect(probs / probs.sum(axis=1, keepdims=True), codes)
    best = probs.argmax(axis=1).astype(np.int64)
    return _Opinion(
        f"detector:{detector.name}",
        detector.name,
        np.where(np.isnan(probability), np.nan, found.scores),
        found.flagged,
        np.where(best == codes, -1, best),
        {},
    )


def _planted_findings(
    item_ids: ArrayLike,
    labels: IntArray,
    found: LabelErrorReport,
    held: FloatArray,
    detectors: Sequence[Detector],
    threshold: float,
    schema: Schema,
    round: int,  # noqa: A002
    now: datetime,
) -> pd.DataFrame:
    """One marked row for every planted error, saying whether any detector flagged it."""
    wrong = found.planted.applied_to(labels)
    rows = found.planted.rows
    scores, caught = 1 - found.planted_probability, found.planted_probability >= threshold
    for detector in detectors:
        other = _second_opinion(detector, held, wrong, found.probability)
        caught = caught | (other.flagged & ~np.isnan(other.scores))[rows]
        scores = np.fmin(scores, other.scores[rows])
    names = ["+".join(found.scores), *(d.name for d in detectors)]
    return findings_of(
        "planted",
        np.asarray(item_ids, dtype=object)[rows],
        wrong[rows],
        scores,
        schema,
        detector="+".join(names),
        round=round,
        now=now,
        evidence={"found": caught},
        planted=True,
    )


def votes_for(
    item_ids: ArrayLike, votes: pd.DataFrame, schema: Schema, audited: ArrayLike = ()
) -> Votes | None:
    """Turn rows of the votes table into arrays on the audited items; None when there are none.

    Reviews are left out: they are verdicts on findings, and judge the detector. So are the audit
    votes that made a verdict: who weighs a label by the votes that judged it knows the answer.

    Parameters
    ----------
    item_ids : (N,) array-like of str
    votes : votes frame
        Any number of revisions.
    schema : Schema
    audited : array-like of str, optional
        Items with a verdict from an audit.
    """
    current = newest(VOTES, votes)
    row = pd.Index(np.asarray(item_ids, dtype=object)).get_indexer(pd.Index(current["item_id"]))
    person = ~current["annotator"].str.startswith(("model:", "rule:")).to_numpy(dtype=bool)
    verdict = (current["purpose"] == "audit") & current["item_id"].isin(np.asarray(audited))
    verdict |= current["purpose"] == "review"
    given = (current["status"] == "given") & ~verdict
    kept = given.to_numpy(dtype=bool) & (row >= 0) & person
    if not kept.any():
        return None
    rows = current.loc[kept].assign(row=row[kept]).sort_values(["given_at", "vote_id"])
    who = pd.factorize(rows["annotator"], sort=True)[0]
    return rows["row"].to_numpy(np.int64), who, codes_of(rows["value"], schema)


def reviews_for(
    item_ids: ArrayLike, settled: pd.DataFrame, audited: pd.DataFrame, schema: Schema
) -> Reviews | None:
    """Turn settled findings and blind looks into verdicts; None when there are none.

    Findings are chosen, the worst first; looks are drawn at random, by even chances or by doubt.
    Where a label has both, the look counts: nobody chose it for what the detector said.

    Parameters
    ----------
    item_ids : (N,) array-like of str
    settled : frame
        Findings with the column ``status``, ``confirmed`` or ``corrected``.
    audited : frame
        Looks of earlier audits: ``item_id``, the ``value`` judged, ``wrong``, and ``even``, whether
        all labels had the same chance.
    schema : Schema
    """
    chosen = settled[["item_id", "value"]].assign(wrong=settled["status"] == "corrected")
    both = pd.concat([audited, chosen.assign(even=False)], ignore_index=True)
    once = both.drop_duplicates(["item_id", "value"])
    row = pd.Index(np.asarray(item_ids, dtype=object)).get_indexer(pd.Index(once["item_id"]))
    once, row = once.loc[row >= 0], row[row >= 0]
    if once.empty:
        return None
    wrong, even = (once[name].to_numpy(dtype=bool) for name in ("wrong", "even"))
    return Reviews(row, wrong, codes_of(once["value"], schema), even)
