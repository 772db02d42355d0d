"""Testing a labeler on its calibration sample, by whichever rule, test and classes are asked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..measure.eprocess import hypothesis_risk
from ..measure.samples import RandomSample, expect_sample
from ._cutoffs import Acceptance
from .acceptance import joint_threshold, selective_threshold
from .anytime import joint_anytime, planned_among, selective_anytime, selective_cutoffs
from .hypotheses import ClassCount, Hypothesis, pool_digest
from .policy import ANYTIME, AcceptancePolicy

__all__ = ["look_again", "still_passes", "try_labeler"]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be shown, and how.

    Parameters
    ----------
    rule, test : str
    error, risk : float
    classes : tuple of str
        Values to be tested one by one, each at an equal share of the risk; empty for all at once.
    planned : int or range
        Looks that an e-process is sharpest at; 0 for no plan. All numbers that they may come to.
    """

    rule: str
    test: str
    error: float
    risk: float
    classes: tuple[str, ...]
    planned: int | range = 0


@dataclass(frozen=True, slots=True)
class _Found:
    """What one test found.

    Parameters
    ----------
    threshold : float or None
        The loosest cut-off of all classes; None accepts nothing.
    thresholds : tuple of (value, threshold)
        Where classes were tested one by one: the cut-offs of those that passed.
    accepted, errors, critical : int
        Summed over classes.
    reason : str
    """

    threshold: float | None
    thresholds: tuple[tuple[str, float], ...]
    accepted: int
    errors: int
    critical: int
    reason: str
    by_class: bool

    @property
    def cuts(self) -> tuple[tuple[str, float], ...]:
        """Pairs of class and cut-off; the class is "" for all at once."""
        if self.by_class or self.threshold is None:
            return self.thresholds
        return (("", self.threshold),)

    def cut_of(self, values: pd.Series) -> pd.Series:
        """Return each value's cut-off; infinite where none of it is accepted."""
        if self.by_class:
            return values.map(dict(self.thresholds)).astype(np.float64).fillna(np.inf)
        cut = np.inf if self.threshold is None else self.threshold
        return pd.Series(cut, index=values.index, dtype=np.float64)


def try_labeler(
    pool: pd.DataFrame,
    calibration: RandomSample,
    wrong: npt.ArrayLike,
    earlier: list[Hypothesis],
    policy: AcceptancePolicy,
    classes: tuple[str, ...] = (),
    *,
    planned: int = 0,
) -> Hypothesis:
    """Test one labeler version for the first time.

    Parameters
    ----------
    pool : frame
        One row an item of the whole label set: item_id, confidence (NaN: none),
        labeler_version (one and the same) and, for the table by class, value.
    calibration : RandomSample
        The random calibration sample, drawn without regard to any proposal; an e-process reads
        it in its order.
    wrong : (n,) bool array
        True where people found the proposal wrong.
    earlier : list of Hypothesis
        All tried before; they set this one's number and risk.
    policy : AcceptancePolicy
    classes : tuple of str
        All values of the schema; needed where the policy tests each class.
    planned : int
        Calibration looks that were planned before any outcome was known; 0 for no plan.

    Raises
    ------
    UsageError
        If the calibration sample is not a `RandomSample`.
    """
    sample = expect_sample(calibration, RandomSample)
    number = len(earlier) + 1
    risk = hypothesis_risk(number, policy.risk)
    own = classes if policy.per_class else ()
    asked = _Asked(policy.rule, policy.test, policy.error, risk, own)
    opened = Hypothesis(
        number=number,
        labeler_version=str(pool["labeler_version"].iloc[0]),
        pool=pool_digest(pool["item_id"]),
        pool_size=len(pool),
        sample=len(sample),
        rule=policy.rule,
        error=policy.error,
        risk=risk,
        threshold=None,
        accepted=0,
        errors=0,
        critical=-1,
        reason="",
        test=policy.test,
        looks=0,
        classes=own,
        planned=planned if policy.test == ANYTIME else 0,
        cutoffs=_cutoffs_for(pool, len(sample), asked),
    )
    return look_again(opened, pool, sample, wrong)


def look_again(
    hypothesis: Hypothesis, pool: pd.DataFrame, calibration: RandomSample, wrong: npt.ArrayLike
) -> Hypothesis:
    """Test a hypothesis once more, on what its sample shows now.

    Sound for an e-process whose sample grew, and for either test when votes on the same sample
    were given anew. The cut-off may become looser or stricter; the result says so.

    Parameters
    ----------
    hypothesis : Hypothesis
    pool, calibration, wrong
        As for `try_labeler`.
    """
    sample = expect_sample(calibration, RandomSample).ids
    found = _test(hypothesis, pool, sample, np.asarray(wrong, dtype=bool))
    return replace(
        hypothesis,
        pool=pool_digest(pool["item_id"]),
        pool_size=len(pool),
        sample=len(sample),
        threshold=found.threshold,
        thresholds=found.thresholds,
        accepted=found.accepted,
        errors=found.errors,
        critical=found.critical,
        reason=found.reason,
        closed="",
        cause="",
        until="",
        tested=pool_digest(pool.loc[pool["confidence"].notna(), "item_id"]),
        by_class=_by_class(pool, sample, np.asarray(wrong, dtype=bool), found),
        looks=hypothesis.looks + 1,
    )


def still_passes(
    hypothesis: Hypothesis, pool: pd.DataFrame, sample: npt.ArrayLike, wrong: npt.ArrayLike
) -> bool:
    """Say whether the cut-offs in force would pass on these looks.

    Parameters
    ----------
    hypothesis : Hypothesis
    pool
        As for `try_labeler`.
    sample : (n,) item ids
        Calibration items whose votes still count, in the order of the sample.
    wrong : (n,) bool array
    """
    found = _test(hypothesis, pool, np.asarray(sample, object), np.asarray(wrong, dtype=bool))
    now = dict(found.cuts)
    before = hypothesis.thresholds or (("", hypothesis.threshold or 0.0),)
    return all(value in now and now[value] <= cut for value, cut in before)


def _test(
    h: Hypothesis, pool: pd.DataFrame, sample: npt.NDArray[np.object_], wrong: npt.NDArray[np.bool_]
) -> _Found:
    asked = _Asked(h.rule, h.test, h.error, h.risk, h.classes, h.planned)
    return _passes(pool, sample, wrong, asked, h.cutoffs)


def _by_class(
    pool: pd.DataFrame,
    sample: npt.NDArray[np.object_],
    wrong: npt.NDArray[np.bool_],
    found: _Found,
) -> tuple[ClassCount, ...]:
    """Count the sample's accepted items, and the wrong ones among them, by proposed class."""
    if "value" not in pool.columns:
        return ()
    rows = pool.set_index("item_id")
    cuts = found.cut_of(rows["value"])
    inside = (rows["confidence"] >= cuts) & rows["value"].notna()
    counted = inside if found.threshold is not None else rows["confidence"].notna()
    judged = counted.reindex(sample).to_numpy(dtype=bool)
    looked = rows["value"].reindex(sample)[judged]
    n, errors = looked.value_counts(), looked[wrong[judged]].value_counts()
    accepted = rows.loc[inside, "value"].value_counts()
    cut_by_value = cuts.groupby(rows["value"]).first()
    return tuple(
        ClassCount(
            str(value),
            int(n.get(value, 0)),
            int(errors.get(value, 0)),
            int(accepted.get(value, 0)),
            None if np.isinf(cut_by_value[value]) else float(cut_by_value[value]),
        )
        for value in sorted(rows["value"].dropna().unique())
    )


def _cutoffs_for(pool: pd.DataFrame, looks: int, asked: _Asked) -> tuple[tuple[float, ...], ...]:
    """Choose what a selective e-process will test, from the scores alone; else nothing.

    Parameters
    ----------
    pool : frame
        item_id, confidence, value: of the whole label set.
    looks : int
        Calibration looks planned so far.
    asked : _Asked
    """
    if (asked.rule, asked.test) != ("selective", ANYTIME):
        return ()
    scores = pool["confidence"].to_numpy(dtype=np.float64)
    if not asked.classes:
        return (selective_cutoffs(scores, looks=looks, error=asked.error, risk=asked.risk),)
    risk, values = asked.risk / len(asked.classes), pool["value"].to_numpy(dtype=object)
    found = []
    for value in asked.classes:
        own = scores[values == value]
        share = round(looks * own.size / max(len(pool), 1))
        found.append(selective_cutoffs(own, looks=share, error=asked.error, risk=risk))
    return tuple(found)


def _passes(
    pool: pd.DataFrame,
    sample: npt.NDArray[np.object_],
    wrong: npt.NDArray[np.bool_],
    asked: _Asked,
    cutoffs: tuple[tuple[float, ...], ...] = (),
) -> _Found:
    """Test a labeler on its calibration sample.

    Parameters
    ----------
    pool : frame
        item_id and confidence of the whole label set; value where classes are tested one by one.
    sample : (n,) item ids in the order of the draw
    wrong : (n,) bool array
    asked : _Asked
    cutoffs : tuple of tuple of float
        From `_cutoffs_for`, at the first look.
    """
    scores = pool["confidence"].to_numpy(dtype=np.float64)
    rows = pool.set_index("item_id").reindex(sample)
    looks = rows["confidence"].to_numpy(dtype=np.float64)
    if not asked.classes:
        grid = cutoffs[0] if cutoffs else ()
        found = _one(scores, looks, wrong, asked, grid)
        threshold, accepted = found.threshold, found.accepted
        return _Found(threshold, (), accepted, found.errors, found.critical, found.reason, False)
    values, proposed = pool["value"].to_numpy(dtype=object), rows["value"].to_numpy(dtype=object)
    parts = {}
    for place, value in enumerate(asked.classes):
        own, mine = scores[values == value], proposed == value
        grid = cutoffs[place] if cutoffs else ()
        each = replace(
            asked,
            risk=asked.risk / len(asked.classes),
            planned=planned_among(mine, asked.planned),
        )
        parts[value] = _one(own, looks[mine], wrong[mine], each, grid)
    return _together(parts)


def _one(
    pool: npt.NDArray[np.float64],
    looks: npt.NDArray[np.float64],
    wrong: npt.NDArray[np.bool_],
    asked: _Asked,
    cutoffs: tuple[float, ...],
) -> Acceptance:
    """Test all, or the proposals of one class."""
    error, risk, planned = asked.error, asked.risk, asked.planned
    if asked.test == ANYTIME:
        if asked.rule == "joint":
            return joint_anytime(pool, looks, wrong, error=error, risk=risk, planned=planned)
        return selective_anytime(
            pool, looks, wrong, cutoffs=cutoffs, error=error, risk=risk, planned=planned
        )
    if asked.rule == "joint":
        return joint_threshold(pool, looks, wrong, error=error, risk=risk, pool_size=pool.size)
    return selective_threshold(pool, looks, wrong, error=error, risk=risk)


def _together(parts: dict[str, Acceptance]) -> _Found:
    thresholds = tuple((v, p.threshold) for v, p in parts.items() if p.threshold is not None)
    failed = [f"{value}: {p.reason}" for value, p in parts.items() if p.threshold is None]
    reason = f"{len(thresholds)} of {len(parts)} classes are accepted"
    return _Found(
        threshold=min((cut for _, cut in thresholds), default=None),
        thresholds=thresholds,
        accepted=sum(p.accepted for p in parts.values()),
        errors=sum(p.errors for p in parts.values()),
        critical=max(p.critical for p in parts.values()),
        reason=f"{reason}; {'; '.join(failed)}" if failed else reason,
        by_class=True,
    )
