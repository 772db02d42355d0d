"""Not faster than allowed: requests and tokens a minute, and waiting when told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..errors import SettingsError

__all__ = ["Pace"]


class Pace:
    """Spreads requests evenly, so that no minute has more of them or of their tokens than allowed.

    May be shared by threads.

    Parameters
    ----------
    requests, tokens : float
        Most a minute; 0 is no bound.
    clock, sleep : callable
        Seconds now, and waiting for seconds.

    Raises
    ------
    SettingsError
        If a bound is negative.

    Examples
    --------
    >>> said = []
    >>> pace = Pace(requests=60, clock=lambda: 100.0, sleep=said.append)
    >>> for _ in range(3):
    ...     pace.wait(10)
    >>> said
    [1.0, 2.0]
    """

    def __init__(
        self,
        requests: float = 0.0,
        tokens: float = 0.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if requests < 0 or tokens < 0:
            raise SettingsError("requests_per_minute and tokens_per_minute must be 0 or more")
        self._each = 60.0 / requests if requests else 0.0
        self._token = 60.0 / tokens if tokens else 0.0
        self._clock, self._sleep = clock, sleep
        self._free = self._held = float("-inf")
        self._lock = threading.Lock()

    def wait(self, tokens: float) -> None:
        """Return when a request of so many tokens may be sent."""
        with self._lock:
            now = self._clock()
            start = max(now, self._free)
            self._free = start + max(self._each, tokens * self._token)
        if start > now:
            self._sleep(start - now)
        with self._lock:
            held = self._held - max(self._clock(), start)
        if held > 0:
            self._sleep(held)

    def hold(self, seconds: float) -> None:
        """Let nobody send for so many seconds: the server said so to one, and means all."""
        with self._lock:
            self._held = max(self._held, self._clock() + seconds)

    def pause(self, seconds: float) -> None:
        """Wait, and let others go on."""
        self._sleep(seconds)
