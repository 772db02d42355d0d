"""The checks: facts about a candidate against the policy's bounds. None ever fails open."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..errors import counted, percent, shown
from ..measure.agreement import AgreementResult
from ..measure.halving import first_count
from .certificate import Certificate
from .policy import MOST_CONFIRMS, WEIGHTED, GatePolicy
from .progress import AuditProgress
from .verdict import FAIL, INCONCLUSIVE, PASS, CheckResult, Verdict
from .words import clean_audits_certify

__all__ = ["CHECKS", "Facts", "evaluate"]

_MOST_ITEMS = 100_000


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a release candidate.

    Parameters
    ----------
    items : int
        Items in the label set.
    decided : int
        Those with a decided label.
    class_counts : mapping of class name to int
        Labels of each class of the schema, zeros included.
    certificate : Certificate or None
        From the random audit; None before there is a frozen candidate to audit.
    agreement : AgreementResult or None
        Between people on the random overlap; None without any pair of votes.
    forbidden : mapping of item id to str
        Items whose rights forbid the purpose, with the reason.
    open_findings : int
        Suspicions that nobody has reviewed, or that a review upheld without a new label.
    split_groups : mapping of group to str
        Leakage groups on more than one side of a split, with an explanation.
    waiting : str
        What the pipeline still waits for, in words; empty when nothing.
    unaided : int
        Audited labels for which nobody was left who had no part in them.
    confirms : int
        By how many blind votes a label must lead to be confirmed in the audit.
    tied : int
        Audited labels that stand though people disagree, nobody being left to ask.
    lost : int
        Audited labels that count as wrong because only people who left could look at them.
    firsts : bool
        Whether the first votes are audited, as in a team of three.
    before_classes : (int, tuple of str)
        Labels that were audited before a class could be named, and not since; and these classes.
    spent : str
        Why votes that are needed will not come, in words: the budget is spent, or people are too
        few, also for an audit to come. Empty while there are both.
    progress : AuditProgress or None
        How many of the audit's planned looks are answered; None where only the certificate is
        known.
    """

    items: int
    decided: int
    class_counts: Mapping[str, int]
    certificate: Certificate | None
    agreement: AgreementResult | None
    forbidden: Mapping[str, str] = field(default_factory=dict)
    open_findings: int = 0
    split_groups: Mapping[str, str] = field(default_factory=dict)
    waiting: str = ""
    unaided: int = 0
    confirms: int = 1
    tied: int = 0
    lost: int = 0
    firsts: bool = False
    before_classes: tuple[int, tuple[str, ...]] = (0, ())
    spent: str = ""
    progress: AuditProgress | None = None


def _certified_error(facts: Facts, policy: GatePolicy) -> CheckResult:
    name, certificate = "certified error", facts.certificate
    target = f"≤ {percent(policy.error, 4)} at {percent(policy.confidence, 4)} confidence"
    if certificate is None:
        why = "; ".join(filter(None, [facts.waiting or "no candidate is frozen yet", facts.spent]))
        return CheckResult(name, INCONCLUSIVE, f"no audit yet ({why})", None, policy.error)
    drawn = ", drawn by doubt" if certificate.audit == WEIGHTED else ""
    drawn += f", confirmed by a lead of {facts.confirms} votes" if facts.confirms > 1 else ""
    audits = f"{counted(certificate.n, 'blind random audit')}{drawn}"
    wrong = f"{certificate.errors} wrong"
    if certificate.corrected:
        wrong += f", {certificate.corrected} of them corrected,"
    seen = f"{wrong} in {audits}{_unaided(facts)}"
    value = certificate.certified
    if certificate.status == PASS:
        return CheckResult(name, PASS, f"{target}: {seen}", value, policy.error)
    if certificate.overlooked:
        text = f"not shown {target}: {seen}; {_overlooked(facts, certificate)}"
        return CheckResult(name, certificate.status, text, value, policy.error)
    if certificate.status == FAIL:
        return CheckResult(name, FAIL, f"not {target}: {seen}", value, policy.error)
    needed, certify = certificate.needed or 0, clean_audits_certify(certificate.needed or 0)
    if facts.progress is not None:
        needed, certify = facts.progress.to_come, facts.progress.certifies
        seen = "; ".join(filter(None, [seen, facts.progress.held_up]))
    certify = f"{certify} {target}"
    if certificate.needed is None:
        # Errors that stay are in the way: with these, a clean look at all the rest is not enough.
        certify = f"no further audit can certify {target} for these labels as they are"
    cost = facts.progress.cost if facts.progress is not None else ""
    notes = "; ".join(filter(None, [cost, facts.spent]))
    more = f"{seen}; {certify}" + (f" ({notes})" if notes else "")
    return CheckResult(name, INCONCLUSIVE, more, value, policy.error, needed)


def _overlooked(facts: Facts, certificate: Certificate) -> str:
    """Say why looks at all labels certify nothing, and what would."""
    why = f"auditors may take {percent(certificate.missed, 2)} of wrong labels for right, too many "
    why += "here even if they look at all"
    more = facts.confirms + 1
    if more > MOST_CONFIRMS:
        return why
    return f"{why}; confirm = {more} under [gate] lets the next candidate's miss fewer"


def _unaided(facts: Facts) -> str:
    notes = []
    if facts.firsts:
        notes.append("of first votes, by those who looked later, as three people are all there are")
    if facts.unaided:
        notes.append(
            f"for {facts.unaided} of them nobody was left who had no part in the label: spare "
            "votes decided, and a doubt counts as wrong"
        )
    if facts.tied:
        notes.append(
            f"at {facts.tied} of them people disagree and nobody is left to ask: what half of "
            "them name stands"
        )
    if facts.lost:
        count = "counts" if facts.lost == 1 else "count"
        notes.append(
            f"{facts.lost} of them {count} as wrong because only people who left ([route] left) "
            "could settle them"
        )
    looks, classes = facts.before_classes
    if looks:
        names = ", ".join(map(shown, classes))
        they = "it" if looks == 1 else "they"
        notes.append(
            f"{counted(looks, 'label')} looked at before {names} could be named: nobody could say "
            f"then that {they} should be {'that' if len(classes) == 1 else 'one of these'}, so "
            "these looks do not count"
        )
    return f" ({'; '.join(notes)})" if notes else ""


def _agreement(facts: Facts, policy: GatePolicy) -> CheckResult:
    name, found = "agreement", facts.agreement
    ends = None if found is None else found.cautious()
    if found is None or found.alpha is None or ends is None:
        why = (found.reason if found else "") or "no two people labeled the same random item"
        if policy.agreement == -1.0:
            return CheckResult(name, PASS, f"none is asked for ({why})", None, policy.agreement)
        more = f"{why}: more overlap is needed, or agreement = -1 under [gate], which asks for none"
        return CheckResult(name, INCONCLUSIVE, more, None, policy.agreement)
    low, high = ends
    text = f"α = {found.alpha:.3f} [{low:.3f}, {high:.3f}]"
    text += f" on {counted(found.items, 'item')}"
    if low >= policy.agreement:
        return CheckResult(name, PASS, text, found.alpha, policy.agreement)
    if high < policy.agreement:
        return CheckResult(
            name, FAIL, f"{text}, below {policy.agreement:g}", found.alpha, policy.agreement
        )
    more = f"{text}; the interval holds {policy.agreement:g}: more overlap is needed"
    if (found.alpha if found.low is None else found.low) >= policy.agreement:
        needed = _items_needed(found, policy.agreement)
        if needed is not None:
            more = f"{text}: {counted(needed, 'more item', 'more items')} on which votes agree "
            more += f"{'shows' if needed == 1 else 'show'} {policy.agreement:g}"
    return CheckResult(name, INCONCLUSIVE, more, found.alpha, policy.agreement)


def _items_needed(found: AgreementResult, wanted: float) -> int | None:
    """Return how many more items, votes on all of them agreeing, show the agreement."""

    def enough(more: int) -> bool:
        ends = found.cautious(more=more)
        return ends is not None and ends[0] >= wanted

    needed = first_count(enough, 1, _MOST_ITEMS)
    return needed if needed < _MOST_ITEMS else None


def _enough_evidence(facts: Facts, policy: GatePolicy) -> CheckResult:
    name = "enough evidence"
    if facts.items == 0:
        return CheckResult(name, FAIL, "the label set has no items", None, policy.decided)
    share = facts.decided / facts.items
    text = f"{counted(facts.decided)} of {counted(facts.items, 'item')} have a label"
    if share >= policy.decided:
        return CheckResult(name, PASS, text, share, policy.decided)
    need = math.ceil(policy.decided * facts.items) - facts.decided
    status = INCONCLUSIVE if facts.waiting else FAIL
    return CheckResult(
        name,
        status,
        f"{text}; {counted(need, 'more item needs', 'more items need')} evidence to reach "
        f"{percent(policy.decided, 4)}",
        share,
        policy.decided,
    )


def _class_minimum(facts: Facts, policy: GatePolicy) -> CheckResult:
    name = "class minimum"
    rarest = min(facts.class_counts, key=lambda c: facts.class_counts[c])
    count = facts.class_counts[rarest]
    text = f"the rarest class {shown(rarest)} has {counted(count, 'label')}"
    if count >= policy.per_class:
        return CheckResult(name, PASS, text, count, policy.per_class)
    status = INCONCLUSIVE if facts.waiting else FAIL
    return CheckResult(
        name, status, f"{text}, fewer than {policy.per_class}", count, policy.per_class
    )


def _rights(facts: Facts, policy: GatePolicy) -> CheckResult:
    name, count = "rights", len(facts.forbidden)
    if not count:
        return CheckResult(name, PASS, f"every item may be used for {policy.purpose!r}", 0, 0)
    item, reason = next(iter(facts.forbidden.items()))
    text = f"{counted(count, 'item')} may not be used for {policy.purpose!r}, "
    text += f"such as {shown(item)}: {reason}"
    return CheckResult(name, FAIL, text, count, 0)


def _findings(facts: Facts, policy: GatePolicy) -> CheckResult:
    name = "open findings"
    if not facts.items:
        return CheckResult(name, FAIL, "the label set has no items", None, policy.open_findings)
    share = facts.open_findings / facts.items
    text = counted(facts.open_findings, "open suspicion")
    if share <= policy.open_findings:
        return CheckResult(name, PASS, text, share, policy.open_findings)
    status = INCONCLUSIVE if facts.waiting else FAIL
    return CheckResult(
        name, status, f"{text}: review them before release", share, policy.open_findings
    )


def _splits(facts: Facts, policy: GatePolicy) -> CheckResult:
    name, count = "leakage groups", len(facts.split_groups)
    if not count:
        return CheckResult(name, PASS, "no leakage group stands on two sides of a split", 0, 0)
    group, why = next(iter(facts.split_groups.items()))
    text = f"{counted(count, 'leakage group is', 'leakage groups are')} split, "
    text += f"such as {shown(group)}: {why}"
    return CheckResult(name, FAIL, text, count, 0)


Check = Callable[[Facts, GatePolicy], CheckResult]

CHECKS: Mapping[str, Check] = {
    "certified error": _certified_error,
    "agreement": _agreement,
    "enough evidence": _enough_evidence,
    "class minimum": _class_minimum,
    "rights": _rights,
    "open findings": _findings,
    "leakage groups": _splits,
}
"""Every check by name."""


def evaluate(
    facts: Facts, policy: GatePolicy, checks: Mapping[str, Check] | None = None
) -> Verdict:
    """Run every check, whatever the others say; a check that raises has failed.

    Parameters
    ----------
    facts : Facts
    policy : GatePolicy
    checks : mapping of name to check, optional
        `CHECKS` unless given; add your own functions `(facts, policy) -> CheckResult`.

    Examples
    --------
    >>> facts = Facts(2, 2, {"cat": 1, "dog": 1}, None, None)
    >>> [c.name for c in evaluate(facts, GatePolicy()).checks if c.status == "inconclusive"]
    ['certified error', 'agreement']
    """
    chosen = CHECKS if checks is None else checks
    return Verdict(tuple(_guarded(n, check, facts, policy) for n, check in chosen.items()))


def _guarded(name: str, check: Check, facts: Facts, policy: GatePolicy) -> CheckResult:
    try:
        found: object = check(facts, policy)
    except Exception as error:  # noqa: BLE001 - whatever broke a check, the gate stays closed
        return CheckResult(name, FAIL, f"the check itself broke: {type(error).__name__}: {error}")
    if isinstance(found, CheckResult):
        return found
    return CheckResult(name, FAIL, f"the check returned {shown(found)}, expected a CheckResult")
