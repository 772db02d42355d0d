"""What annotators say in the embedded queue, inside one transaction of its file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

from ..digest import digest
from ..errors import NotFoundError, UsageError, shown
from ..ports import Answer, Offer
from ..schema import Schema
from ._local_queue_file import canonical

__all__ = ["Hand", "asked_now"]


def asked_now(db: sqlite3.Connection) -> Schema:
    """Read the schema that was sent last: what is asked now, of earlier offers too."""
    read = "SELECT body FROM schemas JOIN facts ON digest = value WHERE name = 'schema'"
    body = db.execute(read).fetchone()
    if body is None:
        raise NotFoundError(
            "this was not offered in this queue, where nothing is yet; ask for offers again"
        )
    return Schema.from_json(json.loads(body[0]))


class _Said(NamedTuple):
    """What an annotator says of an offer."""

    status: str
    value: str | None
    seconds: float | None


class _Kept(NamedTuple):
    """What is stored about one annotator's answer to one offer."""

    status: str
    value: str | None
    seconds: float | None
    revision: int


class Hand:
    """One annotator at work in one transaction: answers, skips, changes and takes back.

    Parameters
    ----------
    db : sqlite3.Connection
        Inside a transaction that writes.
    queue : str
        What votes are signed with.
    annotator : str
        Whose hand it is.
    clock : callable
        Returns the time in microseconds since 1970.
    """

    def __init__(
        self, db: sqlite3.Connection, queue: str, annotator: str, clock: Callable[[], int]
    ) -> None:
        self._db = db
        self._queue = queue
        self._annotator = annotator
        self._clock = clock

    @cached_property
    def _schema(self) -> Schema:
        return asked_now(self._db)

    def say(self, answers: Sequence[Answer]) -> None:
        """Answer or skip offers; what was said before changes nothing.

        Raises
        ------
        NotFoundError
            If one was not offered.
        UsageError
            If the annotator is excluded from one, or a value is outside the schema.
        """
        schema = self._schema
        for said in answers:
            number = self._number_of(said.offer)
            self._refuse_excluded(number, said.offer)
            value = None if said.value is None else canonical(said.value, schema)
            status = "skipped" if value is None else "given"
            kept = self._kept(number)
            if kept is None or (kept.status, kept.value) != (status, value):
                self._keep(number, said.offer, kept, _Said(status, value, said.seconds))

    def edit(self, offer: Offer, value: str) -> None:
        """Change the annotator's own answer. Raises as `say`, and where there is none."""
        number = self._number_of(offer)
        kept = self._own(number, offer)
        given = canonical(value, self._schema)
        self._keep(number, offer, kept, _Said("given", given, kept.seconds))

    def delete(self, offer: Offer) -> None:
        """Take the annotator's own answer back. Raises where there is none."""
        number = self._number_of(offer)
        kept = self._own(number, offer)
        self._keep(number, offer, kept, _Said("deleted", None, kept.seconds))

    def _number_of(self, offer: Offer) -> int:
        find = "SELECT offer FROM offers WHERE item_id = ? AND round = ? AND purpose = ?"
        found = self._db.execute(find, (offer.item_id, offer.round, offer.purpose)).fetchone()
        if found is None:
            raise NotFoundError(
                f"item {shown(offer.item_id)} was not offered for {offer.purpose} in round "
                f"{offer.round}; ask for offers again"
            )
        return int(found[0])

    def _refuse_excluded(self, number: int, offer: Offer) -> None:
        barred = "SELECT 1 FROM excluded WHERE offer = ? AND annotator = ?"
        if self._db.execute(barred, (number, self._annotator)).fetchone():
            raise UsageError(
                f"annotator {shown(self._annotator)} is excluded from item {shown(offer.item_id)} "
                f"for {offer.purpose}; somebody else must look"
            )

    def _kept(self, number: int) -> _Kept | None:
        find = (
            "SELECT status, value, seconds, revision FROM answers WHERE offer = ? AND annotator = ?"
        )
        found = self._db.execute(find, (number, self._annotator)).fetchone()
        return None if found is None else _Kept(*found)

    def _own(self, number: int, offer: Offer) -> _Kept:
        kept = self._kept(number)
        if kept is None or kept.status != "given":
            raise NotFoundError(
                f"annotator {shown(self._annotator)} has no answer to item {shown(offer.item_id)} "
                f"for {offer.purpose} in round {offer.round}; answer first"
            )
        return kept

    def _keep(self, number: int, offer: Offer, kept: _Kept | None, now: _Said) -> None:
        """Store the answer's new state, log the change, and count the seat."""
        # Strictly increasing within a vote, even if the clock stands still or goes back.
        revision = max(self._clock(), kept.revision + 1 if kept else 0)
        row = (number, self._annotator, *now, revision)
        self._db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)", row)
        key = [self._queue, offer.item_id, offer.purpose, offer.round, self._annotator]
        log = (
            "INSERT INTO changes (vote_id, offer, annotator, status, value, seconds, revision, "
            "schema_digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        )
        self._db.execute(log, (digest(key)[:32], *row, self._schema.digest))
        seats = int(now.status == "given") - int(kept is not None and kept.status == "given")
        if seats:
            taken = "UPDATE offers SET taken = taken + ? WHERE offer = ?"
            self._db.execute(taken, (seats, number))
