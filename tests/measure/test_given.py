"""Arguments of the wrong kind: one line that names them, whatever function they were given to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labelops import consolidate
from labelops.audit import (
    accumulate,
    detect_label_errors,
    duplicate_clusters,
    find_drift,
    find_label_issues,
    find_outliers,
    find_outliers_in_class,
    merge,
    near_pairs,
    near_threshold,
    nearest_ratio,
    neighbour_votes,
    poison_views,
    split_leakage,
    spurious_attributes,
    underperforming_slices,
)
from labelops.checking import check_labels
from labelops.errors import UsageError
from labelops.measure.given import check_share, check_steps, check_whole
from labelops.measure.votes import pack_votes

RNG = np.random.default_rng(0)
POINTS, CODES = RNG.normal(size=(20, 3)), np.arange(20) % 2
PROBS = np.full((20, 2), 0.5)
VOTES = pack_votes([0, 0, 1], [0, 1, 0], [1, 1, 0], n_items=2, n_annotators=2, n_classes=2)
Wrong = Callable[[object], object]

GRAPHS: dict[str, Wrong] = {
    "detect": lambda graph: detect_label_errors(CODES, features=POINTS, graph=graph),  # type: ignore[arg-type]
    "unused": lambda graph: detect_label_errors(CODES, votes=([0], [0], [0]), graph=graph),  # type: ignore[arg-type]
    "leakage": lambda graph: split_leakage(["a"] * 20, graph=graph),  # type: ignore[arg-type]
    "outliers": lambda graph: find_outliers(graph),  # type: ignore[arg-type]
    "in class": lambda graph: find_outliers_in_class(graph, CODES),  # type: ignore[arg-type]
    "threshold": lambda graph: near_threshold(graph),  # type: ignore[arg-type]
    "pairs": lambda graph: near_pairs(graph, 0.1),  # type: ignore[arg-type]
    "clusters": lambda graph: duplicate_clusters(graph),  # type: ignore[arg-type]
    "votes": lambda graph: neighbour_votes(graph, CODES),  # type: ignore[arg-type]
    "ratio": lambda graph: nearest_ratio(graph, CODES),  # type: ignore[arg-type]
    "poison": lambda graph: poison_views(POINTS, CODES, graph),  # type: ignore[arg-type]
}

FLAGS: dict[str, Wrong] = {
    "check_memorised": lambda flag: detect_label_errors(
        CODES,
        features=POINTS,
        check_memorised=flag,  # type: ignore[arg-type]
    ),
    "out_of_sample": lambda flag: detect_label_errors(
        CODES,
        probs=PROBS,
        out_of_sample=flag,  # type: ignore[arg-type]
    ),
    "adjusted": lambda flag: find_label_issues(CODES, PROBS, adjusted=flag),  # type: ignore[arg-type]
    "even_classes": lambda flag: consolidate.one_coin([0], [0], [0], even_classes=flag),  # type: ignore[arg-type]
}

SHARDS = [getattr(consolidate, name) for name in consolidate.__all__ if name.endswith("_shards")]


@pytest.mark.parametrize("graph", [3, "near", [1], POINTS])
@pytest.mark.parametrize("function", GRAPHS)
def test_what_is_no_graph(function: str, graph: object) -> None:
    """Such as the number of neighbours: it is said what makes one."""
    with pytest.raises(UsageError, match=r"^graph is .*expected a NeighbourGraph, made by"):
        GRAPHS[function](graph)


@pytest.mark.parametrize("flag", ["no", 1, 0, None])
@pytest.mark.parametrize("name", FLAGS)
def test_what_is_neither_true_nor_false(name: str, flag: object) -> None:
    """Such as "no", which is true to Python, and would be a promise that nobody gave."""
    with pytest.raises(UsageError, match=rf"^{name} is .*expected True or False$"):
        FLAGS[name](flag)


@pytest.mark.parametrize("name", ["check_memorised", "out_of_sample"])
def test_nor_in_a_check_of_a_frame(name: str) -> None:
    """Also where nothing is judged by what it is about."""
    frame = pd.DataFrame({"kind": ["a", "b"] * 10, "ann": ["a", "b"] * 10})
    flag = {name: "no"}
    with pytest.raises(UsageError, match=f"^{name} is 'no', expected True or False"):
        check_labels(frame, "kind", votes=["ann"], **flag)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [3, [3], [None], "ab"])
def test_what_no_shard_answered(given: object) -> None:
    """A number, a list of one, a text."""
    with pytest.raises(
        UsageError, match=r"^partials.* is .*expected a (list of )?Partial, made by"
    ):
        merge(given)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [3, [3], [None], VOTES, None])
@pytest.mark.parametrize("function", SHARDS)
def test_what_is_no_list_of_votes(function: Wrong, given: object) -> None:
    """One shard without its list, too."""
    with pytest.raises(UsageError, match=r"^shards.* is .*expected a "):
        function(given)


@pytest.mark.parametrize("given", [3, [CODES], "source", POINTS])
def test_what_names_nothing(given: object) -> None:
    """Values need names; a frame has them."""
    said = r"^(attributes|statistics|members) is .*expected a dict of names and values$"
    for function in (
        lambda: underperforming_slices(CODES, given),  # type: ignore[arg-type]
        lambda: spurious_attributes(CODES, given, rng=RNG),  # type: ignore[arg-type]
        lambda: find_drift(given, np.sort(CODES), rng=RNG),  # type: ignore[arg-type]
        lambda: consolidate.blend(VOTES, members=given),  # type: ignore[arg-type]
    ):
        with pytest.raises(UsageError, match=said):
            function()
    with pytest.raises(UsageError, match=r"^places"):
        accumulate(given, risk=0.1, statistics=["x"])  # type: ignore[arg-type]
    assert underperforming_slices(CODES, pd.DataFrame({"odd": CODES})).flagged.shape == (2,)  # type: ignore[arg-type]


def test_steps_may_have_no_end_but_their_number() -> None:
    """Minus infinity takes all steps; other numbers below 0, and no number, are refused."""
    check_steps(3, float("-inf"))
    check_steps(np.int64(3), 0)
    for bad in (-1.0, float("inf"), float("nan"), None):
        with pytest.raises(UsageError, match=r"tolerance is .*, expected a number of 0 or more"):
            check_steps(3, bad)
    with pytest.raises(UsageError, match=r"max_iterations is 3\.0, expected a whole number"):
        check_steps(3.0, 0.1)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, float("nan")])
def test_share_strictly_inside(value: float) -> None:
    """A risk of 0 or 1, or a missing one, is refused by name."""
    with pytest.raises(UsageError, match="risk is"):
        check_share("risk", value, inside=True)


@pytest.mark.parametrize("value", [0, -1, 1.5, "2", None])
def test_what_is_no_whole_number(value: Any) -> None:
    """Whatever does not count something is refused by its name."""
    with pytest.raises(UsageError, match=r"attempt is .*, expected a whole number, 1 or more"):
        check_whole("attempt", value)
    assert check_whole("attempt", np.int64(3)) == 3


def test_what_a_share_may_be_is_said() -> None:
    """With its ends, or without."""
    assert check_share("x", 0.0) == 0.0 and check_share("x", 1) == 1.0
    with pytest.raises(UsageError, match=r"x is 1\.5, expected a share from 0 to 1$"):
        check_share("x", 1.5)
    with pytest.raises(UsageError, match=r"x is 1, expected a share strictly between 0 and 1$"):
        check_share("x", 1, inside=True)


@pytest.mark.parametrize("value", ["0.5", None, [0.5, 0.2]])
def test_what_is_no_number_is_no_share(value: Any) -> None:
    """A text that looks like one is refused in one line, not by Python's."""
    with pytest.raises(UsageError, match=r"risk is .*, expected a share"):
        check_share("risk", value)
