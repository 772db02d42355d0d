"""The commands that do something: one a stage, and whole passes over several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..errors import LabelopsError, counted, shown
from ..parts import Parts
from .base import Session, command
from .words import columns, emphasised, safe, short

if TYPE_CHECKING:
    from ..app import App
    from ..ingest import Ingested
    from ..journey import Audited, Autolabeled, Collected, Consolidated, Gated, Routed
    from ..ports import Sent
    from ..releasing import Released

__all__ = ["SAID", "STAGES", "said_collected", "said_not_done", "said_verdict"]

_SHOWN = 5


# --- what stages say ---------------------------------------------------------------------


def _said_ingested(found: Mapping[str, Ingested]) -> str:
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
        f"any more and {'stays' if f.gone == 1 else 'stay'} in the label set."
        for name, f in found.items()
        if f.gone
    ]
    return "\n".join([columns(rows, head, right=range(1, 7)), *left])


def _said_autolabeled(found: Autolabeled) -> str:
    rules = f"Rules gave {counted(found.rule_votes, 'vote')}.\n" if found.rule_votes else ""
    return rules + _said_labeler(found)


def _said_labeler(found: Autolabeled) -> str:
    if found.labeler_version is None:
        have = f" (so far: {counted(found.trained_on)})" if found.trained_on else ""
        return f"Nothing proposed: {safe(found.reason)}{have}."
    lines = [
        f"Labeler {short(found.labeler_version)} learned from "
        f"{counted(found.trained_on, 'item')} and proposed for {counted(found.proposed)} more.",
        f"{counted(found.accepted)} proposals stand as labels: {safe(found.reason)}.",
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


def _said_routed(found: Routed) -> str:
    waiting = f"{counted(found.waiting)} asked for earlier are still to come"
    waiting += f".\n{safe(found.awaited)}" if found.awaited else ""
    if not found.votes:
        return f"Nobody else needs to look at anything now; {waiting}."
    parts = ", ".join(f"{safe(k)} {counted(n)}" for k, n in found.by_purpose.items())
    return f"Round {found.round} asks for {counted(found.votes, 'vote')}: {parts}; {waiting}."


def _said_sent(found: Sent) -> str:
    where = f"\nPeople label at {safe(found.url)}" if found.url else ""
    return (
        f"{counted(found.offered, 'look')} newly offered, {counted(found.known)} on offer "
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


def _said_consolidated(found: Consolidated) -> str:
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


def _said_audited(found: Audited) -> str:
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


def _said_gated(found: Gated) -> str:
    if found.released_as is not None:
        status = emphasised("released", "RELEASED")
        return f"{status}  {safe(found.released_as)} has these labels; there is nothing to judge."
    about = (
        "no labels are frozen for a release"
        if found.candidate is None
        else f"candidate {found.candidate.number}: {counted(found.candidate.items, 'label')}"
    )
    return said_verdict(found.verdict.to_json(), about)


def _said_released(found: Released) -> str:
    what = found.manifest.counts.get("items", "")
    number = counted(what, "label") if isinstance(what, int) else "labels"
    done = "Released" if found.new else "Nothing has changed since"
    return f"{done} {emphasised('released', safe(found.reference))}: {number}."


def said_not_done(error: LabelopsError) -> str:
    """Return what a stage could not do of a part, and what becomes of all else."""
    return f"Not done: {safe(str(error))}.\nAll else goes on without it; the next run tries again."


# --- the commands ------------------------------------------------------------------------


@command("labelops ingest", "labelops ingest --revise --json")
@click.option("--revise", is_flag=True, help="Take another content under a known key as its next.")
def ingest(session: Session, revise: bool) -> None:
    """Take the sources' rows in as items.

    Finds duplicates and leakage groups. Ingesting the same file again adds nothing; another
    content under a known key is refused, unless --revise says it is meant.
    """
    found = session.begin("ingest: reading the sources").ingest(revise=revise)
    session.show(found, _said_ingested(found))


@command("labelops autolabel")
def autolabel(session: Session) -> None:
    """Let rules vote, and the labeler learn and propose labels.

    Trains on the votes so far, proposes for all items, and tries on the random calibration
    sample whether some proposals may stand as labels. Under `[accept] rule = "audited"` those
    stand that the model is sure of, until the release's audit.
    """
    found = session.begin("autolabel: learning and proposing", "labeler", "rules").autolabel()
    session.show(found, _said_autolabeled(found))


@command("labelops route")
def route(session: Session) -> None:
    """Plan who should look at what next, within the vote budget."""
    found = session.app.route()
    session.show(found, _said_routed(found))


@command("labelops send")
def send(session: Session) -> None:
    """Offer the plan to people. Sending twice offers nothing twice."""
    found = session.begin("send: offering the plan", "queue").send()
    session.show(found, _said_sent(found))


@command("labelops collect")
def collect(session: Session) -> None:
    """Take people's answers in.

    New, edited, skipped and deleted ones; what is known already is not counted twice.
    """
    found = session.begin("collect: asking the queue", "queue").collect()
    session.show(found, said_collected(found))


@command("labelops consolidate")
def consolidate(session: Session) -> None:
    """Decide labels from the votes, where the evidence is enough."""
    found = session.begin("consolidate: weighing votes").consolidate()
    session.show(found, _said_consolidated(found))


@command("labelops audit")
def audit(session: Session) -> None:
    """Look for wrong labels; suspects go back to people."""
    found = session.begin("audit: looking for wrong labels").audit()
    session.show(found, _said_audited(found))


@command("labelops gate", "labelops gate --json || echo 'not yet'")
def gate(session: Session) -> int:
    """Hold the labels against the policy of [gate].

    Freezes the labels as a release candidate when they are ready. Exits 1 unless every check
    passes or the labels are released as they stand: inconclusive is not a pass.
    """
    found = session.begin("gate: checking").gate()
    session.show(found, _said_gated(found))
    return 0 if found.verdict.passed or found.released_as is not None else 1


@command("labelops release")
def release(session: Session) -> None:
    """Write the labels that passed the gate as a version.

    Labels that were released as they are stay that release. Exits 1 if the gate does not pass now.
    """
    found = session.begin("release: judging once more and writing").release()
    session.show(found, _said_released(found))


# --- whole passes ------------------------------------------------------------------------


def _export_newest(app: App) -> dict[str, str]:
    manifest, folder = app.export_newest()
    return {"release": manifest.reference, "folder": str(folder)}


def _said_exported(found: Mapping[str, str]) -> str:
    return f"The training frame of {safe(found['release'])} is in {safe(found['folder'])}."


_Step = tuple[str, Callable[["App"], Any], Callable[[Any], str]]

_INGEST: _Step = ("ingest", lambda app: app.ingest(), _said_ingested)
_PASSES: dict[str, tuple[_Step, ...]] = {
    "send": (
        _INGEST,
        ("autolabel", lambda app: app.autolabel(going_on=True), _said_autolabeled),
        ("route", lambda app: app.route(), _said_routed),
        ("send", lambda app: app.send(), _said_sent),
    ),
    "receive": (
        ("collect", lambda app: app.collect(), said_collected),
        ("consolidate", lambda app: app.consolidate(), _said_consolidated),
        ("audit", lambda app: app.audit(), _said_audited),
        ("gate", lambda app: app.gate(), _said_gated),
    ),
    "publish": (
        ("release", lambda app: app.release(), _said_released),
        ("export", lambda app: _export_newest(app), _said_exported),
    ),
}


SAID: Mapping[str, Callable[[Any], str]] = {
    name: said for steps in _PASSES.values() for name, _, said in steps
}
"""What each step of a pass says of what it found: for logs of other programs too."""

_ENDS = {"send": (), "receive": ("workspace", "queue"), "publish": ("workspace",)}
"""What each pass needs; `send` needs everything."""


@command("labelops run send", "labelops run receive -q --json", name="run")
@click.argument("which", type=click.Choice(list(_PASSES)), metavar="send|receive|publish")
def run_pass(session: Session, which: str) -> None:
    """Run a whole pass, as the flows do, without an orchestrator.

    \b
    send     ingest, autolabel, route, send
    receive  collect, consolidate, audit, gate
    publish  release, export (into exports/RELEASE beside labelops.toml)

    Each may be stopped and run again at any time, also beside another of its kind. `receive`
    exits 0 whatever the gate says; `publish` exits 1 if it does not pass.

    What concerns a part only (a labeler that is away, a rule that fails) stops nothing else:
    `send` goes on without it, names it at the end, and exits with its code, 3 or 2.
    """  # noqa: D301 - click keeps the lines of a paragraph that starts with a backspace
    results, parts = dict[str, Any](), Parts()
    session.app.check_ends(*_ENDS[which])
    for step in _PASSES[which]:
        session.note(f"{which}: {step[0]} …")
        results[step[0]], text = _carried_out(session.app, step, parts)
        if not session.as_json:
            text = text.replace("\n", "\n" + " " * 13)
            click.echo(f"{click.style(step[0], bold=True)}{' ' * (13 - len(step[0]))}{text}")
    if session.as_json:
        session.show(results, "")
    parts.raise_first()


def _carried_out(app: App, step: _Step, parts: Parts) -> tuple[Any, str]:
    """Carry out a step of a pass; return what it found, or what was not done, and that in words."""
    _, work, said = step
    try:
        found = work(app)
    except LabelopsError as error:
        parts.keep(error)
        return {"not_done": str(error)}, said_not_done(error)
    return found, said(found)


STAGES = (
    *(ingest, autolabel, route, send, collect, consolidate, audit, gate, release),
    run_pass,
)
