"""The embedded queue: the common suite, and what only it promises."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sqlite3
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labelops.adapters import _local_queue_file as local_queue_file
from labelops.adapters import local_queue
from labelops.adapters.local_queue import LocalQueue
from labelops.digest import canonical_json
from labelops.errors import EndUnavailable, NotFoundError, SchemaError, StorageError, UsageError
from labelops.ports import Answer, BatchHands, Hands, Offer, Pausing, Queue
from labelops.schema import Schema
from labelops.tables import VOTES, newest
from labelops.testing.queues import PETS, Ends, QueueTests, Stored, Wish, items_for, plan_for

CAT, DOG, EEL = map(canonical_json, ("cat", "dog", "eel"))
ANN, BOB, CYD = "human:ann", "human:bob", "human:cyd"


def read(folder: Path, sql: str) -> list[Any]:
    """Read the queue's file without the adapter."""
    connection = sqlite3.connect(folder / "queue.sqlite")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def send(queue: LocalQueue, *wishes: Wish, schema: Schema = PETS) -> None:
    queue.send(plan_for(wishes, schema), items_for(wishes), schema, payloads=None)


def forked(work: Callable[[], None]) -> int:
    """Run `work` in another process, which exits 0 if it succeeds; return its process id."""
    with warnings.catch_warnings():
        # Python warns of locks that other threads may hold; the queue's file has none open.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    try:
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def ended(pid: int) -> int:
    """Wait for a process; return its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Mortal(list[local_queue_file.OfferRow]):
    """Rows that kill their process when so many have been taken."""

    def __init__(self, rows: list[local_queue_file.OfferRow], after: int) -> None:
        super().__init__(rows)
        self.after = after

    def __iter__(self) -> Iterator[local_queue_file.OfferRow]:
        for n, row in enumerate(super().__iter__()):
            if n == self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            yield row


class TestQueue(QueueTests):
    """The suite every queue passes."""

    @pytest.fixture
    def ends(self, tmp_path: Path) -> Ends:
        queue = LocalQueue(tmp_path)
        return queue, queue

    def _folder(self, ends: Ends) -> Path:
        queue = ends[0]
        assert isinstance(queue, LocalQueue)
        return queue.file.parent

    def stored(self, ends: Ends) -> list[Stored]:
        sql = "SELECT item_id, purpose, round, payload, shown FROM offers"
        return [Stored(*row) for row in read(self._folder(ends), sql)]

    def reopen(self, ends: Ends) -> Ends:
        queue = LocalQueue(self._folder(ends))
        return queue, queue

    def send_and_die(
        self, ends: Ends, plan: pd.DataFrame, items: pd.DataFrame, schema: Schema, after: int
    ) -> None:
        """Kill a process after it wrote `after` offers of an open transaction."""
        folder, rows = self._folder(ends), local_queue_file.offer_rows

        def work() -> None:
            local_queue.offer_rows = lambda *args: Mortal(rows(*args), after)  # type: ignore
            LocalQueue(folder).send(plan, items, schema, payloads=None)

        assert ended(forked(work)) == -signal.SIGKILL


def test_it_is_a_queue_with_batch_hands(tmp_path: Path) -> None:
    """The embedded queue has every method of the protocols it claims."""
    queue = LocalQueue(tmp_path)
    assert isinstance(queue, Queue)
    assert isinstance(queue, Hands)
    assert isinstance(queue, BatchHands)
    assert isinstance(queue, Pausing)


def test_a_cursor_brings_nothing_known(tmp_path: Path) -> None:
    """After a cursor come exactly the later changes; a lost or foreign cursor brings all."""
    queue = LocalQueue(tmp_path / "a")
    send(queue, Wish("x"), Wish("y"))
    offers = queue.offers(ANN)
    queue.answer(ANN, offers[0], CAT)
    cursor = queue.receive().cursor
    queue.answer(ANN, offers[1], DOG)
    assert queue.receive(cursor).votes["item_id"].tolist() == ["y"]
    assert len(queue.receive(queue.receive().cursor).votes) == 0
    foreign = LocalQueue(tmp_path / "b").receive().cursor
    for lost in (foreign, "", "nonsense", "1:2:3"):
        assert len(queue.receive(lost).votes) == 2


def test_revisions_grow_even_when_the_clock_does_not(tmp_path: Path) -> None:
    """Three changes within one microsecond, or with the clock set back, stay in order."""
    times = iter([1_000_000, 1_000_000, 5])
    send(LocalQueue(tmp_path), Wish("x"))
    queue = LocalQueue(tmp_path, clock=lambda: next(times))
    offer = queue.offers(ANN)[0]
    queue.answer(ANN, offer, CAT)
    queue.edit(ANN, offer, DOG)
    queue.delete(ANN, offer)
    votes = queue.receive().votes
    assert votes["revision"].tolist() == [1_000_000, 1_000_001, 1_000_002]
    assert newest(VOTES, votes.sample(frac=1, random_state=1))["status"].tolist() == ["deleted"]


def test_the_same_answer_again_is_no_change(tmp_path: Path) -> None:
    """An answer repeated after a lost acknowledgement adds no row and takes no seat."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x", annotators=2))
    offer = queue.offers(ANN)[0]
    queue.answer(ANN, offer, CAT)
    queue.answer(ANN, offer, CAT)
    assert len(queue.receive().votes) == 1
    assert len(queue.offers(BOB)) == 1
    queue.answer(ANN, offer, DOG)
    assert newest(VOTES, queue.receive().votes)["value"].tolist() == [DOG]


def test_gold_is_not_offered_again_to_who_took_the_answer_back(tmp_path: Path) -> None:
    """Its seat is free, for others: one person sees a gold question once."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x", purpose="gold"))
    offer = queue.offers(ANN)[0]
    queue.answer(ANN, offer, CAT)
    queue.delete(ANN, offer)
    assert (len(queue.offers(ANN)), len(queue.offers(BOB))) == (0, 1)


def test_gold_of_two_rounds_is_met_once(tmp_path: Path) -> None:
    """Where a later round asks before somebody answered an earlier one; other content is new."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x", purpose="gold", annotators=2))
    send(queue, Wish("x", purpose="gold", round=2))
    (offer,) = queue.offers(ANN)
    queue.answer(ANN, offer, CAT)
    assert queue.offers(ANN) == []
    (other,) = queue.offers(BOB)
    queue.answer(BOB, other, CAT)
    assert len(queue.offers("human:cyd")) == 1
    revised = items_for([Wish("x")], {"x": "another text"})
    plan = plan_for([Wish("x", purpose="gold", round=3)], PETS)
    queue.send(plan, revised, PETS, payloads=None)
    assert [o.round for o in queue.offers(ANN)] == [3]


def test_an_item_is_met_once(tmp_path: Path) -> None:
    """Also where it is open for two purposes: who looked for one says nothing new for the other."""
    queue = LocalQueue(tmp_path)
    wishes = Wish("x", priority=2.0), Wish("x", purpose="audit"), Wish("x", purpose="gold")
    send(queue, *wishes, Wish("y"))
    assert [(o.item_id, o.purpose) for o in queue.offers(ANN)] == [
        ("x", "label"), ("x", "gold"), ("y", "label")
    ]  # fmt: skip
    queue.answer(ANN, queue.offers(ANN)[0], CAT)
    queue.skip(BOB, queue.offers(BOB)[0])
    for who in (ANN, BOB):
        assert [(o.item_id, o.purpose) for o in queue.offers(who)] == [
            ("x", "gold"),
            ("y", "label"),
        ]
    assert [o.purpose for o in queue.offers(CYD)][:1] == ["audit"]
    queue.delete(ANN, Offer("x", "label", 1))
    assert queue.offers(ANN)[0].purpose == "label"


def test_what_was_taken_back_is_asked_anew(tmp_path: Path) -> None:
    """An answer to what does not count any more keeps nobody from the next question."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x"))
    queue.answer(ANN, queue.offers(ANN)[0], CAT)
    queue.retract(plan_for([Wish("x")], PETS))
    send(queue, Wish("x", round=2))
    assert [o.round for o in queue.offers(ANN)] == [2]


def test_a_deleted_answer_frees_its_seat(tmp_path: Path) -> None:
    """After a deletion the item is open again, also to the one who deleted."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x"))
    offer = queue.offers(ANN)[0]
    queue.answer(ANN, offer, CAT)
    assert queue.offers(BOB) == []
    queue.delete(ANN, offer)
    assert len(queue.offers(ANN)) == len(queue.offers(BOB)) == 1
    with pytest.raises(NotFoundError, match="no answer"):
        queue.delete(ANN, offer)


def test_a_late_answer_to_a_full_item_is_kept(tmp_path: Path) -> None:
    """Two people who held the last seat both count: work that was done is not thrown away."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x"))
    held = queue.offers(BOB)[0]
    queue.answer(ANN, queue.offers(ANN)[0], CAT)
    queue.answer(BOB, held, DOG)
    assert len(queue.receive().votes) == 2
    queue.delete(BOB, held)
    assert queue.offers(CYD) == []


def test_paused_people_are_served_nothing(tmp_path: Path) -> None:
    """A paused annotator gets no offers until resumed; others are served as before."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x"))
    queue.pause(ANN, "clicks at random")
    assert queue.paused() == {ANN: "clicks at random"}
    assert queue.offers(ANN) == []
    assert len(LocalQueue(tmp_path).offers(BOB)) == 1
    queue.resume(ANN)
    assert len(queue.offers(ANN)) == 1


def test_annotators_are_known_once_they_answer(tmp_path: Path) -> None:
    """Nobody is known before the first answer."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x", annotators=2))
    assert queue.annotators() == []
    queue.skip(BOB, queue.offers(BOB)[0])
    queue.answer(ANN, queue.offers(ANN)[0], CAT)
    assert queue.annotators() == [ANN, BOB]


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    """Unknown offers, values outside the schema, excluded people and odd names are errors."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x", exclude=(BOB,)))
    offer = queue.offers(ANN)[0]
    other = LocalQueue(tmp_path / "other")
    with pytest.raises(NotFoundError, match="not offered"):
        other.answer(ANN, offer, CAT)
    with pytest.raises(SchemaError, match="unknown class 'fox'"):
        queue.answer(ANN, offer, canonical_json("fox"))
    with pytest.raises(UsageError, match="excluded"):
        queue.answer(BOB, offer, CAT)
    with pytest.raises(UsageError, match="human:ann"):
        queue.answer("model:x", offer, CAT)
    with pytest.raises(NotFoundError, match="no answer"):
        queue.edit(ANN, offer, CAT)
    assert len(queue.receive().votes) == 0


def test_a_bad_plan_changes_nothing(tmp_path: Path) -> None:
    """A plan with one row that cannot be offered is refused whole."""
    queue = LocalQueue(tmp_path)
    wishes = [Wish("x"), Wish("y")]
    with pytest.raises(NotFoundError, match="'y'"):
        queue.send(plan_for(wishes), items_for(wishes[:1]), PETS, payloads=None)
    with pytest.raises(SchemaError, match="another schema"):
        queue.send(
            plan_for(wishes), items_for(wishes), Schema("pets", ("cat", "dog")), payloads=None
        )
    shows = [Wish("x"), Wish("y", value=canonical_json("fox"), show_proposal=True)]
    with pytest.raises(SchemaError, match="unknown class"):
        queue.send(plan_for(shows), items_for(shows), PETS, payloads=None)
    bad = plan_for(wishes).assign(exclude=["[]", "{"])
    with pytest.raises(UsageError, match="JSON list"):
        queue.send(bad, items_for(wishes), PETS, payloads=None)
    surrogate = [Wish("ok"), Wish("x\ud800")]
    items = items_for([Wish("ok"), Wish("z")]).assign(item_id=["ok", "x\ud800"])
    with pytest.raises(UsageError, match="surrogate"):
        queue.send(plan_for(surrogate), items, PETS, payloads=None)
    assert read(tmp_path, "SELECT count(*) FROM offers") == [(0,)]


def test_a_renamed_class_is_still_an_answer(tmp_path: Path) -> None:
    """An old class name given, or shown, under a schema that renames it means the new one."""
    queue = LocalQueue(tmp_path)
    renamed = Schema("pets", ("feline", "dog"), renames={"cat": "feline"})
    send(queue, Wish("x", value=CAT, show_proposal=True), schema=renamed)
    offer = queue.offers(ANN)[0]
    assert offer.shown == canonical_json("feline")
    queue.answer(ANN, offer, CAT)
    assert queue.receive().votes["value"].tolist() == [canonical_json("feline")]


def test_what_is_shown_follows_the_schema(tmp_path: Path) -> None:
    """A pre-label of before is said in today's words; one of a class that is gone is not shown."""
    queue = LocalQueue(tmp_path)
    dog = canonical_json("dog")
    send(queue, *(Wish(i, value=v, show_proposal=True) for i, v in (("x", CAT), ("y", dog))))
    renamed = Schema("pets", ("feline", "eel"), renames={"cat": "feline"})
    send(queue, Wish("z"), schema=renamed)
    assert {o.item_id: o.shown for o in queue.offers(ANN)} == {
        "x": canonical_json("feline"), "y": None, "z": None,
    }  # fmt: skip


def test_a_file_of_the_first_format_is_upgraded(tmp_path: Path) -> None:
    """Its votes keep the schema of their offers; later ones name the one that was sent last."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x", annotators=2))
    queue.answer(ANN, queue.offers(ANN)[0], CAT)
    with closing(sqlite3.connect(queue.file)) as db:
        db.execute("ALTER TABLE offers DROP COLUMN since")
        db.execute("ALTER TABLE changes DROP COLUMN schema_digest")
        db.execute("DELETE FROM facts WHERE name = 'schema'")
        db.execute("PRAGMA user_version = 1")
        db.commit()
    queue = LocalQueue(tmp_path)
    queue.answer(BOB, queue.offers(BOB)[0], CAT)
    wider = Schema("pets", (*PETS.classes, "fox"))
    send(queue, Wish("y"), schema=wider)
    queue.edit(BOB, Offer("x", "label", 1), canonical_json("fox"))
    votes = queue.receive().votes
    assert votes["annotator"].tolist() == [ANN, BOB, BOB]
    assert votes["schema_digest"].tolist() == [PETS.digest, PETS.digest, wider.digest]
    assert LocalQueue(tmp_path).receive().votes.equals(votes)


def test_a_folder_keeps_its_name(tmp_path: Path) -> None:
    """Opening a queue under another name is refused, as its vote ids would change."""
    LocalQueue(tmp_path, "first")
    with pytest.raises(UsageError, match="'first', not 'second'"):
        LocalQueue(tmp_path, "second")


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_any_history_ends_as_a_plain_model_says(tmp_path: Path, seed: int) -> None:
    """After random answers, skips, edits and deletions, offers and votes equal a dictionary's."""
    rng = np.random.default_rng(seed)
    queue, people = LocalQueue(tmp_path), [ANN, BOB, CYD]
    wishes = [
        Wish(f"i{n}", annotators=1 + n % 2, exclude=(people[n % 3],) if n % 4 == 0 else ())
        for n in range(8)
    ]
    send(queue, *wishes)
    said: dict[tuple[str, str], tuple[str, str | None]] = {}

    def is_open(wish: Wish, who: str) -> bool:
        taken = sum(i == wish.item_id and s[0] == "given" for (i, _), s in said.items())
        done = said.get((wish.item_id, who), ("deleted", None))[0] != "deleted"
        return taken < wish.annotators and not done and who not in wish.exclude

    for _ in range(60):
        who = people[rng.integers(3)]
        mine = [i for (i, w), s in said.items() if w == who and s[0] == "given"]
        offers, value = queue.offers(who), (CAT, DOG, EEL)[rng.integers(3)]
        assert [o.item_id for o in offers] == [w.item_id for w in wishes if is_open(w, who)]
        if mine and rng.random() < 0.6:
            offer = Offer(mine[rng.integers(len(mine))], "label", 1)
            if rng.random() < 0.6:
                queue.delete(who, offer)
                said[offer.item_id, who] = ("deleted", None)
            else:
                queue.edit(who, offer, value)
                said[offer.item_id, who] = ("given", value)
        elif offers:
            offer = offers[rng.integers(len(offers))]
            if rng.random() < 0.2:
                queue.skip(who, offer)
                said[offer.item_id, who] = ("skipped", None)
            else:
                queue.answer(who, offer, value)
                said[offer.item_id, who] = ("given", value)
    votes = newest(VOTES, queue.receive().votes)
    rows = zip(votes["item_id"], votes["annotator"], votes["status"], votes["value"], strict=True)
    assert {(i, w): (s, v) for i, w, s, v in rows} == said


# --- many processes, sudden deaths, bad disks ----------------------------------------------


def _answer_all(folder: Path, annotator: str) -> None:
    queue = LocalQueue(folder)
    while offers := queue.offers(annotator, limit=7):
        for offer in offers:
            queue.answer(annotator, offer, CAT)


@pytest.mark.slow
def test_many_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    """Four processes open, send and answer the same new queue at once: all votes are there."""
    names = [f"human:p{n}" for n in range(4)]
    wishes = [Wish(f"i{n:02}", annotators=4) for n in range(20)]
    workers = [forked(partial(_send_and_answer, tmp_path, name, wishes)) for name in names]
    assert [ended(pid) for pid in workers] == [0] * 4
    votes = LocalQueue(tmp_path).receive().votes
    assert len(votes) == 80
    assert set(zip(votes["item_id"], votes["annotator"], strict=True)) == {
        (w.item_id, name) for w in wishes for name in names
    }
    assert read(tmp_path, "SELECT min(taken), max(taken), count(*) FROM offers") == [(4, 4, 20)]


def _send_and_answer(folder: Path, annotator: str, wishes: list[Wish]) -> None:
    send(LocalQueue(folder), *wishes)
    _answer_all(folder, annotator)


def _answer_and_say_so(folder: Path, writer: int) -> None:
    queue = LocalQueue(folder)
    for offer in queue.offers(ANN):
        queue.answer(ANN, offer, CAT)
        os.write(writer, f"{offer.item_id}\n".encode())


@pytest.mark.slow
def test_a_killed_annotator_loses_no_acknowledged_answer(tmp_path: Path) -> None:
    """Every answer acknowledged before a SIGKILL is there, the file is sound, and work goes on."""
    send(LocalQueue(tmp_path), *[Wish(f"i{n:04}") for n in range(3000)])
    acknowledged: list[str] = []
    rng = np.random.default_rng(7)
    for _ in range(3):
        reader, writer = os.pipe()
        # A page holds 682 lines: it cannot end before it is killed, however late that is.
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        pid = forked(partial(_answer_and_say_so, tmp_path, writer))
        os.close(writer)
        with os.fdopen(reader, "rb", buffering=0) as said:
            acknowledged += [said.readline().decode().strip() for _ in range(rng.integers(5, 60))]
            os.kill(pid, signal.SIGKILL)
            assert ended(pid) == -signal.SIGKILL
            acknowledged += said.read().decode().split("\n")[:-1]
    queue = LocalQueue(tmp_path)
    kept = set(queue.receive().votes["item_id"])
    assert set(acknowledged) <= kept
    # At most one answer for each death was stored but not yet acknowledged.
    assert len(kept) <= len(acknowledged) + 3
    assert len(set(acknowledged)) == len(acknowledged)
    assert read(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    assert len(queue.offers(BOB)) == 3000 - len(kept)


def test_a_lock_held_too_long_is_retryable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process writes for ever, readers work and writers get a retryable error."""
    monkeypatch.setattr("labelops.adapters._sqlite.PATIENCE", 0.05)
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x"))
    holder = sqlite3.connect(queue.file, isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        offer = queue.offers(ANN)[0]
        with pytest.raises(EndUnavailable, match="locked") as caught:
            queue.answer(ANN, offer, CAT)
        assert caught.value.retryable
    finally:
        holder.close()
    queue.answer(ANN, offer, CAT)


@pytest.mark.parametrize("damage", ["not a database", "gone", "torn", "newer"])
def test_a_damaged_file_is_a_storage_error(tmp_path: Path, damage: str) -> None:
    """A file that is no database, gone, torn, or of a later version is named in the error."""
    queue = LocalQueue(tmp_path)
    send(queue, *[Wish(f"i{n}") for n in range(300)])
    if damage == "not a database":
        queue.file.write_bytes(b"this is text, " * 1000)
    elif damage == "gone":
        queue.file.unlink()
    elif damage == "torn":
        content = bytearray(queue.file.read_bytes())
        content[4096:] = np.random.default_rng(0).bytes(len(content) - 4096)
        queue.file.write_bytes(bytes(content))
    else:
        connection = sqlite3.connect(queue.file)
        connection.execute("PRAGMA user_version = 9")
        connection.close()
    with pytest.raises(StorageError, match=r"queue\.sqlite"):
        LocalQueue(tmp_path).offers(ANN) if damage == "newer" else queue.offers(ANN)


def test_a_full_disk_is_a_storage_error(tmp_path: Path) -> None:
    """When no byte can be written more, the answer fails as storage and earlier ones stay."""
    queue = LocalQueue(tmp_path)
    send(queue, *[Wish(f"i{n:03}") for n in range(200)])
    queue.answer(ANN, queue.offers(ANN)[0], CAT)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    many = [Answer(offer, CAT) for offer in queue.offers(ANN)]
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
        with pytest.raises(StorageError, match="full"):
            queue.answer_many(ANN, many)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert len(queue.receive().votes) == 1
    queue.answer_many(ANN, many)
    assert len(queue.receive().votes) == 200


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    """A path through a file is refused by name."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot be made"):
        LocalQueue(tmp_path / "file" / "queue")
