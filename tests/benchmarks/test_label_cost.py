"""The benchmark of label costs runs, counts every vote, and treats its rivals alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks._in_memory import run_journey
from benchmarks._label_sets import Crowd, LabelSet, label_set
from benchmarks._pipelines import RIVALS, Outcome, under_audit
from benchmarks._work import learned_from
from benchmarks.label_cost import one_seed, rules_for, table, told_and_certified
from labelops.kinds.choice import values_of
from labelops.schema import Schema


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


def test_told_and_the_fewest_clean_looks() -> None:
    """Of 1,000 items 21 wrong escape 132 looks with probability 5 %: 500 votes become 632."""
    told = Outcome(1000, 1000, 0, {"label": 500}, None, 0.02)
    said = told_and_certified({"told the error curve": [told]}, 0.02, 0.05)
    assert "the 132 clean looks" in said and "632 votes per 1,000" in said
    assert "Nothing stays" in told_and_certified(
        {"told the error curve": [Outcome(10, 0)]}, 0.02, 0.05
    )


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


@pytest.mark.slow
def test_the_arrays_spend_about_what_the_journey_spends_under_audit() -> None:
    """So they do where the audit alone judges: nobody calibrates, and most labels are a model's."""
    data, rules = label_set("digits"), rules_for("digits", 0.05)
    crowd = data.crowds["seven"](0)
    journey = run_journey(data, crowd, under_audit(rules), 0)
    assert journey.certified is not None and journey.error <= 0.05
    assert "calibrate" not in journey.votes
    assert journey.accepted > len(data.ids) / 2
    arrays = RIVALS["labelops, audited"](data, crowd, rules, 0)
    assert "calibrate" not in arrays.votes
    assert abs(np.log(journey.per_thousand / arrays.per_thousand)) < np.log(1.5)


def _few_digits(seed: int, team: int = 7) -> tuple[LabelSet, Crowd]:
    """Return the first 240 digits, and so many of the seven to label them."""
    whole, at = label_set("digits"), np.arange(240)
    crowd = whole.crowds["seven"](seed)
    data = replace(
        whole,
        payloads=whole.payloads[:240],
        groups=whole.groups[:240],
        truth=whole.truth[at],
        features=whole.features[at],
    )
    who, said = crowd.who[at], crowd.said[at]
    if team < 7:
        mine = np.flatnonzero(who.ravel() < team)
        who, said = (np.take(a.ravel(), mine).reshape(len(at), team) for a in (who, said))
    return data, Crowd(who, said)


@pytest.mark.slow
@pytest.mark.parametrize("team", [4, 7])
def test_a_named_sample_keeps_no_audit_waiting(team: int) -> None:
    """What one vote leaves in doubt of a sample that nothing is tested on is settled as well."""
    data, crowd = _few_digits(0, team)
    rules = replace(under_audit(rules_for("digits", 0.05)), calibration=40)
    found = run_journey(data, crowd, rules, 0)
    assert found.note == "" and found.certified is not None
    assert found.error <= found.certified <= 0.05
    assert found.votes["calibrate"] >= 40


class _Flatterer:
    """A model that repeats what people told it, and elsewhere is sure of what is half wrong."""

    name = "model:flatterer"

    def __init__(self, truth: dict[str, int]) -> None:
        self.truth, self.told = truth, dict[str, int]()

    def fit(
        self, items: pd.DataFrame, codes: Sequence[int], groups: Sequence[str], schema: Schema
    ) -> str:
        self.told = dict(zip(items["item_id"], codes, strict=True))
        return f"m{len(self.told)}"

    def propose(self, items: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        K = len(schema.classes)
        odd = [int(i[1:]) % 2 for i in items["item_id"]]
        wrong = [(self.truth[i] + n) % K for i, n in zip(items["item_id"], odd, strict=True)]
        said = [self.told.get(i, w) for i, w in zip(items["item_id"], wrong, strict=True)]
        probs = np.full((len(items), K), 0.01 / (K - 1))
        probs[np.arange(len(items)), said] = 0.99
        return pd.DataFrame(
            {
                "item_id": items["item_id"],
                "value": values_of(np.array(said), schema),
                "confidence": probs.max(axis=1),
                "probs": list(probs),
                "fold": 0,
            }
        )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_model_that_flatters_is_refused_by_the_audit(seed: int) -> None:
    """Half of what stands under `audited` is wrong: its audit fails, and people decide it all."""
    data, crowd = _few_digits(seed)
    truth = dict(zip(data.ids, data.truth.tolist(), strict=True))
    flattered = replace(data, labeler=lambda: _Flatterer(truth))
    rules = replace(rules_for("digits", 0.05), seed=40, training=60)
    found = run_journey(flattered, crowd, under_audit(rules), seed)
    assert found.note == "" and found.certified is not None
    assert found.error <= 0.05
    assert found.accepted == 0
    assert found.votes["audit"] > 10, "it was audited, and more than once"
