"""Made-up texts with known classes: varied, the same from one seed, learnable but not easy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["CLASSES", "texts"]

CLASSES = ("billing", "delivery", "account", "refund", "technical", "praise")

_FIRST = list("bcdfghklmnprst")
_SECOND = ("a", "e", "i", "o", "u", "ar", "en", "ol")
_PLAIN = 4_000
_TELLING = 60
_WORDS = 10
_SHARE = 0.4
_REPEATED = 0.02


def _vocabulary(size: int, rng: np.random.Generator) -> npt.NDArray[np.object_]:
    syllables = np.array([a + b for a in _FIRST for b in _SECOND], dtype=object)
    parts = rng.choice(syllables, size=(4 * size, 3))
    words = np.unique((parts[:, 0] + parts[:, 1] + parts[:, 2]).astype(str))
    return np.asarray(rng.permutation(words)[:size], dtype=object)


def texts(rows: int, rng: np.random.Generator) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return texts and their classes.

    A text is ten words. Six in ten come from 4,000 common words by Zipf's law; the others
    tell the class: 60 words each, one in ten of them from another class. One text in fifty is
    an earlier one with a word changed.
    """
    total = _PLAIN + _TELLING * len(CLASSES)
    words = _vocabulary(total, rng)
    classes = rng.integers(len(CLASSES), size=rows)
    weights = 1.0 / np.arange(1, _PLAIN + 1)
    chosen = rng.choice(_PLAIN, size=(rows, _WORDS), p=weights / weights.sum())
    shift = rng.integers(len(CLASSES), size=(rows, _WORDS))
    heard = np.where(rng.random((rows, _WORDS)) < 0.1, shift, classes[:, None])
    own = _PLAIN + heard * _TELLING + rng.integers(_TELLING, size=(rows, _WORDS))
    telling = rng.random((rows, _WORDS)) < _SHARE
    telling[:, 0] = True
    chosen = np.where(telling, own, chosen)
    copies = np.flatnonzero(rng.random(rows) < _REPEATED)
    copies = copies[copies > 0]
    sources = (rng.random(len(copies)) * copies).astype(np.int64)
    chosen[copies, :-1] = chosen[sources, :-1]
    classes[copies] = classes[sources]
    return [" ".join(row) for row in words[chosen]], classes
