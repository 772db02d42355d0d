"""Where people label: offering items, and taking their answers in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pandas as pd

from ..schema import Schema
from .storage import Objects

__all__ = ["Pausing", "Placed", "Queue", "Received", "Retracting", "Sent"]


@dataclass(frozen=True, slots=True)
class Sent:
    """What `Queue.send` did.

    Parameters
    ----------
    offered : int
        Plan rows newly offered to annotators.
    known : int
        Plan rows that were offered before (nothing was done again).
    url : str or None
        Where annotators go.
    broken : tuple of str
        One line for each part of the queue that could not be used, such as a project that somebody
        edited: what belongs there was not offered, all else was.
    """

    offered: int
    known: int
    url: str | None = None
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """What `Queue.receive` found.

    Parameters
    ----------
    votes : pandas.DataFrame
        Rows of the votes table: new, edited, skipped and deleted answers. Some may be known.
    cursor : str
        Give it to the next `receive`; opaque, and safe to lose (everything comes again).
    rejected : tuple of str
        One line for each answer that says nothing the schema knows; it is in no vote.
    broken : tuple of str
        One line for each part of the queue that could not be read: its answers come when it is
        mended, those of all others are here.
    """

    votes: pd.DataFrame
    cursor: str
    rejected: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


@runtime_checkable
class Queue(Protocol):
    """Where people label. Sending and receiving twice is the same as once."""

    name: str

    def send(
        self, plan: pd.DataFrame, items: pd.DataFrame, schema: Schema, *, payloads: Objects | None
    ) -> Sent:
        """Offer every plan row's item to `annotators` people for its purpose, once.

        Parameters
        ----------
        plan : rows of the plan table
        items : rows of the items table for the plan's items
        schema : Schema
        payloads : Objects or None
            Where `object:` payload URIs are found.
        """
        ...

    def receive(self, since: str | None = None) -> Received:
        """Return answers changed since a cursor (all of them without one)."""
        ...


@runtime_checkable
class Placed(Protocol):
    """A queue at an address of its own: what is on offer there is not on offer at another."""

    @property
    def place(self) -> str:
        """The address, as the settings name it."""
        ...


@runtime_checkable
class Pausing(Protocol):
    """A queue that can stop serving somebody; open-source Label Studio cannot."""

    def pause(self, annotator: str, reason: str) -> None:
        """Offer nothing to this annotator any more. Saying it twice is saying it once."""
        ...

    def resume(self, annotator: str) -> None:
        """Serve this annotator again; nothing happens if they were not paused."""
        ...


@runtime_checkable
class Retracting(Protocol):
    """A queue that can take back what is on offer."""

    def retract(self, plan: pd.DataFrame) -> None:
        """Offer these plan rows to nobody any more, as far as they were offered.

        Answers that were given stay. Saying it twice is saying it once, and sending a row again
        offers it again.
        """
        ...
