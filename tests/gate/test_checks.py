"""Each check against its bound, on both sides of it; none fails open."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labelops.errors import SettingsError
from labelops.gate.certificate import certify
from labelops.gate.checks import CHECKS, Facts, evaluate
from labelops.gate.policy import GatePolicy
from labelops.gate.progress import AuditProgress
from labelops.measure.agreement import AgreementResult, krippendorff_alpha

POLICY = GatePolicy(error=0.02, agreement=0.6, decided=0.9, per_class=5, open_findings=0.01)


def _agreement(low: float, high: float) -> AgreementResult:
    return AgreementResult(alpha=(low + high) / 2, low=low, high=high, items=50, votes=100)


GOOD = Facts(
    items=1000,
    decided=990,
    class_counts={"cat": 500, "dog": 490},
    certificate=certify([False] * 178, 0.02, 0.05),
    agreement=_agreement(0.7, 0.8),
)


def _status(name: str, **changes: Any) -> str:
    """Return a check's status; one that breaks fails, too, and is not what is asked here."""
    verdict = evaluate(replace(GOOD, **changes), POLICY)
    found = next(c for c in verdict.checks if c.name == name)
    assert "the check itself broke" not in found.message
    return found.status


def test_good_facts_pass() -> None:
    """With every bound kept the verdict is a pass of all checks."""
    verdict = evaluate(GOOD, POLICY)
    assert verdict.passed
    assert [c.name for c in verdict.checks] == list(CHECKS)


@pytest.mark.parametrize(("looks", "status"), [(0, "fail"), (40, "fail")])
def test_a_set_of_which_none_may_be_wrong_passes_by_no_looks_that_miss_some(
    looks: int, status: str
) -> None:
    """Of 40 labels all may look right and one be wrong: it says so, and what helps."""
    clean = [False] * looks
    found = certify(clean, 0.02, 0.04, 40, missed=0.05)
    assert (found.status, found.overlooked, found.needed) == (status, True, None)
    assert "looks that may miss so many cannot certify 0.02" in found.reason
    facts = replace(GOOD, certificate=found)
    (check,) = [c for c in evaluate(facts, POLICY).checks if c.name == "certified error"]
    assert check.status == status
    assert (
        f"0 wrong in {looks} blind random audits; auditors may take 5 % of wrong" in check.message
    )
    assert "confirm = 2 under [gate] lets the next candidate's miss fewer" in check.message
    more = evaluate(replace(facts, confirms=2), POLICY).checks[0].message
    assert "confirm = 3 under [gate]" in more
    last = evaluate(replace(facts, confirms=3), POLICY).checks[0].message
    assert "auditors may take" in last and "confirm =" not in last
    good = certify(clean, 0.02, 0.04, 40, missed=0.003)
    assert good.status == ("pass" if looks else "inconclusive") and not good.overlooked
    assert looks or good.needed == 40


def test_many_corrections_of_few_labels_leave_too_many_missed() -> None:
    """Of 75 labels one may be wrong; after six were corrected two may well have been missed."""
    for errors, status in ((4, "pass"), (6, "fail")):
        wrong = [True] * errors + [False] * (75 - errors)
        found = certify(wrong, 0.02, 0.04, 75, corrected=errors, missed=0.05)
        assert (found.status, found.overlooked) == (status, status == "fail")
        assert certify(wrong, 0.02, 0.04, 75, corrected=errors).status == "pass"


def _votes(n: int, split: int, classes: int = 2) -> AgreementResult:
    """Measure two votes each on n items of even classes, which differ on the first few."""
    first = np.arange(n) % classes
    second = np.where(np.arange(n) < split, (first + 1) % classes, first)
    items, codes = np.tile(np.arange(n), 2), np.concatenate([first, second])
    people = np.repeat([0, 1], n)
    return krippendorff_alpha(items, people, codes, classes, rng=np.random.default_rng(0))


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_few_items_show_no_agreement_and_no_disagreement(n: int, classes: int) -> None:
    """On so few items neither that all votes agree nor that one pair differs shows anything."""
    for split in {0, 1, min(n, 2)}:
        assert _status("agreement", agreement=_votes(n, split, classes)) == "inconclusive"


def test_items_that_all_agree_show_the_agreement_from_a_number_on() -> None:
    """The number of items named is the least that passes; votes that differ everywhere fail."""
    found = _votes(4, 0)
    (check,) = [c for c in evaluate(replace(GOOD, agreement=found), POLICY).checks
                if c.name == "agreement"]  # fmt: skip
    more = int(check.message.split(": ")[1].split()[0])
    assert 1 <= more <= 6
    assert _status("agreement", agreement=_votes(4 + more, 0)) == "pass"
    assert _status("agreement", agreement=_votes(4 + more - 1, 0)) == "inconclusive"
    assert _status("agreement", agreement=_votes(20, 20)) == "fail"


@pytest.mark.parametrize("n", [3, 20, 400])
def test_votes_that_all_agree_never_fall_short(n: int) -> None:
    """Even where agreement is to be perfect: no interval excludes it, so more votes may show it."""
    facts = replace(GOOD, agreement=_votes(n, 0))
    assert evaluate(facts, replace(POLICY, agreement=1.0)).checks[1].status != "fail"


@pytest.mark.slow
@pytest.mark.parametrize(("n", "power"), [(20, 0.15), (40, 0.8)])
def test_the_gate_seldom_passes_people_who_agree_less(n: int, power: float) -> None:
    """At a true alpha of .58 few samples pass, and at one of .95 those that are large enough."""
    rng = np.random.default_rng(n)
    for differ, least, most in ((0.21, 0.0, 0.05), (0.025, power, 1.0)):
        passed = 0
        for _ in range(300):
            first = rng.integers(0, 2, n)
            second = np.where(rng.random(n) < differ, 1 - first, first)
            found = krippendorff_alpha(
                np.tile(np.arange(n), 2), np.repeat([0, 1], n), np.concatenate([first, second]),
                2, rng=rng, resamples=200,
            )  # fmt: skip
            passed += _status("agreement", agreement=found) == "pass"
        assert least <= passed / 300 <= most


@pytest.mark.parametrize("split", [5, 20, 95])
def test_usual_samples_have_the_bootstrap_interval(split: int) -> None:
    """With five items of either kind the interval is the bootstrap's, to the last digit."""
    found = _votes(100, split)
    assert found.cautious() == (found.low, found.high)
    small = _votes(10, min(split, 10))
    assert small.cautious() == (small.low, small.high)


def test_agreement_that_is_not_asked_for_need_not_be_known() -> None:
    """Where all votes name one class; any other bound says what would help."""
    facts = replace(GOOD, agreement=_votes(0, 0))
    (open_,) = [c for c in evaluate(facts, POLICY).checks if c.name == "agreement"]
    assert open_.status == "inconclusive" and "overlap" in open_.message
    (none,) = [
        c for c in evaluate(facts, replace(POLICY, agreement=-1)).checks if c.name == "agreement"
    ]
    assert none.status == "pass" and none.message.startswith("none is asked for")


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("certified error", {"certificate": certify([False] * 177, 0.02, 0.05)}, "inconclusive"),
    ("certified error", {"certificate": certify([True] * 60, 0.02, 0.05)}, "fail"),
    ("certified error", {"certificate": None}, "inconclusive"),
    ("agreement", {"agreement": _agreement(0.59, 0.8)}, "inconclusive"),
    ("agreement", {"agreement": _agreement(0.3, 0.59)}, "fail"),
    ("agreement", {"agreement": None}, "inconclusive"),
    ("agreement", {"agreement": AgreementResult(0.9, None, None, 5, 10)}, "inconclusive"),
    ("enough evidence", {"decided": 900}, "pass"),
    ("enough evidence", {"decided": 899}, "fail"),
    ("enough evidence", {"decided": 899, "waiting": "votes"}, "inconclusive"),
    ("enough evidence", {"items": 0, "decided": 0}, "fail"),
    ("enough evidence", {"items": 1, "decided": 1}, "pass"),
    ("class minimum", {"class_counts": {"cat": 985, "dog": 5}}, "pass"),
    ("class minimum", {"class_counts": {"cat": 986, "dog": 4}}, "fail"),
    ("class minimum", {"class_counts": {"cat": 990, "dog": 0}, "waiting": "v"}, "inconclusive"),
    ("rights", {"forbidden": {"i1": "licence forbids training"}}, "fail"),
    ("rights", {"forbidden": {"i1": "expired"}, "waiting": "votes"}, "fail"),
    ("open findings", {"open_findings": 10}, "pass"),
    ("open findings", {"open_findings": 11}, "fail"),
    ("open findings", {"items": 0}, "fail"),
    ("open findings", {"open_findings": 11, "waiting": "reviews"}, "inconclusive"),
    ("leakage groups", {"split_groups": {"g": "train and test"}}, "fail"),
]


@pytest.mark.parametrize(("name", "changes", "expected"), CASES)
def test_check_at_its_bound(name: str, changes: dict[str, Any], expected: str) -> None:
    """One fact changed, one check changes, and the verdict is no pass unless the check is."""
    assert _status(name, **changes) == expected
    assert evaluate(replace(GOOD, **changes), POLICY).passed == (expected == "pass")


@pytest.mark.parametrize(("corrected", "said"), [(0, "1 wrong"), (1, "1 wrong, 1 of them corr")])
def test_what_was_corrected_is_said(corrected: int, said: str) -> None:
    """Beside what was found."""
    found = certify([True] + [False] * 400, 0.02, 0.05, 1000, corrected)
    check = evaluate(replace(GOOD, certificate=found), POLICY).checks[0]
    assert check.status == "pass" and f": {said}" in check.message
    assert ("corrected" in check.message) == bool(corrected)


def test_a_check_that_fails_says_of_what() -> None:
    """Under its own name, with the number and an example."""
    bad = replace(GOOD, forbidden={"i1": "expired"}, split_groups={"g": "in train and test"})
    said = {c.name: (c.status, c.message) for c in evaluate(bad, POLICY).checks}
    assert said["leakage groups"] == (
        "fail", "1 leakage group is split, such as 'g': in train and test"
    )  # fmt: skip
    assert said["rights"] == (
        "fail", "1 item may not be used for 'training', such as 'i1': expired"
    )  # fmt: skip


def test_agreement_at_its_bound_passes() -> None:
    """The lower end has to reach it, and no more."""
    for low, status in ((0.6, "pass"), (0.5999, "inconclusive")):
        assert _status("agreement", agreement=_agreement(low, 0.8)) == status


def test_errors_that_stay_may_be_in_the_way() -> None:
    """Of 99 labels one may be wrong; with one that is and stays, no look that may miss one helps.

    It is not said that so many clean looks certify it.
    """
    found = certify([True] + [False] * 10, 0.02, 0.04, 99, missed=0.05)
    assert (found.status, found.needed, found.overlooked) == ("inconclusive", None, False)
    whole = certify([True] + [False] * 98, 0.02, 0.04, 99, missed=0.05)
    assert whole.status == "fail"
    for progress in (None, AuditProgress(to_come=88, votes=88)):
        facts = replace(GOOD, certificate=found, progress=progress)
        (check,) = [c for c in evaluate(facts, POLICY).checks if c.name == "certified error"]
        assert check.status == "inconclusive"
        assert check.needed == (88 if progress else 0)
        assert check.message == (
            "1 wrong in 11 blind random audits; no further audit can certify ≤ 2 % at 95 % "
            "confidence for these labels as they are"
        )


def test_inconclusive_says_what_is_missing() -> None:
    """After 100 clean audits 78 more are asked for, as the certificate's own example says."""
    verdict = evaluate(replace(GOOD, certificate=certify([False] * 100, 0.02, 0.05)), POLICY)
    check = verdict.checks[0]
    assert check.needed == 78
    assert "78 more clean audits" in check.message


def test_what_is_said_of_evidence_and_findings_adds_up() -> None:
    """The number to reach is named; without items nobody is told to review anything."""
    few = evaluate(replace(GOOD, decided=0, waiting="votes"), POLICY)
    said = {c.name: c.message for c in few.checks}
    assert said["enough evidence"].endswith("900 more items need evidence to reach 90 %")
    none = {c.name: c.message for c in evaluate(Facts(0, 0, {}, None, None), POLICY).checks}
    assert none["open findings"] == none["enough evidence"] == "the label set has no items"


def test_all_checks_are_evaluated() -> None:
    """A failing check does not keep the others from being run."""
    broken = Facts(0, 0, {}, None, None)
    assert len(evaluate(broken, POLICY).checks) == len(CHECKS)
    assert evaluate(broken, POLICY).status == "fail"


def test_a_check_that_breaks_has_failed() -> None:
    """Whatever a check raises, or if it returns no result, the gate stays closed."""

    def breaks(facts: Facts, policy: GatePolicy) -> Any:
        raise RuntimeError("division by cucumber")

    def forgets(facts: Facts, policy: GatePolicy) -> Any:
        return True

    for check, says in ((breaks, "cucumber"), (forgets, "returned True")):
        verdict = evaluate(GOOD, POLICY, {**CHECKS, "own": check})
        assert verdict.status == "fail"
        assert says in verdict.checks[-1].message
        assert len(verdict.checks) == len(CHECKS) + 1


def test_no_checks_is_no_pass() -> None:
    """A policy that turned every check off certifies nothing."""
    assert evaluate(GOOD, POLICY, {}).status == "fail"


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("error", 0.0),
        ("error", 1.0),
        ("audit", "sometimes"),
        ("error", float("nan")),
        ("confidence", 1.0),
        ("agreement", -1.5),
        ("decided", 1.1),
        ("open_findings", float("nan")),
        ("per_class", -1),
    ],
)
def test_bad_policy(name: str, bad: float | str) -> None:
    """A bound out of range is named with its section."""
    with pytest.raises(SettingsError, match=f"gate.{name}"):
        GatePolicy(**{name: bad})  # type: ignore[arg-type]
