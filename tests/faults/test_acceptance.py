"""Faults in the acceptance of a model: the tests of its promises see each of them."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from labelops.autolabel import acceptance, anytime, trial
from labelops.autolabel.acceptance import joint_threshold, selective_threshold
from labelops.autolabel.anytime import joint_anytime, selective_anytime
from labelops.autolabel.trial import look_again, try_labeler
from labelops.measure import changes
from labelops.measure.changes import rise_evidence
from labelops.measure.eprocess import (
    hypothesis_risk,
    log_wanted,
)
from labelops.measure.planned import log_e_value_planned
from labelops.state import watch

from ..autolabel import test_acceptance, test_anytime, test_trial
from ..measure import test_changes, test_eprocess, test_planned
from ..state import test_random_looks
from .plant import (
    Change,
    Fault,
    counts_double,
    everybody_has_the_firsts,
    half_the_evidence,
    instead,
    runners,
    share_of_risk,
    times,
    twice_the_error,
    twice_the_risk,
)

_JOINT, _IN_A_SET, _SELECTIVE = (
    partial(test_acceptance.test_the_risk_is_the_one_told, rule=rule)
    for rule in ("joint", "joint in a set", "selective")
)
_JOINT_ALWAYS, _SELECTIVE_ALWAYS = (
    partial(test_anytime.test_a_cut_off_takes_one_over_the_risk, joint=joint)
    for joint in (True, False)
)
_PLANNED = partial(
    test_planned.test_fair_at_the_bound_and_losing_above.hypothesis.inner_test,
    bound=0.05, planned=100, n=40, k=1,
)  # fmt: skip
_SHORT = partial(test_anytime.test_what_is_short_of_the_plan_is_not_the_planned_look, looks=140)
_VERSIONS = test_trial.test_the_risk_of_all_versions_adds_up_to_the_one_that_is_told
_CLOSES = test_random_looks.test_random_looks_close_at_one_over_the_risk


def the_share_observed(_: Any) -> Any:
    """Accept what was seen to be within the bound."""
    return lambda k, n, error, pool_size: float(k > error * n)


def any_cut_off_that_passes(real: Any) -> Any:
    """Test each cut-off at the full risk, and do not end at the first that fails."""

    def faulty(pool: Any, scores: Any, wrong: Any, *, error: float, risk: float) -> Any:
        scores, wrong = np.asarray(scores, dtype=float), np.asarray(wrong, dtype=bool)
        for cut in acceptance._grid(scores, error, risk):
            inside = scores >= cut
            found = real(pool, np.where(inside, 1.0, np.nan)[inside], wrong[inside],
                         error=error, risk=risk)  # fmt: skip
            if found.threshold is not None:
                return replace(found, threshold=float(cut))
        return real(pool, scores, wrong, error=error, risk=risk)

    return faulty


def a_fixed_test_at_each_look(_: Any) -> Any:
    """Test what there is, at each look anew."""

    def faulty(
        pool: Any, looks: Any, wrong: Any, *, error: float, risk: float,
        pool_size: int | None = None, planned: int = 0,
    ) -> Any:  # fmt: skip
        return joint_threshold(pool, looks, wrong, error=error, risk=risk, pool_size=pool_size)

    return faulty


def the_looks_so_far(_: Any) -> Any:
    """Take the looks that there are for all that were planned."""

    def faulty(inside: Any, planned: Any) -> range:
        most = planned[-1] if isinstance(planned, range) else planned
        so_far = int(inside[:most].sum())
        return range(so_far, so_far + 1)

    return faulty


def with_risk(factor: float) -> Change:
    """Test what is asked at so many times its risk."""

    def change(real: Any) -> Any:
        def faulty(pool: Any, looks: Any, wrong: Any, asked: Any, cutoffs: Any) -> Any:
            return real(pool, looks, wrong, replace(asked, risk=factor * asked.risk), cutoffs)

        return faulty

    return change


def _at(number: float) -> Change:
    return lambda _: number


FAST: dict[str, Fault] = {
    "joint: twice the risk": Fault(joint_threshold, twice_the_risk, _JOINT),
    "joint: twice the bound": Fault(joint_threshold, twice_the_error, _JOINT),
    "joint: the share that was observed": Fault(
        (acceptance, "false_pass"), the_share_observed, _JOINT
    ),
    "joint in a set: twice the risk": Fault(joint_threshold, twice_the_risk, _IN_A_SET),
    "joint in a set: twice the bound": Fault(joint_threshold, twice_the_error, _IN_A_SET),
    "joint in a set: drawn as from an endless stream": Fault(
        joint_threshold, instead(pool_size=None), _IN_A_SET
    ),
    "selective: twice the risk": Fault(selective_threshold, twice_the_risk, _SELECTIVE),
    "selective: twice the bound": Fault(selective_threshold, twice_the_error, _SELECTIVE),
    "per class: each at twice its share": Fault(
        (trial, "_one"), with_risk(2), test_trial.test_the_risk_of_a_class_is_its_share
    ),
    "per class: each of ten at the whole risk": Fault(
        (trial, "_one"), with_risk(10), test_trial.test_the_risk_of_a_class_is_its_share
    ),
    "joint, at every look: half the evidence": Fault(
        log_wanted, half_the_evidence, _JOINT_ALWAYS
    ),
    "joint, at every look: twice the risk": Fault(joint_anytime, twice_the_risk, _JOINT_ALWAYS),
    "joint, at every look: twice the bound": Fault(joint_anytime, twice_the_error, _JOINT_ALWAYS),
    "joint, at every look: in a set as in a stream": Fault(
        joint_anytime, instead(pool_size=None), test_anytime.test_power_without_replacement
    ),
    "selective, at every look: half the evidence": Fault(
        log_wanted, half_the_evidence, _SELECTIVE_ALWAYS
    ),
    "selective, at every look: twice the risk": Fault(
        selective_anytime, twice_the_risk, _SELECTIVE_ALWAYS
    ),
    "selective, at every look: twice the bound": Fault(
        selective_anytime, twice_the_error, _SELECTIVE_ALWAYS
    ),
    "a plan and a mixture that each bet all": Fault(
        log_e_value_planned, counts_double, _PLANNED
    ),
    "selective: each look is the planned one": Fault(
        anytime.planned_among, the_looks_so_far, _SHORT
    ),
    "per class: each look is the planned one": Fault(
        anytime.planned_among, the_looks_so_far,
        test_trial.test_a_class_is_not_at_its_planned_look_before_all_are,
    ),
    "versions: shares that never end": Fault(
        hypothesis_risk, share_of_risk(lambda j: 6 / (math.pi**2 * j)),
        test_eprocess.test_risk_of_many_hypotheses,
    ),
    "a second look at twice the risk": Fault(
        look_again,
        lambda real: lambda h, *rest: real(replace(h, risk=(1 + h.looks) * h.risk), *rest),
        test_trial.test_looks_go_on_at_one_risk_and_with_the_same_cut_offs,
    ),
    "random looks: half the evidence": Fault(log_wanted, half_the_evidence, _CLOSES),
    "random looks, in a set: twice the risk": Fault(
        watch._weigh_set, twice_the_risk, _CLOSES
    ),
    "random looks, in a stream: twice the risk": Fault(
        watch._weigh_stream, twice_the_risk, _CLOSES
    ),
    "random looks: evidence that counts double": Fault(
        rise_evidence, counts_double,
        test_changes.test_an_expectation_of_one_at_the_bound_and_less_below,
    ),
    "random looks: evidence of half the bound": Fault(
        rise_evidence, times(0.5, "bound"),
        test_changes.test_an_expectation_of_one_at_the_bound_and_less_below,
    ),
    "a rise: each alternative at the whole 2 %": Fault(
        (changes, "_RISK_OF_START"), _at(0.06),
        partial(test_changes.test_a_start_is_left_out_at_the_risk_that_is_told, m=3),
    ),
    "a rise: twice the 2 %": Fault(
        (changes, "_RISK_OF_START"), _at(0.04),
        partial(test_changes.test_a_start_is_left_out_at_the_risk_that_is_told, m=1),
    ),
}  # fmt: skip


SLOW: dict[str, Fault] = {
    "versions: shares that add up to twice the risk": Fault(
        hypothesis_risk, twice_the_risk, test_eprocess.test_risk_of_many_hypotheses
    ),
    "selective: any cut-off that passes": Fault(
        selective_threshold, any_cut_off_that_passes,
        partial(test_acceptance.test_flat_adversary, n=500),
    ),
    "versions at twice the risk": Fault(hypothesis_risk, twice_the_risk, _VERSIONS),
    "each version at the first's risk": Fault(
        hypothesis_risk, everybody_has_the_firsts, _VERSIONS
    ),
    "versions: shares that never end": Fault(
        hypothesis_risk, share_of_risk(lambda j: 6 / (math.pi**2 * j)), _VERSIONS
    ),
    "versions: earlier ones are forgotten": Fault(try_labeler, instead(earlier=[]), _VERSIONS),
    "a fixed test at each look": Fault(
        joint_anytime, a_fixed_test_at_each_look,
        test_anytime.test_promises_hold_over_ten_looks,
    ),
}  # fmt: skip


test_the_fault_is_seen, test_the_fault_shows_in_numbers = runners(FAST, SLOW)
