"""Serve the three flows of a label set on the schedules of its labelops.toml.

Two runs of one label set never start at once from here: one process serves them one at a
time, and the server cancels a run of a deployment that is still running elsewhere. What came
due meanwhile is done once (see `missed`). Should two overlap all the same (somebody runs a flow
by hand), that is harmless: every stage only appends, and what was already said is not said twice.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from prefect import Flow, get_client, serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.schedules import Cron, Interval, Schedule
from prefect.settings import PREFECT_API_URL, PREFECT_RUNNER_POLL_FREQUENCY
from prefect.types.entrypoint import EntrypointType

from labelops.errors import (
    ConflictError,
    EndRefused,
    EndUnavailable,
    LabelopsError,
    SettingsError,
)
from labelops.schedule import check_schedule, check_timezone, no_schedule, seconds_of
from labelops.settings import FILE, ScheduleSettings, Settings, find_settings, read_settings

from .publish import publish
from .receive import receive
from .send import send
from .stages import Summary

__all__ = ["FLOWS", "deployments", "main", "schedule_of"]

FLOWS: Mapping[str, Flow[[str], dict[str, Summary]]] = {
    "send": send,
    "receive": receive,
    "publish": publish,
}
"""The flows of a label set by the name of their schedule."""

_POLLS = 2.5
"""Rounds of asking for work in which a process that serves is heard of."""

_ONE_AT_A_TIME = ConcurrencyLimitConfig(
    limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
)


def schedule_of(text: str, name: str, timezone: str = "UTC") -> Schedule | None:
    """Read a schedule: five cron fields, a number of seconds, or nothing.

    Parameters
    ----------
    text : str
    name : str
        Of the setting, for messages.
    timezone : str
        Of a cron expression.

    Raises
    ------
    SettingsError
        If it is none of these.

    Examples
    --------
    >>> schedule_of("*/15 * * * *", "receive").cron
    '*/15 * * * *'
    >>> schedule_of("90", "receive").interval.total_seconds(), schedule_of("", "receive")
    (90.0, None)
    """
    check_schedule(text, name)
    words = text.split()
    if not words:
        return None
    if len(words) == 1:
        return Interval(timedelta(seconds=seconds_of(words[0], name)))
    check_timezone(timezone)
    try:
        return Cron(" ".join(words), timezone=timezone)
    except ValueError:  # such as a day that is named wrongly
        raise no_schedule(text, name) from None


def deployments(settings: Settings, config: Path) -> list[RunnerDeployment]:
    """Return a deployment of each flow, named after the label set, with its schedule.

    Parameters
    ----------
    settings : Settings
    config : Path
        The labelops.toml they were read from; the flows' only parameter.

    Raises
    ------
    SettingsError
        If a schedule is none.
    """
    times = _schedules(settings.schedule)
    return [
        RunnerDeployment.from_flow(
            flow,
            name=settings.schema.name,
            schedule=times[name],
            parameters={"config": str(config.resolve())},
            concurrency_limit=_ONE_AT_A_TIME,
            description=flow.description,
            tags=["labelops", settings.schema.name],
            # By module, so that a clone (`flows`) and an installation load their own.
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        for name, flow in FLOWS.items()
    ]


def _schedules(settings: ScheduleSettings) -> dict[str, Schedule | None]:
    return {n: schedule_of(getattr(settings, n), n, settings.timezone) for n in FLOWS}


def _check_server() -> None:
    """Refuse to serve without a server that answers; a temporary one would run no schedules."""
    address = PREFECT_API_URL.value()
    if not address:
        raise SettingsError(
            "PREFECT_API_URL is not set; start a server with `prefect server start` and set it, "
            "such as to http://127.0.0.1:4200/api"
        )
    try:
        with get_client(sync_client=True) as client:
            client.request("GET", "/admin/version")
    except PrefectHTTPStatusError as error:
        code = error.response.status_code
        kind = EndRefused if code in (401, 403) else EndUnavailable
        raise kind(
            f"the Prefect server answered {code}; see PREFECT_API_URL, and PREFECT_API_AUTH_STRING "
            "where it asks for a password"
        ) from None
    except httpx.HTTPError as error:
        raise EndUnavailable(
            f"the Prefect server at PREFECT_API_URL does not answer ({type(error).__name__}); "
            "is it running?"
        ) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Serve a label set's flows until interrupted; the command `labelops serve`.

    Returns
    -------
    int
        The exit code: 0, or that of the error which was reported.
    """
    parser = argparse.ArgumentParser(
        prog="labelops serve",
        description="Run send, receive and publish on the schedules of labelops.toml.",
    )
    parser.add_argument("--config", help=f"{FILE}, or its folder; the nearest above by default")
    given = parser.parse_args(argv)
    try:
        path = Path(given.config) if given.config else find_settings(Path.cwd())
        path = path / FILE if path.is_dir() else path
        ready = deployments(read_settings(path), path)
        _check_server()
        _refuse_second(ready)
    except LabelopsError as error:
        sys.stderr.write(f"labelops: error: {error}\n")
        return error.exit_code
    try:
        serve(*ready, limit=1)
    finally:
        _pause(ready)
        _end_workers()
    return 0


def _refuse_second(ready: Sequence[RunnerDeployment]) -> None:
    """Refuse to serve what another process serves: it would pause the schedules when it ends.

    One that ended by itself has paused them; of one that was killed nobody knows but by waiting
    whether it asks the server for work.

    Raises
    ------
    ConflictError
    """
    seconds = _POLLS * PREFECT_RUNNER_POLL_FREQUENCY.value()
    with get_client(sync_client=True) as client:

        def asked_at() -> datetime | None:
            """Return when a process last asked for the runs of any of these deployments."""
            times = []
            for deployment in ready:
                with suppress(ObjectNotFound):
                    name = f"{deployment.flow_name}/{deployment.name}"
                    found = client.read_deployment_by_name(name)
                    times += [found.last_polled] if found.last_polled and not found.paused else []
            return max(times, default=None)

        before = asked_at()
        if before is None:
            return
        sys.stderr.write(
            f"labelops: looking for {seconds:g} s whether another process serves "
            f"{ready[0].name}, or was killed\n"
        )
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(min(1.0, seconds))
            if asked_at() != before:
                raise ConflictError(
                    f"another process serves a label set {ready[0].name!r} from this Prefect "
                    "server; stop it first, for it would pause the schedules of both when it ends"
                )


def _pause(ready: Sequence[RunnerDeployment]) -> None:
    """Pause the deployments, so that a server plans no runs that nobody would carry out.

    Prefect does so too when it is ended between two of its steps, but not in the middle of one.
    """
    try:
        with get_client(sync_client=True) as client:
            for deployment in ready:
                name = f"{deployment.flow_name}/{deployment.name}"
                client.pause_deployment(client.read_deployment_by_name(name).id)
    except (httpx.HTTPError, ObjectNotFound) as error:
        sys.stderr.write(f"labelops: the deployments could not be paused: {error}\n")


def _end_workers() -> None:
    """End the worker threads of a loop that a signal stopped: the process would wait for them.

    A loop ends its own when it is done, and one that is stopped in the middle never is.
    """
    for thread in threading.enumerate():
        end = getattr(thread, "stop", None)
        if thread.name == "AnyIO worker thread" and callable(end):
            end()


if __name__ == "__main__":
    sys.exit(main())
