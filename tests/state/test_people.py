"""What is said of the people: who is one voice, who rushes, and what that changes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from labelops.audit import anchoring
from labelops.audit.steadiness import Steadiness, judge_steadiness
from labelops.journey import consolidate, route, send
from labelops.measure.eprocess import log_e_value, log_wanted
from labelops.measure.intervals import clopper_pearson_arrays
from labelops.schema import Schema
from labelops.state import people, say
from labelops.state.people import annotator_table, find_ties, remarks

from .world import World, events, make_world

TEN = Schema("digits", tuple("0123456789"))


@pytest.fixture
def world() -> World:
    return make_world(TEN)


def fill(world: World, items: int, seed: int = 0, **skill: float) -> np.ndarray:
    """Let people of these accuracies label items; return the truth."""
    rng = np.random.default_rng(seed)
    world.items(*(f"i{n:03}" for n in range(items)))
    truth = rng.integers(0, 10, items)
    for n, true in enumerate(truth):
        said = {
            who: str(true if rng.random() < good else (true + rng.integers(1, 10)) % 10)
            for who, good in skill.items()
        }
        world.vote(f"i{n:03}", **said)
    return truth


def copiers(world: World, items: int = 40) -> None:
    """Let five people be right, and dan and eve give one and the same random answer."""
    rng = np.random.default_rng(1)
    fill(world, items, ann=0.97, ben=0.97, cid=0.97, fay=0.97, gil=0.97)
    for n in range(items):
        click = str(rng.integers(0, 10))
        world.vote(f"i{n:03}", dan=click, eve=click)
    world.flush()


@pytest.mark.slow
def test_copiers_become_one_voice(world: World) -> None:
    """Two who copy each other are tied by an event with its reason, once; their copies go."""
    copiers(world)
    (tie,) = find_ties(world.state)
    assert tie.annotators == ("human:dan", "human:eve")
    found = consolidate(world.workspace, now=world.tick())
    assert found.tied == (tie.annotators,)
    said = json.loads(events(world, "annotators_tied")["body"].iloc[0])
    assert (
        said["annotators"] == ["human:dan", "human:eve"]
        and "said the same in 40 of 40" in said["reason"]
    )
    state = world.state
    assert state.tied == (tie.annotators,)
    per_item = state.evidence.loc[state.evidence["annotator"].isin(tie.annotators)]
    assert not per_item["item_id"].duplicated().any()
    assert consolidate(world.workspace, now=world.tick()).tied == ()


@pytest.mark.slow
def test_copiers_do_not_turn_the_others_into_liars(world: World) -> None:
    """Two clickers who agree do not judge the honest: only the clicker's voice is flagged."""
    copiers(world)
    consolidate(world.workspace, now=world.tick())
    assert set(world.state.flagged) <= {"human:dan", "human:eve"}
    assert "human:dan" in world.state.flagged


def test_a_copy_is_no_second_look(world: World) -> None:
    """Whom a labeler is tied to cannot audit the label, and two who are tied are one audit."""
    world.items("a", "b", "c")
    world.vote("c", dan="1", eve="1")
    world.vote("a", ann="1")
    world.vote("a", "audit", ben="1", cid="1")
    world.vote("b", "audit", ben="2", ann="2")
    assert len(world.state.audit_votes) == 4
    world.say("annotators_tied", "x", annotators=["human:ann", "human:ben"], reason="a test")
    kept = world.state.audit_votes
    assert kept["annotator"].tolist() == ["human:cid", "human:ben"]


def test_ties_that_share_somebody_are_one(world: World) -> None:
    """Who copies two copies both: groups grow together, in any order of the events."""
    world.say("annotators_tied", "1", annotators=["human:a", "human:b"], reason="")
    world.say("annotators_tied", "2", annotators=["human:c", "human:d"], reason="")
    assert len(world.state.tied) == 2
    world.say("annotators_tied", "3", annotators=["human:b", "human:c"], reason="")
    assert world.state.tied == (("human:a", "human:b", "human:c", "human:d"),)


def timed(world: World, who: str, seconds: float) -> None:
    """Give the unsent votes of somebody a duration."""
    for row in world.unsent:
        if row["annotator"] == f"human:{who}":
            row["seconds"] = seconds


class LocalPause:
    """A queue that only remembers who is served."""

    name = "pausing"

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def pause(self, annotator: str, reason: str) -> None:
        self.said.append(("pause", annotator))

    def resume(self, annotator: str) -> None:
        self.said.append(("resume", annotator))

    def send(self, *args: Any, **rest: Any) -> None:
        """Take anything."""


def test_a_one_second_clicker_is_flagged_with_a_reason(world: World) -> None:
    """Everything in one second and nothing that judges it: flagged; right beside gold: not."""
    fill(world, 40, ann=1.0, bob=1.0)
    for n in range(40):
        world.vote(f"i{n:03}", "gold", zoe="1")
    for n in range(40, 90):
        world.vote(f"i{n:03}", zoe="1")
    for who, seconds in (("ann", 5.0), ("bob", 1.0), ("zoe", 1.0)):
        timed(world, who, seconds)
    table = annotator_table(world.state).set_index("annotator")
    assert table["flagged"].to_dict() == {"human:ann": False, "human:bob": False, "human:zoe": True}
    assert "human:bob" in remarks(world.state), "quick and right: said, but not punished"


def test_alone_and_in_one_second(world: World) -> None:
    """A lone clicker whom nothing judges is flagged for haste, and the reason says so."""
    fill(world, 40, zoe=0.1)
    timed(world, "zoe", 1.0)
    row = annotator_table(world.state).iloc[0]
    assert row["flagged"] and row["judged"] == 0
    assert row["reason"] == (
        "40 of 40 answers within 1.0 seconds; nothing shows that the answers are right"
    )
    slow = make_world(TEN)
    fill(slow, 40, zoe=0.1)
    timed(slow, "zoe", 3.0)
    assert not annotator_table(slow.state)["flagged"].any()


def _hasty() -> World:
    """Return a label set in which somebody quick, whom nothing judges, is flagged."""
    world = make_world(TEN)
    fill(world, 40, zoe=0.95)
    timed(world, "zoe", 1.0)
    world.flush()
    assert consolidate(world.workspace, now=world.tick()).flagged == ("human:zoe",)
    return world


def _agrees(world: World, who: str) -> None:
    """Let somebody take their time over the same items, and say the same."""
    said = world.state.votes.loc[world.state.votes["annotator"] == "human:zoe"]
    for item, value in zip(said["item_id"], said["value"], strict=True):
        world.vote(item, **{who: json.loads(value)})
    timed(world, who, 6.0)


@pytest.mark.slow
def test_a_flag_for_haste_ends_when_the_answers_prove_right() -> None:
    """Others say the same of the items: the quick votes count again, by an event, and for good."""
    world = _hasty()
    assert world.state.evidence.empty and world.state.hasty == ("human:zoe",)
    queue = LocalPause()
    send(world.workspace, queue, now=world.tick())
    for who in ("ann", "bob"):
        _agrees(world, who)
    world.flush()
    done = consolidate(world.workspace, now=world.tick())
    assert (done.flagged, done.cleared) == ((), ("human:zoe",))
    assert world.state.flagged == () and "human:zoe" in set(world.state.evidence["annotator"])
    send(world.workspace, queue, now=world.tick())
    assert queue.said == [("pause", "human:zoe"), ("resume", "human:zoe")]
    for n in range(40, 90):
        world.items(f"i{n:03}")
        world.vote(f"i{n:03}", zoe="1")
    timed(world, "zoe", 1.0)
    world.flush()
    assert consolidate(world.workspace, now=world.tick()).flagged == (), "haste was answered for"
    rows = world.workspace.tables.read("events")
    assert (rows["kind"] == "annotator_flagged").sum() == 2


@pytest.mark.slow
def test_a_flag_for_haste_does_not_end_on_wrong_answers() -> None:
    """Known answers contradict the quick ones: the flag stays, now for accuracy, and for good."""
    world = _hasty()
    said = world.state.votes.set_index("item_id")["value"].map(json.loads).astype(int)
    for item, value in said.items():
        world.say("gold", str(item), 0, value=json.dumps(str((value + 1) % 10)))
    done = consolidate(world.workspace, now=world.tick())
    assert done.cleared == () and world.state.flagged == ("human:zoe",)
    assert world.state.hasty == () and "judged votes" in world.state.flag_reasons["human:zoe"]


@pytest.mark.slow
def test_whom_nothing_judges_stays_flagged() -> None:
    """Running again without new evidence says nothing again."""
    world = _hasty()
    assert consolidate(world.workspace, now=world.tick()).flagged == ()
    assert world.state.hasty == ("human:zoe",)


@pytest.mark.slow
def test_size_and_power_of_the_proof_that_ends_haste() -> None:
    """At the floor 5 % at most are ever let off; the good soon; the interval let off far more."""
    rng, n, floor = np.random.default_rng(0), np.arange(1, 301), 0.7
    shares = {}
    for accuracy in (floor, 0.95):
        wrong = (rng.random((600, n.size)) > accuracy).cumsum(axis=1)
        proven = log_e_value(wrong, n[None, :], 1 - floor) >= log_wanted(0.05)
        low, _ = clopper_pearson_arrays((n - wrong).ravel(), np.tile(n, len(wrong)), 0.95)
        naive = (low >= floor).reshape(wrong.shape)
        shares[accuracy] = proven.any(axis=1).mean(), proven[:, 39].mean(), naive.any(axis=1).mean()
    assert shares[floor][0] <= 0.05 + 0.02 and shares[floor][2] > 0.1
    assert shares[0.95][1] > 0.9


def test_remarks_say_what_is_odd(world: World) -> None:
    """Somebody who reads one class as another gets a remark with the numbers; the rest none."""
    rng = np.random.default_rng(2)
    truth = fill(world, 300, ann=0.98, ben=0.98, cid=0.98)
    for n, true in enumerate(truth):
        said = 7 if true == 1 and rng.random() < 0.6 else true
        world.vote(f"i{n:03}", eve=str(said))
    found = remarks(world.state)
    assert set(found) == {"human:eve"}
    (remark,) = found["human:eve"]
    assert remark.kind == "confuses"
    assert remark.text.startswith("says 7 for 1 in ") and "where others do in 0 %" in remark.text


@pytest.mark.slow
def test_whoever_clicks_yes_is_swayed(world: World) -> None:
    """Routed with default settings, one vote in five is blind: who agrees only in sight is named.

    Blind votes count as those of the same round that saw the proposal: all are compared.
    """
    rng, ids = np.random.default_rng(5), [f"i{n:03}" for n in range(400)]
    world.items(*ids)
    world.propose(dict.fromkeys(ids, ("3", 0.8)))
    route(world.workspace, now=world.tick())
    asked = world.state.plan
    for item, saw in zip(asked["item_id"], asked["show_proposal"], strict=True):
        own = "3" if rng.random() < 0.5 else "4"
        world.vote(item, saw=bool(saw), eve="3" if saw else own)
    state = world.state
    found = anchoring(state.votes, state.plan, state.proposals)
    shown = int(asked["show_proposal"].sum())
    assert (found.shown, found.blind) == (shown, len(asked) - shown)
    assert 0.1 < found.blind / len(asked) < 0.3 and found.low > 0.2
    (swayed,) = (r for r in remarks(state)["human:eve"] if r.kind == "swayed")
    assert swayed.text.startswith(f"agrees with the model in 100 % of {shown} votes that saw its")


@pytest.mark.slow
def test_looks_share_one_risk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where p-values judge, the j-th look has 6/(π²j²) of it: 5 % a remark, 1 % for ties, in all.

    What is an e-process may be read at any look, and has the whole risk at each.
    """
    asked: dict[str, float] = {}

    def spied(name: str, argument: str) -> None:
        real = getattr(people, name)

        def kept(*args: Any, **options: Any) -> Any:
            if argument in options:
                asked[name] = options[argument]
            return real(*args, **options)

        monkeypatch.setattr(people, name, kept)

    for name in ("find_collusion", "directed_confusions", "find_swayed", "judge_steadiness"):
        spied(name, "risk")
    spied("judge_speed", "look_risk")
    fill(world, 30, ann=0.9, ben=0.9, cid=0.9)
    world.propose({"i000": ("3", 0.8)})
    for look in (1, 2):
        consolidate(world.workspace, now=world.tick())
        remarks(world.state), find_ties(world.state)
        part = 6 / (np.pi * look) ** 2
        assert asked == pytest.approx({
            "find_collusion": 0.01 * part, "directed_confusions": 0.05 * part,
            "find_swayed": 0.05 * part, "judge_speed": 0.05 * part, "judge_steadiness": 0.05,
        })  # fmt: skip
        # Looking again at the same votes is no other look; one vote more is.
        world.vote("i000", dan="4")
        world.flush()


@pytest.mark.slow
def test_flags_and_what_ends_them_take_what_is_told(world: World) -> None:
    """A hundred times as many as there are people for a flag; twenty that somebody is right.

    People stand closer to both than a factor of two, on either side.
    """
    items = [f"i{n:03}" for n in range(40)]
    world.items(*items)
    say(world.state, [("gold", item, 0, {"value": '"0"'}) for item in items], world.tick())
    answers = [(2, n) for n in range(16, 41, 2)] + [(k, n) for n in (20, 23) for k in range(8, 18)]
    for n, item in enumerate(items):
        said = {f"p{k}of{of}": "1" if n < k else "0" for k, of in answers if n < of}
        world.vote(item, "gold", **said)
    table = annotator_table(world.state)
    assert (table["judged"] == table["votes"]).all() and len(table) == len(answers)
    floor = world.workspace.policies.audit.annotator_floor
    shown = np.exp(log_e_value(table["judged"] - table["right"], table["judged"], 1 - floor))
    assert ((shown > 10) & (shown < 20)).any() and ((shown >= 20) & (shown < 40)).any()
    assert table["shown"].tolist() == (shown >= 20).tolist()
    # The e-BH rule by its definition.
    evidence = np.exp(table["log_e"].to_numpy())
    ranked = np.sort(evidence)[::-1]
    bars = len(answers) / np.arange(1, len(answers) + 1) / 0.01
    bar = bars[np.flatnonzero(ranked >= bars)[-1]]
    assert ((evidence > bar / 2) & (evidence < bar)).any()
    assert table["flagged"].tolist() == (evidence >= bar).tolist()


def test_a_newcomer_moves_nobody_elses_evidence(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes later, by whatever name, ties of those before are broken as they were."""
    seen: list[np.ndarray] = []

    def kept(*args: Any, **options: Any) -> Steadiness:
        found = judge_steadiness(*args, **options)
        seen.append(found.log_e)
        return found

    monkeypatch.setattr(people, "judge_steadiness", kept)
    truth = fill(world, 80, ben=0.9, cid=0.7)
    gold = [("gold", f"i{n:03}", 0, {"value": json.dumps(str(t))}) for n, t in enumerate(truth)]
    say(world.state, gold, world.tick())
    remarks(world.state)
    for n in range(80):
        world.vote(f"i{n:03}", ann="1")
    remarks(world.state)
    before, after = seen
    assert before.any() and after[:2].tolist() == before.tolist()


def test_nobody_no_remarks(world: World) -> None:
    """Without votes there is nothing to say."""
    world.items("a")
    assert remarks(world.state) == {} and find_ties(world.state) == []
    assert annotator_table(world.state).empty


def test_one_person_under_two_spellings_is_named(world: World) -> None:
    """Their votes count as two people's: nothing tells it but the names."""
    world.items("i0", "i1")
    world.vote("i0", **{"Anna ": "1", "ben": "1"})
    world.vote("i1", anna="2", hanna="2", **{"\uff41nna": "2"})
    said = {
        name: [remark.text for remark in found if remark.kind == "namesake"]
        for name, found in remarks(world.state).items()
    }
    assert {name for name, texts in said.items() if texts} == {
        "human:Anna ", "human:anna", "human:\uff41nna"
    }  # fmt: skip
    (text,) = said["human:anna"]
    assert text.startswith("written almost as human:Anna , human:\uff41nna;")
