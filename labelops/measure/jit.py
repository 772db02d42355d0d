"""Compile hot loops with numba where it is installed; every result is also had without it.

A kernel is an ordinary function over arrays and numbers. Its first call compiles it, which
takes seconds, and keeps the machine code beside the module's byte code, so that the next
process loads it in milliseconds. Kernels release the interpreter lock: `in_threads` runs one
over blocks of rows on all cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from importlib.util import find_spec
from types import FunctionType
from typing import Generic, ParamSpec, TypeVar

__all__ = [
    "Kernel",
    "can_compile",
    "compile_always",
    "in_threads",
    "in_turn",
    "kernel",
    "numpy_only",
]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_INSTALLED = find_spec("numba") is not None
_allowed: ContextVar[bool] = ContextVar("_allowed", default=True)


_LEAST = 30_000
_least: ContextVar[int] = ContextVar("_least", default=_LEAST)


def can_compile(numbers: int | None = None) -> bool:
    """Say whether kernels may be called: numba is there, and nobody asked for numpy only.

    Parameters
    ----------
    numbers : int, optional
        How many the loop goes over. For few, loading a kernel costs more than it saves.
    """
    enough = numbers is None or numbers >= _least.get()
    return _INSTALLED and _allowed.get() and enough


@contextmanager
def compile_always() -> Iterator[None]:
    """Inside, run kernels over few numbers too, as tests of them do.

    Examples
    --------
    >>> with compile_always():
    ...     can_compile(1) == can_compile()
    True
    """
    token = _least.set(0)
    try:
        yield
    finally:
        _least.reset(token)


@contextmanager
def numpy_only() -> Iterator[None]:
    """Inside, run the numpy code even where kernels could run.

    Examples
    --------
    >>> with numpy_only():
    ...     can_compile()
    False
    """
    token = _allowed.set(False)
    try:
        yield
    finally:
        _allowed.reset(token)


class Kernel(Generic[P, R]):
    """A function that is compiled when it is first called.

    Parameters
    ----------
    function : callable
        Over arrays, numbers and tuples of them. It may call other kernels of its module.
    fastmath : bool or frozenset of str
        Whether sums may be reordered and NaN ignored, for loops where neither matters; or
        which of LLVM's flags may be used, such as ``{"reassoc", "nsz"}`` to reorder sums only.
    """

    def __init__(self, function: Callable[P, R], fastmath: bool | frozenset[str]) -> None:
        self.python = function
        self._fastmath = fastmath

    @cached_property
    def compiled(self) -> Callable[P, R]:
        """The compiled function; one machine code a combination of dtypes."""
        from numba import njit  # lazy: 0.3 s

        flags = self._fastmath if isinstance(self._fastmath, bool) else set(self._fastmath)
        made: Callable[P, R] = njit(nogil=True, cache=True, fastmath=flags)(_linked(self.python))
        return made

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the compiled function."""
        return self.compiled(*args, **kwargs)


def _linked(function: Callable[P, R]) -> Callable[P, R]:
    """Give a function whose calls of other kernels are calls of what is compiled of them."""
    names = function.__globals__
    called = {n: names[n] for n in function.__code__.co_names if isinstance(names.get(n), Kernel)}
    if not called:
        return function
    compiled = {name: made.compiled for name, made in called.items()}
    linked = FunctionType(function.__code__, {**names, **compiled}, function.__name__)
    linked.__qualname__ = function.__qualname__
    return linked


def kernel(*, fastmath: bool | frozenset[str] = False) -> Callable[[Callable[P, R]], Kernel[P, R]]:
    """Make a function a kernel; call it only where `can_compile()`.

    Examples
    --------
    >>> @kernel()
    ... def twice(x: float) -> float:
    ...     return 2 * x
    >>> twice.python(2.0)
    4.0
    """

    def decorate(function: Callable[P, R]) -> Kernel[P, R]:
        return Kernel(function, fastmath)

    return decorate


def in_turn(job: Callable[[int, int], T], rows: int, *, block: int) -> list[T]:
    """Do what `in_threads` does in this thread alone, for jobs that would wait for each other.

    Examples
    --------
    >>> in_turn(lambda first, last: last - first, 5, block=2)
    [2, 2, 1]
    """
    return [job(first, min(first + block, rows)) for first in range(0, rows, block)]


def in_threads(job: Callable[[int, int], T], rows: int, *, block: int) -> list[T]:
    """Call `job(first, last)` for blocks of rows on all cores; results in the blocks' order.

    Parameters
    ----------
    job : callable
        Works on rows first … last - 1; gives the lock up for most of its time.
    rows, block : int
        How many there are, and how many a call gets at most.

    Examples
    --------
    >>> in_threads(lambda first, last: last - first, 5, block=2)
    [2, 2, 1]
    """
    starts: Sequence[int] = range(0, rows, block)
    ends = [min(first + block, rows) for first in starts]
    cores = min(len(starts), os.cpu_count() or 1)
    if cores <= 1:
        return in_turn(job, rows, block=block)
    with ThreadPoolExecutor(cores) as pool:
        return list(pool.map(job, starts, ends))
