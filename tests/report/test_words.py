"""The verdict in plain words."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.errors import percent
from labelops.gate.candidate import attempt_risk
from labelops.gate.certificate import certify
from labelops.gate.progress import AuditProgress
from labelops.gate.verdict import CheckResult, Verdict
from labelops.report import ReportFacts, render
from labelops.report.words import count, statement, visible

from .conftest import certificate


def test_a_pass_says_what_was_certified(facts: ReportFacts) -> None:
    """Bound, number of labels and confidence in one sentence; nothing is missing."""
    said = statement(facts)
    assert said.headline == "At most 2 % of these 1,797 labels are wrong, with 95 % confidence."
    assert "210 labels, drawn at random, all with the same chance" in said.meaning[0]
    assert "none of them wrong" in said.meaning[0]
    assert said.missing == ()


def test_inconclusive_says_how_much_is_missing(facts: ReportFacts) -> None:
    """The number of further clean audits is named, and that this is no pass."""
    found = certificate(1, 120)
    verdict = Verdict((CheckResult("certified error", "inconclusive", found.reason),))
    said = statement(dataclasses.replace(facts, certificate=found, verdict=verdict))
    assert "no pass: of 120 labels looked at, 1 was wrong" in said.headline
    assert f"{found.needed} more labels" in said.meaning[1]
    assert said.missing == (f"certified error: {found.reason}",)


@pytest.mark.parametrize(
    ("status", "words"),
    [("pass", "Nothing speaks against"), ("inconclusive", "labels look wrong and wait")],
)
def test_what_speaks_against_the_labels_is_not_denied(
    facts: ReportFacts, status: str, words: str
) -> None:
    """Nothing does only where no label was found wrong and none waits for a review."""
    checks = (CheckResult("certified error", "inconclusive", ""),)
    checks = (*checks, CheckResult("open findings", status, ""))
    for found in (None, certificate(0, 20)):
        early = dataclasses.replace(facts, certificate=found, verdict=Verdict(checks))
        assert words in statement(early).headline


def test_votes_are_saved_only_once_all_is_decided(facts: ReportFacts) -> None:
    """Of a set that has just been begun nobody says that most votes were saved."""
    verdict = Verdict((CheckResult("certified error", "inconclusive", ""),))
    counts = dataclasses.replace(facts.counts, undecided=300)
    begun = dataclasses.replace(facts, counts=counts, verdict=verdict)
    assert "votes saved" not in render(begun)
    assert "votes saved" in render(dataclasses.replace(facts, verdict=verdict))
    assert "votes saved" in render(dataclasses.replace(facts, counts=counts))


def test_looks_answered_behind_an_open_one_are_not_missing(facts: ReportFacts) -> None:
    """Of looks that are answered already the report does not say that people have to look."""
    found, held = certificate(0, 4), AuditProgress(107, 0, 1, 1, to_come=1, votes=2)
    verdict = Verdict((CheckResult("certified error", "inconclusive", ""),))
    said = statement(
        dataclasses.replace(facts, certificate=found, verdict=verdict, progress=held)
    ).meaning[1]
    assert "1 more label has to be looked at" in said
    assert said.endswith(" 107 later looks are answered and wait for 1 disputed look before them.")


@pytest.mark.parametrize(
    ("corrected", "words"),
    [
        (0, "found 2 of them wrong."),
        (1, "found 2 of them wrong, 1 of which was corrected."),
        (2, "found 2 of them wrong, all of which were corrected."),
    ],
)
def test_corrections_are_said(facts: ReportFacts, corrected: int, words: str) -> None:
    """What was found and what was corrected stand side by side; the shares are of what is left."""
    found = certify(np.arange(400) < 2, 0.02, 0.05, 1797, corrected)
    said = statement(dataclasses.replace(facts, certificate=found))
    assert said.meaning[0].endswith(words)
    now = " now" if corrected else ""
    assert said.exact.startswith(f"The true share of wrong labels{now} lies between")


def test_what_looks_miss_is_said(facts: ReportFacts) -> None:
    """How many wrong labels may have looked right stands beside what was found."""
    assert "allowed for" not in statement(facts).exact
    found = certify(np.zeros(400, dtype=bool), 0.02, 0.05, 1797, missed=0.042)
    said = statement(dataclasses.replace(facts, certificate=found)).exact
    assert "one wrong label in 24 looks right to them; that is allowed for" in said


def test_looks_that_miss_too_much_are_said(facts: ReportFacts) -> None:
    """Not that labels have to be mended, where no error was found: more people are needed."""
    found = certify(np.zeros(40, dtype=bool), 0.02, 0.04, 40, missed=0.05)
    said = " ".join(statement(dataclasses.replace(facts, certificate=found)).meaning)
    assert "even at all of them: more people have to confirm each label." in said
    assert "mended" not in said


def test_another_confidence_than_asked_for_is_explained(facts: ReportFacts) -> None:
    """An attempt's share of the risk makes it surer than the settings ask for: that is said."""
    assert "attempts" not in statement(facts).exact
    same = dataclasses.replace(facts, confidence=0.95)
    assert "attempts" not in statement(same).exact
    found = certify(np.zeros(400, dtype=bool), 0.02, 0.04)
    said = statement(dataclasses.replace(same, certificate=found)).exact
    assert "ask for 95 % confidence over all attempts" in said and "hence 96 % confidence." in said


@pytest.mark.parametrize(
    ("attempt", "confidence", "sure", "chance"),
    [
        (1, 0.95, "96 % confidence", "4 of 100"),
        (1, 0.97, "97.6 % confidence", "3 of 100"),  # 2.4
        (2, 0.95, "99.2 % confidence", "80 of 10,000"),
        (4, 0.95, "99.968 % confidence", "4 of 10,000"),  # 3.2
        (6, 0.95, "99.9987 % confidence", "1 of 10,000"),  # 0.128
        (9, 0.95, "risk 1e-07", "1 of 10,000"),
    ],
)
@pytest.mark.slow
def test_late_attempts_are_not_said_to_be_certain(
    facts: ReportFacts, attempt: int, confidence: float, sure: str, chance: str
) -> None:
    """No confidence reads 100 %, and the chance to be let through wrongly is never rounded down."""
    found = certify(np.zeros(1700, dtype=bool), 0.02, attempt_risk(attempt, 1 - confidence), 5000)
    case = dataclasses.replace(facts, confidence=confidence, certificate=found)
    said = statement(case)
    assert f"each at {sure}." in said.exact and f"hence {sure}." in said.exact
    assert f"in at most {chance} cases." in said.meaning[1]
    assert found.reason.endswith(f"at {sure}")


@pytest.mark.parametrize(("risk", "words"), [(0.04, "95 %"), (0.1, "90 %")])
def test_the_headline_promises_what_holds_over_all_attempts(
    facts: ReportFacts, risk: float, words: str
) -> None:
    """What the settings ask for, never more than the certificate has."""
    found = certify(np.zeros(400, dtype=bool), 0.02, risk)
    said = statement(dataclasses.replace(facts, confidence=0.95, certificate=found))
    assert said.headline.endswith(f"with {words} confidence.")


def test_a_failed_check_beats_a_good_certificate(facts: ReportFacts) -> None:
    """Rights that forbid the use: not to be used, whatever the audit says."""
    verdict = Verdict((*facts.verdict.checks[:1], CheckResult("rights", "fail", "3 items")))
    said = statement(dataclasses.replace(facts, verdict=verdict))
    assert said.headline == "These labels did not pass and should not be used for training."
    assert said.missing == ("rights: 3 items",)


def test_a_failed_audit_says_mend(facts: ReportFacts) -> None:
    """An audit that speaks against the bound asks for mending, not for more audits."""
    found = certificate(14, 200)
    said = statement(
        dataclasses.replace(
            facts, certificate=found, verdict=Verdict((CheckResult("e", "fail", "bad"),))
        )
    )
    assert "14 of them wrong" in said.meaning[0]
    assert "mended" in said.meaning[1]


def test_without_an_audit_nothing_is_claimed(facts: ReportFacts) -> None:
    """No audit: no share of wrong labels is claimed, even if every check passed."""
    said = statement(dataclasses.replace(facts, certificate=None))
    assert "not audited" in said.headline
    assert "nothing is known" in said.meaning[0]
    assert said.exact == ""


def test_nothing_checked_is_a_failure(facts: ReportFacts) -> None:
    """A verdict without checks reads as failed."""
    assert statement(dataclasses.replace(facts, verdict=Verdict(()))).status == "fail"


def test_released_labels_are_not_called_inconclusive(facts: ReportFacts) -> None:
    """Released as they stand: no audit is missing, and only a check that fails now is news."""
    checks = (
        CheckResult("certified error", "inconclusive", "nothing is frozen"),
        CheckResult("rights", "fail", "3 items"),
    )
    for broken in (1, 0):
        verdict = Verdict(checks[: 1 + broken])
        now = dataclasses.replace(
            facts, certificate=None, verdict=verdict, released_as="pets@1.0.0"
        )
        said = statement(now)
        assert said.status == "released" and "pets@1.0.0" in said.headline
        assert said.missing == (("rights: 3 items",) if broken else ())
        page = render(now)
        assert ">Released<" in page and "Inconclusive" not in page
        assert "nothing is frozen" not in page


@given(st.text())
def test_visible_text_hides_nothing(text: str) -> None:
    """What comes out encodes and holds no control, zero-width or direction character."""
    shown = visible(text)
    assert all(c in "\n\t" or c.isprintable() or c.isspace() for c in shown)
    shown.encode()


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\u2066", "\ufeff", "\ud800", "\x00"])
def test_hidden_characters_are_named(hidden: str) -> None:
    """Direction, zero-width, surrogate and control characters are shown by their code."""
    assert visible(f"a{hidden}b") == f"a⟨U+{ord(hidden):04X}⟩b"


def test_visible_leaves_ordinary_text() -> None:
    """Letters of any script, emoji, line feeds and no-break spaces stay."""
    text = "Grüße, مرحبا 你好\n\t3\u00a0€ 🙂"
    assert visible(text) == text


def test_bounds_are_never_rounded_down(facts: ReportFacts) -> None:
    """A bound of 2.04 % reads "at most 2.1 %": rounding must not claim more than was shown."""
    found = dataclasses.replace(facts.certificate, bound=0.0204)
    assert "At most 2.1 %" in statement(dataclasses.replace(facts, certificate=found)).headline


def test_missing_numbers_are_dashes() -> None:
    """A number that is absent is never shown as 0."""
    assert (percent(None), percent(float("nan")), count(None)) == ("–", "–", "–")
