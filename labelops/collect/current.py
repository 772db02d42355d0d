"""Which votes are in force: the newest word of each annotator on each item."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pandas as pd

from labelops.kinds import kind_of
from labelops.schema import Schema
from labelops.tables import VOTES, newest

__all__ = ["counting_votes", "current_votes", "permitted_votes"]

_PLAN_KEY = ["item_id", "round", "purpose"]


def current_votes(votes: pd.DataFrame, schema: Schema | None = None) -> pd.DataFrame:
    """Collapse vote events to the given votes in force, one an item, annotator and purpose.

    First the newest revision of each vote counts; skipped and deleted ones are left out.
    Where one annotator has several votes on an item for one purpose (asked in two rounds),
    the one given last counts. The order of rows, and repeated rows, change nothing.

    Parameters
    ----------
    votes : rows of the votes table
        All revisions.
    schema : Schema, optional
        If given, values under a class's old name are returned under its present one.

    Returns
    -------
    rows of the votes table, sorted by item, annotator and purpose.

    Raises
    ------
    SchemaError
        If `schema` is given and a value is outside it.

    Examples
    --------
    >>> from labelops.tables import empty
    >>> len(current_votes(empty(VOTES)))
    0
    """
    latest = newest(VOTES, votes)
    given = _last_of(latest[latest["status"] == "given"], ["item_id", "annotator", "purpose"])
    return given if schema is None else given.assign(value=_in_words_of(given["value"], schema))


def counting_votes(
    votes: pd.DataFrame, purposes: Iterable[str], excluded_annotators: Iterable[str] = ()
) -> pd.DataFrame:
    """Return the votes that count for some purposes: one an item and annotator, the last given.

    Parameters
    ----------
    votes : rows of the votes table
        From `current_votes`.
    purposes : iterable of str
        Which purposes count, e.g. ``("label", "review")``; random audits count for nothing
        they are to measure.
    excluded_annotators : iterable of str
        Whose votes do not count, e.g. those who click at random.

    Returns
    -------
    rows of the votes table, sorted by item and annotator.
    """
    counts = votes["purpose"].isin(list(purposes))
    counts &= ~votes["annotator"].isin(list(excluded_annotators))
    return _last_of(votes[counts], ["item_id", "annotator"])


def permitted_votes(votes: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Leave out votes by people whom the plan row had excluded from the item.

    Some queues cannot keep an annotator from an item; an audit by the one who labeled it
    would be no audit. A vote whose plan row is not given is permitted.

    Parameters
    ----------
    votes : rows of the votes table
    plan : rows of the plan table

    Returns
    -------
    rows of the votes table, in the same order.
    """
    lists = {text: json.loads(text) for text in plan["exclude"].unique()}
    barred = plan[_PLAN_KEY].assign(annotator=plan["exclude"].map(lists)).explode("annotator")
    barred = barred.dropna(subset="annotator").drop_duplicates()
    key = [*_PLAN_KEY, "annotator"]
    hit = pd.MultiIndex.from_frame(votes[key]).isin(pd.MultiIndex.from_frame(barred[key]))
    return votes[~hit].reset_index(drop=True)


def _last_of(votes: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Keep the vote given last of each key; of two at one time the larger vote id."""
    votes = votes.reset_index(drop=True)
    repeated = votes.duplicated(key, keep=False).to_numpy()
    if repeated.any():
        ranked = votes[repeated].sort_values([*key, "revision", "vote_id"], kind="stable")
        votes = votes.drop(index=ranked.index[ranked.duplicated(key, keep="last")])
    return votes.sort_values(key, kind="stable", ignore_index=True)


def _in_words_of(values: pd.Series, schema: Schema) -> pd.Series:
    kind = kind_of(schema)
    words = {v: kind.canonical(kind.parse(v, schema), schema) for v in values.unique()}
    return values.map(words).astype(object)
