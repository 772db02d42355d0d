"""Whatever draws takes a numpy Generator, and says so in one line otherwise."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import labelops.audit
import labelops.consolidate
import labelops.measure
from labelops.errors import UsageError
from labelops.measure.draws import check_rng


def _that_draw() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Name every public function that takes `rng`."""
    for package in (labelops.measure, labelops.consolidate, labelops.audit):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            for name in getattr(module, "__all__", ()):
                one = getattr(module, name)
                if inspect.isfunction(one) and "rng" in inspect.signature(one).parameters:
                    yield name, one


def test_every_function_that_draws_refuses_a_seed() -> None:
    """An int is no generator for any of them, and is refused before anything else is looked at."""
    seen = set()
    for name, draws in _that_draw():
        given = {
            p.name: None
            for p in inspect.signature(draws).parameters.values()
            if p.default is p.empty and p.kind is not p.VAR_KEYWORD
        }
        if name == "check_rng":
            continue
        with pytest.raises(UsageError, match=r"^rng is 3, expected a numpy Generator"):
            draws(**(given | {"rng": 3}))
        seen.add(name)
    assert {"measure_agreement", "ebcc", "detect_label_errors", "find_drift"} <= seen


@pytest.mark.parametrize(
    ("rng", "remedy"),
    [
        (np.int64(5), r"rng is 5, .*default_rng\(5\)"),
        (None, r"rng is None, .*default_rng\(0\)"),
        (True, r"rng is True, .*default_rng\(0\)"),
        ("x" * 500, r"rng is 'x+… \(500 characters\), "),
        (np.random.RandomState(0), "rng is RandomState"),
    ],
)
def test_the_remedy_is_said(rng: object, remedy: str) -> None:
    """What was given, what was expected, and how to get it: one line."""
    with pytest.raises(UsageError, match=remedy) as failure:
        check_rng(rng)
    assert "\n" not in str(failure.value)


def test_a_generator_is_left_alone() -> None:
    """Looking at a generator draws nothing from it."""
    rng = np.random.default_rng(1)
    check_rng(rng)
    assert rng.random() == np.random.default_rng(1).random()
