"""What the suite for queues sends and says: wishes for offers, and answers by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd

from labelops.digest import canonical_json, digest, digest_bytes
from labelops.ports import Queue
from labelops.schema import Schema
from labelops.tables import ITEMS, PLAN, VOTES, check, frame_of, newest

from .hands import Hands, Offer

__all__ = [
    "ANN1",
    "ANN2",
    "ANN3",
    "PETS",
    "Ends",
    "Stored",
    "Wish",
    "given_in",
    "items_for",
    "offer_of",
    "open_items",
    "plan_for",
    "say",
    "sent",
    "votes_of",
]

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


def sent(
    queue: Queue,
    wishes: Sequence[Wish],
    schema: Schema = PETS,
    payloads: dict[str, str] | None = None,
) -> tuple[int, int]:
    """Send wishes; return how many offers are new, and how many were known."""
    plan, items = plan_for(wishes, schema), items_for(wishes, payloads)
    sent = queue.send(plan, items, schema, payloads=None)
    return sent.offered, sent.known


def offer_of(hands: Hands, annotator: str, item_id: str, purpose: str = "label") -> Offer:
    """Return the one offer that an annotator has of an item."""
    found = [o for o in hands.offers(annotator) if o.item_id == item_id and o.purpose == purpose]
    assert len(found) == 1, f"{annotator} has {len(found)} offers of {item_id!r} for {purpose}"
    return found[0]


def open_items(hands: Hands, annotator: str) -> list[str]:
    """Return the items that an annotator is offered, sorted."""
    return sorted(o.item_id for o in hands.offers(annotator))


def say(hands: Hands, annotator: str, item_id: str, raw: str, purpose: str = "label") -> Offer:
    """Answer the offer of an item, and return it."""
    offer = offer_of(hands, annotator, item_id, purpose)
    hands.answer(annotator, offer, canonical_json(raw))
    return offer


def votes_of(queue: Queue) -> pd.DataFrame:
    """Receive all votes there are, the newest revision of each."""
    return newest(VOTES, check(VOTES, queue.receive().votes))


def given_in(votes: pd.DataFrame) -> set[tuple[str, str, str]]:
    """Return item, annotator and class of each vote that was given."""
    rows = votes[votes["status"] == "given"]
    return {
        (item, annotator, json.loads(value))
        for item, annotator, value in zip(
            rows["item_id"], rows["annotator"], rows["value"], strict=True
        )
    }
