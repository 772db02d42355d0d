"""The commands that do something: one a stage, and whole passes over several."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from ..errors import LabelopsError
from ..parts import Parts
from .base import Session, command
from .said import (
    said_audited,
    said_autolabeled,
    said_collected,
    said_consolidated,
    said_gated,
    said_ingested,
    said_not_done,
    said_released,
    said_routed,
    said_sent,
)
from .words import safe

if TYPE_CHECKING:
    from ..app import App

__all__ = ["SAID", "STAGES"]


# --- the commands ------------------------------------------------------------------------


@command("labelops ingest", "labelops ingest --revise --json")
@click.option("--revise", is_flag=True, help="Take another content under a known key as its next.")
def ingest(session: Session, revise: bool) -> None:
    """Take the sources' rows in as items.

    Finds duplicates and leakage groups. Ingesting the same file again adds nothing; another
    content under a known key is refused, unless --revise says it is meant. All is taken or, where
    a row is bad, nothing; `labelops run send` sets bad rows aside and takes all others.
    """
    found = session.begin("ingest: reading the sources").ingest(revise=revise)
    session.show(found, said_ingested(found))


@command("labelops autolabel")
def autolabel(session: Session) -> None:
    """Let rules vote, and the labeler learn and propose labels.

    Trains on the votes so far, proposes for all items, and tries on the random calibration
    sample whether some proposals may stand as labels. Under `[accept] rule = "audited"` those
    stand that the model is sure of, until the release's audit.
    """
    found = session.begin("autolabel: learning and proposing", "labeler", "rules").autolabel()
    session.show(found, said_autolabeled(found))


@command("labelops route")
def route(session: Session) -> None:
    """Plan who should look at what next, within the vote budget."""
    found = session.app.route()
    session.show(found, said_routed(found))


@command("labelops send")
def send(session: Session) -> None:
    """Offer the plan to people. Sending twice offers nothing twice."""
    found = session.begin("send: offering the plan", "queue").send()
    session.show(found, said_sent(found))


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
    session.show(found, said_consolidated(found))


@command("labelops audit")
def audit(session: Session) -> None:
    """Look for wrong labels; suspects go back to people."""
    found = session.begin("audit: looking for wrong labels").audit()
    session.show(found, said_audited(found))


@command("labelops gate", "labelops gate --json || echo 'not yet'")
def gate(session: Session) -> int:
    """Hold the labels against the policy of [gate].

    Freezes the labels as a release candidate when they are ready. Exits 1 unless every check
    passes or the labels are released as they stand: inconclusive is not a pass.
    """
    found = session.begin("gate: checking").gate()
    session.show(found, said_gated(found))
    return 0 if found.verdict.passed or found.released_as is not None else 1


@command("labelops release")
def release(session: Session) -> None:
    """Write the labels that passed the gate as a version.

    Labels that were released as they are stay that release. Exits 1 if the gate does not pass now.
    """
    found = session.begin("release: judging once more and writing").release()
    session.show(found, said_released(found))


# --- whole passes ------------------------------------------------------------------------


def _export_newest(app: App) -> dict[str, str]:
    manifest, folder = app.export_newest()
    return {"release": manifest.reference, "folder": str(folder)}


def _said_exported(found: Mapping[str, str]) -> str:
    return f"The training frame of {safe(found['release'])} is in {safe(found['folder'])}."


_Step = tuple[str, Callable[["App", Parts], Any], Callable[[Any], str]]

_PASSES: dict[str, tuple[_Step, ...]] = {
    "send": (
        ("ingest", lambda app, parts: app.ingest(parts=parts), said_ingested),
        ("autolabel", lambda app, _: app.autolabel(going_on=True), said_autolabeled),
        ("route", lambda app, parts: app.route(parts), said_routed),
        ("send", lambda app, parts: app.send(parts), said_sent),
    ),
    "receive": (
        ("collect", lambda app, parts: app.collect(parts), said_collected),
        ("consolidate", lambda app, _: app.consolidate(), said_consolidated),
        ("audit", lambda app, _: app.audit(), said_audited),
        ("gate", lambda app, _: app.gate(), said_gated),
    ),
    "publish": (
        ("release", lambda app, _: app.release(), said_released),
        ("export", lambda app, _: _export_newest(app), _said_exported),
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

    What concerns a part only (a labeler or an encoder that is away, a rule that fails, a source
    that cannot be read, a bad row or one whose content changed) stops nothing else: `send` goes on
    without it, names it at the end, and exits with its code, 3 or 2.
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
    found, lines, before = dict[str, Any](), list[str](), len(parts.errors)
    try:
        found = work(app, parts)
        # Where every source was refused there is nothing to say but that.
        lines = [said(found)] if found or len(parts.errors) == before else []
    except LabelopsError as error:
        parts.keep(error)
        found = {"not_done": str(error)}
    not_done = [line for error in parts.errors[before:] for line in said_not_done(error)]
    return found, "\n".join([*lines, *not_done])


STAGES = (
    *(ingest, autolabel, route, send, collect, consolidate, audit, gate, release),
    run_pass,
)
