"""A label set in memory, written row by row: every state of the pipeline in a few lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from labelops.audit.policy import AuditPolicy
from labelops.autolabel.policy import AcceptancePolicy
from labelops.consolidate.policy import ConsolidatePolicy
from labelops.gate.candidate import labels_digest
from labelops.gate.policy import GatePolicy
from labelops.route.policy import RoutePolicy
from labelops.schema import Schema
from labelops.state import Policies, State, Workspace, load, load_events, say
from labelops.tables import EVENTS, TABLES, frame_of, newest
from labelops.testing.memory import MemoryObjects, MemoryTables

START = datetime(2026, 1, 1, tzinfo=UTC)
PETS = Schema("pets", ("cat", "dog", "cow"))


def words(*classes: str) -> list[str]:
    """Return class names as canonical values."""
    return [json.dumps(c) for c in classes]


@dataclass
class World:
    """A workspace in memory and the hands that fill it; each hour happens once."""

    workspace: Workspace
    hour: int = 0
    numbers: dict[str, int] = field(default_factory=dict)
    unsent: list[dict[str, object]] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return START + timedelta(hours=self.hour)

    def tick(self) -> datetime:
        self.hour += 1
        return self.now

    @property
    def state(self) -> State:
        self.flush()
        return load(self.workspace)

    def copy(self, **route: Any) -> World:
        """Return one that is as this is now, and goes its own way, under other routing if given."""
        self.flush()
        tables, objects = MemoryTables(), MemoryObjects()
        ours: Any = self.workspace
        tables.parts = {name: list(parts) for name, parts in ours.tables.parts.items()}
        objects.kept = dict(ours.objects.kept)
        policies = replace(ours.policies, route=replace(ours.policies.route, **route))
        workspace = replace(ours, tables=tables, objects=objects, policies=policies, cache={})
        return World(workspace, self.hour, dict(self.numbers))

    def flush(self) -> None:
        """Append votes given since the last look in one go."""
        if self.unsent:
            names = list(self.unsent[0])
            rows = {n: [row[n] for row in self.unsent] for n in names}
            self.append("votes", rows, len(self.unsent))
            self.unsent.clear()

    def items(
        self, *ids: str, payload: str = "text of", revision: int = 0, attributes: str = "{}"
    ) -> None:
        """Ingest items."""
        rows = {
            "item_id": list(ids),
            "revision": revision,
            "payload": [f"{payload} {i}" for i in ids],
            "media_type": "text/plain",
            "payload_digest": [f"{payload} {i}" for i in ids],
            "source": "test",
            "group": list(ids),
            "attributes": attributes,
            "ingested_at": self.tick(),
        }
        self.append("items", rows, len(ids))

    def vote(
        self, item: str, purpose: str = "label", *, saw: bool = False, round_: int = 1, **by: str
    ) -> None:
        """Let people vote, as in `vote("i1", ann="cat", ben="dog")`; "-" is a skip."""
        self.tick()
        for who, said in by.items():
            number = self.numbers["votes"] = self.numbers.get("votes", 0) + 1
            row: dict[str, object] = {
                "vote_id": f"v{number:05d}",
                "revision": number,
                "item_id": item,
                "annotator": f"human:{who}",
                "value": None if said == "-" else json.dumps(said),
                "status": "skipped" if said == "-" else "given",
                "purpose": purpose,
                "round": round_,
                "saw_proposal": saw,
                "queue": "test",
                "schema_digest": self.workspace.schema.digest,
                "given_at": self.now,
            }
            self.unsent.append(row)

    def label(
        self,
        values: Mapping[str, str],
        method: str = "majority",
        votes: Sequence[str] = (),
        posterior: float | Sequence[float] = 0.99,
        version: str | None = None,
    ) -> int:
        """Decide labels, by votes or what a labeler version proposed; return their revision."""
        evidence: dict[str, object] = {"votes": list(votes)}
        if version is not None:
            evidence["labeler_version"] = version
        revision = self.numbers["labels"] = self.numbers.get("labels", 0) + 1
        rows = {
            "item_id": list(values),
            "revision": revision,
            "value": words(*values.values()),
            "posterior": posterior,
            "method": method,
            "reason": "a test",
            "evidence": json.dumps(evidence),
            "schema_digest": self.workspace.schema.digest,
            "decided_at": self.tick(),
        }
        self.append("labels", rows, len(values))
        return revision

    def propose(
        self, values: Mapping[str, tuple[str, float]], version: str = "m1", *, fit: bool = True
    ) -> None:
        """Fit a version and propose class and confidence for items."""
        classes = self.workspace.schema.classes
        cells = np.empty(len(values), dtype=object)
        for n, (name, sure) in enumerate(values.values()):
            rest = (1 - sure) / (len(classes) - 1)
            cells[n] = np.array([sure if c == name else rest for c in classes])
        rows = {
            "item_id": list(values),
            "labeler": "model:test",
            "labeler_version": version,
            "value": words(*(v for v, _ in values.values())),
            "confidence": [s for _, s in values.values()],
            "probs": cells,
            "schema_digest": self.workspace.schema.digest,
            "proposed_at": self.tick(),
        }
        self.append("proposals", rows, len(values))
        if fit:
            self.say("fit", version, len(self.state.fits), items=1000, labeler="m", object="t")

    def append(self, table: str, rows: Mapping[str, object], n: int) -> None:
        self.workspace.tables.append(table, frame_of(TABLES[table], rows, n))

    def say(self, kind: str, subject: str, revision: int = 0, /, **body: object) -> None:
        self.flush()
        say(load_events(self.workspace), [(kind, subject, revision, body)], self.tick())


def make_world(
    schema: Schema = PETS,
    *,
    gate: GatePolicy | None = None,
    accept: AcceptancePolicy | None = None,
    like: World | None = None,
    **route: Any,
) -> World:
    """Return an empty label set, or one `like` another under other policies or schema."""
    policies = Policies(
        accept=accept or AcceptancePolicy(rule="joint" if "calibration" in route else "never"),
        route=RoutePolicy(**route),
        consolidate=ConsolidatePolicy(min_posterior=0.95),
        audit=AuditPolicy(),
        gate=gate or GatePolicy(),
    )
    tables = MemoryTables() if like is None else like.workspace.tables
    objects = MemoryObjects() if like is None else like.workspace.objects
    workspace = Workspace(tables, objects, schema, b"key", policies)
    if like is None:
        return World(workspace)
    return World(workspace, like.hour, like.numbers)


def events(world: World, kind: str) -> pd.DataFrame:
    """Return the newest events of a kind."""
    rows = newest(EVENTS, world.workspace.tables.read("events"))
    return rows.loc[rows["kind"] == kind]


def plan(world: World, *ids: str, purpose: str = "label", annotators: int = 1) -> None:
    """Ask for votes in round 1."""
    rows = {
        "item_id": list(ids),
        "round": 1,
        "purpose": purpose,
        "annotators": annotators,
        "reason": "a test",
        "priority": 1.0,
        "show_proposal": False,
        "exclude": "[]",
        "schema_digest": world.workspace.schema.digest,
        "planned_at": world.tick(),
    }
    world.append("plan", rows, len(ids))


def consolidated(world: World, number: int) -> None:
    """Say that labels were decided from the votes there are, and searched for errors."""
    world.say("consolidated", "votes", number, votes=world.state.votes_digest)
    labels = world.state.labels
    world.say("audited", labels_digest(labels), number, candidates=number - 1, rows=0)
