"""Requests to Label Studio without a server: errors, tokens, tasks, another server."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import httpx
import pandas as pd
import pytest

from labelops.adapters.label_studio import LabelStudioQueue, api, offers
from labelops.adapters.label_studio.config import config_for
from labelops.errors import (
    EndError,
    EndProtocolError,
    EndRefused,
    EndTimeout,
    EndUnavailable,
    SettingsError,
)
from labelops.tables import PURPOSES
from labelops.testing.queues import PETS, Wish, items_for, plan_for

from .tasks import KEY, annotation, task_of


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, EndRefused),
        (403, EndRefused),
        (404, EndProtocolError),
        (400, EndProtocolError),
        (302, EndProtocolError),
        (408, EndTimeout),
        (504, EndTimeout),
        (429, EndUnavailable),
        (500, EndUnavailable),
        (503, EndUnavailable),
    ],
)
def test_every_status_is_an_error_of_ours(status: int, kind: type[EndError]) -> None:
    """Each status has its place in our tree; only those that may pass are retryable."""
    error = api.error_for_status(status, "detail", "GET /x")
    assert type(error) is kind
    assert error.retryable == (kind in (EndTimeout, EndUnavailable))
    assert "\n" not in str(error)


Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], LabelStudioQueue]:
    """Return a maker of queues whose server is a function."""
    real = httpx.Client

    def make(answer: Answer) -> LabelStudioQueue:
        def client(**options: Any) -> httpx.Client:
            return real(transport=httpx.MockTransport(answer), **options)

        monkeypatch.setattr(httpx, "Client", client)
        return LabelStudioQueue("http://ls.test/base", "t0ken" * 8, "pets", key=KEY, timeout=2)

    return make


def _raising(error: type[httpx.TransportError]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("t0ken" * 8, request=request)

    return answer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError, EndUnavailable),
        (httpx.RemoteProtocolError, EndUnavailable),
        (httpx.ReadError, EndUnavailable),
        (httpx.ConnectTimeout, EndTimeout),
        (httpx.ReadTimeout, EndTimeout),
        (httpx.PoolTimeout, EndTimeout),
    ],
)
def test_every_transport_error_is_ours(
    answering: Callable[[Answer], LabelStudioQueue],
    error: type[httpx.TransportError],
    kind: type[EndError],
) -> None:
    """What goes wrong on the way is retryable and shows no token."""
    with pytest.raises(kind, match=r"http://ls\.test/base") as failure:
        answering(_raising(error)).receive()
    assert type(failure.value) is kind
    assert failure.value.retryable
    assert "t0ken" not in str(failure.value)


@pytest.mark.parametrize(
    "body",
    [b"<html>hello</html>", b"[]", b'{"results": 5}', b'{"results": [{"id": "x"}]}', b"\xff"],
)
def test_junk_is_a_protocol_error(
    answering: Callable[[Answer], LabelStudioQueue], body: bytes
) -> None:
    """A server that answers something else is not Label Studio; that is said, no traceback."""
    queue = answering(lambda request: httpx.Response(200, content=body))
    with pytest.raises(EndProtocolError, match="Label Studio"):
        queue.receive()


def test_nothing_is_asked_twice_by_itself(
    answering: Callable[[Answer], LabelStudioQueue],
) -> None:
    """An import that met a server error is not repeated: it may have been done."""
    asked: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.path))
        if request.url.path.endswith("/import"):
            return httpx.Response(500, json={"detail": "database is locked"})
        project = {
            "id": 1,
            "title": "labelops pets · blind",
            "label_config": config_for(PETS),
            "maximum_annotations": 1,
            "task_number": 0,
            "total_annotations_number": 0,
            "created_at": "2026-01-05T12:00:00.000001Z",
        }
        return httpx.Response(200, json={"results": [project], "next": None})

    queue, wishes = answering(answer), [Wish("a")]
    with pytest.raises(EndUnavailable, match="database is locked"):
        queue.send(plan_for(wishes), items_for(wishes), PETS, payloads=None)
    assert asked == [("GET", "/base/api/projects/"), ("POST", "/base/api/projects/1/import")]


def _server(made: str, person: str, *annotations: dict[str, Any]) -> Answer:
    """Return a server with one project, one task and one person, numbered as on any other."""
    project = {
        "id": 1,
        "title": "labelops pets · audit",
        "label_config": config_for(PETS),
        "maximum_annotations": 1,
        "task_number": 1,
        "total_annotations_number": 1,
        "created_at": made,
    }

    def answer(request: httpx.Request) -> httpx.Response:
        body: object = {"results": [project], "next": None}
        if request.url.path.endswith("/tasks/"):
            skips = "cancelled_annotations" in request.url.params["query"]
            body = {"tasks": [] if skips else [task_of(*annotations)]}
        elif request.url.path.endswith("/users/"):
            body = [{"id": 2, "email": person}]
        return httpx.Response(200, json=body)

    return answer


def test_another_server_is_read_from_its_beginning(
    answering: Callable[[Answer], LabelStudioQueue],
) -> None:
    """Its projects, tasks and people have the numbers of others; none replaces nor deletes another.

    A server that only has another address is the same, and so is the first one, later.
    """
    one = _server("2026-01-04T12:00:00.000001Z", "ann@example.org", annotation())
    two = _server("2026-01-04T12:00:00.000002Z", "ben@example.org", annotation("dog"))
    bare = _server("2026-01-04T12:00:00.000003Z", "ben@example.org")
    gone = _server("2026-01-04T12:00:00.000001Z", "ann@example.org")
    first = answering(one).receive()
    moved = answering(one).receive(first.cursor)
    assert moved.votes["vote_id"].tolist() == first.votes["vote_id"].tolist()
    assert answering(bare).receive(first.cursor).votes.empty
    second = answering(two).receive(first.cursor)
    both = pd.concat([first.votes, second.votes])
    assert both[["annotator", "value"]].to_numpy().tolist() == [
        ["human:ann@example.org", '"cat"'],
        ["human:ben@example.org", '"dog"'],
    ]
    assert both["vote_id"].is_unique
    back = answering(gone).receive(second.cursor).votes
    assert back["status"].tolist() == ["deleted"]
    assert back["vote_id"].tolist() == first.votes["vote_id"].tolist()


def test_the_token_travels_in_the_header_only(
    answering: Callable[[Answer], LabelStudioQueue],
) -> None:
    """Requests carry the token as authorization, and no address or repr holds it."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"results": [], "next": None})

    queue = answering(answer)
    queue.receive()
    assert requests[0].headers["authorization"] == "Token " + "t0ken" * 8
    assert "t0ken" not in str(requests[0].url) + repr(queue)


def test_the_sdk_still_has_the_door_we_use() -> None:
    """The one private name of the SDK that we use is there and takes what we give."""
    from label_studio_sdk.core.http_client import HttpClient

    taken = inspect.signature(HttpClient.request).parameters
    assert {"method", "params", "json", "files", "request_options"} <= set(taken)


def test_tasks_carry_their_plan_row() -> None:
    """Key, item, schema and, where they may be seen, the pre-label are in the task."""
    wishes = [
        Wish("seen", value='"dog"', show_proposal=True),
        Wish("blind", value='"dog"'),
        Wish("away", purpose="audit", exclude=("human:ann", "human:stranger"), value='"dog"'),
    ]
    rows = offers.rows_of(plan_for(wishes), KEY)
    shows = {w.item_id: f"text of {w.item_id}" for w in wishes}
    (batch,) = offers.batches(rows, shows, PETS, {"human:ann": 2}, KEY)
    tasks = {task["data"]["labelops_item"]: task for task in json.loads(json.dumps(batch))}
    assert {i: len(t["predictions"]) for i, t in tasks.items()} == {
        "seen": 1,
        "blind": 0,
        "away": 0,
    }
    assert [a["completed_by"] for a in tasks["away"]["annotations"]] == [2]
    assert tasks["seen"]["data"]["text"] == "text of seen"
    assert [r.kind for r in rows] == ["label", "blind", "audit"]


def test_tasks_say_neither_what_they_are_for_nor_who_labeled() -> None:
    """Whoever may label reads all of a task: gold looks like any other, colleagues stay unnamed."""
    wishes = [Wish(p, purpose=p, exclude=("human:ann",)) for p in PURPOSES]
    rows = offers.rows_of(plan_for(wishes), KEY)
    (batch,) = offers.batches(rows, dict.fromkeys(PURPOSES, "text"), PETS, {}, KEY)
    for row, task in zip(rows, batch, strict=True):
        data: dict[str, Any] = {**task["data"], "labelops_item": "item"}  # type: ignore[dict-item]
        said = json.dumps(data)
        assert "ann" not in said and not any(f'"{p}"' in said for p in PURPOSES)
        key, exclude = data["labelops_key"], data["labelops_exclude"]
        assert offers.purpose_of(KEY, key, row.item_id, 1) == row.purpose
        assert offers.purpose_of(b"another", key, row.item_id, 1) is None
        assert exclude == [offers.person_of(KEY, key, "human:ann")]
    assert len({row.key for row in rows}) == len(PURPOSES)


def test_batches_are_small_enough() -> None:
    """No import is longer than its bounds, and together they are everything, in order."""
    rows = offers.rows_of(plan_for([Wish(f"i{n:04}") for n in range(1200)]), KEY)
    shows = {row.item_id: "x" * 20_000 for row in rows}
    found = list(offers.batches(rows, shows, PETS, {}, KEY))
    assert max(len(json.dumps(b)) for b in found) < 10 * 1024 * 1024
    assert max(map(len, found)) <= 500
    flat: list[Any] = [task["data"] for batch in found for task in batch]
    assert [d["labelops_item"] for d in flat] == [row.item_id for row in rows]


@pytest.mark.parametrize("status", [400, 429, 500])
@pytest.mark.parametrize("form", ["{}", '{{"detail": "{}"}}', '["{}"]', "{:>320}"])
def test_a_server_that_repeats_the_token_is_quoted_without_it(
    answering: Callable[[Answer], LabelStudioQueue], status: int, form: str
) -> None:
    """Its words stand in the message, the token does not, nor a part of it."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text=form.format(request.headers["authorization"]))

    with pytest.raises(EndError) as failure:
        answering(answer).receive()
    assert "t0ken" not in str(failure.value)


def test_an_address_with_a_password_is_refused_without_showing_it() -> None:
    """It would stand in every message, and take the token's place in the header."""
    with pytest.raises(SettingsError, match="leave user and password out") as caught:
        LabelStudioQueue("https://me:s3cret@ls.test", "t0ken", "pets", key=KEY, namespace="n")
    assert "s3cret" not in str(caught.value)
