"""The conformance suite for queues: subclass `QueueTests` in your own tests.

Needs pytest. An example is the embedded queue's own test::

    class TestLocalQueue(QueueTests):
        @pytest.fixture
        def ends(self, tmp_path):
            queue = LocalQueue(tmp_path)
            return queue, queue

        def stored(self, ends):
            ...  # read the queue's storage without the adapter
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import pandas as pd
import pytest

from labelops.digest import canonical_json, digest, digest_bytes
from labelops.ports import Queue
from labelops.schema import Schema
from labelops.tables import ITEMS, PLAN, VOTES, check, frame_of, newest

from .hands import Hands, Offer

__all__ = ["PETS", "Ends", "QueueTests", "Stored", "Wish", "items_for", "plan_for"]

Ends = tuple[Queue, Hands]

PETS = Schema("pets", ("cat", "dog", "eel"))
"""The suite's ordinary schema."""

ANN1, ANN2, ANN3 = "human:ann1", "human:ann2", "human:ann3"

_NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stored:
    """One offer as the queue really stores it, read without the adapter.

    Parameters
    ----------
    item_id, purpose, round :
        The plan row's key.
    payload : str
        The text (or the URI) an annotator would be shown.
    shown : str or None
        The pre-label an annotator would be shown as canonical JSON, if any.
    """

    item_id: str
    purpose: str
    round: int
    payload: str
    shown: str | None


@dataclass(frozen=True, slots=True)
class Wish:
    """A plan row in short, with the suite's defaults."""

    item_id: str
    purpose: str = "label"
    round: int = 1
    annotators: int = 1
    priority: float = 0.0
    value: str | None = None
    show_proposal: bool = False
    exclude: tuple[str, ...] = ()


def plan_for(wishes: Sequence[Wish], schema: Schema = PETS) -> pd.DataFrame:
    """Build plan rows from wishes.

    Examples
    --------
    >>> plan_for([Wish("a"), Wish("b", purpose="audit")])["purpose"].tolist()
    ['label', 'audit']
    """
    columns = {
        "item_id": [w.item_id for w in wishes],
        "round": [w.round for w in wishes],
        "purpose": [w.purpose for w in wishes],
        "annotators": [w.annotators for w in wishes],
        "reason": "conformance suite",
        "priority": [w.priority for w in wishes],
        "show_proposal": [w.show_proposal for w in wishes],
        "labeler_version": "model-1",
        "value": [w.value for w in wishes],
        "exclude": [canonical_json(list(w.exclude)) for w in wishes],
        "schema_digest": schema.digest,
        "planned_at": _NOW,
    }
    return frame_of(PLAN, columns, len(wishes))


def items_for(wishes: Sequence[Wish], payloads: dict[str, str] | None = None) -> pd.DataFrame:
    """Build items rows for the items that wishes name; the payload is a text.

    Examples
    --------
    >>> items_for([Wish("a"), Wish("a", purpose="audit")])["payload"].tolist()
    ['text of a']
    """
    ids = list(dict.fromkeys(w.item_id for w in wishes))
    texts = [(payloads or {}).get(i, f"text of {i}") for i in ids]
    columns = {
        "item_id": ids,
        "revision": 0,
        "payload": texts,
        "media_type": "text/plain",
        "payload_digest": [digest_bytes(t.encode()) for t in texts],
        "source": "suite",
        "group": [digest(i)[:16] for i in ids],
        "attributes": "{}",
        "ingested_at": _NOW,
    }
    return frame_of(ITEMS, columns, len(ids))


def _send(
    queue: Queue,
    wishes: Sequence[Wish],
    schema: Schema = PETS,
    payloads: dict[str, str] | None = None,
) -> tuple[int, int]:
    plan, items = plan_for(wishes, schema), items_for(wishes, payloads)
    sent = queue.send(plan, items, schema, payloads=None)
    return sent.offered, sent.known


def _offer(hands: Hands, annotator: str, item_id: str, purpose: str = "label") -> Offer:
    found = [o for o in hands.offers(annotator) if o.item_id == item_id and o.purpose == purpose]
    assert len(found) == 1, f"{annotator} has {len(found)} offers of {item_id!r} for {purpose}"
    return found[0]


def _open(hands: Hands, annotator: str) -> list[str]:
    return sorted(o.item_id for o in hands.offers(annotator))


def _say(hands: Hands, annotator: str, item_id: str, raw: str, purpose: str = "label") -> Offer:
    offer = _offer(hands, annotator, item_id, purpose)
    hands.answer(annotator, offer, canonical_json(raw))
    return offer


def _votes(queue: Queue) -> pd.DataFrame:
    return newest(VOTES, check(VOTES, queue.receive().votes))


def _given(votes: pd.DataFrame) -> set[tuple[str, str, str]]:
    rows = votes[votes["status"] == "given"]
    return {
        (item, annotator, json.loads(value))
        for item, annotator, value in zip(
            rows["item_id"], rows["annotator"], rows["value"], strict=True
        )
    }


class QueueTests:
    """Every queue with hands passes these; the flags say what a queue cannot do.

    A subclass gives the fixture `ends` (a fresh queue and its hands, in which ``human:ann1``
    to ``human:ann3`` can work) and `stored`, and sets a flag to False with a reason beside it
    where its vendor cannot do a thing.
    """

    enforces_exclusion: ClassVar[bool] = True
    """Whether an excluded annotator is never served the item. Votes count either way."""

    skip_frees_seat: ClassVar[bool] = True
    """Whether a skipped offer goes to somebody else."""

    serves_by_priority: ClassVar[bool] = True
    """Whether items of one send are served by priority, the largest first."""

    @pytest.fixture
    def ends(self) -> Ends:
        """Return a fresh queue and its hands."""
        raise NotImplementedError("give the fixture `ends`: (queue, hands), fresh for each test")

    def stored(self, ends: Ends) -> list[Stored]:
        """Return every offer the queue stores, open or not, read without the adapter."""
        raise NotImplementedError("give `stored`: what is in the queue, read around the adapter")

    def reopen(self, ends: Ends) -> Ends:
        """Return the same queue as another process would open it."""
        return ends

    def send_and_die(
        self, ends: Ends, plan: pd.DataFrame, items: pd.DataFrame, schema: Schema, after: int
    ) -> None:
        """Send, but die for good after about `after` offers reached the queue."""
        pytest.skip("this queue's tests give no way to die half way through a send")

    # --- sending -----------------------------------------------------------------------

    def test_a_plan_is_offered_with_its_key_and_payload(self, ends: Ends) -> None:
        """Each plan row becomes exactly one stored offer with its own item, purpose, payload."""
        queue, _ = ends
        wishes = [Wish("a"), Wish("b"), Wish("a", purpose="audit")]
        assert _send(queue, wishes) == (3, 0)
        found = sorted((s.item_id, s.purpose, s.round, s.payload) for s in self.stored(ends))
        assert found == [
            ("a", "audit", 1, "text of a"),
            ("a", "label", 1, "text of a"),
            ("b", "label", 1, "text of b"),
        ]

    def test_sending_twice_offers_once(self, ends: Ends) -> None:
        """The same plan again, also from another process, adds nothing behind the adapter."""
        queue, hands = ends
        wishes = [Wish("a"), Wish("b")]
        _send(queue, wishes)
        again = self.reopen(ends)
        assert _send(again[0], wishes) == (0, 2)
        assert _send(queue, [*wishes, Wish("c")]) == (1, 2)
        assert sorted(s.item_id for s in self.stored(ends)) == ["a", "b", "c"]
        assert _open(hands, ANN1) == ["a", "b", "c"]

    def test_a_new_round_or_purpose_is_a_new_offer(self, ends: Ends) -> None:
        """The key is item, round and purpose: a change in any of them is offered anew."""
        queue, _ = ends
        _send(queue, [Wish("a")])
        assert _send(queue, [Wish("a", round=2), Wish("a", purpose="review")]) == (2, 0)
        assert len(self.stored(ends)) == 3

    def test_a_send_that_died_half_way_is_finished_by_the_next(self, ends: Ends) -> None:
        """After a death in the middle and a second send, every item is offered exactly once."""
        wishes = [Wish(f"i{n}") for n in range(7)]
        plan, items = plan_for(wishes), items_for(wishes)
        self.send_and_die(ends, plan, items, PETS, 3)
        queue, hands = self.reopen(ends)
        queue.send(plan, items, PETS, payloads=None)
        want = [w.item_id for w in wishes]
        assert sorted(s.item_id for s in self.stored(ends)) == want
        assert _open(hands, ANN1) == want

    def test_sending_nothing_is_fine(self, ends: Ends) -> None:
        """An empty plan offers nothing, and receiving from an empty queue gives no votes."""
        queue, _ = ends
        assert _send(queue, []) == (0, 0)
        assert len(_votes(queue)) == 0

    # --- who is served what ------------------------------------------------------------

    def test_overlap_asks_so_many_different_people(self, ends: Ends) -> None:
        """With two annotators an item closes after two answers by different people."""
        queue, hands = ends
        _send(queue, [Wish("a", annotators=2), Wish("b", annotators=1)])
        _say(hands, ANN1, "a", "cat")
        assert _open(hands, ANN1) == ["b"]
        _say(hands, ANN2, "b", "dog")
        _say(hands, ANN2, "a", "dog")
        assert _open(hands, ANN3) == []
        assert _given(_votes(queue)) == {
            ("a", ANN1, "cat"),
            ("a", ANN2, "dog"),
            ("b", ANN2, "dog"),
        }

    def test_excluded_people_are_not_served(self, ends: Ends) -> None:
        """An audit goes to somebody else than the labeler."""
        queue, hands = ends
        if not self.enforces_exclusion:
            pytest.skip("this queue cannot keep an annotator from an item")
        _send(queue, [Wish("a", purpose="audit", exclude=(ANN1, 'human:näme "q"'))])
        assert _open(hands, ANN1) == []
        assert _open(hands, ANN2) == ["a"]

    def test_priority_is_served_first(self, ends: Ends) -> None:
        """Among items of one send the largest priority comes first, whatever their order."""
        queue, hands = ends
        if not self.serves_by_priority:
            pytest.skip("this queue cannot order what it serves")
        wishes = [Wish("x1", priority=1.0), Wish("x9", priority=9.0), Wish("x5", priority=5.0)]
        _send(queue, wishes)
        assert [o.item_id for o in hands.offers(ANN1)] == ["x9", "x5", "x1"]
        assert [o.item_id for o in hands.offers(ANN1, limit=1)] == ["x9"]

    def test_the_blind_share_shows_nothing(self, ends: Ends) -> None:
        """A pre-label is on the screen only where the plan says so, and the vote says which."""
        queue, hands = ends
        proposed = canonical_json("dog")
        _send(
            queue,
            [
                Wish("seen", value=proposed, show_proposal=True),
                Wish("blind", value=proposed, show_proposal=False),
            ],
        )
        assert {s.item_id: s.shown for s in self.stored(ends)} == {"seen": proposed, "blind": None}
        assert {o.item_id: o.shown for o in hands.offers(ANN1)} == {
            "seen": proposed,
            "blind": None,
        }
        _say(hands, ANN1, "seen", "dog")
        _say(hands, ANN1, "blind", "dog")
        votes = _votes(queue)
        assert dict(zip(votes["item_id"], votes["saw_proposal"], strict=True)) == {
            "seen": True,
            "blind": False,
        }

    @pytest.mark.parametrize("purpose", ["review", "audit", "calibrate"])
    def test_a_second_look_shows_no_earlier_label(self, ends: Ends, purpose: str) -> None:
        """Review, audit and calibration are blind, even if the plan says to show a value."""
        queue, hands = ends
        _send(queue, [Wish("a")])
        _say(hands, ANN1, "a", "cat")
        value = canonical_json("cat")
        _send(queue, [Wish("a", purpose=purpose, round=2, value=value, show_proposal=True)])
        later = [s.shown for s in self.stored(ends) if s.purpose == purpose]
        assert later == [None]
        assert _offer(hands, ANN2, "a", purpose).shown is None

    # --- receiving ---------------------------------------------------------------------

    def test_answers_arrive_exactly(self, ends: Ends) -> None:
        """Every answer arrives once, with its own item and person, in whatever order given."""
        queue, hands = ends
        _send(queue, [Wish(i, annotators=2) for i in ("a", "b", "c")])
        said = [
            (ANN2, "c", "eel"),
            (ANN1, "a", "cat"),
            (ANN2, "a", "dog"),
            (ANN3, "b", "cat"),
            (ANN1, "c", "dog"),
        ]
        for annotator, item_id, raw in said:
            _say(hands, annotator, item_id, raw)
        votes = _votes(queue)
        assert _given(votes) == {(item_id, who, raw) for who, item_id, raw in said}
        assert len(votes) == len(said)
        assert votes["vote_id"].is_unique

    def test_one_person_asked_twice_gives_two_votes(self, ends: Ends) -> None:
        """Answers of one person to one item in two rounds or purposes are different votes."""
        queue, hands = ends
        _send(queue, [Wish("a")])
        _say(hands, ANN1, "a", "cat")
        _send(queue, [Wish("a", round=2), Wish("a", round=2, purpose="calibrate")])
        _say(hands, ANN1, "a", "dog")
        _say(hands, ANN1, "a", "eel", "calibrate")
        votes = _votes(queue)
        columns = ["round", "purpose", "value"]
        assert set(votes[columns].itertuples(index=False, name=None)) == {
            (1, "label", canonical_json("cat")),
            (2, "label", canonical_json("dog")),
            (2, "calibrate", canonical_json("eel")),
        }

    def test_votes_carry_where_they_come_from(self, ends: Ends) -> None:
        """A vote says queue, purpose, round, schema, seconds, person and time of the answer."""
        queue, hands = ends
        before = pd.Timestamp.now(tz=UTC) - pd.Timedelta(minutes=5)
        _send(queue, [Wish("a", round=3, purpose="calibrate")])
        hands.answer(ANN2, _offer(hands, ANN2, "a", "calibrate"), canonical_json("cat"), 2.5)
        vote = _votes(queue).iloc[0]
        assert vote["queue"] == queue.name
        assert (vote["purpose"], vote["round"], vote["annotator"]) == ("calibrate", 3, ANN2)
        assert vote["schema_digest"] == PETS.digest
        assert vote["seconds"] == pytest.approx(2.5, abs=0.01)
        assert before < vote["given_at"] < before + pd.Timedelta(minutes=10)

    def test_a_cursor_gets_only_news(self, ends: Ends) -> None:
        """After a cursor come the answers given since; without one come all."""
        queue, hands = ends
        _send(queue, [Wish("a"), Wish("b")])
        _say(hands, ANN1, "a", "cat")
        first = queue.receive()
        _say(hands, ANN1, "b", "dog")
        assert "b" in set(queue.receive(first.cursor).votes["item_id"])
        second = queue.receive(first.cursor)
        both = newest(VOTES, pd.concat([first.votes, second.votes], ignore_index=True))
        assert _given(both) == {("a", ANN1, "cat"), ("b", ANN1, "dog")}
        pd.testing.assert_frame_equal(both, _votes(queue))

    def test_an_idle_cursor_ends_in_nothing_new(self, ends: Ends) -> None:
        """Receiving again and again never brings a row that was not said before."""
        queue, hands = ends
        _send(queue, [Wish("a")])
        _say(hands, ANN1, "a", "cat")
        first = queue.receive()
        second = queue.receive(first.cursor)
        known = pd.concat([first.votes, second.votes], ignore_index=True)
        pd.testing.assert_frame_equal(newest(VOTES, known), newest(VOTES, first.votes))

    def test_receiving_twice_gives_the_same_rows(self, ends: Ends) -> None:
        """Receiving is reading: vote ids and revisions do not depend on when one asks."""
        queue, hands = ends
        _send(queue, [Wish("a"), Wish("b")])
        _say(hands, ANN1, "a", "cat")
        _say(hands, ANN2, "b", "dog")
        first = _votes(queue)
        again, _ = self.reopen(ends)
        pd.testing.assert_frame_equal(first, _votes(again))

    def test_an_edit_is_a_new_revision(self, ends: Ends) -> None:
        """An edited answer keeps its vote id, its revision grows, and the newest value wins."""
        queue, hands = ends
        _send(queue, [Wish("a")])
        offer = _say(hands, ANN1, "a", "cat")
        first = queue.receive()
        hands.edit(ANN1, offer, canonical_json("eel"))
        second = queue.receive(first.cursor)
        old, new = newest(VOTES, first.votes).iloc[0], newest(VOTES, second.votes).iloc[0]
        assert new["vote_id"] == old["vote_id"]
        assert new["revision"] > old["revision"]
        mixed = newest(VOTES, pd.concat([second.votes, first.votes], ignore_index=True))
        assert _given(mixed) == {("a", ANN1, "eel")}

    def test_a_deleted_answer_says_so(self, ends: Ends) -> None:
        """A deleted answer becomes a newer revision with status deleted and no value."""
        queue, hands = ends
        _send(queue, [Wish("a"), Wish("b")])
        offer = _say(hands, ANN1, "a", "cat")
        _say(hands, ANN1, "b", "dog")
        first = queue.receive()
        hands.delete(ANN1, offer)
        second = queue.receive(first.cursor)
        both = newest(VOTES, pd.concat([first.votes, second.votes], ignore_index=True))
        assert dict(zip(both["item_id"], both["status"], strict=True)) == {
            "a": "deleted",
            "b": "given",
        }
        assert both.loc[both["item_id"] == "a", "value"].isna().all()
        assert len(both) == 2

    def test_a_skip_is_a_vote_without_a_value(self, ends: Ends) -> None:
        """A skip arrives as such; the item is not served to that person again."""
        queue, hands = ends
        _send(queue, [Wish("a")])
        hands.skip(ANN1, _offer(hands, ANN1, "a"))
        votes = _votes(queue)
        assert votes["status"].tolist() == ["skipped"]
        assert votes["value"].isna().all()
        assert votes["annotator"].tolist() == [ANN1]
        assert _open(hands, ANN1) == []

    def test_a_skipped_item_goes_to_somebody_else(self, ends: Ends) -> None:
        """A skip frees the seat for another person."""
        queue, hands = ends
        if not self.skip_frees_seat:
            pytest.skip("this queue counts a skip as an answer")
        _send(queue, [Wish("a")])
        hands.skip(ANN1, _offer(hands, ANN1, "a"))
        _say(hands, ANN2, "a", "dog")
        assert _given(_votes(queue)) == {("a", ANN2, "dog")}

    # --- odd content -------------------------------------------------------------------

    def test_unusual_class_names_survive(self, ends: Ends) -> None:
        """Quotes, markup, commas and other scripts in class names come back unharmed."""
        queue, hands = ends
        classes = (
            'he said "hi"',
            "it's",
            "<script>alert(1)</script>",
            "a & b &amp; c",
            "naïve ☕ 日本語",
            "back\\slash, comma; {brace} $x",
        )
        odd = Schema("odd", classes)
        _send(queue, [Wish(f"i{n}") for n in range(len(classes))], odd)
        for n, name in enumerate(classes):
            _say(hands, ANN1, f"i{n}", name)
        assert _given(_votes(queue)) == {(f"i{n}", ANN1, name) for n, name in enumerate(classes)}

    def test_a_payload_arrives_as_it_is(self, ends: Ends) -> None:
        """HTML, quotes, line breaks and other scripts in a text are stored unharmed."""
        queue, _ = ends
        payloads = {
            "html": '<b onclick="x()">bold</b> <script>alert("1")</script> &lt; &amp;',
            "lines": "one\ntwo\n\n  three\ttab",
            "scripts": "naïve ☕ 日本語 עברית 'quote' \"double\" \\ {{x}} $y %s",
        }
        _send(queue, [Wish(i) for i in payloads], payloads=payloads)
        assert {s.item_id: s.payload for s in self.stored(ends)} == payloads

    def test_unusual_item_ids_survive(self, ends: Ends) -> None:
        """Ids with slashes, quotes, spaces, markup and long ids come back as they were."""
        queue, hands = ends
        ids = ["a/b/../c.png", 'it\'s "x"', " space ", "<i>&amp;</i>", "日本 ☕", "l" * 300, "007"]
        _send(queue, [Wish(i) for i in ids])
        assert _open(hands, ANN1) == sorted(ids)
        for item_id in ids:
            _say(hands, ANN1, item_id, "cat")
        assert _given(_votes(queue)) == {(i, ANN1, "cat") for i in ids}
        assert _send(queue, [Wish(i) for i in ids]) == (0, len(ids))

    def test_a_vote_names_the_schema_it_was_given_under(self, ends: Ends) -> None:
        """When the schema changes, old votes keep the old digest and new ones get the new."""
        queue, hands = ends
        wider = Schema("pets", ("cat", "dog", "eel", "fox"))
        _send(queue, [Wish("old")])
        _say(hands, ANN1, "old", "cat")
        _send(queue, [Wish("new", round=2)], wider)
        _say(hands, ANN1, "new", "fox")
        votes = _votes(queue)
        assert dict(zip(votes["item_id"], votes["schema_digest"], strict=True)) == {
            "old": PETS.digest,
            "new": wider.digest,
        }
