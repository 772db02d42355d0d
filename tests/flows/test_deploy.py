"""Schedules and serving. Prefect is imported by the tests: other workers do without it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

import anyio.to_thread
import pytest

from labelops.errors import SettingsError
from labelops.settings import read_settings

from .conftest import World

pytestmark = pytest.mark.slow  # importing Prefect takes longer than all of these tests


@pytest.mark.parametrize("text", ["@daily", "* * * *", "99 * * * *", "* * * * * *", "0", "nan"])
def test_what_is_no_schedule_is_refused_by_name(text: str) -> None:
    """The message names the setting and quotes the value."""
    from flows.deploy import schedule_of

    with pytest.raises(SettingsError, match=r"schedule\.send is '"):
        schedule_of(text, "send")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "", "/etc"])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    """A time zone is a name that this machine knows, never a path."""
    from flows.deploy import schedule_of

    with pytest.raises(SettingsError, match=r"schedule\.timezone"):
        schedule_of("0 6 * * 1", "send", zone)


def test_deployments_are_one_run_at_a_time_on_the_settings_schedules(
    make_world: Callable[..., World],
) -> None:
    """Each flow gets its own schedule, the path as its only parameter, and a limit of one."""
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

    from flows.deploy import deployments

    times = 'send = "0 6 * * 1-5"\nreceive = 90\npublish = ""\ntimezone = "Europe/Rome"\n'
    config = make_world(extra=f"[schedule]\n{times}").config
    found = {d.flow_name: d for d in deployments(read_settings(config), config)}
    assert set(found) == {"labelops-send", "labelops-receive", "labelops-publish"}
    kinds = {n: [s.schedule for s in d.schedules or ()] for n, d in found.items()}
    (cron,), (interval,) = kinds["labelops-send"], kinds["labelops-receive"]
    assert isinstance(cron, CronSchedule)
    assert (cron.cron, cron.timezone) == ("0 6 * * 1-5", "Europe/Rome")
    assert isinstance(interval, IntervalSchedule)
    assert interval.interval.total_seconds() == 90
    assert kinds["labelops-publish"] == []
    for deployment in found.values():
        assert deployment.name == "digits"
        assert deployment.parameters == {"config": str(config.resolve())}
        assert deployment.concurrency_limit == 1
        assert deployment.concurrency_options is not None
        assert str(deployment.concurrency_options.collision_strategy.value) == "CANCEL_NEW"


def test_a_bad_schedule_ends_the_command_with_2(
    make_world: Callable[..., World], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on stderr names what is wrong; nothing is served."""
    from flows.deploy import main

    config = make_world(extra='[schedule]\nreceive = "often"\n').config
    assert main(["--config", str(config)]) == 2
    assert f"labelops: error: {config}: schedule.receive is 'often'" in capsys.readouterr().err


def test_serving_needs_a_server_that_is_named(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without an address nothing is started in secret."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.deploy import main

    with temporary_settings({PREFECT_API_URL: None}):
        assert main(["--config", str(world.config.parent)]) == 2
    assert "prefect server start" in capsys.readouterr().err


def test_a_server_that_is_down_ends_the_command_with_3(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A closed port is an end that is unavailable."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.deploy import main

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert main(["--config", str(world.config)]) == 3
    assert "is it running?" in capsys.readouterr().err


def test_no_thread_of_a_loop_that_was_stopped_keeps_the_process() -> None:
    """A signal may stop Prefect's loop while a worker of it is there, which then never ends."""
    from flows.deploy import _end_workers

    loop = asyncio.new_event_loop()

    async def interrupted() -> None:
        await anyio.to_thread.run_sync(int)
        loop.stop()
        await asyncio.sleep(3600)

    before = set(threading.enumerate())
    task = loop.create_task(interrupted())
    loop.run_forever()
    (worker,) = set(threading.enumerate()) - before
    assert worker.is_alive() and not worker.daemon
    _end_workers()
    worker.join(60)
    assert not worker.is_alive()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
