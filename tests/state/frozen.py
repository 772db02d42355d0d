"""Labels that are frozen for an audit, and closed again."""

from __future__ import annotations

from labelops.gate.candidate import Candidate
from labelops.gate.checks import evaluate
from labelops.gate.policy import GatePolicy
from labelops.state.facts import gate_facts

from .world import World, make_world

GATE = GatePolicy(error=0.2)


def freeze(
    world: World,
    number: int = 1,
    stream: int = 1,
    *,
    ties: bool = False,
    firsts: bool = False,
    left: tuple[str, ...] = (),
) -> Candidate:
    """Freeze the labels there are."""
    labels = world.state.labels
    revision = int(labels["revision"].max())
    rule = {"ties": ties, "firsts": firsts, "left": left}
    candidate = Candidate(number, revision, stream, len(labels), "d", **rule)
    world.say("candidate", str(number), 0, **_body(candidate))
    return candidate


def close(world: World, candidate: Candidate, why: str) -> None:
    """Close a candidate."""
    world.say("candidate", str(candidate.number), 1, **(_body(candidate) | {"closed": why}))


def _body(c: Candidate) -> dict[str, object]:
    names = ("number", "revision", "stream", "items", "digest", "closed", "ties", "firsts", "left")
    return {n: getattr(c, n) for n in names}


IDS = [f"i{n:02d}" for n in range(40)]


def forty_pets() -> World:
    """Return a label set of forty items that nobody has labeled yet."""
    world = make_world(gate=GATE)
    world.items(*IDS)
    return world


def certified_message(world: World) -> str:
    verdict = evaluate(gate_facts(world.state, world.now, {}), GATE)
    return verdict.checks[0].message
