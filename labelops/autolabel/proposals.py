"""A labeler's answers become proposals: checked cell by cell, never repaired silently."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import EndProtocolError, LeakageError, SchemaError, TableError, shown
from ..kinds import kind_of
from ..kinds.choice import codes_of
from ..schema import Schema
from ..tables import PROPOSALS, TableSpec, check, frame_of, probs_matrix

__all__ = ["check_answers", "proposals_frame"]

_COLUMNS = ("item_id", "value", "confidence", "probs", "fold")
_TOLERANCE = 1e-6

_ANSWERS = TableSpec("answers", ("item_id",), tuple(PROPOSALS[name] for name in _COLUMNS))


def check_answers(
    answers: pd.DataFrame, items: pd.DataFrame, schema: Schema, *, trained: Collection[str] = ()
) -> pd.DataFrame:
    """Return the answers in the order of `items`, or name the item and what is wrong with it.

    Parameters
    ----------
    answers : DataFrame
        What `Labeler.propose` returned: item_id, value, confidence, probs, fold.
    items : items frame
        What was asked; columns item_id and group.
    schema : Schema
        The schema in force; a value under an old class name comes back under the new one.
    trained : collection of str
        Ids of the items that the labeler was fitted on.

    Returns
    -------
    DataFrame of the same columns, at most one row an item. Confidence is the probability of
    the value where probabilities are given; NaN where there is none. Items without an answer
    have no row.

    Raises
    ------
    EndProtocolError
        If an answer is about an item not asked or answered before, its value is not one of the
        schema's, its probabilities are not K finite numbers from 0 that sum to 1, or its
        confidence is another than the probabilities say.
    LeakageError
        If an item that was trained on, or one of its leakage group, was not held out.

    Examples
    --------
    >>> items = pd.DataFrame({"item_id": ["a", "b"], "group": ["a", "b"]})
    >>> answers = pd.DataFrame({"item_id": ["b"], "value": ['"dog"'], "confidence": [np.nan],
    ...     "probs": [np.array([0.3, 0.7])], "fold": [None]})
    >>> check_answers(answers, items, Schema("pets", ("cat", "dog")))["confidence"].tolist()
    [0.7]
    """
    try:
        answers = check(_ANSWERS, answers)
    except TableError as error:
        raise EndProtocolError(_about_items(error, answers)) from None
    _check_ids(answers["item_id"], items["item_id"])
    answers = answers.assign(value=_canonical(answers, schema))
    codes = codes_of(answers["value"], schema)
    answers = answers.assign(confidence=_confidence(answers, codes, len(schema.classes)))
    _refuse_in_sample(answers, items, trained)
    place = pd.Series(np.arange(len(items)), index=items["item_id"])
    order = np.argsort(answers["item_id"].map(place).to_numpy(dtype=np.int64), kind="stable")
    return answers.iloc[order].reset_index(drop=True)


def proposals_frame(
    answers: pd.DataFrame, labeler: str, version: str, schema: Schema, now: datetime
) -> pd.DataFrame:
    """Return rows of the proposals table for checked answers.

    Parameters
    ----------
    answers : DataFrame
        From `check_answers`.
    labeler, version : str
        Who proposes, and the digest that `Labeler.fit` returned.
    schema : Schema
    now : datetime
        With a time zone.

    Raises
    ------
    TableError
        If the rows break the table's contract.
    """
    given = {name: answers[name] for name in _COLUMNS}
    signed = {"labeler": labeler, "labeler_version": version, "schema_digest": schema.digest}
    return frame_of(PROPOSALS, {**given, **signed, "proposed_at": now}, len(answers))


def _about_items(error: TableError, answers: pd.DataFrame) -> str:
    """Say the ids beside the row numbers: a labeler's rows have no numbers for its owner."""
    rows = [p.split(",")[0].removeprefix("row ") for p in error.problems[:1]]
    known = [int(r) for r in rows if r.isdigit() and "item_id" in answers.columns]
    named = "".join(f"item {shown(answers['item_id'].iloc[r])}: " for r in known)
    return f"answers of the labeler: {named}{error}; mend the labeler"


def _fail(item: object, column: str, value: object, expected: str) -> EndProtocolError:
    return EndProtocolError(
        f"answers of the labeler: item {shown(item)}, column {column!r}: found {shown(value)}, "
        f"expected {expected}; mend the labeler"
    )


def _check_ids(answered: pd.Series, asked: pd.Series) -> None:
    invented = ~answered.isin(asked)
    if invented.any():
        item = answered[invented].iloc[0]
        raise _fail(item, "item_id", item, "only items that were asked about")
    twice = answered.duplicated()
    if twice.any():
        item = answered[twice].iloc[0]
        raise _fail(item, "item_id", item, "one row an item, not two")


def _canonical(answers: pd.DataFrame, schema: Schema) -> npt.NDArray[np.object_]:
    kind = kind_of(schema)
    places, uniques = pd.factorize(answers["value"].to_numpy(dtype=object))
    table = np.empty(len(uniques) + 1, dtype=object)
    for place, value in enumerate(uniques):
        try:
            table[place] = kind.canonical(kind.parse(value, schema), schema)
        except SchemaError as error:
            item = answers["item_id"].iloc[int(np.flatnonzero(places == place)[0])]
            raise _fail(item, "value", value, f"a class in JSON ({error})") from None
    # The last cell is None: where the value is missing, factorize says -1.
    values: npt.NDArray[np.object_] = table[places]
    return values


def _confidence(
    answers: pd.DataFrame, codes: npt.NDArray[np.int64], K: int
) -> npt.NDArray[np.float64]:
    given = answers["confidence"].to_numpy(dtype=np.float64)
    silent = np.flatnonzero((codes < 0) & ~np.isnan(given))
    if len(silent):
        row = silent[0]
        raise _fail(answers["item_id"].iloc[row], "confidence", given[row], "NaN without a value")
    has = answers["probs"].notna().to_numpy()
    probs = _checked_probs(answers, K)
    told = has & (codes >= 0)
    result: npt.NDArray[np.float64] = given.copy()
    result[told] = probs[told, codes[told]]
    off = np.flatnonzero(told & ~np.isnan(given) & (np.abs(result - given) > _TOLERANCE))
    if len(off):
        row = off[0]
        expected = f"{result[row]:.6g}, its probability of the value"
        raise _fail(answers["item_id"].iloc[row], "confidence", given[row], expected)
    result.clip(0.0, 1.0, out=result)
    return result


def _checked_probs(answers: pd.DataFrame, K: int) -> npt.NDArray[np.float64]:
    lengths = np.array([K if p is None else len(p) for p in answers["probs"]])
    if (lengths != K).any():
        row = int(np.flatnonzero(lengths != K)[0])
        expected = f"{K} numbers, one a class in the schema's order"
        item = answers["item_id"].iloc[row]
        raise _fail(item, "probs", answers["probs"].iloc[row].tolist(), expected)
    probs = probs_matrix(answers["probs"], K)
    has = ~np.isnan(probs).any(axis=1)
    negative = has & (probs < 0).any(axis=1)
    unequal = has & (np.abs(probs.sum(axis=1) - 1) > _TOLERANCE)
    for wrong, expected in ((negative, "numbers from 0 to 1"), (unequal, "a sum of 1")):
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise _fail(answers["item_id"].iloc[row], "probs", probs[row].tolist(), expected)
    return probs


def _refuse_in_sample(answers: pd.DataFrame, items: pd.DataFrame, trained: Collection[str]) -> None:
    seen = items["item_id"].isin(list(trained))
    groups = items.loc[seen, "group"]
    near = items.loc[seen | items["group"].isin(groups), "item_id"]
    answered = answers["value"].notna() & answers["fold"].isna()
    leaked = answers.loc[answered & answers["item_id"].isin(near), "item_id"]
    if len(leaked):
        raise LeakageError(
            f"answers of the labeler: item {shown(leaked.iloc[0])}, column 'fold' is missing, but "
            "the labeler was fitted on it or on one of its leakage group "
            f"({len(leaked)} such items); propose them with a model that held them out"
        )
