"""The embedded queue in a folder: plans sent, its file read, and processes that die."""

from __future__ import annotations

import os
import signal
import sqlite3
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from labelops.adapters import _local_queue_file as local_queue_file
from labelops.adapters.local_queue import LocalQueue
from labelops.digest import canonical_json
from labelops.schema import Schema
from labelops.testing.queues import PETS, Wish, items_for, plan_for

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
