"""Waiting for a server that gives no answer: said at once, and for so long at most."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator

from ..errors import SettingsError

__all__ = ["ABSENT", "PATIENCE", "Patience", "is_absent", "silent"]

PATIENCE = 60.0
"""Seconds that a run waits for a server without an answer, where nothing else is said."""

ABSENT = 5.0
"""The same for a server that is not there at all: long enough to restart one."""


def silent(_: str) -> None:
    """Tell nobody."""


class Patience:
    """How long one server is asked again that gives no answer; may be shared by threads.

    Time counts from where the first request began that got no answer since the last one that did.
    So a server that answers some is asked on, and one that answers none is given up after so many
    seconds, whatever number of requests wait for it. A request under way is not cut off.

    Parameters
    ----------
    seconds : float
        After so many without an answer nobody asks again; 0: not once.
    tell : callable
        Is told, once until the next answer, what is waited for, how long and why.
    clock, sleep : callable
        Seconds now, and waiting for seconds.

    Raises
    ------
    SettingsError
        If `seconds` is below 0, or no number.

    Examples
    --------
    >>> clock = iter(range(0, 1000, 20))
    >>> patience = Patience(60, print, clock=lambda: next(clock), sleep=lambda _: None)
    >>> began = patience.now()
    >>> patience.goes_on(began, 1.0, "model.example.org does not answer")
    model.example.org does not answer; asking again for up to 40 s more (labeler.patience is 60)
    True
    >>> patience.goes_on(began, 1.0, "no answer"), patience.goes_on(began, 1.0, "no answer")
    (True, False)
    """

    def __init__(
        self,
        seconds: float = PATIENCE,
        tell: Callable[[str], None] = silent,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not 0.0 <= seconds < float("inf"):
            raise SettingsError(
                f"labeler.patience is {seconds}, expected a number of seconds, 0 or more"
            )
        self._seconds, self._tell = seconds, tell
        self.now, self.pause = clock, sleep
        self._lock = threading.Lock()
        self._asked = self._answers = self._told = self._ended = False
        self._since: float | None = None

    def asking(self, who: str, timeout: float) -> None:
        """Say, before the first request, who is asked and how long an answer may take."""
        with self._lock:
            first, self._asked, self._ended = not self._asked, True, False
        if first:
            self._tell(f"asking {who}; an answer may take {timeout:g} s (labeler.timeout)")

    def end(self) -> None:
        """Let nobody who waits now ask again: the run ends."""
        with self._lock:
            self._ended = True

    def answered(self) -> None:
        """Note that there was an answer, whatever it says."""
        with self._lock:
            self._answers, self._told, self._since = True, False, None

    def goes_on(self, began: float, wait: float, problem: str, *, absent: bool = False) -> bool:
        """Say whether to ask again after a wait, where a request got no answer.

        Parameters
        ----------
        began : float
            When the request began, by `now`.
        wait : float
            Seconds until it would be asked again.
        problem : str
            What went wrong, for who is told.
        absent : bool
            Whether there is no server at all: unless it has answered before, and so is expected to
            come back, it is waited for five seconds only.
        """
        with self._lock:
            brief = absent and not self._answers
            limit = min(self._seconds, ABSENT) if brief else self._seconds
            self._since = began if self._since is None else min(began, self._since)
            left = self._since + limit - self.now()
            if left < wait or self._ended:
                return False
            told, self._told = self._told, True
        if not told:
            bound = "" if limit < self._seconds else f" (labeler.patience is {self._seconds:g})"
            self._tell(f"{problem}; asking again for up to {left:.0f} s more{bound}")
        return True


def is_absent(error: BaseException) -> bool:
    """Say whether a connection failed since nothing listens there, or there is no such machine.

    Examples
    --------
    >>> is_absent(ConnectionRefusedError(111, "Connection refused")), is_absent(TimeoutError())
    (True, False)
    """
    return any(
        isinstance(cause, ConnectionRefusedError | socket.gaierror)
        or (isinstance(cause, OSError) and cause.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH))
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
