"""Annotators who copy one another, told from people who are good, or are misled by the same items.

People who answer each for themselves agree because an item's answer shows, to one more than to
another. How far two of them agree beyond their habits is then about a product, one number each:
what either sees of an item's answer. This also holds where items are harder or mislead, for all of
them alike. Each one's number follows from the agreement with many third people, and so does how
often two may be expected to agree. Copiers agree nearly always, whatever others think of them.

Three things are asked of a pair. It agrees more often than the product allows, far enough that no
two of all the pairs would by chance. What is left to agree on beyond the product, they agree on
nearly throughout: two schools that read a guideline differently, or experts among people whom
items mislead, share much, but each of them slips alone. And all of a group do so together. What
copiers had in others' numbers is taken out, and pairs are judged anew: nobody is suspected for
agreeing with, or differing from, those who copy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import bdtrc, ndtri

from labelops.measure.brief import brief
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.given import check_kind, check_share, check_whole
from labelops.measure.votes import Votes, pack_votes

from ._pairs import Pairs, agreement_pairs
from ._sight import expected_beyond, sight
from .one_voice import count_once, voices

__all__ = ["Copies", "find_copies", "nearly_always"]

_SAME = 0.9
"""Least share of what habits and skill leave open on which a pair agrees."""
_SAME_GROUP = 0.96
"""The same of all pairs of a group together."""
_SHARED, _EXPERTS = 0.05, 0.9
"""Share of what is left open that two may share without copying: people whom the others agree with
less than with each other, and people who may be experts where the others are misled."""
_ROUNDS = 4
_TINY = 1e-9


@brief
@dataclass(frozen=True, slots=True)
class Copies:
    """Pairs that were judged, and groups who copy.

    Attributes
    ----------
    first, second : (P,) int
        The pairs with enough items in common.
    items, agreeing : (P,) int
        Items both answered, and on how many they agree.
    expected : (P,) float
        On how many they would, by habits and what third people's answers say of each.
    p_value : (P,) float
        Of so much agreement without copying, corrected for all pairs.
    groups : tuple of tuple of int
        Annotators who answer as one, each group sorted.
    """

    first: IntArray
    second: IntArray
    items: IntArray
    agreeing: IntArray
    expected: FloatArray
    p_value: FloatArray
    groups: tuple[tuple[int, ...], ...] = ()


def find_copies(votes: Votes, *, risk: float = 0.01, least: int = 8) -> Copies:
    """Find groups of annotators who answer as one.

    Parameters
    ----------
    votes : Votes
        One vote an annotator and item; weights are not looked at.
    risk : float in (0, 1)
        Chance that any pair who answer each for themselves is flagged.
    least : int
        Fewest items in common.

    Notes
    -----
    Time is linear in pairs of votes on an item, of which a million are looked at. A pair takes
    two further annotators, or groups, who are none of them. What cannot be told: copiers who are
    the most by far, who copy but often answer for themselves, who copy somebody hardly ever wrong,
    or a few people who never err from copiers, where items mislead most of the others.

    References
    ----------
    Jaffe, Fetaya, Nadler, Jiang, Kluger 2016 (dependent classifiers by agreement that is no
    product), https://proceedings.mlr.press/v51/jaffe16.html

    Examples
    --------
    Annotators 0 to 2 give one answer, right on six of ten items; five others are each right on
    eight.

    >>> from labelops.measure.votes import pack_votes
    >>> rng = np.random.default_rng(0)
    >>> items, who = np.repeat(np.arange(200), 8), np.tile(np.arange(8), 200)
    >>> right = rng.random((200, 8)) < np.where(np.arange(8) < 3, 0.6, 0.8)
    >>> right[:, 1:3] = right[:, :1]
    >>> votes = pack_votes(items, who, np.where(right.ravel(), items % 2, 1 - items % 2),
    ...                    n_items=200, n_annotators=8, n_classes=2)
    >>> find_copies(votes).groups
    ((0, 1, 2),)
    """
    check_share("risk", risk, inside=True)
    check_kind("votes", votes, Votes, "`pack_votes`")
    check_whole("least", least)
    found = _settled(votes, risk, least)
    groups = found.groups
    # Somebody who shares few items with each of a group may share many with all of it.
    while groups:
        voice = voices(groups, votes.n_annotators)
        grown = _settled(_most_said(count_once(votes, voice)), risk, least).groups
        if not grown:
            break
        voice = voices(grown, votes.n_annotators)[voice]
        groups = tuple(
            tuple(np.flatnonzero(voice == one).tolist())
            for one in np.flatnonzero(np.bincount(voice) > 1)
        )
    return replace(found, groups=groups)


def _most_said(votes: Votes) -> Votes:
    """Keep of a voice that says several things of an item what most of it says."""
    if votes.weights is None:
        return votes
    most = votes.weights > 0.5
    return pack_votes(
        votes.items[most], votes.annotators[most], votes.codes[most], n_items=votes.n_items,
        n_annotators=votes.n_annotators, n_classes=votes.n_classes,
    )  # fmt: skip


def _settled(votes: Votes, risk: float, least: int) -> Copies:
    """Judge all pairs, and again beside the groups that are found, until these stay."""
    pairs = agreement_pairs(votes)
    voice: IntArray = np.arange(votes.n_annotators)
    tested = np.flatnonzero(pairs.items >= least)
    if not tested.size:
        none: IntArray = np.zeros(0, dtype=np.int64)
        return Copies(none, none, none, none, np.zeros(0), np.zeros(0))
    found = _judged(pairs, tested, voice, risk)
    # What copiers had in others' numbers is taken out, and all are judged anew.
    for _ in range(_ROUNDS):
        again = voices(found.groups, votes.n_annotators)
        if (again == voice).all():
            break
        voice = again
        found = _judged(pairs, tested, voice, risk)
    return found


def nearly_always(votes: Votes, *, risk: float = 0.01, least: int = 8) -> bool:
    """Say whether any two agree so nearly always that `find_copies` may find somebody.

    Most crowds have none, and skills need not be estimated. That nobody sees anything of an item is
    what suspects a pair most.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> items, who = np.repeat(np.arange(20), 3), np.tile(np.arange(3), 20)
    >>> votes = pack_votes(items, who, (items + (who > 1)) % 2, n_items=20, n_annotators=3,
    ...                    n_classes=2)
    >>> nearly_always(votes)
    True
    """
    pairs = agreement_pairs(votes)
    tested = pairs.items >= least
    near = tested & (pairs.beyond >= _SAME * pairs.room)
    chance = np.minimum(pairs.habit + _SHARED * pairs.room, 1.0)[near]
    tail = bdtrc(pairs.agreeing[near] - 1.0, pairs.items[near], chance)
    return bool((tail * tested.sum() <= risk / 2).any())


def _judged(pairs: Pairs, tested: IntArray, voice: IntArray, risk: float) -> Copies:
    """Test every pair beside the voices that are known."""
    sees, weight = sight(pairs, voice)
    expected, error = expected_beyond(pairs, tested, voice, sees, weight)
    habit, room = pairs.habit[tested], pairs.room[tested]
    items, agreeing, beyond = pairs.items[tested], pairs.agreeing[tested], pairs.beyond[tested]
    # Half of the risk is that the product is more than thought, half that of chance agreement.
    part = risk / 2 / max(tested.size, 1)
    most = np.minimum(expected - ndtri(part) * error, room)
    count = 1 / np.bincount(voice, minlength=voice.size)[voice]
    shared = np.where(_as_good(pairs, tested, sees, count), _EXPERTS, _SHARED)
    chance = np.minimum(habit + most + shared * (room - most), 1.0)
    p_value = _corrected(agreeing, items, chance, risk)
    left = room - expected
    flagged = (p_value <= risk) & (left > _TINY) & (beyond - expected >= _SAME * left)
    found = Copies(
        pairs.first[tested], pairs.second[tested], items, agreeing,
        items * np.minimum(habit + expected, 1.0), p_value,
    )  # fmt: skip
    return replace(found, groups=_groups(found, flagged, items * left, voice.size))


def _corrected(agreeing: IntArray, items: IntArray, chance: FloatArray, risk: float) -> FloatArray:
    """Chance of so much agreement in any of the pairs, and half of the risk for `chance` itself."""
    tail = np.where(agreeing > 0, bdtrc(agreeing - 1.0, items, np.minimum(chance, 1.0)), 1.0)
    tail = np.where(chance < 1, tail, 1.0)
    return np.asarray(np.minimum(tail.size * tail + risk / 2, 1.0))


def _as_good(pairs: Pairs, tested: IntArray, sees: FloatArray, count: FloatArray) -> BoolArray:
    """Say which pairs the others agree with as much as with each other, (P,).

    They see as much as the middle one of the others does; who sees nothing does not count.
    """
    worth = count * np.maximum(sees, 0.0)
    order = np.argsort(sees, kind="stable")
    middle = np.searchsorted(np.cumsum(worth[order]), worth.sum() / 2)
    usual = sees[order][min(int(middle), sees.size - 1)]
    return np.asarray((sees[pairs.first[tested]] + sees[pairs.second[tested]]) / 2 >= usual)


def _groups(
    found: Copies, flagged: BoolArray, left: FloatArray, size: int
) -> tuple[tuple[int, ...], ...]:
    """Join annotators along flagged pairs, but for those who do not agree with all of the rest.

    Parameters
    ----------
    found : Copies
    flagged : (P,) bool
    left : (P,) float
        Items a pair can agree on beyond what is expected of it.
    size : int
        A.
    """
    if not flagged.any():
        return ()
    one, other = found.first, found.second
    links = coo_matrix((np.ones(flagged.sum()), (one[flagged], other[flagged])), (size, size))
    _, member = connected_components(links, directed=False)
    shared = np.where(left > _TINY, found.agreeing - found.expected, 0.0)

    def same(ends: tuple[IntArray, ...]) -> FloatArray:
        """Share of what is left open on which those of a group agree, by who or by group."""
        inside = (member[one] == member[other]) & (left > _TINY)
        have, could = (
            sum(np.bincount(e[inside], x[inside], size) for e in ends) for x in (shared, left)
        )
        return np.divide(have, could, out=np.ones(size), where=could > 0)

    apart = same((one, other)) < _SAME
    member = np.where(apart, size + np.arange(size), member)
    member = np.unique(member, return_inverse=True)[1]
    alike = same((member[one],)) >= _SAME_GROUP
    many = np.bincount(member, minlength=size) > 1
    groups = [tuple(np.flatnonzero(member == g).tolist()) for g in np.flatnonzero(many & alike)]
    return tuple(sorted(groups))
