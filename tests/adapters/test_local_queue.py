"""The embedded queue: the common suite, and what only it promises."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelops.adapters import _local_queue_file as local_queue_file
from labelops.adapters import local_queue
from labelops.adapters.local_queue import LocalQueue
from labelops.digest import canonical_json
from labelops.errors import NotFoundError, SchemaError, UsageError
from labelops.ports import BatchHands, Hands, Offer, Pausing, Queue
from labelops.schema import Schema
from labelops.tables import VOTES, newest
from labelops.testing.queues import PETS, Ends, QueueTests, Stored, Wish, items_for, plan_for

from .local_queues import ANN, BOB, CAT, CYD, DOG, EEL, Mortal, ended, forked, read, send


class TestQueue(QueueTests):
    """The suite every queue passes."""

    @pytest.fixture
    def ends(self, tmp_path: Path) -> Ends:
        queue = LocalQueue(tmp_path)
        return queue, queue

    def _folder(self, ends: Ends) -> Path:
        queue = ends[0]
        assert isinstance(queue, LocalQueue)
        return queue.file.parent

    def stored(self, ends: Ends) -> list[Stored]:
        sql = "SELECT item_id, purpose, round, payload, shown FROM offers"
        return [Stored(*row) for row in read(self._folder(ends), sql)]

    def reopen(self, ends: Ends) -> Ends:
        queue = LocalQueue(self._folder(ends))
        return queue, queue

    def send_and_die(
        self, ends: Ends, plan: pd.DataFrame, items: pd.DataFrame, schema: Schema, after: int
    ) -> None:
        """Kill a process after it wrote `after` offers of an open transaction."""
        folder, rows = self._folder(ends), local_queue_file.offer_rows

        def work() -> None:
            local_queue.offer_rows = lambda *args: Mortal(rows(*args), after)  # type: ignore
            LocalQueue(folder).send(plan, items, schema, payloads=None)

        assert ended(forked(work)) == -signal.SIGKILL


def test_it_is_a_queue_with_batch_hands(tmp_path: Path) -> None:
    """The embedded queue has every method of the protocols it claims."""
    queue = LocalQueue(tmp_path)
    assert isinstance(queue, Queue)
    assert isinstance(queue, Hands)
    assert isinstance(queue, BatchHands)
    assert isinstance(queue, Pausing)


def test_a_cursor_brings_nothing_known(tmp_path: Path) -> None:
    """After a cursor come exactly the later changes; a lost or foreign cursor brings all."""
    queue = LocalQueue(tmp_path / "a")
    send(queue, Wish("x"), Wish("y"))
    offers = queue.offers(ANN)
    queue.answer(ANN, offers[0], CAT)
    cursor = queue.receive().cursor
    queue.answer(ANN, offers[1], DOG)
    assert queue.receive(cursor).votes["item_id"].tolist() == ["y"]
    assert len(queue.receive(queue.receive().cursor).votes) == 0
    foreign = LocalQueue(tmp_path / "b").receive().cursor
    own = cursor.partition(":")[0]
    for lost in (foreign, "", "nonsense", "1:2:3", own, f"{own}:", f"{own}:-1", f"{own}:x"):
        assert len(queue.receive(lost).votes) == 2


def test_revisions_grow_even_when_the_clock_does_not(tmp_path: Path) -> None:
    """Three changes within one microsecond, or with the clock set back, stay in order."""
    times = iter([1_000_000, 1_000_000, 5])
    send(LocalQueue(tmp_path), Wish("x"))
    queue = LocalQueue(tmp_path, clock=lambda: next(times))
    offer = queue.offers(ANN)[0]
    queue.answer(ANN, offer, CAT)
    queue.edit(ANN, offer, DOG)
    queue.delete(ANN, offer)
    votes = queue.receive().votes
    assert votes["revision"].tolist() == [1_000_000, 1_000_001, 1_000_002]
    assert newest(VOTES, votes.sample(frac=1, random_state=1))["status"].tolist() == ["deleted"]


def test_the_same_answer_again_is_no_change(tmp_path: Path) -> None:
    """An answer repeated after a lost acknowledgement adds no row and takes no seat."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x", annotators=2))
    offer = queue.offers(ANN)[0]
    queue.answer(ANN, offer, CAT)
    queue.answer(ANN, offer, CAT)
    assert len(queue.receive().votes) == 1
    assert len(queue.offers(BOB)) == 1
    queue.answer(ANN, offer, DOG)
    assert newest(VOTES, queue.receive().votes)["value"].tolist() == [DOG]


def test_gold_is_not_offered_again_to_who_took_the_answer_back(tmp_path: Path) -> None:
    """Its seat is free, for others: one person sees a gold question once."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x", purpose="gold"))
    offer = queue.offers(ANN)[0]
    queue.answer(ANN, offer, CAT)
    queue.delete(ANN, offer)
    assert (len(queue.offers(ANN)), len(queue.offers(BOB))) == (0, 1)


def test_gold_of_two_rounds_is_met_once(tmp_path: Path) -> None:
    """Where a later round asks before somebody answered an earlier one; other content is new."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x", purpose="gold", annotators=2))
    send(queue, Wish("x", purpose="gold", round=2))
    (offer,) = queue.offers(ANN)
    queue.answer(ANN, offer, CAT)
    assert queue.offers(ANN) == []
    (other,) = queue.offers(BOB)
    queue.answer(BOB, other, CAT)
    assert len(queue.offers("human:cyd")) == 1
    revised = items_for([Wish("x")], {"x": "another text"})
    plan = plan_for([Wish("x", purpose="gold", round=3)], PETS)
    queue.send(plan, revised, PETS, payloads=None)
    assert [o.round for o in queue.offers(ANN)] == [3]


def test_an_item_is_met_once(tmp_path: Path) -> None:
    """Also where it is open for two purposes: who looked for one says nothing new for the other."""
    queue = LocalQueue(tmp_path)
    wishes = Wish("x", priority=2.0), Wish("x", purpose="audit"), Wish("x", purpose="gold")
    send(queue, *wishes, Wish("y"))
    assert [(o.item_id, o.purpose) for o in queue.offers(ANN)] == [
        ("x", "label"), ("x", "gold"), ("y", "label")
    ]  # fmt: skip
    queue.answer(ANN, queue.offers(ANN)[0], CAT)
    queue.skip(BOB, queue.offers(BOB)[0])
    for who in (ANN, BOB):
        assert [(o.item_id, o.purpose) for o in queue.offers(who)] == [
            ("x", "gold"),
            ("y", "label"),
        ]
    assert [o.purpose for o in queue.offers(CYD)][:1] == ["audit"]
    # Nor where it is asked about again before their answer was collected.
    send(queue, Wish("x", round=2, annotators=2))
    assert [o.item_id for o in queue.offers(ANN) if o.purpose != "gold"] == ["y"]
    queue.delete(ANN, Offer("x", "label", 1))
    assert queue.offers(ANN)[0].purpose == "label"


def test_what_was_taken_back_is_asked_anew(tmp_path: Path) -> None:
    """An answer to what does not count any more keeps nobody from the next question."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x"))
    queue.answer(ANN, queue.offers(ANN)[0], CAT)
    queue.retract(plan_for([Wish("x")], PETS))
    send(queue, Wish("x", round=2))
    assert [o.round for o in queue.offers(ANN)] == [2]


def test_a_deleted_answer_frees_its_seat(tmp_path: Path) -> None:
    """After a deletion the item is open again, also to the one who deleted."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x"))
    offer = queue.offers(ANN)[0]
    queue.answer(ANN, offer, CAT)
    assert queue.offers(BOB) == []
    queue.delete(ANN, offer)
    assert len(queue.offers(ANN)) == len(queue.offers(BOB)) == 1
    with pytest.raises(NotFoundError, match="no answer"):
        queue.delete(ANN, offer)


def test_a_late_answer_to_a_full_item_is_kept(tmp_path: Path) -> None:
    """Two people who held the last seat both count: work that was done is not thrown away."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x"))
    held = queue.offers(BOB)[0]
    queue.answer(ANN, queue.offers(ANN)[0], CAT)
    queue.answer(BOB, held, DOG)
    assert len(queue.receive().votes) == 2
    queue.delete(BOB, held)
    assert queue.offers(CYD) == []


def test_paused_people_are_served_nothing(tmp_path: Path) -> None:
    """A paused annotator gets no offers until resumed; others are served as before."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x"))
    queue.pause(ANN, "clicks at random")
    assert queue.paused() == {ANN: "clicks at random"}
    assert queue.offers(ANN) == []
    assert len(LocalQueue(tmp_path).offers(BOB)) == 1
    queue.resume(ANN)
    assert len(queue.offers(ANN)) == 1


def test_annotators_are_known_once_they_answer(tmp_path: Path) -> None:
    """Nobody is known before the first answer."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x", annotators=2))
    assert queue.annotators() == []
    queue.skip(BOB, queue.offers(BOB)[0])
    queue.answer(ANN, queue.offers(ANN)[0], CAT)
    assert queue.annotators() == [ANN, BOB]


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    """Unknown offers, values outside the schema, excluded people and odd names are errors."""
    queue = LocalQueue(tmp_path)
    send(queue, Wish("x", exclude=(BOB,)))
    offer = queue.offers(ANN)[0]
    other = LocalQueue(tmp_path / "other")
    with pytest.raises(NotFoundError, match="not offered"):
        other.answer(ANN, offer, CAT)
    with pytest.raises(SchemaError, match="unknown class 'fox'"):
        queue.answer(ANN, offer, canonical_json("fox"))
    with pytest.raises(UsageError, match="excluded"):
        queue.answer(BOB, offer, CAT)
    for nobody in ("model:x", "human:", "ann", ""):
        with pytest.raises(UsageError, match="human:ann"):
            queue.answer(nobody, offer, CAT)
    with pytest.raises(NotFoundError, match="no answer"):
        queue.edit(ANN, offer, CAT)
    assert len(queue.receive().votes) == 0


def test_a_bad_plan_changes_nothing(tmp_path: Path) -> None:
    """A plan with one row that cannot be offered is refused whole."""
    queue = LocalQueue(tmp_path)
    wishes = [Wish("x"), Wish("y")]
    with pytest.raises(NotFoundError, match="'y'"):
        queue.send(plan_for(wishes), items_for(wishes[:1]), PETS, payloads=None)
    with pytest.raises(SchemaError, match="another schema"):
        queue.send(
            plan_for(wishes), items_for(wishes), Schema("pets", ("cat", "dog")), payloads=None
        )
    shows = [Wish("x"), Wish("y", value=canonical_json("fox"), show_proposal=True)]
    with pytest.raises(SchemaError, match="unknown class"):
        queue.send(plan_for(shows), items_for(shows), PETS, payloads=None)
    bad = plan_for(wishes).assign(exclude=["[]", "{"])
    with pytest.raises(UsageError, match="JSON list"):
        queue.send(bad, items_for(wishes), PETS, payloads=None)
    surrogate = [Wish("ok"), Wish("x\ud800")]
    items = items_for([Wish("ok"), Wish("z")]).assign(item_id=["ok", "x\ud800"])
    with pytest.raises(UsageError, match="surrogate"):
        queue.send(plan_for(surrogate), items, PETS, payloads=None)
    assert read(tmp_path, "SELECT count(*) FROM offers") == [(0,)]


def test_a_renamed_class_is_still_an_answer(tmp_path: Path) -> None:
    """An old class name given, or shown, under a schema that renames it means the new one."""
    queue = LocalQueue(tmp_path)
    renamed = Schema("pets", ("feline", "dog"), renames={"cat": "feline"})
    send(queue, Wish("x", value=CAT, show_proposal=True), schema=renamed)
    offer = queue.offers(ANN)[0]
    assert offer.shown == canonical_json("feline")
    queue.answer(ANN, offer, CAT)
    assert queue.receive().votes["value"].tolist() == [canonical_json("feline")]


def test_what_is_shown_follows_the_schema(tmp_path: Path) -> None:
    """A pre-label of before is said in today's words; one of a class that is gone is not shown."""
    queue = LocalQueue(tmp_path)
    dog = canonical_json("dog")
    send(queue, *(Wish(i, value=v, show_proposal=True) for i, v in (("x", CAT), ("y", dog))))
    renamed = Schema("pets", ("feline", "eel"), renames={"cat": "feline"})
    send(queue, Wish("z"), schema=renamed)
    assert {o.item_id: o.shown for o in queue.offers(ANN)} == {
        "x": canonical_json("feline"), "y": None, "z": None,
    }  # fmt: skip


def test_a_folder_keeps_its_name(tmp_path: Path) -> None:
    """Opening a queue under another name is refused, as its vote ids would change."""
    LocalQueue(tmp_path, "first")
    with pytest.raises(UsageError, match="'first', not 'second'"):
        LocalQueue(tmp_path, "second")


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_any_history_ends_as_a_plain_model_says(tmp_path: Path, seed: int) -> None:
    """After random answers, skips, edits and deletions, offers and votes equal a dictionary's."""
    rng = np.random.default_rng(seed)
    queue, people = LocalQueue(tmp_path), [ANN, BOB, CYD]
    wishes = [
        Wish(f"i{n}", annotators=1 + n % 2, exclude=(people[n % 3],) if n % 4 == 0 else ())
        for n in range(8)
    ]
    send(queue, *wishes)
    said: dict[tuple[str, str], tuple[str, str | None]] = {}

    def is_open(wish: Wish, who: str) -> bool:
        taken = sum(i == wish.item_id and s[0] == "given" for (i, _), s in said.items())
        done = said.get((wish.item_id, who), ("deleted", None))[0] != "deleted"
        return taken < wish.annotators and not done and who not in wish.exclude

    for _ in range(60):
        who = people[rng.integers(3)]
        mine = [i for (i, w), s in said.items() if w == who and s[0] == "given"]
        offers, value = queue.offers(who), (CAT, DOG, EEL)[rng.integers(3)]
        assert [o.item_id for o in offers] == [w.item_id for w in wishes if is_open(w, who)]
        if mine and rng.random() < 0.6:
            offer = Offer(mine[rng.integers(len(mine))], "label", 1)
            if rng.random() < 0.6:
                queue.delete(who, offer)
                said[offer.item_id, who] = ("deleted", None)
            else:
                queue.edit(who, offer, value)
                said[offer.item_id, who] = ("given", value)
        elif offers:
            offer = offers[rng.integers(len(offers))]
            if rng.random() < 0.2:
                queue.skip(who, offer)
                said[offer.item_id, who] = ("skipped", None)
            else:
                queue.answer(who, offer, value)
                said[offer.item_id, who] = ("given", value)
    votes = newest(VOTES, queue.receive().votes)
    rows = zip(votes["item_id"], votes["annotator"], votes["status"], votes["value"], strict=True)
    assert {(i, w): (s, v) for i, w, s, v in rows} == said


# --- many processes, sudden deaths, bad disks ----------------------------------------------
