"""Who has left: asked nothing more, heard all the same, and not waited for in an audit."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labelops.errors import SettingsError
from labelops.gate.audit_state import AuditState
from labelops.gate.candidate import UNLOOKED, Candidate, read_candidates
from labelops.gate.policy import GatePolicy
from labelops.journey import gate, route
from labelops.measure.adjudication import AGREES, WRONG
from labelops.route import RoutePolicy
from labelops.state.auditors import auditors_lacking
from labelops.state.awaited import awaited
from labelops.state.gold import gold_due
from labelops.state.needs import all_needs
from labelops.state.value import surest_people, voters_of

from .frozen import GATE, IDS, certified_message, freeze
from .world import World, consolidated, make_world

ANN = "human:ann"


def _four(**gate_policy: Any) -> World:
    """Forty labels that ben and cid made and dan has looked at; only ann has not."""
    world = make_world(gate=GatePolicy(**({"error": 0.2} | gate_policy)))
    world.items(*IDS, "other")
    for item in IDS:
        world.vote(item, ben="cat", cid="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    world.vote("other", ann="cat")
    return world


def _audit(world: World) -> AuditState:
    found = world.state.audit
    assert found is not None
    return found


def _left(world: World, *names: str) -> World:
    """Say who has left, of a label set that is the same else."""
    return world.copy(left=names or (ANN,))


def test_with_everybody_there_all_is_as_it_was() -> None:
    """Seen by all is what each of the team has looked at, three at least; nothing is stranded."""
    rng = np.random.default_rng(3)
    for people in (1, 2, 3, 4, 5):
        world = make_world(experts=("human:zoe",) if people == 2 else ())
        world.items(*IDS)
        names = "abcde"[:people]
        world.vote(IDS[0], **dict.fromkeys(names, "cat"))
        for item in IDS[1:]:
            some = [n for n in names if rng.random() < 0.8]
            world.vote(item, **dict.fromkeys(some, "cat"))
        state = world.state
        looks = state.votes.groupby("item_id")["annotator"].nunique()
        every = looks.index[looks >= max(3, len(state.team))]
        assert set(state.seen_by_all) == set(every) == set(state.all_looked)
        assert len(state.stranded) == 0 and state.departed == ()
        stranger = _left(world, "human:nobody")
        assert list(stranger.state.all_looked) == list(state.all_looked)
        assert stranger.state.team == state.team


def test_who_left_is_asked_nothing_and_heard_all_the_same() -> None:
    """No gold, no seat, no part of those who settle; the votes stay evidence, and back is back."""
    people = ("ann", "ben", "cid", "dan", "eve", "fay", "gus")
    world = make_world(experts=("human:zoe",))
    world.items(*IDS)
    for item in IDS:
        world.vote(item, **dict.fromkeys(people, "cat"))
    there = _left(world, ANN, "human:zoe")
    before, after = world.state, there.state
    assert (ANN in before.people, ANN in after.people) == (True, False)
    assert set(before.team) - set(after.team) == {ANN, "human:zoe"} == set(after.departed)
    assert after.evidence.equals(before.evidence)
    best = surest_people(before, world.now)[0]
    settle = surest_people(_left(world, best).state, world.now)
    assert settle and best not in settle
    assert ANN in gold_due(before, 10) and ANN not in gold_due(after, 10)
    assert len(voters_of(before)) == 2 and len(voters_of(after)) == 1, "no expert is asked"
    assert there.copy(left=()).state.team == before.team


def test_no_seat_is_for_who_left() -> None:
    """Each new seat excludes them, whatever it is for."""
    world = make_world()
    world.items(*IDS)
    world.vote(IDS[0], ann="cat", ben="cat", cid="cat")
    for there, barred in ((world.copy(), False), (_left(world), True)):
        route(there.workspace, now=there.tick())
        rows = there.state.open_seats
        rows = rows.loc[rows["item_id"] != IDS[0]]
        assert len(rows) and {ANN in json.loads(row) for row in rows["exclude"]} == {barred}


def test_names_are_held_against_those_who_voted() -> None:
    """A slip is named with the nearest name; what is no name of a person is refused."""
    world = make_world(experts=("human:zoe",))
    world.items(*IDS)
    world.vote(IDS[0], ann="cat", ben="cat")
    state = _left(world, "human:anm", ANN, "human:zoe", "human:wolfgang").state
    assert state.unknown_left == {"human:anm": ANN, "human:wolfgang": ""}
    with pytest.raises(SettingsError, match=r"route\.left names 'ann', expected a name like"):
        RoutePolicy(left=("ann",))


def test_a_look_that_only_they_could_give_counts_as_wrong() -> None:
    """Everybody else had a part in the label: it waits for ann, and once she left it is an error.

    The vote beyond the two that made it, dan's for the label, is no audit: had he disagreed, ann
    would have been asked.
    """
    world = _four()
    for item in IDS[:3]:
        world.vote(item, dan="cat")
    world.vote("other", ann="cat")
    freeze(world)
    for item in IDS[3:]:
        world.vote(item, "audit", dan="cat")
    waits = _audit(world)
    assert waits.unseen.sum() <= 3 and waits.lost == 0
    gone = _left(world)
    found = _audit(gone)
    assert set(gone.state.stranded) == set(IDS), "dan alone was left for the others, and has looked"
    assert (found.lost, found.certificate.errors) == (3, 3)
    assert not (found.unseen | found.pending).any() and (found.correction < 0).all()
    assert found.unaided == 0, "no spare vote decides"
    said = "3 of them count as wrong because only people who left ([route] left) could settle them"
    assert said in certified_message(gone)
    assert all(len(rows) == 0 for rows in all_needs(gone.state)), "nothing is planned"
    assert _audit(gone.copy(left=())).lost == 0, "she is back"


def test_somebody_new_may_still_look() -> None:
    """Who joins is asked, and what they say counts instead."""
    world = _four()
    world.vote(IDS[0], dan="cat")
    world.vote("other", ann="cat")
    freeze(world)
    for item in IDS[1:]:
        world.vote(item, "audit", dan="cat")
    gone = _left(world)
    assert _audit(gone).lost == 1
    gone.vote("other", eve="cat")
    assert len(gone.state.stranded) == 0 and _audit(gone).lost == 0
    gone.vote(IDS[0], "audit", eve="cat")
    assert _audit(gone).certificate.errors == 0


@pytest.mark.parametrize("confirms", [1, 2])
def test_half_a_confirmation_confirms_nothing(confirms: int) -> None:
    """Where two have to agree and one did, the label counts as wrong; in a whole team any lead is.

    Nor do ties stand. Two who agree on another class correct the label, as they do elsewhere.
    """
    world = _four()
    for item in IDS:
        world.vote(item, "audit", dan="dog" if item == IDS[0] else "cat")
    world.vote(IDS[1], "audit", eve="dog")
    for item in (IDS[0], *IDS[2:]):
        world.vote(item, eve="-")
    world.vote(IDS[2], "audit", fay="dog")
    world.vote("other", ann="cat", eve="cat", fay="cat")
    gone = _left(world, ANN, "human:eve", "human:fay").state
    values = gone.labels.set_index("item_id")["value"].reindex(IDS)
    looks = gone.looks(IDS, values, gone.audit_votes, confirms, ties_stand=True)
    doubtful = looks.status[3:]
    assert (doubtful == (AGREES if confirms == 1 else WRONG)).all()
    assert looks.lost[3:].all() == (confirms == 2)
    assert (looks.status[:3] == WRONG).all() and looks.lost[:3].all()
    assert (looks.consensus[:3] == -1).all() and not looks.refuted.any()


def test_what_came_after_their_last_vote_is_for_those_there() -> None:
    """Three who stayed are a team of three with what they looked at later; so says their audit.

    Not with labels that were frozen before it was said who left.
    """
    world = _four()
    late = _left(world)
    for item in IDS:
        late.vote(item, dan="cat")
    assert len(late.state.stranded) == len(IDS)
    world = make_world(gate=GATE)
    world.items(*IDS, "other")
    world.vote("other", ann="cat")
    for item in IDS:
        world.vote(item, ben="cat", cid="cat", dan="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    gone = _left(world)
    assert set(gone.state.seen_by_all) == set(IDS) and len(gone.state.stranded) == 0
    freeze(gone, left=(ANN,))
    assert (_audit(gone).certificate.status, _audit(gone).unaided > 0) == ("pass", True)
    freeze(world)
    assert _audit(world).unseen.all(), "she is waited for"
    assert _audit(_left(world)).lost == _audit(_left(world)).certificate.n > 0


def test_one_alone_waits_for_somebody_new() -> None:
    """With one person there nothing is given up; with nobody there neither."""
    world = _four()
    world.vote("other", dan="cat")
    freeze(world)
    three = _left(world, ANN, "human:ben", "human:cid", "human:dan")
    assert len(three.state.stranded) == 0 and three.state.team == ()
    alone = _left(world, ANN, "human:ben", "human:dan")
    assert len(alone.state.stranded) == 0
    assert _audit(alone).unseen.all()
    assert "wait for another person: the only one there is has looked" in certified_message(alone)
    pair = _left(world, ANN, "human:dan")
    assert set(pair.state.stranded) == set(IDS)


@pytest.mark.slow
def test_an_audit_that_fails_for_them_alone_proves_nothing() -> None:
    """The candidate is closed for a stated reason, and what the model was trusted with stands.

    Where looks that were given prove it too, it is as ever.
    """
    world = _four(agreement=-1.0)
    for item in IDS:
        world.vote(item, dan="cat")
    world.vote("other", ann="cat")
    consolidated(world, 1)
    frozen = freeze(world)
    same = world.state.labels_digest(world.state.labels)
    world.say("candidate", "1", 1, **asdict(replace(frozen, digest=same)))
    gone = _left(world)
    audit = _audit(gone)
    assert (audit.certificate.status, audit.unproven) == ("fail", True)
    gate(gone.workspace, now=gone.tick(), split_groups={})
    (closed,) = gone.state.candidates
    assert closed.closed == UNLOOKED and not closed.refuted and closed.looks_again > 0
    (needs,) = (rows for rows in all_needs(gone.state) if len(rows))
    assert set(needs["purpose"]) == {"audit"}, "put up for somebody who has not looked"


def test_an_audit_that_fails_anyway_fails_as_ever() -> None:
    """Most labels were refuted by people."""
    world = _four()
    world.vote(IDS[0], dan="cat")
    world.vote("other", ann="cat", eve="cat", fay="cat")
    freeze(world)
    for item in IDS[1:]:
        world.vote(item, "audit", dan="dog", eve="dog", fay="dog")
    world.vote(IDS[0], eve="-", fay="-")
    audit = _audit(_left(world))
    assert (audit.certificate.status, audit.unproven) == ("fail", False)


@pytest.mark.slow
def test_it_is_said_before_the_audit_too() -> None:
    """So many labels need somebody new, or count as wrong; and what has no label is said as well.

    What all those there have looked at is waited for by nobody.
    """
    world = _four()
    for item in IDS:
        world.vote(item, dan="cat", eve="cat")
    world.vote("other", ann="cat")
    assert auditors_lacking(world.state) == ""
    gone = _left(world)
    said = "40 labels need somebody new, or count as wrong, and 8 may: 4 people alone cannot"
    assert auditors_lacking(gone.state).startswith(said)
    torn = make_world()
    torn.items(*IDS)
    torn.vote(IDS[0], ben="cat", cid="dog", dan="cow")
    torn.vote(IDS[1], ann="cat", ben="cat")
    torn.label({IDS[1]: "cat"})
    rows = {"item_id": [IDS[0]], "revision": 1, "value": None, "method": "undecided"}
    rest = {"reason": "", "evidence": "{}", "schema_digest": "", "decided_at": torn.now}
    torn.append("labels", rows | rest, 1)
    assert IDS[0] in torn.state.undecided and awaited(torn.state) == ""
    gone = _left(torn)
    assert IDS[0] not in gone.state.undecided
    assert awaited(gone.state) == (
        "1 item has no label though all looked: a vote by somebody new may give one"
    )
    assert route(gone.workspace, now=gone.tick()).unknown_left == {}
    assert IDS[0] not in set(gone.state.open_seats["item_id"])


def test_a_candidate_remembers_who_had_left() -> None:
    """What was written before it could be said reads as nobody."""
    body = asdict(Candidate(1, 1, 1, 1, "d", left=(ANN,)))
    (kept,) = read_candidates(pd.Series([json.dumps(body)]))
    del body["left"]
    (older,) = read_candidates(pd.Series([json.dumps(body)]))
    assert (kept.left, older.left) == ((ANN,), ())


@pytest.mark.parametrize("known", [True, False])
def test_three_who_stayed_audit_first_votes_as_any_three_do(known: bool) -> None:
    """What two of them refute is corrected, and ties stand: if that was chosen for these three."""
    world = make_world(gate=GATE)
    world.items(*IDS, "other")
    for item in IDS:
        world.vote(item, ben="dog" if item == IDS[0] else "cat")
        world.vote(item, cid="dog" if item == IDS[1] else "cat", dan="cat")
    world.vote("other", ann="cat")
    world.vote("other", ben="cat")
    world.label(dict.fromkeys([*IDS, "other"], "cat"))
    gone = _left(world)
    assert set(gone.state.stranded) == set(IDS)
    freeze(gone, ties=True, firsts=True, left=(ANN,) if known else ())
    audit = _audit(gone)
    assert (audit.tied, audit.lost) == ((1, 0) if known else (0, 1))
    assert (audit.certificate.errors, audit.certificate.corrected) == (1 + audit.lost, 1)
