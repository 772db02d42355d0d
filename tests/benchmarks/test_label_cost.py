"""The benchmark of label costs runs, counts every vote, and treats its rivals alike."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._in_memory import run_journey
from benchmarks._label_sets import Crowd, label_set
from benchmarks._pipelines import RIVALS, Outcome
from benchmarks._work import learned_from
from benchmarks.label_cost import floor, one_seed, rules_for, table


def test_majority_is_of_the_first_votes_and_ties_go_to_the_earliest() -> None:
    """Two of three win; of three different answers the first counts."""
    said = np.array([[1, 2, 2, 1, 1], [3, 2, 1, 1, 1]])
    crowd = Crowd(np.tile(np.arange(5), (2, 1)), said)
    assert crowd.majority(3).tolist() == [2, 3]
    assert crowd.majority(5).tolist() == [1, 1]


@pytest.mark.slow
def test_tickets_with_vectors_are_the_same_tickets_and_people() -> None:
    """Only the model differs, and what it says: proposals are kept by the set's name."""
    plain, other = label_set("tickets"), label_set("tickets_vectors")
    assert [plain.schema.name, other.schema.name] == ["tickets", "tickets_vectors"]
    assert plain.payloads == other.payloads
    assert np.array_equal(plain.crowds["seven"](3).said, other.crowds["seven"](3).said)
    chosen = np.random.default_rng(1).permutation(len(plain.truth))[:100]
    rows = np.column_stack([chosen, plain.truth[chosen]])
    said = [learned_from(data, rows) for data in (plain, other)]
    right = [(probs.argmax(axis=1) == plain.truth).mean() for probs in said]
    assert right[1] > right[0] + 0.03


@pytest.mark.slow
def test_nobody_is_asked_twice_about_an_item() -> None:
    """A row of the laid-down votes holds each annotator once at most."""
    who = label_set("tickets").crowds["seven"](0).who
    assert (np.sort(who, axis=1) == np.arange(7)).all()


def test_the_table_says_what_was_not_released() -> None:
    """A pipeline that released nothing has its reason in the table, and no numbers."""
    found = {
        "a": [Outcome(10, 10, 0, {"label": 30}, None, 0.1)],
        "b": [Outcome(10, 0, note="not applicable: 10 items")],
    }
    lines = table(found, 0.05).splitlines()
    assert lines[2].startswith("| a | 3,000 ± 0 | 0% | 0% | nothing | 10.00% (10.00%) | 1 of 1")
    assert "not applicable" in lines[3]


def test_the_floor_is_told_and_the_fewest_clean_looks() -> None:
    """Of 1,000 items 21 wrong escape 132 looks with probability 5 %: 500 votes become 632."""
    told = Outcome(1000, 1000, 0, {"label": 500}, None, 0.02)
    said = floor({"told the error curve": [told]}, 0.02, 0.05)
    assert "the 132 clean looks" in said and "632 votes per 1,000" in said
    assert "Nothing stays" in floor({"told the error curve": [Outcome(10, 0)]}, 0.02, 0.05)


@pytest.mark.slow
def test_one_seed_of_every_pipeline() -> None:
    """On digits with the demo's seven: ours is certified, cheap, and not below the told."""
    found = one_seed("digits", "seven", 0.05, 0)
    assert set(found) == set(RIVALS)
    assert found["three votes on everything"].per_thousand == 3000
    ours, told = found["labelops"], found["told the error curve"]
    assert ours.certified is not None
    assert ours.error <= ours.certified <= 0.05
    assert told.per_thousand < ours.per_thousand < 1500
    assert set(ours.votes) <= {"label", "calibrate", "audit", "review"}


@pytest.mark.slow
def test_the_arrays_spend_about_what_the_journey_spends() -> None:
    """The pipeline on arrays and the journey itself differ by less than half in votes."""
    data, rules = label_set("digits"), rules_for("digits", 0.05)
    crowd = data.crowds["seven"](0)
    journey = run_journey(data, crowd, rules, 0)
    assert journey.note == ""
    assert journey.certified is not None
    arrays = RIVALS["labelops"](data, crowd, rules, 0)
    assert abs(np.log(journey.per_thousand / arrays.per_thousand)) < np.log(1.5)
