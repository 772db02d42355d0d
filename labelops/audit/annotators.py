"""How good each annotator is, by evidence that does not contain their own votes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from labelops.errors import percent
from labelops.kinds.choice import codes_of
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.eprocess import log_e_value_above
from labelops.measure.evalues import e_benjamini_hochberg
from labelops.measure.finite import hypergeometric_cdf
from labelops.measure.intervals import check_share, clopper_pearson_arrays
from labelops.schema import Schema
from labelops.tables import VOTES, newest

__all__ = ["Anchoring", "anchoring", "find_swayed", "judge_annotators", "judged_votes"]

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


@dataclass(frozen=True, slots=True)
class _Judged:
    """One vote an annotator and item, with what the others say about it."""

    annotators: IntArray
    names: list[str]
    reference: IntArray
    right: BoolArray
    sure: FloatArray


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
        Expected share of flags that are false, over all annotators (e-BH) and all looks: the
        evidence is an e-process and may be read after every vote. In (0, 1).
    confidence : float
        Of the intervals.

    Returns
    -------
    One row an annotator, sorted by name: annotator; votes (given); judged and right (counts);
    accuracy, low, high (Clopper–Pearson; NaN accuracy when nothing judges them); seconds (median;
    NaN when unknown); log_e (evidence against "accuracy is at least the floor"); flagged (never a
    model or a rule: they only propose); reason (empty when not flagged).

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
    Wang, Ramdas 2022, https://doi.org/10.1111/rssb.12489
    """
    check_share("floor", floor, inside=True)
    check_share("risk", risk, inside=True)
    given = _given(votes)
    judged = _judge(_latest(given), schema, gold or {})
    A = len(judged.names)
    known = judged.reference >= 0
    n = np.bincount(judged.annotators[known], minlength=A)
    right = np.bincount(judged.annotators[judged.right & known], minlength=A)
    sure = np.bincount(judged.annotators[known], weights=judged.sure[known], minlength=A)
    # Who is right where the reference is wrong differs from it: so often is allowed beside the
    # floor. On average over the votes: their likelihoods' product is largest where all are alike.
    agrees = floor * np.divide(sure, n, out=np.ones(A), where=n > 0)
    log_e = np.asarray(log_e_value_above(n - right, n, 1 - agrees), dtype=np.float64)
    frame = _describe(given, judged.names, n, right, confidence)
    frame["log_e"] = log_e
    frame["flagged"] = _flag(judged.names, log_e, risk)
    chance = 1 / len(schema.classes)
    facts = zip(right, n, frame["low"], frame["high"], strict=True)
    frame["reason"] = [
        _reason(*fact, floor, chance) if flag else ""
        for flag, fact in zip(frame["flagged"], facts, strict=True)
    ]
    return frame


def judged_votes(
    votes: pd.DataFrame, schema: Schema, *, gold: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Hold every vote against gold, or against what the others are sure of without it.

    Parameters are those of `judge_annotators`, and so are the references.

    Returns
    -------
    One row an annotator and item, in the order given: item_id, annotator, seconds, given_at,
    code, reference (-1 where nothing judges the vote), and right (1, 0 or NaN).
    """
    latest = _latest(_given(votes))
    judged = _judge(latest, schema, gold or {})
    known = judged.reference >= 0
    return latest[["item_id", "annotator", "seconds", "given_at"]].assign(
        code=codes_of(latest["value"], schema),
        reference=judged.reference,
        right=np.where(known, judged.right, np.nan),
    )


def _latest(given: pd.DataFrame) -> pd.DataFrame:
    """Return the newest vote of each annotator and item, in the order given."""
    rows = given.sort_values(["given_at", "vote_id"])
    return rows.drop_duplicates(["item_id", "annotator"], keep="last")


def _given(votes: pd.DataFrame) -> pd.DataFrame:
    current = newest(VOTES, votes)
    return current[(current["status"] == "given") & current["value"].notna()]


def _judge(latest: pd.DataFrame, schema: Schema, gold: Mapping[str, str]) -> _Judged:
    annotators, names = pd.factorize(latest["annotator"].to_numpy(dtype=object), sort=True)
    items, item_ids = pd.factorize(latest["item_id"].to_numpy(dtype=object), sort=True)
    codes = codes_of(latest["value"], schema)
    known = codes_of([gold.get(str(i)) for i in item_ids], schema)[items] if len(items) else codes
    reference, sure = _reference(items, annotators, codes, len(names), len(schema.classes), known)
    return _Judged(annotators, [str(n) for n in names], reference, reference == codes, sure)


def _reference(
    items: IntArray, annotators: IntArray, codes: IntArray, A: int, K: int, gold: IntArray
) -> tuple[IntArray, FloatArray]:
    """Return gold or what the others are sure of for each vote, (V,), and how sure.

    -1 where neither is.
    """
    accuracy = _accuracies(items, annotators, codes, A, K, gold)
    weight = _weights(accuracy, K)[annotators]
    belief = _belief(items, codes, weight, K)
    answer, how_sure = gold.copy(), np.ones(len(gold))
    for start in range(0, len(items), _CHUNK):
        part = slice(start, start + _CHUNK)
        logits = belief[items[part]]
        logits[np.arange(len(logits)), codes[part]] -= weight[part]
        share = _shares(logits).max(axis=1)
        others = np.where(share >= _SURE, logits.argmax(axis=1), -1)
        answer[part] = np.where(gold[part] >= 0, gold[part], others)
        how_sure[part] = np.where(gold[part] >= 0, 1.0, share)
    return answer, how_sure


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


def _flag(names: list[str], log_e: FloatArray, risk: float) -> BoolArray:
    people = np.array([not n.startswith(("model:", "rule:")) for n in names], dtype=bool)
    flagged = np.zeros(len(names), dtype=bool)
    flagged[people] = e_benjamini_hochberg(log_e[people], risk)
    return flagged


def _reason(right: int, judged: int, low: float, high: float, floor: float, chance: float) -> str:
    found = f"right on {right} of {judged} judged votes, at most {percent(high, 0)}"
    text = f"{found}; expected {percent(floor, 0)}"
    return f"{text}; no better than chance ({percent(chance, 0)})" if low <= chance else text


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
    given = _given(votes)
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
