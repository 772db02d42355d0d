"""Schedules of labelops.toml: refused where they are read, not first when they are served."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelops.errors import SettingsError
from labelops.schedule import check_schedule, check_timezone
from labelops.settings import read_settings

GOOD = [
    "",
    "60",
    "1.5",
    "0 * * * *",
    "*/15 8-18 * * mon-fri",
    "0,30 6 1-7/2 JAN 7",
    "*/90 0 * * *",
    "0 0 * * 5#3",
    "0 0 L * *",
    " 5  4 * * 0 ",
]
BAD = [
    "every hour",
    "@daily",
    "often",
    "* * * *",
    "* * * * * *",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * * 13 *",
    "* * * * 8",
    "0 6-30 * * *",
    "0 6 * * (",
    "0",
    "-5",
    "nan",
    "99999999",
]


@pytest.mark.parametrize("text", GOOD)
def test_a_schedule_is_taken(text: str) -> None:
    """Cron fields with ranges, lists, steps and names, seconds, and nothing."""
    check_schedule(text, "send")


@pytest.mark.parametrize("text", BAD)
def test_what_is_none_is_refused(text: str) -> None:
    """The message names the setting and quotes what it says."""
    with pytest.raises(SettingsError, match=r"^schedule\.send is '") as caught:
        check_schedule(text, "send")
    assert text[:9] in str(caught.value)


@pytest.mark.parametrize("zone", ["Europe/Berln", "Mars/Olympus", "../../etc/passwd", "", "/etc"])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    """A time zone is a name that this machine knows, never a path."""
    with pytest.raises(SettingsError, match=r"schedule\.timezone"):
        check_timezone(zone)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('send = "every hour"', "schedule.send is 'every hour', expected five cron fields"),
        ('publish = "61 * * * *"', "schedule.publish is '61 * * * *'"),
        ('timezone = "Europe/Berln"', "schedule.timezone is 'Europe/Berln', expected a name"),
    ],
)
def test_settings_refuse_it(tmp_path: Path, line: str, says: str) -> None:
    """Whatever command reads the file says so, with the file's name, on one line."""
    file = tmp_path / "labelops.toml"
    schema = '[schema]\nname = "pets"\nclasses = ["cat", "dog"]\n'
    file.write_text(f"{schema}[schedule]\n{line}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_settings(file)
    assert str(caught.value).startswith(f"{file}: {says}") and "\n" not in str(caught.value)


@pytest.mark.slow
def test_the_scheduler_takes_what_is_taken() -> None:
    """What passes here is read by Prefect, but for names it does not know."""
    deploy = pytest.importorskip("flows.deploy")
    for text in GOOD:
        assert (deploy.schedule_of(text, "send") is None) == (not text)
