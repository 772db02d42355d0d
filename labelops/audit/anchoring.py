"""Who follows pre-labels: agreement with a proposal that was seen, against one that was hidden."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from labelops.measure.finite import hypergeometric_cdf
from labelops.measure.given import check_share

from .annotators import given_votes

__all__ = ["Anchoring", "anchoring", "find_swayed"]


@dataclass(frozen=True, slots=True)
class Anchoring:
    """How much more often annotators agree with a proposal when they see it.

    Attributes
    ----------
    shown_agree, shown : int
        Votes that equal the proposal, and all votes, where it was on the screen.
    blind_agree, blind : int
        The same where it was hidden.
    difference : float
        Agreement shown minus blind, in [-1, 1]; NaN without votes of both sorts.
    low, high : float
        Interval of the difference; (-1, 1) without votes of both sorts.
    p_value : float
        Of "no more often when they see it" (Fisher's exact test); 1 without votes of both sorts.
    """

    shown_agree: int
    shown: int
    blind_agree: int
    blind: int
    difference: float
    low: float
    high: float
    p_value: float = 1.0


def anchoring(
    votes: pd.DataFrame,
    plan: pd.DataFrame,
    proposals: pd.DataFrame,
    *,
    annotator: str | None = None,
    confidence: float = 0.95,
) -> Anchoring:
    """Compare agreement with the proposal between shown and blind votes.

    Only votes of purpose ``label`` are compared, and of an item's only those asked for first:
    the blind ones among them are a random share, while calibration and audit samples, and the
    blind votes that settle a doubt, are about other items.

    Parameters
    ----------
    votes, plan, proposals : frames of those tables
        A vote is matched to the proposal in force when it was planned.
    annotator : str, optional
        Only this annotator's votes; everybody's when left out.
    confidence : float
        Of the interval.

    Returns
    -------
    Anchoring
        With Newcombe's interval for a difference of two shares.

    References
    ----------
    Newcombe 1998, https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8%3C873::AID-SIM779%3E3.0.CO;2-I
    """
    check_share("confidence", confidence, inside=True)
    rows = _beside_proposals(votes, plan, proposals)
    if annotator is not None:
        rows = rows[rows["annotator"] == annotator]
    return _anchored(rows, confidence)


def find_swayed(
    votes: pd.DataFrame, plan: pd.DataFrame, proposals: pd.DataFrame, *, risk: float = 0.05
) -> dict[str, Anchoring]:
    """Find who agrees with a proposal more often when they see it, by name.

    By the exact test: at the small risks of many looks an interval by a normal approximation would
    accuse people of few blind votes many times too often.

    Parameters
    ----------
    votes, plan, proposals : frames of those tables
    risk : float
        Tolerated share of false findings (Benjamini–Hochberg over everybody who gave votes beside
        a proposal), in (0, 1).

    Raises
    ------
    UsageError
        The risk is out of range.

    Notes
    -----
    It rests on proposals that are hidden by chance alone, as labelops hides them. Then items may
    differ in difficulty as they like: in 300 simulated teams of six, somebody was found in 4 %
    where nobody follows anything. Where proposals are hidden on doubtful items more often, there
    is less agreement with hidden ones without anybody being swayed: somebody was found in 78 %.
    """
    from scipy.stats import false_discovery_control  # lazy: .4 s

    check_share("risk", risk, inside=True)
    rows = _beside_proposals(votes, plan, proposals)
    each = {str(name): _anchored(own, 0.95) for name, own in rows.groupby("annotator", sort=True)}
    if not each:
        return {}
    found = false_discovery_control([one.p_value for one in each.values()]) <= risk
    return {name: one for (name, one), flag in zip(each.items(), found, strict=True) if flag}


def _beside_proposals(
    votes: pd.DataFrame, plan: pd.DataFrame, proposals: pd.DataFrame
) -> pd.DataFrame:
    """Return label votes with what was proposed when they were planned."""
    given = given_votes(votes)
    given = given[given["purpose"] == "label"]
    # Of an item's label votes only those asked for first: who settles a doubt looks blind, and
    # doubtful items agree less with anybody.
    asked = plan.loc[plan["purpose"] == "label", ["item_id", "round", "purpose", "labeler_version"]]
    asked = asked.sort_values("round", kind="stable").drop_duplicates("item_id")
    proposed = proposals.drop_duplicates(["item_id", "labeler_version"], keep="last")
    proposed = proposed[["item_id", "labeler_version", "value"]].dropna()
    return given.merge(asked, on=["item_id", "round", "purpose"]).merge(
        proposed, on=["item_id", "labeler_version"], suffixes=("", "_proposed")
    )


def _anchored(rows: pd.DataFrame, confidence: float) -> Anchoring:
    agree = (rows["value"] == rows["value_proposed"]).to_numpy(dtype=bool)
    saw = rows["saw_proposal"].to_numpy(dtype=bool)
    return _compared(
        int(agree[saw].sum()), int(saw.sum()), int(agree[~saw].sum()), int((~saw).sum()), confidence
    )


def _compared(a: int, m: int, b: int, n: int, confidence: float) -> Anchoring:
    if not (m and n):
        return Anchoring(a, m, b, n, float("nan"), -1.0, 1.0)
    p, q = a / m, b / n
    p_low, p_high = _wilson(a, m, confidence)
    q_low, q_high = _wilson(b, n, confidence)
    low = p - q - float(np.hypot(p - p_low, q_high - q))
    high = p - q + float(np.hypot(p_high - p, q - q_low))
    return Anchoring(a, m, b, n, p - q, low, high, hypergeometric_cdf(b, m + n, a + b, n))


def _wilson(k: int, n: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a share."""
    z = float(ndtri(0.5 + confidence / 2))
    centre = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * float(np.sqrt(k * (n - k) / n + z * z / 4))
    return centre - half, centre + half
