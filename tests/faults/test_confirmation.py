"""Faults in what confirms a label, ends an audit early, and says how accurate people are."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from labelops.consolidate import accuracy
from labelops.consolidate._accuracy_likelihood import intervals
from labelops.gate import confirm, futility
from labelops.gate.confirm import missed_share, upper_chance
from labelops.gate.futility import held_by
from labelops.measure.staircase import most_found_evenly, step_looks
from labelops.measure.weighted_certified import log_e_values_seen, most_found_weighted

from ..consolidate import test_accuracy
from ..gate import test_confirm, test_futility, test_weighted_audit, test_whole_audits
from ..measure import test_staircase
from .plant import Fault, instead, runners, times, twice_the_risk


def at_twice_its_risk(intervals: Any) -> Any:
    """Leave out twice as much as the confidence says."""
    return lambda *given: intervals(*given[:-1], 2 * given[-1] - 1)


def the_unknown_are_held(real: Any) -> Any:
    """Take an error that nobody knows the doubt of for the most doubtful."""
    return lambda doubt, again, wrong: real(doubt, again, np.nan_to_num(wrong, nan=1.0))


def _constant(value: Any) -> Any:
    """Have it be this, whatever it is."""
    return lambda _: value


_HELD = test_accuracy.test_intervals_hold_good_and_bad_alike
_ENDED = test_futility.test_ended_where_doubts_tell_and_not_where_they_do_not
_MISSED = partial(
    test_staircase.test_what_looks_miss_is_allowed_for, size=300, bound=0.02, missed=0.1
)

FAST: dict[str, Fault] = {
    "a high estimate is taken as it is": Fault(
        (confirm, "_OFTEN"), lambda often: 3 * often,
        test_confirm.test_a_high_estimate_is_taken_higher,
    ),
    "one vote confirms in every set": Fault(
        (confirm, "_LEADS"), _constant((1,)),
        test_confirm.test_as_few_votes_confirm_as_can_certify, slow=True,
    ),
    "what looks miss is half of it": Fault(
        missed_share, lambda real: lambda *args, **options: real(*args, **options) / 2,
        partial(
            test_confirm.test_so_many_wrong_labels_are_missed, errs=0.05, classes=2, confirms=1
        ),
    ),
    "an estimate of few mistakes is taken as it is": Fault(
        upper_chance, lambda _: lambda chance, confusion: chance,
        test_confirm.test_an_estimate_of_few_mistakes_is_taken_higher,
    ),
    "accuracies: an interval at twice its risk": Fault(
        intervals, at_twice_its_risk,
        test_accuracy.test_gold_alone_gives_the_interval_of_a_share,
    ),
    "accuracies: that two agree is taken for skill": Fault(
        (accuracy, "WORTH_OF_FEW"), _constant({}), test_accuracy.test_two_people_tell_nothing
    ),
    "early end: doubts nobody knows are held": Fault(
        held_by, the_unknown_are_held,
        test_futility.test_what_is_not_known_is_not_held,
    ),
}  # fmt: skip


SLOW: dict[str, Fault] = {
    "accuracies: the others are believed whatever gold says": Fault(
        (accuracy._Held, "overstated"), _constant(lambda held: np.zeros(held.given.size)),
        test_accuracy.test_gold_widens_what_shared_mistakes_make_too_high,
    ),
    "by doubt: what looks miss is taken for nothing": Fault(
        log_e_values_seen, instead(missed=0.0),
        partial(
            test_weighted_audit.test_what_looks_miss_keeps_the_size,
            doubt="telling", size=75, errors=5, mended=3, missed=0.1,
        ),
    ),
    "by doubt: looks at all miss nothing": Fault(
        most_found_weighted, instead(missed=0.0),
        partial(
            test_weighted_audit.test_what_looks_miss_keeps_the_size,
            doubt="useless", size=613, errors=13, mended=0, missed=0.1,
        ),
    ),
    "looks at all miss nothing": Fault(
        most_found_evenly, instead(missed=0.0),
        partial(
            test_staircase.test_a_look_at_all_of_a_small_set_keeps_the_risk,
            size=110, bound=0.02, missed=0.05,
        ),
    ),
    "what looks miss is taken for nothing": Fault(step_looks, instead(missed=0.0), _MISSED),
    "what looks miss is allowed for by half": Fault(step_looks, times(0.5, "missed"), _MISSED),
    "small teams: steps at twice the risk": Fault(
        step_looks, twice_the_risk,
        partial(
            test_whole_audits.test_whole_audits_of_small_teams_keep_the_promise,
            people=4, errs=0.02,
        ),
    ),
    "accuracies: intervals of good and bad at twice their risk": Fault(
        intervals, at_twice_its_risk, _HELD
    ),
    "early end: wherever the errors are": Fault(held_by, _constant(lambda *_: 1.0), _ENDED),
    "early end: however many are left": Fault((futility, "_LEFT"), _constant(100.0), _ENDED),
}  # fmt: skip


test_the_fault_is_seen, test_the_fault_shows_in_numbers = runners(FAST, SLOW)
