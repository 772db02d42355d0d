"""What a labeler reads without labels, and that a version never reads anything else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from labelops.autolabel.policy import AcceptancePolicy
from labelops.digest import digest
from labelops.journey import autolabel
from labelops.schema import Schema

from .world import World, make_world, words

NEVER = AcceptancePolicy(rule="never")
EACH = AcceptancePolicy(rule="joint", test="e-process")
FIXED_TEST = AcceptancePolicy(rule="joint", test="fixed")


class Reader:
    """A labeler whose version is what it read, in that order, and what it learned from."""

    name = "model:reader"

    def __init__(self, *, gains: bool = True) -> None:
        self.seen: list[dict[str, str]] = []
        self.gains = gains
        self.fits = 0

    def read(self, items: pd.DataFrame, schema: Schema) -> None:
        self.seen.append(dict(zip(items["item_id"], items["payload"], strict=True)))

    def fit(
        self, items: pd.DataFrame, codes: Sequence[int], groups: Sequence[str], schema: Schema
    ) -> str:
        self.fits += 1
        return digest([list(self.seen[-1].items()) if self.gains else [], list(items["item_id"])])

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
    world.items(*reversed(ids))
    # Those drawn first are not learned from, whatever the size of the sample.
    first = set(world.workspace.sample("calibrate", ids, 10).ids)
    _labeled(world, [i for i in ids if i not in first][:12])
    return world


@pytest.mark.slow
def test_a_version_reads_what_it_read_when_it_was_fitted() -> None:
    """Items that come later are not read, nor what a revised one says now: no new version."""
    world, reader = _world(NEVER), Reader()
    autolabel(world.workspace, reader, now=world.tick())
    version = world.state.labeler_version
    world.items("i39", payload="other text of", revision=1)
    world.items("late")
    autolabel(world.workspace, reader, now=world.tick())
    assert list(reader.seen[0]) == list(reader.seen[1]) == sorted(reader.seen[0])
    assert reader.seen[0] == reader.seen[1]
    assert reader.seen[1]["i39"] == "text of i39"
    assert world.state.labeler_version == version
    assert len(world.state.current_proposals) == 41

    _labeled(world, [f"i{n:02}" for n in range(12, 30)])
    autolabel(world.workspace, reader, now=world.tick())
    assert len(reader.seen[2]) == 41, "another version reads all there is"
    assert reader.seen[2]["i39"] == "other text of i39"


@pytest.mark.slow
def test_an_e_process_is_tested_on_what_was_not_read() -> None:
    """It speaks of items to come, which nobody has read; a fixed test of the set there is."""
    for test, unread in (("e-process", 10), ("fixed", 0)):
        world, reader = _world(AcceptancePolicy(test=test), calibration=10), Reader()
        autolabel(world.workspace, reader, now=world.tick())
        sample = set(world.state.calibration_stream.ids)
        assert len(sample - reader.seen[0].keys()) == unread
        assert len(reader.seen[0]) == 40 - 2 * unread, "nor is what would be drawn next"


@pytest.mark.slow
def test_a_set_that_grows_does_not_draw_what_was_read() -> None:
    """What would be drawn next was not read: the sample grows, and the version stays."""
    for name in "ab":
        world, reader = make_world(accept=EACH, seed=10, training=10, calibration=60), Reader()
        world.items(*(f"{name}{n:03}" for n in range(80)))
        # What was learned from is drawn last, and never unlearned.
        _labeled(world, world.workspace.sample("calibrate", world.state.item_ids).ids[-12:])
        for step in range(4):
            if step:
                world.items(*(f"{name}{step}{n:03}" for n in range(30)))
            autolabel(world.workspace, reader, now=world.tick())
            sample = world.state.calibration_stream.ids
            assert reader.seen[-1].keys().isdisjoint(sample)
        assert len(sample) > 40
        assert len(world.state.fits) == 1


@pytest.mark.slow
def test_what_was_read_is_unread_when_it_is_to_judge() -> None:
    """A much larger sample holds items that were read: another version has not read them.

    A fixed test does not mind. A labeler that gains nothing by reading is fitted once more, and is
    the same version.
    """
    for accept, gains, fits in ((EACH, True, 2), (EACH, False, 2), (FIXED_TEST, True, 1)):
        before, reader = _world(accept, calibration=3), Reader(gains=gains)
        autolabel(before.workspace, reader, now=before.tick())
        world = make_world(accept=accept, seed=10, training=10, calibration=10, like=before)
        drawn, learned = set(world.state.calibration_stream.ids), set(world.state.evidence.item_id)
        assert len(drawn) == 10
        assert drawn.isdisjoint(learned), "what was learned from would be another reason"
        assert not drawn.isdisjoint(reader.seen[0])
        for _ in range(3):
            autolabel(world.workspace, reader, now=world.tick())
            assert accept is FIXED_TEST or drawn.isdisjoint(reader.seen[-1])
        assert reader.fits == fits
        assert len(world.state.fits) == (2 if fits == 2 and gains else 1)
