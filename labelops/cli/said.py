"""What the stages say of what they found, in words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import LabelopsError, counted, shown
from .words import columns, emphasised, safe, short

if TYPE_CHECKING:
    from ..ingest import Ingested
    from ..journey import Audited, Autolabeled, Collected, Consolidated, Gated, Routed
    from ..ports import Sent
    from ..releasing import Released

__all__ = [
    "said_audited",
    "said_autolabeled",
    "said_bad_rows",
    "said_collected",
    "said_consolidated",
    "said_gated",
    "said_ingested",
    "said_not_done",
    "said_released",
    "said_routed",
    "said_sent",
    "said_unknown_left",
    "said_verdict",
]

_SHOWN = 5


def said_ingested(found: Mapping[str, Ingested]) -> str:
    """Return what came in, a row a source, and what stayed out."""
    if not found:
        return "No [source.NAME] is configured: there is nothing to ingest."
    rows = [
        [
            safe(name),
            *(counted(n) for n in (f.added, f.unchanged, f.revised, f.updated)),
            counted(f.duplicates),
            counted(f.groups),
        ]
        for name, f in found.items()
    ]
    head = ["source", "added", "unchanged", "revised", "updated", "duplicates", "leakage groups"]
    left = [
        f"{counted(f.gone, 'item')} of {safe(name)} {'has' if f.gone == 1 else 'have'} no row "
        f"any more and {'stays' if f.gone == 1 else 'stay'} in the label set; "
        "`labelops withdraw` takes items out."
        for name, f in found.items()
        if f.gone
    ]
    bad = [f"{_bad_rows(name, f.bad_rows)}." for name, f in found.items() if f.bad_rows]
    aside = [
        f"{counted(len(f.set_aside), 'row')} of {safe(name)} set aside, such as "
        f"{shown(f.set_aside[0])}: other content than the item had, which stays as it was."
        for name, f in found.items()
        if f.set_aside
    ]
    return "\n".join([columns(rows, head, right=range(1, 7)), *left, *bad, *aside])


def said_bad_rows(source: str, bad: Sequence[str], number: int) -> list[str]:
    """Say which bad rows of a source were set aside, a line each."""
    if not number:
        return []
    more = [f"  … and {counted(number - _SHOWN)} more"] if number > _SHOWN else []
    head = f"{_bad_rows(source, number)}:"
    return [head, *(f"  {safe(line)}" for line in bad[:_SHOWN]), *more]


def _bad_rows(source: str, number: int) -> str:
    again = "it is read again when it is" if number == 1 else "they are read again when"
    return f"{counted(number, 'bad row')} of {safe(source)} set aside; {again} mended"


def said_autolabeled(found: Autolabeled) -> str:
    """Return what rules and the labeler said, and what stands of it."""
    rules = f"Rules gave {counted(found.rule_votes, 'vote')}.\n" if found.rule_votes else ""
    return rules + _said_labeler(found)


def _said_labeler(found: Autolabeled) -> str:
    if found.labeler_version is None:
        have = f" (so far: {counted(found.trained_on)})" if found.trained_on else ""
        return f"Nothing proposed: {safe(found.reason)}{have}."
    lines = [
        f"Labeler {short(found.labeler_version)} learned from "
        f"{counted(found.trained_on, 'item')} and proposed for {counted(found.proposed)} more.",
        f"{counted(found.accepted, 'proposal stands as a label', 'proposals stand as labels')}. "
        f"On accepting more: {safe(found.reason)}.",
        *_said_refused(found.refused),
        *_said_closed(found.closed),
    ]
    return "\n".join(lines)


def _said_refused(refused: Mapping[str, str]) -> list[str]:
    """Say which items a model took no part in, and of one why."""
    if not refused:
        return []
    item, why = next(iter(refused.items()))
    return [
        f"{counted(len(refused), 'item')} refused by the labeler's server, such as {shown(item)}: "
        f"{safe(why)}; without a proposal, people label {'it' if len(refused) == 1 else 'them'}."
    ]


def _said_closed(reasons: Sequence[str]) -> list[str]:
    """Say what was closed; its labels go back to people."""
    return [f"Acceptance closed, {safe(reason)}." for reason in reasons]


def said_routed(found: Routed) -> str:
    """Return who is asked for what."""
    waiting = f"{counted(found.waiting)} asked for earlier are still to come"
    waiting += f".\n{safe(found.awaited)}" if found.awaited else ""
    if found.by_doubt:
        waiting += ".\nWhat to learn from was chosen by doubt alone, not `diverse`"
    if found.unknown_left:
        waiting += f".\n{said_unknown_left(found.unknown_left)[:-1]}"
    if not found.votes:
        return f"Nobody else needs to look at anything now; {waiting}."
    parts = ", ".join(f"{safe(k)} {counted(n)}" for k, n in found.by_purpose.items())
    return f"Round {found.round} asks for {counted(found.votes, 'vote')}: {parts}; {waiting}."


def said_unknown_left(names: Mapping[str, str]) -> str:
    """Say which names under `[route] left` nobody voted under, each with the nearest that is known.

    Examples
    --------
    >>> said_unknown_left({"human:an": "human:ann"})
    '[route] left names human:an, who never voted (perhaps human:ann?).'
    """
    each = [
        f"{safe(who)}, who never voted" + (f" (perhaps {safe(near)}?)" if near else "")
        for who, near in names.items()
    ]
    return f"[route] left names {', '.join(each)}."


def said_sent(found: Sent) -> str:
    """Return what is on offer, and where."""
    where = f"\nPeople label at {safe(found.url)}" if found.url else ""
    return (
        f"{counted(found.offered, 'task')} newly offered, {counted(found.known)} on offer "
        f"before.{where}"
    )


def said_collected(found: Collected) -> str:
    """Return what came in: votes, and answers that give none."""
    said = [counted(found.new - found.skipped - found.deleted, "new vote")]
    said += [counted(found.skipped, "skip")] if found.skipped else []
    said += [counted(found.deleted, "deletion")] if found.deleted else []
    new = " and ".join(filter(None, [", ".join(said[:-1]), said[-1]]))
    known = found.received - found.new - found.rejected
    before = f", {counted(known)} of them known before" if known > 0 else ""
    lines = [
        f"{new} of {counted(found.received, 'answer')} received{before}; "
        f"{counted(found.rejected)} refused."
    ]
    lines += [f"  refused: {safe(reason)}" for reason in found.reasons[:_SHOWN]]
    if len(found.reasons) > _SHOWN:
        lines.append(f"  … and {counted(len(found.reasons) - _SHOWN)} more (--json has all)")
    return "\n".join(lines)


def said_consolidated(found: Consolidated) -> str:
    """Return how many labels there are, and what became of people."""
    lines = [
        f"{counted(found.decided, 'label')} ({counted(found.accepted)} accepted from the model), "
        f"{counted(found.undecided, 'item')} without enough evidence; "
        f"{counted(found.changed)} changed just now.",
        f"Votes were weighed by {safe(found.method).replace('_', ' ')}: {safe(found.reason)}.",
    ]
    if found.corrected:
        lines.append(f"{counted(found.corrected, 'label')} corrected after the random audit.")
    lines += [f"{safe(name)} is flagged: their votes stop counting." for name in found.flagged]
    lines += [f"{safe(name)} was quick and is right: their votes count." for name in found.cleared]
    lines += [
        f"{safe(' and '.join(group))} copy each other: their votes on an item count once."
        for group in found.tied
    ]
    if found.alarm:
        lines.append(f"Drift: {safe(found.alarm)}.")
    lines += _said_closed(found.closed)
    return "\n".join(lines)


def said_audited(found: Audited) -> str:
    """Return what an audit found, or why none is due."""
    if not found.round:
        return f"No audit is due: {safe(found.reason)}."
    return (
        f"Audit {found.round}: {safe(found.reason)}; {counted(found.found)} of "
        f"{counted(found.planted, 'planted error')} found."
    )


def said_verdict(verdict: Mapping[str, Any], about: str) -> str:
    """Return a verdict (as JSON) as a headline and a table of its checks."""
    checks = verdict["checks"]
    rows = [[emphasised(c["status"]), safe(c["name"]), safe(c["message"])] for c in checks]
    status = verdict["status"]
    return f"{emphasised(status, status.upper())}  {safe(about)}\n{columns(rows, indent=2)}"


def said_gated(found: Gated) -> str:
    """Return the verdict, or that the labels are released."""
    if found.released_as is not None:
        status = emphasised("released", "RELEASED")
        return f"{status}  {safe(found.released_as)} has these labels; there is nothing to judge."
    about = (
        "no labels are frozen for a release"
        if found.candidate is None
        else found.candidate.in_words
    )
    return said_verdict(found.verdict.to_json(), about)


def said_released(found: Released) -> str:
    """Return which release there is."""
    what = found.manifest.counts.get("items", "")
    number = counted(what, "label") if isinstance(what, int) else "labels"
    done = "Released" if found.new else "Nothing has changed since"
    return f"{done} {emphasised('released', safe(found.reference))}: {number}."


def said_not_done(error: LabelopsError) -> list[str]:
    """Return what a stage could not do of a part, and what becomes of all else.

    Nothing of rows that were set aside: the stage has counted them, and the pass names them at its
    end.
    """
    if error.of_rows:
        return []
    every = (str(error), *getattr(error, "__notes__", ()))
    goes_on = "All else goes on without it; the next run tries again."
    return ["\n".join([*(f"Not done: {safe(said)}." for said in every), goes_on])]
