"""Labels that spread over texts which say alike, whether anybody has labeled those or not.

A classifier knows of texts without labels only which words stand together. Here a label moves on
from text to text, to the nearest ones first and less at each step, so that a class reaches as far
as its texts lie close together. With few labels this tells more than any line between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.preprocessing import normalize

from .text_features import LatentMap, TextRows

__all__ = ["TextGraph"]

_Floats = npt.NDArray[np.float64]

_MOST = 5_000
"""Texts that labels spread over; where more were read, as many evenly spaced ones."""

_NEAREST = 10
_POWER = 8
"""A neighbour at cosine c is weighed c to this power: one half as near counts for nothing."""

_PASSED_ON = 0.8
"""Share of what reaches a text that it passes on to its neighbours."""

_STEPS = 40
_LEAST = 1e-4
_CELLS = 8_000_000


@dataclass(frozen=True, slots=True)
class TextGraph:
    """Texts that were read, each linked to those that say most alike.

    Parameters
    ----------
    latent : LatentMap
    nodes : (n, d) float32 array
        Of each different text: its latent directions and, where there are any, its vector beside
        them, as a unit row.
    links : (n, n) sparse array
        Symmetrical, divided by the roots of both texts' sums.
    places : mapping of payload digest to node

    References
    ----------
    Zhou, Bousquet, Lal, Weston, Schölkopf (2004), Learning with local and global consistency,
    https://papers.nips.cc/paper/2506-learning-with-local-and-global-consistency

    Examples
    --------
    >>> from .text_features import word_counts
    >>> texts = ["red cat", "red cats", "blue dog", "blue dogs"] * 8
    >>> texts = [f"{text} {n}" for n, text in enumerate(texts)]
    >>> rows = TextRows(word_counts(texts))
    >>> graph = TextGraph.learned(texts, rows, LatentMap.learned(rows.counts))
    >>> beliefs = graph.spread(graph.near(texts[:4], rows[:4]), np.array([0, 0, 1, 1]), 2)
    >>> beliefs.argmax(axis=1)[4:12].tolist()
    [0, 0, 1, 1, 0, 0, 1, 1]
    """

    latent: LatentMap
    nodes: npt.NDArray[np.float32]
    links: Any
    places: Mapping[str, int]

    @classmethod
    def learned(cls, digests: Sequence[str], rows: TextRows, latent: LatentMap) -> TextGraph:
        """Link N texts, the same ones once; `digests` tell which are the same."""
        first = np.sort(np.unique(np.asarray(digests, dtype=object).astype(str), True)[1])
        if len(first) > _MOST:
            first = first[np.linspace(0, len(first) - 1, _MOST).astype(np.int64)]
        nodes = _directions(rows[first], latent)
        links = _nearest(nodes, nodes, but_itself=True)
        links = links.maximum(links.T)
        sums = np.asarray(links.sum(axis=1)).ravel()
        scale = sparse.diags(1.0 / np.sqrt(np.where(sums > 0, sums, 1.0)))
        places = {digests[row]: node for node, row in enumerate(first.tolist())}
        return cls(latent, nodes, (scale @ links @ scale).tocsr(), places)

    def near(self, digests: Sequence[str], rows: TextRows) -> Any:
        """Say where N texts stand: (N, n) sparse shares, of itself or of the nearest nodes.

        A text that says nothing stands nowhere: its row is empty.
        """
        place = np.array([self.places.get(digest, -1) for digest in digests], dtype=np.int64)
        known, new = np.flatnonzero(place >= 0), np.flatnonzero(place < 0)
        shape = len(place), len(self.nodes)
        found = sparse.csr_matrix((np.ones(len(known)), (known, place[known])), shape)
        if len(new):
            others = _nearest(_directions(rows[new], self.latent), self.nodes).tocoo()
            others = sparse.csr_matrix((others.data, (new[others.row], others.col)), shape)
            found = found + normalize(others, norm="l1")
        return found.tocsr()

    def spread(self, near: Any, codes: npt.NDArray[np.int64], classes: int) -> _Floats:
        """Spread the labels of M texts; return what each node believes, (n, K), rows sum to 1.

        Parameters
        ----------
        near : (M, n) sparse array
            Where they stand.
        codes : (M,) int array
            Their classes, in [0, K).
        classes : int
            K.
        """
        known = sparse.csr_matrix((np.ones(len(codes)), (np.arange(len(codes)), codes)),
                                  (len(codes), classes))  # fmt: skip
        given: _Floats = (near.T @ known).toarray()
        held = given
        for _ in range(_STEPS):
            held = given + _PASSED_ON * (self.links @ held)
        # What no label reaches believes in all classes alike.
        held = held + _LEAST * max(float(held.max(initial=0.0)), 1e-300)
        beliefs: _Floats = held / held.sum(axis=1, keepdims=True)
        return beliefs


def _directions(rows: TextRows, latent: LatentMap) -> npt.NDArray[np.float32]:
    parts = [latent(rows.counts).astype(np.float32)]
    if rows.vectors is not None:
        parts.append(rows.vectors)
    unit: npt.NDArray[np.float32] = normalize(np.hstack(parts))
    return unit


def _nearest(
    rows: npt.NDArray[np.float32], nodes: npt.NDArray[np.float32], *, but_itself: bool = False
) -> Any:
    """Weigh the nearest nodes of each row: (N, n) sparse, only where something is alike."""
    count = min(_NEAREST, len(nodes) - but_itself)
    height = max(_CELLS // max(len(nodes), 1), 1)
    blocks = []
    for start in range(0, len(rows), height):
        alike = rows[start : start + height] @ nodes.T
        if but_itself:
            alike[np.arange(len(alike)), start + np.arange(len(alike))] = -1.0
        chosen = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        weights = np.take_along_axis(alike, chosen, 1).clip(0.0).astype(np.float64) ** _POWER
        ends = np.arange(len(alike) + 1) * count
        shape = len(alike), len(nodes)
        blocks.append(sparse.csr_matrix((weights.ravel(), chosen.ravel(), ends), shape))
    found = sparse.vstack(blocks, format="csr") if blocks else sparse.csr_matrix((0, len(nodes)))
    found.eliminate_zeros()
    return found
