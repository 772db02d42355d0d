"""Words with which labels of a class are suspected more often: a trigger, or a habit of people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from labelops.audit.attributes import worse_than_rest
from labelops.audit.inputs import check_verdicts
from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, code_count
from labelops.measure.given import check_list, check_share, check_whole

__all__ = ["SuspiciousWords", "holding", "suspicious_words"]

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
        Of "no more than the class's others" (Fisher's exact test), and corrected for all rows.
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
    *,
    fewest: int = 4,
    least: float = 0.3,
    risk: float = 0.05,
) -> SuspiciousWords:
    """Find words with which a class's labels are suspected more often than without.

    A label is held against others of its class only, so that a class with many errors does not
    accuse all its words.

    Parameters
    ----------
    texts : sequence of str
        N texts.
    codes : (N,) array-like of int
        Labels; -1 is missing.
    wrong : (N,) array-like of bool or of 0 and 1
        Suspected labels, or confirmed errors; NaN or None where nobody judged.
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
    labels = check_codes(codes, code_count(codes))
    outcome = check_verdicts("wrong", wrong)
    check_list("texts", texts, "texts")
    if not len(texts) == len(labels) == len(outcome):
        raise UsageError(
            f"found {len(texts)} texts and {len(outcome)} verdicts for {len(labels)} codes"
        )
    rows = np.flatnonzero((labels >= 0) & ~np.isnan(outcome))
    classes, bad = labels[rows], outcome[rows] == 1
    held, names = _held([str(texts[i]) for i in rows], fewest)
    k, word, n, x = _counts(held.tocoo(), classes, bad)
    # By how many hold it, not by how many of them are suspected: that would be to look first.
    k, word, n, x = (part[n >= fewest] for part in (k, word, n, x))
    K = code_count(classes)
    total, wrongs = (np.bincount(of, minlength=K)[k] for of in (classes, classes[bad]))
    rates, rest, p_values, q_values, flagged = worse_than_rest(
        n, x, total, wrongs, least=least, risk=risk
    )
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


def _held(texts: Sequence[str], fewest: int) -> tuple[Any, NDArray[np.object_]]:
    """Say which texts hold which words, (N, W) sparse; words that fewer texts hold are left out."""
    from sklearn.feature_extraction.text import CountVectorizer  # lazy: 1 s

    if not any(map(_WORD.search, texts)):
        return sparse.csr_matrix((len(texts), 0), dtype=np.int64), np.zeros(0, dtype=object)
    reader = CountVectorizer(binary=True, dtype=np.int64, token_pattern=_WORD.pattern)
    held = reader.fit_transform(texts)
    names = reader.get_feature_names_out()
    short = np.array([len(name) <= _LONGEST for name in names])
    kept = np.flatnonzero(short & (np.asarray(held.sum(axis=0)).ravel() >= fewest))
    return held[:, kept], names[kept]


def _counts(
    held: Any, classes: IntArray, bad: BoolArray
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Count the texts, and the bad ones, of each class and word that go together."""
    pairs, place = np.unique(classes[held.row] * held.shape[1] + held.col, return_inverse=True)
    sizes = np.bincount(place, minlength=len(pairs))
    errors = np.bincount(place[bad[held.row]], minlength=len(pairs))
    return *np.divmod(pairs, max(held.shape[1], 1)), sizes, errors
