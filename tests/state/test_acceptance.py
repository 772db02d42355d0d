"""What a standing hypothesis accepts: only what was tested."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from labelops.autolabel.hypotheses import Hypothesis
from labelops.autolabel.policy import AcceptancePolicy
from labelops.digest import canonical_json
from labelops.journey import consolidate
from labelops.journey.acceptance import try_to_accept
from labelops.journey.autolabel import _rows_to_fit
from labelops.journey.gate import _untried
from labelops.schema import Schema
from labelops.state.audited import kept_by_release
from labelops.state.training import training_rows

from .frozen import close, freeze
from .world import PETS, World, make_world, words


def stand(world: World, *ids: str, number: int = 1, accepted: int = 2) -> Hypothesis:
    """Let a hypothesis about items stand."""
    facts = (number, "m1", "all", 4, 2, "joint", 0.02, 0.03, 0.5, accepted, 0, 1, "a test")
    found = Hypothesis(*facts, tested="p")
    world.workspace.objects.put_new("pools/p.json", canonical_json(list(ids)).encode())
    world.say("hypothesis", str(number), 0, **json.loads(found.to_body()))
    return found


def test_late_answers_are_not_accepted() -> None:
    """A proposal that came after the test was none when it was tested, whatever it says now."""
    world = make_world()
    world.items("a", "b", "c")
    world.propose({"a": ("cat", 0.9)})
    stand(world, "a")
    assert world.state.accepted["item_id"].tolist() == ["a"]
    world.propose({"b": ("cat", 0.99)}, fit=False)
    assert world.state.accepted["item_id"].tolist() == ["a"]


def test_a_revised_item_is_not_accepted() -> None:
    """What the model says of new content was not part of the test."""
    world = make_world()
    world.items("a", "b")
    world.propose({"a": ("cat", 0.9), "b": ("dog", 0.9)})
    stand(world, "a", "b")
    world.items("b", payload="other text of", revision=1)
    world.propose({"b": ("cow", 0.99)}, fit=False)
    assert world.state.accepted["item_id"].tolist() == ["a"]


def test_a_closed_hypothesis_accepts_nothing() -> None:
    """Once an audit failed, nothing it accepted stands."""
    world = make_world()
    world.items("a")
    world.propose({"a": ("cat", 0.9)})
    body = json.loads(replace(stand(world, "a"), closed="the audit failed").to_body())
    world.say("hypothesis", "1", 1, **body)
    assert world.state.accepted.empty and world.state.standing == ()


def test_what_the_last_release_has_is_kept_and_what_an_earlier_one_had_is_not() -> None:
    """People have overruled that since. What is frozen is kept, too: it may be released so."""
    world = make_world()
    world.items("a", "b", "c")
    world.propose(dict.fromkeys("abc", ("cat", 0.9)))
    found = stand(world, "a", "b", "c", accepted=3)
    for number, said in enumerate(("cat", "dog", "cat"), 1):
        world.label({"a": "cat", "b": said, "c": "dog"})
        candidate = freeze(world, number)
        if number < 3:
            close(world, candidate, f"released pets@1.{number}.0")
            kept = kept_by_release(world.state, found)
            assert set(kept.index) == ({"a", "b"} if said == "cat" else {"a"})
    assert set(kept_by_release(world.state, found).index) == {"a", "b"}


TRIED = AcceptancePolicy("joint", error=0.2, risk=0.2)


def _sure(wrong: int = 0, accept: AcceptancePolicy = TRIED) -> World:
    """Return a set of which a model is sure; of thirty calibration items some it gets wrong."""
    world = make_world(accept=accept, calibration=30, seed=4, training=10)
    ids = [f"i{n:03d}" for n in range(120)]
    world.items(*ids)
    world.propose(dict.fromkeys(ids, ("cat", 0.97)))
    for n, item in enumerate(world.state.calibration_stream.ids):
        people = ("ann", "ben", "cid") if n < wrong else ("ann",)
        world.vote(item, "calibrate", **dict.fromkeys(people, "dog" if n < wrong else "cat"))
    for item in ids[:4]:
        world.vote(item, ann="cat", ben="cat")
    world.flush()
    return world


@pytest.mark.parametrize(("wrong", "stands"), [(0, True), (1, True), (8, False)])
def test_what_people_find_wrong_speaks_against_the_model(wrong: int, stands: bool) -> None:
    """Of thirty items of which it is sure it may get one wrong in five, and no more than that."""
    world = _sure(wrong)
    try_to_accept(world.workspace, 1000, world.tick())
    (found,) = world.state.hypotheses
    assert (found.sample, found.votes) == (30, 30 + 2 * wrong)
    assert found.accepts_some == stands == bool(len(world.state.accepted))
    assert not stands or found.errors == wrong


@pytest.mark.parametrize("accept", [TRIED, AcceptancePolicy("audited", min_posterior=0.85)])
def test_a_model_that_learned_from_too_little_is_taken_for_nothing(
    accept: AcceptancePolicy,
) -> None:
    """However sure it is, and whatever judges it; one that learned from just enough is."""
    world = _sure(accept=accept)
    enough = int(world.state.training_enough)
    said = try_to_accept(world.workspace, enough - 1, world.tick())
    assert said == f"{enough - 1} items are too few to try acceptance"
    assert not world.state.hypotheses and world.state.accepted.empty
    try_to_accept(world.workspace, enough, world.tick())
    assert len(world.state.accepted) > 80


@pytest.mark.parametrize(
    "accept",
    [
        pytest.param(TRIED, marks=pytest.mark.slow),
        AcceptancePolicy("audited", min_posterior=0.85),
    ],
)
def test_an_audit_doubts_what_stands_by_a_posterior_alone(accept: AcceptancePolicy) -> None:
    """What a random sample has tried is doubted by what that found; of the rest nobody knows."""
    world = _sure(accept=accept)
    try_to_accept(world.workspace, 1000, world.tick())
    done = consolidate(world.workspace, now=world.tick())
    labels = world.state.labels
    by_model = labels["method"] == "accepted"
    assert done.accepted == by_model.sum() > 80
    assert done.decided == labels["value"].notna().sum() == 120 - done.undecided
    untried = _untried(world.state, labels)
    assert (untried == (by_model if accept.rule == "audited" else False)).all()


def test_training_rows_survive_another_class_order() -> None:
    """A class put before the others does not turn yesterday's cats into dogs."""
    world = make_world()
    world.items("a", "b", "c", "d")
    body = canonical_json({"items": ["a", "b"], "values": words("cat", "cow")})
    world.workspace.objects.put_new("training/x.json", body.encode())
    world.vote("a", ann="cat")
    world.vote("b", ann="cow")
    world.say("fit", "m1", 0, items=2, labeler="m", object="training/x.json")
    world.flush()
    later = make_world(Schema("pets", ("ant", *PETS.classes)), like=world)
    rows, new = _rows_to_fit(later.state, training_rows(later.state))
    assert not new
    names = [later.workspace.schema.classes[c] for c in rows.codes]
    assert names == ["cat", "cow"]


def test_training_leaves_out_what_was_revised() -> None:
    """An item whose content changed is not learned from with its old label."""
    world = make_world()
    world.items("a", "b")
    body = canonical_json({"items": ["a", "b"], "values": words("cat", "cow")})
    world.workspace.objects.put_new("training/x.json", body.encode())
    world.vote("a", ann="cat")
    world.vote("b", ann="cow")
    world.say("fit", "m1", 0, items=2, labeler="m", object="training/x.json")
    world.items("b", payload="other text of", revision=1)
    rows, _ = _rows_to_fit(world.state, training_rows(world.state))
    assert rows.ids.tolist() == ["a"]


def test_the_calibration_sample_is_never_learned_from() -> None:
    """Whatever votes an item of the sample has, it is no training item."""
    world = make_world(calibration=2, accept=AcceptancePolicy())
    ids = [f"i{n}" for n in range(8)]
    world.items(*ids)
    for item in ids:
        world.vote(item, ann="cat")
        world.vote(item, "calibrate", ben="dog")
    sample = set(world.state.calibration_sample.ids)
    rows = training_rows(world.state)
    assert len(sample) == 2 and set(rows.ids) == set(ids) - sample
    assert {PETS.classes[c] for c in rows.codes} == {"cat"}, "calibration votes train nothing"


def test_what_a_grown_sample_holds_is_unlearned() -> None:
    """Where new items make the sample larger, it may hold items learned from: no longer."""
    world = make_world(calibration=100, accept=AcceptancePolicy())
    ids = [f"i{n}" for n in range(8)]
    world.items(*ids)
    rest = [i for i in ids if i not in world.state.calibration_sample.ids]
    body = json.dumps({"items": rest, "values": words(*["cat"] * len(rest))})
    world.workspace.objects.put_new("training/x.json", body.encode())
    for item in rest:
        world.vote(item, ann="cat")
    world.say("fit", "m1", 0, items=len(rest), labeler="m", object="training/x.json")
    again, is_new = _rows_to_fit(world.state, training_rows(world.state))
    assert (again.ids.tolist(), is_new) == (rest, False)
    world.items(*(f"j{n}" for n in range(40)))
    sample = set(world.state.calibration_sample.ids)
    assert sample & set(rest), "this draw tests nothing; take another key"
    again, is_new = _rows_to_fit(world.state, training_rows(world.state))
    assert (set(again.ids), is_new) == (set(rest) - sample, True)


def test_who_has_no_sample_is_not_told_that_acceptance_is_off() -> None:
    """Too few items for a sample is not what `rule = "never"` is."""
    for rule, says in (("joint", "no random sample to try"), ("never", "acceptance is switched")):
        world = make_world(accept=AcceptancePolicy(rule=rule), calibration=0)
        world.items("a", "b", "c")
        world.propose({"a": ("cat", 0.9)})
        assert says in try_to_accept(world.workspace, 3, world.tick())
