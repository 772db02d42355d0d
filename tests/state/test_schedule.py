"""A schedule with mishaps: runs that overlap at any moment, and runs that are killed at any."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from labelops.autolabel.policy import AcceptancePolicy
from labelops.journey import consolidate, gate
from labelops.journey.acceptance import try_to_accept
from labelops.measure.eprocess import hypothesis_risk
from labelops.state import State, Workspace
from labelops.state.drift import drift_watch, stream_items
from labelops.state.watch import closings
from labelops.testing.memory import MemoryTables

from .world import World, make_world

POLICY = AcceptancePolicy(error=0.2, spot_share=0.2)


class Unlucky(MemoryTables):
    """Tables of a process to which something happens at one of its appends."""

    def __init__(self, like: MemoryTables, at: int, mishap: Callable[[], None]) -> None:
        self.parts, self.at, self.mishap = like.parts, at, mishap

    def append(self, table: str, frame: pd.DataFrame, *, after: int | None = None) -> None:
        self.at -= 1
        if self.at == 0:
            self.mishap()
        super().append(table, frame, after=after)


def _run(workspace: Workspace, world: World) -> None:
    """Do what a run does once votes have come."""
    consolidate(workspace, now=world.tick())
    try_to_accept(workspace, 1000, world.tick())
    consolidate(workspace, now=world.tick())
    gate(workspace, now=world.tick(), split_groups={})


def _killed() -> None:
    raise KeyboardInterrupt


def _day(world: World, day: int, rng: np.random.Generator) -> None:
    """Let items come, people answer, and a run go wrong in one of three ways."""
    ids = [f"d{day:02}-{n:02}" for n in range(int(rng.integers(30, 50)))]
    world.items(*ids)
    # From the middle on the model is less sure, and there is a new one later.
    low = 0.6 if day < 7 else 0.35
    version = "m1" if day < 11 else "m2"
    every = world.state.item_ids if version == "m2" else ids
    world.propose(
        {i: ("cat", float(rng.uniform(low, low + 0.3))) for i in every},
        version,
        fit=day in (0, 11),
    )
    state, idle = world.state, rng.random() < 0.2
    for item in state.calibration_stream.ids[state.calibration_looks.status == 0]:
        if not idle:
            said = "cat" if rng.random() < 0.97 else "dog"
            world.vote(item, "calibrate", ann=said, ben=said, cid=said)
    world.flush()
    kind, at = rng.integers(3), int(rng.integers(1, 8))
    tables: MemoryTables = world.workspace.tables  # type: ignore[assignment]
    mishap = _killed if kind == 1 else lambda: _run(world.workspace, world)
    unlucky = Unlucky(tables, at if kind else 0, mishap)
    try:
        _run(dataclasses.replace(world.workspace, tables=unlucky, cache={}), world)
    except KeyboardInterrupt:
        world.workspace.cache.clear()


def _check(world: World) -> State:
    """Hold what was said against what has to be so at any time."""
    state, said = world.state, world.workspace.tables.read("events")
    assert said["event_id"].is_unique
    found = state.hypotheses
    assert [h.number for h in found] == list(range(1, len(found) + 1))
    assert [h.risk for h in found] == [hypothesis_risk(h.number, POLICY.risk) for h in found]
    streams = said.loc[said["kind"] == "stream"].sort_values("revision")["body"].map(json.loads)
    read = [state._ids_kept(body["object"]) for body in streams]
    assert all(later[: len(one)] == one for one, later in itertools.pairwise(read))
    watch, stream = drift_watch(state), stream_items(state)
    assert len(stream) == watch.items and stream["item_id"].is_unique
    assert set(state.accepted["item_id"]) <= set().union(*map(state.tested_items, state.standing))
    labels = world.workspace.tables.read("labels")
    assert not labels.duplicated(["item_id", "revision"]).any()
    assert not world.workspace.tables.read("plan").duplicated(["item_id", "round", "purpose"]).any()
    return state


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_fortnight_of_mishaps(seed: int) -> None:
    """Whatever overlaps or dies: no risk is spent twice, no look lost, moved or counted twice.

    After one undisturbed run nothing is accepted under what is closed.
    """
    rng, world = np.random.default_rng(seed), make_world(accept=POLICY, calibration=40)
    for day in range(15):
        _day(world, day, rng)
        _check(world)
    _run(world.workspace, world)
    state = _check(world)
    assert closings(state) == [] and len(state.hypotheses) >= 2
    accepted = state.labels.loc[state.labels["method"] == "accepted", "item_id"]
    assert set(accepted) <= set(state.accepted["item_id"]) | set(state.frozen["item_id"])
    assert drift_watch(state).looks > 5
