"""The methods a blend is made of: majority, and models of annotators from stiff to free.

How freely an annotator's own confusion is learned is the one thing on which crowds differ most.
Where classes are rare, few votes tell of what people do with them, and those few lie on items that
people find hard: stiff models are right. Where classes are even, people's own ways of erring are
seen often and are worth learning. Majority is always among them: it cannot collapse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from labelops.measure.votes import Votes

from ._confusions import Confusions
from ._family import DawidSkene, Start
from .counts import vote_shares
from .ibcc import ibcc_shards
from .one_coin import one_coin_shards
from .shares import look_even
from .shrunk import shrunk_dawid_skene_shards

__all__ = ["MEMBERS", "Fit", "members_for"]

Fit: TypeAlias = Callable[..., DawidSkene]


def _majority(votes: Votes, *, start: Start, max_iterations: int) -> DawidSkene:
    """Shares of votes, in the shape of the other members."""
    del start, max_iterations
    shares = vote_shares(votes)
    n_classes = votes.n_classes
    none = Confusions.of_table(np.empty((0, n_classes, n_classes)))
    return DawidSkene(shares, none, np.full(n_classes, 1 / max(n_classes, 1)), 0, True)


def _family(fit: Fit) -> Fit:
    def run(votes: Votes, *, start: Start, max_iterations: int) -> DawidSkene:
        return fit([votes], start=start, max_iterations=max_iterations)

    return run


def _shrunk(times: float) -> Fit:
    def run(votes: Votes, *, start: Start, max_iterations: int) -> DawidSkene:
        return shrunk_dawid_skene_shards(
            [votes], start=start, strength=times * votes.n_classes, max_iterations=max_iterations
        )

    return run


MEMBERS: Mapping[str, Fit] = MappingProxyType(
    {
        "majority": _majority,
        "one_coin": _family(one_coin_shards),
        "ibcc": _family(ibcc_shards),
        "shrunk_64": _shrunk(64.0),
        "shrunk_16": _shrunk(16.0),
        "shrunk_4": _shrunk(4.0),
        "shrunk_2": _shrunk(2.0),
        "shrunk_1": _shrunk(1.0),
    }
)
"""All there are; `shrunk_4` counts the expectation of an annotator for four votes a class."""

_EVEN = ("majority", "one_coin", "ibcc", "shrunk_4", "shrunk_2", "shrunk_1")
_UNEVEN = ("majority", "shrunk_64", "shrunk_16", "shrunk_4", "shrunk_2", "shrunk_1")


def members_for(votes: Votes) -> Mapping[str, Fit]:
    """Choose what to blend, by whether classes look even.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> codes = np.repeat([0, 1], [290, 10])
    >>> votes = pack_votes(np.repeat(range(100), 3), np.tile(range(3), 100), codes, n_items=100,
    ...                    n_annotators=3, n_classes=2)
    >>> list(members_for(votes))[:3]
    ['majority', 'shrunk_64', 'shrunk_16']
    """
    return {name: MEMBERS[name] for name in (_EVEN if look_even(votes) else _UNEVEN)}
