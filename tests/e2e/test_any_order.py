"""Whatever is done to a label set, in whatever order: nothing breaks, nothing waits for ever.

A walk does random things, each as somebody could: rows come and change, stages run or die at a
write, people answer, err, take answers back, items are withdrawn, classes split and renamed,
bounds move. Then everybody works as they should, and a release has to come, with few errors.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from labelops.adapters._local_queue_answers import asked_now
from labelops.digest import canonical_json
from labelops.errors import GateNotPassed, NotFoundError
from labelops.ports import Offer
from labelops.schema import Schema
from labelops.state import load
from labelops.testing.annotators import SimulatedAnnotator, skilled, work
from labelops.testing.killing import READING, Trap, trapped

from .label_sets import OwnTime

pytestmark = pytest.mark.slow  # whole journeys

STEPS = 40
MOST_ROUNDS = 40
WORDS = {
    "bill": ("invoice", "charged", "refund", "card", "paid"),
    "login": ("password", "account", "locked", "code", "sign"),
    "parcel": ("delivery", "box", "courier", "street", "late"),
    "letter": ("stamp", "envelope", "postman", "mailbox", "sheet"),
}
BEFORE = {"access": "login", "letter": "parcel"}
"""What classes were said as before they were renamed or cut out."""
TEAM = {"ann": 1.0, "bob": 0.97, "cyd": 0.95, "dee": 0.98, "eve": 0.93, "fay": 0.9}


class Died(BaseException):
    """The process was killed here."""


@dataclass
class Walk(OwnTime):
    """A label set on disk, what is true of its items, and a hand that does random things to it."""

    folder: Path
    random: random.Random
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    rows: dict[str, tuple[str, str]] = field(default_factory=dict)
    classes: list[str] = field(default_factory=lambda: ["bill", "login", "parcel"])
    renames: dict[str, str] = field(default_factory=dict)
    splits: dict[str, list[str]] = field(default_factory=dict)
    called: dict[str, str] = field(default_factory=dict)
    answered: list[tuple[str, Offer]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        pick = self.random.choice
        self.called |= {name: name for name in WORDS} | {"letter": "parcel"}
        self.settings: dict[str, dict[str, Any]] = {
            "route": {
                "seed": pick([8, 16]),
                "training": pick([16, 24]),
                "calibration": pick([0, 10]),
                "overlap_share": pick([0.2, 1.0]),
                "order": pick(["doubt", "diverse"]),
                "pairs": pick([True, False]),
                "gold_rate": pick([0.0, 0.3]),
                "votes_per_round": pick([20, 600]),
                "settle_days": 1.0,
                "left": [],
            },
            "accept": {"rule": pick(["joint", "selective", "audited", "never"]), "error": 0.2},
            "audit": {"repeats": 1, "planted": 0.1},
            "gate": {
                "error": 0.25,
                "agreement": -1.0,
                "decided": 0.9,
                "audit": pick(["auto", "weighted"]),
                "wait_days": pick([0.0, 1.0, 7.0]),
            },
        }
        self.folder.mkdir()
        self.more(30)
        self.app = self.opened()

    # --- the label set ------------------------------------------------------------------------

    def text(self, name: str) -> str:
        words = [self.random.choice(WORDS[name]) for _ in range(2)]
        return f"{words[0]} please {words[1]} {self.random.randrange(10**6)}"

    def more(self, count: int) -> None:
        for n in range(len(self.rows), len(self.rows) + count):
            name = self.random.choice(list(WORDS))
            self.rows[f"mail-{n:03}"] = (self.text(name), name)
        self.write()

    def write(self) -> None:
        """Write source and settings; known answers are of classes that are never split."""
        with (self.folder / "mail.jsonl").open("w") as file:
            for n, (key, (text, name)) in enumerate(self.rows.items()):
                known = n % 8 == 0 and name in ("bill", "login")
                gold = self.called[name] if known else ""
                file.write(json.dumps({"id": key, "text": text, "gold": gold}) + "\n")
        tables: dict[str, dict[str, Any]] = {
            "schema": {"name": "tickets", "classes": self.classes},
            "schema.renames": self.renames,
            "schema.splits": self.splits,
            "source.mail": {
                "path": "mail.jsonl", "key": "id", "text": "text", "gold": "gold",
                "licence": "CC0-1.0", "purposes": ["training"],
            },
        }  # fmt: skip
        lines = []
        for name, keys in (tables | self.settings).items():
            lines += [f"[{name}]", *(f"{k} = {json.dumps(v)}" for k, v in keys.items())]
        (self.folder / "labelops.toml").write_text("\n".join(lines))

    def changed(self) -> None:
        self.write()
        self.app = self.opened()

    @property
    def truth(self) -> dict[str, str]:
        return {key: canonical_json(self.called[name]) for key, (_, name) in self.rows.items()}

    @property
    def asked(self) -> Schema:
        """What people are asked: the schema that was sent last."""
        file = self.folder / "workspace" / "queue" / "queue.sqlite"
        with closing(sqlite3.connect(file)) as db, suppress(NotFoundError):
            return asked_now(db)
        return self.app.settings.schema

    @property
    def answers(self) -> dict[str, str]:
        """The truth in the classes that people are asked."""
        known = self.asked.classes
        said = {name: name if name in known else BEFORE[name] for name in self.called.values()}
        return {k: canonical_json(said[self.called[name]]) for k, (_, name) in self.rows.items()}

    @property
    def people(self) -> list[SimulatedAnnotator]:
        schema = self.asked
        left = self.settings["route"]["left"]
        named = {f"human:{name}": right for name, right in TEAM.items()}
        return [skilled(who, schema, p) for who, p in named.items() if who not in left]

    # --- what can be done to it ---------------------------------------------------------------

    def time_goes_by(self) -> None:
        self.now += timedelta(hours=self.random.choice([1, 6, 30, 100]))

    def rows_come(self) -> None:
        self.more(self.random.choice([1, 5, 15]))

    def rows_change(self) -> None:
        for key in self.random.sample(sorted(self.rows), 3):
            name = self.random.choice(list(WORDS))
            self.rows[key] = (self.text(name), name)
        self.changed()
        self.ingest()

    def a_row_comes_twice(self) -> None:
        self.rows[f"mail-{len(self.rows):03}"] = self.random.choice(list(self.rows.values()))
        self.write()

    def ingest(self) -> None:
        self.app.ingest(revise=True)

    def autolabel(self) -> None:
        self.app.autolabel(going_on=True)

    def send(self) -> None:
        self.app.route()
        self.app.send()
        out = load(self.app.workspace).withdrawn
        offered = {o.item_id for p in self.people for o in self.app.queue.offers(p.name)}  # type: ignore[attr-defined]
        assert not offered & set(out), "people are asked about what was withdrawn"

    def people_work(self) -> None:
        some = self.random.sample(self.people, self.random.randint(1, len(self.people)))
        limit = self.random.choice([None, 10, 40])
        work(self.app.queue, some, self.answers, limit=limit)  # type: ignore[arg-type]

    def somebody_answers(self) -> None:
        hands: Any = self.app.queue
        who = self.random.choice(self.people).name
        values, truth = [canonical_json(name) for name in self.asked.classes], self.answers
        for offer in hands.offers(who, 5):
            right = self.random.random() < 0.9
            value = truth[offer.item_id] if right else self.random.choice(values)
            hands.answer(who, offer, value, self.random.choice([0.5, 3.0, 20.0]))
            self.answered.append((who, offer))

    def somebody_thinks_again(self) -> None:
        hands: Any = self.app.queue
        if self.answered and self.random.random() < 0.5:
            hands.edit(*self.random.choice(self.answered), canonical_json(self.asked.classes[0]))
        elif self.answered:
            hands.delete(*self.answered.pop(self.random.randrange(len(self.answered))))

    def collect(self) -> None:
        self.app.collect()

    def consolidate(self) -> None:
        self.app.consolidate()

    def audit(self) -> None:
        self.app.audit()

    def gate(self) -> None:
        self.app.gate()

    def release(self) -> None:
        try:
            made = self.app.release()
        except GateNotPassed:
            return
        assert self.app.verify(made.reference) == []
        labels = self.app.read(made.reference).labels
        if made.new:
            assert not set(labels["item_id"]) & set(load(self.app.workspace).withdrawn)
            wrong = labels["value"] != labels["item_id"].map(self.truth)
            assert wrong.mean() <= self.settings["gate"]["error"]

    def a_round(self) -> None:
        self.ingest()
        self.autolabel()
        self.send()
        work(self.app.queue, self.people, self.answers)  # type: ignore[arg-type]
        for stage in (self.collect, self.consolidate, self.audit, self.gate):
            stage()

    def items_are_withdrawn(self) -> None:
        known = sorted(load(self.app.workspace).items["item_id"])
        if known:
            self.app.withdraw(self.random.sample(known, 2), "asked for", "ann")

    def items_come_back(self) -> None:
        out = sorted(load(self.app.workspace).withdrawn)
        if out:
            self.app.withdraw(out[:1], "a mistake", "ann", back=True)

    def the_last_release_is_deprecated(self) -> None:
        if self.app.manifests():
            self.app.deprecate("tickets@latest", "a warning")

    def somebody_leaves_or_comes_back(self) -> None:
        """Three stay at least."""
        left = self.random.sample(sorted(TEAM), self.random.choice([0, 1, 1, 3]))
        self.settings["route"]["left"] = [f"human:{name}" for name in left]
        self.changed()

    def a_class_is_split(self) -> None:
        if "letter" not in self.classes:
            self.classes.append("letter")
            self.splits, self.called["letter"] = {"parcel": ["letter"]}, "letter"
            self.changed()

    def a_class_is_renamed(self) -> None:
        if not self.renames:
            self.classes[1], self.called["login"] = "access", "access"
            self.renames = {"login": "access"}
            self.changed()

    def a_bound_moves(self) -> None:
        self.settings["accept"]["rule"] = self.random.choice(["joint", "audited", "never"])
        self.settings["gate"]["error"] = self.random.choice([0.2, 0.3])
        self.changed()

    def somebody_reads(self) -> None:
        self.app.report()
        known = sorted(load(self.app.workspace).items["item_id"])
        if known:
            self.app.explain(self.random.choice(known))

    def a_process_dies(self) -> None:
        """Do one of the stages until one of its writes, and go on in another process."""
        left, at = self.random.randint(1, 6), self.random.choice(["before", "after"])

        def watch(call: str, when: str) -> None:
            nonlocal left
            left -= when == at and call.split()[0].partition(".")[2] not in READING
            if left == 0:
                raise Died

        trap, app = Trap(watch=watch), self.opened()
        workspace = app.workspace
        objects, tables = trapped(app.objects, trap), trapped(workspace.tables, trap)
        app.__dict__ |= {
            "objects": objects,
            "workspace": replace(workspace, tables=tables, objects=objects),
            "queue": trapped(app.queue, trap),
        }
        self.app = app
        stage = self.random.choice([*STAGES, Walk.a_round])
        try:
            stage(self)
        except Died:
            self.done.append(f"died in {stage.__name__}")
        self.app = self.opened()

    # --- what has to hold ---------------------------------------------------------------------

    def step(self, do: Callable[[Walk], None]) -> None:
        self.done.append(do.__name__)
        do(self)
        self.holds()

    def holds(self) -> None:
        """Compare what is known here with what another process reads, and look at both."""
        state, other = load(self.app.workspace), load(self.opened().workspace)
        pd.testing.assert_frame_equal(state.labels, other.labels)
        assert state.votes_digest == other.votes_digest
        labels = state.labels.loc[state.labels["value"].notna()]
        assert set(labels["value"]) <= {canonical_json(name) for name in self.classes}
        assert set(labels["item_id"]) <= set(state.present_items["item_id"])
        votes = state.votes  # without those on content that changed since, which is another item
        gold = votes.loc[(votes["purpose"] == "gold") & (votes["status"] == "given")]
        assert not gold.duplicated(["annotator", "item_id"]).any(), "gold was asked about twice"


STAGES = (
    Walk.ingest, Walk.autolabel, Walk.send, Walk.collect, Walk.consolidate, Walk.audit, Walk.gate,
    Walk.release,
)  # fmt: skip
OFTEN = (*STAGES, *STAGES, Walk.people_work, Walk.a_round, Walk.a_process_dies)
SELDOM = (
    Walk.time_goes_by, Walk.rows_come, Walk.rows_change, Walk.a_row_comes_twice,
    Walk.somebody_answers, Walk.somebody_thinks_again, Walk.items_are_withdrawn,
    Walk.items_come_back, Walk.the_last_release_is_deprecated, Walk.a_class_is_split,
    Walk.a_class_is_renamed, Walk.a_bound_moves, Walk.somebody_reads,
    Walk.somebody_leaves_or_comes_back,
)  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1])
def test_nothing_breaks_and_a_release_comes(seed: int, tmp_path: Path) -> None:
    """After forty random steps, everybody working as they should brings a release."""
    walk = Walk(tmp_path / "set", random.Random(seed))
    deeds = [*OFTEN, *OFTEN, *SELDOM]
    for _ in range(STEPS):
        walk.step(walk.random.choice(deeds))
    walk.settings["gate"]["per_class"] = 0
    walk.settings["route"]["left"] = []
    walk.changed()
    for _ in range(MOST_ROUNDS):
        walk.now += timedelta(hours=30)
        walk.step(Walk.a_round)
        gated = walk.app.gate()
        if gated.verdict.passed or gated.released_as:
            walk.release()
            assert walk.app.manifests()
            return
    raise AssertionError(f"{walk.app.gate().verdict.summary}; after {walk.done}")
