"""Known answers and classes that come later: nobody is held to what could not be said then."""

from __future__ import annotations

from labelops.journey import adopt_schema
from labelops.schema import Schema
from labelops.state import say
from labelops.state.gold import gold_answers
from labelops.state.people import annotator_table

from .world import PETS, World, make_world

GOLD = [f"g{n:02d}" for n in range(8)]
SPLIT = Schema("pets", (*PETS.classes, "pup"), splits={"dog": ("pup",)})


def _known(world: World, name: str, *items: str) -> None:
    say(world.state, [("gold", i, world.hour, {"value": f'"{name}"'}) for i in items], world.tick())


def _answered() -> World:
    """Return a label set in which ann and ben answered all gold rightly: it was dogs."""
    world = make_world(PETS)
    world.items(*GOLD)
    adopt_schema(world.workspace, now=world.tick())
    _known(world, "dog", *GOLD)
    for item in GOLD:
        world.vote(item, "gold", ann="dog", ben="dog")
    world.flush()
    return world


def _after_split(world: World) -> World:
    later = make_world(SPLIT, like=world)
    adopt_schema(later.workspace, now=later.tick())
    return later


def _right(world: World) -> dict[str, tuple[int, int]]:
    """Return how many gold answers of each person are right, of how many."""
    found = gold_answers(world.state).groupby("annotator")["right"].agg(["sum", "count"])
    table = annotator_table(world.state).set_index("annotator")[["right", "judged"]]
    told = {name: (int(row["sum"]), int(row["count"])) for name, row in found.iterrows()}
    assert {n: (int(r.right), int(r.judged)) for n, r in table.iterrows() if r.judged} == told
    return told


def test_answers_from_before_a_class_are_not_held_against_it() -> None:
    """The owner corrects a known answer to a new class: who answered before is not wrong."""
    world = _after_split(_answered())
    assert _right(world) == {"human:ann": (8, 8), "human:ben": (8, 8)}
    _known(world, "pup", *GOLD[:5])
    assert _right(world) == {"human:ann": (3, 3), "human:ben": (3, 3)}
    for item in GOLD[:2]:
        world.vote(item, "gold", cid="pup", dan="dog")
    world.flush()
    told = _right(world)
    assert (told["human:cid"], told["human:dan"]) == ((2, 2), (0, 2)), "both could name it"


def test_a_known_answer_of_a_split_class_knows_nothing_of_its_parts() -> None:
    """Until its owner says it again: who names a part is not wrong, who names another class is."""
    world = _after_split(_answered())
    for item in GOLD[:4]:
        world.vote(item, "gold", cid="pup", dan="cat", eve="dog")
    world.flush()
    told = _right(world)
    assert "human:cid" not in told, "nothing judges them"
    assert (told["human:dan"], told["human:eve"]) == ((0, 4), (4, 4))
    _known(world, "dog", *GOLD[:4])
    assert _right(world)["human:cid"] == (0, 4), "said since, it is meant"


def test_a_split_that_is_not_in_force_yet() -> None:
    """Settings that were changed and only read so far: everybody is judged as before."""
    assert _right(make_world(SPLIT, like=_answered())) == {
        "human:ann": (8, 8),
        "human:ben": (8, 8),
    }


def test_a_class_that_is_renamed_is_the_same() -> None:
    """Answers given under the earlier name count."""
    world = _answered()
    renamed = Schema("pets", ("cat", "hound", "cow"), renames={"dog": "hound"})
    later = make_world(renamed, like=world)
    adopt_schema(later.workspace, now=later.tick())
    assert _right(later) == {"human:ann": (8, 8), "human:ben": (8, 8)}
