"""`labelops status`: where a label set stands, and what happens next."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ..errors import counted, percent, shown
from .base import Session, command
from .said import said_bad_rows, said_unknown_left, said_verdict
from .words import columns, emphasised, safe, section, short

if TYPE_CHECKING:
    from ..state import Refusal, Unasked
    from ..state.drift import DriftWatch
    from ..state.plan import LabelingPlan
    from .standing import Standing

__all__ = ["said_drift", "said_plan", "status"]


_REASONS = 3


def _listed(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{safe(k)} {counted(n)}" for k, n in counts.items())


def _said_standing(found: Standing, workspace: str) -> str:
    decided = found.by_people + found.accepted
    given = sum(found.votes.values())
    rows = [
        ["Items", counted(found.items), _said_groups(found)],
        ["Labels", counted(decided), _said_labels(found)],
        ["Votes", counted(given), _listed(found.votes)],
        ["Waiting", counted(sum(found.waiting.values())), _listed(found.waiting)],
        ["People", counted(found.annotators), _said_absent(found)],
        ["Releases", counted(len(found.releases)), _said_releases(found)],
    ]
    if found.money is not None:
        rows.append(["Money", f"{found.money.spent:,.2f}", found.money.in_words])
    if found.usage:
        rows.append(["Paid", counted(sum(u.answers for u in found.usage)), _said_usage(found)])
    if found.refused:
        rows.append(["Refused", counted(len(found.refused)), _said_refused(found.refused)])
    about = "as the labels stand; none are frozen for a release"
    if found.candidate is not None:
        about = found.candidate.in_words
    elif found.late:
        waits = "is not waited for" if found.late == 1 else "are not waited for"
        about += f"; {counted(found.late, 'later item')} {waits}"
    head = f"{click.style(safe(found.name), bold=True)}: " + (
        f"{safe(found.kind)} of {counted(found.classes, 'class', 'classes')} for "
        f"{'images' if found.media == 'image' else 'texts'}, in {safe(workspace)}"
    )
    if not found.items:
        return f"{head}\n\nNext: {safe(found.next)}."
    parts = [head, columns(rows, right=[1]), said_plan(found.plan)]
    parts += [_said_refusal(*one) for one in sorted(found.refusals.items())]
    if found.unknown_left:
        parts += [f"{emphasised('inconclusive', 'LEFT')}  {said_unknown_left(found.unknown_left)}"]
    parts += [_said_unasked(found.unasked), _said_by_doubt(found.by_doubt)]
    parts += [_said_acceptance(found), said_drift(found.drift)]
    if found.released_as is not None:
        same = f"The labels as they stand are those of {safe(found.released_as)}, which passed."
        parts += [f"{emphasised('released', 'RELEASED')}  {same}"]
    if found.released_as is None or found.verdict["status"] == "fail":
        parts += [said_verdict(found.verdict, about)]
    parts.append(f"Next: {safe(found.next)}.")
    return "\n\n".join(part for part in parts if part)


def said_plan(plan: LabelingPlan) -> str:
    """Return the plan in two lines."""
    return "Plan: " + ";\n      ".join(plan.in_words) + "."


def _said_groups(found: Standing) -> str:
    """Say which items belong together, and how many are out; an item by itself is no group."""
    said = []
    if found.groups:
        said = [f"{counted(found.grouped)} of them in {counted(found.groups, 'leakage group')}"]
    return " · ".join(said + ([f"{counted(found.withdrawn)} withdrawn"] if found.withdrawn else []))


def _said_labels(found: Standing) -> str:
    parts = [f"{counted(found.by_people)} by people"]
    parts.append(f"{counted(found.accepted)} accepted from the model")
    if found.undecided:
        parts.append(f"{counted(found.undecided, 'item')} without")
    if found.to_come:
        parts.append(f"{counted(found.to_come)} of them get one by `labelops run receive`")
    return " · ".join(parts)


def _said_usage(found: Standing) -> str:
    """Say what the labeler's answers have cost, a model and prompt each."""
    parts = []
    for used in found.usage:
        cost = "" if used.cost is None else f", {used.cost:,.4f} spent"
        tokens = f"{counted(used.input_tokens)} + {counted(used.output_tokens)} tokens"
        refused = f", {safe(used.refusals)}" if used.refused else ""
        parts.append(f"answers of {safe(used.model)}: {tokens}{cost}{refused}")
    return " · ".join(parts)


def _said_refused(refused: Mapping[str, str]) -> str:
    """Say why a model refused items: each reason with an item of it, the most frequent first."""
    ranked = Counter(refused.values()).most_common()
    first = {why: item for item, why in reversed(list(refused.items()))}
    said = [
        f"{safe(why)} ({counted(number, 'item')}, such as {shown(first[why])})"
        for why, number in ranked[:_REASONS]
    ]
    if len(ranked) > _REASONS:
        said.append(f"{counted(len(ranked) - _REASONS, 'more reason')} (--json has all)")
    return " · ".join(["by the model, so people label without a proposal", *said])


def _said_refusal(source: str, refusal: Refusal) -> str:
    """Say what was refused of a source: rows of it, or all of it."""
    rows, aside = len(refusal.set_aside), emphasised("inconclusive", "SET ASIDE")
    said = []
    if refusal.bad_rows:
        head, *lines = said_bad_rows(source, refusal.bad, refusal.bad_rows)
        said.append("\n".join([f"{aside}  {head}", *lines]))
    if rows:
        said.append(f"{aside}  {counted(rows, 'row')} of {safe(source)}: {safe(refusal.why)}.")
    elif refusal.why:
        what = emphasised("inconclusive", "NOT READ")
        said.append(f"{what}  The source {safe(source)}: {safe(refusal.why)}.")
    return "\n\n".join(said)


def _said_unasked(unasked: Unasked | None) -> str:
    """Say that the labeler could not be asked, since when, and what follows."""
    if unasked is None:
        return ""
    return (
        f"{emphasised('fail', 'NOT ASKED')}  The labeler could not be asked since "
        f"{unasked.since:%Y-%m-%d %H:%M}: {safe(unasked.reason)}.\n"
        "People label without its new proposals; nothing more of it is accepted until it answers."
    )


def _said_by_doubt(trouble: Unasked | None) -> str:
    """Say that the order `diverse` could not be had, since when, and what it is instead."""
    if trouble is None:
        return ""
    return (
        f"{emphasised('inconclusive', 'BY DOUBT')}  Features could not be had since "
        f"{trouble.since:%Y-%m-%d %H:%M}: {safe(trouble.reason)}.\n"
        "What to learn from is chosen by doubt alone, not `diverse`, until they can be."
    )


def _said_absent(found: Standing) -> str:
    """Say whose votes do not count, and who has left."""
    flagged, left = (", ".join(map(safe, names)) for names in (found.flagged, found.left))
    said = [f"not counting {flagged} (flagged)" if flagged else "", left and f"{left} left"]
    return " · ".join(part for part in said if part)


def _said_releases(found: Standing) -> str:
    if not found.releases:
        return ""
    names = {ref: [a for a, r in found.names.items() if r == ref] for ref in found.releases}
    newest = found.releases[-1]
    rest = [f"{safe(a)} = {safe(r)}" for a, r in found.names.items() if r != newest]
    also = f" ({', '.join(map(safe, names[newest]))})" if names[newest] else ""
    return " · ".join([f"newest {safe(newest)}{also}", *rest])


def _said_acceptance(found: Standing) -> str:
    if found.labeler_version is None:
        return "No labeler has learned yet."
    hypothesis: Any = found.acceptance
    labeler = f"Labeler {short(found.labeler_version)}"
    if hypothesis is None:
        why = f"\n{emphasised('closed', 'CLOSED')}  {safe(found.closed)}" if found.closed else ""
        return f"{labeler} proposes; none of its proposals stand as labels.{why}"
    if hypothesis.audited:
        first = counted(hypothesis.accepted)
        of = f"of {first} when it was taken"
        if found.accepted > hypothesis.accepted:
            # What a release or a candidate has of an earlier version stays under a newer one.
            of = f"{first} by this version when it was taken and the others by earlier ones"
        return (
            f"{labeler} proposes; {counted(found.accepted, 'proposal')} nobody looked at "
            f"{'stands as a label' if found.accepted == 1 else 'stand as labels'} now, {of}: "
            f"{hypothesis.stands_as}."
        )
    whole = "all labels" if hypothesis.rule == "joint" else "them"
    own = "its" if hypothesis.labeler_version == found.labeler_version else "an earlier version's"
    return (
        f"{labeler} proposes; {own} proposals from confidence {hypothesis.threshold:.3f} up stand "
        f"as labels:\n{counted(hypothesis.accepted, 'item')}, by attempt {hypothesis.number} "
        f"(≤ {percent(hypothesis.error)} of {whole} wrong, at risk {hypothesis.risk:.3g})."
        + _said_classes(hypothesis)
    )


_CLASSES = 6
"""Classes shown of a hypothesis; all are under `labelops certificates`."""


def _said_classes(hypothesis: Any) -> str:
    """List the classes of which the calibration items allow for most errors."""
    known = [c for c in hypothesis.by_class if c.n]
    if not known:
        return ""
    worst = sorted(known, key=lambda c: (-c.at_most, c.value))
    rows = [
        [safe(json.loads(c.value)), counted(c.n), counted(c.errors), percent(c.at_most, fixed=True)]
        for c in worst[:_CLASSES]
    ]
    rest = len(known) - len(rows)
    title = "Its calibration items by proposed class" + (", the least sure first" if rest else "")
    more = f"\n  … and {counted(rest)} more: labelops certificates" if rest else ""
    head = ["class", "looked at", "wrong", "at most (95 %)"]
    return f"\n\n{section(title, rows, head, right=range(1, 4))}{more}"


def said_drift(watch: DriftWatch) -> str:
    """Say what the watch over the random stream found; empty before its second look."""
    if watch.alarms:
        last = watch.alarms[-1]
        return (
            f"{emphasised('fail', 'DRIFT')}  {safe(last.reason)}; alarm {last.number}, "
            f"{last.at:%Y-%m-%d %H:%M}. What comes in now is compared with what came since then."
        )
    if watch.looks < 2:
        return ""
    return (
        f"No drift in {counted(watch.looks, 'run')} of {counted(watch.items, 'random item')}: "
        f"evidence {watch.e_value:.3g}, an alarm is given at {watch.wanted:.3g}."
    )


@command("labelops status", "labelops status --json")
def status(session: Session) -> None:
    """Say where the label set stands and what happens next."""
    from ..state import load
    from .standing import standing_of

    app = session.app
    releases = tuple(m.reference for m in app.manifests())
    queue = app.settings.queue
    found = standing_of(load(app.to_read), app.verdict(), releases, queue.type, queue.place)
    # What was read once and is no source any more lacks nothing.
    named = {source.name for source in app.settings.sources}
    found = replace(found, refusals={s: r for s, r in found.refusals.items() if s in named})
    session.show(found, _said_standing(found, app.settings.workspace))
