"""Looks of earlier audits as verdicts: on the label of then, none chosen by what it showed."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labelops.autolabel.hypotheses import AUDIT
from labelops.autolabel.hypotheses import close as close_hypothesis
from labelops.gate.candidate import ADJUDICATED, Candidate
from labelops.gate.policy import GatePolicy
from labelops.journey import audit, consolidate
from labelops.schema import Schema
from labelops.state.verdicts import audit_verdicts

from .audited import SURE, UNSURE, look
from .audited import sure_world as audited_world
from .frozen import close, freeze
from .world import PETS, World, make_world

IDS = [f"i{n:02d}" for n in range(12)]


def _labeled(ids: list[str] = IDS) -> World:
    """Return items that two people called cat, and five people who voted on another one."""
    world = make_world(gate=GatePolicy(error=0.2))
    world.items(*ids)
    for item in ids[:-1]:
        world.vote(item, ann="cat", ben="cat")
    world.vote(ids[-1], **dict.fromkeys(("ann", "cid", "dee", "eve", "fay", "gil"), "cat"))
    world.label(dict.fromkeys(ids, "cat"))
    return world


def _order(world: World, candidate: Candidate) -> list[str]:
    """Return the items in the audit's order, the one that all looked at left out."""
    ids = world.state.labels_of(candidate).index.to_numpy(dtype=object)
    return [i for i in world.state.audit_order(candidate, ids).ids.tolist() if i != IDS[-1]]


def _found(world: World) -> dict[str, tuple[str, bool, bool]]:
    rows = audit_verdicts(world.state)
    cells = zip(rows["value"].map(json.loads), rows["wrong"], rows["even"], strict=True)
    return dict(zip(rows["item_id"], cells, strict=True))


def _refute(world: World, item: str) -> None:
    world.vote(item, "audit", cid="dog", dee="dog", eve="dog")


def test_verdicts_are_on_the_labels_that_were_frozen() -> None:
    """What the audit corrected is an error on record; what nobody saw is none; none while open."""
    world = _labeled()
    candidate = freeze(world)
    right, wrong, later, unseen = _order(world, candidate)[:4]
    world.vote(right, "audit", cid="cat")
    _refute(world, wrong)
    world.vote(later, "audit", dee="cat")
    assert not _found(world), "an open candidate has no verdicts"
    votes = world.state.audit_votes
    world.label({wrong: "dog"}, method=ADJUDICATED, votes=votes["vote_id"].tolist())
    close(world, candidate, "failed: too many errors")
    found = _found(world)
    assert found == {
        right: ("cat", False, True), wrong: ("cat", True, True), later: ("cat", False, True)
    }  # fmt: skip
    assert unseen not in found


@pytest.mark.parametrize("votes", [{"cid": "dog"}, {"cid": "dog", "dee": "cow", "eve": "cat"}])
def test_nothing_is_read_from_the_first_doubt_on(votes: dict[str, str]) -> None:
    """A look that nobody settled may be an error: to leave it out alone would leave out errors."""
    world = _labeled()
    candidate = freeze(world)
    first, doubtful, after = _order(world, candidate)[:3]
    world.vote(first, "audit", cid="cat")
    world.vote(doubtful, "audit", **votes)
    world.vote(after, "audit", cid="cat")
    close(world, candidate, "withdrawn: a test")
    settled = "cat" in votes.values() and len(votes) > 3
    assert set(_found(world)) == ({first, doubtful, after} if settled else {first})


def test_a_label_found_right_before_a_class_was_added_is_suspected_again() -> None:
    """The search for errors leaves alone only what somebody confirmed who could name each class."""
    world, wider = _labeled(), Schema("pets", (*PETS.classes, "fox"))
    for schema in (PETS, wider):
        world.say("schema", schema.digest, 0, **schema.to_json())
    candidate = freeze(world)
    right, wrong, since = _order(world, candidate)[:3]
    world.vote(right, "audit", cid="cat")
    _refute(world, wrong)
    world.flush()
    later = make_world(wider, gate=GatePolicy(error=0.2), like=world)
    later.vote(since, "audit", dee="cat")
    close(later, candidate, "failed: the audit found too many errors")
    rows = audit_verdicts(later.state)
    assert dict(zip(rows["item_id"], rows["able"], strict=True)) == {
        right: False, wrong: False, since: True
    }  # fmt: skip
    stands = import_module("labelops.journey.audit")._stands
    assert stands(later.state.labels, rows) == [since]


def test_what_was_looked_at_before_the_freeze_has_no_verdict() -> None:
    """Errors of random looks at accepted labels were mended: what is left would all be right."""
    world = _labeled()
    spots = IDS[:8]
    for item in spots[:4]:
        world.vote(item, "audit", cid="cat")
    for item in spots[4:]:
        _refute(world, item)
        world.vote(item, fay="dog", gil="dog")
    world.label(dict.fromkeys(spots[4:], "dog"))
    candidate = freeze(world)
    looked = [i for i in _order(world, candidate) if i not in spots]
    for item in looked:
        world.vote(item, "audit", cid="cat")
    close(world, candidate, "failed: too many errors")
    assert _found(world) == dict.fromkeys(looked, ("cat", False, True))


def test_an_old_doubt_does_not_silence_an_audit() -> None:
    """One vote against a label, given before it was frozen, is no look of the audit."""
    world = _labeled()
    probe = world.copy()
    old, *rest = _order(probe, freeze(probe))
    world.vote(old, "audit", cid="dog")
    candidate = freeze(world)
    for item in rest[:8]:
        world.vote(item, "audit", dee="cat")
    close(world, candidate, "released as v1")
    assert set(_found(world)) == set(rest[:8])


def test_looks_beyond_an_open_one_are_not_read() -> None:
    """The certificate did not count them, and this audit may not have asked for them."""
    world = _labeled()
    candidate = freeze(world)
    first, unseen, beyond = _order(world, candidate)[:3]
    world.vote(first, "audit", cid="cat")
    world.vote(beyond, "audit", cid="cat")
    close(world, candidate, "withdrawn: a test")
    assert set(_found(world)) == {first}
    world.vote(unseen, "audit", cid="cat")
    assert set(_found(world)) == {first, unseen, beyond}


def test_a_correction_is_not_judged_by_the_votes_that_made_it() -> None:
    """In the next order the corrected label was not looked at; the label before was wrong."""
    world = _labeled()
    first = freeze(world)
    wrong, right = _order(world, first)[:2]
    _refute(world, wrong)
    world.vote(right, "audit", cid="cat")
    votes = world.state.audit_votes["vote_id"].tolist()
    world.label({wrong: "dog"}, method=ADJUDICATED, votes=votes)
    close(world, first, "failed: too many errors")
    second = freeze(world, number=2, stream=2)
    close(world, second, "withdrawn: nobody looked")
    rows = audit_verdicts(world.state)
    said = {(r.item_id, r.value, r.wrong) for r in rows.itertuples()}
    assert said == {(wrong, '"cat"', True), (right, '"cat"', False)}


@pytest.mark.slow
def test_what_a_model_labeled_has_no_verdict_once_its_acceptance_is_closed() -> None:
    """People vote on all of it but what was corrected: only errors would be left."""
    world = audited_world()
    look(world)
    assert world.state.labels["method"].eq("accepted").sum() == 28
    for item in UNSURE[2:]:
        world.vote(item, ann="cat", ben="cat")
    look(world)
    candidate = freeze(world)
    ids = world.state.labels_of(candidate).index.to_numpy(dtype=object)
    order = world.state.audit_order(candidate, ids).ids[:20].tolist()
    by_model = set(order) & set(SURE[2:])
    wrong = sorted(by_model)[:3]
    for item in order:
        if item in wrong:
            _refute(world, item)
        else:
            world.vote(item, "audit", cid="cat")
    world.flush()
    consolidate(world.workspace, now=world.tick())
    assert set(world.state.labels.query("method == @ADJUDICATED")["item_id"]) == set(wrong)
    close(world, candidate, "failed: too many errors")
    found = _found(world)
    assert set(found) == set(order) and {i for i in found if found[i][1]} == set(wrong)
    (stands,) = world.state.hypotheses
    ended = close_hypothesis(stands, AUDIT, "a test")
    world.say("hypothesis", "1", 1, **json.loads(ended.to_body()))
    assert set(_found(world)) == set(order) - by_model


def test_the_one_who_is_left_does_not_refute() -> None:
    """In a team of three one vote against a label is a doubt, which the certificate counts."""
    world = make_world(gate=GatePolicy(error=0.2))
    world.items(*IDS)
    for item in IDS:
        world.vote(item, ann="cat", ben="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    candidate = freeze(world)
    ids = np.array(IDS, dtype=object)
    first, second, third = world.state.audit_order(candidate, ids).ids[:3].tolist()
    world.vote(first, "audit", cid="cat")
    world.vote(second, "audit", cid="dog")
    world.vote(third, "audit", cid="cat")
    audit_now = world.state.audit
    assert audit_now is not None and audit_now.certificate.errors >= 1
    close(world, candidate, "failed: too many errors")
    assert set(_found(world)) == {first}


def test_labels_about_which_more_is_known_today_drop_out() -> None:
    """Votes since then, but for verdicts, and other contents; whatever the look showed."""
    world = _labeled()
    candidate = freeze(world)
    voted, reviewed, revised, wrong, right = _order(world, candidate)[:5]
    for item in (voted, reviewed, revised, right):
        world.vote(item, "audit", cid="cat")
    _refute(world, wrong)
    close(world, candidate, "failed: too many errors")
    assert set(_found(world)) == {voted, reviewed, revised, wrong, right}
    world.vote(voted, gil="cat")
    world.vote(reviewed, "review", gil="cat")
    world.flush()
    world.items(revised, payload="another text of", revision=1)
    assert set(_found(world)) == {reviewed, wrong, right}


@pytest.mark.slow
def test_looks_that_count_on_are_read_once() -> None:
    """The next candidate of the same order has the same looks; a changed label has none."""
    world = _labeled()
    first = freeze(world)
    seen, changed = _order(world, first)[:2]
    world.vote(seen, "audit", cid="cat")
    world.vote(changed, "audit", cid="cat")
    close(world, first, "released as v1")
    world.vote(changed, gil="dog", fay="dog")
    world.label({changed: "dog"})
    second = freeze(world, number=2)
    _refute(world, changed)
    close(world, second, "released as v2")
    rows = audit_verdicts(world.state)
    assert rows["item_id"].tolist().count(seen) == 1
    said = rows.loc[rows["item_id"] == changed, ["value", "wrong"]].to_numpy().tolist()
    assert not said, "the look at cat was before dog was frozen, and cat has other votes since"


@pytest.mark.slow
def test_looks_drawn_by_doubt_are_not_even() -> None:
    """Their verdicts count, but measure no recall."""
    world = _labeled()
    candidate = Candidate(1, 1, 1, len(IDS), "d", audit="weighted", doubts="doubts/t.json")
    kept = json.dumps({"items": IDS, "doubts": [0.1] * len(IDS)})
    world.workspace.objects.put_new(candidate.doubts, kept.encode())
    world.say("candidate", "1", 0, **json.loads(candidate.to_body()))
    item = _order(world, candidate)[0]
    world.vote(item, "audit", cid="cat")
    body = json.loads(candidate.to_body()) | {"closed": "failed: a test"}
    world.say("candidate", "1", 1, **body)
    assert _found(world) == {item: ("cat", False, False)}
    close(world, freeze(world, number=2, stream=2), "withdrawn: nobody looked")
    assert _found(world) == {item: ("cat", False, False)}, "a later order did not draw it"


@pytest.mark.slow
def test_the_search_learns_from_the_audit_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty looks become reviews; their votes are no evidence, nobody is asked about them again."""
    rng = np.random.default_rng(5)
    world = make_world(gate=GatePolicy(error=0.2))
    ids = [f"i{n:03d}" for n in range(150)]
    truth = {i: ("cat", "dog", "cow")[n % 3] for n, i in enumerate(ids)}
    bad = set(rng.choice(ids, 30, replace=False))
    given = {i: ("dog" if truth[i] == "cat" else "cat") if i in bad else truth[i] for i in ids}
    place = {i: np.eye(3)[n % 3] + 0.2 * rng.normal(size=3) for n, i in enumerate(ids)}
    world.items(*ids)
    for item in ids:
        world.vote(item, ann=given[item], ben=given[item])
    world.flush()
    consolidate(world.workspace, now=world.tick())
    candidate = freeze(world)
    order = world.state.audit_order(candidate, np.array(ids, dtype=object)).ids.tolist()
    for item in order[:60]:
        others = ("cid", "dee", "eve") if item in bad else ("cid",)
        world.vote(item, "audit", **dict.fromkeys(others, truth[item]))
    close(world, candidate, "withdrawn: a test")
    world.flush()
    consolidate(world.workspace, now=world.tick())
    told: dict[str, Any] = {}
    stage = import_module("labelops.journey.audit")
    search = stage.audit_noise

    def listen(*args: Any, **kwargs: Any) -> Any:
        told.update(kwargs, found=search(*args, **kwargs))
        return told["found"]

    monkeypatch.setattr(stage, "audit_noise", listen)

    def features(items: pd.DataFrame) -> np.ndarray:
        return np.array([place[i] for i in items["item_id"]])

    assert audit(world.workspace, features, now=world.tick()).round == 1
    reviews = told["reviews"]
    looked = set(order[:60])
    assert {ids[r] for r in reviews.rows} == looked and reviews.random.all()
    assert {ids[r] for r, w in zip(reviews.rows, reviews.wrong, strict=True) if w} == looked & bad
    assert len(told["votes"][0]) == 2 * len(ids), "audit votes that made a verdict are none of them"
    assert told["found"].report.calibration == "reviews"
    asked = set(world.state.suspicions["item_id"])
    assert asked and not asked & (looked - bad)
