"""What an audit of a candidate counts: independent looks, and doubts as errors."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from labelops.gate.candidate import Candidate, attempt_risk
from labelops.journey import consolidate, route
from labelops.measure.adjudication import AGREES, WRONG
from labelops.schema import Schema
from labelops.state.awaited import awaited
from labelops.state.needs import all_needs, label_doubt
from labelops.state.people import annotator_table

from .frozen import GATE, IDS, certified_message, close, forty_pets, freeze
from .world import PETS, World, make_world, plan


@pytest.fixture
def world() -> World:
    return forty_pets()


def test_a_majority_is_not_its_own_audit(world: World) -> None:
    """Where all three people labeled everything two to one, the audit certifies nothing."""
    for item in IDS:
        world.vote(item, ann="cat", ben="cat", cid="dog")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    audit = world.state.audit
    assert audit is not None
    assert audit.certificate.status == "fail"
    assert audit.unaided == audit.certificate.n == audit.certificate.errors


def test_a_spare_vote_is_an_audit(world: World) -> None:
    """Two votes make a label; a third one for it, given blind, is as good as an audit."""
    for item in IDS:
        world.vote(item, ann="cat", ben="cat", cid="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    audit = world.state.audit
    assert audit is not None
    assert audit.certificate.status == "pass" and audit.certificate.errors == 0
    assert "nobody was left" in certified_message(world)


@pytest.mark.parametrize(
    ("split", "status", "errors"),
    [(4, "pass", 4), (16, "fail", 16), pytest.param(30, "fail", 10, marks=pytest.mark.slow)],
)
def test_what_a_third_vote_left_without_a_label_counts(
    world: World, split: int, status: str, errors: int
) -> None:
    """A label that is there because all three agree is not audited by the third of them.

    Of three people who toss a coin, all agree on some items; nothing but these has a label, and
    judged by the third vote none of them is wrong. The others count as errors, as long as there
    are fewer of them; else no label has an audit. Where a fourth looks, none of this is needed.
    """
    for n, item in enumerate(IDS):
        world.vote(item, ann="cat", ben="cat", cid="dog" if n < split else "cat")
    revision = world.label(dict.fromkeys(IDS[split:], "cat"))
    rows = {"item_id": IDS[:split], "revision": revision, "value": None, "method": "undecided"}
    rest = {"reason": "", "evidence": "{}", "schema_digest": "", "decided_at": world.now}
    world.append("labels", rows | rest, split)
    freeze(world)
    audit = world.state.audit
    assert audit is not None
    found = audit.certificate
    assert (found.status, found.corrected) == (status, 0)
    assert int(audit.wrong.sum()) == errors if status == "pass" else found.errors > 8
    assert not (audit.unseen | audit.pending).any() and (audit.correction < 0).all()
    assert set(world.state.frozen["item_id"]) == set(IDS[split:])
    for item in IDS[split:]:
        world.vote(item, "audit", dan="cat")
    audit = world.state.audit
    assert audit is not None
    assert (audit.certificate.status, audit.certificate.errors) == ("pass", 0)
    assert audit.unaided == 0


@pytest.mark.parametrize(
    ("confirms", "says", "errors"), [(1, "cat", 0), (2, "cat", 1), (1, "dog", 1)]
)
def test_somebody_new_settles_a_split(world: World, confirms: int, says: str, errors: int) -> None:
    """Two to one, and a fourth who had no part: right where that is enough in any other team too.

    Nobody is left then, so the vote that was outvoted would tie with the fourth's. It stays a
    doubt, and so an error, where one vote confirms nothing, or where the fourth says otherwise.
    """
    for item in IDS:
        world.vote(item, ann="cat", ben="cat", cid="dog" if item == IDS[0] else "cat")
        world.vote(item, "audit", dan=says if item == IDS[0] else "cat")
    world.label(dict.fromkeys(IDS, "cat"))
    state = world.state
    assert len(state.seen_by_all) == len(IDS)
    values = state.labels.set_index("item_id")["value"].reindex(IDS)
    looks = state.looks(IDS, values, state.auditing(confirms), confirms)
    assert int((looks.status == WRONG).sum()) == errors
    assert (looks.status == AGREES).sum() == len(IDS) - errors


@pytest.mark.parametrize(
    ("classes", "renames", "counted", "says"),
    [
        pytest.param(("cat", "dog", "cow"), {}, 40, "", marks=pytest.mark.slow),
        (("cow", "dog", "tom"), {"cat": "tom"}, 40, ""),
        pytest.param(
            ("cat", "dog", "cow", "fox"),
            {},
            0,
            "40 labels looked at before 'fox' could be named",
            marks=pytest.mark.slow,
        ),
        (
            ("tom", "dog", "cow", "fox", "owl"),
            {"cat": "tom"},
            0,
            "before 'fox', 'owl' could be named: nobody could say then that they should be one of",
        ),
    ],
)
def test_looks_from_before_a_class_was_added_do_not_count(
    world: World, classes: tuple[str, ...], renames: dict[str, str], counted: int, says: str
) -> None:
    """Whoever judged a label then could not say that it is a fox; other words change nothing."""
    for schema in (PETS, Schema("pets", classes, renames=renames)):
        world.say("schema", schema.digest, 0, **schema.to_json())
    for item in IDS:
        world.vote(item, ann="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    for item in IDS:
        world.vote(item, "audit", ben="cat")
    world.flush()
    later = make_world(Schema("pets", classes, renames=renames), gate=GATE, like=world)
    audit = later.state.audit
    assert audit is not None and audit.certificate.n == counted
    message = certified_message(later)
    assert f"0 wrong in {counted} blind random audits" in message
    assert says in message and ("before" in message) == bool(says)
    asked = pd.concat(all_needs(later.state))
    # One look more at each that the audit needs first.
    assert set(asked.loc[asked["purpose"] == "audit", "wanted"]) == ({2} if says else set())
    for item in IDS:
        later.vote(item, "audit", cyn="tom" if renames else "cat")
    since = certified_message(later)
    assert "0 wrong in 40 blind random audits" in since and "before" not in since


def test_a_vote_that_saw_a_proposal_audits_nothing(world: World) -> None:
    """Three votes for what was on the screen are no audit of it."""
    for item in IDS:
        world.vote(item, saw=True, ann="cat", ben="cat", cid="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    audit = world.state.audit
    assert audit is not None and audit.certificate.status == "fail"


@pytest.mark.parametrize(
    ("people", "said"),
    [
        (("ann",), "the only one there is has looked"),
        pytest.param(("ann", "ben"), "all 2 have looked", marks=pytest.mark.slow),
    ],
)
def test_too_few_people_stay_inconclusive(world: World, people: tuple[str, ...], said: str) -> None:
    """One or two people who labeled everything certify nothing, and it is said why not."""
    for item in IDS:
        world.vote(item, **dict.fromkeys(people, "cat"))
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    audit = world.state.audit
    assert audit is not None
    assert audit.certificate.status == "inconclusive" and audit.certificate.n == 0
    assert "0 wrong in 0 blind random audits" in certified_message(world)
    assert f"wait for another person: {said}" in certified_message(world)


def test_auditing_ones_own_label_counts_for_nothing(world: World) -> None:
    """An audit vote by who labeled the item, before or after, is no look."""
    for item in IDS:
        world.vote(item, ann="cat")
        world.vote(item, "audit", ann="cat", ben="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    audit = world.state.audit
    assert audit is not None and audit.certificate.status == "pass"
    for item in IDS:
        world.vote(item, ben="dog")
    audit = world.state.audit
    assert audit is not None and audit.certificate.n == 0


def test_attempts_share_the_risk(world: World) -> None:
    """After a candidate that failed less risk is left; a release starts anew."""
    world.label(dict.fromkeys(IDS, "cat"))
    seen = []
    for number, end in enumerate(("failed: x", "failed: y", "released pets@1.0.0", ""), 1):
        candidate = freeze(world, number, stream=min(number, 3))
        assert world.state.audit is not None
        seen.append(world.state.audit.certificate.risk)
        close(world, candidate, end)
    assert seen == pytest.approx([attempt_risk(j, GATE.risk) for j in (1, 2, 3, 1)])


def test_of_one_order_the_strictest_candidate_says_what_confirms(world: World) -> None:
    """What was looked at under a stricter rule is not settled by a looser one, first or last."""
    world.label(dict.fromkeys(IDS, "cat"))
    rules = ((1, True, 0.03), (2, False, 0.01), (1, True, 0.02))
    for number, (confirm, ties, missed) in enumerate(rules, 1):
        one = Candidate(
            number, 1, 1, len(IDS), "d", "" if number == 3 else "withdrawn: x",
            confirm=confirm, ties=ties, missed=missed,
        )  # fmt: skip
        world.say("candidate", str(number), 0, **json.loads(one.to_body()))
    state = world.state
    assert state.candidate is not None and state.audit is not None
    assert (state.missed(state.candidate), state.audit.confirms) == (0.03, 2)
    assert not state._may_tie(state.candidate)


@pytest.mark.parametrize(("ties", "errors"), [(True, 0), (False, 3)])
def test_the_last_two_may_disagree(world: World, ties: bool, errors: int) -> None:
    """In a team of four a label of two stands where one of the two others names it, if it may."""
    for item in IDS:
        world.vote(item, ann="cat", ben="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world, ties=ties)
    audit = world.state.audit
    assert audit is not None
    for n, item in enumerate(audit.planned.ids):
        world.vote(item, "audit", **({"cid": "dog", "dan": "cat"} if n < 3 else {"cid": "cat"}))
    audit = world.state.audit
    assert audit is not None
    assert (audit.certificate.errors, audit.tied) == (errors, 0 if errors else 3)
    assert ("at 3 of them people disagree" in certified_message(world)) == ties


@pytest.mark.slow
@pytest.mark.parametrize(("says", "errors"), [("cat", 0), ("dog", 3), ("cow", 3)])
def test_somebody_who_joins_settles_ties(world: World, says: str, errors: int) -> None:
    """What stood waits for them, and for nobody else; what they say counts as any other's vote."""
    for item in IDS:
        world.vote(item, ann="cat", ben="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world, ties=True)
    before = world.state.audit
    assert before is not None
    order = before.planned.ids
    plan(world, *order, purpose="audit", annotators=2)
    for n, item in enumerate(order):
        world.vote(item, "audit", **({"cid": "dog", "dan": "cat"} if n < 3 else {"cid": "cat"}))
    tied = world.state.audit
    assert tied is not None
    assert (tied.certificate.status, tied.tied) == ("pass", 3)
    world.items("new")
    world.vote("new", eve="cat")
    world.flush()
    waits = world.state.audit
    assert waits is not None
    assert (waits.certificate.status, waits.tied) == ("inconclusive", 0)
    assert set(order[waits.pending]) == set(order[:3])
    asked = route(world.workspace, now=world.tick()).by_purpose["audit"]
    assert asked == 3 and awaited(world.state) == "3 votes wait for human:eve"
    for item in order[:3]:
        world.vote(item, "audit", round_=2, eve=says)
    settled = world.state.audit
    assert settled is not None
    found = settled.certificate
    assert (found.errors, found.corrected, settled.tied) == (errors, 0, 0)
    assert (found.status == "pass") == (not errors)
    assert awaited(world.state) == ""


def test_flagging_a_person_takes_their_looks_back(world: World) -> None:
    """What a clicker confirmed is unseen again; whom audits flag is not decided by audit votes."""
    for item in IDS:
        world.vote(item, ann="cat")
        world.vote(item, "audit", bot="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    assert world.state.audit is not None and world.state.audit.certificate.status == "pass"
    judged = annotator_table(world.state).set_index("annotator")
    assert "human:bot" not in judged.index, "audit votes judge labels, not people"
    world.say("annotator_flagged", "human:bot", 0, reason="a test")
    audit = world.state.audit
    assert audit is not None and audit.certificate.n == 0 and audit.unseen.all()


@pytest.mark.slow
def test_late_label_votes_change_no_frozen_label(world: World) -> None:
    """Votes in flight when the labels were frozen wait for the next candidate."""
    for item in IDS:
        world.vote(item, ann="cat")
    world.vote("i00", eve="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    for item in IDS[1:]:
        world.vote(item, ben="dog", cid="dog", dan="dog")
    world.flush()
    assert consolidate(world.workspace, now=world.tick()).changed == 0
    assert set(world.state.frozen["value"]) == {'"cat"'}


def test_an_audit_vote_from_before_a_class_was_added_takes_no_doubt_away(world: World) -> None:
    """What it agreed with may be the new class; who looked since could have said so."""
    for schema in (PETS, Schema("pets", (*PETS.classes, "fox"))):
        world.say("schema", schema.digest, 0, **schema.to_json())
    world.label(dict.fromkeys(IDS, "cat"), posterior=0.75)
    world.vote(IDS[0], "audit", ben="cat")
    assert label_doubt(world.state, world.state.labels)[:2].tolist() == [0.0, 0.25]
    later = make_world(Schema("pets", (*PETS.classes, "fox")), gate=GATE, like=world)
    later.vote(IDS[1], "audit", ben="cat")
    assert label_doubt(later.state, later.state.labels)[:3].tolist() == [0.25, 0.0, 0.25]
