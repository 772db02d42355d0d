"""Label sets of their own in a real Label Studio that all tests share."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from labelops.adapters.label_studio import LabelStudioQueue
from labelops.adapters.label_studio_server import LabelStudioServer
from labelops.testing.label_studio import LabelStudioHands
from labelops.testing.queues import Ends

from .sets import ANN1, ANN2, ANN3
from .tasks import KEY


@pytest.fixture
def label_set() -> str:
    """Return a label set nobody used yet."""
    return f"pets-{secrets.token_hex(4)}"


@pytest.fixture(scope="session")
def people(label_studio: LabelStudioServer) -> Iterator[LabelStudioHands]:
    """Log everybody in once: checking a password is meant to be slow."""
    hands = LabelStudioHands(label_studio.url, label_studio.api_key, "nothing", key=KEY)
    for annotator in (ANN1, ANN2, ANN3):
        hands.offers(annotator)
    yield hands
    hands.close()


@pytest.fixture
def ends(label_studio: LabelStudioServer, people: LabelStudioHands, label_set: str) -> Ends:
    """Return the queue of an empty label set, and the hands that answer."""
    hands = LabelStudioHands(label_studio.url, label_studio.api_key, label_set, key=KEY)
    hands._admin, hands._sessions = people._admin, people._sessions
    return LabelStudioQueue(label_studio.url, label_studio.api_key, label_set, key=KEY), hands
