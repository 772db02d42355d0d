"""The rule `audited` in a label set: what stands, what goes back to people, and what is asked."""

from __future__ import annotations

import dataclasses
import json

import click
import pytest

from labelops.autolabel.hypotheses import AUDIT, DRIFT, SCHEMA, SPOT, close
from labelops.autolabel.policy import AcceptancePolicy
from labelops.cli.certificates import certificate_facts, said_certificates
from labelops.consolidate.policy import ConsolidatePolicy
from labelops.errors import SettingsError
from labelops.gate.candidate import ADJUDICATED, REFUTED
from labelops.gate.policy import GatePolicy
from labelops.journey import consolidate, route
from labelops.journey.acceptance import close_void, try_to_accept
from labelops.schema import Schema
from labelops.state.audited import refused_until_released
from labelops.state.needs import work_in_flight
from labelops.state.plan import labeling_plan

from .audited import POLICY, SURE, UNSURE, by_model, killed, look, propose, sure_world
from .world import World, events, make_world


def test_what_the_model_is_sure_of_stands_and_says_so() -> None:
    """Where nobody looked the posterior has to reach .85; the label says so, and how sure it is."""
    world = sure_world()
    assert look(world) == (
        "accepted at posterior ≥ 0.85: 28 items, judged by the release's audit; "
        "its probabilities are taken as they are, for want of votes"
    )
    assert by_model(world) == set(SURE[2:])
    (found,) = world.state.hypotheses
    assert (found.risk, found.sample, found.accepted, found.pool_size) == (0.0, 0, 28, 60)
    row = world.state.labels.set_index("item_id").loc[SURE[5]]
    assert row["reason"] == (
        "accepted at posterior ≥ 0.85, judged by the release's audit (attempt 1)"
    )
    # The consensus spreads two parts in a hundred of what a model believes over all classes.
    assert row["posterior"] == pytest.approx(0.98 * 0.97 + 0.02 / 3, abs=1e-6)
    assert json.loads(row["evidence"]) == {
        "hypothesis": 1, "labeler_version": "m1", "votes": [],
    }  # fmt: skip


@pytest.mark.slow
def test_the_same_state_is_looked_at_once() -> None:
    """A second look says the same and writes nothing; so does one that died before its event."""
    world = sure_world()
    said = look(world)
    before = len(world.workspace.tables.read("events")), len(world.state.labels)
    assert look(world) == said
    assert (len(world.workspace.tables.read("events")), len(world.state.labels)) == before
    died = sure_world()
    died.flush()

    class Died(Exception):
        pass

    def dies(*_: object, **__: object) -> None:
        raise Died

    append = died.workspace.tables.append
    died.workspace.tables.append = dies  # type: ignore[method-assign]
    with pytest.raises(Died):
        try_to_accept(died.workspace, 1000, died.now)
    died.workspace.tables.append = append  # type: ignore[method-assign]
    assert look(died) == said
    assert died.state.hypotheses[0].stood == world.state.hypotheses[0].stood


@pytest.mark.slow
def test_votes_do_not_move_what_stands_but_a_new_version_does() -> None:
    """What only the version before was sure of is people's again; the rest stays as it was."""
    world = sure_world()
    look(world)
    for item in UNSURE[2:10]:
        world.vote(item, ann="dog", ben="dog")
    look(world)
    assert len(world.state.hypotheses) == 1, "votes elsewhere are no new look"
    propose(world, "m2", SURE[:20] + UNSURE[25:])
    look(world)
    assert by_model(world) == {*SURE[2:20], *UNSURE[25:]}
    old, new = world.state.hypotheses
    assert (old.cause, old.closed) == ("replaced", "attempt 2 took its place")
    assert world.state.standing == (new,)
    gone = world.state.labels.set_index("item_id").loc[SURE[25]]
    assert gone["value"] is None and gone["reason"].startswith("nobody has looked")
    assert len(world.workspace.tables.read("labels").query("item_id == @SURE[25]")) == 2


@pytest.mark.slow
def test_new_items_are_one_more_look() -> None:
    """What came or was revised since is judged; what was judged is not, nor written anew."""
    world = sure_world()
    look(world)
    world.items("late", "dull")
    world.items(SURE[3], payload="another text of", revision=1)
    late = {"late": ("cat", 0.97), "dull": ("cat", 0.5), SURE[3]: ("dog", 0.6)}
    world.propose(late, "m1", fit=False)
    assert not {*late} & set(world.state.accepted["item_id"])
    # Votes against the model on its sure items make it less believable everywhere.
    for item in SURE[10:30]:
        world.vote(item, ann="dog", ben="dog", cid="dog")
    written = len(world.workspace.tables.read("labels").query("item_id == @SURE[5]"))
    look(world)
    assert by_model(world) >= {"late", *SURE[4:10]}
    assert not by_model(world) & {"dull", SURE[3], *SURE[10:30]}
    (found,) = world.state.hypotheses
    assert (found.number, found.looks, found.cause, found.pool_size) == (1, 2, "", 62)
    assert len(world.workspace.tables.read("labels").query("item_id == @SURE[5]")) == written


@pytest.mark.slow
def test_other_settings_close_it_or_are_another_look() -> None:
    """A stricter posterior, another rule or schema takes the labels back; a looser one adds."""
    world = sure_world()
    look(world)
    looser = make_world(
        accept=AcceptancePolicy("audited", min_posterior=0.5), like=world.copy(), training=4
    )
    look(looser)
    assert by_model(looser) == {*SURE[2:], *UNSURE[2:]}
    stricter = AcceptancePolicy("audited", min_posterior=0.97)
    for policy in (stricter, AcceptancePolicy(), AcceptancePolicy("never")):
        other = make_world(accept=policy, like=world.copy(), training=4)
        assert "other settings are in force now" in close_void(other.workspace, other.tick())[0]
        consolidate(other.workspace, now=other.tick())
        assert not by_model(other)
    schema = Schema("pets", ("cat", "dog", "cow", "owl"))
    other = make_world(schema, accept=POLICY, like=world.copy(), training=4)
    close_void(other.workspace, other.tick())
    assert other.state.hypotheses[0].cause == SCHEMA
    with pytest.raises(SettingsError, match="only the method 'auto' knows"):
        policies = world.workspace.policies
        type(policies)(
            POLICY, policies.route, ConsolidatePolicy(method="majority"), policies.audit,
            GatePolicy(),
        )  # fmt: skip


@pytest.mark.slow
def test_random_looks_close_what_is_too_often_wrong() -> None:
    """People look at accepted items blind and find most wrong: all go back, for a reason."""
    world = sure_world(AcceptancePolicy("audited", error=0.1, spot_share=1.0, min_posterior=0.85))
    look(world)
    route(world.workspace, now=world.tick())
    drawn = world.state.plan.query("purpose == 'audit'")["item_id"]
    assert set(drawn) <= set(SURE[2:]) and len(drawn) == 28
    for item in drawn[:4]:
        world.vote(item, "audit", ann="cat")
    world.flush()
    assert not close_void(world.workspace, world.tick()), "four that agree are no evidence"
    for item in drawn[4:24]:
        world.vote(item, "audit", ann="dog", ben="dog", cid="dog")
    world.flush()
    (why,) = close_void(world.workspace, world.tick())
    assert "20 of 24 random looks at accepted items are wrong" in why
    consolidate(world.workspace, now=world.tick())
    assert not by_model(world)
    assert world.state.hypotheses[0].cause == SPOT
    assert "the next one is to learn from more labels" in look(world)


@pytest.mark.slow
@pytest.mark.parametrize("cause", [SPOT, DRIFT])
def test_a_version_that_was_closed_waits_for_one_that_learned_more(cause: str) -> None:
    """Random looks and drift speak against the version: it stands no more, the next one may."""
    world = sure_world()
    look(world)
    (found,) = world.state.hypotheses
    world.say("hypothesis", "1", 1, **json.loads(close(found, cause, "a test").to_body()))
    assert "the next one is to learn from more labels" in look(world)
    assert not by_model(world)
    propose(world, "m2", SURE)
    look(world)
    assert by_model(world) == set(SURE[2:])


@pytest.mark.slow
def test_a_failed_audit_leaves_everything_to_people_until_a_release() -> None:
    """No version stands before another release has passed, and people are asked about all."""
    world = sure_world()
    look(world)
    (found,) = world.state.hypotheses
    world.say("hypothesis", "1", 1, **json.loads(close(found, AUDIT, "a test").to_body()))
    body = {"number": 1, "revision": 1, "stream": 1, "items": 60, "digest": "d"}
    world.say("candidate", "1", 0, **body, closed=REFUTED)
    propose(world, "m2", SURE)
    assert "people decide everything until a release has passed" in look(world)
    assert not by_model(world) and refused_until_released(world.state)
    route(world.workspace, now=world.tick())
    asked = set(world.state.plan["item_id"])
    assert asked == {*SURE[2:], *UNSURE[2:]}
    world.say("candidate", "2", 0, **(body | {"number": 2}), closed="released pets@1")
    look(world)
    assert by_model(world) == set(SURE[2:]), "the next round begins anew"


@pytest.mark.slow
def test_people_are_not_asked_about_what_an_audit_corrected() -> None:
    """It has its label, which no vote changes; everything else goes to people."""
    world = sure_world(overlap_share=0.0)
    look(world)
    corrected = SURE[5:8]
    for item in corrected:
        world.vote(item, "audit", cid="dog", dee="dog", eva="dog")
    votes = world.state.audit_votes["vote_id"].tolist()
    world.label(dict.fromkeys(corrected, "dog"), method=ADJUDICATED, votes=votes)
    (found,) = world.state.hypotheses
    world.say("hypothesis", "1", 1, **json.loads(close(found, AUDIT, "a test").to_body()))
    # Of labels before all of these, so that none of them is looked at again for its failure.
    body = {"number": 1, "revision": -1, "stream": 1, "items": 60, "digest": "d"}
    world.say("candidate", "1", 0, **body, closed=REFUTED)
    look(world)
    rest = {*SURE[2:], *UNSURE[2:]} - set(corrected)
    assert set(world.state.undecided) == rest
    route(world.workspace, now=world.tick())
    assert set(world.state.plan["item_id"]) == rest
    for item in rest:
        world.vote(item, ann="cat", ben="cat")
    look(world)
    assert not work_in_flight(world.state)
    labels = world.state.labels.set_index("item_id")
    assert set(labels.loc[corrected, "value"]) == {'"dog"'}


@pytest.mark.slow
def test_people_are_asked_for_a_quarter_at_a_time() -> None:
    """Until the version learns anew; answers that make none of them usable ask for others."""
    world = sure_world(overlap_share=0.0)
    look(world)
    route(world.workspace, now=world.tick())
    assert world.state.plan["item_id"].tolist() == [UNSURE[2]], "one more is a quarter"
    route(world.workspace, now=world.tick())
    assert len(world.state.plan) == 1, "while it is asked about, nobody else is"
    world.vote(UNSURE[2], ann="cat", ben="dog")
    look(world)
    route(world.workspace, now=world.tick())
    asked = world.state.plan
    assert set(asked["item_id"]) == {UNSURE[2]}, "people disagree: it may still become usable"
    world.vote(UNSURE[2], cid="cat", dee="cat", eva="cat", round_=2)
    look(world)
    route(world.workspace, now=world.tick())
    assert UNSURE[3] in set(world.state.plan["item_id"])


@pytest.mark.slow
def test_a_named_sample_is_watched_and_nothing_is_tried_on_it() -> None:
    """Without a name nobody is asked to calibrate; with one, once each, for the drift watch."""
    assert not len(sure_world().state.calibration_stream)
    world = sure_world(calibration=10)
    assert len(world.state.calibration_stream) == 10
    assert look(world).startswith("accepted at posterior")
    for item in world.state.calibration_stream.ids:
        world.vote(item, "calibrate", ann="dog")
    look(world)
    route(world.workspace, now=world.tick())
    rows = world.state.plan
    again = rows.loc[rows["purpose"] == "calibrate"].groupby("item_id")["annotators"].sum()
    assert (again <= 1).all(), "no proposal is settled there"
    assert len(events(world, "drift")) == 1
    assert "watched for drift alone" in labeling_plan(world.state).in_words[1]
    assert "from posterior 0.85 up" in labeling_plan(sure_world().state).in_words[1]


@pytest.mark.slow
def test_doubts_of_a_named_sample_wait_until_all_else_is_begun() -> None:
    """Their only vote names another class than the model: who else would be asked about them?"""
    world = sure_world(calibration=10, overlap_share=0.0)
    look(world)
    sample = set(world.state.calibration_stream.ids)
    for item in sorted(sample):
        world.vote(item, "calibrate", ann="dog")
    look(world)
    route(world.workspace, now=world.tick())
    assert sample & set(world.state.undecided)
    assert not sample & _asked_to_label(world), "a version to come may leave fewer of them"
    for item in sorted({*SURE, *UNSURE} - sample):
        world.vote(item, ann="cat", ben="cat", cid="cat")
    look(world)
    doubtful = set(world.state.undecided)
    assert doubtful and doubtful <= sample
    route(world.workspace, now=world.tick())
    assert _asked_to_label(world) & sample == doubtful
    for item in sorted(doubtful):
        world.vote(item, ben="dog", cid="dog", dan="dog", round_=2)
    look(world)
    assert not len(world.state.undecided)


def _asked_to_label(world: World) -> set[str]:
    seats = world.state.open_seats
    return set(seats.loc[seats["purpose"] == "label", "item_id"])


@pytest.mark.slow
def test_certificates_and_the_report_say_that_nothing_was_promised() -> None:
    """The record shows the posterior, no sample, no ε, no risk; what replaced it, and why."""
    world = sure_world()
    look(world)
    propose(world, "m2", SURE)
    look(world)
    state = world.state
    said = click.unstyle(said_certificates(state))
    assert "audited" in said and "attempt 2 took its place" in said
    assert "stands: accepted at posterior ≥ 0.85: 28 items, judged by the release's audit" in said
    assert "Risk spent on acceptance: 0.0000 of 0.05" in said
    facts = certificate_facts(state)["hypotheses"]
    assert [(h["status"], h["sample"], h["risk"]) for h in facts] == [
        ("closed", 0, 0.0),
        ("stands", 0, 0.0),
    ]


def _stands(world: World) -> tuple[object, ...]:
    state = world.state
    looks = [dataclasses.replace(h, looked_at="") for h in state.hypotheses]
    labels = state.labels[["item_id", "value", "posterior", "evidence"]]
    return looks, sorted(labels.itertuples(index=False)), sorted(state.plan["item_id"])


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_write_and_run_again_it_ends_the_same(when: str) -> None:
    """A new version is looked at after an old one: one of both stands, and always the same."""
    start = sure_world()
    look(start)
    propose(start, "m2", SURE[:20] + UNSURE[25:])
    undisturbed = start.copy()
    assert not killed(undisturbed, 0, when)
    wanted = _stands(undisturbed)
    kills = 0
    for at in range(1, 50):
        world = start.copy()
        if not killed(world, at, when):
            break
        kills += 1
        assert not killed(world, 0, when)
        assert repr(_stands(world)) == repr(wanted)
    assert kills >= 5, "two objects, what is said, labels and the plan"
