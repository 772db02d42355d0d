"""What people's votes have cost, and what those asked for will cost at most."""

from __future__ import annotations

from dataclasses import dataclass

from ..route.plan import in_flight, money_bound
from ..route.policy import RoutePolicy
from . import State

__all__ = ["Money", "money_of", "priced"]


@dataclass(frozen=True, slots=True)
class Money:
    """What people's votes cost, in the unit of the prices of `[route]`.

    Parameters
    ----------
    spent : float
        For the votes that were given, also those that count no more.
    reserved : float
        For those asked for that have not come, at the price of the dearest who may give them.
    budget : float
        Most that may be spent; 0 is no bound.
    """

    spent: float
    reserved: float
    budget: float

    @property
    def in_words(self) -> str:
        """All of it but what is spent."""
        said = ["spent on votes"]
        if self.reserved:
            said.append(f"{self.reserved:,.2f} at most for those asked for")
        if self.budget:
            left = max(self.budget - self.spent - self.reserved, 0.0)
            said.append(f"{left:,.2f} left of {self.budget:,.2f}")
        return " · ".join(said)


def money_of(state: State) -> Money:
    """Return what votes have cost, by the prices of now."""
    policy = state.workspace.policies.route
    spent = money_bound(state.open_seats.iloc[:0], state.paid, policy)
    # Whoever comes back may still take a seat that is not waited for.
    reserved = in_flight(state.plan, state.paid, state.all_looked)
    bound = money_bound(reserved, state.paid, policy)
    return Money(spent, bound - spent, policy.budget)


def priced(policy: RoutePolicy) -> bool:
    """Say whether somebody named a price or a budget: else a vote costs one, and says nothing."""
    prices = ("vote_cost", "expert_cost", "budget")
    return any(getattr(policy, name) != getattr(RoutePolicy(), name) for name in prices)
