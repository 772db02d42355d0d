"""Near-duplicate sketches: short texts that stand for a payload, and when two are near.

A sketch is the family's prefix and hexadecimal bytes. Two payloads are compared by their
sketches alone, so stored items are never read or sketched again.

``mh1:`` texts
    128 MinHash values of the 4-character shingles of the normalised text, 8 bits each. The
    share of equal values estimates the Jaccard similarity of the shingle sets; near is ≥ 0.75.
``ph1:`` images
    A 64-bit perceptual hash and a grey 16×16 thumbnail. Near is at most 4 bits apart and at
    most 4 of 255 grey levels apart on average. The hash alone is not enough: it drops
    contrast and detail, and calls different handwritten digits of one class the same.

References
----------
Broder (1997), On the resemblance and containment of documents, doi:10.1109/SEQUEN.1997.666900.
Li & König (2010), b-bit minwise hashing, doi:10.1145/1772690.1772759.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["FAMILIES", "IMAGES", "TEXTS", "Family", "text_sketches"]

Bytes = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint32]
Keys = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

SHINGLE = 4
PERMUTATIONS = 128
_BAND = 6
_NEAR_EQUAL = 96
_HEAD, _HEAD_EQUAL = 32, 16
_HASH_BITS, _HASH_BANDS, _NEAR_BITS = 64, 5, 4
_THUMB, _NEAR_GREY = 16 * 16, 4.0
_BLOCK = 2_000

# Fixed for ever by their name: sketches in a workspace must stay comparable.
_CONSTANTS = np.frombuffer(
    hashlib.shake_256(b"labelops minhash 1").digest(8 * PERMUTATIONS), dtype="<u4"
).astype(np.uint32)
_FACTORS, _OFFSETS = _CONSTANTS[:PERMUTATIONS] | np.uint32(1), _CONSTANTS[PERMUTATIONS:]


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of sketch.

    Parameters
    ----------
    prefix : str
        What its sketches start with.
    size : int
        Bytes of a sketch.
    bands : callable
        (U, size) bytes → list of (U,) keys; sketches that share a key are compared.
    near : callable
        (U, size) bytes and two (P,) row numbers → (P,) bool, which pairs are near-duplicates.
    """

    prefix: str
    size: int
    bands: Callable[[Bytes], list[Keys]]
    near: Callable[[Bytes, Rows, Rows], npt.NDArray[np.bool_]]

    def encode(self, sketches: Bytes) -> list[str]:
        """Write (U, size) bytes as U sketches."""
        text, width = sketches.tobytes().hex(), 2 * self.size
        return [self.prefix + text[i : i + width] for i in range(0, len(text), width)]

    def decode(self, sketches: Sequence[str]) -> Bytes:
        """Read U sketches as (U, size) bytes."""
        start = len(self.prefix)
        raw = bytes.fromhex("".join([s[start:] for s in sketches]))
        return np.frombuffer(raw, dtype=np.uint8).reshape(len(sketches), self.size)


def text_sketches(texts: Sequence[str]) -> list[str]:
    """Return the MinHash sketch of each normalised text.

    Parameters
    ----------
    texts : sequence of str
        N texts, each one not empty and without line breaks (see `payload.normalised`).

    Returns
    -------
    list of N str

    Examples
    --------
    >>> one, two = text_sketches(["i lost my card", "i lost my card"])
    >>> one == two, len(one)
    (True, 260)
    """
    values = np.empty((len(texts), PERMUTATIONS), dtype=np.uint8)
    for start in range(0, len(texts), _BLOCK):
        # Small blocks: the shingles of one stay in the cache for all permutations.
        values[start : start + _BLOCK] = _minhash(texts[start : start + _BLOCK])
    return TEXTS.encode(values)


def _minhash(texts: Sequence[str]) -> Bytes:
    shingles, counts = _shingles(texts)
    first = np.cumsum(counts) - counts
    values = np.empty((len(texts), PERMUTATIONS), dtype=np.uint8)
    permuted = np.empty_like(shingles)
    for column, (factor, offset) in enumerate(zip(_FACTORS, _OFFSETS, strict=True)):
        np.multiply(shingles, factor, out=permuted)
        np.add(permuted, offset, out=permuted)
        smallest = np.minimum.reduceat(permuted, first)
        # The smallest value's high bits are all near zero: mix before taking eight of them.
        values[:, column] = (smallest * np.uint32(0x9E3779B1)) >> np.uint32(24)
    return values


def _shingles(texts: Sequence[str]) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Hash every 4 characters in a row, a line break standing for the text's two ends."""
    bounded = ["\n" + text.ljust(SHINGLE - 2, "\n") + "\n" for text in texts]
    lengths = np.fromiter(map(len, bounded), dtype=np.int64, count=len(bounded))
    points = np.frombuffer("".join(bounded).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    hashes = np.zeros(len(points) - SHINGLE + 1, dtype=np.uint32)
    for place in range(SHINGLE):
        hashes ^= points[place : place + len(hashes)]
        hashes *= np.uint32(0x9E3779B1)
        hashes ^= hashes >> np.uint32(15)
    hashes *= np.uint32(0x85EBCA6B)
    hashes ^= hashes >> np.uint32(13)
    hashes *= np.uint32(0xC2B2AE35)
    hashes ^= hashes >> np.uint32(16)
    within = np.ones(len(hashes), dtype=bool)
    ends = np.cumsum(lengths)[:-1]
    for back in range(1, SHINGLE):
        within[ends - back] = False
    return hashes[within], lengths - SHINGLE + 1


def _text_bands(sketches: Bytes) -> list[Keys]:
    keys: list[Keys] = []
    for start in range(0, PERMUTATIONS - _BAND + 1, _BAND):
        wide = np.zeros((len(sketches), 8), dtype=np.uint8)
        wide[:, :_BAND] = sketches[:, start : start + _BAND]
        keys.append(wide.view("<u8").ravel().astype(np.uint64))
    return keys


def _text_near(sketches: Bytes, left: Rows, right: Rows) -> npt.NDArray[np.bool_]:
    # Most candidates fail by far: a quarter of the values, taken first, says so for them. It
    # drops less than one in a thousand pairs of similarity 0.75.
    head = sketches[:, :_HEAD]
    near = np.count_nonzero(head[left] == head[right], axis=1) >= _HEAD_EQUAL
    left, right = left[near], right[near]
    near[near] = np.count_nonzero(sketches[left] == sketches[right], axis=1) >= _NEAR_EQUAL
    return np.asarray(near)


def _image_bands(sketches: Bytes) -> list[Keys]:
    """Cut the hash in five: two hashes at most four bits apart share at least one part."""
    hashes = np.ascontiguousarray(sketches[:, :8]).view("<u8").ravel().astype(np.uint64)
    edges = np.linspace(0, _HASH_BITS, _HASH_BANDS + 1).astype(int)
    return [
        (hashes >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        for low, high in pairwise(edges)
    ]


def _image_near(sketches: Bytes, left: Rows, right: Rows) -> npt.NDArray[np.bool_]:
    bits = np.unpackbits(sketches[left, :8] ^ sketches[right, :8], axis=1).sum(axis=1)
    near = bits <= _NEAR_BITS
    thumbs = sketches[:, 8:]
    grey = np.abs(thumbs[left[near]].astype(np.int16) - thumbs[right[near]]).mean(axis=1)
    near[near] = grey <= _NEAR_GREY
    return np.asarray(near)


TEXTS = Family("mh1:", PERMUTATIONS, _text_bands, _text_near)
IMAGES = Family("ph1:", 8 + _THUMB, _image_bands, _image_near)
FAMILIES = (TEXTS, IMAGES)
