"""Which votes are in force: the newest word of each annotator on each item."""

from __future__ import annotations

import pandas as pd

from labelops.kinds import kind_of
from labelops.schema import Schema
from labelops.tables import VOTES, newest

__all__ = ["current_votes"]


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
