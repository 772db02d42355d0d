"""A label set under the rule `audited`: what a model is sure of stands without votes."""

from __future__ import annotations

from typing import Any

from labelops.autolabel.policy import AcceptancePolicy
from labelops.journey import consolidate, route
from labelops.journey.acceptance import try_to_accept

from .world import World, make_world

POLICY = AcceptancePolicy("audited", min_posterior=0.85, spot_share=0.0)
SURE, UNSURE = [f"s{n:02}" for n in range(30)], [f"u{n:02}" for n in range(30)]


def look(world: World) -> str:
    world.flush()
    found = try_to_accept(world.workspace, 1000, world.tick())
    consolidate(world.workspace, now=world.tick())
    return found


def sure_world(policy: AcceptancePolicy = POLICY, **route: float) -> World:
    """Return thirty items a model is sure of and thirty it is not; people looked at two of each."""
    world = make_world(accept=policy, **{"seed": 4, "training": 4, **route})
    world.items(*SURE, *UNSURE)
    propose(world, "m1", SURE)
    for item in (*SURE[:2], *UNSURE[:2]):
        world.vote(item, ann="cat", ben="cat")
    return world


def propose(world: World, version: str, sure: list[str]) -> None:
    """Let a version be sure of some and not of the others; it has learned from four."""
    world.propose(
        {i: ("cat", 0.97 if i in sure else 0.6) for i in (*SURE, *UNSURE)}, version, fit=False
    )
    body = {"items": 4, "labeler": "m", "object": "t", "since": ""}
    world.say("fit", version, len(world.state.fits), **body)


def by_model(world: World) -> set[str]:
    rows = world.state.labels
    return set(rows.loc[rows["method"] == "accepted", "item_id"])


class Died(BaseException):
    """What a kill is here: nobody catches it."""


def killed(world: World, at: int, when: str) -> bool:
    """Look, decide and plan; die before or after the `at`-th write. Say whether it died."""
    ours: Any = world.workspace
    count = iter(range(1, 1000))

    def trapped(call: Any) -> Any:
        def done(*args: Any, **more: Any) -> Any:
            fatal = next(count) == at
            if fatal and when == "before":
                raise Died
            found = call(*args, **more)
            if fatal:
                raise Died
            return found

        return done

    calls = ours.tables.append, ours.objects.put_new
    ours.tables.append, ours.objects.put_new = map(trapped, calls)
    try:
        try_to_accept(world.workspace, 1000, world.now)
        consolidate(world.workspace, now=world.now)
        route(world.workspace, now=world.now)
    except Died:
        return True
    finally:
        ours.tables.append, ours.objects.put_new = calls
    return False
