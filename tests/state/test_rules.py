"""Rules vote beside people: evidence for labels, and never a look by a person."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labelops import journey
from labelops.adapters.rule_labeler import RuleLabeler, contains
from labelops.errors import ConflictError, EndProtocolError, UsageError
from labelops.ports import Labeler
from labelops.state import RULES
from labelops.state.overlap import agreement
from labelops.state.rules import rule_rows
from labelops.tables import VOTES, empty, newest

from .world import MemoryTables, World, make_world

_CLASSES = ("cat", "dog", "cow")


def pets(n: int = 90) -> World:
    """Return items whose text names a class, three classes in turn."""
    return _pets_once(n).copy()


@cache
def _pets_once(n: int) -> World:
    world = make_world()
    for code, name in enumerate(_CLASSES):
        ids = [f"i{k:03d}" for k in range(n) if k % 3 == code]
        world.items(*ids, payload=f"a {name},")
    return world


def by_word(*names: str) -> Sequence[Labeler]:
    """Return one rule a class that looks for the class's name."""
    return RuleLabeler({name: contains([name], name) for name in names}).each()


def run(world: World, rules: Sequence[Labeler]) -> journey.Ruled:
    world.flush()
    return journey.vote_by_rules(world.workspace, rules, now=world.tick())


def people_vote(world: World, places: range, **kinds: Any) -> None:
    for k in places:
        world.vote(f"i{k:03d}", ann=_CLASSES[k % 3], **kinds)


def test_votes_once() -> None:
    """A rule votes once on each item it does not abstain from, however often it is run."""
    world = pets(9)
    assert run(world, by_word("cat", "dog")).votes == 6
    assert run(world, by_word("cat", "dog")).votes == 0
    world.items("i900", payload="a cat,")
    assert run(world, by_word("cat", "dog")).votes == 1
    votes = world.workspace.tables.read("votes")
    assert len(votes) == len(newest(VOTES, votes)) == 7
    assert set(votes["annotator"]) == {"rule:cat", "rule:dog"}
    assert set(votes["queue"]) == {RULES}


def test_killed_before_it_said_so() -> None:
    """Votes whose run died before it was noted are found, not given again."""
    world = pets(9)
    run(world, by_word("cat"))
    events = world.workspace.tables.parts["events"]  # type: ignore[attr-defined]
    events[:] = [e for e in events if "rule_run" not in set(e["kind"])]
    world.workspace.cache.clear()
    assert run(world, by_word("cat")).votes == 0
    assert len(world.state.machine_votes) == 3


class Dying(MemoryTables):
    """Tables whose process dies at one append, before or after it."""

    def __init__(self, parts: dict[str, list[pd.DataFrame]], at: int, after: bool) -> None:
        self.parts, self.at, self.after = parts, at, after

    def append(self, table: str, frame: pd.DataFrame, *, after: int | None = None) -> None:
        self.at -= 1
        if self.at or self.after:
            try:
                super().append(table, frame, after=after)
            except ConflictError:
                self.at += 1  # Refused: nothing was written that one could die at.
                raise
        if not self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
@pytest.mark.slow
def test_killed_at_any_append(at: int, after: bool) -> None:
    """Dead before or after any append, run again, the votes and events are as if undisturbed."""
    world = pets(9)
    dying = Dying(world.workspace.tables.parts, at, after)  # type: ignore[attr-defined]
    victim = dataclasses.replace(world.workspace, tables=dying, cache={})
    with pytest.raises(KeyboardInterrupt):
        journey.vote_by_rules(victim, by_word("cat", "dog"), now=world.now)
    votes, events = _end(world)
    undisturbed, said = _end_undisturbed()
    pd.testing.assert_frame_equal(votes, undisturbed)
    assert events == said


def _end(world: World) -> tuple[pd.DataFrame, set[str]]:
    """Let the rules vote; return the votes, whenever they were given, and what was said."""
    run(world, by_word("cat", "dog"))
    votes, events = (world.workspace.tables.read(name) for name in ("votes", "events"))
    assert votes["vote_id"].is_unique and events["event_id"].is_unique
    votes = votes.drop(columns="given_at").sort_values("vote_id", ignore_index=True)
    return votes, set(events["event_id"])


@cache
def _end_undisturbed() -> tuple[pd.DataFrame, set[str]]:
    return _end(pets(9))


@pytest.mark.slow
def test_a_changed_rule_votes_anew() -> None:
    """A changed rule's earlier votes stay in the table and count no more; so when it is removed."""
    world = pets(9)
    run(world, by_word("cat"))
    other = RuleLabeler({"cat": contains(["dog"], "dog")}).each()
    assert run(world, other).changed == ("rule:cat",)
    assert set(world.state.heard["value"]) == {'"dog"'}
    assert len(world.state.machine_votes) == 6
    assert run(world, by_word("cat")).votes == 0
    assert set(world.state.heard["value"]) == {'"cat"'}
    before = world.state.votes_digest
    assert run(world, ()).changed == ("rule:cat",)
    assert world.state.heard.empty
    assert world.state.votes_digest != before


@pytest.mark.slow
def test_new_content_is_voted_on_anew() -> None:
    """A vote on an item's earlier content counts no more."""
    world = pets(3)
    run(world, by_word("cat", "dog"))
    world.items("i000", payload="a dog,", revision=1)
    assert set(world.state.heard["annotator"]) == {"rule:dog"}
    run(world, by_word("cat", "dog"))
    heard = world.state.heard
    assert heard.loc[heard["item_id"] == "i000", "annotator"].tolist() == ["rule:dog"]


@pytest.mark.slow
def test_rules_alone_decide_nothing() -> None:
    """However many rules agree, an item that no person looked at gets no label."""
    world = pets()
    for k in range(60):
        world.vote(f"i{k:03d}", ann=_CLASSES[k % 3], ben=_CLASSES[k % 3])
    many = {f"{name}{k}": contains([name], name) for name in _CLASSES for k in range(3)}
    run(world, RuleLabeler(many).each())
    labels = world.state.decided[1].set_index("item_id")
    assert labels["value"].iloc[60:].isna().all()
    assert labels["value"].iloc[:60].notna().all()


@pytest.mark.slow
def test_a_rule_spares_a_second_look() -> None:
    """One vote that good rules confirm decides a label, and all of them are its evidence."""
    world = pets()
    people_vote(world, range(90))
    run(world, by_word(*_CLASSES))
    assert world.state.decided[0].method != "votes_and_rules"
    for k in range(50):
        world.vote(f"i{k:03d}", ben=_CLASSES[(k + (k % 7 == 0)) % 3])
    before = dataclasses.replace(world.state, machine_votes=empty(VOTES), versions={}).decided[0]
    after, labels = world.state.decided
    assert after.method == "votes_and_rules"
    assert (before.codes[50:] == -1).all()
    assert (after.codes[50:] == np.arange(50, 90) % 3).all()
    evidence = json.loads(labels["evidence"].iloc[60])["votes"]
    assert [v.split("/")[0] for v in evidence if v.startswith("rule:")] == ["rule:cat"]
    assert len(evidence) == 2


@pytest.mark.slow
def test_rules_are_not_people() -> None:
    """Rule and model votes open no seat, are no audit, no agreement, no calibration, no gold."""
    world = pets(30)
    people_vote(world, range(30))
    before = world.state
    needs = (before.given(before.item_ids, "label").tolist(), before.people, before.lookers.sum())
    alpha = agreement(before).alpha
    run(world, by_word(*_CLASSES))
    for purpose in ("audit", "calibrate", "gold", "review", "label"):
        machine_vote(world, "i001", "model:chat", purpose)
    after = world.state
    assert needs == (
        after.given(after.item_ids, "label").tolist(),
        after.people,
        after.lookers.sum(),
    )
    assert agreement(after).alpha == alpha or np.isnan([agreement(after).alpha, alpha]).all()
    assert after.votes["annotator"].str.startswith("human:").all()
    assert after.audit_votes.empty
    assert after.spare_votes.empty
    assert after.seen_by_all.size == 0


def machine_vote(world: World, item: str, who: str, purpose: str) -> None:
    """Append a vote of a machine as a queue might bring it."""
    world.append(
        "votes",
        {
            "vote_id": f"{who}/{item}/{purpose}",
            "revision": 1,
            "item_id": item,
            "annotator": who,
            "value": '"cow"',
            "status": "given",
            "purpose": purpose,
            "round": 1,
            "saw_proposal": False,
            "queue": "test",
            "schema_digest": world.workspace.schema.digest,
            "given_at": world.tick(),
        },
        1,
    )


@pytest.mark.slow
def test_the_proposer_never_audits() -> None:
    """A model or rule that votes in an audit leaves the item as unaudited as it was."""
    world = pets(12)
    values = {i: _CLASSES[int(i[1:]) % 3] for i in world.state.item_ids}
    world.label(values)
    world.say("candidate", "1", number=1, revision=1, items=12, digest="d", stream=1, closed="")
    before = world.state.audit
    assert before is not None and before.unseen.all()
    for item in values:
        machine_vote(world, item, "model:chat", "audit")
        machine_vote(world, item, "rule:cat", "audit")
    after = world.state.audit
    assert after is not None
    assert after.unseen.all()
    assert after.certificate.n == before.certificate.n == 0


def test_rows_of_the_table() -> None:
    """Coverage, overlap, conflict and accuracy, counted by hand."""
    world = pets(12)
    people_vote(world, range(6))
    rules = RuleLabeler({"cat": contains(["cat"], "cat"), "always": lambda item: "cat"}).each()
    run(world, rules)
    always, cat = rule_rows(world.state)
    assert (always.rule, always.votes, always.coverage) == ("rule:always", 12, 1.0)
    assert (always.overlaps, always.conflicts) == (4, 0)
    assert (always.judged, always.right) == (6, 2)
    assert always.accuracy == pytest.approx(1 / 3)
    assert always.low is not None and always.low < 1 / 3
    assert (cat.votes, cat.overlaps, cat.conflicts, cat.judged, cat.right) == (4, 4, 0, 2, 2)
    dog = RuleLabeler({"always": lambda item: "dog", "cat": contains(["cat"], "cat")}).each()
    run(world, dog)
    assert [r.conflicts for r in rule_rows(world.state)] == [4, 4]


def test_a_failing_rule_stores_nothing() -> None:
    """A rule that raises on some item says so, and has given no votes."""
    world = pets(3)

    def broken(item: Any) -> str:
        return ["cat"][int(item["item_id"][1:])]

    with pytest.raises(EndProtocolError, match="rule 'broken', item 'i001'"):
        run(world, RuleLabeler({"broken": broken}).each())
    assert world.state.machine_votes.empty


def test_names_are_rules() -> None:
    """Two rules of one name, or a name of a person, are refused."""
    world = pets(3)
    with pytest.raises(UsageError, match="each once"):
        run(world, [*by_word("cat"), *by_word("cat")])
    with pytest.raises(UsageError, match="human:ann"):
        run(world, [RuleLabeler({"cat": contains(["cat"], "cat")}, name="human:ann")])


def test_an_old_workspace_reads_on() -> None:
    """Without rules and machine votes, states and digests are what they were."""
    world = pets(6)
    people_vote(world, range(6))
    state = world.state
    rows = pd.util.hash_pandas_object(state.votes[["vote_id", "revision"]], index=False)
    assert state.votes_digest == f"{int(rows.to_numpy().sum(dtype=np.uint64)):016x}"
    assert run(world, ()) == journey.Ruled(0, 0, ())
    assert state.decided[0].method != "votes_and_rules"
