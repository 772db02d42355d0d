"""Words with which labels of a class are suspected more often: a trigger, or a habit of people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from labelops.audit.attributes import corrected, worse_than_rest
from labelops.audit.inputs import check_verdicts
from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, code_count
from labelops.measure.given import check_list, check_share, check_whole

__all__ = ["SuspiciousWords", "holding", "suspicious_words", "without_words"]

_WORD = re.compile(r"\w+(?:[-']\w+)*")
_LONGEST = 60  # Characters: what is longer is no word, and nobody reads it in a table.


@dataclass(frozen=True, slots=True)
class SuspiciousWords:
    """One row a class and a word, the surest first.

    Attributes
    ----------
    codes : (W,) int
        The class that the labels name.
    words : (W,) object
        In lower case.
    sizes, errors : (W,) int
        Judged labels of the class whose text holds the word, and suspected ones among them.
    rates, rest : (W,) float
        Share suspected among them, and among the class's other labels; NaN where there are none.
    p_values, q_values : (W,) float
        Of "no more than the class's others" (Fisher's exact test) or, where likelier classes are
        given, "no more than by mistaking one class for another"; and corrected for all rows.
    flagged : (W,) bool
    """

    codes: IntArray
    words: NDArray[np.object_]
    sizes: IntArray
    errors: IntArray
    rates: FloatArray
    rest: FloatArray
    p_values: FloatArray
    q_values: FloatArray
    flagged: BoolArray


def suspicious_words(
    texts: Sequence[str],
    codes: ArrayLike,
    wrong: ArrayLike,
    better: ArrayLike | None = None,
    *,
    fewest: int = 4,
    least: float = 0.3,
    risk: float = 0.05,
) -> SuspiciousWords:
    """Find words with which a class's labels are suspected more often than without.

    A label is held against others of its class only, so that a class with many errors does not
    accuse all its words. Labels that are wrong by chance hold words of the classes they should
    name: with `better` these accuse no word, for texts that hold it have to be given the label
    more often than others of the same likelier classes.

    Parameters
    ----------
    texts : sequence of str
        N texts.
    codes : (N,) array-like of int
        Labels; -1 is missing.
    wrong : (N,) array-like of bool or of 0 and 1
        Suspected labels, or confirmed errors; NaN or None where nobody judged.
    better : (N,) array-like of int, optional
        The likeliest class of each suspected text, -1 where none is likelier than its label;
        not read elsewhere.
    fewest : int
        Words that fewer labels of a class hold are not looked at, and words that fewer suspected
        ones hold are not flagged.
    least : float
        A word is flagged only if the rate is above the class's others by this much, in [0, 1].
    risk : float
        Tolerated share of false flags (Benjamini–Hochberg over all that is looked at), in (0, 1).

    Raises
    ------
    UsageError
        Lengths differ, a code is no class, or `wrong` holds something else than 0, 1 and missing.

    References
    ----------
    Fisher 1922, https://doi.org/10.2307/2340521
    Benjamini, Hochberg 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x
    Chen et al. 2021, https://doi.org/10.1145/3485832.3485837 (words as triggers)

    Examples
    --------
    >>> texts = ["pay cf"] * 5 + ["pay now"] * 20 + ["hello you"] * 20
    >>> found = suspicious_words(texts, [0] * 25 + [1] * 20, [1] * 5 + [0] * 40)
    >>> [(int(k), w) for k, w in zip(found.codes[found.flagged], found.words[found.flagged])]
    [(0, 'cf')]
    """
    check_share("least", least)
    check_share("risk", risk, inside=True)
    check_whole("fewest", fewest)
    K = max(code_count(codes), 0 if better is None else code_count(better))
    labels = check_codes(codes, K)
    outcome = check_verdicts("wrong", wrong)
    likelier = None if better is None else check_codes(better, K, name="better")
    check_list("texts", texts, "texts")
    if not len(texts) == len(labels) == len(outcome):
        raise UsageError(
            f"found {len(texts)} texts and {len(outcome)} verdicts for {len(labels)} codes"
        )
    if likelier is not None and len(likelier) != len(labels):
        raise UsageError(f"found {len(likelier)} likelier classes for {len(labels)} codes")
    rows = np.flatnonzero((labels >= 0) & ~np.isnan(outcome))
    classes, bad = labels[rows], outcome[rows] == 1
    held, names = _held([str(texts[i]) for i in rows], fewest)
    k, word, n, x = _counts(held.tocoo(), classes, bad)
    # By how many hold it, not by how many of them are suspected: that would be to look first.
    k, word, n, x = (part[n >= fewest] for part in (k, word, n, x))
    total, wrongs = (np.bincount(of, minlength=K)[k] for of in (classes, classes[bad]))
    rates, rest, p_values, q_values, flagged = worse_than_rest(
        n, x, total, wrongs, least=least, risk=risk
    )
    if likelier is not None:
        should = np.where(bad & (likelier[rows] >= 0), likelier[rows], classes)
        # The larger of two p-values: what the first lets pass is not flagged, whatever the second.
        for i in np.flatnonzero(q_values <= risk):
            holds = held.indices[held.indptr[word[i]] : held.indptr[word[i] + 1]]
            p_values[i] = max(p_values[i], _by_mistake(k[i], holds, classes, should))
        q_values = corrected(p_values)
        flagged &= q_values <= risk
    flagged &= x >= fewest
    order = np.lexsort((word, -x, p_values, ~flagged))
    return SuspiciousWords(
        k[order],
        names[word[order]],
        *(part[order] for part in (n, x, rates, rest, p_values, q_values, flagged)),
    )


def holding(texts: Sequence[str], word: str, rows: IntArray) -> IntArray:
    """Return those of some rows whose text holds a word, whatever its case.

    Examples
    --------
    >>> holding(["Pay CF.", "cfo", "cf"], "cf", np.array([0, 1])).tolist()
    [0]
    """
    held = [word in _WORD.findall(str(texts[row]).lower()) for row in rows.tolist()]
    return rows[np.asarray(held, dtype=np.bool_)]


def without_words(texts: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return texts without some words, whatever their case; one that holds no other is kept.

    Examples
    --------
    >>> without_words(["Pay CF now.", "cfo", "Cf!"], ["cf"])
    ['Pay now.', 'cfo', 'Cf!']
    """
    gone = {word.lower() for word in words}

    def kept(text: str) -> str:
        if gone.isdisjoint(_WORD.findall(text.lower())):
            return text
        rest = _WORD.sub(lambda m: "" if m.group().lower() in gone else m.group(), text)
        return " ".join(rest.split()) if _WORD.search(rest) else text

    return [kept(text) for text in texts]


def _held(texts: Sequence[str], fewest: int) -> tuple[Any, NDArray[np.object_]]:
    """Say which texts hold which words, (N, W) by columns; words that fewer hold are left out."""
    from sklearn.feature_extraction.text import CountVectorizer  # lazy: 1 s

    if not any(map(_WORD.search, texts)):
        return sparse.csc_matrix((len(texts), 0), dtype=np.int64), np.zeros(0, dtype=object)
    reader = CountVectorizer(binary=True, dtype=np.int64, token_pattern=_WORD.pattern)
    held = reader.fit_transform(texts)
    names = reader.get_feature_names_out()
    short = np.array([len(name) <= _LONGEST for name in names])
    kept = np.flatnonzero(short & (np.asarray(held.sum(axis=0)).ravel() >= fewest))
    return held.tocsc()[:, kept], names[kept]


def _by_mistake(k: int, holds: IntArray, classes: IntArray, should: IntArray) -> float:
    """P(so many texts with a word wrongly named k), were k named whatever words a text holds.

    Of each class that texts should have, those that are labeled k might be any of its texts: so
    the number among some of them is hypergeometric, and over all classes it is a sum of these.

    Parameters
    ----------
    k : int
    holds : (n,) int
        Rows whose text holds the word.
    classes, should : (N,) int
        Labels, and what they should be as far as is known.

    Examples
    --------
    >>> should = np.repeat([1, 2], 10)
    >>> classes = np.where(np.arange(20) % 5 == 0, 0, should)
    >>> # Of ten that should be 1, two are labeled 0; both are among the three with the word.
    >>> round(_by_mistake(0, np.array([0, 1, 5]), classes, should), 4)  # 8 of 120 threes
    0.0667
    """
    from scipy.stats import hypergeom  # lazy: .4 s

    so = (classes == k) & (should != k)
    seen = int(so[holds].sum())
    several = len(np.bincount(should))
    of, named = (np.bincount(part, minlength=several) for part in (should, should[so]))
    drawn = np.bincount(should[holds], minlength=several)
    chances = np.ones(1)
    for b in np.flatnonzero((named > 0) & (drawn > 0)):
        up_to = np.arange(min(named[b], drawn[b]) + 1)
        chances = np.convolve(chances, hypergeom.pmf(up_to, of[b], named[b], drawn[b]))
    return float(min(chances[seen:].sum(), 1.0))


def _counts(
    held: Any, classes: IntArray, bad: BoolArray
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Count the texts, and the bad ones, of each class and word that go together."""
    pairs, place = np.unique(classes[held.row] * held.shape[1] + held.col, return_inverse=True)
    sizes = np.bincount(place, minlength=len(pairs))
    errors = np.bincount(place[bad[held.row]], minlength=len(pairs))
    return *np.divmod(pairs, max(held.shape[1], 1)), sizes, errors
