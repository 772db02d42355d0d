"""What is kept from one state of a workspace to the next is what would be computed anew."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from labelops.state import load

from .test_acceptance import stand
from .world import World, make_world


def same_as_anew(world: World) -> None:
    """Compare what this workspace kept with what one that kept nothing says."""
    state = world.state
    anew = load(dataclasses.replace(world.workspace, cache={}))
    pd.testing.assert_frame_equal(state.current, anew.current)
    pd.testing.assert_frame_equal(state.decided[1], anew.decided[1])


@pytest.mark.slow
def test_kept_decisions_follow_every_change() -> None:
    """Votes, a flag, proposals, a hypothesis, its end and new content each change decisions."""
    world = make_world()
    world.items("a", "b", "c")
    same_as_anew(world)
    world.vote("a", ann="cat", ben="cat", cat="dog")
    world.vote("b", ann="dog")
    same_as_anew(world)
    world.say("annotator_flagged", "human:ann", reason="a test")
    same_as_anew(world)
    world.propose({"a": ("cat", 0.9), "b": ("dog", 0.9), "c": ("cow", 0.9)})
    same_as_anew(world)
    stand(world, "a", "b", "c")
    same_as_anew(world)
    assert (world.state.decided[1]["method"] == "accepted").any()
    world.items("c", payload="other text of", revision=1)
    same_as_anew(world)
    world.propose({"a": ("cow", 0.6), "b": ("cow", 0.6)}, version="m2")
    same_as_anew(world)


def test_what_did_not_change_is_not_made_again() -> None:
    """A state that differs by an unrelated event shares its votes and decisions."""
    world = make_world()
    world.items("a")
    world.vote("a", ann="cat", ben="cat")
    before = world.state
    decided, current = before.decided, before.current
    world.say("collected", "test", cursor="1")
    after = world.state
    assert after is not before
    assert after.decided is decided and after.current is current
