"""What an audit of a candidate counts: independent looks, and doubts as errors."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from labelops.gate.candidate import ADJUDICATED, Candidate, attempt_risk
from labelops.gate.checks import evaluate
from labelops.gate.policy import GatePolicy
from labelops.journey import consolidate, route
from labelops.measure.adjudication import AGREES, WRONG
from labelops.schema import Schema
from labelops.state.awaited import awaited
from labelops.state.facts import gate_facts
from labelops.state.needs import all_needs, label_doubt
from labelops.state.people import annotator_table

from .test_needs import plan
from .world import PETS, World, make_world

GATE = GatePolicy(error=0.2)


def freeze(world: World, number: int = 1, stream: int = 1, *, ties: bool = False) -> Candidate:
    """Freeze the labels there are."""
    labels = world.state.labels
    revision = int(labels["revision"].max())
    candidate = Candidate(number, revision, stream, len(labels), "d", ties=ties)
    world.say("candidate", str(number), 0, **_body(candidate))
    return candidate


def close(world: World, candidate: Candidate, why: str) -> None:
    """Close a candidate."""
    world.say("candidate", str(candidate.number), 1, **(_body(candidate) | {"closed": why}))


def _body(c: Candidate) -> dict[str, object]:
    names = ("number", "revision", "stream", "items", "digest", "closed", "ties")
    return {n: getattr(c, n) for n in names}


@pytest.fixture
def world() -> World:
    """Forty items labeled cat."""
    world = make_world(gate=GATE)
    world.items(*(f"i{n:02d}" for n in range(40)))
    return world


IDS = [f"i{n:02d}" for n in range(40)]


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
    assert "nobody was left" in _message(world)


@pytest.mark.parametrize(
    ("split", "status", "errors"), [(4, "pass", 4), (16, "fail", 16), (30, "fail", 10)]
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


def _message(world: World) -> str:
    verdict = evaluate(gate_facts(world.state, world.now, {}), GATE)
    return verdict.checks[0].message


@pytest.mark.parametrize(
    ("classes", "renames", "counted", "says"),
    [
        (("cat", "dog", "cow"), {}, 40, ""),
        (("cow", "dog", "tom"), {"cat": "tom"}, 40, ""),
        (("cat", "dog", "cow", "fox"), {}, 0, "40 labels looked at before 'fox' could be named"),
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
    message = _message(later)
    assert f"0 wrong in {counted} blind random audits" in message
    assert says in message and ("before" in message) == bool(says)
    asked = pd.concat(all_needs(later.state))
    # One look more at each that the audit needs first.
    assert set(asked.loc[asked["purpose"] == "audit", "wanted"]) == ({2} if says else set())
    for item in IDS:
        later.vote(item, "audit", cyn="tom" if renames else "cat")
    since = _message(later)
    assert "0 wrong in 40 blind random audits" in since and "before" not in since


def test_a_vote_that_saw_a_proposal_audits_nothing(world: World) -> None:
    """Three votes for what was on the screen are no audit of it."""
    for item in IDS:
        world.vote(item, saw=True, ann="cat", ben="cat", cid="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    audit = world.state.audit
    assert audit is not None and audit.certificate.status == "fail"


@pytest.mark.parametrize("people", [("ann",), ("ann", "ben")])
def test_too_few_people_stay_inconclusive(world: World, people: tuple[str, ...]) -> None:
    """One or two people who labeled everything certify nothing, and it is said why not."""
    for item in IDS:
        world.vote(item, **dict.fromkeys(people, "cat"))
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    audit = world.state.audit
    assert audit is not None
    assert audit.certificate.status == "inconclusive" and audit.certificate.n == 0
    assert "0 wrong in 0 blind random audits" in _message(world)
    assert f"wait for another person: all {len(people)} have looked" in _message(world)


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


def test_an_error_stays_one_until_its_candidate_failed(world: World) -> None:
    """A corrected label counts as wrong in the order that found it; in the next it is looked at."""
    for item in IDS:
        world.vote(item, ann="cat")
    world.vote("i00", dan="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    first = freeze(world)
    state = world.state
    assert state.audit is not None
    wrong = state.audit.planned.ids[0]
    world.vote(wrong, "audit", ben="dog", cid="dog")
    votes = world.state.audit_votes["vote_id"].tolist()
    world.label({wrong: "dog"}, ADJUDICATED, votes)
    audit = world.state.audit
    assert audit is not None and audit.certificate.errors == 1
    assert audit.correction.tolist().count(1) == 0, "it is not corrected twice"
    close(world, first, "failed: test")
    freeze(world, 2, stream=2)
    audit = world.state.audit
    assert audit is not None and not audit.wrong.any()
    assert audit.certificate.n == 0, "those who corrected it do not audit it"
    for item in IDS:
        said = "dog" if item == wrong else "cat"
        world.vote(item, "audit", dan=said, eve=said)
    audit = world.state.audit
    assert audit is not None and audit.certificate.errors == 0
    assert audit.certificate.status == "pass"


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


def test_later_items_neither_help_nor_hinder() -> None:
    """The gate's facts are about the frozen labels, not about what came after."""
    world = make_world(gate=GatePolicy(per_class=1))
    world.items("a", "b")
    world.label({"a": "cat", "b": "dog"})
    freeze(world)
    world.items("c", "d", "e")
    world.label({"c": "cow"})
    facts = gate_facts(world.state, world.now, {})
    assert (facts.items, facts.decided) == (2, 2)
    assert dict(facts.class_counts) == {"cat": 1, "dog": 1, "cow": 0}


def test_a_revised_item_leaves_its_label() -> None:
    """A label of the earlier content is released with no other: not frozen, not corrected."""
    world = make_world()
    world.items("a", "b", "c")
    world.vote("b", ann="dog")
    world.label({"a": "cat", "b": "dog"})
    freeze(world)
    world.label({"c": "cow"}, ADJUDICATED, ["x"])
    last = world.state.labels["revision"].max()
    world.items("a", "c", payload="other text of", revision=1)
    state = world.state
    assert state.frozen["item_id"].tolist() == ["b"]
    assert state.labels["revision"].max() == last, "the next revision is later than all"
    assert "a" in state.decided[1].loc[state.decided[1]["value"].isna(), "item_id"].tolist()
    assert np.isin(["a", "c"], state.undecided).all()


def test_a_correction_is_written_once(world: World) -> None:
    """Deciding again, and a further vote on a corrected label, correct nothing twice."""
    for item in IDS:
        world.vote(item, ann="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    assert world.state.audit is not None
    wrong = world.state.audit.planned.ids[0]
    world.vote(wrong, "audit", ben="dog", cid="dog")
    world.flush()
    assert consolidate(world.workspace, now=world.tick()).corrected == 1
    assert consolidate(world.workspace, now=world.tick()).corrected == 0
    world.vote(wrong, "audit", dan="dog")
    world.flush()
    assert consolidate(world.workspace, now=world.tick()).corrected == 0
    row = world.state.labels.set_index("item_id").loc[wrong]
    assert json.loads(row["evidence"])["replaces"] == '"cat"' and row["value"] == '"dog"'


@pytest.mark.slow
def test_only_a_correction_that_is_in_the_labels_is_taken_off(world: World) -> None:
    """Found, then corrected, then corrected by votes that do not count any more."""
    for item in IDS:
        world.vote(item, ann="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)

    def certified() -> tuple[int, int]:
        audit = world.state.audit
        assert audit is not None
        return audit.certificate.errors, audit.certificate.corrected

    audit = world.state.audit
    assert audit is not None
    wrong = audit.planned.ids[0]
    world.vote(wrong, "audit", ben="dog", cid="dog")
    assert certified() == (1, 0), "found, and not yet corrected"
    consolidate(world.workspace, now=world.tick())
    assert certified() == (1, 1)
    assert world.state.frozen.set_index("item_id").loc[wrong, "value"] == '"dog"'
    assert "1 wrong, 1 of them corrected, in 1 blind" in _message(world)
    world.vote(wrong, "audit", dan="cat", eve="cat")
    assert certified() == (1, 0), "others contradict it"
    world.vote(wrong, "audit", fay="dog")
    assert certified() == (1, 1)
    for name in ("ben", "cid", "fay"):
        world.say("annotator_flagged", f"human:{name}", 0, reason="a test")
    assert certified() == (1, 0), "nobody who counts names it"


def test_a_correction_counts_on_in_the_same_order(world: World) -> None:
    """The next release reads the same looks: the error among them, the label mended."""
    for item in IDS:
        world.vote(item, ann="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    first = freeze(world)
    audit = world.state.audit
    assert audit is not None
    world.vote(audit.planned.ids[0], "audit", ben="dog", cid="dog")
    world.flush()
    consolidate(world.workspace, now=world.tick())
    close(world, first, "released pets@1.0.0")
    world.items("new")
    freeze(world, 2)
    state = world.state
    assert state.audit is not None and state.candidate is not None
    assert state.candidate.order == first.order
    found = state.audit.certificate
    assert (found.errors, found.corrected) == (1, 1)


def test_a_correction_by_spare_votes_is_taken_off(world: World) -> None:
    """Where everybody labeled an item, those who were outvoted and prevail count as correcting."""
    for item in IDS:
        world.vote(item, ann="cat", ben="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    audit = world.state.audit
    assert audit is not None
    wrong = audit.planned.ids[0]
    world.vote(wrong, cid="dog", dan="dog")
    audit = world.state.audit
    assert audit is not None and audit.unaided == 1 and audit.correction[0] == 1
    consolidate(world.workspace, now=world.tick())
    state = world.state
    row = state.frozen.set_index("item_id").loc[wrong]
    assert (row["value"], row["method"]) == ('"dog"', ADJUDICATED)
    assert state.audit is not None and state.audit.certificate.corrected == 1


def test_what_nobody_can_settle_is_not_corrected(world: World) -> None:
    """A look that ends in a tie among all who may look is an error that stays one."""
    for item in IDS:
        world.vote(item, ann="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    audit = world.state.audit
    assert audit is not None
    world.vote(
        audit.planned.ids[0], "audit",
        ben="dog", cid="cow", dan="cat", eve="dog", fay="cow", gil="cat", hal="dog",
    )  # fmt: skip
    consolidate(world.workspace, now=world.tick())
    audit = world.state.audit
    assert audit is not None
    assert (audit.certificate.errors, audit.certificate.corrected) == (1, 0)


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
    assert ("at 3 of them people disagree" in _message(world)) == ties


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


def test_a_correction_from_before_a_class_was_added_is_looked_at_again(world: World) -> None:
    """That the label was wrong is true for good, that it is a dog was said without the fox."""
    for item in IDS:
        world.vote(item, ann="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    freeze(world)
    assert world.state.audit is not None
    first, last = world.state.audit.planned.ids[[0, -1]]
    world.vote(last, eve="cat", fay="cat", gus="cat", hal="cat")
    world.vote(first, "audit", ben="dog", cid="dog", dan="dog")
    world.flush()
    assert consolidate(world.workspace, now=world.tick()).corrected == 1
    assert world.state.audit.certificate.corrected == 1
    wider = Schema("pets", (*PETS.classes, "fox"))
    for schema in (PETS, wider):
        world.say("schema", schema.digest, 0, **schema.to_json())
    later = make_world(wider, gate=GATE, like=world)
    audit = later.state.audit
    assert audit is not None and audit.certificate.n == 0
    assert audit.planned.ids[0] == first and audit.unseen[0]
    asked = pd.concat(all_needs(later.state)).set_index("item_id")
    assert asked.loc[first, "purpose"] == "audit" and asked.loc[first, "wanted"] == 4
    other = later.copy()
    later.vote(first, "audit", eve="dog")
    found = later.state.audit
    assert found is not None
    seen = found.certificate
    assert (seen.n, seen.errors, seen.corrected) == (1, 1, 1)
    for name in ("eve", "fay", "gus"):
        other.vote(first, "audit", **{name: "fox"})
    other.flush()
    assert consolidate(other.workspace, now=other.tick()).corrected == 1
    assert other.state.labels.set_index("item_id").loc[first, "value"] == '"fox"'
    found = other.state.audit
    assert found is not None
    seen = found.certificate
    assert (seen.n, seen.errors, seen.corrected) == (1, 1, 1)


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
