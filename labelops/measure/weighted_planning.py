"""What an audit that draws by doubt will cost, simulated: it hangs on where the errors lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray
from labelops.measure.draws import check_rng
from labelops.measure.eprocess import log_wanted
from labelops.measure.given import check_risk, check_share
from labelops.measure.halving import first_count
from labelops.measure.missed import check_missed
from labelops.measure.planning import AuditPlan, plan_of, true_shares
from labelops.measure.weighted import audit_chances, weighted_order
from labelops.measure.weighted_certified import log_e_values_seen, most_found_weighted

__all__ = ["weighted_plan"]

_DOUBTED = 0.1
_MANY = 20_000
_TRIES = (500, 2_000)


def weighted_plan(
    bound: float,
    risk: float,
    true_error: ArrayLike,
    told: float,
    budget: int = 10_000,
    size: int | None = None,
    missed: float = 0.0,
    *,
    rng: np.random.Generator,
    runs: int = 100,
) -> list[AuditPlan]:
    """Say how many audits drawn by doubt certify a bound, by simulating them.

    Parameters
    ----------
    bound, risk, true_error, budget, size, missed
        As for `audit_plan`; without a size 20,000 labels stand for a great many, of which the
        corrected ones are no part worth counting.
    told : float in [0, 1]
        The share of all errors that lie in the tenth of the labels most in doubt; a tenth of them
        is what doubt without any worth would hold.
    rng : numpy Generator
    runs : int
        Simulated audits for each true share.

    Raises
    ------
    UsageError
        A share is out of range, or there is nothing to simulate.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> plan, = weighted_plan(0.02, 0.05, [0.01], 0.9, rng=rng, size=5000)
    >>> from labelops.measure.planning import audit_plan
    >>> exact, = audit_plan(0.02, 0.05, [0.01], size=5000)
    >>> plan.mean < 0.75 * exact.mean
    True
    """
    check_rng(rng)
    check_share("bound", bound, inside=True)
    check_risk(risk)
    check_share("told", told)
    check_missed(missed)
    items = _MANY if size is None else size
    if runs < 1 or items < 1 or budget < 1:
        raise UsageError("a simulation needs a run, a budget and a set of at least one label")
    shares = true_shares(true_error)
    most = min(budget, items)
    plans = []
    for share in map(float, shares):
        wrong, chances = _doubted_set(round(share * items), items, told)
        looks = _Looks(chances, bound, risk, most, missed, many=size is None)
        found = [looks.until_certified(wrong, rng) for _ in range(runs)]
        ending = np.bincount([n for n in found if n is not None], minlength=most + 1) / runs
        plans.append(plan_of(share, ending, most, size))
    return plans


def _doubted_set(errors: int, size: int, told: float) -> tuple[BoolArray, FloatArray]:
    """Place the errors, `told` of them in the doubted tenth, and give the chances to be drawn."""
    tenth = max(1, round(_DOUBTED * size))
    inside = min(round(told * errors), tenth)
    outside = min(errors - inside, size - tenth)
    place = np.arange(size)
    wrong = (place < inside) | ((place >= tenth) & (place < tenth + outside))
    doubt = np.where(place < tenth, inside / tenth, outside / max(size - tenth, 1))
    return wrong, audit_chances(doubt)


@dataclass(frozen=True, slots=True)
class _Looks:
    """Audits of a set that draw its labels by these chances."""

    chances: FloatArray
    bound: float
    risk: float
    most: int
    missed: float
    many: bool

    def until_certified(self, wrong: BoolArray, rng: np.random.Generator) -> int | None:
        """Draw one audit and give the look at which it certifies, or None."""
        size = wrong.size
        order = weighted_order(rng.uniform(1e-18, 1.0, size), self.chances)
        outcomes = wrong[order]
        if self.missed:
            outcomes &= rng.random(size) >= self.missed

        def certifies(looks: int) -> bool:
            found = int(outcomes[:looks].sum())
            corrected = 0 if self.many else found
            most = most_found_weighted(self.bound, self.risk, size, corrected, self.missed)
            if found + size - looks <= most:
                return True
            seen = outcomes[:looks], order[:looks], self.chances
            grown = log_e_values_seen(*seen, self.bound, self.risk, corrected, self.missed)
            return bool(grown.max(initial=0.0) >= log_wanted(self.risk))

        # What certifies once does so for good, so the first look is found by halving.
        low = 0
        for high in (*(n for n in _TRIES if n < self.most), self.most):
            if certifies(high):
                return first_count(certifies, low + 1, high)
            low = high
        return None
