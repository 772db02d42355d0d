"""Items that are taken out of a label set, or back into it."""

from __future__ import annotations

from functools import cache

import pandas as pd

from labelops.adapters.parquet import decode_parquet
from labelops.gate.policy import GatePolicy
from labelops.withdrawing import Withdrawn, withdraw

from .world import World, make_world

IDS = [f"i{n:02d}" for n in range(40)]


def out(world: World, *items: str, back: bool = False, why: str = "asked for") -> Withdrawn:
    """Withdraw items, or take them back."""
    world.flush()
    return withdraw(
        world.workspace,
        items,
        because=why,
        by="ann",
        now=world.tick(),
        decode=decode_parquet,
        back=back,
    )


@cache
def labeled_cat() -> World:
    """Forty items that two people labeled cat."""
    world = make_world(gate=GatePolicy(error=0.2, agreement=-1.0, per_class=0))
    world.items(*IDS)
    for item in IDS:
        world.vote(item, ann="cat", ben="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    world.say("consolidated", "votes", 1, votes=world.state.votes_digest)
    return world


def order(world: World) -> list[str]:
    """Return the items in the order of the open candidate's audit."""
    candidate = world.state.candidate
    assert candidate is not None
    return [str(i) for i in world.state.audit_order(candidate, world.state.item_ids).ids]


def labels(world: World) -> pd.Series:
    return world.state.labels.set_index("item_id")["value"]
