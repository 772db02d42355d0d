"""How human looks are spent: the settings of routing, and what a seat costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import SettingsError, shown

__all__ = ["DIVERSE", "DOUBT", "RoutePolicy"]

DOUBT, DIVERSE = ORDERS = ("doubt", "diverse")

_MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class RoutePolicy:
    """How human looks are spent.

    Parameters
    ----------
    seed : int
        Items labeled at random before the first model.
    training : int
        Items with a human label before the first attempt to accept a model's labels; beyond
        `seed` they are chosen in the `order`.
    order : {"doubt", "diverse"}
        What the labeler learns from next: `doubt` is what it is least sure of; `diverse` chooses
        among half as many again as are wanted, so that they differ from one another and from what
        it has learned from, by the words or pixels of the items.
    calibration : int
        Size of the random sample that acceptance is calibrated on, at most a quarter of the items;
        0: the smallest that shows `[accept] error` with one error in it, at the first attempt.
    votes_per_round : int
        Most votes asked for in one round.
    votes_total : int
        Most votes asked for ever; 0 is no bound.
    overlap_share : float in [0, 1]
        Random share of items that two people label, to measure agreement: of the calibration
        sample; of the seed, thirty at least, under the acceptance rule `audited`; else of all.
    max_votes : int
        Most votes an item gets for one purpose.
    pairs : bool
        Whether an item in doubt gets an odd number of votes, two more at once where one would not
        do. If not, it gets one more at a time: the fewest votes, in about as many rounds.
    settle_share : float in (0, 1]
        Share of the people, those with the best record, who are asked where others disagree or do
        not suffice; 1 is everybody. Teams below six have no such share.
    settle_days : float
        Days without a vote after which somebody is none of these people, and a seat kept for
        nobody else is for everybody, and days that people wait with what a labeler may spare
        them which cannot be asked; 0 waits for ever.
    blind_share : float in [0, 1]
        Random share of items shown without the model's pre-label, to measure anchoring.
    show_proposals : bool
        Whether the rest is shown with a pre-label at all; only an item's first label vote ever is.
    gold_rate : float in [0, 1]
        Share of everybody's questions whose answer is known already, where sources have `gold`.
        They are mixed among the others, and nobody gets the same one twice.
    review_share : float in [0, 1]
        Most items sent back to people as suspicious, as a share of the label set.
    experts : tuple of str
        Annotators whose votes cost `expert_cost`, as they are named in votes (`human:…`). They are
        asked for a label where their vote is worth that, or nobody else is left.
    left : tuple of str
        Annotators who have left, as they are named in votes (`human:…`). They are asked nothing
        more, and what they said counts on; without the entry they are back. A look at a label that
        nobody else can give counts as wrong in an audit, instead of being waited for.
    vote_cost, expert_cost : float
        What a vote costs, in any unit of money: of people, and of experts.
    budget : float
        Most money spent on votes ever; 0 is no bound.

    Raises
    ------
    SettingsError
        If a number is out of its range.
    """

    seed: int = 150
    training: int = 300
    order: str = DOUBT
    calibration: int = 0
    votes_per_round: int = 600
    votes_total: int = 0
    overlap_share: float = 0.2
    max_votes: int = 7
    pairs: bool = False
    settle_share: float = 0.5
    settle_days: float = 7.0
    blind_share: float = 0.2
    show_proposals: bool = True
    gold_rate: float = 0.1
    review_share: float = 0.05
    experts: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    vote_cost: float = 1.0
    expert_cost: float = 5.0
    budget: float = 0.0

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise SettingsError(
                f"route.order is {shown(self.order)}, expected {' or '.join(map(repr, ORDERS))}"
            )
        for name in ("overlap_share", "blind_share", "gold_rate", "review_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise SettingsError(f"route.{name} is {getattr(self, name)}, expected 0 to 1")
        if not 0.0 < self.settle_share <= 1.0:
            raise SettingsError(
                f"route.settle_share is {self.settle_share}, expected more than 0, at most 1"
            )
        for name in ("seed", "training", "votes_per_round", "max_votes"):
            if getattr(self, name) < 1:
                raise SettingsError(f"route.{name} is {getattr(self, name)}, expected 1 or more")
        if not 0 <= self.settle_days <= _MOST_DAYS:
            raise SettingsError(
                f"route.settle_days is {self.settle_days}, expected 0 to {_MOST_DAYS:,}"
            )
        for name in ("calibration", "votes_total", "budget"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise SettingsError(f"route.{name} is {getattr(self, name)}, expected 0 or more")
        for name in ("vote_cost", "expert_cost"):
            if not 0 < getattr(self, name) < float("inf"):
                raise SettingsError(f"route.{name} is {getattr(self, name)}, expected more than 0")
        for key in ("experts", "left"):
            for who in getattr(self, key):
                if not who.startswith("human:"):
                    raise SettingsError(
                        f"route.{key} names {shown(who)}, expected a name like human:ann"
                    )

    @property
    def present_experts(self) -> tuple[str, ...]:
        """The experts who have not left."""
        return tuple(who for who in self.experts if who not in self.left)

    def price(self, excluded: Iterable[str]) -> float:
        """Return what a seat costs at most, whoever may take it does."""
        if set(self.experts) <= set(excluded):
            return self.vote_cost
        return max(self.vote_cost, self.expert_cost)
