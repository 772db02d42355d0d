"""Faults that double a risk, made on purpose: the tests of the promises see each of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
import pytest
import scipy.stats

from labelops.audit import annotators, drift, gold_watch, speed, steadiness

from . import (
    test_annotators,
    test_collusion,
    test_directed,
    test_drift,
    test_gold_watch,
    test_speed,
    test_steadiness,
)

Fault = Callable[[Any], Any]


def half_the_evidence(log_wanted: Any) -> Any:
    """Give an alarm at twice the risk."""
    return lambda risk: log_wanted(risk) - math.log(2)


def twice_the_risk(rule: Any) -> Any:
    """Reject by a rule at twice the risk it is asked for."""
    return lambda values, risk: rule(values, min(2 * risk, 0.999))


def counts_double(log_evidence: Any) -> Any:
    """Bet twice the money there is."""
    return lambda *args, **options: log_evidence(*args, **options) + math.log(2)


def _fortune_doubled(fortune: Any) -> Any:
    return lambda places: 2 * fortune(places)


FAULTS: dict[str, tuple[object, str, Fault, Callable[..., None]]] = {
    "drift: an alarm at twice the risk": (
        drift, "log_wanted", half_the_evidence, test_drift.test_an_alarm_takes_one_over_the_risk,
    ),
    "drift: evidence that counts double": (
        drift, "_fortune", _fortune_doubled, test_drift.test_a_fair_game,
    ),
    "gold: an alarm at twice the risk": (
        gold_watch, "log_wanted", half_the_evidence,
        test_gold_watch.test_an_alarm_takes_one_over_the_risk,
    ),
    "gold: evidence that counts double": (
        gold_watch, "change_evidence", counts_double, test_gold_watch.test_an_expectation_of_one,
    ),
    "accuracy: a flag at twice the risk": (
        annotators, "e_benjamini_hochberg", twice_the_risk,
        test_annotators.test_a_flag_takes_as_many_times_the_evidence_as_there_are_people,
    ),
    "accuracy: evidence that counts double": (
        annotators, "log_e_value_above", counts_double,
        test_annotators.test_evidence_is_one_on_average_at_the_floor,
    ),
    "rushing: a flag at twice the risk": (
        speed, "e_benjamini_hochberg", twice_the_risk,
        test_speed.test_a_flag_takes_as_many_times_the_evidence_as_there_are_people,
    ),
    "rushing: evidence that counts double": (
        speed, "log_e_value_above", counts_double,
        test_speed.test_evidence_is_one_on_average_where_half_are_quick,
    ),
    "steadiness: a flag at twice the risk": (
        steadiness, "e_benjamini_hochberg", twice_the_risk,
        test_steadiness.test_a_flag_takes_as_many_times_the_evidence_as_there_are_people,
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_seen(
    name: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The test of the promise fails."""
    module, function, fault, test = FAULTS[name]
    monkeypatch.setattr(module, function, fault(getattr(module, function)))
    with pytest.raises(AssertionError):
        test(**{wanted: request.getfixturevalue(wanted) for wanted in signature(test).parameters})


CORRECTED: dict[str, Callable[..., None]] = {
    "haste": test_speed.test_the_risk_of_a_look_is_the_one_told,
    "confusions": test_directed.test_the_risk_of_everybody_is_the_one_told,
    "copying": test_collusion.test_the_risk_of_all_pairs_is_the_one_told,
    "swayed": test_annotators.test_the_risk_of_everybody_is_the_one_told,
}


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1.0, 0.5], ids=["nobody corrects", "at twice the risk"])
@pytest.mark.parametrize("name", CORRECTED)
def test_what_corrects_for_many_is_missed(
    name: str, factor: float, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Without the correction over people, pairs or cells, or at half of what it says."""
    test, real = CORRECTED[name], scipy.stats.false_discovery_control

    def fault(p_values: Any, **options: Any) -> Any:
        return np.asarray(p_values) if factor == 1.0 else factor * real(p_values, **options)

    monkeypatch.setattr(scipy.stats, "false_discovery_control", fault)
    with pytest.raises(AssertionError):
        test(**{wanted: request.getfixturevalue(wanted) for wanted in signature(test).parameters})
