"""Judging annotators without their own votes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from labelops.audit.annotators import anchoring, judge_annotators
from labelops.errors import UsageError
from labelops.measure.eprocess import log_e_value_above
from labelops.tables import PLAN, PROPOSALS, frame_of


def _crowd(
    rng: np.random.Generator, accuracies: list[float], items: int, each: int, K: int = 10
) -> tuple[list[tuple[str, str, int]], np.ndarray]:
    """Votes of annotators a0, a1, … of given accuracies, `each` an item, and the truth."""
    truth = rng.integers(0, K, items)
    triples = []
    for i in range(items):
        for a in rng.choice(len(accuracies), each, replace=False):
            right = rng.random() < accuracies[a]
            code = truth[i] if right else (truth[i] + rng.integers(1, K)) % K
            triples.append((f"i{i}", f"human:a{a}", int(code)))
    return triples, truth


def test_worked_example(votes_of: Any, ten: Any) -> None:
    """Gold judges: 9 of 10 right has the textbook interval .555 to .997."""
    triples = [(f"i{i}", "human:x", 0 if i else 1) for i in range(10)]
    gold = {f"i{i}": '"0"' for i in range(10)}
    row = judge_annotators(votes_of(triples), ten, gold=gold).iloc[0]
    assert (row["judged"], row["right"], row["votes"]) == (10, 9, 10)
    assert (row["low"], row["high"]) == pytest.approx((0.5550, 0.9975), abs=1e-4)
    assert row["log_e"] == pytest.approx(log_e_value_above(1, 10, 0.2))
    assert row["seconds"] == 3.0
    assert not row["flagged"]


def test_own_vote_never_judges_itself(votes_of: Any, ten: Any) -> None:
    """Somebody alone on every item is judged by nothing, and that is not an accusation."""
    frame = judge_annotators(votes_of([(f"i{i}", "human:x", 1) for i in range(30)]), ten)
    assert frame["judged"].tolist() == [0]
    assert np.isnan(frame["accuracy"]).all()
    assert frame[["low", "high"]].to_numpy().tolist() == [[0.0, 1.0]]
    assert not frame["flagged"].any()


def test_newest_revision_counts_and_skips_do_not(votes_of: Any, ten: Any) -> None:
    """An edited vote is judged as edited; a skipped one is no vote."""
    votes = votes_of([("i", "human:x", 1), ("j", "human:x", 1)])
    edited = votes.iloc[:1].assign(revision=1, value='"2"')
    skipped = votes.iloc[1:].assign(revision=1, value=None, status="skipped")
    frame = judge_annotators(
        pd.concat([edited, votes, skipped]), ten, gold={"i": '"2"', "j": '"2"'}
    )
    assert frame[["votes", "right"]].to_numpy().tolist() == [[1, 1]]


def test_accuracy_is_recovered(votes_of: Any, ten: Any) -> None:
    """With three votes an item the measured accuracies are the simulated ones within .06."""
    accuracies = [0.95, 0.9, 0.95, 0.75, 0.85, 0.9]
    triples, _ = _crowd(np.random.default_rng(0), accuracies, 800, 3)
    frame = judge_annotators(votes_of(triples), ten)
    assert frame["accuracy"].to_numpy() == pytest.approx(accuracies, abs=0.06)


@pytest.mark.slow
def test_a_random_clicker_is_found_with_few_votes(votes_of: Any, ten: Any) -> None:
    """15 judged votes at ten classes: a random clicker is flagged in ≥ 95 % of runs."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        codes = rng.integers(0, 10, 15)
        good = [(f"i{i}", f"human:g{a}", 3) for i in range(15) for a in range(2)]
        frame = judge_annotators(
            votes_of([*good, *((f"i{i}", "human:z", int(c)) for i, c in enumerate(codes))]), ten
        )
        found.append(frame["flagged"].to_numpy()[-1])
        assert not frame["flagged"].to_numpy()[:-1].any()
    assert np.mean(found) >= 0.95


@pytest.mark.slow
def test_good_annotators_are_left_alone(votes_of: Any, ten: Any) -> None:
    """Six annotators of accuracy .95 beside one clicker: only the clicker, in 30 runs."""
    rng = np.random.default_rng(2)
    for _ in range(30):
        triples, _ = _crowd(rng, [0.95] * 6 + [0.1], 150, 2)
        flagged = judge_annotators(votes_of(triples), ten)
        assert flagged.loc[flagged["flagged"], "annotator"].tolist() == ["human:a6"]


def test_reason_names_numbers(votes_of: Any, ten: Any) -> None:
    """The reason of a flag gives counts, the bound and chance."""
    triples = [(f"i{i}", "human:z", 1) for i in range(20)]
    gold = {f"i{i}": '"0"' for i in range(20)}
    reason = judge_annotators(votes_of(triples), ten, gold=gold)["reason"][0]
    assert reason == (
        "right on 0 of 20 judged votes, at most 17 %; expected 80 %; no better than chance (10 %)"
    )


def test_models_are_measured_but_never_flagged(votes_of: Any, ten: Any) -> None:
    """A model's votes get an accuracy and no accusation: a model only proposes."""
    triples = [
        (f"i{i}", a, c)
        for i in range(40)
        for a, c in (("human:a", 1), ("human:b", 1), ("model:m", 2))
    ]
    frame = judge_annotators(votes_of(triples), ten).set_index("annotator")
    assert frame.loc["model:m", "accuracy"] == 0.0
    assert not frame["flagged"].any()


def test_no_votes_no_rows(votes_of: Any, ten: Any) -> None:
    """An empty table gives an empty frame with the same columns."""
    votes = votes_of([("i", "human:x", 1)])
    assert list(judge_annotators(votes.iloc[:0], ten)) == list(judge_annotators(votes, ten))


def test_shares_out_of_range_are_refused(votes_of: Any, ten: Any) -> None:
    """A floor of 1 would accuse everybody: refused."""
    with pytest.raises(UsageError, match="floor"):
        judge_annotators(votes_of([("i", "human:x", 1)]), ten, floor=1.0)


def _asked(ten: Any, now: Any, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    common = {
        "item_id": [f"i{i}" for i in range(n)],
        "labeler_version": "v1",
        "schema_digest": ten.digest,
    }
    asked = {"round": 1, "purpose": "label", "annotators": 1, "reason": "unsure", "priority": 1.0,
             "show_proposal": True, "exclude": "[]", "planned_at": now}  # fmt: skip
    proposed = {"labeler": "model:m", "value": '"1"', "confidence": 0.9, "proposed_at": now}
    return frame_of(PLAN, common | asked, n), frame_of(PROPOSALS, common | proposed, n)


def test_anchoring_worked_example(votes_of: Any, ten: Any, now: Any) -> None:
    """Newcombe's first example: 56/70 against 48/80 differ by .2, from .0524 to .3339."""
    plan, proposals = _asked(ten, now, 150)
    triples = [(f"i{i}", "human:x", int(i < 56 or 70 <= i < 118)) for i in range(150)]
    votes = votes_of(triples, saw=[i < 70 for i in range(150)])
    found = anchoring(votes, plan, proposals)
    assert (found.shown_agree, found.shown, found.blind_agree, found.blind) == (56, 70, 48, 80)
    assert (found.difference, found.low, found.high) == pytest.approx(
        (0.2, 0.0524, 0.3339), abs=1e-4
    )


def test_anchoring_needs_both_sorts(votes_of: Any, ten: Any, now: Any) -> None:
    """Without blind votes the difference is absent, not zero; other purposes do not count."""
    plan, proposals = _asked(ten, now, 2)
    votes = votes_of([("i0", "human:x", 1)], saw=True)
    audit = votes_of([("i1", "human:x", 1)], purpose="audit")
    found = anchoring(pd.concat([votes, audit]), plan, proposals)
    assert np.isnan(found.difference)
    assert (found.low, found.high, found.blind) == (-1.0, 1.0, 0)
    assert anchoring(votes, plan, proposals, annotator="human:y").shown == 0
