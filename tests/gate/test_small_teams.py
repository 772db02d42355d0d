"""Teams of three to five: what stands where nobody is left to ask, and that the promise holds."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.gate.candidate import attempt_risk
from labelops.gate.confirm import may_audit_firsts, may_tie
from labelops.gate.mistakes import same_mistake
from labelops.gate.policy import GatePolicy
from labelops.measure.adjudication import WRONG, Adjudication, adjudicate
from labelops.measure.codes import IntArray
from labelops.measure.finite import tolerated_errors

from .test_guarantee import BOUND, first_pass

SIZE = 300
POLICY = GatePolicy(error=BOUND)
RISK = attempt_risk(1, POLICY.risk)


def _people(
    rng: np.random.Generator, truth: IntArray, people: int, errs: float, classes: int
) -> IntArray:
    """Let people name classes, mistakes being alike by chance only."""
    slips = rng.integers(1, classes, (len(truth), people))
    slips[rng.random(slips.shape) >= errs] = 0
    found: IntArray = (truth[:, None] + slips) % classes
    return found


def _asked(labels: IntArray, said: IntArray, classes: int) -> Adjudication:
    """Ask one person after the other until each label is settled, or nobody is left."""
    given, people = np.ones(len(labels), dtype=np.int64), said.shape[1]
    while True:
        items, n = np.nonzero(np.arange(people) < given[:, None])
        found = adjudicate(
            labels, items, said[items, n], classes, stuck=given >= people, ties_stand=True
        )
        more = np.minimum(found.needed, people - given)
        if not more.any():
            return found
        given += more


def _false(
    risk: float,
    runs: int,
    errs: float,
    classes: int,
    *,
    people: int = 2,
    lone: bool = True,
    joined: int = SIZE,
) -> float:
    """Give the share of sets, four more wrong than tolerated, that two people certify wrongly.

    Of a team of four two made the label; of a team of three one gave the first vote. Unless one who
    contradicts alone is heard (`lone`), every label stands that only one person speaks against.
    Unless that has passed after `joined` looks, somebody new settles the ties, and audits as well.
    """
    rng = np.random.default_rng(3)
    allowed, false = tolerated_errors(BOUND, SIZE), 0
    for _ in range(runs):
        truth = rng.integers(classes, size=SIZE)
        labels = truth.copy()
        bad = rng.permutation(SIZE)[: allowed + 4]
        labels[bad] = (truth[bad] + rng.integers(1, classes, bad.size)) % classes
        said = _people(rng, truth, people + (joined < SIZE), errs, classes)
        order = rng.permutation(SIZE)
        for there in (people, said.shape[1]):
            found = _asked(labels, said[:, :there], classes)
            wrong = (found.status == WRONG) & (lone | (found.votes > 1))
            mended = wrong & (found.consensus >= 0)
            n = first_pass(wrong[order], mended[order], risk)
            if n <= joined:
                break
        if n <= SIZE:
            seen = order[:n][mended[order[:n]]]
            labels[seen] = found.consensus[seen]
            false += int((labels != truth).sum()) > allowed
    return false / runs


@pytest.mark.slow
def test_where_two_people_are_left_ties_keep_the_promise() -> None:
    """At the bound, with a label that one of two names standing; at twice the risk it shows.

    Where people make one and the same mistake more often than a tie bears, it is broken; and where
    all stands that one person alone contradicts, as if two of three were right by their number.
    """
    runs = 1500
    limit = RISK + 3 * float(np.sqrt(RISK * (1 - RISK) / runs))
    assert may_tie(0.04 / 9, 0.04, POLICY) and not may_tie(0.075, 0.075, POLICY)
    assert _false(RISK, runs, 0.04, 10) <= limit < _false(2 * RISK, runs, 0.04, 10)
    assert _false(RISK, runs, 0.075, 2) > limit
    assert _false(RISK, 100, 0.04, 10, people=1, lone=False) > 0.9


@pytest.mark.slow
def test_somebody_who_joins_while_ties_stand_keeps_the_promise() -> None:
    """Whenever they come, what was not certified before is judged anew: no second chance is won.

    At twice the risk it shows. Where ties may not stand, who joins early makes it good.
    """
    runs = 1500
    limit = RISK + 3 * float(np.sqrt(RISK * (1 - RISK) / runs))
    for joined in (100, 150, 200):
        assert _false(RISK, runs, 0.04, 10, joined=joined) <= limit
    assert _false(2 * RISK, runs, 0.04, 10, joined=150) > limit
    assert _false(RISK, runs, 0.075, 2, joined=60) < limit < _false(RISK, runs, 0.075, 2)


@pytest.mark.parametrize(
    ("errs", "classes", "may"),
    [(0.04, 10, True), (0.05, 2, False), (0.077, 10, True), (0.078, 10, False)],
)
def test_first_votes_are_audited_where_few_mistakes_are_common(
    errs: float, classes: int, may: bool
) -> None:
    """Between two classes two of three people often make the same mistake.

    Among ten those who err in e of their votes do so in 3 e²/9 of items: a tenth of the bound at
    an e of .0775.
    """
    counts = np.full((classes, classes), 1e6 * errs / (classes - 1))
    np.fill_diagonal(counts, 1e6 * (1 - errs))
    assert may_audit_firsts(counts, GatePolicy()) is may


def test_a_mistake_does_not_count_for_itself() -> None:
    """Mistakes that were made once each say that nobody makes them twice."""
    once = np.eye(5) * 90 + np.ones((5, 5))
    assert same_mistake(once) < 0.003
    often = np.eye(5) * 90
    often[0, 1] = 10.0
    assert 0.08 < same_mistake(often) < 0.1
