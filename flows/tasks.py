"""The stages as Prefect tasks: one task a stage, never one an item.

A task is tried again only after errors that can pass by themselves (`LabelopsError.retryable`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

from prefect import Task, get_run_logger, runtime
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as RunState
from prefect.client.schemas.objects import TaskRun
from prefect.context import FlowRunContext

from labelops.app import App, open_app
from labelops.errors import EndError, LabelopsError
from labelops.parts import Parts

from .stages import STAGES, Summary, Tell, carried_out, tell_nobody

__all__ = ["DELAYS", "TASKS", "app_of", "opened", "run_name", "tasks"]

DELAYS = (5.0, 30.0, 120.0)
"""Seconds before each further attempt after a retryable error."""

_OPENED: ContextVar[Mapping[str, App]] = ContextVar("labelops_opened", default={})  # noqa: B039


def app_of(config: str) -> App:
    """Return the label set opened around this call, or open the one of a labelops.toml."""
    found = _OPENED.get().get(_key(config))
    return open_app(config, tell=_teller()) if found is None else found


def _teller() -> Tell:
    """Return what writes into the log of the run around this call, from any thread."""
    return get_run_logger().warning if FlowRunContext.get() else tell_nobody


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


def _may_pass_by_itself(task: Task[..., Any], run: TaskRun, state: RunState[Any]) -> bool:
    """Say whether the error that a run failed with is worth another attempt.

    Not that a labeler is away: it was waited for, and all else need not wait again.
    """
    error = state.data if isinstance(state.data, BaseException) else None
    if error is None:
        error = state.result(raise_on_failure=False)
    waited_for = isinstance(error, EndError) and error.of_a_part
    return isinstance(error, LabelopsError) and error.retryable and not waited_for


def run_name() -> str:
    """Name the run of a flow after the flow and the label set: `receive mails`."""
    flow = str(runtime.flow_run.flow_name).removeprefix("labelops-")
    config = Path(runtime.flow_run.parameters["config"]).resolve()
    folder = config.parent if config.suffix == ".toml" else config
    return f"{flow} {runtime.deployment.name or folder.name}"


def _task(name: str, work: Callable[[App, Tell], Summary]) -> Task[[str], Summary]:
    def stage(config: str) -> Summary:
        return work(app_of(config), get_run_logger().info)

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


def tasks(config: str, names: Iterable[str], parts: Parts) -> dict[str, Summary]:
    """Run stages one after the other as tasks of the flow around this call.

    Parameters
    ----------
    config : str
    names : iterable of str
    parts : Parts
        Is handed what concerned a part only: that task has failed, and the others go on. Raised
        by the flow at its end, so that its run has failed, too.
    """
    tell = get_run_logger().warning
    return {n: carried_out(partial(TASKS[n], config), parts, tell) for n in names}
