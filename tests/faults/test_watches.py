"""Faults in what watches a stream, and who answers gold: the tests of the promises see each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labelops.audit import drift, gold_watch
from labelops.autolabel.hypotheses import Hypothesis
from labelops.autolabel.trial import still_passes
from labelops.measure.eprocess import hypothesis_risk, log_wanted
from labelops.state import gold, watch
from labelops.state.audit_votes import AuditVotesView

from ..audit import test_drift, test_gold_watch
from ..state import test_drift as test_state_drift
from ..state import test_gold, test_random_looks, test_watch
from ..state.world import make_world
from .plant import (
    Fault,
    counts_double,
    everybody_has_the_firsts,
    half_the_evidence,
    instead,
    runners,
    times,
    twice_the_risk,
)


def fortune_doubled(fortune: Any) -> Any:
    """Own twice of what was won."""
    return lambda places: 2 * fortune(places)


def numbers_as_they_were_given(_: Any) -> Any:
    """Let two people have one number, and one share of the risk."""

    def faulty(state: Any) -> Any:
        rows = state.latest("gold_watched")
        given = [json.loads(body)["number"] for body in rows["body"]]
        return dict(zip(rows["subject"], given, strict=True))

    return faulty


def the_latest_answer_counts(_: Any) -> Any:
    """Hold against the truth what somebody said of gold they had seen before."""

    def faulty(state: Any) -> Any:
        rows = state.votes.loc[state.votes["purpose"] == "gold"]
        rows = rows.drop_duplicates(["annotator", "item_id"], keep="last")
        right = rows["value"].to_numpy() == rows["item_id"].map(state.gold).to_numpy()
        return rows[["annotator", "item_id", "given_at"]].assign(right=right)

    return faulty


def whoever_labeled_looks(_: Any) -> Any:
    """Let those audit who labeled the item."""
    return property(lambda view: view.current.loc[view.current["purpose"] == "audit"])


def doubts_are_clean(real: Any) -> Any:
    """Ask only whether what is settled would pass."""
    return lambda *args: True


def _watches(monkeypatch: pytest.MonkeyPatch) -> None:
    test_state_drift.test_watches_share_one_risk(make_world(calibration=10_000), monkeypatch)


def _settings() -> None:
    policy = test_watch.AcceptancePolicy(error=0.1)
    test_watch.test_other_settings_close_it(policy)


_DRIFT = test_drift.test_an_alarm_takes_one_over_the_risk
_GOLD, _GOLD_MEAN = (
    test_gold_watch.test_an_alarm_takes_one_over_the_risk,
    test_gold_watch.test_an_expectation_of_one,
)
_PEOPLE = test_gold.test_people_share_one_risk

FAST: dict[str, Fault] = {
    "drift: an alarm at half the evidence": Fault(log_wanted, half_the_evidence, _DRIFT),
    "drift: an alarm at twice the risk": Fault(drift.accumulate, twice_the_risk, _DRIFT),
    "drift: watches together at twice the risk": Fault(
        hypothesis_risk, twice_the_risk, _watches, slow=True,
    ),
    "drift: each watch at the first's risk": Fault(
        hypothesis_risk, everybody_has_the_firsts, _watches, slow=True,
    ),
    "drift: watches are not counted": Fault(hypothesis_risk, instead(j=1), _watches, slow=True),
    "gold: an alarm at half the evidence": Fault(log_wanted, half_the_evidence, _GOLD),
    "gold: an alarm at twice the risk": Fault(gold_watch.watch_gold, twice_the_risk, _GOLD),
    "gold: evidence that counts double": Fault(
        (gold_watch, "change_evidence"), counts_double, _GOLD_MEAN
    ),
    "gold: a floor that is twice as often wrong": Fault(
        gold_watch.gold_evidence, times(1.1, "floor"), _GOLD_MEAN
    ),
    "gold: two people with one number": Fault(
        gold._numbers, numbers_as_they_were_given,
        test_gold.test_a_number_given_twice_is_two_numbers,
    ),
    "gold: a second answer counts": Fault(
        gold.gold_answers, the_latest_answer_counts, test_gold.test_an_answer_counts_once
    ),
    "random looks: by whoever labeled the item": Fault(
        (AuditVotesView, "outside_audits"), whoever_labeled_looks,
        test_random_looks.test_a_label_voter_does_not_look_at_random, slow=True,
    ),
    "acceptance stands on votes that contradict each other": Fault(
        still_passes, doubts_are_clean,
        test_watch.test_contradicting_calibration_votes_close_it, slow=True,
    ),
    "acceptance stands under a stricter bound": Fault(
        (Hypothesis, "promises"), lambda _: lambda self, policy: True, _settings, slow=True,
    ),
}  # fmt: skip


SLOW: dict[str, Fault] = {
    "drift: evidence that counts double": Fault(
        (drift, "_fortune"), fortune_doubled, test_drift.test_a_fair_game
    ),
    "drift: acceptance stands after an alarm": Fault(
        (watch, "_drifted"), lambda _: lambda state, h: None,
        test_state_drift.test_a_changed_stream_closes_it_for_what_came_since,
    ),
    "gold: people together at twice the risk": Fault(hypothesis_risk, twice_the_risk, _PEOPLE),
    "gold: each at the first's risk": Fault(hypothesis_risk, everybody_has_the_firsts, _PEOPLE),
    "gold: people are not counted": Fault(hypothesis_risk, instead(j=1), _PEOPLE),
    "random looks: a quarter of the evidence, in a thousand streams": Fault(
        (watch, "log_wanted"), lambda real: lambda risk: real(min(4 * risk, 0.999)),
        test_random_looks.test_size_of_random_looks_in_a_thousand_streams,
    ),
}  # fmt: skip


test_the_fault_is_seen, test_the_fault_shows_in_numbers = runners(FAST, SLOW)
