"""No audit and no release gains by what is withdrawn."""

from __future__ import annotations

import pandas as pd
import pytest

from labelops.errors import GateNotPassed
from labelops.gate.candidate import ADJUDICATED, labels_digest
from labelops.gate.policy import GatePolicy
from labelops.journey import consolidate, gate
from labelops.releasing import _passed
from labelops.state.needs import all_needs

from .test_audit import close, freeze
from .withdrawn import IDS, labeled_cat, labels, order, out
from .world import World, events, make_world


@pytest.fixture
def labeled() -> World:
    return labeled_cat().copy()


@pytest.fixture
def frozen() -> World:
    """Return the same, frozen for an audit."""
    world = labeled_cat().copy()
    freeze(world)
    return world


def _needed(world: World) -> tuple[int, int]:
    """Return how many more clean looks certify the open candidate, and the errors so far."""
    audit = world.state.audit
    assert audit is not None
    found = audit.certificate
    return 0 if found.status == "pass" else (found.needed or 10**9), found.errors


@pytest.mark.slow
@pytest.mark.parametrize(
    "said", ["cat", *(pytest.param(s, marks=pytest.mark.slow) for s in ("dog", ""))]
)
def test_no_audit_gains_by_a_withdrawal(frozen: World, said: str) -> None:
    """Of what it found right, or wrong and corrected, or has not settled: each is an error."""
    ids = order(frozen)
    for item in ids[:6]:
        frozen.vote(item, "audit", dan="cat", eve="cat", fay="cat")
    for who in ("dan", "eve", "fay") if said == "dog" else ("dan",):
        frozen.vote(ids[6], "audit", **{who: said or "dog"})
    frozen.flush()
    consolidate(frozen.workspace, now=frozen.tick())
    assert (labels(frozen)[ids[6]] == '"dog"') == (said == "dog")
    before = _needed(frozen)
    out(frozen, ids[6])
    after = _needed(frozen)
    assert after[0] >= before[0]
    assert after[1] == 1
    consolidate(frozen.workspace, now=frozen.tick())
    assert ids[6] not in set(frozen.state.frozen["item_id"])
    assert _needed(frozen) == after
    assert all(ids[6] != i for i in pd.concat(all_needs(frozen.state))["item_id"])
    out(frozen, ids[6], back=True)
    assert _needed(frozen) == before


@pytest.mark.slow
def test_a_wrong_label_is_withdrawn_at_no_better_a_price_than_it_is_corrected() -> None:
    """Where people refute a label and agree on no other, it stays; withdrawn it is gone."""
    needed = {}
    for fate in ("stays", "corrected", "withdrawn"):
        world = labeled_cat().copy()
        freeze(world)
        ids = order(world)
        for item in ids[1:6]:
            world.vote(item, "audit", dan="cat")
        other = "cow" if fate != "corrected" else "dog"
        world.vote(
            ids[0], "audit", dan="dog", eve="dog", fay="dog", gus=other, hal=other, ida=other
        )
        world.flush()
        consolidate(world.workspace, now=world.tick())
        if fate == "withdrawn":
            out(world, ids[0])
        needed[fate], errors = _needed(world)
        assert errors == 1
    assert needed["corrected"] <= needed["withdrawn"] < needed["stays"]


@pytest.mark.slow
def test_withdrawing_each_in_turn_never_helps(frozen: World) -> None:
    """Whatever is withdrawn in whatever order, the audit takes more looks or fails."""
    ids = order(frozen)
    for item in ids[:12]:
        frozen.vote(item, "audit", dan="cat")
    before = _needed(frozen)
    assert before[0] == 0
    for item in ids[:12:2]:
        out(frozen, item)
        after = _needed(frozen)
        assert after[0] >= before[0] and after[1] == before[1] + 1
        before = after
    assert before[0] > 0


@pytest.mark.slow
def test_what_is_frozen_later_is_audited_without_it(frozen: World) -> None:
    """In an order of its own, in which it is no error; and the one after that reads on."""
    first, item = frozen.state.candidate, order(frozen)[0]
    assert first is not None
    frozen.vote(item, "audit", dan="cat")
    close(frozen, first, "released pets@1.0.0")
    out(frozen, item)
    assert frozen.state.moved(first)
    frozen.say("audited", labels_digest(_decided(frozen)), 1, candidates=1, rows=0)
    gate(frozen.workspace, now=frozen.tick(), split_groups={})
    second = frozen.state.candidate
    assert second is not None
    assert (second.number, second.items, second.order) == (2, 39, "audit/2")
    assert item not in frozen.state.labels_of(second).index
    assert item in frozen.state.labels_of(first).index
    assert _needed(frozen)[1] == 0
    close(frozen, second, "released pets@1.1.0")
    assert not frozen.state.moved(second)
    out(frozen, item, back=True)
    assert not frozen.state.moved(second)


def _decided(world: World) -> pd.DataFrame:
    rows = world.state.labels
    return rows.loc[rows["value"].notna()]


def test_what_comes_back_is_the_next_candidates(labeled: World) -> None:
    """A candidate that was frozen without it is released without it."""
    out(labeled, "i05")
    freeze(labeled)
    out(labeled, "i05", back=True)
    assert labels(labeled)["i05"] == '"cat"'
    assert set(labeled.state.frozen["item_id"]) == set(IDS) - {"i05"}
    audit = labeled.state.audit
    assert audit is not None and "i05" not in set(audit.planned.ids)
    assert _needed(labeled)[1] == 0


@pytest.mark.parametrize(
    ("third", "decided", "errors"), [("cat", True, 0), ("dog", True, 1), ("dog", False, 1)]
)
def test_what_everybody_looked_at_speaks_against_the_set(
    third: str, decided: bool, errors: int
) -> None:
    """Where votes beyond two are the audit, to withdraw what they refute makes no set look good.

    Nor does it to withdraw what was left without a label. What they confirm speaks against nobody.
    """
    world = make_world(gate=GatePolicy(error=0.2))
    world.items(*IDS)
    for item in IDS:
        world.vote(item, ann="cat", ben="cat", cid=third if item == "i00" else "cat")
    revision = world.label(dict.fromkeys(IDS[1:], "cat"))
    if decided:
        world.label({"i00": "cat"})
    else:
        rows = {"item_id": ["i00"], "revision": revision, "value": None, "method": "undecided"}
        rest = {"reason": "", "evidence": "{}", "schema_digest": "", "decided_at": world.now}
        world.append("labels", rows | rest, 1)
    out(world, "i00")
    freeze(world)
    assert _needed(world)[1] == errors


@pytest.mark.parametrize(
    ("later", "errors"), [({}, 0), ({"ben": "cat"}, 0), ({"ben": "dog", "cid": "dog"}, 1)]
)
def test_first_votes_that_were_refuted_count_when_they_are_withdrawn(
    later: dict[str, str], errors: int
) -> None:
    """Where later votes audit the first ones, leaving out the refuted would leave none but right.

    One that nobody contradicted before is no error; nor are those of the candidate itself fewer.
    """
    world = make_world(gate=GatePolicy(error=0.2))
    world.items(*IDS)
    for item in IDS:
        world.vote(item, ann="cat")
        said = later if item == "i00" else {"ben": "cat"}
        if said:
            world.vote(item, **said)
    world.vote("i01", cid="cat")
    world.label({**dict.fromkeys(IDS, "cat"), "i00": "dog" if "cid" in later else "cat"})
    out(world, "i00")
    revision = int(world.state.labels["revision"].max())
    body = {"number": 1, "revision": revision, "stream": 1, "items": 39, "digest": "d"}
    world.say("candidate", "1", 0, **body, firsts=True, ties=True)
    found = world.state.audit
    assert found is not None
    assert (found.certificate.errors, found.certificate.corrected) == (errors, 0)
    out(world, "i02")
    found = world.state.audit
    assert found is not None
    assert (found.certificate.errors, found.certificate.corrected) == (errors + 1, 1)


@pytest.mark.slow
def test_a_release_needs_a_verdict_that_knows_of_it(frozen: World) -> None:
    """A pass from before is none; the gate says it anew, with how many are gone."""
    ids = order(frozen)
    for item in ids[:30]:
        frozen.vote(item, "audit", dan="cat")
    frozen.flush()
    passing = {"checks": [], "status": "pass", "candidate": 1}
    frozen.say("verdict", "1", 0, **passing)
    assert _passed(frozen.state, frozen.state.candidate)[0] == passing
    out(frozen, ids[20])
    with pytest.raises(GateNotPassed, match="withdrawn since"):
        _passed(frozen.state, frozen.state.candidate)
    gate(frozen.workspace, now=frozen.tick(), split_groups={})
    said = events(frozen, "verdict").sort_values("revision")["body"].iloc[-1]
    assert '"withdrawn":1' in said
    frozen.say("verdict", "1", 2, **passing, withdrawn=1)
    assert _passed(frozen.state, frozen.state.candidate)[0]["withdrawn"] == 1


@pytest.mark.slow
def test_what_it_was_is_known_of_a_correction(frozen: World) -> None:
    """Taken back, an item has the label that an audit gave it."""
    wrong = order(frozen)[0]
    frozen.vote(wrong, "audit", dan="dog", eve="dog", fay="dog")
    frozen.flush()
    consolidate(frozen.workspace, now=frozen.tick())
    out(frozen, wrong)
    consolidate(frozen.workspace, now=frozen.tick())
    out(frozen, wrong, back=True)
    row = frozen.state.labels.set_index("item_id").loc[wrong]
    assert (row["value"], row["method"]) == ('"dog"', ADJUDICATED)
