"""Votes, and a model beside them where votes are few: what `consolidate` runs on codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UsageError
from ..measure.codes import BoolArray, FloatArray, IntArray, check_codes
from ..measure.votes import Votes, pack_votes
from .choose import CodeConsensus, consolidate_codes
from .evidence import gold_softening, soften
from .repeats import left_out, replaced
from .skill import annotator_skill
from .with_model import WithModel, consolidate_with_model

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
    votes = pack_votes(
        items[there], annotators[there], codes[there], n_items=n_items, n_annotators=n_annotators,
        n_classes=n_classes,
    )  # fmt: skip
    fused = consolidate_with_model(
        items[there], annotators[there], codes[there], probs, n_annotators,
        saw=None if saw is None else saw[there],
    )  # fmt: skip
    in_sight = None if saw is None else items[there & saw]
    reason = f"a model is at hand and {_few_votes(middle)}{note}"
    return _consensus(fused, votes, in_sight, gold, min_gold, reason)


def _consensus(
    fused: WithModel,
    votes: Votes,
    in_sight: IntArray | None,
    gold: IntArray | None,
    min_gold: int,
    reason: str,
) -> CodeConsensus:
    """Calibrate what votes and model say together by gold, and judge the annotators by it.

    `in_sight`: items on which somebody saw the model's proposal, None where that is not known.
    """
    by_gold, truth = None, None
    if gold is not None:
        counted = votes.per_item.astype(np.float64)
        by_gold = gold_softening(fused.posterior, gold, counted, min_gold)
        truth = check_codes(gold, votes.n_classes)
    temperature, doubt = (fused.temperature, 0.0) if by_gold is None else by_gold
    posterior = fused.posterior if by_gold is None else soften(fused.posterior, *by_gold)
    model, even = fused.alone.copy(), 1 / votes.n_classes
    if in_sight is not None:
        # Who agrees with a proposal in sight is not borne out by it.
        model[in_sight] = even
    skill = annotator_skill(votes, posterior, truth=truth, evidence=model)
    prior = posterior[votes.per_item > 0].sum(axis=0) + even
    return CodeConsensus(
        posterior, votes.per_item, skill.accuracy, skill.low, skill.high, skill.skills,
        prior / prior.sum(), "votes_and_model", reason, "votes" if by_gold is None else "gold",
        temperature, doubt, fused.iterations, True, {}, {},
    )  # fmt: skip


def _count(codes: IntArray, weights: FloatArray | None) -> BoolArray:
    """Say which rows are votes: those with a class, and some weight."""
    return np.asarray(codes >= 0 if weights is None else (codes >= 0) & (weights > 0))


def _few_votes(middle: float) -> str:
    """Say that the median item has few votes."""
    return f"half the items have at most {'one vote' if middle == 1 else f'{middle:g} votes'}"
