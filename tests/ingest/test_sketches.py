"""MinHash sketches against exact Jaccard similarities and against datasketch."""

from __future__ import annotations

import random

import numpy as np
import pytest

from labelops.ingest.sketches import FAMILIES, IMAGES, SHINGLE, TEXTS, text_sketches

WORDS = [
    "card",
    "lost",
    "block",
    "fee",
    "up",
    "money",
    "abroad",
    "rate",
    "pin",
    "été",
    "日本",
    "😀",
]


def some_texts(count: int, seed: int) -> list[str]:
    """Texts in pairs of every similarity: a text and a copy with some words changed."""
    rng = random.Random(seed)
    texts: list[str] = []
    for pair in range(count // 2):
        words = rng.choices(WORDS, k=rng.randint(3, 25))
        copy = [w if rng.random() > pair / count else rng.choice(WORDS) for w in words]
        texts += [" ".join(words), " ".join(copy)]
    return texts


def shingles(text: str) -> set[str]:
    bounded = f"\n{text.ljust(SHINGLE - 2, chr(10))}\n"
    return {bounded[i : i + SHINGLE] for i in range(len(bounded) - SHINGLE + 1)}


def jaccard(one: str, two: str) -> float:
    a, b = shingles(one), shingles(two)
    return len(a & b) / len(a | b)


@pytest.mark.slow
def test_estimates_the_jaccard_similarity_as_well_as_datasketch() -> None:
    """The share of equal values is unbiased with the binomial's error, as datasketch's is."""
    from datasketch import MinHash

    texts = some_texts(400, seed=1)
    exact = np.array([jaccard(*texts[i : i + 2]) for i in range(0, 400, 2)])
    values = TEXTS.decode(text_sketches(texts))
    ours = (values[::2] == values[1::2]).mean(axis=1)
    hashes = []
    for text in texts:
        sketch = MinHash(num_perm=TEXTS.size)
        sketch.update_batch([s.encode() for s in shingles(text)])
        hashes.append(sketch)
    theirs = np.array([hashes[i].jaccard(hashes[i + 1]) for i in range(0, 400, 2)])
    bound = np.sqrt((exact * (1 - exact) / TEXTS.size).mean())
    assert np.sqrt(((theirs - exact) ** 2).mean()) < 1.3 * bound + 0.004
    assert np.sqrt(((ours - exact) ** 2).mean()) < 1.3 * bound + 0.004
    assert abs((ours - exact).mean()) < 0.01


def test_a_sketch_depends_on_its_text_only() -> None:
    """The neighbours in the block, and the block's borders, change nothing."""
    texts = some_texts(60, seed=2)
    together = text_sketches(texts)
    assert together == [text_sketches([text])[0] for text in texts]
    many = text_sketches(texts * 70)
    assert many[:60] == together and many[-60:] == together


def test_sketches_stay_comparable_for_ever() -> None:
    """A stored sketch is compared with those of later versions: its value must never change."""
    assert text_sketches(["i lost my card"])[0][:36] == "mh1:cab89c41f0bc818ba9d0f4f0e62f472d"


@pytest.mark.parametrize("text", ["a", "ab", "é", "😀", "abc", "日本"])
def test_very_short_texts(text: str) -> None:
    """Texts shorter than a shingle have sketches, and different ones differ."""
    one, other = (TEXTS.decode(text_sketches([t]))[0] for t in (text, text + "x"))
    assert (one == other).mean() < 0.5


def test_order_of_words_matters_to_the_sketch() -> None:
    """Unlike a bag of words: another order is another set of shingles."""
    one, two = text_sketches(["dog bites man", "man bites dog"])
    assert (TEXTS.decode([one]) == TEXTS.decode([two])).mean() < 0.75


@pytest.mark.parametrize("family", FAMILIES)
def test_encode_and_decode_are_inverse(family: object) -> None:
    """Bytes written as text are read back, in every family."""
    assert family in (TEXTS, IMAGES)
    for known in (TEXTS, IMAGES):
        content = np.random.default_rng(0).integers(0, 256, (5, known.size), dtype=np.uint8)
        assert np.array_equal(known.decode(known.encode(content)), content)


def test_image_bands_find_every_hash_four_bits_apart() -> None:
    """Pigeonhole: whichever four of the 64 bits differ, some band is the same."""
    rng = np.random.default_rng(3)
    base = rng.integers(0, 256, IMAGES.size, dtype=np.uint8)
    for _ in range(200):
        other = base.copy()
        for bit in rng.choice(64, 4, replace=False):
            other[bit // 8] ^= 1 << (bit % 8)
        both = np.stack([base, other])
        assert any(keys[0] == keys[1] for keys in IMAGES.bands(both))
        assert IMAGES.near(both, np.array([0]), np.array([1])).all()
        other[:8] ^= 0b10000001
        both = np.stack([base, other])
        assert not IMAGES.near(both, np.array([0]), np.array([1])).any()
