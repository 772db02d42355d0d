"""Digests: what something is, by its content, the same on every machine.

Canonical JSON here is JSON with sorted keys, no white space, and every float written so
that it reads back as the same double; not-a-number and infinities are refused, because two
of them would collide with a missing value.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from .errors import UsageError, shown

__all__ = ["canonical_json", "digest", "digest_bytes", "keyed_digest", "seed_of", "uniforms"]


_ENCODE = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


def _refuse_non_finite(value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{value!r} has no canonical JSON; use null for a missing number")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise UsageError(f"canonical JSON needs text keys, found {shown(key)}")
            _refuse_non_finite(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_non_finite(inner)


def canonical_json(value: object) -> str:
    """Write `value` as the one JSON text that every equal value has.

    Raises
    ------
    UsageError
        If `value` holds a non-finite number, a key that is not text, or a type JSON lacks.

    Examples
    --------
    >>> canonical_json({"b": 0.1 + 0.2, "a": [1, None, "é"]})
    '{"a":[1,null,"é"],"b":0.30000000000000004}'
    """
    _refuse_non_finite(value)
    try:
        return _ENCODE(value)
    except TypeError as error:
        raise UsageError(f"no canonical JSON for {shown(value)}: {error}") from None


def digest_bytes(content: bytes) -> str:
    """Return the SHA-256 of `content`, 64 hexadecimal characters.

    Examples
    --------
    >>> digest_bytes(b"")[:16]
    'e3b0c44298fc1c14'
    """
    return hashlib.sha256(content).hexdigest()


def digest(value: object) -> str:
    """Return the SHA-256 of a JSON value's canonical form, 64 hexadecimal characters.

    Examples
    --------
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return digest_bytes(canonical_json(value).encode("utf-8", "surrogatepass"))


def keyed_digest(key: bytes, *parts: str | bytes, size: int = 16) -> str:
    """Return a keyed BLAKE2b of `parts`; without the key nobody can tell what was digested.

    Parts are length-prefixed, so ("ab", "c") and ("a", "bc") differ.

    Parameters
    ----------
    key : bytes
        The workspace's secret key, 1 to 64 bytes.
    *parts : str or bytes
        What is digested, in order.
    size : int
        Bytes of digest, 1 to 64; the result has twice as many characters.

    Examples
    --------
    >>> keyed_digest(b"k", "ab", "c") == keyed_digest(b"k", "a", "bc")
    False
    """
    state = hashlib.blake2b(key=key, digest_size=size)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        state.update(len(raw).to_bytes(8, "little"))
        state.update(raw)
    return state.hexdigest()


def uniforms(key: bytes, stream: str, ids: Iterable[str]) -> npt.NDArray[np.float64]:
    """Give every id its own permanent random number in [0, 1) within a named stream.

    The number depends only on `key`, `stream` and the id: not on the order or the number of
    the other ids. Ordering a growing set by it keeps earlier random samples valid (permanent
    random numbers, Ohlsson 1995), and a killed run draws the same sample again.

    Parameters
    ----------
    key : bytes
        The workspace's secret key; without it the draw cannot be predicted.
    stream : str
        What the numbers are for, e.g. ``"audit/1"``; streams are independent.
    ids : iterable of str
        N ids.

    Returns
    -------
    (N,) float64 array in [0, 1), read-only. A run asks for the same ones again and again, so
    the latest four million are kept.

    Examples
    --------
    >>> a = uniforms(b"k", "audit", ["x", "y"]); b = uniforms(b"k", "audit", ["y"])
    >>> bool(a[1] == b[0])
    True
    """
    secret, wanted = hmac.digest(key, stream.encode(), "sha256"), list(ids)
    name = secret, len(wanted)
    kept = _drawn.get(name)
    if kept is None or kept[0] != wanted:
        kept = wanted, _draw(secret, wanted)
        _keep(name, *kept)
    return kept[1]


def _draw(secret: bytes, ids: list[str]) -> npt.NDArray[np.float64]:
    base = hashlib.blake2b(key=secret, digest_size=8)

    def draw(identity: str) -> int:
        state = base.copy()
        state.update(identity.encode("utf-8", "surrogatepass"))
        return int.from_bytes(state.digest(), "little") >> 11

    drawn = np.fromiter(map(draw, ids), dtype=np.uint64).astype(np.float64) / 2.0**53
    drawn.flags.writeable = False
    return drawn


_drawn: dict[tuple[bytes, int], tuple[list[str], npt.NDArray[np.float64]]] = {}
_MOST_KEPT = 4_000_000


def _keep(name: tuple[bytes, int], ids: list[str], drawn: npt.NDArray[np.float64]) -> None:
    _drawn.pop(name, None)
    _drawn[name] = ids, drawn
    while sum(size for _, size in list(_drawn)) > _MOST_KEPT:
        _drawn.pop(next(iter(list(_drawn))), None)  # The earliest; another thread may be first.


def seed_of(key: bytes, *parts: str) -> int:
    """Return a 128-bit seed for `numpy.random.default_rng`, fixed by `key` and `parts`.

    Examples
    --------
    >>> seed_of(b"k", "route", "3") == seed_of(b"k", "route", "3")
    True
    """
    return int(keyed_digest(key, *parts, size=16), 16)
