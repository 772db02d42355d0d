"""Items that were taken out of the label set: by whom, why, and from which candidate on."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..consolidate.labels import UNDECIDED

__all__ = ["TAKEN_OUT", "Withdrawal", "out_when_frozen", "read_withdrawals", "without_labels"]

TAKEN_OUT = "withdrawn"
"""The kind of the events that say so."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What was said last of an item being in the label set.

    Parameters
    ----------
    item_id : str
    because, by : str
        Why, and who said so.
    at : Timestamp
    candidates : int
        How many candidates there were: those with a larger number know of it.
    out : bool
        False where it was taken back.
    """

    item_id: str
    because: str
    by: str
    at: pd.Timestamp
    candidates: int
    out: bool


def read_withdrawals(events: pd.DataFrame) -> tuple[Withdrawal, ...]:
    """Read all that was said of items being withdrawn or taken back, by item, the earliest first.

    Parameters
    ----------
    events : EVENTS rows
        Newest revisions only; those of other kinds are left out.
    """
    ours = (events["kind"] == TAKEN_OUT).to_numpy()
    if not ours.any():
        return ()
    rows = events.loc[ours].sort_values(["subject", "revision"], kind="stable")
    found = zip(rows["subject"], rows["at"], map(json.loads, rows["body"]), strict=True)
    return tuple(Withdrawal(item, at=at, **body) for item, at, body in found)


def out_when_frozen(
    withdrawals: tuple[Withdrawal, ...], number: int | None = None
) -> dict[str, Withdrawal]:
    """Return what was withdrawn, by item, when a candidate was frozen; now without a number.

    Examples
    --------
    >>> now = pd.Timestamp("2026-01-01T00:00Z")
    >>> said = tuple(Withdrawal("a", "asked", "ann", now, n, out) for n, out in [(1, True),
    ...     (2, False)])
    >>> [list(out_when_frozen(said, number)) for number in (1, 2, 3, None)]
    [[], ['a'], [], []]
    """
    last = {w.item_id: w for w in withdrawals if number is None or w.candidates < number}
    return {item: w for item, w in last.items() if w.out}


def without_labels(
    labels: pd.DataFrame, out: npt.NDArray[np.object_]
) -> tuple[pd.DataFrame, pd.Series]:
    """Take the labels of withdrawn items away; return all labels then, and what those had been.

    The rows stay, so that the next revision is still a later one.
    """
    if not len(out):
        return labels, pd.Series(dtype=object)
    gone = labels["item_id"].isin(out) & labels["value"].notna()
    had = labels.loc[gone].set_index("item_id")["value"]
    if not gone.any():
        return labels, had
    blank = {"value": None, "probs": None, "posterior": np.nan, "method": UNDECIDED}
    kept = {name: labels[name].where(~gone, to) for name, to in blank.items()}
    return labels.assign(**kept), had
