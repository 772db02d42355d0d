"""Small tables that the audit's tests share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from labelops.kinds.choice import values_of
from labelops.schema import Schema
from labelops.tables import ITEMS, LABELS, VOTES, frame_of

NOW = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    """When everything happens."""
    return NOW


@pytest.fixture
def ten() -> Schema:
    """Ten classes."""
    return Schema("digits", tuple("0123456789"))


VoteMaker = Callable[..., pd.DataFrame]


@pytest.fixture
def votes_of(ten: Schema) -> VoteMaker:
    """Make given votes from (item, annotator, class code) triples."""

    def make(
        triples: Sequence[tuple[str, str, int]],
        *,
        purpose: str = "label",
        at: datetime = NOW,
        saw: Sequence[bool] | bool = False,
        round: int = 1,  # noqa: A002
    ) -> pd.DataFrame:
        items, people, codes = zip(*triples, strict=True)
        asked = f"{purpose}-{round}"
        n = len(triples)
        return frame_of(
            VOTES,
            {
                "vote_id": [f"{asked}-{i}-{a}-{k}" for k, (i, a, _) in enumerate(triples)],
                "revision": 0,
                "item_id": list(items),
                "annotator": list(people),
                "value": values_of(np.array(codes), ten),
                "status": "given",
                "purpose": purpose,
                "round": round,
                "saw_proposal": saw if isinstance(saw, bool) else list(saw),
                "seconds": 3.0,
                "queue": "local",
                "schema_digest": ten.digest,
                "given_at": at + timedelta(0),
            },
            n,
        )

    return make


@pytest.fixture
def labels_of(ten: Schema) -> Callable[..., pd.DataFrame]:
    """Make labels from item → class code (-1 is undecided)."""

    def make(codes: dict[str, int]) -> pd.DataFrame:
        return frame_of(
            LABELS,
            {
                "item_id": list(codes),
                "revision": 1,
                "value": values_of(np.array(list(codes.values()), dtype=np.int64), ten),
                "method": "majority",
                "reason": "votes agree",
                "evidence": "{}",
                "schema_digest": ten.digest,
                "decided_at": NOW,
            },
            len(codes),
        )

    return make


@pytest.fixture
def items_of() -> Callable[..., pd.DataFrame]:
    """Make items from (item, payload digest, group, owner's group) rows."""

    def make(rows: Sequence[tuple[str, str, str, str | None]]) -> pd.DataFrame:
        ids, digests, groups, owners = zip(*rows, strict=True)
        return frame_of(
            ITEMS,
            {
                "item_id": list(ids),
                "revision": 0,
                "payload": "a text",
                "media_type": "text/plain",
                "payload_digest": list(digests),
                "source": "test",
                "group": list(groups),
                "owner_group": list(owners),
                "attributes": "{}",
                "ingested_at": NOW,
            },
            len(rows),
        )

    return make
