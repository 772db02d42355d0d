"""From the votes on a label set's items to each item's class, as far as they settle it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import UsageError
from ..kinds.choice import codes_of
from ..schema import Schema
from .choose import consolidate_codes
from .opinions import Voices, opinion_beside
from .policy import ConsolidatePolicy
from .with_model import consolidate_with_model

__all__ = ["Consensus", "consolidate_votes"]


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
    alone : (N, K) float array or None
        What the model, with what rules add, says of each item without its votes: softened as far
        as the votes say, sharpened no further than those on items drawn at random say as well
        (see `consolidate_with_model`).
        None where it stands beside no vote.
    weighed : bool
        Whether there were enough votes to tell how far.
    """

    item_ids: npt.NDArray[np.object_]
    posterior: npt.NDArray[np.float64]
    codes: npt.NDArray[np.int64]
    votes: npt.NDArray[np.int64]
    evidence: npt.NDArray[np.object_]
    method: str
    reason: str
    accuracy: Mapping[str, float]
    alone: npt.NDArray[np.float64] | None = None
    weighed: bool = False


def consolidate_votes(
    item_ids: npt.ArrayLike,
    votes: pd.DataFrame,
    schema: Schema,
    policy: ConsolidatePolicy,
    probs: npt.NDArray[np.float64] | None = None,
    voices: Voices | None = None,
    drawn: npt.NDArray[np.bool_] | None = None,
    sure: float = 0.0,
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
    drawn : (N,) bool array, optional
        Items that people were asked about for being drawn at random: they say how far a model may
        be sharpened (`Consensus.alone`).
    sure : float
        From which posterior up a model's word is taken by itself; then only those of `drawn` that
        it would be taken of say how far.

    Raises
    ------
    SchemaError
        If a vote's value is not one of the schema's.
    UsageError
        If the policy leaves open how sure a label has to be.
    """
    if not policy.min_posterior:
        raise UsageError("min_posterior is 0: it follows from the gate's bound; name it here")
    ids = np.asarray(item_ids, dtype=object)
    places = pd.Index(ids).get_indexer(votes["item_id"])
    votes = votes.loc[places >= 0]
    items = places[places >= 0]
    codes = codes_of(votes["value"], schema)
    annotators, names = pd.factorize(votes["annotator"].to_numpy(dtype=object), sort=True)
    size = (len(ids), len(schema.classes))
    opinion, fused = None, None
    if policy.method == "auto":
        opinion = opinion_beside(ids, items, codes, schema, probs, voices)
    if opinion is not None and len(votes):
        saw = votes["saw_proposal"].to_numpy(dtype=bool)
        fused = consolidate_with_model(
            items, annotators, codes, opinion.probs, len(names),
            saw=saw, proposed=opinion.proposed, drawn=drawn, sure=sure,
        )  # fmt: skip
        posterior, accuracy = fused.posterior, fused.accuracy
        method, reason = opinion.method, opinion.reason
    else:
        found = consolidate_codes(items, annotators, codes, *size, method=policy.method)
        posterior, accuracy = found.posterior, found.accuracy
        method, reason, opinion = found.method, found.reason, None
    counts = np.bincount(items, minlength=len(ids))
    decided = (counts > 0) & _stands_out(posterior, policy.min_posterior)
    if opinion is not None:
        # What only a model says needs the test of acceptance, whatever people said instead.
        decided &= _somebody_says(posterior, items, codes)
    return Consensus(
        item_ids=ids,
        posterior=posterior,
        codes=np.where(decided, posterior.argmax(axis=1), -1) if len(ids) else counts,
        votes=counts,
        evidence=_evidence(
            len(ids), items, votes["vote_id"], None if opinion is None else opinion.heard
        ),
        method=method,
        reason=reason,
        accuracy={str(n): float(x) for n, x in zip(names, accuracy, strict=True)},
        alone=None if fused is None else fused.alone,
        weighed=fused is not None and fused.weighed,
    )


def _stands_out(posterior: npt.NDArray[np.float64], least: float) -> npt.NDArray[np.bool_]:
    """Say of which items one class alone is the most probable, and probable enough."""
    peak = posterior.max(axis=1, initial=0.0)
    found: npt.NDArray[np.bool_] = (peak >= least) & ((posterior == peak[:, None]).sum(axis=1) == 1)
    return found


def _somebody_says(
    posterior: npt.NDArray[np.float64],
    items: npt.NDArray[np.intp],
    codes: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]:
    """Say of which items somebody voted for a most probable class."""
    size = posterior.shape
    said = np.bincount(items * size[1] + codes, minlength=posterior.size).reshape(size)
    best = posterior == posterior.max(axis=1, initial=0.0)[:, None]
    found: npt.NDArray[np.bool_] = (best & (said > 0)).any(axis=1)
    return found


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
