"""Items × budget → plan: who looks at what, why, and how many of them.

Each reason to look is a *need* (`needs.py`); `plan.py` turns needs into plan rows under a
vote budget. Calibration and audit samples are drawn by permanent random numbers before
anything else, so no model or finding ever influences which items they hold.
"""

from .active import diverse_choice
from .again import doubt_needs, looks_again
from .needs import (
    adjudication_needs,
    gold_needs,
    label_needs,
    overlap_needs,
    review_needs,
    sample_needs,
)
from .plan import Seat, in_flight, make_plan, money_bound
from .policy import RoutePolicy
from .surest import absent_people, best_half, forsaken_seats
from .value import Voters, Worth, prevented_errors, vote_worth

__all__ = [
    "RoutePolicy",
    "Seat",
    "Voters",
    "Worth",
    "absent_people",
    "adjudication_needs",
    "best_half",
    "diverse_choice",
    "doubt_needs",
    "forsaken_seats",
    "gold_needs",
    "in_flight",
    "label_needs",
    "looks_again",
    "make_plan",
    "money_bound",
    "overlap_needs",
    "prevented_errors",
    "review_needs",
    "sample_needs",
    "vote_worth",
]
