"""How many blind votes confirm a label, and what slips through."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.errors import SettingsError
from labelops.gate.candidate import attempt_risk
from labelops.gate.confirm import (
    allowed_chance,
    certifies_nothing,
    choose_confirm,
    may_tie,
    missed_share,
    upper_chance,
)
from labelops.gate.mistakes import chance_agreement
from labelops.gate.policy import GatePolicy
from labelops.measure.adjudication import AGREES, PENDING, WRONG, Adjudication, adjudicate
from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.finite import tolerated_errors

from .test_guarantee import BOUND, first_pass


@pytest.mark.slow
def test_as_few_votes_confirm_as_can_certify() -> None:
    """One in any set that has labels enough, more in smaller ones; the setting goes before."""
    belief = np.tile([0.95, 0.05], (100, 1))
    for right, expected in ((0.97, [1, 1, 1, 2]), (0.9, [1, 1, 2, 3]), (0.8, [1, 1, 1, 1])):
        counts = 500 * np.array([[right, 1 - right], [1 - right, right]])
        chance = chance_agreement(belief, np.zeros(100, dtype=int), counts)
        assert chance == pytest.approx(1 - right, abs=0.01)
        policy = GatePolicy(error=0.02)
        found = [choose_confirm(chance, counts, policy, size) for size in (1000, 100, 60, 40)]
        assert found == expected
        assert choose_confirm(chance, counts, GatePolicy(confirm=3), 1000) == 3


@pytest.mark.parametrize(("right", "votes"), [(0.87, 2), (0.85, 1)])
def test_a_lead_that_loses_right_labels_is_not_asked_for(right: float, votes: int) -> None:
    """Of 40 labels a lead of two could certify; people right 85 times in 100 do not reach it.

    At as many looks one right label is expected to be called wrong for want of the lead.
    """
    counts = 1000 * np.array([[right, 1 - right], [1 - right, right]])
    assert choose_confirm(1 - right, counts, GatePolicy(error=0.05), 40) == votes


def test_people_who_are_always_wrong_are_no_error() -> None:
    """All wrong labels are missed, or nearly: nothing can be certified, and one vote confirms."""
    for chance in (0.98, 0.985, 0.99, 1.0):
        counts = [[50 * (1 - chance), 50 * chance], [50 * chance, 50 * (1 - chance)]]
        assert choose_confirm(chance, counts, GatePolicy(), 600) == 1


def test_where_nothing_can_be_certified_one_vote_is_enough() -> None:
    """A set of one label, and an empty one, by people who are hardly better than chance."""
    people = [[60.0, 40.0], [40.0, 60.0]]
    for size in (1, 0):
        assert choose_confirm(0.4, people, GatePolicy(), size) == 1
        assert certifies_nothing(missed_share(0.4, 0.4, 1), GatePolicy(), size)
    assert not certifies_nothing(0.0, GatePolicy(), 1)


def test_the_wrong_class_that_people_name_counts() -> None:
    """Ten classes of which two are taken for one another: it matters which labels are in doubt."""
    counts = np.full((10, 10), 1.0) + np.diag([90.0] * 10)
    counts[3, 5] += 40
    belief = np.full((20, 10), 0.001)
    for label, true, low, high in ((5, 3, 0.2, 0.35), (3, 5, 0.0, 0.03)):
        doubted = belief.copy()
        doubted[:, [label, true]] = [0.79, 0.202]
        assert low < chance_agreement(doubted, np.full(20, label), counts) < high


def test_nobody_voted_nothing_labeled_one_class() -> None:
    """Without anything to go by it is what pure guessing among the classes gives, or less."""
    nothing = np.zeros((0, 3))
    assert 0.0 <= chance_agreement(nothing, np.zeros(0, dtype=int), np.zeros((3, 3))) <= 1 / 3
    assert chance_agreement(np.ones((2, 1)), [0, 0], [[5.0]]) == 0.0
    with pytest.raises(SettingsError, match="confirm is 4, expected 0 to 3"):
        GatePolicy(confirm=4)


def test_a_lead_of_two_confirms() -> None:
    """One vote for it is not enough, unless nobody is left to ask."""
    votes = [0, 0, 0, 1]
    looks = adjudicate([0, 0, 0], [0, 1, 1, 2], votes, 2, confirms=2)
    assert looks.status.tolist() == [PENDING, AGREES, PENDING]
    stuck = adjudicate([0, 0, 0], [0, 1, 1, 2], votes, 2, confirms=2, stuck=[True] * 3)
    assert stuck.status.tolist() == [AGREES, AGREES, WRONG]


@pytest.mark.parametrize(("confirms", "missed"), [(1, 0.218), (2, 0.048)])
def test_wrong_labels_that_slip_through(confirms: int, missed: float) -> None:
    """Gambler's ruin: the share of wrong labels that people right 82 times in 100 confirm.

    From 0, +1 with .18, -1 with .82: P(reach +c before -3) = (r^3 - r^(3+c)) / (1 - r^(3+c)) less
    from 1, with r = .82/.18 (Feller 1968, An Introduction to Probability Theory, ch. XIV).
    """
    r, n = 0.82 / 0.18, 20_000
    exact = 1 - (r**3 - r ** (3 + confirms)) / (1 - r ** (3 + confirms))
    assert exact == pytest.approx(missed, abs=0.001)
    rng = np.random.default_rng(7)
    items, codes = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    for _ in range(25):
        looks = adjudicate(np.zeros(n, int), items, codes, 2, max_votes=25, confirms=confirms)
        ask = np.flatnonzero((looks.status != AGREES) & (looks.status != WRONG))
        items = np.concatenate([items, ask])
        codes = np.concatenate([codes, (rng.random(ask.size) < 0.82).astype(np.int64)])
    looks = adjudicate(np.zeros(n, int), items, codes, 2, max_votes=25, confirms=confirms)
    assert (looks.status == AGREES).mean() == pytest.approx(exact, abs=0.01)


SIZE, MOST = 300, 7
POLICY = GatePolicy(error=BOUND)
RISK = attempt_risk(1, POLICY.risk)


def _asked(labels: IntArray, said: IntArray, classes: int, confirms: int) -> Adjudication:
    """Ask one person after the other until each label is settled."""
    given = np.full(len(labels), confirms)
    while True:
        items, n = np.nonzero(np.arange(said.shape[1]) < given[:, None])
        votes = said[items, n]
        found = adjudicate(labels, items, votes, classes, max_votes=MOST, confirms=confirms)
        if not found.needed.any():
            return found
        given += found.needed


def _false(
    errs: float,
    classes: int,
    confirms: int,
    runs: int,
    *,
    wrong: int = tolerated_errors(BOUND, SIZE) + 4,
    bound: float = BOUND,
    risk: float = RISK,
    missed: float | None = None,
) -> float:
    """Give the share of sets, so many wrong, that are certified wrongly.

    People err independently, each mistake as often as any other. Unless told, what is `missed` is
    what the gate allows for.
    """
    rng, false, allowed = np.random.default_rng(3), 0, tolerated_errors(bound, SIZE)
    if missed is None:
        missed = missed_share(errs / (classes - 1), errs, confirms)
    for _ in range(runs):
        truth = rng.integers(classes, size=SIZE)
        labels, bad = truth.copy(), rng.permutation(SIZE)[:wrong]
        labels[bad] = (truth[bad] + rng.integers(1, classes, bad.size)) % classes
        slips = rng.integers(1, classes, (SIZE, MOST))
        slips[rng.random(slips.shape) >= errs] = 0
        found = _asked(labels, (truth[:, None] + slips) % classes, classes, confirms)
        order = rng.permutation(SIZE)
        hit = (found.status == WRONG)[order]
        mended = hit & (found.consensus >= 0)[order]
        n = first_pass(hit, mended, risk, bound=bound, missed=missed)
        if n <= SIZE:
            seen = order[:n][mended[:n]]
            labels[seen] = found.consensus[seen]
            false += int((labels != truth).sum()) > allowed
    return false / runs


def _limit(runs: int) -> float:
    return RISK + 3 * float(np.sqrt(RISK * (1 - RISK) / runs))


def _counted(errs: float, classes: int, confirms: int = 1) -> float:
    """Give what the gate allows for, having estimated so many errors from very many votes."""
    many: FloatArray = 1e7 * np.eye(classes) * (1 - errs)
    return missed_share(upper_chance(errs / (classes - 1), many), errs, confirms)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [17, 45])
@pytest.mark.parametrize(("errs", "classes"), [(0.1, 2), (0.2, 2), (0.3, 4)])
def test_one_vote_confirms_whatever_people_miss(errs: float, classes: int, wrong: int) -> None:
    """Counted as it is, the promise holds by itself; what is taken for sure breaks it."""
    runs = 800
    exact = missed_share(errs / (classes - 1), errs, 1)
    assert _false(errs, classes, 1, runs, wrong=wrong, missed=exact) <= _limit(runs)
    if wrong == 45 and classes == 2:
        assert _false(errs, classes, 1, runs, wrong=wrong, missed=0.0) > _limit(runs)


@pytest.mark.slow
@pytest.mark.parametrize("errs", [0.14, 0.2])
def test_twice_the_chance_is_allowed_for(errs: float) -> None:
    """Where people err twice as often as was estimated, hardly more sets pass wrongly.

    By the estimate itself more would.
    """
    runs, taken = 800, missed_share(errs / 2, errs / 2, 1)
    for wrong in (17, 45):
        missed = _counted(errs / 2, 2)
        assert _false(errs, 2, 1, runs, wrong=wrong, missed=missed) <= _limit(runs)
    assert _false(errs, 2, 1, runs, wrong=45, missed=taken) > _limit(runs)


@pytest.mark.slow
@pytest.mark.parametrize(("bound", "wrong"), [(0.01, 18), (0.02, 8), (0.02, 24)])
def test_what_one_vote_misses_is_allowed_for(bound: float, wrong: int) -> None:
    """At the largest chance, in small sets and very bad ones; not allowed for, these pass."""
    runs = 1500
    assert _false(0.05, 2, 1, runs, wrong=wrong, bound=bound) <= _limit(runs)
    if wrong > 8:
        assert _false(0.05, 2, 1, runs, wrong=wrong, bound=bound, missed=0.0) > _limit(runs)
    else:
        assert _false(0.05, 2, 1, runs, wrong=wrong, bound=bound, risk=2 * RISK) > _limit(runs)


@pytest.mark.parametrize(("errs", "classes", "confirms"), [(0.05, 2, 1), (0.15, 4, 1), (0.2, 2, 2)])
def test_so_many_wrong_labels_are_missed(errs: float, classes: int, confirms: int) -> None:
    """What is counted is what auditors do."""
    rng, size, most = np.random.default_rng(5), 20_000, 7
    slips = rng.integers(1, classes, (size, most))
    slips[rng.random(slips.shape) >= errs] = 0
    found = _asked(np.ones(size, dtype=np.int64), slips, classes, confirms)
    share = float((found.status == AGREES).mean())
    expected = missed_share(errs / (classes - 1), errs, confirms, max_votes=most)
    assert share == pytest.approx(expected, rel=0.1)


def test_an_estimate_of_few_mistakes_is_taken_higher() -> None:
    """By one standard error, the less the more mistakes were counted."""
    few, many = ([[n * 0.95, n * 0.05], [n * 0.05, n * 0.95]] for n in (30, 3000))
    assert upper_chance(0.05, few) == pytest.approx(0.075)
    assert upper_chance(0.05, many) == pytest.approx(0.05 * (1 + 301**-0.5))
    assert missed_share(1.0, 1.0, 1) < 1


def test_a_high_estimate_is_taken_higher() -> None:
    """Above .05 by what it is above: beside that, many mistakes change nothing."""
    for n in (3e4, 3e6):
        many = [[n, n / 10], [n / 10, n]]
        assert upper_chance(0.1, many) == pytest.approx(0.15)
    assert upper_chance(0.9, [[1.0, 9.0], [9.0, 1.0]]) == 1.0


def test_a_setting_goes_before_the_estimate() -> None:
    """Who says how many votes confirm has no more allowed for than at a chance of .05."""
    people = [[60.0, 40.0], [40.0, 60.0]]
    assert allowed_chance(0.4, people, GatePolicy(confirm=1)) == 0.05
    assert allowed_chance(0.03, people, GatePolicy(confirm=1)) < 0.04
    assert allowed_chance(0.4, people, GatePolicy()) == upper_chance(0.4, people) == 0.75


def test_later_attempts_ask_for_more() -> None:
    """Of 40 labels, none of which may be wrong, what one attempt bears the next does not."""
    policy, people = GatePolicy(error=0.02), [[9990.0, 10.0], [10.0, 9990.0]]
    assert [certifies_nothing(0.02, policy, 40, attempt) for attempt in (1, 2)] == [False, True]
    leads = [choose_confirm(0.01, people, policy, 40, attempt=n) for n in (1, 2, 3)]
    assert leads == sorted(leads) and leads[0] == 1 < leads[-1]


@pytest.mark.parametrize(
    ("chance", "errors", "confirm", "may"),
    [
        # 1 - (1 - c)^2 is .05 at .02532.
        (0.0253, 0.05, 0, True),
        (0.0254, 0.05, 0, False),
        # One and the same mistake: a tenth of the bound, .002.
        (0.02, 0.099, 0, True),
        (0.02, 0.101, 0, False),
        (0.02, 0.05, 1, True),
        (0.02, 0.05, 2, False),
    ],
)
def test_where_ties_stand(chance: float, errors: float, confirm: int, may: bool) -> None:
    """Each condition by itself, on both sides of where it turns."""
    assert may_tie(chance, errors, GatePolicy(error=0.02, confirm=confirm)) is may


def test_what_slips_through_by_hand() -> None:
    """Within three votes by a lead of one as +, 0+, 00+ or -++, each path by itself.

    A vote names the wrong label (+), the right one (-) or a third class (0). A tie lets through
    what either of two names.
    """
    c, e = 0.1, 0.3
    against, third = 1 - e, e - c
    paths = c + third * c + third**2 * c + against * c * c
    assert missed_share(c, e, 1, max_votes=3) == pytest.approx(paths)
    assert missed_share(c, e, 2, max_votes=2) == pytest.approx(c**2)
    assert missed_share(c, e, 3, max_votes=2) == 0.0
    assert missed_share(c, e, 1, ties=True, max_votes=1) == pytest.approx(1 - (1 - c) ** 2)
    assert missed_share(c, e, 1, max_votes=1) == pytest.approx(c)


def test_it_takes_seven_votes_by_default() -> None:
    """As many as are asked at most."""
    for confirms in (1, 2):
        seven = missed_share(0.2, 0.4, confirms, max_votes=7)
        assert missed_share(0.2, 0.4, confirms) == seven
        assert missed_share(0.2, 0.4, confirms, max_votes=8) > seven
