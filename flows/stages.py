"""The stages of the journey, each with the summary of what it did: one object of plain values.

A summary holds numbers and short texts, without the contents of items. A stage may be run again
at any time, since it never says twice what was said before. Nothing here knows Prefect.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias, TypeVar

from click import unstyle

from labelops.app import App
from labelops.cli.said import said_not_done
from labelops.cli.stages import SAID
from labelops.errors import GateNotPassed, LabelopsError, NotFoundError
from labelops.parts import Parts

__all__ = ["STAGES", "Summary", "Tell", "carried_out", "run_stages", "tell_nobody"]

Found = TypeVar("Found")
Summary: TypeAlias = dict[str, Any]
"""What a stage did, ready for JSON."""


Tell: TypeAlias = Callable[[str], None]
"""Is handed, of each stage, what `labelops run` would print of it."""


def tell_nobody(_: str) -> None:
    """Say nothing."""


def _said(step: str, found: Found, tell: Tell) -> Found:
    """Hand on what was found, once it has been told in plain text."""
    tell(unstyle(SAID[step](found)))
    return found


def _ingest(app: App, tell: Tell) -> Summary:
    parts = Parts()
    done = app.ingest(parts=parts)
    if done or not parts.errors:
        _said("ingest", done, tell)
    parts.raise_first()
    return {name: _numbers(found) for name, found in done.items()}


def _numbers(found: Any) -> Summary:
    """Return a result's fields but for its frame of rows, and texts that quote from them."""
    names = [f.name for f in dataclasses.fields(found) if f.name not in ("new", "why", "bad")]
    return {name: getattr(found, name) for name in names}


def _autolabel(app: App, tell: Tell) -> Summary:
    return dataclasses.asdict(_said("autolabel", app.autolabel(going_on=True), tell))


def _route(app: App, tell: Tell) -> Summary:
    parts = Parts()
    found = _said("route", app.route(parts), tell)
    parts.raise_first()
    return dataclasses.asdict(found)


def _queue(app: App, tell: Tell) -> Summary:
    parts = Parts()
    sent = _said("send", app.send(parts), tell)
    parts.raise_first()
    return dataclasses.asdict(sent)


def _collect(app: App, tell: Tell) -> Summary:
    parts = Parts()
    found = _said("collect", app.collect(parts), tell)
    parts.raise_first()
    return dataclasses.asdict(found)


def _consolidate(app: App, tell: Tell) -> Summary:
    return dataclasses.asdict(_said("consolidate", app.consolidate(), tell))


def _audit(app: App, tell: Tell) -> Summary:
    return dataclasses.asdict(_said("audit", app.audit(), tell))


def _gate(app: App, tell: Tell) -> Summary:
    found = _said("gate", app.gate(), tell)
    number = None if found.candidate is None else found.candidate.number
    return {
        **found.verdict.to_json(),
        "candidate": number,
        "released_as": found.released_as,
    }


def _release(app: App, tell: Tell) -> Summary:
    """Release what passes the gate; that nothing does yet is an answer, not a failure."""
    try:
        found = _said("release", app.release(), tell)
    except GateNotPassed as error:
        tell(f"Nothing is released: {error}")
        return {"reference": None, "digest": None, "new": False, "reason": str(error)}
    reason = "" if found.new else "nothing changed since this release"
    digest = found.manifest.digest
    return {"reference": found.reference, "digest": digest, "new": found.new, "reason": reason}


def _reuse(app: App, tell: Tell) -> Summary:
    """Write the training frame of the latest release beside labelops.toml, unless it is there."""
    try:
        manifest, folder = app.export_newest()
    except NotFoundError:
        tell("There is no release yet, so there is no training frame.")
        return {"reference": None, "digest": None, "folder": None, "report": None}
    _said("export", {"release": manifest.reference, "folder": str(folder)}, tell)
    return {
        "reference": manifest.reference,
        "digest": manifest.digest,
        "folder": str(folder),
        "report": f"{app.settings.workspace.rstrip('/')}/{manifest.part_name('report.html')}",
    }


STAGES: Mapping[str, Callable[[App, Tell], Summary]] = {
    "ingest": _ingest,
    "autolabel": _autolabel,
    "route": _route,
    "queue": _queue,
    "collect": _collect,
    "consolidate": _consolidate,
    "audit": _audit,
    "gate": _gate,
    "release": _release,
    "reuse": _reuse,
}
"""Every stage of the journey in order: label set → what was done."""


def carried_out(work: Callable[[], Summary], parts: Parts, tell: Tell) -> Summary:
    """Carry out a stage; where that failed for a part only, keep the error and say what it was."""
    try:
        return work()
    except LabelopsError as error:
        parts.keep(error)
        for line in said_not_done(error):
            tell(unstyle(line))
        return {"not_done": str(error)}


def run_stages(app: App, names: Iterable[str], tell: Tell = tell_nobody) -> dict[str, Summary]:
    """Run stages one after the other in this process, without an orchestrator.

    Raises
    ------
    LabelopsError
        What stops a stage, at once; what concerned a part only, when the others are done.
    """
    parts = Parts()
    done = {n: carried_out(partial(STAGES[n], app, tell), parts, tell) for n in names}
    parts.raise_first()
    return done
