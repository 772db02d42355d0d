"""Leakage groups: what belongs together stays on one side of every split.

Items are nodes; the same content, near sketches, and the same group of the owner are edges;
a leakage group is a connected component. So groups do not depend on the order of rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_matrix

from .sketches import FAMILIES, Bytes, Family, Keys

__all__ = ["components", "name_groups", "near_edges", "same_edges"]

Nodes = npt.NDArray[np.int64]
Edges = tuple[Nodes, Nodes]

WINDOW = 8
"""In a bucket of more sketches than this each is compared with this many others only."""

_CHUNK = 200_000


def components(nodes: int, edges: list[Edges]) -> Nodes:
    """Return the (N,) number of each node's connected component.

    Examples
    --------
    >>> components(3, [(np.array([0]), np.array([2]))]).tolist()
    [0, 1, 0]
    """
    from scipy.sparse.csgraph import connected_components  # lazy: .1 s

    left = np.concatenate([np.empty(0, np.int64), *(a for a, _ in edges)])
    right = np.concatenate([np.empty(0, np.int64), *(b for _, b in edges)])
    graph = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(nodes, nodes))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def same_edges(values: npt.ArrayLike | pd.Series) -> Edges:
    """Link every node with the first that has the same value; missing values link nothing.

    Examples
    --------
    >>> [side.tolist() for side in same_edges(np.array(["u", None, "u"], dtype=object))]
    [[2], [0]]
    """
    codes, _ = pd.factorize(np.asarray(values, dtype=object), use_na_sentinel=True)
    places = np.flatnonzero(codes >= 0)
    first = np.zeros(codes.max(initial=-1) + 1, dtype=np.int64)
    first[codes[places[::-1]]] = places[::-1]
    target = first[codes[places]]
    linked = target != places
    return places[linked], target[linked]


def near_edges(
    sketches: npt.NDArray[np.object_], fresh: npt.NDArray[np.bool_] | None = None
) -> list[Edges]:
    """Return edges between items whose sketches are the same or near.

    Near sketches are looked for among those that share a band; each candidate pair is
    verified. The cost is linear: where more than `WINDOW` different sketches share a band,
    each is compared with `WINDOW` others in an order fixed by content. (Items that are alike
    in such numbers meet in many bands and through each other.)

    Parameters
    ----------
    sketches : (N,) object
        Sketches of any family; None: compared with nothing.
    fresh : (N,) bool, optional
        Pairs without a fresh member are taken as compared before. Without it all are fresh.

    Returns
    -------
    list of pairs of (E,) node numbers
    """
    new = np.ones(len(sketches), dtype=bool) if fresh is None else fresh
    edges = [same_edges(sketches)]
    known = np.fromiter((isinstance(s, str) for s in sketches), bool, count=len(sketches))
    for family in FAMILIES:
        member = np.zeros(len(sketches), dtype=bool)
        member[known] = [s.startswith(family.prefix) for s in sketches[known]]
        nodes = np.flatnonzero(member)
        if nodes.size:
            edges += _near_in_family(family, nodes, sketches[nodes], new[nodes])
    return edges


def _near_in_family(
    family: Family, nodes: Nodes, sketches: npt.NDArray[np.object_], fresh: npt.NDArray[np.bool_]
) -> list[Edges]:
    codes, distinct = pd.factorize(sketches)
    first: Nodes = np.zeros(len(distinct), dtype=np.int64)
    first[codes[::-1]] = nodes[::-1]
    new = np.bincount(codes, weights=fresh) > 0
    if not new.any():
        return []
    content = family.decode(list(distinct))
    order = _content_order(content)
    together: Nodes = np.arange(len(distinct), dtype=np.int64)
    found: list[Edges] = []
    for number, keys in enumerate(family.bands(content)):
        band = list(_verified(family, content, keys, order, new, together))
        order = order * np.uint64(0x9E3779B97F4A7C15) + np.uint64(2 * number + 1)
        if band:
            found += band
            together = components(len(distinct), found)
    return [(first[a], first[b]) for a, b in found]


def _content_order(content: Bytes) -> Keys:
    """Give each sketch a 64-bit number that depends only on its bytes."""
    width = -(-content.shape[1] // 8) * 8
    padded = np.zeros((len(content), width), dtype=np.uint8)
    padded[:, : content.shape[1]] = content
    result = np.zeros(len(content), dtype=np.uint64)
    for column in padded.view("<u8").T:
        result = (result ^ column) * np.uint64(0x9E3779B97F4A7C15)
        result ^= result >> np.uint64(29)
    return result


def _verified(
    family: Family,
    content: Bytes,
    keys: Keys,
    order: Keys,
    new: npt.NDArray[np.bool_],
    together: Nodes,
) -> Iterator[Edges]:
    for left, right in _candidates(keys, order):
        asked = (new[left] | new[right]) & (together[left] != together[right])
        left, right = left[asked], right[asked]
        for start in range(0, len(left), _CHUNK):
            a, b = left[start : start + _CHUNK], right[start : start + _CHUNK]
            near = family.near(content, a, b)
            if near.any():
                yield a[near], b[near]


def _candidates(keys: Keys, order: Keys) -> Iterator[Edges]:
    """Yield pairs that share a key: neighbours at distance 1, 2, … `WINDOW` in content order."""
    by_key = np.argsort(keys)
    equal = keys[by_key[1:]] == keys[by_key[:-1]]
    crowded = np.append(equal, False) | np.append(False, equal)
    rows = by_key[crowded]
    rows = rows[np.lexsort((order[rows], keys[rows]))]
    for distance in range(1, WINDOW + 1):
        left, right = rows[:-distance], rows[distance:]
        shared = keys[left] == keys[right]
        if not shared.any():
            return
        yield left[shared], right[shared]


def name_groups(ids: npt.NDArray[np.object_], labels: Nodes) -> npt.NDArray[np.object_]:
    """Return each item's group id: the smallest item id of its component.

    Examples
    --------
    >>> name_groups(np.array(["c", "b", "a"], dtype=object), np.array([0, 1, 0])).tolist()
    ['a', 'b', 'a']
    """
    groups = ids.copy()
    shared = np.flatnonzero((np.bincount(labels) > 1)[labels]) if labels.size else labels
    by_id = shared[np.argsort(ids[shared], kind="stable")]
    smallest = np.empty(labels.max(initial=-1) + 1, dtype=object)
    smallest[labels[by_id[::-1]]] = ids[by_id[::-1]]
    groups[shared] = smallest[labels[shared]]
    return groups
