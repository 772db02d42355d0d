"""An audit whose errors are where the doubt is: people look there again, and it begins anew."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace

import numpy as np
import pytest

from labelops.consolidate.policy import ConsolidatePolicy
from labelops.gate.candidate import ADJUDICATED, Candidate, attempt_of, labels_digest
from labelops.gate.policy import GatePolicy
from labelops.journey import gate, route
from labelops.state.needs import work_in_flight

from .world import World, make_world

N, DOUBTED, WRONG = 1800, 90, 70
IDS = [f"i{n:04d}" for n in range(N)]
LABELERS = ("ann", "ben", "cid", "hal", "ian")


def _frozen(wrong: list[str], unseen: int | None = None) -> World:
    """Return labels under audit of which ninety are in doubt, with the first looks, corrected.

    The `unseen`-th look, if any, is left out.
    """
    made = make_world(gate=GatePolicy(error=0.02, agreement=-1.0, per_class=0, confirm=1)).workspace
    policies = replace(made.policies, consolidate=ConsolidatePolicy(min_posterior=0.7))
    world = World(replace(made, policies=policies))
    world.items(*IDS)
    for n, item in enumerate(IDS):
        # In turn, so that no two of them look like copies of each other.
        one, two, three = (LABELERS[(n + k) % 5] for k in range(3))
        world.vote(item, **{one: "cat", two: "cat"}, **({three: "dog"} if n < DOUBTED else {}))
    for who in ("dee", "eve", "fay", "gil"):
        world.vote(IDS[-1], "audit", **{who: "cat"})
    rows = world.state.decided[1].set_index("item_id").loc[IDS]
    assert set(rows["value"]) == {'"cat"'} and rows["posterior"].idxmin() in IDS[:DOUBTED]
    world.label(dict.fromkeys(IDS, "cat"), posterior=rows["posterior"].tolist())
    world.say("consolidated", "votes", 1, votes=world.state.votes_digest)
    world.say("audited", labels_digest(world.state.labels), 1, candidates=0, rows=0)
    assert gate(world.workspace, now=world.tick(), split_groups={}).candidate is not None
    audit = world.state.audit
    assert audit is not None
    planned = audit.planned.ids.tolist()
    looked_at = [item for place, item in enumerate(planned) if place != unseen]
    for item in looked_at:
        said = "dog" if item in wrong else "cat"
        for who in ("dee", "eve", "fay") if item in wrong else ("dee",):
            world.vote(item, "audit", **{who: said})
    rows = world.state.audit_votes
    for item in set(looked_at) & set(wrong):
        votes = sorted(rows.loc[rows["item_id"] == item, "vote_id"])
        world.label({item: "dog"}, method=ADJUDICATED, votes=votes)
    world.say("consolidated", "votes", 2, votes=world.state.votes_digest)
    return world


@pytest.mark.slow
def test_errors_where_the_doubt_is_end_the_audit() -> None:
    """The candidate is closed, no pass; doubtful labels are looked at; a new order, less risk."""
    world = _frozen(IDS[:WRONG])
    audit = world.state.audit
    assert audit is not None and audit.certificate.status == "inconclusive"
    assert audit.certificate.errors >= 4
    found = gate(world.workspace, now=world.tick(), split_groups={})
    assert not found.verdict.passed
    (ended,) = world.state.candidates
    assert ended.closed.startswith("failed: errors are where the doubt is") and ended.looks_again
    asked = route(world.workspace, now=world.tick())
    assert asked.by_purpose["review"] == ended.looks_again
    chosen = world.state.open_seats.set_index("item_id").index
    open_ = [i for i in IDS[:DOUBTED] if i in set(chosen)]
    assert len(open_) >= 0.7 * DOUBTED, "what is in doubt comes first"
    assert "wait for another look" in work_in_flight(world.state)
    following = replace(ended, number=2, stream=2, closed="")
    assert attempt_of(following, world.state.candidates) == 2


@pytest.mark.slow
def test_looks_after_an_open_one_say_nothing_of_where_the_errors_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is ended is ended by the errors that the certificate has read."""
    world, said = _frozen(IDS[:WRONG], unseen=60), []
    here = importlib.import_module("labelops.journey.gate")  # the package has its function only
    monkeypatch.setattr(here, "held_by", lambda doubt, again, wrong: said.append(wrong) or 0.0)
    gate(world.workspace, now=world.tick(), split_groups={})
    audit = world.state.audit
    assert audit is not None and audit.certificate.n == 60
    assert 0 < audit.certificate.errors < audit.wrong.sum()
    (wrong,) = said
    assert len(wrong) == audit.certificate.errors and not np.isnan(wrong).any()


@pytest.fixture(scope="module")
def anywhere() -> World:
    """As many errors, where nobody doubts; to be copied."""
    rng = np.random.default_rng(3)
    return _frozen(rng.choice(IDS[DOUBTED:], WRONG, replace=False).tolist())


def _goes_on(world: World) -> bool:
    """Say whether the gate lets the audit, which found errors, go on."""
    world.say("consolidated", "votes", 3, votes=world.state.votes_digest)
    gate(world.workspace, now=world.tick(), split_groups={})
    (candidate,) = world.state.candidates
    audit = world.state.audit
    return not candidate.closed and audit is not None and audit.certificate.errors >= 4


@pytest.mark.slow
def test_errors_anywhere_are_mended_by_the_audit(anywhere: World) -> None:
    """As many errors where nobody doubts: the audit goes on, whatever the doubts promise."""
    assert _goes_on(anywhere.copy())


@pytest.mark.slow
def test_new_items_do_not_move_the_doubt_that_labels_were_frozen_with(anywhere: World) -> None:
    """Votes on items that came during the audit change each posterior a little, and end nothing."""
    world, rng = anywhere.copy(), np.random.default_rng(4)
    before = world.state.decided[1].set_index("item_id")["posterior"]
    new = [f"j{n:03d}" for n in range(200)]
    world.items(*new)
    for n, item in enumerate(new):
        said = np.where(rng.random(3) < 0.9, "cat", "dog").tolist()
        world.vote(item, **{LABELERS[(n + k) % 5]: said[k] for k in range(3)})
    now = world.state.decided[1].set_index("item_id")["posterior"].loc[before.index]
    assert (now < before).mean() > 0.9, "today they seem more doubtful than those frozen"
    assert _goes_on(world)


@pytest.mark.slow
def test_labels_that_would_not_be_decided_today_end_no_audit(anywhere: World) -> None:
    """Who are found to copy each other count as one voice, and no label has a posterior now."""
    world = anywhere.copy()
    tied = [f"human:{name}" for name in LABELERS]
    world.say("annotators_tied", " + ".join(tied), 0, annotators=tied, reason="a test")
    assert world.state.decided[1].set_index("item_id")["posterior"].loc[IDS[:-1]].isna().all()
    assert _goes_on(world)


@pytest.mark.slow
def test_corrected_labels_keep_the_doubt_they_were_frozen_with(anywhere: World) -> None:
    """A correction has no doubt of its own: that of the label it replaced stands before it."""
    state = anywhere.state
    (candidate,) = state.candidates
    assert (state.frozen["method"] == ADJUDICATED).sum() >= 4
    before = state.labels_of(candidate)
    assert before.index.tolist() == IDS and set(before["value"]) == {'"cat"'}
    assert set(before["method"]) == {"majority"} and before["posterior"].notna().all()


def test_labels_of_a_candidate_are_those_its_order_began_with() -> None:
    """Corrections since the order began are taken back; earlier ones and none later are there."""
    world = make_world()
    world.items("a", "b", "c", "d")
    first = Candidate(number=1, revision=1, stream=1, items=3, digest="", closed="withdrawn")
    world.label(dict.fromkeys("abc", "cat"), posterior=[0.7, 0.8, 0.9])
    world.label({"a": "dog"}, method=ADJUDICATED, posterior=np.nan)
    world.label({"d": "cat"}, posterior=0.6)
    same = replace(first, number=2, revision=3, items=4)
    other = replace(same, number=3, stream=2)
    for candidate in (first, same, other):
        world.say("candidate", str(candidate.number), 0, **json.loads(candidate.to_body()))
    world.label({"b": "cow"}, posterior=0.5)
    state = world.state
    assert state.labels_of(first)["posterior"].to_dict() == {"a": 0.7, "b": 0.8, "c": 0.9}
    assert state.labels_of(same)["posterior"].to_dict() == {"a": 0.7, "b": 0.8, "c": 0.9, "d": 0.6}
    again = state.labels_of(other)
    assert again.loc["a", "method"] == ADJUDICATED and np.isnan(again.loc["a", "posterior"])
    assert again["value"].tolist() == ['"dog"', '"cat"', '"cat"', '"cat"']
