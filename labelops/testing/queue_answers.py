"""The half of the suite for queues that is about votes: what is said arrives, exactly."""

from __future__ import annotations

from datetime import UTC

import pandas as pd
import pytest

from labelops.digest import canonical_json
from labelops.schema import Schema
from labelops.tables import VOTES, newest

from .queue_end import QueueEnd
from .queue_wishes import (
    ANN1,
    ANN2,
    ANN3,
    PETS,
    Ends,
    Wish,
    given_in,
    offer_of,
    open_items,
    say,
    sent,
    votes_of,
)

__all__ = ["AnswerTests"]


class AnswerTests(QueueEnd):
    """What people say arrives as votes, edits and deletions too, whatever it is about."""

    def test_answers_arrive_exactly(self, ends: Ends) -> None:
        """Every answer arrives once, with its own item and person, in whatever order given."""
        queue, hands = ends
        sent(queue, [Wish(i, annotators=2) for i in ("a", "b", "c")])
        said = [
            (ANN2, "c", "eel"),
            (ANN1, "a", "cat"),
            (ANN2, "a", "dog"),
            (ANN3, "b", "cat"),
            (ANN1, "c", "dog"),
        ]
        for annotator, item_id, raw in said:
            say(hands, annotator, item_id, raw)
        votes = votes_of(queue)
        assert given_in(votes) == {(item_id, who, raw) for who, item_id, raw in said}
        assert len(votes) == len(said)
        assert votes["vote_id"].is_unique

    def test_one_person_asked_twice_gives_two_votes(self, ends: Ends) -> None:
        """Answers of one person to one item in two rounds or purposes are different votes."""
        queue, hands = ends
        sent(queue, [Wish("a")])
        say(hands, ANN1, "a", "cat")
        for purpose, said in (("label", "dog"), ("calibrate", "eel")):
            sent(queue, [Wish("a", round=2, purpose=purpose)])
            # Found as it is offered to another: a queue may offer an item to nobody twice.
            offer = offer_of(hands, ANN2, "a", purpose)
            hands.answer(ANN1, offer, canonical_json(said))
        votes = votes_of(queue)
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
        sent(queue, [Wish("a", round=3, purpose="calibrate")])
        hands.answer(ANN2, offer_of(hands, ANN2, "a", "calibrate"), canonical_json("cat"), 2.5)
        vote = votes_of(queue).iloc[0]
        assert vote["queue"] == queue.name
        assert (vote["purpose"], vote["round"], vote["annotator"]) == ("calibrate", 3, ANN2)
        assert vote["schema_digest"] == PETS.digest
        assert vote["seconds"] == pytest.approx(2.5, abs=0.01)
        assert before < vote["given_at"] < before + pd.Timedelta(minutes=10)

    def test_a_cursor_gets_only_news(self, ends: Ends) -> None:
        """After a cursor come the answers given since; without one come all."""
        queue, hands = ends
        sent(queue, [Wish("a"), Wish("b")])
        say(hands, ANN1, "a", "cat")
        first = queue.receive()
        say(hands, ANN1, "b", "dog")
        assert "b" in set(queue.receive(first.cursor).votes["item_id"])
        second = queue.receive(first.cursor)
        both = newest(VOTES, pd.concat([first.votes, second.votes], ignore_index=True))
        assert given_in(both) == {("a", ANN1, "cat"), ("b", ANN1, "dog")}
        pd.testing.assert_frame_equal(both, votes_of(queue))

    def test_an_idle_cursor_ends_in_nothing_new(self, ends: Ends) -> None:
        """Receiving again and again never brings a row that was not said before."""
        queue, hands = ends
        sent(queue, [Wish("a")])
        say(hands, ANN1, "a", "cat")
        first = queue.receive()
        second = queue.receive(first.cursor)
        known = pd.concat([first.votes, second.votes], ignore_index=True)
        pd.testing.assert_frame_equal(newest(VOTES, known), newest(VOTES, first.votes))

    def test_receiving_twice_gives_the_same_rows(self, ends: Ends) -> None:
        """Receiving is reading: vote ids and revisions do not depend on when one asks."""
        queue, hands = ends
        sent(queue, [Wish("a"), Wish("b")])
        say(hands, ANN1, "a", "cat")
        say(hands, ANN2, "b", "dog")
        first = votes_of(queue)
        again, _ = self.reopen(ends)
        pd.testing.assert_frame_equal(first, votes_of(again))

    def test_an_edit_is_a_new_revision(self, ends: Ends) -> None:
        """An edited answer keeps its vote id, its revision grows, and the newest value wins."""
        queue, hands = ends
        sent(queue, [Wish("a")])
        offer = say(hands, ANN1, "a", "cat")
        first = queue.receive()
        hands.edit(ANN1, offer, canonical_json("eel"))
        second = queue.receive(first.cursor)
        old, new = newest(VOTES, first.votes).iloc[0], newest(VOTES, second.votes).iloc[0]
        assert new["vote_id"] == old["vote_id"]
        assert new["revision"] > old["revision"]
        mixed = newest(VOTES, pd.concat([second.votes, first.votes], ignore_index=True))
        assert given_in(mixed) == {("a", ANN1, "eel")}

    def test_a_deleted_answer_says_so(self, ends: Ends) -> None:
        """A deleted answer becomes a newer revision with status deleted and no value."""
        queue, hands = ends
        sent(queue, [Wish("a"), Wish("b")])
        offer = say(hands, ANN1, "a", "cat")
        say(hands, ANN1, "b", "dog")
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
        sent(queue, [Wish("a")])
        hands.skip(ANN1, offer_of(hands, ANN1, "a"))
        votes = votes_of(queue)
        assert votes["status"].tolist() == ["skipped"]
        assert votes["value"].isna().all()
        assert votes["annotator"].tolist() == [ANN1]
        assert open_items(hands, ANN1) == []

    def test_a_skipped_item_goes_to_somebody_else(self, ends: Ends) -> None:
        """A skip frees the seat for another person."""
        queue, hands = ends
        if not self.skip_frees_seat:
            pytest.skip("this queue counts a skip as an answer")
        sent(queue, [Wish("a")])
        hands.skip(ANN1, offer_of(hands, ANN1, "a"))
        say(hands, ANN2, "a", "dog")
        assert given_in(votes_of(queue)) == {("a", ANN2, "dog")}

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
        sent(queue, [Wish(f"i{n}") for n in range(len(classes))], odd)
        for n, name in enumerate(classes):
            say(hands, ANN1, f"i{n}", name)
        assert given_in(votes_of(queue)) == {
            (f"i{n}", ANN1, name) for n, name in enumerate(classes)
        }

    def test_a_payload_arrives_as_it_is(self, ends: Ends) -> None:
        """HTML, quotes, line breaks and other scripts in a text are stored unharmed."""
        queue, _ = ends
        payloads = {
            "html": '<b onclick="x()">bold</b> <script>alert("1")</script> &lt; &amp;',
            "lines": "one\ntwo\n\n  three\ttab",
            "scripts": "naïve ☕ 日本語 עברית 'quote' \"double\" \\ {{x}} $y %s",
        }
        sent(queue, [Wish(i) for i in payloads], payloads=payloads)
        assert {s.item_id: s.payload for s in self.stored(ends)} == payloads

    def test_unusual_item_ids_survive(self, ends: Ends) -> None:
        """Ids with slashes, quotes, spaces, markup and long ids come back as they were."""
        queue, hands = ends
        ids = ["a/b/../c.png", 'it\'s "x"', " space ", "<i>&amp;</i>", "日本 ☕", "l" * 300, "007"]
        sent(queue, [Wish(i) for i in ids])
        assert open_items(hands, ANN1) == sorted(ids)
        for item_id in ids:
            say(hands, ANN1, item_id, "cat")
        assert given_in(votes_of(queue)) == {(i, ANN1, "cat") for i in ids}
        assert sent(queue, [Wish(i) for i in ids]) == (0, len(ids))

    def test_what_was_open_when_the_schema_grew_takes_a_new_class(self, ends: Ends) -> None:
        """An offer of before may be answered with a class of now, and the vote says whose."""
        queue, hands = ends
        wider = Schema("pets", ("cat", "dog", "eel", "fox"))
        sent(queue, [Wish("open")])
        assert sent(queue, [Wish("open")], wider) == (0, 1)
        say(hands, ANN1, "open", "fox")
        vote = votes_of(queue).iloc[0]
        assert (vote["value"], vote["schema_digest"]) == (canonical_json("fox"), wider.digest)

    def test_a_vote_names_the_schema_it_was_given_under(self, ends: Ends) -> None:
        """When the schema changes, old votes keep the old digest and new ones get the new."""
        queue, hands = ends
        wider = Schema("pets", ("cat", "dog", "eel", "fox"))
        sent(queue, [Wish("old")])
        say(hands, ANN1, "old", "cat")
        sent(queue, [Wish("new", round=2)], wider)
        say(hands, ANN1, "new", "fox")
        votes = votes_of(queue)
        assert dict(zip(votes["item_id"], votes["schema_digest"], strict=True)) == {
            "old": PETS.digest,
            "new": wider.digest,
        }
