"""Before an audit it is said how many labels a small team cannot audit by itself."""

from __future__ import annotations

import pytest

from labelops.gate.checks import evaluate
from labelops.gate.policy import GatePolicy
from labelops.schema import Schema
from labelops.state.auditors import auditors_lacking
from labelops.state.facts import gate_facts

from .world import World, make_world

TEN = Schema("digits", tuple("0123456789"))
IDS = [f"i{n:03d}" for n in range(120)]


def _said(world: World) -> str:
    """Return what the gate says of the certificate."""
    policy = world.workspace.policies.gate
    return evaluate(gate_facts(world.state, world.now, {}), policy).checks[0].message


@pytest.mark.slow
def test_what_a_whole_team_of_one_or_two_looked_at_needs_somebody_new() -> None:
    """One may audit what the other labeled; what both looked at neither may, and nobody is left."""
    world = make_world()
    world.items(*IDS[:6])
    assert auditors_lacking(world.state) == ""
    world.vote(IDS[0], ann="cat")
    world.label({IDS[0]: "cat"})
    one = "1 label needs somebody new to audit it: one person is all the team"
    assert auditors_lacking(world.state) == one
    for item in IDS[1:3]:
        world.vote(item, ann="cat", ben="cat")
    world.vote(IDS[3], ann="cat", ben="dog")
    world.label(dict.fromkeys(IDS[:3], "cat"))
    two = "2 labels need somebody new to audit them: both people have looked at them"
    assert auditors_lacking(world.state) == two
    assert two in _said(world), "long before anything is frozen"
    world.vote(IDS[4], cid="cat")
    assert auditors_lacking(world.state) == "", "somebody new has come"


def _three(split: int, *, alike: bool) -> World:
    """Let three people label all; one of them in turn is wrong on so many of the items."""
    world = make_world(TEN, gate=GatePolicy(error=0.1))
    world.items(*IDS)
    names, labels = ("ann", "ben", "cid"), {}
    for n, item in enumerate(IDS):
        right = n % 10
        said = dict.fromkeys(names, str(right))
        if n < split:
            # Each mistake of its own, or a 1 for a 0 and a 0 for a 1 by everybody.
            right = n % 2 if alike else right
            said = dict.fromkeys(names, str(right))
            said[names[n % 3]] = str(1 - right if alike else (right + 1 + n // 10) % 10)
        world.vote(item, **said)
        labels[item] = str(right)
    world.label(labels)
    return world


@pytest.mark.parametrize(
    ("split", "alike", "waits"),
    [
        pytest.param(13, True, True, marks=pytest.mark.slow),
        pytest.param(12, True, False, marks=pytest.mark.slow),
        pytest.param(13, False, False, marks=pytest.mark.slow),
    ],
)
def test_three_whose_mistakes_are_alike_are_told(split: int, alike: bool, waits: bool) -> None:
    """Once more labels are split than may be wrong; where first votes are audited, never."""
    world = _three(split, alike=alike)
    said = "13 labels need a fourth person, or count as wrong, and 12 may: three people alone"
    assert auditors_lacking(world.state).startswith(said) is waits
    assert (auditors_lacking(world.state) == "") is not waits
    assert (said in _said(world)) is waits
    world.items("later")
    world.vote("later", dan="0")
    assert auditors_lacking(world.state) == "", "a fourth may settle them"
