"""The floor of those who know only what votes have bought: who is asked, and what is learned."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._asked import Asked, Who
from benchmarks._label_sets import TEAM, label_set
from benchmarks.label_floor_causal import (
    Ended,
    Gifts,
    Learned,
    audited_by_doubt,
    endings,
    evenly,
    learning,
    least,
)

N, K = 400, 3


def _asked(who: Who, right: float = 0.6, best: int = 7) -> Asked:
    """Return people who are right so often, but for one who never errs."""
    rng = np.random.default_rng(5)
    skill = np.full(TEAM, right)
    skill[best] = 1.0
    truth = rng.integers(0, K, N)
    wrong = (truth[:, None] + rng.integers(1, K, (N, TEAM))) % K
    said = np.where(rng.random((N, TEAM)) < skill, truth[:, None], wrong)
    turn = rng.random((N, TEAM)).argsort(axis=1)
    matrices = np.broadcast_to((1 - skill[:, None, None]) / (K - 1), (TEAM, K, K)).copy()
    matrices[:, np.arange(K), np.arange(K)] = skill[:, None]
    return Asked(truth, said, turn, np.maximum(matrices, 1e-12), who, rng)


@pytest.mark.parametrize("who", [Who(1, tries=3), Who(0)])
def test_the_best_is_found_by_the_record_alone(who: Who) -> None:
    """Who never errs has most of the work in the end, but not before anything is known of them."""
    asked = _asked(who)
    asked.ask(np.arange(N))
    first = asked.taken[:, 0]
    assert (first[:25] == 7).mean() < 0.3 < 0.8 < (first[-100:] == 7).mean()
    assert (np.bincount(first, minlength=TEAM) >= (who.tries or 1)).all()
    assert (asked.seen.sum(axis=(1, 2)) == np.bincount(first, minlength=TEAM)).all()


def test_in_turn_nobody_is_preferred() -> None:
    """Without a record to go by people look in the order in which they come, none twice."""
    asked = _asked(Who(TEAM))
    for _ in range(3):
        asked.ask(np.arange(N))
    order = np.argsort(asked.turn, axis=1)
    assert (asked.taken[:, :3] == order[:, :3]).all()
    assert (asked.order() == order).all()


def test_the_work_is_shared_by_the_best_half() -> None:
    """Ten share a round's looks once everybody has been tried; or those after the first only."""
    asked, later = _asked(Who(10, tries=1)), _asked(Who(10, later=True))
    for one in (asked, later):
        one.ask(np.arange(N))
        one.ask(np.arange(25))
    assert 7 in asked.taken[-25:, 0]
    assert 5 <= len(np.unique(asked.taken[-25:, 0])) <= 10
    assert (later.taken[:, 0] == later.turn.argmin(axis=1)).all()
    right, tried = later.seen.trace(axis1=1, axis2=2), later.seen.sum(axis=(1, 2))
    assert 5 <= len(np.unique(later.taken[:25, 1])) <= 10
    assert (right / tried)[np.unique(later.taken[:25, 1])].mean() > (right / tried).mean()


def test_an_item_is_not_judged_by_its_own_truth() -> None:
    """What is told of an item leaves its own posterior as it was, by records, too."""
    asked = _asked(Who(TEAM))
    asked.ask(np.arange(N))
    flat = np.full((N, K), 1 / K)
    before = asked.chances(flat, told=False)[0]
    # The same vote of an item that is told to be of another class.
    person, old = asked.taken[0, 0], asked.truth[0]
    vote, new = asked.said[0, person], (old + 1) % K
    asked.truth[0] = new
    asked.seen[person, old, vote] -= 1
    asked.seen[person, new, vote] += 1
    assert asked.chances(flat, told=False)[0] == pytest.approx(before)
    assert asked.chances(flat, told=True)[0].argmax() == vote


def test_asking_ends_where_a_class_is_sure() -> None:
    """A surer threshold takes more votes, and a fork leaves the original as it was."""
    asked = _asked(Who(5, tries=1), right=0.9)
    flat = np.full((N, K), 1 / K)
    few, many = asked.fork(), asked.fork()
    assert (few.ask_until(flat, 0.8).max(axis=1) >= 0.8).all()
    many.ask_until(flat, 0.99)
    assert 0 == asked.count.sum() < few.count.sum() < many.count.sum()
    wrong = [Ended.of(a, a.chances(flat)).wrong.mean() for a in (few, many)]
    assert wrong[1] < wrong[0] < 0.2


def _end(doubt: np.ndarray, wrong: np.ndarray) -> Ended:
    ones = np.ones(len(wrong), dtype=np.int64)
    return Ended(len(wrong), wrong, doubt, ones, np.full(len(wrong), 0.06))


def test_doubt_that_tells_saves_looks_and_misses_cost_some() -> None:
    """Audits by doubt end sooner where it is right about ten errors; what looks miss costs."""
    wrong = np.arange(613) < 12
    rng = np.random.default_rng(0)
    telling, even = _end(wrong * 0.5, wrong), _end(np.full(613, 0.1), wrong)
    looks = [np.mean([audited_by_doubt(e, rng) for _ in range(12)]) for e in (telling, even)]
    assert looks[0] < 0.9 * looks[1]
    found, missed = (evenly([even] * 3, 0.9, finds) for finds in (True, False))
    assert missed.audit > found.audit + 20


@pytest.mark.slow
def test_a_model_learns_what_it_doubts_most() -> None:
    """On tickets fifty at random come first, then those it doubts; the whole chain runs."""
    tickets = label_set("tickets")
    models = []
    for model in learning(tickets, None, 0, hardest=True):
        models.append(model)
        if len(models) == 2:
            break
    first, second = models
    assert (second.order[: len(first.order)] == first.order).all()
    added = second.order[len(first.order) :]
    rest = np.setdiff1d(np.arange(len(tickets.truth)), second.order)
    assert first.probs[added].max() <= first.probs[rest].max(axis=1).min() + 1e-12
    probs = first.tempered(tickets.truth)
    assert probs.sum(axis=1) == pytest.approx(1.0)
    assert isinstance(first, Learned)
    found = endings(tickets, [models], Who(5, tries=1), 1, Gifts())
    many, cost = least(found)
    assert many in (100, 150)
    assert 700 < cost.every < 2_500
    assert cost.every <= min(evenly(e, t).every for (_, t), e in found.items()) + 1e-9
