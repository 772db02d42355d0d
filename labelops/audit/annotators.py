"""How good each annotator is, by evidence that does not contain their own votes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import bdtr, ndtri
from scipy.stats import false_discovery_control

from labelops.kinds.choice import codes_of
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.intervals import check_share, clopper_pearson_arrays
from labelops.schema import Schema
from labelops.tables import VOTES, newest

__all__ = ["Anchoring", "anchoring", "judge_annotators"]

_SURE = 0.9  # Others must agree this strongly before their answer judges somebody.
_ROUNDS = 20
_CHUNK = 65_536


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
    """

    shown_agree: int
    shown: int
    blind_agree: int
    blind: int
    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class _Judged:
    """One vote an annotator and item, with what the others say about it."""

    annotators: IntArray
    names: list[str]
    reference: IntArray
    right: BoolArray


def judge_annotators(
    votes: pd.DataFrame,
    schema: Schema,
    *,
    gold: Mapping[str, str] | None = None,
    floor: float = 0.8,
    risk: float = 0.01,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Measure every annotator against gold, else against what the others are sure of.

    The others' votes are weighed by how often each is right (one-coin Dawid–Skene), and an item
    judges somebody only where, without their own vote, one class has a probability of at least
    0.9. So a random clicker neither counts as a reference nor drags down those who share items
    with them. Give a labeler's held-out proposals as votes (``model:…``) and they count as one
    more voice.

    Parameters
    ----------
    votes : votes frame
        Rows of the votes table, any number of revisions.
    schema : Schema
        Gives the classes.
    gold : mapping of str to str, optional
        item_id → canonical value that is known to be right.
    floor : float
        Accuracy below which an annotator is flagged, in (0, 1).
    risk : float
        Expected share of flags that are false (Benjamini–Hochberg over annotators), in (0, 1).
    confidence : float
        Of the intervals.

    Returns
    -------
    One row an annotator, sorted by name: annotator; votes (given); judged and right (counts);
    accuracy, low, high (Clopper–Pearson; NaN accuracy when nothing judges them); seconds (median;
    NaN when unknown); p_value (of "accuracy is at least the floor"); flagged (never a model or a
    rule: they only propose); reason (empty when not flagged).

    Raises
    ------
    UsageError
        A share is out of range.
    SchemaError
        A vote or gold value is not one of the schema's.

    References
    ----------
    Dawid, Skene 1979, https://doi.org/10.2307/2346806
    Clopper, Pearson 1934, https://doi.org/10.1093/biomet/26.4.404
    Benjamini, Hochberg 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x
    """
    check_share("floor", floor, inside=True)
    check_share("risk", risk, inside=True)
    given = _given(votes)
    latest = given.sort_values(["given_at", "vote_id"]).drop_duplicates(
        ["item_id", "annotator"], keep="last"
    )
    judged = _judge(latest, schema, gold or {})
    A = len(judged.names)
    known = judged.reference >= 0
    n = np.bincount(judged.annotators[known], minlength=A)
    right = np.bincount(judged.annotators[judged.right & known], minlength=A)
    p_value = np.where(n > 0, bdtr(right, np.maximum(n, 1), floor), 1.0)
    frame = _describe(given, judged.names, n, right, confidence)
    frame["p_value"] = p_value
    frame["flagged"] = _flag(judged.names, p_value, risk)
    chance = 1 / len(schema.classes)
    facts = zip(right, n, frame["low"], frame["high"], strict=True)
    frame["reason"] = [
        _reason(*fact, floor, chance) if flag else ""
        for flag, fact in zip(frame["flagged"], facts, strict=True)
    ]
    return frame


def _given(votes: pd.DataFrame) -> pd.DataFrame:
    current = newest(VOTES, votes)
    return current[(current["status"] == "given") & current["value"].notna()]


def _judge(latest: pd.DataFrame, schema: Schema, gold: Mapping[str, str]) -> _Judged:
    annotators, names = pd.factorize(latest["annotator"].to_numpy(dtype=object), sort=True)
    items, item_ids = pd.factorize(latest["item_id"].to_numpy(dtype=object), sort=True)
    codes = codes_of(latest["value"], schema)
    known = codes_of([gold.get(str(i)) for i in item_ids], schema)[items] if len(items) else codes
    reference = _reference(items, annotators, codes, len(names), len(schema.classes), known)
    return _Judged(annotators, [str(n) for n in names], reference, reference == codes)


def _reference(
    items: IntArray, annotators: IntArray, codes: IntArray, A: int, K: int, gold: IntArray
) -> IntArray:
    """Return gold or what the others are sure of for each vote, (V,); -1 where neither is."""
    accuracy = _accuracies(items, annotators, codes, A, K, gold)
    weight = _weights(accuracy, K)[annotators]
    belief = _belief(items, codes, weight, K)
    answer = gold.copy()
    for start in range(0, len(items), _CHUNK):
        part = slice(start, start + _CHUNK)
        logits = belief[items[part]]
        logits[np.arange(len(logits)), codes[part]] -= weight[part]
        sure = _shares(logits).max(axis=1) >= _SURE
        others = np.where(sure, logits.argmax(axis=1), -1)
        answer[part] = np.where(gold[part] >= 0, gold[part], others)
    return answer


def _accuracies(
    items: IntArray, annotators: IntArray, codes: IntArray, A: int, K: int, gold: IntArray
) -> FloatArray:
    """Estimate one accuracy an annotator, by which the others' votes are weighed.

    Dawid and Skene's model with a single number for each annotator. Own votes take part here: an
    estimate without them shrinks to nothing where items have two votes only.
    """
    accuracy: FloatArray = np.full(A, 0.8)
    total = np.bincount(annotators, minlength=A)
    for _ in range(_ROUNDS):
        belief = _belief(items, codes, _weights(accuracy, K)[annotators], K)
        right = _shares(belief)[items, codes]
        right = np.where(gold >= 0, gold == codes, right)
        # Four votes' worth of an ordinary annotator keeps one lucky vote from deciding.
        sums = np.bincount(annotators, weights=right, minlength=A)
        accuracy = np.asarray((sums + 4 * 0.8) / (total + 4), dtype=np.float64)
    return accuracy


def _weights(accuracy: FloatArray, K: int) -> FloatArray:
    """Log odds that a vote for a class is right rather than one certain mistake."""
    inside = np.clip(accuracy, 1 / K, 0.99)
    return np.asarray(np.log(inside * (K - 1) / (1 - inside)), dtype=np.float64)


def _belief(items: IntArray, codes: IntArray, weight: FloatArray, K: int) -> FloatArray:
    N = int(items.max(initial=-1)) + 1
    belief = np.bincount(items * K + codes, weights=weight, minlength=N * K)
    return np.asarray(belief.reshape(N, K), dtype=np.float64)


def _shares(logits: FloatArray) -> FloatArray:
    scaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True), dtype=np.float64)


def _describe(
    given: pd.DataFrame, names: list[str], n: IntArray, right: IntArray, confidence: float
) -> pd.DataFrame:
    by = given.groupby("annotator", sort=True)
    low, high = clopper_pearson_arrays(right, n, confidence)
    accuracy = np.divide(right, n, out=np.full(len(names), np.nan), where=n > 0)
    return pd.DataFrame(
        {
            "annotator": names,
            "votes": by.size().to_numpy(dtype=np.int64),
            "judged": n,
            "right": right,
            "accuracy": accuracy,
            "low": low,
            "high": high,
            "seconds": by["seconds"].median().to_numpy(dtype=np.float64),
        }
    )


def _flag(names: list[str], p_value: FloatArray, risk: float) -> BoolArray:
    people = np.array([not n.startswith(("model:", "rule:")) for n in names], dtype=bool)
    flagged = np.zeros(len(names), dtype=bool)
    if people.any():
        flagged[people] = false_discovery_control(p_value[people], method="bh") <= risk
    return flagged


def _reason(right: int, judged: int, low: float, high: float, floor: float, chance: float) -> str:
    text = f"right on {right} of {judged} judged votes, at most {high:.0%}; expected {floor:.0%}"
    return f"{text}; no better than chance ({chance:.0%})" if low <= chance else text


def anchoring(
    votes: pd.DataFrame,
    plan: pd.DataFrame,
    proposals: pd.DataFrame,
    *,
    annotator: str | None = None,
    confidence: float = 0.95,
) -> Anchoring:
    """Compare agreement with the proposal between shown and blind votes.

    Only votes of purpose ``label`` are compared: the blind ones among them are a random share
    of the same items, while calibration and audit samples are other items.

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
    given = _given(votes)
    given = given[given["purpose"] == "label"]
    if annotator is not None:
        given = given[given["annotator"] == annotator]
    asked = plan[["item_id", "round", "purpose", "labeler_version"]].drop_duplicates(
        ["item_id", "round", "purpose"], keep="last"
    )
    proposed = proposals.drop_duplicates(["item_id", "labeler_version"], keep="last")
    proposed = proposed[["item_id", "labeler_version", "value"]].dropna()
    joined = given.merge(asked, on=["item_id", "round", "purpose"]).merge(
        proposed, on=["item_id", "labeler_version"], suffixes=("", "_proposed")
    )
    agree = (joined["value"] == joined["value_proposed"]).to_numpy(dtype=bool)
    saw = joined["saw_proposal"].to_numpy(dtype=bool)
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
    return Anchoring(a, m, b, n, p - q, low, high)


def _wilson(k: int, n: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a share."""
    z = float(ndtri(0.5 + confidence / 2))
    centre = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * float(np.sqrt(k * (n - k) / n + z * z / 4))
    return centre - half, centre + half
