"""Items that an ML backend refuses: found by halving the request, and left without a proposal.

One item that a model cannot take would else stop all the others. Whether a refusal is for the item
is shown by answers about others: where there are none, it is for all, and the run ends.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from ..errors import EndError
from .ml_backend_answers import Answer

__all__ = ["BROKE", "STATUSES", "Refusals", "Refused"]

BROKE = 500
"""What most backends answer where their model raises; a server that is away says otherwise."""

STATUSES = (400, 413, 422, BROKE)
"""Statuses that may be about one item of a request."""

_FIRST = 3
"""Items refused before any was answered that end a run."""

_IN_A_ROW = 10
"""The same, after some were answered: the backend has changed."""


class Refused(Exception):
    """The backend refuses a request, perhaps for one of its items.

    Parameters
    ----------
    status : int
    why : str
        In words.
    error : EndError
        What ends the run where it is not for the item.
    """

    def __init__(self, status: int, why: str, error: EndError) -> None:
        super().__init__(why)
        self.status, self.why, self.error = status, why, error


class Refusals:
    """Asks about items, and about fewer at a time where a request is refused.

    Parameters
    ----------
    ask : callable
        Items → one answer each; raises `Refused`.

    Attributes
    ----------
    found : dict of item id to reason
        What was refused.

    Examples
    --------
    >>> from labelops.errors import EndProtocolError
    >>> def ask(items):
    ...     if "b" in set(items["item_id"]):
    ...         raise Refused(400, "too long", EndProtocolError("too long"))
    ...     return [Answer("cat") for _ in range(len(items))]
    >>> refusals = Refusals(ask)
    >>> [a.choice for a in refusals.answers(pd.DataFrame({"item_id": ["a", "b", "c"]}))]
    ['cat', None, 'cat']
    >>> refusals.found
    {'b': 'too long'}
    """

    def __init__(self, ask: Callable[[pd.DataFrame], list[Answer]]) -> None:
        self.found: dict[str, str] = {}
        self._ask, self._any, self._in_a_row = ask, False, 0
        self._last: Refused | None = None

    def answers(self, items: pd.DataFrame) -> list[Answer]:
        """Return one answer an item; one that is refused alone abstains.

        Raises
        ------
        EndError
            If too many are refused for it to be a matter of the items.
        """
        try:
            found = self._ask(items)
        except Refused as refused:
            if len(items) > 1:
                half = len(items) // 2
                return self.answers(items.iloc[:half]) + self.answers(items.iloc[half:])
            return [self._alone(items, refused)]
        self._any, self._in_a_row = True, 0
        return found

    def end(self, others: pd.DataFrame) -> None:
        """Return if what was refused was so for its items, all having been asked.

        Parameters
        ----------
        others : frame
            Items that may be asked about where none was answered.

        Raises
        ------
        EndError
            If none of these is answered either.
        """
        if self._last is not None and not self._any:
            self.probe(others)

    def probe(self, others: pd.DataFrame) -> None:
        """Ask about items, one at a time, until one is answered.

        Raises
        ------
        EndError
            If all are refused.
        """
        for n in range(len(others)):
            try:
                self._ask(others.iloc[n : n + 1])
            except Refused as refused:
                self._last = refused
            else:
                self._any = True
                return
        if self._last is not None:
            raise self._last.error

    def _alone(self, items: pd.DataFrame, refused: Refused) -> Answer:
        if refused.status == BROKE:
            # A model that breaks on an item breaks again; a server that stumbled does not.
            try:
                found = self._ask(items)
            except Refused as again:
                refused = again
            else:
                self._any, self._in_a_row = True, 0
                return found[0]
        self._last, self._in_a_row = refused, self._in_a_row + 1
        if self._in_a_row >= (_IN_A_ROW if self._any else _FIRST):
            raise refused.error
        self.found[str(items["item_id"].iloc[0])] = refused.why
        return Answer(None)
