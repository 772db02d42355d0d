"""How far long work is, a line on stderr now and then."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from ..errors import counted

__all__ = ["Told"]

_SHORT = 2.0  # Seconds: of work that is done by then only its beginning is told.
_EVERY = 5.0
_MINUTE, _ROUND = 60, 10
_MINUTES_FROM = 100  # Seconds from which on minutes say it well enough.


class Told:
    """Is told of stages and their parts (`labelops.measure.progress`), and passes on some of it.

    A stage is named when it begins, but in the first two seconds; then at most every five seconds,
    with the time that its other parts will take if they take as long as those before.

    Parameters
    ----------
    note : callable
        Takes a line.
    command : str
        What each line begins with.
    clock : callable
        Seconds.

    Examples
    --------
    >>> seconds = iter([0, 1, 3, 4, 13, 40])
    >>> told = Told(print, "check", clock=lambda: next(seconds))
    >>> told("reading texts", 0, 1)
    >>> told("training models", 0, 10)
    check: training models
    >>> told("training models", 1, 10)
    >>> told("training models", 2, 10)
    check: training models, 2 of 10 parts, about 40 s left
    >>> told("training models", 10, 10)
    """

    def __init__(
        self, note: Callable[[str], object], command: str, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._note, self._command, self._clock = note, command, clock
        self._began = self._stage = self._last = clock()

    def __call__(self, stage: str, done: int, parts: int) -> None:
        """Take note of how far a stage is."""
        now = self._clock()
        if not done:
            self._stage = now
            if now - self._began >= _SHORT:
                self._say(stage, now)
        elif done < parts and now - self._last >= _EVERY:
            left = _duration((now - self._stage) / done * (parts - done))
            self._say(f"{stage}, {done:,} of {counted(parts, 'part')}, about {left} left", now)

    def _say(self, text: str, now: float) -> None:
        self._last = now
        self._note(f"{self._command}: {text}")


def _duration(seconds: float) -> str:
    """Say a time about as exactly as it is known."""
    if seconds < _MINUTES_FROM:
        return f"{max(1, round(seconds / _ROUND)) * _ROUND} s"
    return f"{round(seconds / _MINUTE)} min"
