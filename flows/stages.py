"""The stages of the journey as Prefect tasks: one task a stage, never one an item.

A stage says what it did as a summary: an object of numbers and short texts, without the
contents of items. A task is tried again only after errors that can pass by themselves
(`LabelopsError.retryable`): a stage may be run again at any time, since it never says twice
what was said before.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeAlias

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as RunState
from prefect.client.schemas.objects import TaskRun

from labelops.app import App, open_app
from labelops.errors import GateNotPassed, LabelopsError, NotFoundError
from labelops.release import Manifest
from labelops.reuse import SIDECAR

__all__ = ["DELAYS", "STAGES", "Summary", "app_of", "opened", "run_stages", "tasks"]

Summary: TypeAlias = dict[str, Any]
"""What a stage did, ready for JSON."""

DELAYS = (5.0, 30.0, 120.0)
"""Seconds before each further attempt after a retryable error."""

_OPENED: ContextVar[Mapping[str, App]] = ContextVar("labelops_opened", default={})  # noqa: B039


def app_of(config: str) -> App:
    """Return the label set opened around this call, or open the one of a labelops.toml."""
    found = _OPENED.get().get(_key(config))
    return open_app(config) if found is None else found


def _key(config: str) -> str:
    return str(Path(config).resolve())


@contextmanager
def opened(config: str, app: App | None = None) -> Iterator[App]:
    """Let the flows that run inside share one open label set.

    Parameters
    ----------
    config : str
        Path of its labelops.toml, as the flows get it.
    app : App, optional
        The label set already open; without it, it is opened here, once.
    """
    found = app_of(config) if app is None else app
    token = _OPENED.set({**_OPENED.get(), _key(config): found})
    try:
        yield found
    finally:
        _OPENED.reset(token)


# --- what each stage does, and says it did -----------------------------------------------


def _ingest(app: App) -> Summary:
    return {name: _numbers(found) for name, found in app.ingest().items()}


def _numbers(found: Any) -> Summary:
    """Return a result's fields but for its frame of rows."""
    names = [f.name for f in dataclasses.fields(found) if f.name != "new"]
    return {name: getattr(found, name) for name in names}


def _autolabel(app: App) -> Summary:
    return dataclasses.asdict(app.autolabel())


def _route(app: App) -> Summary:
    return dataclasses.asdict(app.route())


def _queue(app: App) -> Summary:
    return dataclasses.asdict(app.send())


def _collect(app: App) -> Summary:
    return dataclasses.asdict(app.collect())


def _consolidate(app: App) -> Summary:
    return dataclasses.asdict(app.consolidate())


def _audit(app: App) -> Summary:
    return dataclasses.asdict(app.audit())


def _gate(app: App) -> Summary:
    found = app.gate()
    number = None if found.candidate is None else found.candidate.number
    return {
        **found.verdict.to_json(),
        "candidate": number,
        "released_as": found.released_as,
    }


def _release(app: App) -> Summary:
    """Release what passes the gate; that nothing does yet is an answer, not a failure."""
    try:
        found = app.release()
    except GateNotPassed as error:
        return {"reference": None, "digest": None, "new": False, "reason": str(error)}
    reason = "" if found.new else "nothing changed since this release"
    digest = found.manifest.digest
    return {"reference": found.reference, "digest": digest, "new": found.new, "reason": reason}


def _reuse(app: App) -> Summary:
    """Write the training frame of the latest release beside labelops.toml, unless it is there."""
    try:
        manifest = app.manifest()
    except NotFoundError:
        return {"reference": None, "digest": None, "folder": None, "report": None}
    folder = app.settings.root / "exports" / manifest.reference
    if not _holds(folder, manifest):
        app.export(folder, manifest.reference, overwrite=True)
    return {
        "reference": manifest.reference,
        "digest": manifest.digest,
        "folder": str(folder),
        "report": f"{app.settings.workspace.rstrip('/')}/{manifest.part_name('report.html')}",
    }


def _holds(folder: Path, manifest: Manifest) -> bool:
    """Say whether a folder is an export of this release. A folder is a whole export or none."""
    try:
        found = json.loads((folder / SIDECAR).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    return isinstance(found, dict) and found.get("manifest_digest") == manifest.digest


STAGES: Mapping[str, Callable[[App], Summary]] = {
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


def run_stages(app: App, names: Iterable[str]) -> dict[str, Summary]:
    """Run stages one after the other in this process, without an orchestrator."""
    return {name: STAGES[name](app) for name in names}


# --- as tasks ----------------------------------------------------------------------------


def _may_pass_by_itself(task: Task[..., Any], run: TaskRun, state: RunState[Any]) -> bool:
    """Say whether the error that a run failed with is worth another attempt."""
    error = state.data if isinstance(state.data, BaseException) else None
    if error is None:
        error = state.result(raise_on_failure=False)
    return isinstance(error, LabelopsError) and error.retryable


def _task(name: str, work: Callable[[App], Summary]) -> Task[[str], Summary]:
    def stage(config: str) -> Summary:
        return work(app_of(config))

    return Task(
        stage,
        name=name,
        task_run_name=name,
        cache_policy=NO_CACHE,
        retries=len(DELAYS),
        retry_delay_seconds=list(DELAYS),
        retry_jitter_factor=0.5,
        retry_condition_fn=_may_pass_by_itself,
    )


TASKS: Mapping[str, Task[[str], Summary]] = {name: _task(name, w) for name, w in STAGES.items()}


def tasks(config: str, names: Iterable[str]) -> dict[str, Summary]:
    """Run stages one after the other as tasks of the flow around this call."""
    return {name: TASKS[name](config) for name in names}
