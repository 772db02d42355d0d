"""Faults in the certificate of a release: the tests of its promises see each of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from labelops.gate.audit_state import audit_state
from labelops.gate.candidate import attempt_of, attempt_risk
from labelops.gate.certificate import _EvenEvidence, certify
from labelops.gate.weighted_audit import _WeightedEvidence
from labelops.measure.adjudication import AGREES, PENDING, WRONG
from labelops.measure.eprocess import exceeded_at, log_e_value, log_e_value_above, log_wanted
from labelops.measure.finite import drawn_interval, tolerated_errors
from labelops.measure.intervals import clopper_pearson
from labelops.measure.sequences import confidence_sequence
from labelops.measure.staircase import step_looks
from labelops.measure.weighted import (
    _weighed,
    log_e_values_weighted,
    log_e_values_weighted_above,
)
from labelops.state.audit_votes import AuditVotesView
from labelops.state.candidates import CandidatesView
from labelops.state.team import TeamView

from ..gate import (
    test_audit_state,
    test_audited_rule,
    test_candidate,
    test_certificate,
    test_certified_at,
    test_corrected,
    test_guarantee,
    test_weighted_audit,
)
from ..measure import test_eprocess, test_finite, test_sequences, test_staircase, test_weighted
from ..state import test_audit, test_left, test_orders
from ..state.frozen import forty_pets
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
    twice_the_bound,
    twice_the_risk,
)

_AT_ONE_LOOK = partial(test_certificate.test_a_verdict_takes_one_over_the_risk, size=None)
_IN_A_SET = partial(test_certificate.test_a_verdict_takes_one_over_the_risk, size=900)
_BY_DOUBT = test_weighted_audit.test_a_verdict_takes_one_over_the_risk
_STEPS = partial(test_staircase.test_size_and_power, size=613, bound=0.02, risk=0.04)
_FAIR_BY_DOUBT = partial(test_weighted.test_a_fair_game_at_the_bound, worth=[9, 9, 1, 1, 1, 1, 1])
_MENDED = partial(test_eprocess.test_expectation_is_one_with_corrections, corrected=5)
_AS_SIMULATED = partial(
    test_guarantee.test_what_is_simulated_is_what_the_audit_does, seed=3, errors=11
)


def corrected_are_clean(real: Any) -> Any:
    """Take errors that were corrected for looks that found none."""

    def faulty(errors: Any, n: Any, bound: Any, size: int | None = None, corrected: int = 0) -> Any:
        return real(np.maximum(np.asarray(errors) - corrected, 0), n, bound, size)

    return faulty


def corrected_certify(real: Any) -> Any:
    """Judge an audit as if what was corrected had never been found."""

    def faulty(
        outcomes: Any, bound: float, risk: float, population: Any = None, corrected: int = 0
    ) -> Any:
        wrong = np.array(outcomes, dtype=bool)
        wrong[np.flatnonzero(wrong)[:corrected]] = False
        return real(wrong, bound, risk, population)

    return faulty


def as_if_endless(real: Any) -> Any:
    """Forget that draws are without replacement."""

    def faulty(errors: Any, n: Any, bound: Any, size: int | None = None, corrected: int = 0) -> Any:
        return real(errors, n, bound)

    return faulty


def what_left_is_forgotten(real: Any) -> Any:
    """Judge what is left of an order by itself."""

    def faulty(order: Any, adjudicated: Any, looks: Any, policy: Any, **options: Any) -> Any:
        there = ~np.broadcast_to(np.asarray(options.pop("left", False), bool), order.ids.shape)
        kept = type(looks)(*(np.asarray(getattr(looks, n))[there] for n in _LOOKS))
        return real(order.part(there), np.asarray(adjudicated)[there], kept, policy, **options)

    return faulty


_LOOKS = ("status", "votes", "consensus", "needed")


def doubtful_looks_are_left_out(real: Any) -> Any:
    """Count what is settled wherever it is in the order: errors take longer to settle."""

    def faulty(order: Any, adjudicated: Any, looks: Any, policy: Any, **options: Any) -> Any:
        first = np.argsort(np.isin(looks.status, (0, 1)), kind="stable")
        moved = type(looks)(*(np.asarray(getattr(looks, n))[first] for n in _LOOKS))
        return real(order, np.asarray(adjudicated)[first], moved, policy, **options)

    return faulty


def finds_weigh_alike(real: Any) -> Any:
    """Count each find by doubt as one of an even draw."""
    return lambda outcomes, drawn, chances: real(
        outcomes, drawn, np.full(np.size(chances), 1 / np.size(chances))
    )


def only_failures_count(real: Any) -> Any:
    """Take an order that ended otherwise for none."""
    return lambda candidate, candidates: real(
        candidate, [c for c in candidates if c is candidate or c.closed.startswith("failed")]
    )


def _given_twice(real: Any) -> Any:
    """Leave all the risk at each end."""

    def faulty(errors: int, n: int, confidence: float = 0.95, *, risk: float | None = None) -> Any:
        return real(errors, n, risk=2 * (1 - confidence if risk is None else risk))

    return faulty


def _shifted(steps: Any, corrected: int) -> Any:
    """Let as many errors as are corrected count as none."""
    return np.concatenate([np.full(corrected, steps[0]), steps])[: len(steps)]


def _of_another(change: Callable[[Any], Any]) -> Change:
    """Have a property give what is made of the view."""
    return lambda _: property(change)


def _every_audit(view: Any) -> Any:
    return view.current.loc[view.current["purpose"] == "audit"]


def _all_that_labeled(view: Any) -> Any:
    return view.current.loc[view.current["item_id"].isin(view.seen_by_all)]


def _fair(name: str) -> Callable[[], None]:
    """Take the mean of this evidence, as its test has it by then."""
    return lambda: test_eprocess.test_expectation_is_one_at_the_bound(
        getattr(test_eprocess, name), 0.02
    )


def _pets(test: Callable[..., None]) -> Callable[[], None]:
    """Run a test of `state/test_audit.py` on forty pets."""

    def in_pets() -> None:
        test(forty_pets())

    return in_pets


def _frozen(test: Callable[..., None], **given: Any) -> Callable[[], None]:
    """Run a test of `state/test_orders.py` on labels that were frozen by the faulty code."""
    return lambda: test(test_orders._frozen().copy(), **given)


FAST: dict[str, Fault] = {
    "pass: an endless stream at half the evidence": Fault(
        log_wanted, half_the_evidence, _AT_ONE_LOOK
    ),
    "pass: evidence that counts double": Fault(
        log_e_value, counts_double, _fair("log_e_value")
    ),
    "pass: evidence for twice the bound": Fault(
        log_e_value, twice_the_bound, _fair("log_e_value")
    ),
    "pass: a set taken for an endless stream": Fault(
        log_e_value, as_if_endless, test_eprocess.test_expectation_is_one_without_replacement
    ),
    "pass: evidence takes corrected errors for clean looks": Fault(
        log_e_value, corrected_are_clean, _MENDED
    ),
    "pass: the certificate takes corrected errors for clean looks": Fault(
        certify,
        corrected_certify,
        partial(test_audited_rule.test_it_passes_at_the_look_that_is_counted_with, error_at=30),
        slow=True,
    ),
    "pass: what a set tolerates is twice as many": Fault(
        tolerated_errors, times(2, "bound"),
        test_finite.test_tolerated_counts_are_not_lost_to_rounding,
    ),
    "pass: doubtful looks are left out": Fault(
        audit_state,
        doubtful_looks_are_left_out,
        partial(
            test_audit_state.test_prefix_stops_at_the_first_open_look.hypothesis.inner_test,
            status=[AGREES] * 10 + [PENDING] + [AGREES, WRONG] * 5,
        ),
    ),
    "fail: an endless stream at half the evidence": Fault(
        exceeded_at, twice_the_risk, _AT_ONE_LOOK
    ),
    "fail: a set at half the evidence": Fault(exceeded_at, twice_the_risk, _IN_A_SET, slow=True),
    "fail: evidence that counts double": Fault(
        log_e_value_above, counts_double, _fair("log_e_value_above")
    ),
    "fail: evidence of half the bound": Fault(
        log_e_value_above, times(0.5, "bound"), _fair("log_e_value_above")
    ),
    "by doubt: a verdict at half the evidence": Fault(log_wanted, half_the_evidence, _BY_DOUBT),
    "by doubt: a pass at twice the risk": Fault(
        (_WeightedEvidence, "certifies"), twice_the_risk, _BY_DOUBT
    ),
    "by doubt: a fail at twice the risk": Fault(
        (_WeightedEvidence, "above"), twice_the_risk, _BY_DOUBT
    ),
    "by doubt: evidence that counts double": Fault(
        log_e_values_weighted, counts_double, _FAIR_BY_DOUBT
    ),
    "by doubt: evidence of too many that counts double": Fault(
        log_e_values_weighted_above, counts_double, _FAIR_BY_DOUBT
    ),
    "by doubt: finds that are not weighed": Fault(_weighed, finds_weigh_alike, _FAIR_BY_DOUBT),
    "by doubt: an interval with all the risk at each end": Fault(
        (_WeightedEvidence, "anytime"),
        twice_the_risk,
        test_weighted_audit.test_the_interval_is_what_neither_rejects,
    ),
    "interval for all looks: all the risk at each end": Fault(
        (_EvenEvidence, "anytime"),
        twice_the_risk,
        test_certificate.test_the_interval_is_what_neither_rejects, slow=True,
    ),
    "interval of a stream: all the risk at each end": Fault(
        confidence_sequence,
        _given_twice,
        test_sequences.test_each_end_has_half_of_the_risk,
    ),
    "interval for one look: all the risk at each end": Fault(
        clopper_pearson,
        _given_twice,
        test_certificate.test_the_interval_of_one_look_has_half_of_the_risk_at_each_end,
    ),
    "interval for one look at a set: all the risk at each end": Fault(
        drawn_interval,
        lambda real: lambda errors, n, size, risk: real(errors, n, size, 2 * risk),
        partial(test_certified_at.test_the_interval_of_a_draw_covers, 40, 15),
    ),
    "attempts: together at twice the risk": Fault(
        attempt_risk, twice_the_risk, test_candidate.test_attempts_share_the_risk
    ),
    "attempts: each at half of what is left": Fault(
        attempt_risk, share_of_risk(lambda j: 0.8 * 0.6 ** (j - 1)),
        test_candidate.test_attempts_share_the_risk,
    ),
    "attempts: an order that was ended early is not one": Fault(
        attempt_of, only_failures_count, test_candidate.test_every_order_that_was_begun_is_paid_for
    ),
    "attempts: nobody counts them": Fault(
        attempt_of, lambda _: lambda candidate, candidates: 1,
        _pets(test_audit.test_attempts_share_the_risk), slow=True,
    ),
    "auditors: whoever labeled it": Fault(
        (AuditVotesView, "outside_audits"), _of_another(_every_audit),
        _pets(test_audit.test_auditing_ones_own_label_counts_for_nothing), slow=True,
    ),
    "auditors: the votes that made the label": Fault(
        (AuditVotesView, "spare_votes"), _of_another(_all_that_labeled),
        _pets(test_audit.test_a_majority_is_not_its_own_audit),
    ),
    "auditors: those who saw a proposal": Fault(
        (AuditVotesView, "spare_votes"), _of_another(_all_that_labeled),
        _pets(test_audit.test_a_vote_that_saw_a_proposal_audits_nothing),
    ),
    "auditors: who left is forgotten": Fault(
        (TeamView, "_lacks_departed"), lambda _: lambda view, ids: np.zeros(len(ids), dtype=bool),
        test_left.test_a_look_that_only_they_could_give_counts_as_wrong,
    ),
    "auditors: who left since labels were frozen is forgotten": Fault(
        (CandidatesView, "held_for"), lambda _: lambda view, name: np.empty(0, dtype=object),
        test_left.test_what_came_after_their_last_vote_is_for_those_there,
    ),
    "orders: labels that moved are read on": Fault(
        (CandidatesView, "moved"), lambda _: lambda self, candidate: False,
        _frozen(test_orders.test_a_label_decided_otherwise_moves, place=0, value="dog"),
    ),
    "orders: items of new content are read on": Fault(
        (CandidatesView, "moved"), lambda _: lambda self, candidate: False,
        _frozen(test_orders.test_an_item_of_new_content_is_another_one),
    ),
}  # fmt: skip


SLOW: dict[str, Fault] = {
    "steps at twice the risk": Fault(step_looks, twice_the_risk, _STEPS),
    "steps for twice the bound": Fault(step_looks, twice_the_bound, _STEPS),
    "steps that take corrected errors for clean looks": Fault(
        step_looks,
        lambda real: lambda bound, risk, size, c=0, missed=0.0: _shifted(
            real(bound, risk, size, 0, missed), c
        ),
        _STEPS,
    ),
    "steps at twice the risk, of a set that is too bad by four": Fault(
        step_looks, twice_the_risk,
        test_guarantee.test_a_set_that_is_too_bad_passes_as_often_as_its_risk_allows,
    ),
    "growth: steps at twice the risk": Fault(
        step_looks, twice_the_risk,
        test_guarantee.test_what_grows_bad_after_a_release_is_not_hidden_by_its_old_looks,
    ),
    "growth: earlier corrections forgotten": Fault(
        audit_state, instead(adjudicated=False), _AS_SIMULATED
    ),
    "attempts at twice the risk": Fault(
        attempt_risk, twice_the_risk, test_guarantee.test_attempts_share_one_risk
    ),
    "each attempt at the first's risk": Fault(
        attempt_risk, everybody_has_the_firsts, test_guarantee.test_attempts_share_one_risk
    ),
    "attempts at twice the risk, exactly": Fault(
        attempt_risk, twice_the_risk, test_audited_rule.test_what_passes_is_within_the_bound
    ),
    "what left is forgotten": Fault(
        audit_state, what_left_is_forgotten,
        partial(test_guarantee.test_who_mends_what_was_found_wrong_gains_nothing, kept=True),
    ),
    "what left, at twice the risk": Fault(
        step_looks, twice_the_risk,
        partial(test_guarantee.test_what_leaves_during_an_audit_makes_no_set_pass, clean=0),
    ),
    "a false pass of a stream at half the evidence": Fault(
        log_wanted, half_the_evidence,
        partial(test_certificate.test_the_risk_at_every_look_is_the_one_told, verdict="pass"),
    ),
    "a false fail of a stream at half the evidence": Fault(
        log_wanted, half_the_evidence,
        partial(test_certificate.test_the_risk_at_every_look_is_the_one_told, verdict="fail"),
    ),
    "a false fail after corrections at half the evidence": Fault(
        log_wanted, half_the_evidence,
        partial(test_corrected.test_a_good_set_fails_with_the_risk_that_is_told, more=5),
    ),
}  # fmt: skip


test_the_fault_is_seen, test_the_fault_shows_in_numbers = runners(FAST, SLOW)
