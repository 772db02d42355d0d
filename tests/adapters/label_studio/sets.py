"""A label set in a real Label Studio, seen past the queue, and a sender that dies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from labelops.adapters.label_studio import LabelStudioQueue, offers
from labelops.adapters.label_studio_server import LabelStudioServer
from labelops.ports import Queue
from labelops.schema import Schema
from labelops.tables import PURPOSES
from labelops.testing.queues import PETS, Stored, Wish, items_for, plan_for

from .tasks import KEY

ANN1, ANN2, ANN3 = "human:ann1", "human:ann2", "human:ann3"


class Died(BaseException):
    """Stands for a SIGKILL: nothing may catch it."""


def admin(server: LabelStudioServer) -> httpx.Client:
    headers = {"Authorization": f"Token {server.api_key}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=300)


def projects(server: LabelStudioServer, label_set: str) -> list[dict[str, Any]]:
    with admin(server) as client:
        found = client.get("/api/projects/", params={"title": f"labelops {label_set} "}).json()
    return list(found["results"])


def tasks_of(server: LabelStudioServer, label_set: str) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = []
    with admin(server) as client:
        for project in projects(server, label_set):
            params = {"project": project["id"], "page_size": 1000, "fields": "all"}
            for task in client.get("/api/tasks/", params=params).json()["tasks"]:
                tasks.append({**task, "kind": project["title"].rpartition(" ")[2]})
    return tasks


def _plan_row(data: dict[str, Any]) -> tuple[str, str, int]:
    item, number = data["labelops_item"], data["labelops_round"]
    by_key = {offers.key_of(KEY, item, number, p): p for p in PURPOSES}
    return item, by_key[data["labelops_key"]], number


def fill_in(tasks: list[dict[str, Any]]) -> list[Stored]:
    return [
        Stored(
            *_plan_row(task["data"]),
            task["data"]["text"],
            next(
                (json.dumps(p["result"][0]["value"]["choices"][0]) for p in task["predictions"]),
                None,
            ),
        )
        for task in tasks
    ]


def die_after_import(queue: LabelStudioQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the queue's next import reach the server, and nothing after it."""
    real = queue._api.send

    def send(
        method: str, path: str, body: object, params: Mapping[str, object] | None = None
    ) -> object:
        answer = real(method, path, body, params)
        if path.endswith("/import"):
            raise Died
        return answer

    monkeypatch.setattr(queue._api, "send", send)


def send(queue: Queue, wishes: list[Wish], schema: Schema = PETS) -> tuple[int, int]:
    sent = queue.send(plan_for(wishes, schema), items_for(wishes), schema, payloads=None)
    return sent.offered, sent.known
