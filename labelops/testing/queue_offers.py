"""The half of the suite for queues that is about plans: what is offered, and to whom."""

from __future__ import annotations

import pytest

from labelops.digest import canonical_json
from labelops.ports import Retracting

from .queue_end import QueueEnd
from .queue_wishes import (
    ANN1,
    ANN2,
    ANN3,
    PETS,
    Ends,
    Wish,
    given_in,
    items_for,
    offer_of,
    open_items,
    plan_for,
    say,
    sent,
    votes_of,
)

__all__ = ["OfferTests"]


class OfferTests(QueueEnd):
    """What is sent is offered once, whatever dies on the way, and to whom it may be."""

    def test_a_plan_is_offered_with_its_key_and_payload(self, ends: Ends) -> None:
        """Each plan row becomes exactly one stored offer with its own item, purpose, payload."""
        queue, _ = ends
        wishes = [Wish("a"), Wish("b"), Wish("a", purpose="audit")]
        assert sent(queue, wishes) == (3, 0)
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
        sent(queue, wishes)
        again = self.reopen(ends)
        assert sent(again[0], wishes) == (0, 2)
        assert sent(queue, [*wishes, Wish("c")]) == (1, 2)
        assert sorted(s.item_id for s in self.stored(ends)) == ["a", "b", "c"]
        assert open_items(hands, ANN1) == ["a", "b", "c"]

    def test_a_new_round_or_purpose_is_a_new_offer(self, ends: Ends) -> None:
        """The key is item, round and purpose: a change in any of them is offered anew."""
        queue, _ = ends
        sent(queue, [Wish("a")])
        assert sent(queue, [Wish("a", round=2), Wish("a", purpose="review")]) == (2, 0)
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
        assert open_items(hands, ANN1) == want

    def test_sending_nothing_is_fine(self, ends: Ends) -> None:
        """An empty plan offers nothing, and receiving from an empty queue gives no votes."""
        queue, _ = ends
        assert sent(queue, []) == (0, 0)
        assert len(votes_of(queue)) == 0

    def test_what_is_retracted_is_offered_to_nobody(self, ends: Ends) -> None:
        """Answered or not, again is fine, and answers stay; what is sent again is offered again."""
        queue, hands = ends
        if not isinstance(queue, Retracting):
            pytest.skip("this queue cannot take back what is on offer")
        wishes = [Wish("a", annotators=2), Wish("b"), Wish("c"), Wish("d")]
        sent(queue, wishes)
        say(hands, ANN1, "a", "cat")
        say(hands, ANN1, "d", "eel")
        for _ in range(2):
            queue.retract(plan_for([*wishes[:2], wishes[3], Wish("never")]))
            assert open_items(hands, ANN2) == ["c"]
        assert given_in(votes_of(queue)) == {("a", ANN1, "cat"), ("d", ANN1, "eel")}
        queue, hands = self.reopen(ends)
        sent(queue, wishes)
        assert open_items(hands, ANN2) == ["a", "b", "c"]
        assert open_items(hands, ANN1) == ["b", "c"]
        say(hands, ANN2, "a", "dog")
        assert open_items(hands, ANN3) == ["b", "c"]

    def test_overlap_asks_so_many_different_people(self, ends: Ends) -> None:
        """With two annotators an item closes after two answers by different people."""
        queue, hands = ends
        sent(queue, [Wish("a", annotators=2), Wish("b", annotators=1)])
        say(hands, ANN1, "a", "cat")
        assert open_items(hands, ANN1) == ["b"]
        say(hands, ANN2, "b", "dog")
        say(hands, ANN2, "a", "dog")
        assert open_items(hands, ANN3) == []
        assert given_in(votes_of(queue)) == {
            ("a", ANN1, "cat"),
            ("a", ANN2, "dog"),
            ("b", ANN2, "dog"),
        }

    def test_excluded_people_are_not_served(self, ends: Ends) -> None:
        """An audit goes to somebody else than the labeler."""
        queue, hands = ends
        if not self.enforces_exclusion:
            pytest.skip("this queue cannot keep an annotator from an item")
        sent(queue, [Wish("a", purpose="audit", exclude=(ANN1, 'human:näme "q"'))])
        assert open_items(hands, ANN1) == []
        assert open_items(hands, ANN2) == ["a"]

    def test_priority_is_served_first(self, ends: Ends) -> None:
        """Among items of one send the largest priority comes first, whatever their order."""
        queue, hands = ends
        if not self.serves_by_priority:
            pytest.skip("this queue cannot order what it serves")
        wishes = [Wish("x1", priority=1.0), Wish("x9", priority=9.0), Wish("x5", priority=5.0)]
        sent(queue, wishes)
        assert [o.item_id for o in hands.offers(ANN1)] == ["x9", "x5", "x1"]
        assert [o.item_id for o in hands.offers(ANN1, limit=1)] == ["x9"]

    def test_the_blind_share_shows_nothing(self, ends: Ends) -> None:
        """A pre-label is on the screen only where the plan says so, and the vote says which."""
        queue, hands = ends
        proposed = canonical_json("dog")
        sent(
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
        say(hands, ANN1, "seen", "dog")
        say(hands, ANN1, "blind", "dog")
        votes = votes_of(queue)
        assert dict(zip(votes["item_id"], votes["saw_proposal"], strict=True)) == {
            "seen": True,
            "blind": False,
        }

    @pytest.mark.parametrize("purpose", ["review", "audit", "calibrate"])
    def test_a_second_look_shows_no_earlier_label(self, ends: Ends, purpose: str) -> None:
        """Review, audit and calibration are blind, even if the plan says to show a value."""
        queue, hands = ends
        sent(queue, [Wish("a")])
        say(hands, ANN1, "a", "cat")
        value = canonical_json("cat")
        sent(queue, [Wish("a", purpose=purpose, round=2, value=value, show_proposal=True)])
        later = [s.shown for s in self.stored(ends) if s.purpose == purpose]
        assert later == [None]
        assert offer_of(hands, ANN2, "a", purpose).shown is None
