"""Attempts to accept a model's labels, kept as events: each is a hypothesis with its own risk.

One labeler version tried on one pool of items is one hypothesis. The j-th gets the risk
6δ/(π²j²), which sums to δ over all that will ever be tried, so re-running the pipeline for
a year with ever new models stays within δ. A hypothesis once tested is never tested again:
its calibration votes cannot be asked twice for a luckier answer.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..digest import canonical_json, digest_bytes
from ..measure.eprocess import hypothesis_risk
from ..measure.intervals import binomial_upper
from ..measure.samples import RandomSample, expect_sample
from .acceptance import joint_threshold, selective_threshold
from .policy import AcceptancePolicy

__all__ = ["Hypothesis", "accepted_items", "best", "pool_digest", "read_hypotheses", "try_labeler"]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One attempt to accept a labeler version's proposals.

    Parameters
    ----------
    number : int
        j, from 1.
    labeler_version : str
    pool : str
        Digest of the ids of the items it speaks of.
    pool_size, sample : int
        Items in the pool and in its random calibration sample.
    rule : str
        The acceptance rule.
    error, risk : float
        ε and this hypothesis's share of δ.
    threshold : float or None
        Confidence from which proposals are accepted; None accepts nothing.
    accepted, errors, critical : int
        Items accepted; wrong calibration items among them; how many were tolerable.
    reason : str
        In words.
    closed : str
        Why it no longer accepts anything; empty while it stands.
    tested : str
        Digest of the ids of the items that had a proposal when it was tested: only those may be
        accepted, since an answer that came later was not tested.
    by_class : tuple of (value, n, errors)
        Of the calibration items that would be accepted: how many have this class proposed, and
        how many of those are wrong. The bound is for all classes together; one that is much
        worse shows here only.
    """

    number: int
    labeler_version: str
    pool: str
    pool_size: int
    sample: int
    rule: str
    error: float
    risk: float
    threshold: float | None
    accepted: int
    errors: int
    critical: int
    reason: str
    closed: str = ""
    tested: str = ""
    by_class: tuple[tuple[str, int, int], ...] = ()

    @property
    def key(self) -> str:
        """What makes two attempts the same one."""
        return f"{self.labeler_version}/{self.pool}"

    @property
    def classes_in_words(self) -> str:
        """Return each class's errors with what 95% confidence allows for it; empty if unknown."""
        return "; ".join(
            f"{json.loads(value)}: {errors} of {n} wrong, "
            f"at most {binomial_upper(errors, n, 0.05):.1%}"
            for value, n, errors in self.by_class
        )

    def to_body(self) -> str:
        """Return the hypothesis as the body of an event."""
        return canonical_json(asdict(self))


def pool_digest(item_ids: npt.ArrayLike) -> str:
    """Return a digest of a set of item ids, whatever their order.

    Examples
    --------
    >>> pool_digest(["b", "a"]) == pool_digest(["a", "b"])
    True
    """
    ids = sorted(str(i) for i in np.asarray(item_ids, dtype=object))
    return digest_bytes("\x00".join(ids).encode("utf-8", "surrogatepass"))[:32]


def read_hypotheses(bodies: pd.Series) -> list[Hypothesis]:
    """Read hypotheses from the bodies of their newest events, by number."""
    raw = [json.loads(body) for body in bodies]
    found = [
        Hypothesis(**{**one, "by_class": tuple(map(tuple, one.get("by_class", ())))}) for one in raw
    ]
    return sorted(found, key=lambda h: h.number)


def try_labeler(
    pool: pd.DataFrame,
    calibration: RandomSample,
    wrong: npt.ArrayLike,
    earlier: list[Hypothesis],
    policy: AcceptancePolicy,
) -> Hypothesis:
    """Test one labeler version on one pool.

    Parameters
    ----------
    pool : frame
        One row an item of the whole label set: item_id, confidence (NaN: none), and
        labeler_version (one and the same).
    calibration : RandomSample
        Of n items of the pool.
    wrong : (n,) bool array
        True where people found the proposal wrong.
    earlier : list of Hypothesis
        All tried before; they set this one's number and risk.
    policy : AcceptancePolicy
    """
    sample = expect_sample(calibration, RandomSample).ids
    number = len(earlier) + 1
    risk = hypothesis_risk(number, policy.risk)
    scores = pool.set_index("item_id")["confidence"]
    errors = np.asarray(wrong, dtype=bool)
    pool_scores, sample_scores = scores.to_numpy(), scores.reindex(sample).to_numpy()
    if policy.rule == "selective":
        found = selective_threshold(
            pool_scores, sample_scores, errors, error=policy.error, risk=risk
        )
    else:
        found = joint_threshold(
            pool_scores, sample_scores, errors, error=policy.error, risk=risk, pool_size=len(pool)
        )
    return Hypothesis(
        number=number,
        labeler_version=str(pool["labeler_version"].iloc[0]),
        pool=pool_digest(pool["item_id"]),
        pool_size=len(pool),
        sample=len(sample),
        rule=policy.rule,
        error=policy.error,
        risk=risk,
        threshold=found.threshold,
        accepted=found.accepted,
        errors=found.errors,
        critical=found.critical,
        reason=found.reason,
        tested=pool_digest(pool.loc[pool["confidence"].notna(), "item_id"]),
        by_class=_by_class(pool, sample, errors, found.threshold),
    )


def _by_class(
    pool: pd.DataFrame, sample: npt.NDArray[np.object_], wrong: npt.NDArray[np.bool_], cut: object
) -> tuple[tuple[str, int, int], ...]:
    """Count the sample's accepted items, and the wrong ones among them, by proposed class."""
    if cut is None or "value" not in pool.columns:
        return ()
    rows = pool.set_index("item_id").reindex(sample)
    inside = (rows["confidence"] >= cut).to_numpy() & rows["value"].notna().to_numpy()
    counts = pd.DataFrame({"value": rows["value"].to_numpy()[inside], "wrong": wrong[inside]})
    found = counts.groupby("value")["wrong"].agg(["size", "sum"]).sort_index()
    return tuple((str(v), int(n), int(k)) for v, n, k in found.itertuples())


def best(hypotheses: list[Hypothesis]) -> Hypothesis | None:
    """Return the standing hypothesis that accepts most; all of them hold together with 1 − δ."""
    standing = [h for h in hypotheses if not h.closed and h.threshold is not None and h.accepted]
    return max(standing, key=lambda h: (h.accepted, h.number), default=None)


def accepted_items(
    hypothesis: Hypothesis | None, proposals: pd.DataFrame, pool_ids: npt.ArrayLike
) -> pd.DataFrame:
    """Return the proposals that the hypothesis accepts.

    Parameters
    ----------
    hypothesis : Hypothesis or None
    proposals : PROPOSALS rows
    pool_ids : item ids
        The pool of the hypothesis.

    Returns
    -------
    The accepted PROPOSALS rows; none without a hypothesis.
    """
    if hypothesis is None or hypothesis.threshold is None:
        return proposals.iloc[:0]
    rows = proposals.loc[proposals["labeler_version"] == hypothesis.labeler_version]
    inside = rows["item_id"].isin(np.asarray(pool_ids, dtype=object))
    # NaN >= t is False: a missing confidence is never accepted.
    return rows.loc[inside & (rows["confidence"] >= hypothesis.threshold) & rows["value"].notna()]
