"""When flows run: what a schedule in labelops.toml may say, checked without a scheduler."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from .errors import SettingsError, shown

__all__ = ["check_schedule", "check_timezone", "no_schedule", "seconds_of"]

_LONGEST = 366 * 86_400
"""Seconds between two runs, at most: a year."""

_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
"""Least and largest number of the five cron fields: minute, hour, day, month, day of the week."""

_FIELD = re.compile(r"[0-9A-Za-z*/,#?-]+")


def check_schedule(text: str, name: str) -> None:
    """Refuse what is neither five cron fields, nor a number of seconds, nor nothing.

    Of cron fields the shape and the numbers are checked; days and months may have names, which
    the scheduler reads.

    Parameters
    ----------
    text : str
    name : str
        Of the setting, for messages.

    Raises
    ------
    SettingsError
        Naming the setting and what was expected.

    Examples
    --------
    >>> check_schedule("*/15 8-18 * * mon-fri", "receive")
    >>> check_schedule("every hour", "send")
    Traceback (most recent call last):
    labelops.errors.SettingsError: schedule.send is 'every hour', expected five cron fields such \
as '*/15 * * * *', a number of seconds, or nothing
    """
    words = text.split()
    if len(words) == 1:
        seconds_of(words[0], name)
    elif words and not (len(words) == 5 and all(map(_is_field, words, _FIELDS))):
        raise no_schedule(text, name)


def _is_field(text: str, bounds: tuple[int, int]) -> bool:
    """Say whether a cron field has the characters of one, and no number out of its range."""
    if not _FIELD.fullmatch(text):
        return False
    least, most = bounds
    # What stands behind a slash is a step, not a time; behind #, which of a month's weeks.
    numbers = re.findall(r"(?<![/#\w])\d+", text)
    return all(least <= int(n) <= most for n in numbers)


def seconds_of(text: str, name: str) -> float:
    """Read a number of seconds between two runs.

    Raises
    ------
    SettingsError
        If it is none, below a second or above a year.
    """
    try:
        seconds = float(text)
    except ValueError:
        raise no_schedule(text, name) from None
    if not 1 <= seconds <= _LONGEST:
        raise SettingsError(f"schedule.{name} is {shown(text)} seconds, expected 1 to {_LONGEST}")
    return seconds


def no_schedule(text: str, name: str) -> SettingsError:
    """Return the error that says what a schedule may be."""
    return SettingsError(
        f"schedule.{name} is {shown(text)}, expected five cron fields such as '*/15 * * * *', "
        "a number of seconds, or nothing"
    )


def check_timezone(name: str) -> None:
    """Refuse what is no time zone that this machine knows.

    Raises
    ------
    SettingsError
        Naming it.
    """
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise SettingsError(
            f"schedule.timezone is {shown(name)}, expected a name such as 'Europe/Berlin'"
        ) from None
