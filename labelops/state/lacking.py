"""What could not be had when it was asked for: a labeler, features, rows of a source."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd

__all__ = ["Refusal", "Unasked", "refused_rows", "still_away"]


@dataclass(frozen=True, slots=True)
class Unasked:
    """The labeler, or what gives features, could not be asked, and has not been since.

    Parameters
    ----------
    reason : str
        What went wrong the last time, in words.
    since : timestamp
        The first time.
    given_up : bool
        Whether that is longer ago than people wait for anybody (`[route] settle_days`).
    """

    reason: str
    since: pd.Timestamp
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused of a source when it was read last.

    Parameters
    ----------
    why : str
        In words; empty where bad rows are all.
    set_aside : tuple of str
        Items whose rows have other content, and were set aside; all else was taken in.
    bad : tuple of str
        What is wrong with rows that were set aside for it, a line each; of very many the first.
    bad_rows : int
        How many such rows there are.
    """

    why: str
    set_aside: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    bad_rows: int = 0


def still_away(said: pd.DataFrame) -> Unasked | None:
    """Return what the last of these events says could not be asked; None where it could again.

    Examples
    --------
    >>> said = pd.DataFrame({"body": ['{"reason":"no connection","since":"2026-01-01T00:00Z"}']})
    >>> still_away(said).reason
    'no connection'
    """
    last = {} if said.empty else json.loads(said["body"].iloc[-1])
    if not last.get("reason"):
        return None
    return Unasked(last["reason"], pd.Timestamp(last["since"]), last.get("given_up", False))


def refused_rows(said: pd.DataFrame) -> dict[str, Refusal]:
    """Return what was refused of each source, from its newest event; without those read in full.

    Examples
    --------
    >>> bodies = ['{"why":"","set_aside":[]}', '{"why":"no such file","set_aside":[]}']
    >>> refused_rows(pd.DataFrame({"subject": ["a", "b"], "body": bodies}))["b"].why
    'no such file'
    """
    found = {}
    for source, text in zip(said["subject"], said["body"], strict=True):
        body = json.loads(text)
        aside, bad = tuple(body["set_aside"]), tuple(body.get("bad", ()))
        found[source] = Refusal(body["why"], aside, bad, body.get("bad_rows", 0))
    return {source: one for source, one in found.items() if one != Refusal("")}
