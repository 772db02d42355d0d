"""The methods a blend is made of: majority, and models of annotators from stiff to free.

How freely an annotator's own confusion is learned is the one thing on which crowds differ most.
Where classes are rare, few votes tell of what people do with them, and those few lie on items that
people find hard: stiff models are right. Where classes are even, people's own ways of erring are
seen often and are worth learning. Majority is always among them: it cannot collapse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from labelops.measure.codes import FloatArray
from labelops.measure.votes import Votes

from ._confusions import Confusions
from ._family import DawidSkene, Start
from .counts import vote_shares
from .ibcc import ibcc_shards
from .one_coin import one_coin_shards
from .shares import look_even
from .shrunk import shrunk_dawid_skene_shards

__all__ = ["MEMBERS", "Fit", "members_for", "step_say"]

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


_FREE = ("shrunk_4", "shrunk_2", "shrunk_1")
_OTHERS = ("one_coin", "ibcc")


def step_say(names: Sequence[str], weights: FloatArray) -> float:
    """Say how far people's own mistakes are worth learning freely, by what methods are worth.

    Weights are how probable methods are by held-out votes. Where those that expect everybody to err
    as the crowd does, and soon believe otherwise, are as probable as one-coin and IBCC, or more, 1;
    where the odds against them are three to one, which is substantial, 0; between, in proportion:
    a little other weights shall be little else.

    References
    ----------
    Jeffreys 1961, Theory of Probability, appendix B (odds from which evidence is substantial)

    Examples
    --------
    >>> names = ["majority", "one_coin", "ibcc", "shrunk_4", "shrunk_2", "shrunk_1"]
    >>> step_say(names, np.full(6, 1 / 6)), step_say(names, np.array([1 / 6, 0.83, 0, 0, 0, 0]))
    (1.0, 0.0)
    """
    worth = dict(zip(names, map(float, weights), strict=True))
    free, others = (sum(worth.get(name, 0.0) for name in some) for some in (_FREE, _OTHERS))
    if free >= others:
        return 1.0
    return max(4 * free / (free + others) - 1, 0.0)


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
