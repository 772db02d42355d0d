"""The file of the embedded queue: many processes, deaths, damage, a full disk, old formats."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from labelops.adapters.local_queue import LocalQueue
from labelops.digest import canonical_json
from labelops.errors import EndUnavailable, StorageError
from labelops.ports import Answer, Offer
from labelops.schema import Schema
from labelops.testing.queues import PETS, Wish

from .local_queues import ANN, BOB, CAT, ended, forked, read, send


def test_a_file_of_the_first_format_is_upgraded(tmp_path: Path) -> None:
    """Its votes keep the schema of their offers; later ones name the one that was sent last."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x", annotators=2))
    queue.answer(ANN, queue.offers(ANN)[0], CAT)
    with closing(sqlite3.connect(queue.file)) as db:
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
