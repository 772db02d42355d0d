"""Votes, and a model beside them where votes are few: what `consolidate` runs on codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UsageError
from ..measure.codes import BoolArray, FloatArray, IntArray, check_codes
from ..measure.votes import pack_votes
from .choose import CodeConsensus, consolidate_codes
from .evidence import gold_softening, soften
from .repeats import left_out, replaced
from .skill import annotator_skill
from .with_model import consolidate_with_model

__all__ = ["fused_codes"]

_ENOUGH = 3.0


def fused_codes(
    items: IntArray,
    annotators: IntArray,
    codes: IntArray,
    probs: FloatArray | None,
    n_items: int,
    n_classes: int,
    *,
    method: str,
    n_annotators: int,
    weights: FloatArray | None,
    saw: BoolArray | None,
    gold: IntArray | None,
    min_gold: int,
    start: ArrayLike | CodeConsensus | None,
) -> CodeConsensus:
    """Use the model where half the voted items have fewer than three votes, else votes alone.

    Of an annotator's votes on an item the later one counts, and the reason says how many it
    replaced.

    Raises
    ------
    UsageError
        Weights and a model are given together.
    """
    earlier = replaced(items, annotators, _count(codes, weights))
    note = left_out(int(earlier.sum()))
    codes = np.where(earlier, -1, codes)
    per_item = np.bincount(items[codes >= 0], minlength=n_items)
    voted = per_item > 0
    middle = float(np.median(per_item[voted])) if voted.any() else 0.0
    if probs is None or method != "auto" or middle >= _ENOUGH:
        found = consolidate_codes(
            items, annotators, codes, n_items, n_classes, method=method,
            n_annotators=n_annotators, weights=weights, gold=gold, min_gold=min_gold, start=start,
        )  # fmt: skip
        return replace(found, reason=found.reason + note)
    if weights is not None and (weights != 1).any():
        raise UsageError("votes: weights are not read beside a model; leave one of them out")
    there = codes >= 0
    i, a, c = items[there], annotators[there], codes[there]
    fused = consolidate_with_model(
        i, a, c, probs, n_annotators, saw=None if saw is None else saw[there]
    )
    by_gold = None
    if gold is not None:
        counted = per_item.astype(np.float64)
        by_gold = gold_softening(fused.posterior, gold, counted, min_gold)
    temperature, doubt = (fused.temperature, 0.0) if by_gold is None else by_gold
    posterior = fused.posterior if by_gold is None else soften(fused.posterior, *by_gold)
    votes = pack_votes(i, a, c, n_items=n_items, n_annotators=n_annotators, n_classes=n_classes)
    model = fused.alone.copy()
    if saw is not None:
        # Who agrees with a proposal in sight is not borne out by it.
        model[i[saw[there]]] = 1 / n_classes
    truth = None if gold is None else check_codes(gold, n_classes)
    skill = annotator_skill(votes, posterior, truth=truth, evidence=model)
    prior = posterior[voted].sum(axis=0) + 1 / n_classes
    return CodeConsensus(
        posterior, per_item.astype(np.int64), skill.accuracy, skill.low, skill.high,
        skill.skills, prior / prior.sum(), "votes_and_model",
        f"a model is at hand and {_few_votes(middle)}{note}",
        "votes" if by_gold is None else "gold", temperature, doubt, fused.iterations, True,
        {}, {},
    )  # fmt: skip


def _count(codes: IntArray, weights: FloatArray | None) -> BoolArray:
    """Say which rows are votes: those with a class, and some weight."""
    return np.asarray(codes >= 0 if weights is None else (codes >= 0) & (weights > 0))


def _few_votes(middle: float) -> str:
    """Say that the median item has few votes."""
    return f"half the items have at most {'one vote' if middle == 1 else f'{middle:g} votes'}"
