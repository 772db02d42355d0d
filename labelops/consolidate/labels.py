"""From votes to rows of the labels table: a decided value and posterior, or what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..digest import canonical_json
from ..kinds.choice import codes_of, values_of
from ..schema import Schema
from ..tables import LABELS, empty, frame_of
from .choose import consolidate_codes
from .policy import ConsolidatePolicy
from .voices import clear_majority, heard_yet, pool_opinions, voice_opinion
from .with_model import consolidate_with_model

__all__ = ["UNDECIDED", "Consensus", "Voices", "changed_labels", "consolidate_votes", "label_rows"]

UNDECIDED = "undecided"
"""The method of an item that has not enough evidence for a label."""


@dataclass(frozen=True, slots=True)
class Consensus:
    """What the votes, and a model beside them, say of N items.

    Parameters
    ----------
    item_ids : (N,) object array
    posterior : (N, K) float array
        Rows sum to 1; an item without a vote has the model's (or the classes') prior. With the
        methods `votes_and_model`, `votes_and_rules` and `votes_model_and_rules` these are softened
        until the votes are likeliest under them, and votes given with a model's proposal in sight
        count less where they agree with it.
    codes : (N,) int array
        The decided class, -1 where no vote was given, the posterior is below the bound, two
        classes share it, or it is the model's alone.
    votes : (N,) int array
        Votes that count.
    evidence : (N,) object array of tuple of str
        Their vote ids, sorted.
    method : str
        Which method was used.
    reason : str
        Why that one.
    accuracy : mapping of annotator to float
        Estimated accuracy.
    """

    item_ids: npt.NDArray[np.object_]
    posterior: npt.NDArray[np.float64]
    codes: npt.NDArray[np.int64]
    votes: npt.NDArray[np.int64]
    evidence: npt.NDArray[np.object_]
    method: str
    reason: str
    accuracy: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Voices:
    """Votes of rules and models, and how their worth is estimated.

    Parameters
    ----------
    votes : VOTES rows
        One a voice and item; rows of other items are left out.
    folds : (N,) int array
        Which items are held out together when the voices are weighed; leakage groups whole.
    """

    votes: pd.DataFrame
    folds: npt.NDArray[np.int64]


def consolidate_votes(
    item_ids: npt.ArrayLike,
    votes: pd.DataFrame,
    schema: Schema,
    policy: ConsolidatePolicy,
    probs: npt.NDArray[np.float64] | None = None,
    voices: Voices | None = None,
) -> Consensus:
    """Estimate each item's class from the votes that count.

    Parameters
    ----------
    item_ids : (N,) item ids
    votes : VOTES rows
        People's: one counting vote an annotator and item (see `labelops.collect.current_votes`);
        rows of other items are left out.
    schema : Schema
    policy : ConsolidatePolicy
    probs : (N, K) float array, optional
        A model's out-of-fold probabilities; rows of NaN where it said nothing. Used with the
        method `auto` only.
    voices : Voices, optional
        What rules said. Together they are one more opinion beside the model's, and as with the
        model's no class is decided that no person named. Used with the method `auto` only, and
        from fifty items up that two people voted on.

    Raises
    ------
    SchemaError
        If a vote's value is not one of the schema's.
    """
    ids = np.asarray(item_ids, dtype=object)
    places = pd.Index(ids).get_indexer(votes["item_id"])
    votes = votes.loc[places >= 0]
    items = places[places >= 0]
    codes = codes_of(votes["value"], schema)
    annotators, names = pd.factorize(votes["annotator"].to_numpy(dtype=object), sort=True)
    size = (len(ids), len(schema.classes))
    opinion = (
        _opinion(ids, items, codes, schema, probs, voices) if policy.method == "auto" else None
    )
    if opinion is not None and len(votes):
        saw = votes["saw_proposal"].to_numpy(dtype=bool)
        fused = consolidate_with_model(
            items, annotators, codes, opinion.probs, len(names), saw=saw, proposed=opinion.proposed
        )
        posterior, accuracy = fused.posterior, fused.accuracy
        method, reason = opinion.method, opinion.reason
    else:
        found = consolidate_codes(items, annotators, codes, *size, method=policy.method)
        posterior, accuracy = found.posterior, found.accuracy
        method, reason, opinion = found.method, found.reason, None
    counts = np.bincount(items, minlength=len(ids))
    peak = posterior.max(axis=1, initial=0.0)
    sure = (peak >= policy.min_posterior) & (counts > 0)
    best = posterior == peak[:, None]
    sure &= best.sum(axis=1) == 1
    if opinion is not None:
        # What only a model says needs the test of acceptance, whatever people said instead.
        said = np.bincount(items * size[1] + codes, minlength=best.size).reshape(best.shape)
        sure &= (best & (said > 0)).any(axis=1)
    return Consensus(
        item_ids=ids,
        posterior=posterior,
        codes=np.where(sure, posterior.argmax(axis=1), -1) if len(ids) else counts,
        votes=counts,
        evidence=_evidence(
            len(ids), items, votes["vote_id"], None if opinion is None else opinion.heard
        ),
        method=method,
        reason=reason,
        accuracy={str(n): float(x) for n, x in zip(names, accuracy, strict=True)},
    )


@dataclass(frozen=True, slots=True)
class _Opinion:
    """What stands beside people's votes: (N, K) probabilities, and whose they are."""

    probs: npt.NDArray[np.float64]
    proposed: npt.NDArray[np.int64] | None
    heard: tuple[npt.NDArray[np.int64], pd.Series] | None
    method: str
    reason: str


def _opinion(
    ids: npt.NDArray[np.object_],
    items: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int64],
    schema: Schema,
    probs: npt.NDArray[np.float64] | None,
    voices: Voices | None,
) -> _Opinion | None:
    """Join a model's probabilities and what rules say; None where there is neither."""
    by_model = (
        None
        if probs is None
        else _Opinion(
            probs, None, None, "votes_and_model", "a model's out-of-fold probabilities are at hand"
        )
    )
    if voices is None or voices.votes.empty or not heard_yet(items):
        return by_model
    places = pd.Index(ids).get_indexer(voices.votes["item_id"])
    rows, where = voices.votes.loc[places >= 0], places[places >= 0]
    who, names = pd.factorize(rows["annotator"].to_numpy(dtype=object), sort=True)
    classes = len(schema.classes)
    people = clear_majority(items, codes, len(ids), classes)
    said = voice_opinion(
        where, who, codes_of(rows["value"], schema), people, voices.folds, len(names), classes
    )
    known = np.asarray(np.isfinite(said).all(axis=1))
    if not known.any():
        return by_model
    heard = (where[known[where]], rows["vote_id"].loc[known[where]])
    reason = "what rules say, weighed by people's votes on other items, is at hand"
    if probs is None:
        proposed = np.full(len(ids), -1)
        return _Opinion(said, proposed, heard, "votes_and_rules", reason)
    shown = np.where(np.isnan(probs).any(axis=1), -1, np.nan_to_num(probs).argmax(axis=1))
    pooled = pool_opinions(probs, said, people)
    return _Opinion(pooled, shown, heard, "votes_model_and_rules", f"a model's, and {reason}")


def _evidence(
    size: int,
    items: npt.NDArray[np.int64],
    vote_ids: pd.Series,
    heard: tuple[npt.NDArray[np.int64], pd.Series] | None,
) -> npt.NDArray[np.object_]:
    """Return the sorted ids of the votes behind each item that a person voted on."""
    ids = vote_ids.to_numpy(dtype=object)
    if heard is not None:
        voted = np.isin(heard[0], items)
        items = np.concatenate([items, heard[0][voted]])
        ids = np.concatenate([ids, heard[1].to_numpy(dtype=object)[voted]])
    result = np.empty(size, dtype=object)
    result[:] = [()] * size
    # Most items of a large set have no vote: only those that have one are looked at.
    order = np.argsort(items, kind="stable")
    places, starts = np.unique(items[order], return_index=True)
    for place, found in zip(places, np.split(ids[order], starts[1:]), strict=False):
        result[place] = tuple(sorted(found))
    return result


def label_rows(
    consensus: Consensus,
    accepted: pd.DataFrame,
    schema: Schema,
    *,
    revision: int,
    now: datetime,
) -> pd.DataFrame:
    """Decide every item: by its votes, else by an accepted proposal, else not yet.

    Votes go first: an accepted proposal that people contradict is no longer accepted, it is
    undecided until people settle it.

    Parameters
    ----------
    consensus : Consensus
    accepted : PROPOSALS rows
        Proposals that standing hypotheses accept, with the number of the `hypothesis`.
    schema : Schema
    revision, now
        Of the new rows.

    Returns
    -------
    LABELS rows, one an item in the consensus' order.
    """
    n = len(consensus.item_ids)
    by_people = consensus.codes >= 0
    rows = accepted.set_index("item_id").reindex(consensus.item_ids)
    by_model = (consensus.votes == 0) & rows["value"].notna().to_numpy()
    value = np.where(by_model, rows["value"].to_numpy(), values_of(consensus.codes, schema))
    peak = np.where(
        by_model,
        rows["confidence"].to_numpy(dtype=np.float64),
        consensus.posterior.max(axis=1, initial=0.0),
    )
    method = np.select(
        [by_people, by_model], [consensus.method, "accepted"], default=UNDECIDED
    ).astype(object)
    reason = np.select(
        [by_people, by_model, consensus.votes > 0],
        [
            f"{consensus.method}: {consensus.reason}",
            "proposal accepted under hypothesis " + _numbers(rows).astype(str).astype(object),
            "the votes so far are not enough evidence",
        ],
        default="nobody has looked and no proposal is accepted",
    ).astype(object)
    cells = np.empty(n, dtype=object)
    cells[:] = list(consensus.posterior)
    cells[by_model] = rows["probs"].to_numpy(dtype=object)[by_model]
    return frame_of(
        LABELS,
        {
            "item_id": consensus.item_ids,
            "revision": revision,
            "value": value,
            "posterior": np.where(method == UNDECIDED, np.nan, peak),
            "probs": cells,
            "method": method,
            "reason": reason,
            "evidence": _evidence_texts(consensus.evidence, by_model, rows),
            "schema_digest": schema.digest,
            "decided_at": now,
        },
        n,
    )


def _evidence_texts(
    votes: npt.NDArray[np.object_],
    by_model: npt.NDArray[np.bool_],
    rows: pd.DataFrame,
) -> npt.NDArray[np.object_]:
    versions, numbers = rows["labeler_version"].to_numpy(dtype=object), _numbers(rows)
    texts: npt.NDArray[np.object_] = np.full(len(votes), canonical_json({"votes": []}), object)
    for number in np.unique(numbers[by_model]):
        # A hypothesis is about one version.
        mine = by_model & (numbers == number)
        version = versions[mine][0]
        accepted = {"hypothesis": int(number), "labeler_version": version, "votes": []}
        texts[mine] = canonical_json(accepted)
    voted = np.fromiter(map(bool, votes), dtype=bool, count=len(votes))
    for place in np.flatnonzero(voted & ~by_model):
        texts[place] = canonical_json({"votes": list(votes[place])})
    return texts


def _numbers(rows: pd.DataFrame) -> npt.NDArray[np.int64]:
    numbers: npt.NDArray[np.int64] = rows["hypothesis"].fillna(0).to_numpy(dtype=np.int64)
    return numbers


def changed_labels(new: pd.DataFrame, old: pd.DataFrame, frozen: npt.ArrayLike) -> pd.DataFrame:
    """Keep the rows of `new` whose evidence differs from the newest label so far.

    A decided label is decided anew only when its own evidence changed: other items' votes
    move every posterior a little, and labels must not flicker.

    Parameters
    ----------
    new : LABELS rows, one an item
    old : LABELS rows, newest of each item
    frozen : item ids
        Labels under audit; they do not change by votes.

    Returns
    -------
    The rows of `new` to append.
    """
    if new.empty:
        return empty(LABELS)
    before = old.set_index("item_id").reindex(new["item_id"])
    same_evidence = before["evidence"].to_numpy() == new["evidence"].to_numpy()
    was_decided = before["value"].notna().to_numpy()
    stays_undecided = (new["method"] == UNDECIDED).to_numpy()
    keeps = same_evidence & (was_decided | stays_undecided)
    keeps |= new["item_id"].isin(np.asarray(frozen, dtype=object)).to_numpy()
    return new.loc[~keeps].reset_index(drop=True)
