"""The embedded queue: one SQLite file that many processes offer, answer and read at once.

Every call is one transaction on a write-ahead log, synced before the call returns: after a
SIGKILL at any moment an answer that was acknowledged is there, and one that was not is
there whole or not at all. Changes of answers are appended to a log whose sequence numbers
are given inside the writing transaction, of which there is one at a time, so a reader that
holds a cursor can miss none.
"""

from __future__ import annotations

import math
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path

import pandas as pd

from ..digest import canonical_json
from ..errors import SchemaError, StorageError, UsageError, shown
from ..ports import Answer, Objects, Offer, Received, Sent
from ..schema import Schema
from ..tables import ITEMS, PLAN, VOTES, check, frame_of, newest
from ._local_queue_answers import Hand, asked_now
from ._local_queue_file import (
    CHANGES,
    FORMAT,
    INSERT_OFFER,
    KEEP_FACT,
    KEEP_SCHEMA,
    LAYOUT,
    OFFER_AGAIN,
    OPEN_OFFERS,
    RETRACT_OFFER,
    UPGRADES,
    canonical,
    offer_rows,
)
from ._sqlite import transaction

__all__ = ["LocalQueue"]

_FILE = "queue.sqlite"
_Open = tuple[str, str, int, str | None, int]
"""Of an open offer: item, purpose, round, the proposal shown, and its number."""


def _microseconds() -> int:
    return time.time_ns() // 1000


class LocalQueue:
    """A queue in a folder; also the hands of those who work in it.

    An offer is served until `annotators` different people answered it. Two people who hold
    the last open seat at the same time may both answer: a given answer is never thrown away.

    Parameters
    ----------
    path : Path or str
        The queue's folder; made if it is not there. It holds one file, ``queue.sqlite``.
    name : str
        What votes are signed with. It is part of every vote id, so a folder keeps its name.
    clock : callable
        Returns the time in microseconds since 1970.

    Raises
    ------
    UsageError
        If the folder holds a queue of another name.
    StorageError
        If the file cannot be made or read.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> LocalQueue(folder.name).offers("human:ann")
    []
    >>> folder.cleanup()
    """

    def __init__(
        self, path: Path | str, name: str = "local", *, clock: Callable[[], int] = _microseconds
    ) -> None:
        self.name = name
        self.file = Path(path) / _FILE
        self._clock = clock
        self._identity = self._found()

    def __repr__(self) -> str:
        """Name the queue and its file."""
        return f"LocalQueue({str(self.file.parent)!r}, name={self.name!r})"

    def _found(self) -> str:
        """Make the file unless it is there; return its identity, which cursors carry."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{self.file.parent} cannot be made: {error.strerror}") from error
        with transaction(self.file, "create") as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > FORMAT:
                raise StorageError(
                    f"{self.file} has format {version}, this version reads {FORMAT}; upgrade"
                )
            if version == 0:
                self._lay_out(db)
            elif version < FORMAT:
                for statement in chain(*(UPGRADES[v] for v in range(version, FORMAT))):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {FORMAT}")
            facts: dict[str, str] = dict(db.execute("SELECT name, value FROM facts"))
        if facts.get("name") != self.name:
            raise UsageError(
                f"{self.file} holds the queue {shown(facts.get('name'))}, not {shown(self.name)}; "
                "use its name or another folder"
            )
        return facts["identity"]

    def _lay_out(self, db: sqlite3.Connection) -> None:
        # One by one: executescript would commit the transaction it runs in.
        for statement in LAYOUT.split(";"):
            db.execute(statement)
        facts = [("name", self.name), ("identity", secrets.token_hex(8))]
        db.executemany("INSERT INTO facts VALUES (?, ?)", facts)
        db.execute(f"PRAGMA user_version = {FORMAT}")

    # --- the queue's side --------------------------------------------------------------

    def send(
        self, plan: pd.DataFrame, items: pd.DataFrame, schema: Schema, *, payloads: Objects | None
    ) -> Sent:
        """Offer every plan row's item to `annotators` people for its purpose, once.

        All rows or none. A row whose item, round and purpose were sent before changes
        nothing, whatever else it says.

        Parameters
        ----------
        plan : rows of the plan table
        items : rows of the items table for the plan's items
        schema : Schema
        payloads : Objects or None
            Not needed: payloads stay where their URIs say.

        Raises
        ------
        UsageError
            If a plan row names no item, another schema, or a value outside the schema.
        EndUnavailable, StorageError
            If the file is locked for long, full, or damaged.
        """
        rows = offer_rows(check(PLAN, plan), newest(ITEMS, check(ITEMS, items)), schema)
        offered = 0
        with transaction(self.file, "write") as db:
            body = canonical_json(schema.to_json())
            db.execute(KEEP_SCHEMA, (schema.digest, body))
            db.execute(KEEP_FACT, ("schema", schema.digest))
            for row, exclude in rows:
                added = db.execute(INSERT_OFFER, row)
                if added.rowcount == 1:
                    offered += 1
                    barred = [(added.lastrowid, who) for who in exclude]
                    db.executemany("INSERT OR IGNORE INTO excluded VALUES (?, ?)", barred)
                else:
                    item_id, number, purpose, wanted = row[:4]
                    db.execute(OFFER_AGAIN, (wanted, item_id, number, purpose))
        return Sent(offered, len(rows) - offered)

    def retract(self, plan: pd.DataFrame) -> None:
        """Offer these plan rows to nobody any more; answers stay, and sending offers them again.

        Raises
        ------
        EndUnavailable, StorageError
            If the file is locked for long, full, or damaged.
        """
        rows = zip(plan["item_id"], plan["round"].tolist(), plan["purpose"], strict=True)
        with transaction(self.file, "write") as db:
            db.executemany(RETRACT_OFFER, rows)

    def receive(self, since: str | None = None) -> Received:
        """Return every change of an answer since a cursor, the earliest first.

        A cursor that is not this queue's (it was lost, or the queue was made anew) brings
        all changes again. Reading changes nothing.

        Raises
        ------
        EndUnavailable, StorageError
            If the file is locked for long, gone, or damaged.
        """
        start = self._change_of(since)
        with transaction(self.file, "read") as db:
            found = db.execute(CHANGES, (start,))
            names = [c[0] for c in found.description]
            frame = pd.DataFrame(found.fetchall(), columns=names)
        last = int(frame["change"].iloc[-1]) if len(frame) else start
        columns: dict[str, object] = {n: frame[n] for n in names if n != "change"}
        columns["given_at"] = pd.to_datetime(frame["revision"].astype("int64"), unit="us", utc=True)
        columns["queue"] = self.name
        return Received(frame_of(VOTES, columns, len(frame)), f"{self._identity}:{last}")

    def _change_of(self, cursor: str | None) -> int:
        identity, _, change = (cursor or "").partition(":")
        return int(change) if identity == self._identity and change.isdecimal() else 0

    def pause(self, annotator: str, reason: str) -> None:
        """Serve this annotator nothing more until `resume`; earlier answers stay."""
        with transaction(self.file, "write") as db:
            db.execute("INSERT OR REPLACE INTO paused VALUES (?, ?)", (annotator, reason))

    def resume(self, annotator: str) -> None:
        """Serve a paused annotator again."""
        with transaction(self.file, "write") as db:
            db.execute("DELETE FROM paused WHERE annotator = ?", (annotator,))

    def paused(self) -> dict[str, str]:
        """Return who is paused, and why."""
        with transaction(self.file, "read") as db:
            return dict(db.execute("SELECT annotator, reason FROM paused ORDER BY annotator"))

    def annotators(self) -> list[str]:
        """Return everybody who ever answered or skipped, sorted."""
        with transaction(self.file, "read") as db:
            found = db.execute("SELECT DISTINCT annotator FROM answers ORDER BY annotator")
            return [who for (who,) in found]

    # --- the annotators' side ----------------------------------------------------------

    def offers(self, annotator: str, limit: int | None = None) -> list[Offer]:
        """Return what is open for this annotator, by falling priority, then by item.

        An item that several rounds or purposes ask about is among them once, and once more where
        it is gold too. A proposal that is shown is said in the classes there are now.
        """
        bound = {"who": annotator, "limit": -1 if limit is None else limit}
        with transaction(self.file, "read") as db:
            found = db.execute(OPEN_OFFERS, bound).fetchall()
            says = _now_called({row[3] for row in found} - {None}, db)
        return [
            Offer(item, purpose, round_, says.get(shown_), str(offer))
            for item, purpose, round_, shown_, offer in _each_once(found)
        ]

    def answer(self, annotator: str, offer: Offer, value: str, seconds: float = 1.0) -> None:
        """Give an answer; giving the same again changes nothing.

        Raises
        ------
        UsageError
            If the offer is unknown, the annotator is excluded from it or is not named
            ``human:…``, or the value is outside the schema that was sent last.
        EndUnavailable, StorageError
            If the file is locked for long, full, or damaged.
        """
        self.answer_many(annotator, [Answer(offer, value, seconds)])

    def skip(self, annotator: str, offer: Offer) -> None:
        """Decline to answer; the offer goes to somebody else. Raises as `answer`."""
        self.answer_many(annotator, [Answer(offer, None, math.nan)])

    def answer_many(self, annotator: str, answers: Sequence[Answer]) -> None:
        """Give or skip many offers in one transaction: all or none. Raises as `answer`."""
        if not annotator.startswith("human:") or len(annotator) == len("human:"):
            raise UsageError(f"annotator {shown(annotator)}: expected a name like human:ann")
        with self._hand(annotator) as hand:
            hand.say(answers)

    def edit(self, annotator: str, offer: Offer, value: str) -> None:
        """Change the annotator's own earlier answer.

        Raises
        ------
        NotFoundError
            If this annotator has no answer there. Otherwise as `answer`.
        """
        with self._hand(annotator) as hand:
            hand.edit(offer, value)

    def delete(self, annotator: str, offer: Offer) -> None:
        """Take the annotator's own earlier answer back; its seat is free again.

        Raises
        ------
        NotFoundError
            If this annotator has no answer there.
        """
        with self._hand(annotator) as hand:
            hand.delete(offer)

    @contextmanager
    def _hand(self, annotator: str) -> Iterator[Hand]:
        """Give somebody's hand in one transaction."""
        with transaction(self.file, "write") as db:
            yield Hand(db, self.name, annotator, self._clock)


def _each_once(rows: Sequence[_Open]) -> list[_Open]:
    """Keep the first offer of an item, and of gold: who answers it must not have the next too."""
    first: dict[tuple[str, bool], _Open] = {}
    return [row for row in rows if first.setdefault((row[0], row[1] == "gold"), row) is row]


def _now_called(values: set[str], db: sqlite3.Connection) -> dict[str | None, str]:
    """Say each value in the classes of the schema that was sent last; without those it lost."""
    says: dict[str | None, str] = {}
    if not values:
        return says
    schema = asked_now(db)
    for value in values:
        with suppress(SchemaError):
            says[value] = canonical(value, schema)
    return says
