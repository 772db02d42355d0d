"""What stands beside people's votes: a model's probabilities, and what rules say together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..kinds.choice import codes_of
from ..schema import Schema
from .voices import clear_majority, heard_yet, pool_opinions, voice_opinion

__all__ = ["Opinion", "Voices", "opinion_beside"]


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


@dataclass(frozen=True, slots=True)
class Opinion:
    """What stands beside people's votes of N items.

    Parameters
    ----------
    probs : (N, K) float array
        Rows of NaN where it says nothing.
    proposed : (N,) int array or None
        The class that a model's proposal showed, -1 where there was none; None: as `probs` say.
    heard : pair of (V,) int array and series of vote ids, or None
        Which votes of rules are in it, each with its item's place.
    method, reason : str
        What using it is called, and why it is used.
    """

    probs: npt.NDArray[np.float64]
    proposed: npt.NDArray[np.int64] | None
    heard: tuple[npt.NDArray[np.int64], pd.Series] | None
    method: str
    reason: str


def opinion_beside(
    ids: npt.NDArray[np.object_],
    items: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int64],
    schema: Schema,
    probs: npt.NDArray[np.float64] | None,
    voices: Voices | None,
) -> Opinion | None:
    """Join a model's probabilities and what rules say; None where there is neither.

    Parameters
    ----------
    ids : (N,) object array
    items, codes : (V,) int arrays
        People's votes: each one's item as a place in `ids`, and its class.
    schema : Schema
    probs : (N, K) float array, optional
        A model's; rows of NaN where it said nothing.
    voices : Voices, optional
    """
    by_model = (
        None
        if probs is None
        else Opinion(
            probs,
            None,
            None,
            "votes_and_model",
            "a model's held-out probabilities count too",
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
        return Opinion(said, proposed, heard, "votes_and_rules", reason)
    shown = np.where(np.isnan(probs).any(axis=1), -1, np.nan_to_num(probs).argmax(axis=1))
    pooled = pool_opinions(probs, said, people)
    return Opinion(pooled, shown, heard, "votes_model_and_rules", f"a model's, and {reason}")
