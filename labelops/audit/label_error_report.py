"""The detector's answer: a probability for every label, and how far it has been measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from labelops.audit.error_rates import ErrorBin, calibration_error, reliability
from labelops.audit.evidence import Evidence
from labelops.audit.planted import Planted, Recall, plant
from labelops.audit.review_model import (
    ReviewModel,
    Reviews,
    Verdicts,
    cross_fitted,
    fit_review_model,
)
from labelops.measure.brief import brief
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.draws import check_rng
from labelops.measure.intervals import Interval, clopper_pearson

__all__ = ["LabelErrorReport", "Rate", "report"]

_ANYWHERE = 5_000  # Rows, drawn at random, that stand for the whole label set.
_OF_EACH_SORT = 5  # Verdicts "wrong" and "right" that a refit needs.


@dataclass(frozen=True, slots=True)
class Rate:
    """A share counted among judged labels.

    Attributes
    ----------
    hits, n : int
    share : float
        hits / n; NaN when nothing was counted.
    interval : Interval
        Clopper–Pearson; (0, 1) when nothing was counted.
    """

    hits: int
    n: int
    share: float
    interval: Interval


@brief
@dataclass(frozen=True, slots=True)
class LabelErrorReport:
    """What is known about every label.

    Attributes
    ----------
    probability : (N,) float
        That the label is wrong; NaN where it is missing or nothing could judge it.
    ranking : (M,) int
        Judged rows, the most probable errors first; stable.
    suggestion : (N,) int
        The most probable class where it is not the label, else -1.
    flagged : (N,) bool
        Probability at or above the threshold.
    probs : (N, K) float
        Probability of each class by all evidence, the label's among it.
    held_out : (N, K) float or None
        The blended views alone, which saw no row's own label; None without a view.
    scores : mapping of str to (N,) float
        Every single view's opinion of each label, low = bad: self-confidence of each learner
        and of each matrix given, ``neighbours`` (agreement), ``votes`` (posterior).
    temperatures : mapping of str to float
        Of each view; 100 says that it knows nothing about these labels.
    error_rate : float
        Estimated share of the judged labels that are wrong.
    contradicted : (N,) bool or None
        Where one matrix of `probs` is all there is, the labels for which it says another class.
        How many of them are errors, and how many its own mistakes, it cannot tell: `error_rate`,
        `planted_recall` and `probability` then rest on a guess of how it errs, and only the
        `ranking` is to be used. None where other views, votes or enough verdicts say more.
    calibration : {"reviews", "noise model", "votes"}
        What the probabilities rest on.
    reliability : tuple of ErrorBin
        Probabilities said beside what was seen.
    shown_by : {"verdicts", "held-out votes", "planted errors"}
        What was seen: people's verdicts (predicted without them); else whether each vote is the
        one that the item's other votes foretell; else the errors that planted ones imply.
    calibration_error : float
        Mean distance between the two, weighted by items (ECE); NaN where nothing was seen.
    dependence : float
        How far votes on an item go wrong together, in [0, 1]; NaN where there are no votes to tell
        it from. Above .1 votes alone still say too little: verdicts of others repair it.
    precision : Rate
        Of flagged labels that people reviewed, how many were wrong.
    recall : Rate
        Of errors in randomly reviewed labels, how many are flagged.
    planted_recall : Recall
        Of errors planted in memory, how many are flagged.
    planted : Planted
        Those errors.
    planted_probability : (P,) float
        The probability each planted error got.
    review_model : ReviewModel or None
        Fitted when there were verdicts enough.
    """

    probability: FloatArray
    ranking: IntArray
    suggestion: IntArray
    flagged: BoolArray
    probs: FloatArray
    held_out: FloatArray | None
    scores: Mapping[str, FloatArray]
    temperatures: Mapping[str, float]
    error_rate: float
    contradicted: BoolArray | None
    calibration: str
    reliability: tuple[ErrorBin, ...]
    shown_by: str
    calibration_error: float
    dependence: float
    precision: Rate
    recall: Rate
    planted_recall: Recall
    planted: Planted
    planted_probability: FloatArray
    review_model: ReviewModel | None

    def likeliest_other(self, codes: IntArray) -> IntArray:
        """Return the most probable class that is not the label, (N,); of (N,) labels, -1 none."""
        others = self.probs.copy()
        labeled = np.flatnonzero(codes >= 0)
        others[labeled, codes[labeled]] = -1.0
        return np.asarray(others.argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Says how probable it is that a label is wrong: by the evidence, or as reviews refit it."""

    evidence: Evidence
    refit: ReviewModel | None

    def __call__(self, rows: IntArray, codes: IntArray, *, planted: bool = False) -> FloatArray:
        if self.refit is None:
            return np.asarray(expit(self.evidence.wrong(rows, codes, planted)))
        return np.asarray(expit(self.refit.logits(self.evidence.features(rows, codes, planted))))


def report(
    evidence: Evidence,
    judged: BoolArray,
    reviews: Reviews | None,
    *,
    contradicted: BoolArray | None,
    threshold: float,
    planted_share: float,
    confusion: ArrayLike | None,
    min_reviews: int,
    rng: np.random.Generator,
) -> LabelErrorReport:
    """Judge every label, and measure the judgement; parameters as in `detect_label_errors`.

    `contradicted`: as in `LabelErrorReport`, had there been no verdicts.
    """
    check_rng(rng)
    labels, K = evidence.labels, evidence.blended.shape[1]
    rows = np.flatnonzero(judged)
    verdicts = (Reviews([], []) if reviews is None else reviews).checked(labels, K)
    refit, predicted = _refit(evidence, rows, verdicts, min_reviews, rng)
    judge = _Judge(evidence, refit)
    probability = np.full(len(labels), np.nan)
    probability[rows] = judge(rows, labels[rows])
    planted = _plant(evidence, rows, probability, planted_share, confusion, rng)
    on_paper = judge(planted.rows, planted.codes, planted=True)
    shown_by, bins = _reliability(evidence, probability[rows], on_paper, refit, predicted, verdicts)
    probs = evidence.posterior(np.arange(len(labels)), labels)
    best = probs.argmax(axis=1)
    flagged = np.nan_to_num(probability, nan=-1.0) >= threshold
    caught = flagged[verdicts.rows] & (labels[verdicts.rows] == verdicts.codes)
    found = _rate(on_paper >= threshold)
    return LabelErrorReport(
        probability=probability,
        ranking=rows[np.argsort(-probability[rows], kind="stable")],
        suggestion=np.where((best == labels) | (labels < 0), -1, best).astype(np.int64),
        flagged=flagged,
        probs=probs,
        held_out=evidence.blended if evidence.views else None,
        scores=evidence.scores(),
        temperatures={name: view.temperature for name, view in evidence.views.items()},
        error_rate=float(probability[rows].mean()) if len(rows) else float("nan"),
        contradicted=contradicted if refit is None else None,
        calibration="reviews" if refit else "noise model" if evidence.views else "votes",
        reliability=bins,
        shown_by=shown_by,
        calibration_error=calibration_error(bins),
        dependence=np.nan if evidence.crowd is None else evidence.crowd.dependence,
        precision=_rate(verdicts.wrong[caught]),
        recall=_rate((_chance(judge, verdicts) >= threshold)[verdicts.random & verdicts.wrong]),
        planted_recall=Recall(found.hits, found.n, found.share, found.interval),
        planted=planted,
        planted_probability=on_paper,
        review_model=refit,
    )


def _reliability(
    evidence: Evidence,
    probability: FloatArray,
    on_paper: FloatArray,
    refit: ReviewModel | None,
    predicted: FloatArray,
    verdicts: Verdicts,
) -> tuple[str, tuple[ErrorBin, ...]]:
    """Show the best check of the probabilities that there is."""
    if refit is not None:
        return "verdicts", reliability(predicted, seen=verdicts.wrong)
    if evidence.crowd is not None and len(evidence.crowd.doubt):
        return "held-out votes", reliability(evidence.crowd.doubt, seen=evidence.crowd.missed)
    return "planted errors", reliability(probability, implied_by=on_paper)


def _rate(hits: BoolArray) -> Rate:
    k, n = int(hits.sum()), len(hits)
    return Rate(k, n, k / n if n else float("nan"), clopper_pearson(k, n))


def _chance(judge: _Judge, verdicts: Verdicts) -> FloatArray:
    """Probability of the labels that people judged, as they were then."""
    return judge(verdicts.rows, verdicts.codes)


def _refit(
    evidence: Evidence,
    rows: IntArray,
    verdicts: Verdicts,
    min_reviews: int,
    rng: np.random.Generator,
) -> tuple[ReviewModel | None, FloatArray]:
    """Fit the review model, and predict each verdict without it; None when there are too few."""
    wrong = verdicts.wrong
    enough = (
        len(wrong) >= min_reviews and _OF_EACH_SORT <= wrong.sum() <= len(wrong) - _OF_EACH_SORT
    )
    if not enough or not len(rows):
        return None, np.zeros(len(wrong))
    some = rng.choice(rows, min(len(rows), _ANYWHERE), replace=False)
    everywhere = evidence.features(some, evidence.labels[some])
    scores = evidence.features(verdicts.rows, verdicts.codes)
    predicted = expit(cross_fitted(scores, wrong, verdicts.rows, everywhere, rng))
    return fit_review_model(scores, wrong, everywhere), np.asarray(predicted)


def _plant(
    evidence: Evidence,
    rows: IntArray,
    probability: FloatArray,
    share: float,
    confusion: ArrayLike | None,
    rng: np.random.Generator,
) -> Planted:
    """Plant errors on labels that are probably right: such as the noise model believes in."""
    labels, K = evidence.labels, evidence.blended.shape[1]
    sound = np.full(len(labels), -1, dtype=np.int64)
    kept = rows[probability[rows] < 0.5]
    sound[kept] = labels[kept]
    chances = None if confusion is not None else evidence.mistakes()
    wanted = min(1.0, share * len(rows) / max(len(kept), 1))
    return plant(sound, wanted, K, confusion, chances=chances, rng=rng)
