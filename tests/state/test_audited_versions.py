"""The rule `audited` from one labeler version to the next: what is kept, judged, and waits."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labelops.autolabel.hypotheses import AUDIT, DRIFT, SPOT, close
from labelops.autolabel.policy import AcceptancePolicy
from labelops.errors import SettingsError
from labelops.journey import consolidate, route
from labelops.journey.acceptance import close_void
from labelops.schema import Schema

from .audited import POLICY, SURE, UNSURE, by_model, killed, look, propose, sure_world
from .world import World, make_world, words

NO_PROBABILITIES = "this labeler gives no probabilities: under 'audited' nothing of it stands"


def _values(world: World) -> dict[str, Any]:
    return dict(world.state.labels.set_index("item_id")["value"])


def _freeze(world: World) -> dict[str, Any]:
    """Let the labels there are be a candidate; return what is said of it."""
    labels = world.state.labels
    body = {"number": 1, "revision": int(labels["revision"].max()), "stream": 1, "items": 60}
    body["digest"] = "d"
    world.say("candidate", "1", 0, **body)
    return body


def _release(world: World) -> None:
    """Let the labels there are be released."""
    world.say("candidate", "1", 1, **_freeze(world), closed="released pets@1.0.0")


def _contrary(world: World, version: str, *contrary: str, sure: list[str]) -> None:
    """Let a version be sure of some, and of another class on a part of these."""
    classes = {i: "dog" if i in contrary else "cat" for i in (*SURE, *UNSURE)}
    answers = {i: (c, 0.97 if i in sure else 0.6) for i, c in classes.items()}
    world.propose(answers, version, fit=False)
    body = {"items": 4, "labeler": "m", "object": "t", "since": ""}
    world.say("fit", version, len(world.state.fits), **body)


def _silent(world: World, confidence: float) -> None:
    """Let a version name a class for each item, without probabilities."""
    ids = [*SURE, *UNSURE]
    rows = {
        "item_id": ids, "labeler": "model:test", "labeler_version": "m1",
        "value": words(*["cat"] * len(ids)), "confidence": [confidence] * len(ids),
        "probs": [None] * len(ids), "schema_digest": world.workspace.schema.digest,
        "proposed_at": world.tick(),
    }  # fmt: skip
    world.append("proposals", rows, len(ids))
    world.say("fit", "m1", 0, items=4, labeler="m", object="t", since="")


@pytest.mark.parametrize(
    "confidence", [0.3, *(pytest.param(c, marks=pytest.mark.slow) for c in (0.99, np.nan))]
)
def test_without_probabilities_nothing_stands_whatever_people_say(confidence: float) -> None:
    """What most people's votes name is no belief of the model's: nothing is accepted, it says."""
    world = make_world(accept=POLICY, seed=4, training=4)
    world.items(*SURE, *UNSURE)
    _silent(world, confidence)
    for item in SURE[:20]:
        world.vote(item, ann="cat", ben="cat")
    assert look(world) == NO_PROBABILITIES
    assert not by_model(world)
    assert world.state.hypotheses[0].accepted == 0
    assert look(world) == NO_PROBABILITIES and world.state.hypotheses[0].looks == 1


@pytest.mark.slow
def test_what_was_released_stays_whatever_a_newer_version_says() -> None:
    """A newer version flips no released label and empties none; it judges what has none."""
    world = sure_world()
    look(world)
    for item in UNSURE[2:20]:
        world.vote(item, ann="dog", ben="dog")
    look(world)
    before = {i: v for i, v in _values(world).items() if v}
    assert len(before) == 50
    _release(world)
    world.items("new")
    world.propose({"new": ("cat", 0.97)}, "m2", fit=False)
    _contrary(world, "m2", *SURE[10:15], sure=SURE[:20] + UNSURE)
    look(world)
    after = _values(world)
    assert {i: after[i] for i in before} == before
    assert {"new", *UNSURE[20:]} <= by_model(world)
    first, second = world.state.hypotheses
    assert (first.kept, first.accepted, second.accepted) == (True, 28, 11)
    assert world.state.standing == (second, first)
    written = len(world.workspace.tables.read("labels"))
    look(world)
    assert len(world.workspace.tables.read("labels")) == written
    # Once more: what two versions gave is kept of both, where it was released.
    _contrary(world, "m3", *SURE, sure=[])
    look(world)
    after = _values(world)
    assert {i: after[i] for i in before} == before
    assert after["new"] is None, "it was in no release"
    assert [h.accepted for h in world.state.hypotheses] == [28, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("passed", [True, False])
def test_what_is_under_audit_is_released_as_it_was_frozen(passed: bool) -> None:
    """A version that comes in between moves nothing of it; after a failed audit nothing is kept."""
    world = sure_world()
    look(world)
    body = _freeze(world)
    before = {i: v for i, v in _values(world).items() if v}
    _contrary(world, "m2", *SURE[10:15], sure=SURE[:20])
    look(world)
    first, second = world.state.hypotheses
    assert (first.accepted, first.kept, second.accepted) == (28, True, 0)
    if passed:
        world.say("candidate", "1", 1, **body, closed="released pets@1.0.0")
    else:
        world.say("candidate", "1", 1, **body, closed="failed: the audit found too many errors")
        world.say("hypothesis", "1", 9, **json.loads(close(first, AUDIT, "a test").to_body()))
    look(world)
    after = _values(world)
    kept = {i: v for i, v in before.items() if passed or i in (*SURE[:2], *UNSURE[:2])}
    assert {i: after[i] for i in before if after[i]} == kept


@pytest.mark.slow
def test_people_move_what_was_released() -> None:
    """Votes, other content and a failed audit end what a release keeps."""
    world = sure_world()
    look(world)
    _release(world)
    _contrary(world, "m2", *SURE[10:15], sure=SURE)
    world.vote(SURE[20], ann="dog", ben="dog", cid="dog")
    world.items(SURE[12], payload="another text of", revision=1)
    world.propose({SURE[12]: ("dog", 0.97)}, "m2", fit=False)
    look(world)
    values = _values(world)
    assert values[SURE[20]] == '"dog"' and values[SURE[12]] == '"dog"'
    assert values[SURE[11]] == '"cat"' and SURE[11] in by_model(world)
    first = world.state.hypotheses[0]
    world.say("hypothesis", "1", 9, **json.loads(close(first, "audit", "a test").to_body()))
    consolidate(world.workspace, now=world.tick())
    assert by_model(world) == {SURE[12]}


@pytest.mark.slow
def test_what_is_only_said_of_released_items_moves_none_of_them() -> None:
    """A licence that is renewed is no arrival: what an earlier version gave stays as it was."""
    world = sure_world()
    look(world)
    _release(world)
    _contrary(world, "m2", sure=[])
    look(world)
    before = _values(world)
    assert by_model(world) == set(SURE[2:])
    world.items(*SURE[2:12], revision=1, attributes='{"licence": "renewed"}')
    look(world)
    assert by_model(world) == set(SURE[2:]) and _values(world) == before
    world.items(SURE[2], revision=2, payload="another text of")
    look(world)
    assert by_model(world) == set(SURE[3:]), "its content is another"


@pytest.mark.slow
def test_random_looks_go_on_at_what_a_release_keeps() -> None:
    """People find most of it wrong: it goes back to them, though another version took its place."""
    world = sure_world(AcceptancePolicy("audited", error=0.1, spot_share=1.0, min_posterior=0.85))
    look(world)
    _release(world)
    _contrary(world, "m2", sure=[])
    look(world)
    assert by_model(world) == set(SURE[2:])
    route(world.workspace, now=world.tick())
    assert set(world.state.plan.query("purpose == 'audit'")["item_id"]) == set(SURE[2:])
    for item in SURE[2:24]:
        world.vote(item, "audit", ann="dog", ben="dog", cid="dog")
    world.flush()
    assert (
        "random looks at accepted items are wrong" in close_void(world.workspace, world.tick())[0]
    )
    consolidate(world.workspace, now=world.tick())
    assert not by_model(world)


@pytest.mark.slow
def test_what_an_auditor_contradicts_stands_under_no_newer_version() -> None:
    """One counting blind vote for another class suffices, on what no release has."""
    world = sure_world()
    look(world)
    world.vote(SURE[5], "audit", dee="cat")
    world.vote(SURE[6], "audit", dee="dog")
    _contrary(world, "m2", SURE[5], SURE[7], sure=SURE)
    look(world)
    values = _values(world)
    assert values[SURE[5]] is None and values[SURE[6]] is None
    assert values[SURE[7]] == '"dog"', "nobody has looked there"


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_after_a_release_and_run_again_it_ends_the_same(when: str) -> None:
    """The look at a newer version keeps what was released, wherever it was cut off."""
    start = sure_world()
    look(start)
    _release(start)
    _contrary(start, "m2", *SURE[10:15], sure=SURE[:20] + UNSURE[25:])
    wanted = start.copy()
    look(wanted)
    kills = 0
    for at in range(1, 50):
        world = start.copy()
        if not killed(world, at, when):
            break
        kills += 1
        look(world)
        assert _values(world) == _values(wanted)
        ours, theirs = (
            [replace(h, looked_at="") for h in w.state.hypotheses] for w in (world, wanted)
        )
        assert ours == theirs
    assert kills >= 6, "three objects, what is said, labels and the plan"


@pytest.mark.slow
def test_what_is_revised_or_answered_late_is_judged_by_itself() -> None:
    """Though no item has come; a second look without anything new writes nothing."""
    world = sure_world()
    look(world)
    world.items(SURE[3], payload="another text of", revision=1)
    look(world)
    assert SURE[3] not in by_model(world) and world.state.hypotheses[0].looks == 1
    world.propose({SURE[3]: ("dog", 0.97)}, "m1", fit=False)
    look(world)
    assert SURE[3] in by_model(world) and _values(world)[SURE[3]] == '"dog"'
    look(world)
    assert world.state.hypotheses[0].looks == 2
    world = make_world(accept=POLICY, seed=4, training=4)
    world.items(*SURE)
    world.propose(dict.fromkeys(SURE[:15], ("cat", 0.97)), "m1", fit=False)
    world.say("fit", "m1", 0, items=4, labeler="m", object="t", since="")
    world.vote(SURE[0], ann="cat", ben="cat")
    look(world)
    world.propose(dict.fromkeys(SURE[15:], ("cat", 0.97)), "m1", fit=False)
    look(world)
    assert by_model(world) == set(SURE[1:])


def test_before_any_vote_counts_nothing_is_judged() -> None:
    """Nothing says how far to believe the labeler: nothing is marked as judged, it is later."""
    world = make_world(accept=POLICY, seed=4, training=4)
    world.items(*SURE, *UNSURE)
    propose(world, "m1", SURE)
    assert look(world).startswith("no vote counts yet")
    assert not world.state.hypotheses
    world.vote(SURE[0], ann="cat", ben="cat")
    look(world)
    assert by_model(world) == set(SURE[1:])


@pytest.mark.slow
@pytest.mark.parametrize("taken", [[], [SURE[9]]])
def test_what_random_looks_left_ends_with_a_newer_version(taken: list[str]) -> None:
    """Whether that takes none or one, what the one before kept is judged anew, and it says so."""
    world = sure_world()
    look(world)
    (found,) = world.state.hypotheses
    until = world.state.arrived[SURE[0]].isoformat()
    closed = close(found, SPOT, "a rise", until=until, kept=28)
    world.say("hypothesis", "1", 1, **json.loads(closed.to_body()))
    consolidate(world.workspace, now=world.tick())
    assert by_model(world) == set(SURE[2:])
    propose(world, "m2", taken)
    look(world)
    assert by_model(world) == set(taken)
    old = world.state.hypotheses[0]
    assert (old.cause, old.closed) == (SPOT, "a rise; attempt 2 took its place")


@pytest.mark.slow
def test_after_drift_a_newer_version_judges_old_and_new() -> None:
    """The alarm closes the version it speaks against, and the next one reaches all items."""
    world = sure_world(POLICY, calibration=6)
    stream = set(world.state.calibration_stream.ids)
    for item in stream:
        world.vote(item, "calibrate", ann="cat")
    look(world)
    world.items("new")
    world.propose({"new": ("cat", 0.97)}, "m1", fit=False)
    last = world.state.items["ingested_at"].max().isoformat()
    body = json.loads(world.state.latest("drift")["body"].iloc[-1])
    world.say("drift", "1", 0, **{**body, "alarm": "cat is rarer", "until": last})
    consolidate(world.workspace, now=world.tick())
    assert world.state.stream_since == last and world.state.hypotheses[0].cause == DRIFT
    assert by_model(world) == set(SURE[2:]) - stream, "what came before the change is kept"
    propose(world, "m2", SURE[:20] + UNSURE[25:])
    world.propose({"new": ("cat", 0.97)}, "m2", fit=False)
    look(world)
    assert by_model(world) == {"new", *SURE[2:20], *UNSURE[25:]} - stream
    assert not close_void(world.workspace, world.tick()), "the alarm is older than the version"


def test_a_posterior_beyond_what_any_model_reaches_is_refused() -> None:
    """The consensus leaves two parts in a hundred of doubt; with three classes .98667 is most."""
    three = Schema("pets", ("cat", "dog", "cow"))
    with pytest.raises(SettingsError, match=r"surer than 0\.9867"):
        make_world(three, accept=AcceptancePolicy("audited", min_posterior=0.987))
    make_world(three, accept=AcceptancePolicy("audited", min_posterior=0.986))
