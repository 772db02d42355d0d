"""Who may talk to a Label Studio, and one that does not answer."""

from __future__ import annotations

import secrets
import socket

import pytest

from labelops.adapters.label_studio import LabelStudioQueue
from labelops.adapters.label_studio_server import LabelStudioServer
from labelops.errors import EndRefused, EndTimeout, EndUnavailable
from labelops.testing.queues import Wish

from .sets import admin, send
from .tasks import KEY


@pytest.mark.server
def test_a_wrong_token_is_refused_without_showing_it(label_studio: LabelStudioServer) -> None:
    """A token the server does not know is EndRefused, and no message holds it."""
    token = secrets.token_hex(20)
    queue = LabelStudioQueue(label_studio.url, token, "pets", key=KEY)
    with pytest.raises(EndRefused, match="LABEL_STUDIO_API_KEY") as failure:
        queue.receive()
    assert not failure.value.retryable
    assert token not in str(failure.value) + repr(queue) + repr(failure.value.__cause__)


@pytest.mark.server
# The SDK renews such tokens through a deprecated method of pydantic.
@pytest.mark.filterwarnings("ignore:.*parse_obj.*:DeprecationWarning")
def test_a_personal_access_token_works(label_studio: LabelStudioServer, label_set: str) -> None:
    """The newer kind of token, which has to be renewed every few minutes, works as well."""
    with admin(label_studio) as client:
        client.post("/api/jwt/settings", json={"api_tokens_enabled": True}).raise_for_status()
        token = client.post("/api/token/", json={}).raise_for_status().json()["token"]
    queue = LabelStudioQueue(label_studio.url, token, label_set, key=KEY)
    assert send(queue, [Wish("a")]) == (1, 0)
    wrong = LabelStudioQueue(label_studio.url, token[:-6] + "AAAAAA", label_set, key=KEY)
    with pytest.raises(EndRefused) as failure:
        wrong.receive()
    assert token[:20] not in str(failure.value)


@pytest.mark.slow
def test_a_server_that_is_down_is_unavailable() -> None:
    """Nobody listens: a retryable error that names the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        queue = LabelStudioQueue(url, "x" * 40, "pets", key=KEY, timeout=5)
        with pytest.raises(EndUnavailable, match=url) as failure:
            queue.receive()
    assert failure.value.retryable


@pytest.mark.slow
def test_a_server_that_stalls_times_out() -> None:
    """A server that takes the request and never answers: a retryable timeout."""
    with socket.create_server(("127.0.0.1", 0)) as stalled:
        url = f"http://127.0.0.1:{stalled.getsockname()[1]}"
        queue = LabelStudioQueue(url, "x" * 40, "pets", key=KEY, timeout=1)
        with pytest.raises(EndTimeout, match="within 1 s") as failure:
            queue.receive()
    assert failure.value.retryable
