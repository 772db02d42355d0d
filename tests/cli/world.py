"""A label set of made-up messages, and commands on it."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from labelops.adapters.local_queue import LocalQueue
from labelops.cli import main
from labelops.digest import canonical_json
from labelops.schema import Schema
from labelops.testing.annotators import skilled, work

WORDS = {
    "billing": ["invoice", "refund", "charge", "price", "card", "payment", "account", "receipt"],
    "delivery": ["parcel", "courier", "late", "address", "tracking", "shipped", "box", "arrived"],
    "recipe": ["oven", "butter", "sauce", "boil", "garlic", "flour", "spoon", "onion"],
}
PLAIN = ["please", "the", "my", "about", "today", "when", "why", "thanks", "again", "hello"]
ITEMS = 120
EVIL = "\x1b]0;owned\x07 \x1b[31mred\u202e"
SETTINGS = """
workspace = "workspace"
[schema]
name = "mails"
classes = ["billing", "delivery", "recipe"]
[source.mails]
path = "mails.csv"
key = "id"
text = "text"
licence = "CC0-1.0"
purposes = ["training"]
[route]
seed = 30
training = 30
calibration = 24
[audit]
repeats = 1
[accept]
error = 0.2
[gate]
error = 0.2
agreement = -1.0
open_findings = 0.1
"""


def mails(number: int) -> list[tuple[str, str, str]]:
    """Return (id, text, class) of made-up messages; the last one tries to command terminals."""
    rng = random.Random(7)
    rows = []
    for place in range(number):
        name = rng.choice(list(WORDS))
        text = " ".join(rng.sample(WORDS[name], 5) + rng.sample(PLAIN, 4))
        rows.append((f"mail-{place:03}", text, name))
    last, text, name = rows[-1]
    return [*rows[:-1], (last, f"{text} {EVIL}", name)]


def label(config: Path) -> int:
    """Let everybody answer what is offered; return how many answers."""
    schema = Schema("mails", tuple(WORDS))
    people = [skilled(f"human:{n}", schema, 0.999) for n in ("ann", "ben", "cat", "dan", "eve")]
    truth = {i: canonical_json(name) for i, _, name in mails(ITEMS)}
    return work(LocalQueue(config.parent / "workspace" / "queue"), people, truth)


def run(config: Path, *arguments: str) -> int:
    """Run a command on a label set; return its exit code."""
    return main(["-q", "--config", str(config), *arguments])


def copied(config: Path, folder: Path) -> Path:
    """Return a copy of a label set, to be changed."""
    name = config.parent.parent.name
    return shutil.copytree(config.parent, folder / f"after-{name}") / config.name


def shown(capsys: pytest.CaptureFixture[str], config: Path, *arguments: str) -> str:
    """Run a command that succeeds and return its standard output."""
    capsys.readouterr()
    code = run(config, *arguments)
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out


def shown_as_json(capsys: pytest.CaptureFixture[str], config: Path, *arguments: str) -> Any:
    """Run a reading command and return the JSON that it prints."""
    return json.loads(shown(capsys, config, *arguments, "--json"))
