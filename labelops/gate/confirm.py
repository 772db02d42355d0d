"""How many blind votes confirm a label: one, unless too much that is wrong were missed so.

A wrong label that its auditors confirm is not found. How often that is follows from the chance that
somebody names its class (`missed_share`), and the audit is held against steps that allow for it
(see `labelops.measure.staircase`). That takes fewer votes than to ask for more: of 600 labels
between two classes, a quarter of the 5 % allowed wrong, audited by people right 9 times in 10, 165
votes with one that confirms, and 508 with a lead of two. The chance is an estimate. Where it is
small, it may be half the true one before it matters; where it is not, it is taken so much higher.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from ..measure.adjudication import OVERTURNS
from ..measure.codes import FloatArray
from ..measure.staircase import clean_looks_to_certify
from .candidate import attempt_risk
from .mistakes import same_mistake, vote_errors
from .policy import MOST_CONFIRMS, GatePolicy

__all__ = [
    "allowed_chance",
    "certifies_nothing",
    "choose_confirm",
    "may_audit_firsts",
    "may_tie",
    "missed_share",
    "upper_chance",
]

_OFTEN = 0.05
"""Chance agreement up to which it is taken as estimated: were the true one twice as large, up to
6.3 of 100 sets of 300 labels at 1 % were certified wrongly for 4 (simulated)."""
_LEADS = tuple(range(1, MOST_CONFIRMS + 1))
_TWICE = 0.05
"""Most that two chances to name a wrong label's class may come to where ties stand: what slips
through then is no more than the part of the risk that is kept for later attempts bears."""
_PART = 0.1
"""Part of the bound that two people's common slips may come to, where two decide alone."""
_MOST = 0.99
"""Looks that miss all wrong labels say nothing, and no bound can be scaled by them."""


def choose_confirm(
    chance: float,
    confusion: ArrayLike,
    policy: GatePolicy,
    size: int,
    attempt: int = 1,
    *,
    max_votes: int = 7,
) -> int:
    """Say how many votes a label must lead by to be confirmed, before anybody looked.

    As few as let an audit certify the labels that finds one error, else one that finds none, where
    no right label is expected to be called wrong for want of the lead. One where no lead does: it
    takes the fewest votes.

    Parameters
    ----------
    chance : float
        From `chance_agreement`.
    confusion : (K, K) float array
        Counts of people's blind votes: true class (row), given class (column).
    policy : GatePolicy
    size : int
        Labels in the set.
    attempt : int
        Which one since the last release (see `labelops.gate.candidate.attempt_risk`).
    max_votes : int
        As for `missed_share`.

    Examples
    --------
    >>> people = [[900.0, 100.0], [100.0, 900.0]]
    >>> [choose_confirm(0.1, people, GatePolicy(error=0.02), n) for n in (600, 60, 40)]
    [1, 2, 3]
    >>> choose_confirm(0.1, people, GatePolicy(confirm=3), 600)
    3
    """
    if policy.confirm:
        return policy.confirm
    likely, errors = upper_chance(chance, confusion), vote_errors(confusion)
    for found, lead in product((1, 0), _LEADS):
        missed = missed_share(likely, errors, lead, max_votes=max_votes)
        # Rounded up to two digits: steps are drawn once for each.
        digit = 10.0 ** (math.floor(math.log10(max(missed, 1e-9))) - 1)
        missed = math.ceil(missed / digit) * digit
        looks = _looks_needed(found, policy, size, missed, attempt)
        lost = 1 - _confirmed(1 - errors, errors, lead, max_votes)
        if looks is not None and (lead == 1 or lost * looks < 1):
            return lead
    return _LEADS[0]


def _looks_needed(
    found: int, policy: GatePolicy, size: int, missed: float, attempt: int
) -> int | None:
    """Give the looks that certify labels where they find so many errors, all of them corrected."""
    risk, size = attempt_risk(attempt, policy.risk), max(size, 1)
    more = clean_looks_to_certify(found, found, policy.error, risk, size, found, missed)
    return None if more is None else found + more


def certifies_nothing(missed: float, policy: GatePolicy, size: int, attempt: int = 1) -> bool:
    """Say whether even an audit without an error could not certify the labels, so much is missed.

    Examples
    --------
    >>> [certifies_nothing(missed, GatePolicy(error=0.02), 613) for missed in (0.2, 0.9)]
    [False, True]
    """
    return _looks_needed(0, policy, size, missed, attempt) is None


def allowed_chance(chance: float, confusion: ArrayLike, policy: GatePolicy) -> float:
    """Give the chance that is allowed for: `upper_chance`, or what `[gate] confirm` stands for.

    Who says how many votes confirm goes before the estimate, which then is no higher than .05.

    Examples
    --------
    >>> people = [[60.0, 40.0], [40.0, 60.0]]
    >>> allowed_chance(0.4, people, GatePolicy(confirm=1))
    0.05
    """
    return min(upper_chance(chance, confusion), _OFTEN if policy.confirm else 1.0)


def upper_chance(chance: float, confusion: ArrayLike) -> float:
    """Take a chance that was estimated from people's mistakes higher, by what it may be wrong by.

    By one standard error. Above .05 by what it is above, where that is more: were the true chance
    twice the estimate, it would be allowed for nearly.

    Parameters
    ----------
    chance : float
        From `chance_agreement` or `same_mistake`.
    confusion : (K, K) float array
        Counts of people's blind votes: true class (row), given class (column).

    Examples
    --------
    >>> people = [[92.0, 8.0], [7.0, 93.0]]
    >>> upper_chance(0.04, people), round(upper_chance(0.12, people), 3)
    (0.05, 0.19)
    """
    counts: FloatArray = np.asarray(confusion, dtype=np.float64)
    # One mistake beside those that were made: there may be none.
    mistakes = float(counts.sum() - np.trace(counts)) + 1.0
    return float(min(max(chance * (1 + mistakes**-0.5), 2 * chance - _OFTEN), 1.0))


def missed_share(
    chance: float, errors: float, confirms: int, *, ties: bool = False, max_votes: int = 7
) -> float:
    """Give the chance that an audit confirms a wrong label, which is looked at until it is settled.

    Parameters
    ----------
    chance : float
        That a blind vote names its class.
    errors : float
        That a blind vote is wrong: those which name a third class settle nothing.
    confirms : int
        By how many votes a label must lead.
    ties : bool
        Whether it stands where two people are left and only one of them names it.
    max_votes : int
        With that many votes, still unsettled, it counts as wrong.

    Returns
    -------
    float
        Less than 1.

    Examples
    --------
    >>> [round(missed_share(0.05, 0.05, votes), 4) for votes in (1, 2, 3)]
    [0.0526, 0.0028, 0.0001]
    >>> round(missed_share(0.05, 0.15, 1), 4), round(missed_share(0.02, 0.02, 1, ties=True), 4)
    (0.0588, 0.0396)
    """
    missed = _confirmed(chance, min(1 - errors, 1 - chance), confirms, max_votes)
    found = max(missed, 1 - (1 - chance) ** 2) if ties else missed
    return min(found, _MOST)


def _confirmed(names: float, against: float, confirms: int, max_votes: int) -> float:
    """Give the chance that a label is confirmed: a walk by votes that name it or one other."""
    reached, leads = 0.0, {0: 1.0}
    steps = ((1, names), (0, 1 - names - against), (-1, against))
    for _ in range(max_votes):
        ahead: dict[int, float] = {}
        for lead, share in leads.items():
            for step, part in steps:
                ahead[lead + step] = ahead.get(lead + step, 0.0) + share * part
        reached += ahead.pop(confirms, 0.0)
        ahead.pop(-OVERTURNS, None)
        leads = ahead
    return reached


def may_tie(chance: float, errors: float, policy: GatePolicy) -> bool:
    """Say whether a label stands where two people are left to look and only one of them names it.

    It does where one vote confirms, where two chances to name a wrong label's class are few, and
    where two people seldom make one and the same mistake: that would take a right label's place.

    Parameters
    ----------
    chance : float
        From `chance_agreement`.
    errors : float
        From `vote_errors`.
    policy : GatePolicy

    Examples
    --------
    >>> [may_tie(chance, 0.05, GatePolicy()) for chance in (0.01, 0.03)]
    [True, False]
    >>> may_tie(0.02, 0.15, GatePolicy()), may_tie(0.01, 0.05, GatePolicy(confirm=2))
    (False, False)
    """
    seldom = 1 - (1 - chance) ** 2 <= _TWICE and errors * chance <= _PART * policy.error
    return policy.confirm <= 1 and seldom


def may_audit_firsts(confusion: ArrayLike, policy: GatePolicy) -> bool:
    """Say whether first votes may be audited by those who looked after them (`gate.firsts`).

    Where ties of them may stand, and two of all three people seldom make one and the same mistake.

    Parameters
    ----------
    confusion : (K, K) float array
        Counts of people's blind votes: true class (row), given class (column).
    policy : GatePolicy

    Examples
    --------
    >>> [may_audit_firsts(np.full((10, 10), n) + np.eye(10) * 900, GatePolicy()) for n in (5, 10)]
    [True, False]
    """
    chance, errors = same_mistake(confusion), vote_errors(confusion)
    return may_tie(chance, errors, policy) and 3 * errors * chance <= _PART * policy.error
