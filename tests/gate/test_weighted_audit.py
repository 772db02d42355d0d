"""The certificate from an audit that draws by doubt: as sure as the even one, always."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.errors import UsageError
from labelops.gate.certificate import certify
from labelops.gate.weighted_audit import certify_weighted
from labelops.measure.codes import BoolArray, FloatArray
from labelops.measure.eprocess import clean_looks_needed, log_wanted, running_maximum
from labelops.measure.finite import tolerated_errors
from labelops.measure.samples import draw_weighted
from labelops.measure.weighted import (
    audit_chances,
    log_e_values_weighted,
    log_e_values_weighted_above,
    weighted_order,
)

BOUND, RISK = 0.02, 0.05
DOUBTS = ("telling", "useless", "adversarial")


def _set(size: int, errors: int, doubt: str, rng: np.random.Generator) -> tuple[BoolArray, ...]:
    """Return which labels are wrong, in draw order, and their chances in that order."""
    wrong = np.zeros(size, dtype=np.bool_)
    wrong[rng.choice(size, errors, replace=False)] = True
    noise = rng.random(size)
    worth = {
        "telling": np.where(wrong, 0.4, 0.1 * noise**8),
        "useless": noise**8,
        "adversarial": np.where(wrong, 0.0, noise),
    }[doubt]
    chances = audit_chances(worth)
    order = weighted_order(rng.random(size), chances)
    return wrong[order], chances[order]


def _first_pass(wrong: BoolArray, chances: FloatArray, bound: float, looks: int) -> int | None:
    """Give the first look at which "more than the bound" is rejected."""
    share = (tolerated_errors(bound, wrong.size) + 1) / wrong.size
    grown = log_e_values_weighted(wrong[:looks], np.arange(looks), chances, share)
    reached = np.flatnonzero(grown >= log_wanted(RISK))
    return int(reached[0]) + 1 if reached.size else None


@pytest.mark.slow
@pytest.mark.parametrize("doubt", DOUBTS)
def test_size_at_every_look(doubt: str) -> None:
    """With one error too many, looking after every audit, ≤ 6.4 % pass, whatever the doubt."""
    rng, runs, size = np.random.default_rng(1), 500, 2000
    worst = tolerated_errors(0.05, size) + 1
    sets = (_set(size, worst, doubt, rng) for _ in range(runs))
    passed = [_first_pass(wrong, odds, 0.05, 1900) is not None for wrong, odds in sets]
    assert np.mean(passed) <= 0.064


def _evenly(wrong: BoolArray, bound: float, size: int) -> int | None:
    """Give the first look at which the e-process of an even draw shows the bound."""
    shown = running_maximum(wrong, bound, size) >= log_wanted(RISK)
    return int(shown.argmax()) + 1 if shown.any() else None


@pytest.mark.slow
def test_the_naive_rules_break() -> None:
    """On the same sets the even certificate, and a Wald interval at every look, pass far more."""
    rng, runs, size = np.random.default_rng(2), 200, 2000
    worst, looks = tolerated_errors(0.05, size) + 1, np.arange(1, 1001)
    even = wald = 0
    for _ in range(runs):
        wrong, odds = _set(size, worst, "adversarial", rng)
        even += _evenly(wrong[:1000], 0.05, size) is not None
        wrong, odds = _set(size, worst, "useless", rng)
        finds = wrong[:1000] / (odds[:1000] * size)
        mean = np.cumsum(finds) / looks
        spread = np.sqrt(np.maximum(np.cumsum(finds**2) / looks - mean**2, 0) / looks)
        wald += bool((mean + 1.645 * spread < 0.05)[30:].any())
    assert even / runs > 0.2
    assert wald / runs > 0.2


def test_a_verdict_takes_one_over_the_risk() -> None:
    """At just less evidence there is none, either way."""
    odds = audit_chances(np.linspace(0, 1, 900))
    clean, bad = np.zeros(120, dtype=bool), np.arange(40) % 4 == 3
    for outcomes, status in ((clean, "pass"), (bad, "fail")):
        share = 19 / 900 if status == "pass" else 18 / 900
        evidence = log_e_values_weighted if status == "pass" else log_e_values_weighted_above
        most = np.exp(evidence(outcomes, np.arange(outcomes.size), odds, share).max())
        assert 3 < most < np.inf
        for risk, expected in ((1.001 / most, status), (0.999 / most, "inconclusive")):
            assert certify_weighted(outcomes, odds, BOUND, risk).status == expected


def test_the_interval_is_what_neither_rejects() -> None:
    """Its ends are the last counts of errors that are not rejected, each at half the risk."""
    odds, wrong = audit_chances(np.linspace(0, 1, 800)), np.arange(100) % 17 == 16
    found = certify_weighted(wrong, odds, BOUND, RISK).anytime
    low, high, wanted = round(found.low * 800), round(found.high * 800), log_wanted(RISK / 2)
    above, below = (
        lambda m, log_e=log_e, one=one: log_e(wrong, np.arange(100), odds, (m + one) / 800)[-1]
        for log_e, one in ((log_e_values_weighted_above, 0), (log_e_values_weighted, 1))
    )
    assert above(low) < wanted <= above(low - 1)
    assert below(high - 1) < wanted <= below(high)


def _passes_wrongly(wrong: BoolArray, odds: FloatArray, missed: float, mended: int) -> bool:
    """Say whether an audit passes while too many are left, though so many of them were corrected.

    `wrong` are those that looks find. What certified at an earlier look still does, so the last
    one before each error tells of all, and the last of all.
    """
    finds = np.flatnonzero(wrong)
    ends = [*finds[:mended], wrong.size]
    return any(
        certify_weighted(wrong[:end], odds, BOUND, 0.04, min(c, finds.size), missed).status
        == "pass"
        for c, end in enumerate(ends)
    )


@pytest.mark.slow
@pytest.mark.parametrize("doubt", ["telling", "useless"])
@pytest.mark.parametrize(
    ("size", "errors", "mended", "missed"),
    [(75, 5, 3, 0.1), (613, 13, 0, 0.1), (75, 6, 4, 0.056), (300, 7, 0, 0.047)],
)
def test_what_looks_miss_keeps_the_size(
    doubt: str, size: int, errors: int, mended: int, missed: float
) -> None:
    """Too many are left, found and corrected, found and not, or missed: 4 % pass, and three sd."""
    rng, runs, passed = np.random.default_rng(8), 300, 0
    for _ in range(runs):
        wrong, odds = _set(size, errors, doubt, rng)
        found = wrong & (rng.random(size) >= missed)
        passed += _passes_wrongly(found, odds, missed, min(mended, int(found.sum())))
    assert passed / runs <= 0.04 + 3 * np.sqrt(0.04 * 0.96 / runs)


def test_what_looks_miss_costs_little() -> None:
    """Of 300 labels one wrong in 20 that is missed costs 7 % of the looks; of 5,000 8 %."""
    for size, most in ((300, 1.07), (5000, 1.09)):
        odds = audit_chances(np.arange(size) % 10 == 0)
        none, some = (
            certify_weighted([], odds, BOUND, 0.04, missed=missed).needed for missed in (0.0, 0.05)
        )
        assert none is not None and some is not None and none < some <= most * none


@pytest.mark.slow
@pytest.mark.parametrize("doubt", DOUBTS)
def test_a_good_set_rarely_fails(doubt: str) -> None:
    """With exactly as many errors as allowed, ≤ 6.4 % of audits of 400 looks ever fail."""
    rng, runs, size = np.random.default_rng(4), 250, 2000
    failed = 0
    for _ in range(runs):
        wrong, odds = _set(size, tolerated_errors(0.05, size), doubt, rng)
        # A fail is taken back by nothing, so the last look tells of all.
        failed += certify_weighted(wrong[:400], odds, 0.05, RISK).status == "fail"
    assert failed / runs <= 0.064


@pytest.mark.slow
def test_telling_doubt_saves_audits_near_the_bound() -> None:
    """At a true error of 1 % telling doubts halve the audits, at 1.5 % quarter them."""
    rng, size = np.random.default_rng(5), 5000
    for errors, factor in ((50, 0.6), (75, 0.4)):
        by_doubt, evenly = [], []
        for _ in range(60):
            wrong, odds = _set(size, errors, "telling", rng)
            by_doubt.append(_first_pass(wrong, odds, BOUND, size) or size)
            evenly.append(_evenly(rng.permutation(wrong), BOUND, size) or size)
        assert np.mean(by_doubt) <= factor * np.mean(evenly)


@pytest.mark.slow
def test_useless_doubt_costs_no_more_than_the_floor() -> None:
    """Useless doubts take at most 1 / 0.7 as many audits as even draws, and a few."""
    rng, size = np.random.default_rng(6), 5000
    by_doubt, evenly = [], []
    for _ in range(60):
        wrong, odds = _set(size, 13, "useless", rng)
        by_doubt.append(_first_pass(wrong, odds, BOUND, size) or size)
        evenly.append(_evenly(rng.permutation(wrong), BOUND, size) or size)
    assert np.mean(by_doubt) <= 1.1 * np.mean(evenly) / 0.7


def _audited(errors: int, seed: int, looks: int, doubt: str = "telling") -> tuple[BoolArray, ...]:
    wrong, odds = _set(1000, errors, doubt, np.random.default_rng(seed))
    return wrong[:looks], odds


@pytest.mark.parametrize("seed", range(3))
def test_needed_audits_are_enough_and_not_too_many(seed: int) -> None:
    """Adding the clean audits it asks for passes; one less does not."""
    wrong, odds = _audited(2, seed, 60)
    found = certify_weighted(wrong, odds, BOUND, RISK)
    assert found.status == "inconclusive" and found.needed
    assert f"{found.needed} more clean audits certify 0.02" in found.reason
    more = np.concatenate([wrong, np.zeros(found.needed, dtype=bool)])
    assert certify_weighted(more, odds, BOUND, RISK).status == "pass"
    assert certify_weighted(more[:-1], odds, BOUND, RISK).needed == 1


@pytest.mark.parametrize(("errors", "status"), [(20, "pass"), (21, "fail")])
def test_whole_set_audited_is_exact(errors: int, status: str) -> None:
    """When every label was audited the verdict is the plain count, whatever the chances."""
    wrong, odds = _audited(errors, 0, 1000, "adversarial")
    found = certify_weighted(wrong, odds, BOUND, RISK)
    assert found.status == status
    assert found.certified == pytest.approx(errors / 1000)
    assert found.anytime.low == found.anytime.high == pytest.approx(errors / 1000)


def test_even_chances_are_nearly_the_even_audit() -> None:
    """With all chances alike it asks for a few looks more than the e-process of even draws."""
    clean = np.zeros(50, dtype=bool)
    by_doubt = certify_weighted(clean, np.full(1000, 0.001), BOUND, RISK).needed
    evenly = clean_looks_needed(0, 50, BOUND, RISK, 1000)
    assert by_doubt is not None and evenly is not None
    assert evenly <= by_doubt <= 1.1 * evenly + 3


def test_proven_worse_fails() -> None:
    """Errors on labels that nobody doubted prove the set bad, and no audit can help."""
    found = certify_weighted([True] * 6, np.full(1000, 0.001), BOUND, RISK)
    assert (found.status, found.needed) == ("fail", None)
    assert found.certified > 0.5 and found.estimate > 0.5


def test_a_find_in_doubt_says_less() -> None:
    """The same finds raise the estimate less where they were likely to be drawn."""
    odds = np.r_[np.full(5, 0.06), np.full(995, 0.7 / 995)]
    likely = certify_weighted([True] * 5 + [False] * 45, odds, BOUND, RISK)
    evenly = certify([True] * 5 + [False] * 45, BOUND, RISK, 1000)
    assert likely.estimate < evenly.estimate / 5
    assert likely.status == "inconclusive"
    assert likely.interval is None, "Clopper–Pearson does not hold of it"


@pytest.mark.slow
@pytest.mark.parametrize("doubt", DOUBTS)
def test_the_interval_covers(doubt: str) -> None:
    """The share lies outside the interval in ≤ 6.4 % of runs, looked at three times each."""
    rng, runs, missed = np.random.default_rng(7), 120, 0
    for _ in range(runs):
        wrong, odds = _set(600, 24, doubt, rng)
        spans = [certify_weighted(wrong[:n], odds, 0.02, RISK).anytime for n in (40, 120, 300)]
        missed += any(not s.low <= 0.04 <= s.high for s in spans)
    assert missed / runs <= 0.064


def test_no_audit_is_inconclusive() -> None:
    """Without an audit nothing is known, and it says how many would do."""
    found = certify_weighted([], np.full(1000, 0.001), BOUND, RISK)
    assert (found.status, found.certified, found.e_value) == ("inconclusive", 1.0, 1.0)
    assert found.needed is not None and found.needed > 132


@pytest.mark.parametrize(("bound", "status"), [(0.0, "inconclusive"), (1.0, "pass")])
def test_nothing_or_everything_tolerated(bound: float, status: str) -> None:
    """At bound 0 all but one label must be seen, at bound 1 none."""
    found = certify_weighted([False] * 10, np.full(100, 0.01), bound, RISK)
    assert found.status == status
    assert found.needed == 0 if bound else 80 <= (found.needed or 0) <= 90


def test_the_draw_is_by_the_key_alone() -> None:
    """The same key, stream and chances give the same order, however the items come."""
    ids, odds = [f"i{n}" for n in range(50)], np.linspace(1, 2, 50)
    one = draw_weighted(b"k", "s", ids, odds)
    two = draw_weighted(b"k", "s", ids[::-1], odds[::-1])
    assert one.ids.tolist() == two.ids.tolist() and one.chances.tolist() == two.chances.tolist()
    assert draw_weighted(b"k", "t", ids, odds).ids.tolist() != one.ids.tolist()
    assert one.first(5).ids.tolist() == one.ids[:5].tolist() and one.first(5).total == 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([False], [0.5, 0.5], 1.2, RISK), "bound is 1.2"),
        (([False], [0.5, 0.5], BOUND, 0.0), "risk is 0.0"),
        (([False], [0.5, 0.0], BOUND, RISK), "above 0"),
        (([], [], BOUND, RISK), "above 0"),
        (([False] * 3, [0.5, 0.5], BOUND, RISK), "3 audited labels in a set of 2"),
        (([None], [0.5, 0.5], BOUND, RISK), "true"),
    ],
)
def test_wrong_use(arguments: tuple[object, ...], message: str) -> None:
    """Impossible shares, chances and outcomes are refused in one line."""
    with pytest.raises(UsageError, match=message):
        certify_weighted(*arguments)  # type: ignore[arg-type]


def test_more_corrected_than_there_are_labels() -> None:
    """Nearly all labels wrong and corrected: whatever is left to find, no share is above one."""
    odds = np.full(50, 0.02)
    found = certify_weighted([True] * 47, odds, 0.1, 0.04, corrected=47, missed=0.05)
    assert found.status == "pass" and found.certified <= 0.1
    assert certify_weighted([True] * 50, odds, 0.1, 0.04, corrected=50).status == "pass"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("missed", [0.05, 0.5, 0.95])
def test_looks_at_all_labels_however_much_they_miss(missed: float) -> None:
    """Where no evidence is enough nothing is certified; else the last look may be certain."""
    odds = audit_chances(np.arange(60) % 10 == 0)
    for outcomes in (np.zeros(60, dtype=bool), np.arange(60) == 3):
        found = certify_weighted(outcomes, odds, 0.05, 0.04, int(outcomes.sum()), missed)
        assert found.status == ("pass" if missed == 0.05 else "fail")
