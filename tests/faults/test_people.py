"""Faults in what is said of people: the tests of its promises see each of them."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.stats

from labelops.audit import annotators, speed, steadiness
from labelops.consolidate import _pairs, choose, copies
from labelops.measure.eprocess import hypothesis_risk
from labelops.measure.evalues import e_benjamini_hochberg
from labelops.state import people
from labelops.state.audit_votes import AuditVotesView
from labelops.state.votes import VotesView

from ..audit import test_annotators, test_directed, test_speed, test_steadiness
from ..consolidate import test_copies
from ..measure import test_evalues
from ..state import test_people
from ..state.world import make_world
from .plant import (
    Change,
    Fault,
    counts_double,
    everybody_has_the_firsts,
    half_the_evidence,
    runners,
    twice_the_risk,
)


def each_alone(_: Any) -> Any:
    """Judge everybody as if nobody else was judged."""
    return lambda log_e_values, risk: np.asarray(log_e_values) >= math.log(1 / risk)


def as_many_as_are_accused(real: Any) -> Any:
    """Take for all people those alone whom there is any evidence against."""

    def faulty(log_e_values: Any, risk: float) -> Any:
        values = np.asarray(log_e_values, dtype=float)
        found = np.zeros(values.size, dtype=bool)
        found[values > 0] = real(values[values > 0], risk)
        return found

    return faulty


def own_votes_judge(_: Any) -> Any:
    """Hold a vote against what all are sure of, itself included."""

    def faulty(items: Any, who: Any, codes: Any, A: int, K: int, gold: Any) -> Any:
        weight = annotators._weights(annotators._accuracies(items, who, codes, A, K, gold), K)
        belief = annotators._belief(items, codes, weight[who], K)[items]
        share = annotators._shares(belief).max(axis=1)
        answer = np.where(share >= annotators._SURE, belief.argmax(axis=1), -1)
        return np.where(gold >= 0, gold, answer), np.where(gold >= 0, 1.0, share)

    return faulty


def who_left_is_gone(real: Any) -> Any:
    """Judge only those who gave the latest vote of all, or as late a one."""

    def faulty(state: Any) -> Any:
        rows = real(state)
        last = rows.groupby("annotator")["item_id"].max()
        return rows.loc[rows["annotator"].isin(last.index[last == last.max()])]

    return faulty


def no_habits(real: Any) -> Any:
    """Take all agreement for more than what people usually say explains."""
    return lambda table, first, second: np.zeros(len(first))


def alone_or_at_twice(factor: float) -> Change:
    """Judge each pair as if it were the only one, or all at so many times of their p-values."""

    def change(real: Any) -> Any:
        def faulty(agreeing: Any, items: Any, chance: Any, risk: float) -> Any:
            fair = real(agreeing, items, chance, risk) - risk / 2
            return (factor or 1 / len(fair)) * fair + risk / 2

        return faulty

    return change


def uncorrected(factor: float | None) -> Change:
    """Take p-values as they are; or corrected ones at so many times of what they are."""

    def change(real: Any) -> Any:
        def faulty(p_values: Any, **options: Any) -> Any:
            found = np.asarray(p_values)
            return found if factor is None else factor * real(found, **options)

        return faulty

    return change


def _who_did_not_label_by_name(_: Any) -> Any:
    """Let whoever did not label an item audit it, though a copy of theirs did."""

    def faulty(view: Any) -> Any:
        rows = view.current.loc[view.current["purpose"] == "audit"]
        pairs = view.evidence.set_index(["item_id", "annotator"]).index
        return rows.loc[~rows.set_index(["item_id", "annotator"]).index.isin(pairs)]

    return property(faulty)


def _looks(monkeypatch: pytest.MonkeyPatch) -> None:
    test_people.test_looks_share_one_risk(make_world(test_people.TEN), monkeypatch)


def _told() -> None:
    test_people.test_flags_and_what_ends_them_take_what_is_told(make_world(test_people.TEN))


def _copy() -> None:
    test_people.test_a_copy_is_no_second_look(make_world(test_people.TEN))


_FLAG, _MEAN = (
    test_annotators.test_a_flag_takes_as_many_times_the_evidence_as_there_are_people,
    test_annotators.test_evidence_is_one_on_average_at_the_floor,
)
_CROWD = test_evalues.test_a_year_of_looks_at_ten_people_at_the_floor

FAST: dict[str, Fault] = {
    "the rule at twice the risk": Fault(
        e_benjamini_hochberg, twice_the_risk, test_evalues.test_worked_example
    ),
    "the rule for each alone": Fault(
        e_benjamini_hochberg, each_alone, test_evalues.test_worked_example
    ),
    "accuracy: a flag at twice the risk": Fault(
        (annotators, "e_benjamini_hochberg"), twice_the_risk, _FLAG
    ),
    "accuracy: each alone": Fault((annotators, "e_benjamini_hochberg"), each_alone, _FLAG),
    "accuracy: among those with evidence against them": Fault(
        (annotators, "e_benjamini_hochberg"), as_many_as_are_accused, _FLAG
    ),
    "accuracy: evidence that counts double": Fault(
        (annotators, "log_e_value_above"), counts_double, _MEAN
    ),
    "accuracy: one's own vote judges": Fault(
        (annotators, "_reference"), own_votes_judge,
        test_annotators.test_own_vote_never_judges_itself,
    ),
    "rushing: a flag at twice the risk": Fault(
        (speed, "e_benjamini_hochberg"), twice_the_risk,
        test_speed.test_a_flag_takes_as_many_times_the_evidence_as_there_are_people,
    ),
    "rushing: each alone": Fault(
        (speed, "e_benjamini_hochberg"), each_alone,
        test_speed.test_a_flag_takes_as_many_times_the_evidence_as_there_are_people,
    ),
    "rushing: evidence that counts double": Fault(
        (speed, "log_e_value_above"), counts_double,
        test_speed.test_evidence_is_one_on_average_where_half_are_quick,
    ),
    "steadiness: a flag at twice the risk": Fault(
        (steadiness, "e_benjamini_hochberg"), twice_the_risk,
        test_steadiness.test_a_flag_takes_as_many_times_the_evidence_as_there_are_people,
    ),
    "steadiness: each alone": Fault(
        (steadiness, "e_benjamini_hochberg"), each_alone,
        test_steadiness.test_a_flag_takes_as_many_times_the_evidence_as_there_are_people,
    ),
    "steadiness: evidence that counts double": Fault(
        (steadiness, "_evidence"), counts_double,
        test_steadiness.test_evidence_is_that_of_the_watch_over_streams,
    ),
    "copies: each is a second look": Fault(
        (VotesView, "one_voice"), lambda _: lambda self, rows, per: rows, _copy
    ),
    "copies: one audits the other's label": Fault(
        (AuditVotesView, "outside_audits"), _who_did_not_label_by_name, _copy
    ),
    "copies: habits explain nothing": Fault(
        (_pairs, "_habits"), no_habits, test_copies.test_pairs_by_hand
    ),
    "copies: each pair alone": Fault(
        (copies, "_corrected"), alone_or_at_twice(0),
        test_copies.test_the_risk_of_chance_agreement_is_half_of_the_one_told,
    ),
    "copies: at twice the risk": Fault(
        (copies, "_corrected"), alone_or_at_twice(0.5),
        test_copies.test_the_risk_of_chance_agreement_is_half_of_the_one_told,
    ),
    "copies: who copies counts each time": Fault(
        (choose, "count_once"), lambda _: lambda votes, voice: votes,
        test_copies.test_a_worked_example,
    ),
}  # fmt: skip


SLOW: dict[str, Fault] = {
    "flags: the rule at twice the risk": Fault(e_benjamini_hochberg, twice_the_risk, _told),
    "flags: each alone": Fault(e_benjamini_hochberg, each_alone, _told),
    "flags: who left is no longer counted": Fault(
        (people, "_judged_by"), who_left_is_gone, _told
    ),
    "flags: haste ends at half the evidence": Fault(
        (people, "log_wanted"), half_the_evidence, _told
    ),
    "flags in a year: each alone": Fault(e_benjamini_hochberg, each_alone, _CROWD),
    "people who err together: each alone": Fault(
        e_benjamini_hochberg, each_alone,
        partial(
            test_evalues.test_people_who_err_together_are_accused_no_more_often, guilty=0
        ),
    ),
    "people who come one after another: each alone": Fault(
        e_benjamini_hochberg, each_alone, test_evalues.test_people_who_come_one_after_another
    ),
    "looks: together at twice the risk": Fault(hypothesis_risk, twice_the_risk, _looks),
    "looks: each at the first's risk": Fault(hypothesis_risk, everybody_has_the_firsts, _looks),
    "looks: nobody counts them": Fault((people, "_look"), lambda _: lambda state: 1, _looks),
} | {
    f"{what}: {how}": Fault((scipy.stats, "false_discovery_control"), uncorrected(factor), test)
    for how, factor in (("nobody corrects for many", None), ("at twice the risk", 0.5))
    for what, test in {
        "haste": test_speed.test_the_risk_of_a_look_is_the_one_told,
        "confusions": test_directed.test_the_risk_of_everybody_is_the_one_told,
        "swayed": test_annotators.test_the_risk_of_everybody_is_the_one_told,
    }.items()
}  # fmt: skip


test_the_fault_is_seen, test_the_fault_shows_in_numbers = runners(FAST, SLOW)
