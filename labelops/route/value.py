"""What a vote is worth: the wrong labels it is expected to prevent, for what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np
import numpy.typing as npt

from ..errors import UsageError, shown
from ..measure.brief import brief
from ..measure.codes import check_probs
from ..measure.given import check_share, check_whole

__all__ = ["ACCEPT", "LEAVE", "Voters", "Worth", "prevented_errors", "vote_worth"]

ACCEPT = "accept"
"""The action of an item that is sure enough as it is."""

LEAVE = "leave"
"""The action of an item that nobody is left to ask about."""

_MOST = 3
_FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Voters:
    """A kind of annotator that can be asked.

    Parameters
    ----------
    name : str
    accuracy : float in (0, 1)
        How often one of them is right; wrong ones spread evenly over the other classes.
    cost : float
        Of one vote, more than 0.
    """

    name: str
    accuracy: float
    cost: float = 1.0

    def __post_init__(self) -> None:
        if self.name in ("", ACCEPT, LEAVE):
            raise UsageError(f"voters cannot be called {shown(self.name)}")
        if not (0 < self.accuracy < 1 and 0 < self.cost < float("inf")):
            raise UsageError(
                f"voters {shown(self.name)}: accuracy {self.accuracy} must lie between 0 and 1, "
                f"cost {self.cost} above 0"
            )


@brief
@dataclass(frozen=True, slots=True)
class Worth:
    """What is best done about each of N items.

    Parameters
    ----------
    action : (N,) object array
        `ACCEPT`, `LEAVE`, or the name of the voters to ask.
    votes : (N,) int array
        How many of them to ask at once; 0 where none.
    prevents : (N,) float array
        Wrong labels that these votes are expected to prevent, at least; 0 where none.
    per_cost : (N,) float array
        The same for each unit of cost: the order in which to spend.
    """

    action: npt.NDArray[np.object_]
    votes: npt.NDArray[np.int64]
    prevents: _FloatArray
    per_cost: _FloatArray


def prevented_errors(posterior: npt.ArrayLike, accuracy: float, most: int = _MOST) -> _FloatArray:
    """Give how much 1, 2, …, `most` further votes are expected to lower the chance of an error.

    A label named now is wrong with probability 1 - max q; named after m votes, with one that is
    smaller on average, never larger. For one vote this is exact. For more it is exact with two
    classes, and a lower bound with more: it then lets the votes decide between the two likeliest
    classes only.

    Parameters
    ----------
    posterior : (N, K) float array
        Calibrated; rows sum to 1.
    accuracy : float
        How often such a vote is right, errors spread evenly over the other classes.
    most : int

    Returns
    -------
    (N, most) float array, 0 or more, never falling along a row.

    Raises
    ------
    TableError
        The posterior is no table of probabilities; the row is named.
    UsageError
        The accuracy is not between 0 and 1, or `most` is not 1 or more.

    References
    ----------
    Frazier, Powell, Dayanik 2008, https://doi.org/10.1137/070693424 (the knowledge gradient).
    One look ahead sees no use where a single vote can change nothing; so several are tried.

    Examples
    --------
    >>> prevented_errors([[0.5, 0.5], [0.9, 0.1]], 0.8, 3).round(3).tolist()
    [[0.3, 0.3, 0.396], [0.0, 0.028, 0.044]]
    """
    check_share("accuracy", accuracy, inside=True)
    check_whole("most", most)
    belief = check_probs(posterior, np.shape(posterior)[-1] if np.ndim(posterior) else 0)
    wrong = (1 - accuracy) / max(belief.shape[1] - 1, 1)
    ranked = np.sort(belief, axis=1)
    first, second = ranked[:, -1], ranked[:, -2] if belief.shape[1] > 1 else 0 * ranked[:, -1]
    gains = [_by_one(belief, first, second, accuracy, wrong)]
    gains += [_between_two(first, second, accuracy, wrong, m) for m in range(2, most + 1)]
    stacked = np.stack(gains[:most], axis=1)
    return np.asarray(np.maximum.accumulate(np.maximum(stacked, 0.0), axis=1))


def _by_one(
    belief: _FloatArray, first: _FloatArray, second: _FloatArray, right: float, wrong: float
) -> _FloatArray:
    """Sum over the class voted for of the likeliest class's joint probability, less today's."""
    best = belief == first[:, None]
    alone = best & (best.cumsum(axis=1) == 1)
    others = np.where(alone, second[:, None], first[:, None])
    gain = np.maximum(right * belief, wrong * others).sum(axis=1) - first
    return np.asarray(gain)


def _between_two(
    first: _FloatArray, second: _FloatArray, right: float, wrong: float, votes: int
) -> _FloatArray:
    """Do the same for several votes that choose between the two likeliest classes."""
    rest = max(1 - right - wrong, 0.0)
    gain = -first
    for for_first in range(votes + 1):
        for for_second in range(votes + 1 - for_first):
            for_others = votes - for_first - for_second
            ways = factorial(votes) / (
                factorial(for_first) * factorial(for_second) * factorial(for_others)
            )
            a = first * right**for_first * wrong**for_second
            b = second * right**for_second * wrong**for_first
            gain = gain + ways * rest**for_others * np.maximum(a, b)
    return np.asarray(gain)


def vote_worth(
    posterior: npt.ArrayLike,
    voters: Sequence[Voters],
    left: npt.ArrayLike,
    *,
    sure: npt.ArrayLike = False,
    most: int = _MOST,
) -> Worth:
    """Choose for each item whom to ask, and how many at once, so that a unit of cost does most.

    Parameters
    ----------
    posterior : (N, K) float array
        Calibrated belief about each item's class.
    voters : sequence of J `Voters`
    left : (N, J) int array
        How many votes of each kind an item can still get.
    sure : (N,) bool array
        Items whose label stands as it is.
    most : int
        Most votes to ask for at once.

    Returns
    -------
    Worth
        An unsure item that no vote is expected to change gets one of the cheapest voters left.

    Raises
    ------
    UsageError
        If the shapes or types do not fit, or there are no voters.

    Examples
    --------
    >>> kinds = [Voters("crowd", 0.7), Voters("expert", 0.98, cost=5.0)]
    >>> found = vote_worth([[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]], kinds, [[9, 1], [0, 1], [9, 1]],
    ...                    sure=[False, False, True])
    >>> found.action.tolist(), found.per_cost.round(3).tolist()
    (['crowd', 'expert', 'accept'], [0.2, 0.096, 0.0])
    """
    belief, room, rests = (
        np.asarray(posterior, dtype=np.float64),
        np.asarray(left),
        np.asarray(sure),
    )
    if rests.dtype != np.bool_ or (room.size and room.dtype.kind not in "iu"):
        raise UsageError(
            f"vote_worth: sure is {rests.dtype} and left {room.dtype}, expected true or false and "
            "whole numbers"
        )
    if not voters or room.shape != (len(belief), len(voters)) or belief.ndim != 2:
        raise UsageError(
            f"vote_worth: posterior {belief.shape}, {len(voters)} kinds of voters and left "
            f"{room.shape} do not fit; expected (N, K), J of them and (N, J)"
        )
    costs = np.array([v.cost for v in voters])
    gains = np.stack([prevented_errors(belief, v.accuracy, most) for v in voters], axis=1)
    number = np.arange(1, most + 1)
    rate = gains / (costs[:, None] * number)
    # Where nothing is gained, the cheapest single vote that can be had.
    rate = rate + 1e-12 / (costs[:, None] * number)
    possible = number <= room[:, :, None]
    rate = np.where(possible, rate, -np.inf)
    best = rate.reshape(len(belief), len(voters) * most).argmax(axis=1)
    kind, votes = best // most, best % most + 1
    rests = np.broadcast_to(rests, len(belief))
    open_ = possible.any(axis=(1, 2)) & ~rests
    rows = np.arange(len(belief))
    prevents = np.where(open_, gains[rows, kind, votes - 1], 0.0)
    names = np.array([v.name for v in voters], dtype=object)
    at_rest = np.where(rests, ACCEPT, LEAVE)
    return Worth(
        action=np.where(open_, names[kind], at_rest).astype(object),
        votes=np.where(open_, votes, 0),
        prevents=prevents,
        per_cost=prevents / (costs[kind] * votes),
    )
