"""Faults in the code, made on purpose: whoever promises half of what is kept shall be found out.

A fault changes a function wherever the project or its tests have it, as a change of its source
would. Then a test of the promise is run as it stands, and has to fail.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from inspect import signature
from types import ModuleType
from typing import Any

import pytest

Change = Callable[[Any], Any]
_AT_MOST = 0.999
"""Of shares: a risk or a bound has to stay one."""

_MEMORY = type(cache(len))
"""What `functools.cache` and `functools.lru_cache` make of a function."""


@dataclass(frozen=True)
class Fault:
    """A change of the code, and the test that it breaks.

    Parameters
    ----------
    what : function, or pair of an owner and a name
        A function is changed in every module that has it by some name; of an owner, such as a
        class, only what it has by this name.
    change : callable
        Takes what is there and gives what takes its place.
    test : callable
        The test of the promise, with all its arguments but fixtures (`functools.partial`).
    slow : bool
        Whether that takes a tenth of a second or more.
    """

    what: Any
    change: Change
    test: Callable[..., None]
    slow: bool = False


def times(factor: float, *names: str) -> Change:
    """Call a function with these arguments as many times as large."""

    def change(real: Any) -> Any:
        asked = signature(real)

        def faulty(*args: Any, **options: Any) -> Any:
            given = asked.bind(*args, **options)
            given.apply_defaults()
            for name in names:
                given.arguments[name] = min(factor * given.arguments[name], _AT_MOST)
            return real(*given.args, **given.kwargs)

        return faulty

    return change


def instead(**values: Any) -> Change:
    """Call a function with these values, whatever it is given for them."""

    def change(real: Any) -> Any:
        asked = signature(real)

        def faulty(*args: Any, **options: Any) -> Any:
            given = asked.bind(*args, **options)
            given.arguments.update(values)
            return real(*given.args, **given.kwargs)

        return faulty

    return change


twice_the_risk = times(2, "risk")
twice_the_bound = times(2, "bound")
twice_the_error = times(2, "error")


def half_the_evidence(log_wanted: Any) -> Any:
    """Give a verdict at half the evidence that its risk takes."""
    return lambda risk: log_wanted(risk) - math.log(2)


def counts_double(log_evidence: Any) -> Any:
    """Bet twice the money there is."""
    return lambda *args, **options: log_evidence(*args, **options) + math.log(2)


def share_of_risk(share: Callable[[int], float]) -> Change:
    """Give the j-th to be tested this share of the risk."""
    return lambda _: lambda j, risk: share(j) * risk


everybody_has_the_firsts = share_of_risk(lambda _: 0.8)


def _forget() -> None:
    """Empty every memory of results, which right code made or faulty code would leave."""
    for module in _ours():
        for value in list(vars(module).values()):
            if type(value) is _MEMORY:
                value.cache_clear()


def _ours() -> list[ModuleType]:
    return [
        module
        for name, module in list(sys.modules.items())
        if name.split(".")[0] in ("labelops", "tests") and isinstance(module, ModuleType)
    ]


@contextmanager
def planted(what: Any, change: Change) -> Iterator[None]:
    """Have the fault in the code, for as long as it lasts."""
    with pytest.MonkeyPatch.context() as patch:
        _forget()
        if isinstance(what, tuple):
            owner, name = what
            patch.setattr(owner, name, change(getattr(owner, name)))
        else:
            faulty = change(what)
            places = [(m, name) for m in _ours() for name, v in vars(m).items() if v is what]
            assert places, f"nobody has {what}"
            for module, name in places:
                patch.setattr(module, name, faulty)
        try:
            yield
        finally:
            _forget()


def is_seen(fault: Fault, request: pytest.FixtureRequest) -> None:
    """Run the test of the promise on the faulty code: an assertion of it has to fail."""
    given = fault.test.keywords if isinstance(fault.test, partial) else {}
    asked = set(signature(fault.test).parameters) - set(given)
    with planted(fault.what, fault.change):
        fixtures = {name: request.getfixturevalue(name) for name in asked}
        with pytest.raises(AssertionError):
            fault.test(**fixtures)


def runners(
    fast: dict[str, Fault], slow: dict[str, Fault]
) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return two tests that plant faults by name; of the slow ones a simulation has to break."""
    marked = [pytest.param(n, marks=[pytest.mark.slow] * f.slow) for n, f in fast.items()]

    @pytest.mark.parametrize("name", marked)
    def test_the_fault_is_seen(name: str, request: pytest.FixtureRequest) -> None:
        """The test of the promise fails."""
        is_seen(fast[name], request)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", slow)
    def test_the_fault_shows_in_numbers(name: str, request: pytest.FixtureRequest) -> None:
        """The simulation, or the count of all that can happen, breaks."""
        is_seen(slow[name], request)

    return test_the_fault_is_seen, test_the_fault_shows_in_numbers
