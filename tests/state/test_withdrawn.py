"""Items taken out of a label set: nothing is done with them, and no model gains by it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labelops.autolabel.policy import AcceptancePolicy
from labelops.errors import NotFoundError, UsageError
from labelops.journey import autolabel, consolidate, route, vote_by_rules
from labelops.journey.acceptance import _looked_at, try_to_accept
from labelops.measure.adjudication import AGREES, WRONG
from labelops.state import State
from labelops.state.facts import agreement, gate_facts
from labelops.state.gold import gold_sample
from labelops.state.needs import all_needs, work_in_flight
from labelops.state.people import annotator_table
from labelops.state.training import training_rows

from .withdrawn import IDS, labeled_cat, labels, out
from .world import World, events, make_world


@pytest.fixture
def labeled() -> World:
    return labeled_cat().copy()


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
    gold, sample = gold_sample(world.state, 60).ids, world.state.calibration_stream.ids
    assert len(gold) > 2 and len(asked) > 10
    gone = [*gold[:2], *sample[:3], *sorted(asked)[:4]]
    out(world, *gone)
    state = world.state
    assert not set(state.open_seats["item_id"]) & set(gone)
    assert set(state.open_seats["item_id"]) == asked - set(gone)
    assert not set(gold_sample(state, 60).ids) & set(gone)
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
