"""Arguments that go by another name elsewhere: an error says what they are called here."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from labelops.errors import UsageError

__all__ = ["elsewhere"]

P = ParamSpec("P")
T = TypeVar("T")


def elsewhere(**here: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a function refuse arguments by the names others have for them, and say its own.

    Parameters
    ----------
    here : str
        By the name elsewhere, the name here.

    Examples
    --------
    >>> @elsewhere(pred_probs="probs")
    ... def rows(probs):
    ...     return len(probs)
    >>> rows([0.5])
    1
    >>> rows(pred_probs=[0.5])
    Traceback (most recent call last):
    labelops.errors.UsageError: rows: pred_probs is called probs here
    """

    def made(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> T:
            if others := [f"{name} is called {here[name]} here" for name in kwargs if name in here]:
                raise UsageError(f"{function.__name__}: {'; '.join(others)}")
            return function(*args, **kwargs)

        return called

    return made
