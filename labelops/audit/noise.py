"""One audit of a label set: planted errors, held-out confidence, neighbours, second opinions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from labelops.audit.findings import findings_of
from labelops.audit.neighbours import judge_by_neighbours, nearest_labels
from labelops.audit.out_of_fold import out_of_fold_probs
from labelops.audit.planted import Planted, Recall, plant, recall
from labelops.audit.self_confidence import (
    confidence_sums,
    find_label_errors,
    self_confidence,
)
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes
from labelops.ports import Detector
from labelops.schema import Schema

__all__ = ["NoiseAudit", "audit_noise"]


@dataclass(frozen=True, slots=True)
class NoiseAudit:
    """What one audit of the labels found.

    Attributes
    ----------
    findings : findings frame
        Kinds ``label_error`` (held-out models), ``neighbour_disagreement``, one
        ``detector:NAME`` for each other detector, and ``planted`` (marked).
    recall : Recall
        Of the planted errors.
    scores : (N,) float
        Self-confidence of every label, low = bad; NaN where it could not be judged.
    probs : (N, K) float
        The held-out probabilities behind the scores.
    """

    findings: pd.DataFrame
    recall: Recall
    scores: FloatArray
    probs: FloatArray


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
    detectors: Sequence[Detector] = (),
    planted_share: float = 0.02,
    confusion: ArrayLike | None = None,
    learners: Sequence[str] = ("logistic", "trees"),
    repeats: int = 2,
) -> NoiseAudit:
    """Find labels that are probably wrong, and measure how many such labels would be found.

    Errors are planted in a random share of the labels, the learners train on labels with those
    errors, and a planted error counts as found when any detector flags it under the same rule
    as a real one. The planted rows' own labels are judged as well: their item was held out, so
    its planted label did not touch its probabilities.

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
    detectors : sequence of Detector
        Further opinions over the same held-out probabilities.
    planted_share : float
        Share of the labels that get a planted error.
    confusion : (K, K) array-like, optional
        Which mistakes are planted; uniform when left out.
    learners, repeats
        As in `out_of_fold_probs`.

    Raises
    ------
    UsageError
        Shapes differ, or too few classes or groups to hold anything out.
    """
    labels = check_codes(codes, len(schema.classes))
    planted = plant(labels, planted_share, rng, len(schema.classes), confusion)
    trained = planted.applied_to(labels)
    held = out_of_fold_probs(
        features, trained, groups, len(schema.classes), rng, learners=learners, repeats=repeats
    )
    limits = confidence_sums(held.mean, trained).thresholds()
    votes = nearest_labels(features, labels, groups, rng=rng)

    def opinions(judged_codes: IntArray) -> list[_Opinion]:
        own = _own_opinions(held.mean, votes, judged_codes, limits, held.judged, learners)
        return own + [_second_opinion(d, held.mean, judged_codes, held.judged) for d in detectors]

    parts = [
        findings_of(
            o.kind, item_ids, labels, o.scores, schema, detector=o.detector, round=round, now=now,
            suggestions=o.suggestions, flagged=o.flagged, evidence=o.evidence,
        )
        for o in opinions(labels)
    ]  # fmt: skip
    parts.append(
        _planted_findings(item_ids, trained, planted, opinions(trained), schema, round, now)
    )
    findings = pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)
    scores = np.where(held.judged, self_confidence(held.mean, labels), np.nan)
    return NoiseAudit(findings, recall(findings), scores, held.mean)


def _own_opinions(
    probs: FloatArray,
    votes: IntArray,
    codes: IntArray,
    limits: FloatArray,
    judged: BoolArray,
    learners: Sequence[str],
) -> list[_Opinion]:
    errors = find_label_errors(probs, codes, limits)
    near = judge_by_neighbours(votes, codes)
    given = np.where(judged, errors.scores, np.nan)
    evidence = {"self_confidence": given, "neighbour_agreement": near.agreement[:, 0]}
    return [
        _Opinion(
            "label_error", "+".join(sorted(learners)), given, errors.flagged, errors.suggestions,
            {**evidence, "suggested_probability": probs.max(axis=1)},
        ),
        _Opinion(
            "neighbour_disagreement", "neighbours", near.scores, near.flagged, near.suggestions,
            evidence,
        ),
    ]  # fmt: skip


def _second_opinion(
    detector: Detector, probs: FloatArray, codes: IntArray, judged: BoolArray
) -> _Opinion:
    found = detector.detect(probs, codes)
    best = probs.argmax(axis=1).astype(np.int64)
    return _Opinion(
        f"detector:{detector.name}",
        detector.name,
        np.where(judged, found.scores, np.nan),
        found.flagged,
        np.where(best == codes, -1, best),
        {},
    )


def _planted_findings(
    item_ids: ArrayLike,
    codes: IntArray,
    planted: Planted,
    opinions: Sequence[_Opinion],
    schema: Schema,
    round: int,  # noqa: A002
    now: datetime,
) -> pd.DataFrame:
    """One marked row for every planted error, saying whether any detector flagged it."""
    rows = planted.rows
    found = np.logical_or.reduce([o.flagged & ~np.isnan(o.scores) for o in opinions])[rows]
    lowest = np.fmin.reduce([o.scores for o in opinions])[rows]
    return findings_of(
        "planted",
        np.asarray(item_ids, dtype=object)[rows],
        codes[rows],
        np.where(np.isnan(lowest), 1.0, lowest),
        schema,
        detector="+".join(o.detector for o in opinions),
        round=round,
        now=now,
        evidence={"found": found},
        planted=True,
    )
