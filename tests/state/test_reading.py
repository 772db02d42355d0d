"""What a labeler reads without labels, and that a version never reads anything else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from labelops.autolabel.policy import AcceptancePolicy
from labelops.digest import digest
from labelops.journey import autolabel
from labelops.schema import Schema

from .world import World, make_world, words

NEVER = AcceptancePolicy(rule="never")


class Reader:
    """A labeler whose version is what it read and learned from."""

    name = "model:reader"

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []

    def read(self, items: pd.DataFrame, schema: Schema) -> None:
        self.seen.append(dict(zip(items["item_id"], items["payload"], strict=True)))

    def fit(
        self, items: pd.DataFrame, codes: Sequence[int], groups: Sequence[str], schema: Schema
    ) -> str:
        return digest([self.seen[-1], list(items["item_id"])])

    def propose(self, items: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        n = len(items)
        columns = {"value": words(*["cat"] * n), "confidence": np.full(n, 0.9)}
        return pd.DataFrame({"item_id": items["item_id"], **columns, "probs": None, "fold": 0})


def _labeled(world: World, ids: Sequence[str]) -> None:
    for n, item in enumerate(ids):
        world.vote(item, ann=("cat", "dog")[n % 2])
    world.flush()


def _world(accept: AcceptancePolicy, **route: int) -> World:
    world = make_world(accept=accept, seed=10, training=10, **route)
    ids = [f"i{n:02}" for n in range(40)]
    world.items(*ids)
    sample = set(world.state.calibration_stream.ids)
    _labeled(world, [i for i in ids if i not in sample][:12])
    return world


def test_a_version_reads_what_it_read_when_it_was_fitted() -> None:
    """Items that come later are not read, nor what a revised one says now: no new version."""
    world, reader = _world(NEVER), Reader()
    autolabel(world.workspace, reader, now=world.tick())
    version = world.state.labeler_version
    world.items("i39", payload="other text of", revision=1)
    world.items("late")
    autolabel(world.workspace, reader, now=world.tick())
    assert reader.seen[0] == reader.seen[1]
    assert reader.seen[1]["i39"] == "text of i39"
    assert world.state.labeler_version == version
    assert len(world.state.current_proposals) == 41

    _labeled(world, [f"i{n:02}" for n in range(12, 30)])
    autolabel(world.workspace, reader, now=world.tick())
    assert len(reader.seen[2]) == 41, "another version reads all there is"
    assert reader.seen[2]["i39"] == "other text of i39"


def test_an_e_process_is_tested_on_what_was_not_read() -> None:
    """It speaks of items to come, which nobody has read; a fixed test of the set there is."""
    for test, unread in (("e-process", 10), ("fixed", 0)):
        world, reader = _world(AcceptancePolicy(test=test), calibration=10), Reader()
        autolabel(world.workspace, reader, now=world.tick())
        sample = set(world.state.calibration_stream.ids)
        assert len(sample - reader.seen[0].keys()) == unread
        assert len(reader.seen[0]) == 40 - unread
