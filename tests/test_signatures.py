"""One argument, one name and one place: what a function takes, its neighbours take alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from labelops import audit, consolidate
from labelops.gate.confirm import choose_confirm
from labelops.gate.policy import GatePolicy
from labelops.measure import agreement, cohen, planning, votes, weighted_planning

RNG = np.random.default_rng(0)
VOTES = np.repeat(np.arange(30), 4), np.tile(np.arange(4), 30), RNG.integers(0, 3, 120)
POINTS, GROUPS = RNG.normal(size=(40, 3)), np.arange(40) // 2
GRAPH, CODES = audit.nearest_graph(POINTS, k=10), np.arange(40) % 2
SPLITS = ["train"] * 20 + ["test"] * 20

PUBLIC: dict[str, Callable[..., Any]] = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (audit, consolidate, agreement, cohen, votes)
    for name in module.__all__
    if inspect.isfunction(getattr(module, name))
}
OF_VOTES = [
    name
    for name, function in PUBLIC.items()
    if {"items", "codes", "n_classes"} <= inspect.signature(function).parameters.keys()
]


def seeded() -> np.random.Generator:
    """Return the same random numbers for both of two calls."""
    return np.random.default_rng(1)


ALIKE: dict[str, Callable[[], tuple[Any, Any]]] = {
    "groups of outliers": lambda: (
        audit.find_outliers(GRAPH, GROUPS).distances,
        audit.find_outliers(GRAPH, groups=GROUPS).distances,
    ),
    "groups of outliers in a class": lambda: (
        audit.find_outliers_in_class(GRAPH, CODES, GROUPS).distances,
        audit.find_outliers_in_class(GRAPH, CODES, groups=GROUPS).distances,
    ),
    "digests and groups of splits": lambda: (
        audit.split_leakage(SPLITS, None, GROUPS // 3, GROUPS).leaked,
        audit.split_leakage(SPLITS, digests=GROUPS // 3, groups=GROUPS).leaked,
    ),
    "what a plan is for": lambda: (
        planning.audit_plan(0.02, 0.05, [0.0], 400, 1797, 0.05)[0].median,
        planning.audit_plan(0.02, 0.05, [0.0], budget=400, size=1797, missed=0.05)[0].median,
    ),
    "what a plan by doubt is for": lambda: (
        weighted_planning.weighted_plan(
            0.05, 0.1, [0.01], 0.9, 300, 500, 0.02, rng=seeded(), runs=3
        )[0].mean,
        weighted_planning.weighted_plan(
            0.05, 0.1, [0.01], 0.9, budget=300, size=500, missed=0.02, rng=seeded(), runs=3
        )[0].mean,
    ),
    "the attempt": lambda: (
        choose_confirm(0.1, 100 * np.eye(2), GatePolicy(error=0.02), 600, 2),
        choose_confirm(0.1, 100 * np.eye(2), GatePolicy(error=0.02), 600, attempt=2),
    ),
    "classes of mix-ups": lambda: (
        audit.directed_confusions(*VOTES[1:], VOTES[0] % 3, 4).p_values,
        audit.directed_confusions(*VOTES[1:], VOTES[0] % 3, n_classes=4).p_values,
    ),
}

LEFT_OUT: dict[str, Callable[..., Any]] = {
    "agreement": lambda *size: agreement.measure_agreement(*VOTES, *size, rng=seeded()),
    "alpha": lambda *size: agreement.krippendorff_alpha(*VOTES, *size, rng=seeded()),
    "kappa": lambda *size: cohen.cohen_kappa(*VOTES, *size, rng=seeded()).kappa.tolist(),
    "collusion": lambda *size: audit.find_collusion(*VOTES, *size).pairs.to_dict(),
    "partial": lambda *size: agreement.agreement_partial(*VOTES, *size).codes.tolist(),
}


@pytest.mark.parametrize("name", OF_VOTES)
def test_sizes_follow_the_votes(name: str) -> None:
    """How many items and how many classes there are comes next, in this order, named or not."""
    found = list(inspect.signature(PUBLIC[name]).parameters.values())
    placed = [one.name for one in found if one.kind is not one.KEYWORD_ONLY]
    sizes = [size for size in ("n_items", "n_classes") if size in {one.name for one in found}]
    start = placed.index("codes") + 1
    assert placed[start : start + len(sizes)] == sizes


def test_functions_of_votes_are_found() -> None:
    """Or else nothing was tested above."""
    assert len(OF_VOTES) >= 14


@pytest.mark.parametrize("name", ALIKE)
def test_by_place_as_by_name(name: str) -> None:
    """An argument that others take by its place is the same one here."""
    placed, named = ALIKE[name]()
    np.testing.assert_array_equal(placed, named)


@pytest.mark.parametrize("name", LEFT_OUT)
def test_classes_left_out(name: str) -> None:
    """They are counted by the largest code."""
    assert LEFT_OUT[name]() == LEFT_OUT[name](3)
