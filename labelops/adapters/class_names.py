"""What classes are called, as one more labeled text each, where labels do not say otherwise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.stats import binom

from labelops.ingest.payload import normalised

from .text_features import TextRows
from .text_graph import TextGraph

__all__ = ["ClassNames", "spoken", "spoken_apart"]

_CHANCE = 0.01
"""Names that say nothing of the texts are taken for names that do this often at most."""

_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\W_]+")


def spoken(name: str) -> str:
    """Write a class's name as people would say it.

    Examples
    --------
    >>> spoken("card_not-working"), spoken("lostCard"), spoken("PIN"), spoken("à la carte")
    ('card not working', 'lost Card', 'PIN', 'à la carte')
    """
    return _BOUNDARY.sub(" ", name).strip()


def spoken_apart(names: Sequence[str]) -> list[str]:
    """Write names as people would say them; those that would be said alike say nothing.

    Which of them a text near that name belongs to nobody can tell.

    Examples
    --------
    >>> spoken_apart(["C", "C++", "C#", "Go", "javaScript"])
    ['', '', '', 'Go', 'java Script']
    """
    said = [spoken(name) for name in names]
    times = Counter(map(normalised, said))
    return [name if times[normalised(name)] == 1 else "" for name in said]


@dataclass(frozen=True, slots=True)
class ClassNames:
    """K names as texts, and what texts near them would be if names were all that is known.

    Parameters
    ----------
    rows : TextRows of K texts
        With where they stand among the texts that were read (`TextRows.near`). Names without a
        word stand nowhere.
    beliefs : (n, K) float array
        What the names alone spread to, of each text that was read.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from .text_features import LatentMap, word_counts
    >>> texts = [f"{w} {n}" for n, w in enumerate(["my cat", "a cat", "my dog", "a dog"] * 8)]
    >>> rows, names = TextRows(word_counts(texts)), TextRows(word_counts(["dog", "cat"]))
    >>> graph = TextGraph.learned(texts, rows, LatentMap.learned(rows.counts))
    >>> rows = replace(rows, near=graph.near(texts, rows))
    >>> names = ClassNames.read(graph, replace(names, near=graph.near(["d", "c"], names)))
    >>> names.that_tell(rows, np.array([1, 1, 0, 0] * 8)).tolist()
    [0, 1]
    >>> names.that_tell(rows, np.array([0, 0, 1, 1] * 8)).tolist()  # the other way round
    []
    """

    rows: TextRows
    beliefs: npt.NDArray[np.float64]

    @classmethod
    def read(cls, graph: TextGraph, rows: TextRows) -> ClassNames:
        """Spread K names over the texts that were read."""
        K = rows.counts.shape[0]
        # An encoder of vectors has something to say of no words at all.
        rows = replace(rows, near=(sparse.diags(_worded(rows).astype(float)) @ rows.near).tocsr())
        return cls(rows, graph.spread(rows.near, np.arange(K), K))

    def that_tell(
        self, rows: TextRows, codes: Sequence[int] | npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Return the codes of the names that may be learned from, given N labeled texts.

        None where all names together are right on no more of these texts than chance would be
        (one-sided binomial test); and of the others those that are right on half of the texts
        they claim, and on no less than the class's share: one that claims none stays. Never
        one without a word.

        Parameters
        ----------
        rows : TextRows of N texts
        codes : (N,) int array
            Their classes, in [0, K).
        """
        codes = np.asarray(codes, dtype=np.int64)
        K = self.beliefs.shape[1]
        stands = np.diff(rows.near.indptr) > 0
        claimed = (rows.near[stands] @ self.beliefs).argmax(axis=1)
        texts = np.bincount(claimed, minlength=K)
        right = np.bincount(claimed[claimed == codes[stands]], minlength=K)
        share = np.bincount(codes, minlength=K) / max(len(codes), 1)
        by_chance = float(texts @ share) / max(int(texts.sum()), 1)
        if binom.sf(right.sum() - 1, texts.sum(), by_chance) > _CHANCE:
            return np.zeros(0, dtype=np.int64)
        tells = (2 * right >= texts) & (right >= texts * share)
        return np.flatnonzero(tells & _worded(self.rows))


def _worded(rows: TextRows) -> npt.NDArray[np.bool_]:
    """Say which texts have a word in them."""
    found: npt.NDArray[np.bool_] = np.diff(rows.counts.indptr) > 0
    return found
