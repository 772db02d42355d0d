"""Each public function as in its example, but with one argument that is none.

It answers, or refuses it in words of its own: it never fails somewhere inside.
"""

from __future__ import annotations

import contextlib
import copy
import doctest
import importlib
import inspect
import io
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from labelops import audit, consolidate
from labelops.errors import LabelopsError

pytestmark = pytest.mark.slow

WRONG = {
    "a number": 3, "a negative number": -1, "a text": "x", "NaN": float("nan"), "nothing": None,
    "an empty list": [], "a list of NaN": [float("nan")], "a list of None": [None], "a dict": {},
    "an object": object(),
}  # fmt: skip

OURS = {"findings_of", "recall"}
"""Given what the audits of a label set have checked: frames and arrays of their own making."""

FUNCTIONS = [
    getattr(package, name)
    for package in (consolidate, audit)
    for name in package.__all__
    if inspect.isfunction(getattr(package, name)) and name not in OURS
]


def _as_in_the_example(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the arguments that its docstring's first call gives it; none without an example."""
    module = importlib.import_module(function.__module__)
    package = importlib.import_module(function.__module__.rpartition(".")[0])
    seen: list[dict[str, Any]] = []

    def record(*args: Any, **named: Any) -> Any:
        seen.append(dict(inspect.signature(function).bind(*args, **named).arguments))
        return function(*args, **named)

    name = function.__name__
    with pytest.MonkeyPatch.context() as patch:
        for holder in (module, package, audit, consolidate):
            if getattr(holder, name, None) is function:
                patch.setattr(holder, name, record)
        for test in doctest.DocTestFinder(recurse=False).find(function, name, globs=vars(module)):
            with contextlib.redirect_stdout(io.StringIO()):
                doctest.DocTestRunner(verbose=False).run(test, clear_globs=False)
    return seen[0] if seen else {}


def _arguments(function: Callable[..., Any]) -> list[str]:
    every = inspect.signature(function).parameters.values()
    return [p.name for p in every if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_an_argument_that_is_none(function: Callable[..., Any]) -> None:
    """Names of functions and arguments that failed otherwise, with how."""
    given, failed = _as_in_the_example(function), list[str]()
    for name in _arguments(function) if given else ():
        for what, wrong in WRONG.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    others = {n: copy.deepcopy(v) for n, v in given.items() if n != name}
                    function(**others, **{name: wrong})
                except LabelopsError:
                    continue
                except Exception as error:
                    failed.append(f"{name} as {what}: {type(error).__name__}: {error}")
    assert not failed, "\n".join(failed)


def test_examples_are_found() -> None:
    """Nearly every public function has one; else nothing above would be looked at."""
    with_one = [f.__name__ for f in FUNCTIONS if _as_in_the_example(f)]
    assert len(with_one) > 0.8 * len(FUNCTIONS), with_one
