"""How much each annotator sees of an item's answer, learned from how far pairs agree beyond habits.

Of people who answer each for themselves that agreement is about the product of two numbers, one
for each of them. Whoever is known to copy counts with their group as one.
"""

from __future__ import annotations

import numpy as np

from labelops.measure.codes import FloatArray, IntArray

from ._pairs import Pairs

__all__ = ["expected_beyond", "sight"]

_STEPS, _STILL = 40, 1e-4
_FAR, _FEW = 1.5, 8
"""Errors from which on a pair counts little in what its people see; few items show none."""
_TINY = 1e-9


def sight(pairs: Pairs, voice: IntArray) -> tuple[FloatArray, FloatArray]:
    """Estimate what each annotator sees of items, (A,), and what each pair counts in it, (P,).

    Least squares of agreement beyond habits on the products; who agree far more, or less, than
    these say count little. It begins at each one's mean agreement, which no group takes over.

    Parameters
    ----------
    pairs : Pairs
    voice : (A,) int
        Who counts as one has one number.
    """
    one, other, beyond, size = pairs.first, pairs.second, pairs.beyond, voice.size
    count = 1 / np.bincount(voice, minlength=size)[voice]
    apart = np.where(voice[one] != voice[other], pairs.items, 0).astype(np.float64)
    sees: FloatArray = np.zeros(size)
    both = apart * count[one] * count[other]
    mean = (both * beyond).sum() / both.sum() if both.any() else 0.0
    if mean <= _TINY:
        return sees, apart
    top, told = _sums(pairs, apart, count, np.ones(size))
    np.divide(top, told * np.sqrt(mean), out=sees, where=told > 0)
    sees, weight = sees.clip(-1, 1), apart
    for _ in range(_STEPS):
        product = sees[one] * sees[other]
        chance = (pairs.habit + product).clip(0.02, 0.98)
        over = (beyond - product) * np.sqrt(
            np.maximum(pairs.items - _FEW, 0) / (chance * (1 - chance))
        )
        weight = apart / (1 + (over / _FAR) ** 4)
        top, told = _sums(pairs, weight, count * sees, sees)
        step = np.divide(top, told, out=np.zeros(size), where=told > _TINY).clip(-1, 1) - sees
        sees = sees + step / 2
        if np.abs(step).max() < _STILL:
            break
    return sees, weight


def expected_beyond(
    pairs: Pairs, tested: IntArray, voice: IntArray, sees: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Give the agreement beyond habits to be expected of pairs by third people, and its error.

    Parameters
    ----------
    pairs : Pairs
    tested : (T,) int
        The pairs that are asked about.
    voice, sees, weight
        As for `sight`, and what it gave.

    Returns
    -------
    (T,) float, (T,) float
        The error is infinite where fewer than two third people tell of a pair.
    """
    one, other = pairs.first[tested], pairs.second[tested]
    count = 1 / np.bincount(voice, minlength=voice.size)[voice]
    top, told = _sums(pairs, weight, count * sees, sees)
    spread = _design(pairs, voice, sees) / 3  # a yes or no varies by a quarter, a skill by more
    found, variance = [], []
    for a, b in ((one, other), (other, one)):
        # Without the pair itself.
        own = weight[tested] * (count * sees)[b]
        rest = np.maximum(told[a] - own * sees[b], 0.0)
        more = top[a] - own * pairs.beyond[tested]
        some = rest > _TINY
        found.append(np.divide(more, rest, out=np.zeros(tested.size), where=some).clip(-1, 1))
        variance.append(np.divide(spread[a], rest, out=np.ones(tested.size), where=some))
    (mine, theirs), (a, b) = found, variance
    error = np.sqrt(theirs**2 * a + mine**2 * b + a * b)
    known = np.unique(voice[pairs.answered > 0]).size
    third = known - np.where(voice[one] == voice[other], 1, 2)
    told_by_two = (third >= 2) & bool(sees.any())
    return np.maximum(mine * theirs, 0.0), np.where(told_by_two, error, np.inf)


def _sums(
    pairs: Pairs, weight: FloatArray, counts: FloatArray, sees: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Add up, for each annotator, agreement with the others and what they see, both weighed."""

    def added(what: FloatArray, of: FloatArray) -> FloatArray:
        one, other, size = pairs.first, pairs.second, counts.size
        mine, theirs = (
            np.bincount(a, what * of[b], size) for a, b in ((one, other), (other, one))
        )  # fmt: skip
        return np.asarray(mine + theirs, dtype=np.float64)

    return added(weight * pairs.beyond, counts), added(weight, counts * sees)


def _design(pairs: Pairs, voice: IntArray, sees: FloatArray) -> FloatArray:
    """Say for each annotator how many comparisons of an answer count for one, (A,).

    An answer is held against all others on its item, and these agree among themselves.
    """
    apart = pairs.items * (voice[pairs.first] != voice[pairs.second])
    size, active = voice.size, pairs.answered > 0
    total = np.bincount(pairs.first, apart, size) + np.bincount(pairs.second, apart, size)
    each = total / np.maximum(pairs.answered, 1)
    alike = (sees[active] ** 2).mean() / max(float(pairs.room.mean()), _TINY) if active.any() else 0
    return np.asarray(1 + np.maximum(each - 1, 0) * min(alike, 1.0))
