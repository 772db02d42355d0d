"""How good each annotator is, by evidence that does not contain their own votes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from labelops.errors import percent
from labelops.kinds.choice import codes_of
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.eprocess import log_e_value_above
from labelops.measure.evalues import e_benjamini_hochberg
from labelops.measure.given import check_share
from labelops.measure.intervals import clopper_pearson_arrays
from labelops.schema import Schema
from labelops.tables import VOTES, newest

__all__ = ["given_votes", "judge_annotators", "judged_votes"]

_SURE = 0.9  # Others must agree this strongly before their answer judges somebody.
_ROUNDS = 20
_CHUNK = 65_536


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
    with them. The others are wrong now and then, and who is right there differs from them: to do
    so as often as they are unsure is no evidence against anybody. Give a labeler's held-out
    proposals as votes (``model:…``) and they count as one more voice.

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
    given = given_votes(votes)
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
    latest = _latest(given_votes(votes))
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


def given_votes(votes: pd.DataFrame) -> pd.DataFrame:
    """Return the newest revision of each vote that names a class."""
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
