"""Items taken out of a label set: nothing is done with them, and nothing gains by it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from labelops.adapters.parquet import decode_parquet
from labelops.autolabel.policy import AcceptancePolicy
from labelops.errors import GateNotPassed, NotFoundError, UsageError
from labelops.gate.candidate import ADJUDICATED, labels_digest
from labelops.gate.policy import GatePolicy
from labelops.journey import autolabel, consolidate, gate, route, vote_by_rules
from labelops.journey.acceptance import _looked_at, try_to_accept
from labelops.measure.adjudication import AGREES, WRONG
from labelops.releasing import _passed
from labelops.state import State
from labelops.state.facts import agreement, gate_facts
from labelops.state.gold import gold_sample
from labelops.state.needs import all_needs, work_in_flight
from labelops.state.people import annotator_table
from labelops.state.training import training_rows
from labelops.withdrawing import Withdrawn, withdraw

from .test_audit import close, freeze
from .world import World, events, make_world

IDS = [f"i{n:02d}" for n in range(40)]


def out(world: World, *items: str, back: bool = False, why: str = "asked for") -> Withdrawn:
    """Withdraw items, or take them back."""
    world.flush()
    return withdraw(
        world.workspace,
        items,
        because=why,
        by="ann",
        now=world.tick(),
        decode=decode_parquet,
        back=back,
    )


@cache
def _labeled() -> World:
    """Forty items that two people labeled cat."""
    world = make_world(gate=GatePolicy(error=0.2, agreement=-1.0, per_class=0))
    world.items(*IDS)
    for item in IDS:
        world.vote(item, ann="cat", ben="cat")
    world.label(dict.fromkeys(IDS, "cat"))
    world.say("consolidated", "votes", 1, votes=world.state.votes_digest)
    return world


@pytest.fixture
def labeled() -> World:
    return _labeled().copy()


@pytest.fixture
def frozen() -> World:
    """Return the same, frozen for an audit."""
    world = _labeled().copy()
    freeze(world)
    return world


def order(world: World) -> list[str]:
    """Return the items in the order of the open candidate's audit."""
    candidate = world.state.candidate
    assert candidate is not None
    return [str(i) for i in world.state.audit_order(candidate, world.state.item_ids).ids]


def labels(world: World) -> pd.Series:
    return world.state.labels.set_index("item_id")["value"]


# --- nothing is done with it ------------------------------------------------------------------


@pytest.mark.slow
def test_a_withdrawn_item_has_no_label_until_it_is_taken_back(labeled: World) -> None:
    """Also after labels were decided anew; then it has the one it had, however it was decided."""
    out(labeled, "i01")
    for _ in range(2):
        assert labels(labeled)["i01"] is None
        assert labels(labeled).notna().sum() == len(IDS) - 1
        labeled.vote("i01", "review", cat="dog")
        consolidate(labeled.workspace, now=labeled.tick())
    assert gate_facts(labeled.state, labeled.now, {}).items == len(IDS) - 1
    out(labeled, "i01", back=True)
    assert labels(labeled)["i01"] == '"cat"'


def test_saying_it_again_changes_nothing(labeled: World) -> None:
    """Nor does taking back what was never out; each change is one event."""
    assert out(labeled, "i01", "i02", "i01").changed == ("i01", "i02")
    assert out(labeled, "i02", "i03", why="another").changed == ("i03",)
    assert out(labeled, "i04", back=True).changed == ()
    assert out(labeled, "i01", back=True).changed == ("i01",)
    assert sorted(events(labeled, "withdrawn")["event_id"]) == [
        "withdrawn/i01/0", "withdrawn/i01/1", "withdrawn/i02/0", "withdrawn/i03/0",
    ]  # fmt: skip
    said = labeled.state.withdrawn["i02"]
    assert (said.because, said.by) == ("asked for", "ann")


@pytest.mark.parametrize(
    ("items", "why", "error"),
    [
        (("i01", "nothing"), "w", NotFoundError),
        ((), "w", UsageError),
        (("i01",), " \n", UsageError),
        (("i01",), "w" * 501, UsageError),
    ],
)
def test_what_cannot_be_withdrawn(
    labeled: World, items: tuple[str, ...], why: str, error: type[Exception]
) -> None:
    """Of several items all are withdrawn or none."""
    with pytest.raises(error):
        out(labeled, *items, why=why)
    assert not labeled.state.withdrawn


@pytest.mark.slow
def test_nobody_is_asked_about_it() -> None:
    """Whatever it is asked for: a label, calibration, gold, overlap; nor is it waited for."""
    world = make_world(
        accept=AcceptancePolicy("joint", error=0.2), calibration=12, gold_rate=0.5, seed=20
    )
    world.items(*IDS)
    for item in IDS[:10]:
        world.say("gold", item, 0, value='"cat"')
    route(world.workspace, now=world.tick())
    asked = set(world.state.open_seats["item_id"])
    gold, sample = gold_sample(world.state).ids, world.state.calibration_stream.ids
    assert len(gold) > 2 and len(asked) > 10
    gone = [*gold[:2], *sample[:3], *sorted(asked)[:4]]
    out(world, *gone)
    state = world.state
    assert not set(state.open_seats["item_id"]) & set(gone)
    assert set(state.open_seats["item_id"]) == asked - set(gone)
    assert not set(gold_sample(state).ids) & set(gone)
    assert set(state.calibration_stream.ids) == set(sample)
    needed = pd.concat(all_needs(state))
    assert not needed["item_id"].isin(gone).any()
    route(world.workspace, now=world.tick())
    later = world.state.plan
    assert not later.loc[later["round"] > 1, "item_id"].isin(gone).any()


def test_suspicions_of_it_wait_for_nobody(labeled: World) -> None:
    """They held the label set up until it was withdrawn."""
    found = {"item_id": ["i03"], "kind": "label_error", "round": 1, "score": 0.1, "value": '"cat"'}
    rest = {"detector": "d", "evidence": "{}", "planted": False, "found_at": labeled.now}
    labeled.append("findings", found | rest, 1)
    assert "review" in work_in_flight(labeled.state)
    out(labeled, "i03")
    assert labeled.state.suspicions.empty
    assert work_in_flight(labeled.state) == ""


class _Labeler:
    """Proposes cat for what it is asked, and notes what that was."""

    name = "model:test"

    def __init__(self) -> None:
        self.fitted: list[str] = []
        self.asked: list[str] = []

    def fit(self, items, values, groups, schema):  # type: ignore[no-untyped-def]
        self.fitted = items["item_id"].tolist()
        return "v" + str(len(self.fitted))

    def propose(self, items, schema):  # type: ignore[no-untyped-def]
        self.asked += items["item_id"].tolist()
        probs = np.full((len(items), 3), 0.1)
        probs[:, 0] = 0.8
        return pd.DataFrame(
            {
                "item_id": items["item_id"],
                "value": '"cat"',
                "confidence": 0.8,
                "probs": list(probs),
                "fold": pd.Series(0, index=items.index, dtype="Int64"),
            }
        )


@pytest.mark.slow
def test_no_model_learns_from_it_or_proposes_for_it() -> None:
    """Nor does a rule vote on it; taken back, both do."""
    world = make_world(accept=AcceptancePolicy("joint"), calibration=4, seed=4, training=4)
    world.items(*IDS)
    for n, item in enumerate(IDS):
        world.vote(item, ann="cat" if n % 2 else "dog")
    gone = sorted(set(IDS) - set(world.state.calibration_stream.ids))[:3]
    out(world, *gone)
    assert not set(training_rows(world.state).ids) & set(gone)
    labeler, rule = _Labeler(), _Labeler()
    rule.name = "rule:test"  # type: ignore[misc]
    autolabel(world.workspace, labeler, now=world.tick())
    assert labeler.fitted and not set(labeler.fitted) & set(gone)
    assert sorted(labeler.asked) == sorted(set(IDS) - set(gone))
    vote_by_rules(world.workspace, (rule,), now=world.tick())
    assert sorted(rule.asked) == sorted(set(IDS) - set(gone))
    labeler.asked = []
    autolabel(world.workspace, labeler, now=world.tick())
    assert labeler.asked == []
    out(world, gone[0], back=True)
    autolabel(world.workspace, labeler, now=world.tick())
    assert labeler.asked == [gone[0]]
    labeler.asked = []
    out(world, gone[0])
    world.items("new")
    autolabel(world.workspace, labeler, now=world.tick())
    assert labeler.asked == ["new"]


# --- what was said of it is evidence all the same ---------------------------------------------


def _facts_of_people(state: State) -> list[object]:
    table = annotator_table(state)
    return [state.current["vote_id"].tolist(), table.to_dict("records"), agreement(state).alpha]


def test_what_people_said_of_it_goes_on_counting(labeled: World) -> None:
    """Withdrawing what somebody got wrong makes nobody better, nor people agree more."""
    for item in IDS[:3]:
        labeled.vote(item, "label", cid="dog")
    before = repr(_facts_of_people(labeled.state))
    out(labeled, *IDS[:5])
    assert repr(_facts_of_people(labeled.state)) == before


MORE = [f"i{n:03d}" for n in range(120)]


def _calibrated(wrong: int = 0) -> World:
    """Return a set of which a model is sure; of thirty calibration items some it gets wrong."""
    world = make_world(accept=AcceptancePolicy("joint", error=0.2, risk=0.2), calibration=30)
    world.items(*MORE)
    for n, item in enumerate(world.state.calibration_stream.ids):
        for who in ("ann", "ben", "cid") if n < wrong else ("ann",):
            world.vote(item, "calibrate", **{who: "dog" if n < wrong else "cat"})
    world.propose(dict.fromkeys(MORE, ("cat", 0.9)), "m1")
    return world


def test_looks_at_a_model_stand_for_the_version_that_was_looked_at() -> None:
    """Right and wrong ones: withdrawing what it gets wrong lets it be trusted no sooner."""
    world = _calibrated(wrong=1)
    ids, before = world.state.calibration_stream.ids, world.state.calibration_looks
    assert before.status.tolist() == [WRONG, *[AGREES] * 29]
    out(world, *ids[:2])
    state = world.state
    assert state.calibration_stream.ids.tolist() == ids.tolist()
    assert state.calibration_looks.status.tolist() == before.status.tolist()


def test_a_look_that_never_comes_is_an_error_and_is_not_waited_for() -> None:
    """What was withdrawn before anybody looked cannot speak for the model."""
    world = make_world(accept=AcceptancePolicy("joint", error=0.2), calibration=10)
    world.items(*IDS)
    world.propose(dict.fromkeys(IDS, ("cat", 0.9)), "m1")
    ids = world.state.calibration_stream.ids
    out(world, ids[0])
    looks = world.state.calibration_looks
    assert looks.status[0] == WRONG
    needed = pd.concat(all_needs(world.state))
    assert set(needed.loc[needed["purpose"] == "calibrate", "item_id"]) == set(ids[1:])


@pytest.mark.parametrize(
    ("wrong", "gone"),
    [(0, 1), (2, 2), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((0, 2), (1, 1)))],
)
def test_a_later_version_bears_what_it_was_never_asked(wrong: int, gone: int) -> None:
    """It counts as accepted and wrong, whether the earlier version was right about it or not.

    Thirty looks bear one error. A version that is tried without what the earlier one got wrong is
    accepted no sooner than it would be with it.
    """
    world = _calibrated(wrong)
    ids = world.state.calibration_stream.ids[:gone]
    out(world, *ids)
    there = [i for i in MORE if i not in world.state.withdrawn]
    world.propose(dict.fromkeys(there, ("cat", 0.95)), "m2")
    found = _looked_at(world.state, 1000, world.now)
    assert not isinstance(found, str)
    assert (found.sample, found.critical) == (30, 1)
    assert (found.threshold, found.errors) == ((0.95, 1) if gone == 1 else (None, 0))
    try_to_accept(world.workspace, 1000, world.tick())
    assert not set(world.state.accepted["item_id"]) & set(ids)
    assert (len(world.state.accepted) > 80) == (gone == 1)


def test_no_class_is_tested_without_it() -> None:
    """Which class a version would have named is not known, so none may do without the error."""
    accept = AcceptancePolicy("selective", error=0.4, per_class=True)
    world = make_world(accept=accept, calibration=10)
    world.items(*IDS)
    for item in world.state.calibration_stream.ids:
        world.vote(item, "calibrate", ann="cat")
    gone = world.state.calibration_stream.ids[0]
    out(world, gone)
    world.propose(dict.fromkeys([i for i in IDS if i != gone], ("cat", 0.9)))
    said = try_to_accept(world.workspace, 1000, world.tick())
    assert "withdrawn" in said and not world.state.hypotheses


# --- audits -----------------------------------------------------------------------------------


def _needed(world: World) -> tuple[int, int]:
    """Return how many more clean looks certify the open candidate, and the errors so far."""
    audit = world.state.audit
    assert audit is not None
    found = audit.certificate
    return 0 if found.status == "pass" else (found.needed or 10**9), found.errors


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
        world = _labeled().copy()
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
