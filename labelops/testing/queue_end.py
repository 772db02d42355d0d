"""What a suite for queues is told of the queue under test."""

from __future__ import annotations

from typing import ClassVar

import pandas as pd
import pytest

from labelops.schema import Schema

from .queue_wishes import Ends, Stored

__all__ = ["QueueEnd"]


class QueueEnd:
    """The queue under test: how it is made and looked behind, and what it cannot do."""

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
