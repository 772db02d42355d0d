"""What people are asked for: no seat waits for nobody, and an end is said to be one."""

from __future__ import annotations

import pandas as pd
import pytest

from labelops.autolabel.policy import AcceptancePolicy
from labelops.cli.standing import standing_of
from labelops.gate.checks import evaluate
from labelops.gate.policy import GatePolicy
from labelops.journey import consolidate, route
from labelops.measure.adjudication import AGREES, NO_VOTE
from labelops.schema import Schema
from labelops.state.facts import gate_facts
from labelops.state.needs import (
    all_needs,
    budget_spent,
    calibration_waits,
    label_waits,
    work_in_flight,
)

from .world import PETS, World, make_world, plan

IDS = [f"i{n:02d}" for n in range(12)]


@pytest.mark.slow
def test_seats_that_nobody_can_take_hold_nothing_up() -> None:
    """Four seats at items that all three people saw do not use up the votes of a round."""
    world = make_world(votes_per_round=4, seed=6, training=6)
    world.items(*IDS)
    plan(world, *IDS[:4], annotators=4)
    for item in IDS[:4]:
        world.vote(item, ann="cat", ben="cat", cid="cat")
    assert world.state.open_seats.empty
    assert route(world.workspace, now=world.tick()).votes > 0


@pytest.mark.slow
def test_the_budget_is_never_exceeded_and_its_end_is_said() -> None:
    """Rounds go on to the total and stop there; what is missing then is named as final."""
    world = make_world(votes_total=20, votes_per_round=7, overlap_share=0.0, max_votes=9)
    world.items(*IDS)
    for n in range(30):
        asked = route(world.workspace, now=world.tick())
        seats = world.state.open_seats
        for item, number, purpose, seat in zip(
            seats["item_id"], seats["round"], seats["purpose"], seats["open"], strict=True
        ):
            for _ in range(seat):
                world.numbers["who"] = world.numbers.get("who", 0) + 1
                who = f"p{world.numbers['who']}"
                world.vote(item, purpose, round_=number, **{who: "cat" if n % 2 else "dog"})
        total = int(world.state.plan["annotators"].sum())
        assert total <= 20
        if not asked.votes:
            break
    assert total >= 18 and n < 29
    assert "20" in budget_spent(world.state)
    if work_in_flight(world.state):
        check = evaluate(gate_facts(world.state, world.now, {}), GatePolicy()).checks[0]
        assert check.status == "inconclusive" and "votes_total = 20" in check.message


@pytest.mark.parametrize(
    "bound", [{"votes_total": 6}, pytest.param({"budget": 6.0}, marks=pytest.mark.slow)]
)
def test_answers_about_earlier_content_were_paid(bound: dict[str, float]) -> None:
    """What people said of content that an item has no more counts to the budgets all the same."""
    world = make_world(overlap_share=0.0, gold_rate=0.0, **bound)
    world.items("i0", "i1", "i2")
    for revision in range(1, 4):
        route(world.workspace, now=world.tick())
        for seat in world.state.open_seats.itertuples():
            world.vote(str(seat.item_id), round_=int(seat.round), ann="cat")
        assert world.state.asked <= 6
        assert len(world.state.paid) <= 6
        world.items("i0", "i1", "i2", payload=f"revision {revision} of", revision=revision)
    assert world.state.asked == len(world.state.paid) == 6
    assert not len(world.state.votes)
    assert "6" in budget_spent(world.state)


@pytest.mark.slow
def test_what_waits_for_the_labeler_is_said_to() -> None:
    """Where nobody is asked until it has learned, to take answers in once more leads nowhere."""
    accept = AcceptancePolicy("joint", error=0.3)
    world = make_world(accept=accept, seed=4, training=4, calibration=2, overlap_share=0.0)
    world.items(*IDS)
    world.propose(dict.fromkeys(IDS, ("cat", 0.9)))
    for _ in range(9):
        if not route(world.workspace, now=world.tick()).votes:
            break
        for seat in world.state.open_seats.itertuples():
            seen = set(world.state.votes.query("item_id == @seat.item_id")["annotator"])
            left = [
                who for who in ("ann", "ben", "cid", "dee", "eve") if f"human:{who}" not in seen
            ]
            said = dict.fromkeys(left[: int(seat.open)], "cat")
            world.vote(str(seat.item_id), str(seat.purpose), round_=int(seat.round), **said)

    def follows() -> str:
        verdict = evaluate(gate_facts(world.state, world.now, {}), GatePolicy())
        return standing_of(world.state, verdict, ()).next

    world.vote(str(world.state.evidence["item_id"].iloc[0]), fay="cat")
    assert "`labelops run receive`" in follows()
    consolidate(world.workspace, now=world.tick())
    assert not len(world.state.open_seats) and work_in_flight(world.state)
    assert "`labelops run send`" in follows() and "the labeler learn" in follows()


def test_an_item_everybody_skipped_waits_for_nobody() -> None:
    """A calibration item that all three people skipped counts against the model."""
    world = make_world(calibration=3)
    world.items(*IDS)
    world.propose(dict.fromkeys(IDS, ("cat", 0.9)))
    sample = list(world.state.calibration_sample.ids)
    for item in sample:
        world.vote(item, "calibrate", ann="-", ben="-", cid="-")
    looks = world.state.calibration_looks
    assert looks.status.tolist() == [3] * len(sample)
    assert "calibration" not in work_in_flight(world.state)


def test_a_calibration_vote_from_before_a_class_was_added_tests_nothing() -> None:
    """Who could not name it looked at another question; those who have not looked are asked."""
    world = make_world(calibration=3)
    world.items(*IDS)
    sample = list(world.state.calibration_sample.ids)
    for item in sample:
        world.vote(item, "calibrate", ann="cat")
    wider = Schema("pets", ("cat", "dog", "cow", "fox"))
    for schema in (PETS, wider):
        world.say("schema", schema.digest, 0, **schema.to_json())
    world.flush()
    later = make_world(wider, calibration=3, like=world)
    later.propose(dict.fromkeys(IDS, ("cat", 0.9)))
    assert (later.state.calibration_looks.status == NO_VOTE).all()
    assert work_in_flight(later.state) == "3 items of the calibration sample wait for people"
    for item in sample:
        later.vote(item, "calibrate", ben="cat")
    assert (later.state.calibration_looks.status == AGREES).all()


@pytest.mark.slow
def test_doubts_are_settled_about_the_model_that_is_tried() -> None:
    """Nobody is asked whether the first model is right; about the next, two are asked at once."""
    world = make_world(calibration=3, training=10)
    world.items(*IDS)
    for item in (sample := list(world.state.calibration_sample.ids)):
        world.vote(item, "calibrate", ann="cat")
    other = next(item for item in IDS if item not in sample)
    world.vote(other, ann="cat", ben="cat", cid="cat", dee="cat", eve="cat")
    wrong = dict.fromkeys(IDS, ("dog", 0.9))

    def asked() -> list[int]:
        needs = pd.concat(all_needs(world.state))
        rows = needs.loc[(needs["purpose"] == "calibrate") & needs["settles"]]
        return rows.set_index("item_id")["wanted"].reindex(sample).fillna(0).tolist()

    world.propose(wrong, "seeded", fit=False)
    world.say("fit", "seeded", 0, items=1, labeler="m", object="t")
    assert asked() == [0, 0, 0]
    world.propose(wrong, "taught", fit=False)
    world.say("fit", "taught", 1, items=10, labeler="m", object="t")
    assert asked() == [3, 3, 3]
    world.vote(sample[0], "calibrate", ben="dog", cid="cat")
    world.vote(sample[1], "calibrate", ben="cat", cid="cat")
    assert asked() == [5, 0, 3], "one vote more could settle nothing"


def test_everybody_flagged_certifies_nothing() -> None:
    """Without a single person whose votes count, no label stands and no audit does."""
    world = make_world()
    world.items(*IDS)
    for item in IDS:
        world.vote(item, ann="cat", ben="cat", cid="cat")
    for who in ("ann", "ben", "cid"):
        world.say("annotator_flagged", f"human:{who}", 0, reason="a test")
    state = world.state
    assert state.current.empty and state.people == () and state.audit_votes.empty
    assert state.decided[1]["value"].isna().all()
    assert work_in_flight(state)


def test_without_a_calibration_sample_nobody_waits_for_it() -> None:
    """With enough to learn from, and nothing to try acceptance on, people are asked about all."""
    world = make_world(seed=2, training=4)
    world.items(*(f"i{n}" for n in range(12)))
    for n in range(4):
        world.vote(f"i{n}", ann="cat", ben="cat")
    world.propose({f"i{n}": ("cat", 0.6) for n in range(12)})
    asked = pd.concat(all_needs(world.state))
    assert {f"i{n}" for n in range(4, 12)} <= set(asked.loc[asked["purpose"] == "label", "item_id"])


@pytest.mark.parametrize(("items", "said"), [(1, "1 item of"), (2, "2 items of")])
def test_one_waits_and_several_wait(items: int, said: str) -> None:
    """What people are waited for reads as people write it, for one item as for several."""
    text = calibration_waits(items)
    assert text.startswith(said) and ("waits" in text) == (items == 1)


def test_a_label_in_doubt_again_is_not_called_none() -> None:
    """A label that stands though its votes would not decide it now waits for another vote."""
    world = make_world(votes_per_round=4)
    world.items(*IDS[:4])
    for item in IDS[:2]:
        world.vote(item, ann="cat", ben="dog")
    world.label({IDS[0]: "cat"})
    state = world.state
    assert set(IDS[:2]) <= set(state.undecided)
    assert work_in_flight(state) == "3 items have no label yet; 1 label waits for another vote"


@pytest.mark.parametrize(
    ("without", "doubtful", "said"),
    [
        (0, 0, ""),
        (1, 0, "1 item has no label yet"),
        (0, 1, "1 label waits for another vote"),
        (2, 3, "2 items have no label yet; 3 labels wait for another vote"),
    ],
)
def test_what_labels_wait_for(without: int, doubtful: int, said: str) -> None:
    """Each is said where there is some of it."""
    assert label_waits(without, doubtful) == said


def _renamed(world: World) -> World:
    """Return the label set after a class was given another name in its settings."""
    world.flush()
    return make_world(Schema("pets", ("cat", "hound", "cow"), renames={"dog": "hound"}), like=world)


@pytest.mark.slow
def test_labels_wait_for_nobody_because_a_class_has_another_name() -> None:
    """What one vote and the model decided stands until the model speaks of the new names."""
    world = make_world()
    world.items(*IDS)
    for item in IDS:
        world.vote(item, ann="dog")
    said = dict.fromkeys(IDS, ("dog", 0.99))
    world.propose(said)
    consolidate(world.workspace, now=world.tick())
    assert world.state.labels["value"].notna().all(), "else this shows nothing"
    world = _renamed(world)
    for _ in range(2):
        assert world.state.labels["value"].tolist() == ['"hound"'] * len(IDS)
        assert world.state.decided[1]["value"].isna().all()
        assert not len(world.state.undecided) and work_in_flight(world.state) == ""
        consolidate(world.workspace, now=world.tick())
    world.propose(dict.fromkeys(IDS, ("cat", 0.99)), version="m2")
    assert work_in_flight(world.state) == "12 labels wait for another vote"


def test_labels_in_doubt_stay_so_under_another_name() -> None:
    """Where no model ever had a part in them, a new name settles nothing."""
    world = make_world()
    world.items(*IDS)
    for item in IDS:
        world.vote(item, ann="dog")
    world.label(dict.fromkeys(IDS, "dog"))
    assert len(world.state.undecided) == len(IDS)
    assert len(_renamed(world).state.undecided) == len(IDS)
