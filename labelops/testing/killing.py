"""Kill this very process at a chosen call of an end, as a power cut or an operator would.

A journey must survive SIGKILL anywhere. `trapped` wraps an end so that a `Trap` counts each
call of it; at call number N, just before the real call or just after it, the trap kills the
process. Run the journey in a child with N = 1, 2, …, run it again without a trap each time,
and compare what it ends with::

    trap = Trap(at=7, when="after")
    tables = trapped(DeltaTables(root), trap)
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from ..ports import (
    BatchHands,
    BatchObjects,
    Detector,
    Hands,
    Labeler,
    Objects,
    Pausing,
    Queue,
    Retracting,
    SettingAside,
    Source,
    Tables,
)

__all__ = ["READING", "Trap", "trapped"]

READING = frozenset(
    {"detect", "fit", "get", "list", "offers", "propose", "read", "receive", "rows", "rows_but"}
    | {"version"}
)
"""Calls that leave a workspace as it was; a kill at one is a kill between two others."""

_PORTS = (
    Tables,
    Objects,
    BatchObjects,
    Queue,
    Pausing,
    Retracting,
    Hands,
    BatchHands,
    Labeler,
    Detector,
    Source,
    SettingAside,
)
T = TypeVar("T")


@dataclass(slots=True)
class Trap:
    """Counts calls, and ends the process at one of them.

    Parameters
    ----------
    at : int
        Number of the fatal call, from 1; 0 only counts.
    when : {"before", "after"}
        Whether the fatal call is still made.
    watch : callable, optional
        Told (call's name, "before" or "after") around every call, for tests that look at
        what a call changed.
    calls : list of str
        What was called so far, as ``Tables.append votes``.

    Examples
    --------
    >>> trap = Trap()
    >>> trap.call("Objects.get a", lambda: b"1"), trap.calls
    (b'1', ['Objects.get a'])
    """

    at: int = 0
    when: Literal["before", "after"] = "before"
    watch: Callable[[str, str], None] | None = None
    calls: list[str] = field(default_factory=list)

    def call(self, name: str, real: Callable[[], T]) -> T:
        """Make the real call, unless it is the process's last moment."""
        self.calls.append(name)
        number = len(self.calls)
        self._moment(number, name, "before")
        answer = real()
        self._moment(number, name, "after")
        return answer

    def _moment(self, number: int, name: str, when: str) -> None:
        if self.watch is not None:
            self.watch(name, when)
        if number == self.at and when == self.when:
            os.kill(os.getpid(), signal.SIGKILL)


def trapped(end: T, trap: Trap) -> T:
    """Return the end with every call of its ports counted by the trap.

    Parameters
    ----------
    end : any end of `labelops.ports`
        What else it can do is left away.
    trap : Trap
        One trap may count for several ends.

    Examples
    --------
    >>> class Three:
    ...     def version(self, table): return 3
    ...     def append(self, table, frame): ...
    ...     def read(self, table, *, columns=None, where=None): ...
    >>> trap = Trap()
    >>> trapped(Three(), trap).version("votes"), trap.calls
    (3, ['Tables.version votes'])
    """
    methods = dict(_methods(end))
    body: dict[str, Any] = {name: _counted(end, port, name, trap) for name, port in methods.items()}
    if hasattr(end, "name"):
        body["name"] = end.name
    wrapped: T = type(f"Trapped{type(end).__name__}", (), body)()
    return wrapped


def _methods(end: object) -> Iterator[tuple[str, str]]:
    """Yield (method, port) of every port the end keeps."""
    for port in _PORTS:
        if isinstance(end, port):
            for base in port.__mro__:
                for name, member in vars(base).items():
                    if callable(member) and not name.startswith("_"):
                        yield name, port.__name__


def _counted(end: object, port: str, name: str, trap: Trap) -> Callable[..., Any]:
    real = getattr(end, name)

    def call(_: object, *args: Any, **kwargs: Any) -> Any:
        about = f" {args[0]}" if args and isinstance(args[0], str) else ""
        return trap.call(f"{port}.{name}{about}", lambda: real(*args, **kwargs))

    return call
