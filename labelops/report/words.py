"""The verdict in plain words, numbers as people read them, untrusted text made visible."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

from labelops.errors import percent
from labelops.gate.certificate import Certificate
from labelops.gate.policy import WEIGHTED
from labelops.gate.verdict import FAIL, INCONCLUSIVE, PASS
from labelops.gate.words import sure

from .facts import ReportFacts

__all__ = [
    "ASKED",
    "ODD_KINDS",
    "RELEASED",
    "VIEW_NAMES",
    "Statement",
    "count",
    "cut",
    "kind_name",
    "moment",
    "statement",
    "visible",
]

ODD_KINDS = (
    (
        "ambiguous",
        "Items people really disagree on",
        "Not errors: careful people see one class or another. Mend the guideline, or train on "
        "soft labels.",
    ),
    (
        "poison",
        "Labels only the neighbours contradict",
        "The nearest items say another class, models find the labels right. Most of them are: in "
        "sets without a wrong label 1 of 100 digits and 7 to 9 of 100 short texts are listed here. "
        "A careful look is worth it where labels or data come from outside, since labels that a "
        "planted trigger turned are learned by models and found right, too.",
    ),
    (
        "outlier",
        "Outliers",
        "Far from everything else: a broken file, another language, or a rare thing.",
    ),
)
"""Kinds of findings that are only shown: kind, heading, and what it means."""

VIEW_NAMES = {
    "slices": "weak slice",
    "words": "suspicious word",
    "attributes": "attribute",
    "leakage": "leakage between splits",
    "names": "label in the text",
    "clumps": "clump in a class",
}
"""What the views of many items at once are called."""

ASKED = {
    "certified error": "How many labels are wrong at most, by people who look at random ones.",
    "agreement": "Whether people say the same of an item: α is 1 if they always do, 0 if as by "
    "chance; in brackets, its interval.",
    "enough evidence": "How many items have a label with enough evidence behind it.",
    "class minimum": "Whether every class has enough labels.",
    "rights": "Whether the owners of the items allow this use.",
    "open findings": "Labels that look wrong and wait for somebody to review them.",
    "leakage groups": "Whether near-duplicates stay on one side: training, validation or test.",
}
"""What each check of the gate asks."""

RELEASED = "released"
"""The status of labels that are released as they stand: nothing is left to judge."""

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_KEPT = {"\n", "\t"}


@dataclass(frozen=True, slots=True)
class Statement:
    """The verdict in words.

    Attributes
    ----------
    status : str
        pass, inconclusive or fail; released where nothing is left to judge.
    headline : str
        What was decided, in one sentence.
    meaning : tuple of str
        What that means, and what it does not.
    missing : tuple of str
        What stands in the way; empty after a pass.
    exact : str
        The intervals, and what they allow for; empty without an audit.
    """

    status: str
    headline: str
    meaning: tuple[str, ...]
    missing: tuple[str, ...]
    exact: str = ""


def visible(text: str) -> str:
    r"""Show characters that hide or reorder text: controls, zero-width and direction marks.

    Line feeds and tabs stay; the line ends of Windows are line feeds.

    Examples
    --------
    >>> visible("a\u202eb\u200b")
    'a⟨U+202E⟩b⟨U+200B⟩'
    """
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n")
    return "".join(
        f"⟨U+{ord(c):04X}⟩" if c not in _KEPT and unicodedata.category(c) in _HIDDEN else c
        for c in text
    )


def moment(text: str) -> str:
    """Write a time to the minute, in UTC; what is no time stays as it is.

    Examples
    --------
    >>> moment("2026-11-26T15:56:36.820868+01:00"), moment("today")
    ('2026-11-26 14:56 UTC', 'today')
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if time.tzinfo else text


def kind_name(kind: str) -> str:
    """Say a finding's kind in words.

    Examples
    --------
    >>> kind_name("label_error"), kind_name("detector:cleanlab")
    ('label error', 'found by cleanlab')
    """
    named = kind.removeprefix("detector:")
    return kind.replace("_", " ") if named == kind else f"found by {named}"


def cut(text: str, limit: int = 400) -> str:
    """Shorten a text and say how long it was.

    Examples
    --------
    >>> cut("abcdef", 3)
    'abc… (6 characters)'
    """
    return text if len(text) <= limit else f"{text[:limit]}… ({count(len(text))} characters)"


def count(number: float | None) -> str:
    """Write a whole number with thousands apart; a missing one is a dash.

    Examples
    --------
    >>> count(12345), count(None)
    ('12,345', '–')
    """
    return "–" if number is None or not math.isfinite(number) else f"{round(number):,}"


def _at_least(share: float, digits: int = 1) -> str:
    """Write a bound in percent, rounded up: it must stay true."""
    scale = 10.0**digits
    return percent(math.ceil(100 * share * scale - 1e-9) / scale / 100, digits)


def statement(facts: ReportFacts) -> Statement:
    """Say in plain words what was certified, what that means, and what is missing."""
    status, checks = facts.verdict.status, facts.verdict.checks
    if facts.released_as:
        # Its audit is over: only what broke since, such as a right that ran out, is news.
        broken = tuple(f"{c.name}: {c.message}" for c in checks if c.status == FAIL)
        return Statement(RELEASED, *_released(facts.released_as), broken)
    against = tuple(f"{c.name}: {c.message}" for c in checks if c.status != PASS)
    return Statement(status, _headline(facts, status), _meaning(facts), against, _exact(facts))


def _released(reference: str) -> tuple[str, tuple[str, ...]]:
    return (
        f"These labels are released, as they stand, as {reference}.",
        ("What its audit showed is in the report of that release. New items start the next one.",),
    )


def _headline(facts: ReportFacts, status: str) -> str:
    use = f" for {facts.purpose}" if facts.purpose else ""
    if status == INCONCLUSIVE:
        return _undecided_so_far(facts)
    if status == FAIL:
        return f"These labels did not pass and should not be used{use}."
    certificate = facts.certificate
    if certificate is None:
        return f"Every check of the gate passed{use}. The share of wrong labels was not audited."
    # What the settings ask for holds over all attempts together; this attempt alone is surer.
    risk = max(1 - (facts.confidence or 1.0), certificate.risk)
    return (
        f"At most {_at_least(certificate.bound)} of these {count(_labels(facts))} labels are "
        f"wrong, with {sure(risk)}."
    )


def _undecided_so_far(facts: ReportFacts) -> str:
    """Say that it is no pass, and what speaks against the labels so far."""
    certificate, checks = facts.certificate, facts.verdict.checks
    if certificate is not None and certificate.errors:
        wrong = "1 was" if certificate.errors == 1 else f"{count(certificate.errors)} were"
        found = f"of {count(certificate.n)} labels looked at, {wrong} wrong."
    elif any(c.name == "open findings" and c.status != PASS for c in checks):
        found = "some labels look wrong and wait for people."
    else:
        return "Not enough evidence yet. Nothing speaks against these labels, but that is no pass."
    return f"Not enough evidence yet, so this is no pass: {found}"


def _labels(facts: ReportFacts) -> int:
    return facts.counts.by_people + facts.counts.accepted


def _meaning(facts: ReportFacts) -> tuple[str, ...]:
    certificate = facts.certificate
    if certificate is None or certificate.n == 0:
        return ("No random audit was made, so nothing is known of the share of wrong labels.",)
    drawn = "drawn at random, all with the same chance"
    if certificate.audit == WEIGHTED:
        drawn = "drawn at random, those in doubt with a greater chance but counting for less"
    looked = (
        f"People looked at {count(certificate.n)} labels, {drawn}. They were not told "
        f"the label, and found {_wrong(certificate.errors)}{_corrected(certificate)}."
    )
    if certificate.status != PASS:
        return (looked, _not_yet(facts))
    return (
        looked,
        f"Were more than {_at_least(certificate.bound)} wrong, such an audit would let the "
        f"labels through in at most {_chance(certificate.risk)} cases. It says nothing about any "
        "single label, and nothing about other data.",
    )


def _exact(facts: ReportFacts) -> str:
    """Give the numbers behind that, for who wants to check them; empty without an audit."""
    certificate = facts.certificate
    if certificate is None or certificate.n == 0:
        return ""
    return (
        f"{_why_so(facts)}{_allowed(certificate)}{_between(certificate)}"
        f"{_share_of_risk(facts.confidence, certificate)}"
    )


def _why_so(facts: ReportFacts) -> str:
    """Say why the audit was drawn as it was; empty where that is not known."""
    return f"The audit was drawn so because {facts.audit_why}. " if facts.audit_why else ""


def _allowed(certificate: Certificate) -> str:
    """Say how many wrong labels are taken to have looked right; empty where none are."""
    if not certificate.missed:
        return ""
    return (
        f"Judging by their mistakes, one wrong label in {count(round(1 / certificate.missed))} "
        "looks right to them; that is allowed for. "
    )


def _between(certificate: Certificate) -> str:
    """Say where the true share lies, by which interval."""
    whole, own = certificate.anytime, sure(certificate.risk)
    now = " now" if certificate.corrected else ""
    always = f"between {percent(whole.low, 2)} and {_at_least(whole.high)}"
    if certificate.interval is None:
        return (
            f"The true share of wrong labels{now} lies {always}, by an interval that holds at "
            f"all looks at once at {own}."
        )
    low, high = certificate.interval.low, certificate.interval.high
    return (
        f"The true share of wrong labels{now} lies between {percent(low, 2)} and "
        f"{_at_least(high)} by the Clopper–Pearson interval, which is for one look, and {always} "
        f"by one that holds at all looks at once, each at {own}."
    )


def _share_of_risk(confidence: float, certificate: Certificate) -> str:
    """Say why the confidence is another than the settings ask for; empty where it is not."""
    own, asked = sure(certificate.risk), sure(1 - confidence)
    if not confidence or own == asked:
        return ""
    return (
        f" The settings ask for {asked} over all attempts together; this one has only a share of "
        f"that risk, hence {own}."
    )


def _corrected(certificate: Certificate) -> str:
    """Say how many of the errors found are corrected."""
    errors, corrected = certificate.errors, certificate.corrected
    if not corrected:
        return ""
    if corrected < errors:
        return f", {count(corrected)} of which {'was' if corrected == 1 else 'were'} corrected"
    return ", which was corrected" if errors == 1 else ", all of which were corrected"


def _not_yet(facts: ReportFacts) -> str:
    certificate = facts.certificate
    if certificate is None:
        return ""
    wanted = f"at most {_at_least(certificate.bound)} wrong"
    if certificate.overlooked:
        return (
            f"Auditors may miss so many wrong labels that no look shows “{wanted}”, even at all of "
            "them: more people have to confirm each label."
        )
    if certificate.status == FAIL:
        return f"That speaks against “{wanted}”: the labels have to be mended and audited again."
    if certificate.needed is None:
        return f"No number of further audits can show “{wanted}” for these labels as they are."
    needed, held_up = certificate.needed, ""
    if facts.progress is not None:
        needed, held_up = facts.progress.to_come, facts.progress.held_up
    text = f"That is too little to be sure of “{wanted}”: "
    if needed == 1:
        text += "1 more label has to be looked at, if it turns out right; more if not."
    else:
        text += (
            f"{count(needed)} more labels have to be looked at, if they all turn out right; more "
            "for every wrong one."
        )
    return f"{text} {held_up[:1].upper()}{held_up[1:]}." if held_up else text


def _wrong(errors: int) -> str:
    return {0: "none of them wrong", 1: "one of them wrong"}.get(
        errors, f"{count(errors)} of them wrong"
    )


def _chance(risk: float) -> str:
    """Write a chance as so many cases of 100 or of 10,000, rounded up: it must stay true."""
    of = 100 if risk >= 0.01 else 10_000
    return f"{math.ceil(of * risk - 1e-9)} of {of:,}"
