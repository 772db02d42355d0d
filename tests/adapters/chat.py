"""A labeler that asks a chat server, which runs in another process."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pandas as pd

from labelops.adapters._pace import Pace
from labelops.adapters.chat_client import ChatClient
from labelops.adapters.chat_labeler import ChatLabeler
from labelops.schema import Schema
from labelops.testing.labelers import example_items
from labelops.testing.memory import MemoryObjects

PETS = Schema("pets", ("cat", "dog", "bird"))

KEY = "sk-this-is-secret"


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def labeler(
    url: str,
    objects: MemoryObjects | None = None,
    *,
    clock: Clock | None = None,
    attempts: int = 3,
    timeout: float = 20.0,
    rate: float = 0.0,
    **settings: Any,
) -> ChatLabeler:
    clock = clock or Clock()
    pace = Pace(rate, clock=clock, sleep=clock.sleep)
    client = ChatClient(url, KEY, timeout=timeout, attempts=attempts, pace=pace)
    return ChatLabeler(client, "small", objects=objects or MemoryObjects(), **settings)


def asked(url: str) -> dict[str, dict[str, int]]:
    """Return how often each question was asked and answered."""
    with urllib.request.urlopen(url.removesuffix("/v1")) as answer:
        found: dict[str, dict[str, int]] = json.loads(answer.read())
    return found


def named(items: pd.DataFrame) -> list[str]:
    return [f'"{word}"' for word in items["payload"].str.split().str[0]]


def poisoned(at: int) -> pd.DataFrame:
    """Twelve items, one of which bad servers refuse."""
    items = example_items().iloc[:12].copy()
    items["payload"] = ["POISON" if n == at else text for n, text in enumerate(items["payload"])]
    return items


def propose(url: str, **settings: Any) -> pd.DataFrame:
    return labeler(url, **settings).propose(example_items().iloc[:6], PETS)
