"""What a reader remembers between two readings: how far it read, and who had answered.

The server keeps no trace of a deleted annotation but a changed task. So the cursor carries
the (task, user) pairs of all answers reported, packed to two or three bytes each.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from labelops.errors import UsageError

from .answers import Seen

__all__ = ["Place", "Where", "pack", "read_cursor", "unpack", "write_cursor"]


class Where(NamedTuple):
    """Which project: its number, and when it was made, since every server counts from 1."""

    project: int
    made: str


@dataclass(frozen=True, slots=True)
class Place:
    """How far one project was read.

    Parameters
    ----------
    since : str
        The server's time of the newest change that has certainly been read.
    seen : set of (task, user)
        Whose answers were reported.
    """

    since: str
    seen: Seen = field(default_factory=frozenset)


def pack(pairs: Iterable[tuple[int, int]]) -> str:
    """Write pairs of numbers as short text.

    Examples
    --------
    >>> len(pack((n, 1 + n % 7) for n in range(10_000)))
    533
    """
    ordered = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    ordered[1:, 0] -= ordered[:-1, 0].copy()
    return base64.b85encode(zlib.compress(np.ascontiguousarray(ordered.T).tobytes(), 9)).decode()


def unpack(packed: str) -> Seen:
    """Read pairs written by `pack`.

    Examples
    --------
    >>> sorted(unpack(pack([(7, 2), (3, 1)])))
    [(3, 1), (7, 2)]
    """
    flat = np.frombuffer(zlib.decompress(base64.b85decode(packed)), dtype=np.int64)
    first, second = flat.reshape(2, -1)
    return frozenset(zip(np.cumsum(first).tolist(), second.tolist(), strict=True))


def write_cursor(places: Mapping[Where, Place]) -> str:
    """Write places, a project each, as a cursor."""
    body = [[*where, place.since, pack(place.seen)] for where, place in sorted(places.items())]
    return json.dumps({"label-studio": 2, "projects": body})


def read_cursor(cursor: str | None) -> dict[Where, Place]:
    """Read a cursor; None is the beginning.

    Raises
    ------
    UsageError
        If it was not written by `write_cursor`.
    """
    if cursor is None:
        return {}
    try:
        raw = json.loads(cursor)
        if raw["label-studio"] == 1:  # It took every server for one; all is read again.
            return {}
        if raw["label-studio"] != 2:
            raise ValueError(raw["label-studio"])
        return {
            Where(int(project), str(made)): Place(str(at), unpack(seen))
            for project, made, at, seen in raw["projects"]
        }
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error, binascii.Error):
        raise UsageError(
            "this cursor is not one of Label Studio's; receive without a cursor to read all"
        ) from None
