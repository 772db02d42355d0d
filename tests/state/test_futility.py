"""An audit whose errors are where the doubt is: people look there again, and it begins anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labelops.consolidate.policy import ConsolidatePolicy
from labelops.gate.candidate import ADJUDICATED, attempt_of, labels_digest
from labelops.gate.policy import GatePolicy
from labelops.journey import gate, route
from labelops.state.needs import work_in_flight

from .world import World, make_world

N, DOUBTED, WRONG = 1800, 90, 70
IDS = [f"i{n:04d}" for n in range(N)]
LABELERS = ("ann", "ben", "cid", "hal", "ian")


def _frozen(wrong: list[str]) -> World:
    """Return labels under audit of which ninety are in doubt, with the first looks, corrected."""
    made = make_world(gate=GatePolicy(error=0.02, agreement=-1.0, per_class=0, confirm=1)).workspace
    policies = replace(made.policies, consolidate=ConsolidatePolicy(min_posterior=0.6))
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
    for item in planned:
        said = "dog" if item in wrong else "cat"
        for who in ("dee", "eve", "fay") if item in wrong else ("dee",):
            world.vote(item, "audit", **{who: said})
    rows = world.state.audit_votes
    for item in set(planned) & set(wrong):
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
def test_errors_anywhere_are_mended_by_the_audit() -> None:
    """As many errors where nobody doubts: the audit goes on, whatever the doubts promise."""
    rng = np.random.default_rng(3)
    world = _frozen(rng.choice(IDS[DOUBTED:], WRONG, replace=False).tolist())
    gate(world.workspace, now=world.tick(), split_groups={})
    (candidate,) = world.state.candidates
    assert not candidate.closed
    audit = world.state.audit
    assert audit is not None and audit.certificate.errors >= 4
