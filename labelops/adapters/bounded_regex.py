"""Regular expressions over other people's text, with a bound on their run time.

Python's `re` can take exponential time on a text made for it and cannot be interrupted from
another thread. So the search runs in a process of its own, which the system ends when its time
is up. What counts is its own processor time: what a rule says must not depend on how busy the
machine is.
"""

from __future__ import annotations

import json
import math
import re
import signal
import subprocess
import sys
from collections.abc import Sequence

from ..errors import EndTimeout, SettingsError, shown

__all__ = ["bounded_search", "checked_pattern"]

_PROGRAM = """
import json, re, signal, sys
asked = json.load(sys.stdin)
search = re.compile(asked["pattern"], asked["flags"]).search
signal.setitimer(signal.ITIMER_VIRTUAL, asked["seconds"])
for text in asked["texts"]:
    sys.stdout.write("1" if search(text) else "0")
    sys.stdout.flush()
"""


def checked_pattern(pattern: str, flags: int = 0) -> str:
    """Return the pattern if it compiles.

    Raises
    ------
    SettingsError
        If it does not, with the place.

    Examples
    --------
    >>> checked_pattern("(")
    Traceback (most recent call last):
    labelops.errors.SettingsError: regular expression '(': missing ), unterminated subpattern \
at position 0; mend it, or put a backslash before a sign that stands for itself
    """
    try:
        re.compile(pattern, flags)
    except re.error as error:
        raise SettingsError(
            f"regular expression {shown(pattern)}: {error}; mend it, or put a backslash before "
            "a sign that stands for itself"
        ) from None
    return pattern


def bounded_search(
    pattern: str, texts: Sequence[str], *, flags: int = 0, seconds: float = 10.0
) -> list[bool]:
    """Return for each text whether the pattern is found in it.

    Parameters
    ----------
    pattern : str
    texts : sequence of str
    flags : int
        Of `re`.
    seconds : float
        Of processor time, for all texts together; larger than 0.

    Raises
    ------
    EndTimeout
        If time is up, naming the place of the text that was being searched.
    SettingsError
        If `seconds` is no time.

    Examples
    --------
    >>> bounded_search("colou?r", ["a color", "a shade"])
    [True, False]
    """
    if not 0 < seconds < math.inf:
        raise SettingsError(
            f"regular expression {shown(pattern)}: {seconds} seconds are not a time"
        )
    asked = {"pattern": pattern, "flags": int(flags), "texts": list(texts), "seconds": seconds}
    # Isolated (-I) and without site packages (-S): nothing of the caller's is loaded.
    command = [sys.executable, "-I", "-S", "-c", _PROGRAM]
    done = subprocess.run(  # noqa: S603 - no shell, no foreign argument
        command, input=json.dumps(asked).encode("ascii"), capture_output=True, check=False
    )
    if done.returncode == -signal.SIGVTALRM:
        place = len(done.stdout)
        raise EndTimeout(
            f"regular expression {shown(pattern)} took more than {seconds:g} s in text "
            f"{place + 1} of {len(texts)}: {shown(texts[min(place, len(texts) - 1)])}; "
            "avoid repeats inside repeats, such as (a+)+"
        )
    done.check_returncode()
    return [c == ord("1") for c in done.stdout]
