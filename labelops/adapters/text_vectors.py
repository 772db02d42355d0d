"""Vectors of texts by an encoder that is not trusted: checked, and each text encoded once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import ConflictError, EndProtocolError, LabelopsError, SettingsError, shown
from ..ports import TextEncoder

__all__ = ["TextVectors"]

_BLOCK = 1024
_KEPT = 2**26
"""Numbers of four bytes kept at most: 256 MB. What is beyond is encoded again when asked again."""

_ENTRY = 64
"""As many numbers a kept text takes beside its vector: its key, an array's head, its place."""

_Vectors = npt.NDArray[np.float32]


class TextVectors:
    """An encoder's vectors of items, as long as one; what was encoded before is kept.

    They learn nothing from labels, so all folds may share them.

    Parameters
    ----------
    encoder : TextEncoder

    Raises
    ------
    SettingsError
        If it is no encoder, or its version is no text, empty, or cannot be read.

    Examples
    --------
    >>> class Vowels:
    ...     version = "vowels 1"
    ...     def encode(self, texts):
    ...         return np.array([[t.count(v) for v in "aeiou"] for t in texts], dtype=float)
    >>> vectors = TextVectors(Vowels())
    >>> items = pd.DataFrame({"item_id": ["a", "b"], "payload": ["banana", "pst"]})
    >>> vectors.of(items).tolist()
    [[1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]]
    """

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder, self._version = encoder, _version_of(encoder)
        self._kept: dict[bytes, _Vectors] = {}
        self._size: int | None = None

    @property
    def version(self) -> str:
        """The encoder's version, as it was when the vectors kept were made."""
        return self._version

    def of(self, items: pd.DataFrame) -> _Vectors:
        """Return the items' vectors.

        Parameters
        ----------
        items : (N,) items frame
            Columns item_id and payload.

        Returns
        -------
        (N, V) float32 array of unit rows; what the encoder says nothing of is a row of zeros.

        Raises
        ------
        EndProtocolError
            If the encoder raises, or answers something else than N rows of V finite numbers; an
            item is named where one is at fault.
        ConflictError
            If the encoder's version is another one than before; retryable. What it said before is
            forgotten, and `version` is the new one.
        SettingsError
            If its version cannot be read any more.
        """
        # Half a character pair cannot be encoded by anybody; counting words replaces it, too.
        texts = [t.encode("utf-8", "replace").decode("utf-8") for t in items["payload"]]
        keys = [blake2b(text.encode(), digest_size=16).digest() for text in texts]
        new = {key: row for row, key in enumerate(keys) if key not in self._kept}
        fresh: dict[bytes, _Vectors] = {}
        for rows in _blocks(new.values()):
            ids = items["item_id"].iloc[rows].tolist()
            vectors = self._encoded([texts[row] for row in rows], ids)
            fresh.update(zip((keys[row] for row in rows), vectors, strict=True))
        result = np.zeros((len(keys), self._size or 0), dtype=np.float32)
        for row, key in enumerate(keys):
            result[row] = fresh[key] if key in fresh else self._kept[key]
        self._keep(fresh)
        return result

    def _encoded(self, texts: list[str], ids: list[object]) -> _Vectors:
        """Ask for vectors of at most so many texts as a block has, and check what comes."""
        try:
            # A list of its own, in case it changes what it is handed.
            found = np.asarray(self._encoder.encode(list(texts)))
        except LabelopsError:
            raise
        except Exception as error:
            problem = f"the encoder raised {type(error).__name__}: {shown(str(error), 200)}"
            raise self._wrong(problem) from error
        self._same_version()
        if found.dtype.kind not in "fiu" or found.ndim != 2 or len(found) != len(texts):
            raise self._wrong(
                f"the encoder was asked for {len(texts)} rows of numbers and gave "
                f"{found.dtype} of shape {found.shape}"
            )
        size = self._size or found.shape[1]
        if found.shape[1] != size or not size:
            raise self._wrong(f"the encoder gave {found.shape[1]} numbers a text, not {size or 1}")
        with np.errstate(over="ignore", invalid="ignore"):
            numbers = found.astype(np.float32)
        bad = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
        if bad.size:
            raise self._wrong(
                f"item {shown(ids[bad[0]])}: the encoder gave a vector with NaN or infinity in it"
            )
        self._size = size
        lengths = np.linalg.norm(numbers.astype(np.float64), axis=1, keepdims=True)
        unit: _Vectors = (numbers / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
        return unit

    def _same_version(self) -> None:
        before, now = self._version, _version_of(self._encoder)
        if now != before:
            self._version, self._size = now, None
            self._kept.clear()
            raise ConflictError(
                f"vectors: the encoder was {shown(before)} and is now {shown(now)}; fit and "
                "propose again"
            )

    def _wrong(self, problem: str) -> EndProtocolError:
        return EndProtocolError(
            f"vectors {shown(self._version)}: {problem}; mend the encoder, or go without `vectors`"
        )

    def _keep(self, fresh: dict[bytes, _Vectors]) -> None:
        room = _KEPT // ((self._size or 0) + _ENTRY) - len(self._kept)
        self._kept.update(islice(fresh.items(), max(room, 0)))


def _version_of(encoder: object) -> str:
    """Read the version of what should be an encoder, and check that it is one."""
    try:
        version = getattr(encoder, "version", None)
    except LabelopsError:
        raise
    except Exception as error:
        raise SettingsError(
            f"vectors: the encoder's `version` raised {type(error).__name__}: "
            f"{shown(str(error), 200)}; asking for it should load nothing"
        ) from error
    if not callable(getattr(encoder, "encode", None)) or not isinstance(version, str):
        raise SettingsError(
            f"vectors: {shown(encoder)} is no text encoder; it needs `encode(texts)` and "
            "`version`, a text (see labelops.ports.TextEncoder)"
        )
    if not version.strip():
        raise SettingsError(
            "vectors: the encoder's `version` is empty; name the model and its version, so "
            "that another model is not taken for it"
        )
    return version


def _blocks(rows: Iterable[int]) -> Iterator[list[int]]:
    left = iter(rows)
    while block := list(islice(left, _BLOCK)):
        yield block
