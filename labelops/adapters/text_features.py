"""Numbers for scikit-learn from texts: hashed counts of words and characters, and text vectors.

Counting and encoding learn nothing, so they are done once for all folds. Inverse document
frequencies are learned from labeled rows inside each fold; the latent map is learned once, from all
texts that were read, without their labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize

from labelops.audit.few_dimensions import few_dimensions

from .text_vectors import TextVectors

__all__ = [
    "LatentMap",
    "TextMap",
    "TextRows",
    "TfidfMap",
    "comparable",
    "text_rows",
    "word_counts",
    "words_of",
]

_BITS = 18
_HASHED: dict[str, Any] = {"n_features": 2**_BITS, "alternate_sign": False, "norm": None}
_LATENT = 64
_TEXTS_A_DIMENSION = 8
_TEXTS_A_WORD = 5_000
_LATENT_WEIGHT = 3.0
"""How much longer a text's latent part is than its words' part: it is to be learned first."""

VECTOR_WEIGHT = 8.0
"""How much longer its vector is: it was learned from more texts than any label set has."""


def word_counts(texts: Sequence[str]) -> Any:
    """Count words, word pairs and runs of 3 to 5 characters, hashed into fixed columns.

    Parameters
    ----------
    texts : sequence of str
        N texts.

    Returns
    -------
    (N, 2**19) sparse matrix of counts; columns mean the same for every call.

    Examples
    --------
    >>> a, b = word_counts(["red cat"]), word_counts(["blue", "red cat"])
    >>> bool((a[0] != b[1]).nnz == 0)
    True
    """
    if not len(texts):
        return sparse.csr_matrix((0, 2 * 2**_BITS))
    clean = [t.encode("utf-8", "replace").decode("utf-8") for t in texts]
    words = HashingVectorizer(ngram_range=(1, 2), **_HASHED)
    return sparse.hstack([words.transform(clean), _runs(clean)], format="csr")


def _runs(texts: list[str]) -> Any:
    """Count runs of 3 to 5 characters within words: each different word is hashed once.

    What `HashingVectorizer(analyzer="char_wb")` counts, which hashes every word of every text.
    """
    split = [text.lower().split() for text in texts]
    codes, words = pd.factorize(np.array([*chain.from_iterable(split)], dtype=object))
    if not len(words):
        return sparse.csr_matrix((len(texts), 2**_BITS))
    ends = np.cumsum([0, *map(len, split)])
    of_texts = sparse.csr_matrix((np.ones(len(codes)), codes, ends), (len(texts), len(words)))
    of_texts.sum_duplicates()
    runs = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), lowercase=False, **_HASHED)
    counts = of_texts @ runs.transform(words)
    counts.sort_indices()
    return counts


@dataclass(frozen=True, slots=True)
class TextRows:
    """What is read off N texts before anything is learned; rows are picked as of an array.

    Parameters
    ----------
    counts : (N, D) sparse matrix
        Of `word_counts`.
    vectors : (N, V) float32 array or None
        Unit vectors of an encoder, where one is asked.
    near : (N, n) sparse matrix or None
        Where they stand among the texts that were read (`TextGraph.near`).
    """

    counts: Any
    vectors: npt.NDArray[np.float32] | None = None
    near: Any = None

    def __getitem__(self, rows: Any) -> TextRows:
        """Return some rows, by their numbers or a mask."""
        vectors = None if self.vectors is None else self.vectors[rows]
        return TextRows(self.counts[rows], vectors, None if self.near is None else self.near[rows])

    def followed_by(self, others: TextRows) -> TextRows:
        """Return these rows and then others; vectors and places where both have them."""
        vectors = [part.vectors for part in (self, others) if part.vectors is not None]
        near = [part.near for part in (self, others) if part.near is not None]
        return TextRows(
            sparse.vstack([self.counts, others.counts], format="csr"),
            np.vstack(vectors) if len(vectors) == 2 else None,
            sparse.vstack(near, format="csr") if len(near) == 2 else None,
        )


def text_rows(items: pd.DataFrame, vectors: TextVectors | None = None) -> TextRows:
    """Read N items' texts: count their words, and ask for their vectors.

    Parameters
    ----------
    items : (N,) items frame
        Columns item_id and payload.
    vectors : TextVectors, optional

    Raises
    ------
    EndError
        If the encoder fails, or answers something else than vectors.

    Examples
    --------
    >>> rows = text_rows(pd.DataFrame({"item_id": ["a", "b"], "payload": ["red cat", "dog"]}))
    >>> rows[[1]].counts.shape[0], rows.vectors is None
    (1, True)
    """
    counts = word_counts(items["payload"].tolist())
    return TextRows(counts, None if vectors is None else vectors.of(items))


@dataclass(frozen=True, slots=True)
class TfidfMap:
    """Counts → sublinear tf-idf over the columns that its training rows used.

    Examples
    --------
    >>> counts = word_counts(["red cat", "blue dog"])
    >>> mapped = TfidfMap.learned(counts)(counts)
    >>> bool(mapped.shape[1] < counts.shape[1]), round(float(mapped.power(2).sum()), 9)
    (True, 2.0)
    """

    columns: npt.NDArray[np.int64]
    tfidf: Any

    @classmethod
    def learned(cls, counts: Any, least: int | None = None) -> TfidfMap:
        """Learn from (N, D) counts; columns of fewer rows than `least` are dropped.

        Without it: those of a single row, once N is large.
        """
        seen = np.bincount(counts.indices, minlength=counts.shape[1])
        columns = np.flatnonzero(seen >= (least or (1 if counts.shape[0] < 1000 else 2)))
        if not len(columns):
            return cls(columns, None)
        return cls(columns, TfidfTransformer(sublinear_tf=True).fit(counts[:, columns]))

    def __call__(self, counts: Any) -> Any:
        """Return (N, d) unit rows; a text with no known part is a row of zeros.

        Where all its training rows were empty, d is 0.
        """
        known = counts[:, self.columns]
        return known if self.tfidf is None else self.tfidf.transform(known)


@dataclass(frozen=True, slots=True)
class LatentMap:
    """Counts → the directions in which many texts differ (latent semantic analysis).

    Learned from texts alone. Words that stand in the same texts come to lie in the same
    direction, so that a label of one text says something of others that share no word with it:
    what a model with few labels needs.

    References
    ----------
    Deerwester, Dumais, Furnas, Landauer, Harshman (1990), Indexing by latent semantic analysis.

    Examples
    --------
    >>> counts = word_counts(["red cat", "blue dog"] * 20)
    >>> mapped = LatentMap.learned(counts)
    >>> mapped(counts).shape, float(round((mapped(counts) ** 2).sum(), 6))
    ((40, 5), 40.0)
    """

    tfidf: TfidfMap
    svd: Any

    @classmethod
    def learned(cls, counts: Any) -> LatentMap | None:
        """Learn at most 64 directions from (N, D) counts, one for eight texts; None from few."""
        size = min(_LATENT, counts.shape[0] // _TEXTS_A_DIMENSION)
        tfidf = TfidfMap.learned(counts, least=2)
        size = min(size, len(tfidf.columns) - 1)
        if size < 2:
            return None
        return cls(tfidf, TruncatedSVD(size, n_iter=3, random_state=0).fit(tfidf(counts)))

    def __call__(self, counts: Any) -> npt.NDArray[np.float64]:
        """Return (N, d) unit rows; a text with no known part is a row of zeros."""
        found: npt.NDArray[np.float64] = normalize(self.svd.transform(self.tfidf(counts)))
        return found


@dataclass(frozen=True, slots=True)
class TextMap:
    """Texts → tf-idf and, where there are any, their latent directions and vectors beside it.

    Examples
    --------
    >>> rows = TextRows(word_counts(["red cat", "dog"]), np.eye(2, 3, dtype=np.float32))
    >>> mapped = TextMap.learned(rows)(rows)
    >>> float(round(mapped.power(2).sum(), 6))  # a unit of words and a vector eight times as long
    130.0
    """

    tfidf: TfidfMap
    latent: LatentMap | None

    @classmethod
    def learned(cls, rows: TextRows, latent: LatentMap | None = None) -> TextMap:
        """Learn what words weigh from N texts; the latent map is learned beforehand, of more."""
        return cls(TfidfMap.learned(rows.counts), latent)

    def __call__(self, rows: TextRows) -> Any:
        """Return (N, d) rows, sparse; one column of zeros where there is nothing to learn from.

        A classifier learns from that how often each class comes.
        """
        parts = [self.tfidf(rows.counts)]
        if self.latent is not None:
            parts.append(_LATENT_WEIGHT * self.latent(rows.counts))
        if rows.vectors is not None:
            parts.append(VECTOR_WEIGHT * rows.vectors.astype(np.float64))
        mapped = sparse.hstack(parts, format="csr") if len(parts) > 1 else parts[0]
        return mapped if mapped.shape[1] else sparse.csr_matrix((mapped.shape[0], 1))


def comparable(rows: TextRows) -> npt.NDArray[np.float64]:
    """Return few dimensions in which texts that say alike are near, for audits.

    Here words and vectors are as long as each other: whatever weighs more, fewer of a text's
    nearest others are of its class. Words are projected first, and what is left of them together
    with the vectors: one sparse matrix of both takes twice the memory, and is no better.

    Returns
    -------
    (N, d) array, d at most 64 where there are several texts; one column of zeros where none says
    anything.

    Examples
    --------
    >>> near = comparable(TextRows(word_counts(["red cat", "blue dog", "red dog", "a red cat"])))
    >>> bool(near[0] @ near[3] > near[0] @ near[2])
    True
    """
    near = few_dimensions(TfidfMap.learned(rows.counts)(rows.counts))
    if rows.vectors is not None:
        near = few_dimensions(np.hstack([near, rows.vectors]))
    return near if near.shape[1] else np.zeros((near.shape[0], 1))


def words_of(rows: TextRows) -> Any:
    """Weigh the words and word pairs that two texts at least have, for learners of audits.

    Of many texts one in 5,000 at least: learners read some 20,000 of them (`rows_to_learn`).

    Without runs of characters, which take most of the time and tell a learner little beside
    `comparable`, where they are.

    Returns
    -------
    (N, d) sparse matrix of unit rows; one column of zeros where no word comes twice.

    Examples
    --------
    >>> words_of(TextRows(word_counts(["red cat", "blue dog", "red dog"]))).getnnz(axis=1).tolist()
    [1, 1, 2]
    """
    counts = rows.counts[:, : 2**_BITS]
    least = max(2, counts.shape[0] // _TEXTS_A_WORD)
    weighed = TfidfMap.learned(counts, least=least)(counts)
    return weighed if weighed.shape[1] else sparse.csr_matrix((weighed.shape[0], 1))
