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

from .queue_answers import AnswerTests
from .queue_offers import OfferTests
from .queue_wishes import PETS, Ends, Stored, Wish, items_for, plan_for

__all__ = ["PETS", "Ends", "QueueTests", "Stored", "Wish", "items_for", "plan_for"]


class QueueTests(OfferTests, AnswerTests):
    """Every queue with hands passes these; the flags say what a queue cannot do.

    A subclass gives the fixture `ends` (a fresh queue and its hands, in which ``human:ann1``
    to ``human:ann3`` can work) and `stored`, and sets a flag to False with a reason beside it
    where its vendor cannot do a thing.
    """
