"""Identity: an item is its owner's key, else a keyed digest of what it holds."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from labelops.digest import keyed_digest
from labelops.errors import SourceError, shown

__all__ = ["content_id", "key_problems"]

_MAX_KEY = 500


def content_id(key: bytes, source: str, owner_group: str | None, payload_digest: str) -> str:
    """Return the id of an item that has no key of its owner.

    The source and the owner's group belong to the identity, because rights and leakage follow
    them; the same content of one user in one source is one item.

    Parameters
    ----------
    key : bytes
        The workspace's secret key: without it nobody can test whether a known text is in there.
    source : str
    owner_group : str or None
    payload_digest : str

    Examples
    --------
    >>> content_id(b"k", "mails", None, "00") == content_id(b"k", "mails", "", "00")
    False
    """
    group = ("-",) if owner_group is None else ("+", owner_group)
    return keyed_digest(key, "item", source, payload_digest, *group)


def key_problems(raw: pd.DataFrame, column: str) -> Iterator[SourceError]:
    """Yield what is wrong with the owner's keys: empty, unprintable, too long, used twice.

    Parameters
    ----------
    raw : (N,) raw frame with a key in every row
    column : str
        The owner's name of the column, for messages.
    """
    header = raw.attrs.get("header", 0)
    files, rows, keys = (raw[name].to_numpy() for name in ("file", "row", "key"))
    for place, key in enumerate(keys):
        problem = _key_problem(key)
        if problem:
            yield SourceError(
                problem,
                file=files[place],
                row=int(rows[place]),
                column=column,
                value=key or None,
                header=header,
            )
    first: dict[str, int] = {}
    repeated = raw["key"].duplicated(keep=False).to_numpy()
    for place in repeated.nonzero()[0]:
        key = keys[place]
        before = first.setdefault(key, int(rows[place]))
        if before != rows[place] and not _key_problem(key):
            yield SourceError(
                f"the key {shown(key)} is already used in row {before}; keys must be unique",
                file=files[place],
                row=int(rows[place]),
                column=column,
                header=header,
            )


def _key_problem(key: object) -> str | None:
    if not isinstance(key, str) or not key.strip():
        return "the key is empty; fill it in, or ingest without a key column"
    if len(key) > _MAX_KEY or not key.isprintable():
        return f"a key is at most {_MAX_KEY} printable characters"
    return None
