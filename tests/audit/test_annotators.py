"""Judging annotators without their own votes."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, hypergeom

from labelops.audit.anchoring import _compared, anchoring, find_swayed
from labelops.audit.annotators import judge_annotators
from labelops.errors import UsageError
from labelops.measure.eprocess import log_e_value_above
from labelops.schema import Schema
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


def _gold_answers(votes_of: Any, ten: Any, wrong: int, of: int, risk: float = 0.01) -> pd.Series:
    """Judge one person of three, who gave so many wrong answers to gold; the others gave none."""
    triples = [(f"i{i}", "human:x", int(i < wrong)) for i in range(of)]
    triples += [(f"i{i}", who, 0) for i in range(of) for who in ("human:a", "human:b")]
    gold = {f"i{i}": '"0"' for i in range(of)}
    frame = judge_annotators(votes_of(triples), ten, gold=gold, floor=0.8, risk=risk)
    assert not frame["flagged"][:2].any()
    return frame.iloc[2]


def test_evidence_is_one_on_average_at_the_floor(votes_of: Any, ten: Any) -> None:
    """Over all counts of wrong answers; evidence that counts double would be two."""
    values = [np.exp(_gold_answers(votes_of, ten, k, 6)["log_e"]) for k in range(7)]
    assert float(binom.pmf(np.arange(7), 6, 0.2) @ values) == pytest.approx(1.0)


def test_a_flag_takes_as_many_times_the_evidence_as_there_are_people(
    votes_of: Any, ten: Any
) -> None:
    """One of three needs three over the risk, and just less is no flag."""
    wanted = 3 / np.exp(_gold_answers(votes_of, ten, 9, 12)["log_e"])
    for risk, flagged in ((1.001 * wanted, True), (0.999 * wanted, False)):
        assert _gold_answers(votes_of, ten, 9, 12, risk)["flagged"] == flagged


def test_own_vote_never_judges_itself(votes_of: Any, ten: Any) -> None:
    """Somebody alone on every item is judged by nothing, and that is not an accusation."""
    frame = judge_annotators(votes_of([(f"i{i}", "human:x", 1) for i in range(30)]), ten)
    assert frame["judged"].tolist() == [0]
    assert np.isnan(frame["accuracy"]).all()
    assert frame[["low", "high"]].to_numpy().tolist() == [[0.0, 1.0]]
    # Nor where who is alone is known, from other items, to be as good as sure.
    shared = [(f"j{i}", who, 0) for i in range(60) for who in ("human:x", "human:y", "human:z")]
    alone = [(f"i{i}", "human:x", 1) for i in range(30)]
    assert judge_annotators(votes_of(shared + alone), ten)["judged"].tolist() == [60, 60, 60]
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


@pytest.mark.slow
def test_references_that_are_wrong_accuse_nobody(votes_of: Any) -> None:
    """All just at the floor, three votes an item: one reference in twenty is wrong.

    To be right where it is not is no error, and many votes would show it as one.
    """
    two, evidence = Schema("two", ("0", "1")), []
    for seed in range(2):
        triples, _ = _crowd(np.random.default_rng(seed), [0.8] * 12, 8000, 3, K=2)
        frame = judge_annotators(votes_of(triples), two, floor=0.8)
        assert frame["judged"].min() > 900 and frame["accuracy"].mean() < 0.79
        evidence += frame["log_e"].tolist()
    # With no allowance for it ten of these 24 are at twenty.
    assert np.mean(np.array(evidence) >= np.log(20)) <= 0.05


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


def _crowd_beside(
    votes_of: Any, ten: Any, now: Any, blind_agree: tuple[int, ...]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Let each person see eight proposals of twelve, and agree with eight in all."""
    people = len(blind_agree)
    plan, proposals = _asked(ten, now, 12 * people)
    saw = [i % 12 < 8 for i in range(12 * people)]
    agree = [(i % 12) < 8 - b if s else (i % 12) - 8 < b
             for i, s in enumerate(saw) for b in (blind_agree[i // 12],)]  # fmt: skip
    triples = [(f"i{i}", f"human:{i // 12}", int(yes)) for i, yes in enumerate(agree)]
    return votes_of(triples, saw=saw), plan, proposals


@pytest.mark.slow
def test_the_risk_of_everybody_is_the_one_told(votes_of: Any, ten: Any, now: Any) -> None:
    """Exactly: two whom a proposal in sight does not move are found with at most its chance.

    Which votes were blind was drawn, so each draw is as likely. Twice the risk would break it, and
    so does one test for each of them.
    """
    # Two blind agreements or more are far from any flag, and stand for each other.
    law = np.diff(hypergeom(12, 8, 4).cdf([-1, 0, 1, 4]))
    risk = float(law[:2].sum()) * 1.0001
    ours = double = each = 0.0
    for one, other in combinations_with_replacement(range(3), 2):
        tables = _crowd_beside(votes_of, ten, now, (one, other))
        chance = law[one] * law[other] * (1 if one == other else 2)
        ours += chance * bool(find_swayed(*tables, risk=risk))
        double += chance * bool(find_swayed(*tables, risk=2 * risk))
        tests = find_swayed(*tables, risk=0.999).values()
        each += chance * any(found.p_value <= risk for found in tests)
    assert 0 < ours <= risk < min(double, each)


def test_an_interval_at_small_risks_is_no_test() -> None:
    """Of 5 blind votes and 100 others, all right to 99 %: Newcombe's interval errs far too often.

    The exact test does not, and finds who agrees with everything in sight and half of the rest.
    """
    risk, shown, blind = 0.003, np.arange(90, 101), np.arange(6)
    law = np.outer(binom.pmf(shown, 100, 0.99), binom.pmf(blind, 5, 0.99))
    found = [[_compared(int(a), 100, int(b), 5, 1 - risk) for b in blind] for a in shown]
    exact = np.array([[one.p_value <= risk for one in row] for row in found])
    interval = np.array([[one.low > 0 for one in row] for row in found])
    assert law[exact].sum() <= risk < law[interval].sum()
    assert _compared(80, 80, 10, 20, 0.95).p_value < 1e-6


def test_nobody_is_swayed_by_nothing(votes_of: Any, ten: Any, now: Any) -> None:
    """Without votes beside a proposal there is nobody to find."""
    plan, proposals = _asked(ten, now, 2)
    assert find_swayed(votes_of([("j", "human:x", 1)]), plan, proposals) == {}
    with pytest.raises(UsageError, match="risk"):
        find_swayed(votes_of([("j", "human:x", 1)]), plan, proposals, risk=0.0)


def test_anchoring_without_a_side_to_compare() -> None:
    """Where all saw the proposal, or nobody did, the counts are there and the interval is all."""
    for counts in ((3, 4, 0, 0), (0, 0, 5, 6)):
        found = _compared(*counts, 0.95)
        said = (found.shown_agree, found.shown, found.blind_agree, found.blind)
        assert said == counts and np.isnan(found.difference)
        assert (found.low, found.high, found.p_value) == (-1.0, 1.0, 1.0)
