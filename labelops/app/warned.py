"""Warnings that point to the line of whoever called, however many of our own calls lie between."""

from __future__ import annotations

import inspect
import warnings

from ..deprecating import News
from ..errors import DeprecatedRelease

__all__ = ["warn_if_deprecated"]

_OURS = __name__.partition(".")[0]


def warn_if_deprecated(news: News, release: str) -> str:
    """Warn who reads a release that should not be used any more; return why, or an empty text."""
    if news.deprecated:
        warnings.warn(news.in_words(release), DeprecatedRelease, stacklevel=_callers_level())
    return news.deprecated


def _callers_level() -> int:
    """Return the `stacklevel` of the nearest frame outside this package, seen from our caller."""
    # From Python 3.12 on this is `skip_file_prefixes`.
    frame, level = inspect.currentframe(), 0
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] == _OURS:
        frame, level = frame.f_back, level + 1
    return level
