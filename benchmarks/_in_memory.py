"""The journey, stage by stage as `labelops.app` runs it, on tables in memory.

Nothing of a stage is imitated: these are `labelops.journey`'s functions. What is left out is what
costs no votes: files, Delta tables, the queue between plan and votes, and the report.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._label_sets import Crowd, LabelSet
from benchmarks._pipelines import Outcome, Rules
from labelops import journey
from labelops.adapters.cleanlab_detector import CleanlabDetector
from labelops.audit.policy import AuditPolicy
from labelops.autolabel.policy import AcceptancePolicy
from labelops.consolidate.policy import ConsolidatePolicy
from labelops.gate.policy import GatePolicy
from labelops.kinds.choice import codes_of, values_of
from labelops.route.policy import RoutePolicy
from labelops.state import Policies, State, Workspace, load
from labelops.tables import ITEMS, VOTES, frame_of
from labelops.testing.memory import MemoryObjects, MemoryTables

__all__ = ["run_journey"]

_START = datetime(2026, 1, 1, tzinfo=UTC)
_ROUNDS = 60
_PATIENCE = 2
"""Rounds without a new vote after which nothing more will happen."""


def run_journey(data: LabelSet, crowd: Crowd, rules: Rules, seed: int) -> Outcome:
    """Go round after round to a release, or until nothing more is asked."""
    workspace = _workspace(data, _policies(rules), f"label cost {seed}".encode())
    labeler, detectors = data.labeler(), (CleanlabDetector(),)
    seats, quiet, now = _Seats(crowd), 0, _START

    def features(items: pd.DataFrame) -> Any:
        return data.features[[int(i[1:]) for i in items["item_id"]]]

    for _ in range(_ROUNDS):
        now += timedelta(hours=1)
        journey.autolabel(workspace, labeler, now=now)
        journey.route(workspace, now=now)
        quiet = 0 if seats.fill(workspace, now) else quiet + 1
        journey.consolidate(workspace, now=now)
        journey.audit(workspace, features, detectors, now=now)
        verdict = journey.gate(workspace, now=now, split_groups={}).verdict
        if verdict.passed:
            return _outcome(load(workspace), data)
        if quiet > _PATIENCE:
            break
    return _outcome(load(workspace), data, f"no release: {verdict.summary}")


def _policies(rules: Rules) -> Policies:
    """Write the rules as settings; checks that no rival has are no bar to the release."""
    return Policies(
        accept=AcceptancePolicy(
            rule=rules.rule, error=rules.bound, risk=rules.risk, growth=rules.growth,
            min_posterior=rules.by_posterior, test="fixed",
        ),
        route=RoutePolicy(
            seed=rules.seed, training=rules.training, calibration=rules.calibration,
            votes_per_round=10**6, overlap_share=rules.overlap, max_votes=rules.max_votes,
            pairs=False, settle_share=rules.settle, show_proposals=False,
        ),
        consolidate=ConsolidatePolicy(min_posterior=rules.posterior),
        audit=AuditPolicy(rounds=1, repeats=1, annotator_floor=rules.floor),
        gate=GatePolicy(error=rules.bound, agreement=-1.0, per_class=0, decided=0.9),
    )  # fmt: skip


def _workspace(data: LabelSet, policies: Policies, key: bytes) -> Workspace:
    workspace = Workspace(MemoryTables(), MemoryObjects(), data.schema, key, policies)
    columns = {
        "item_id": data.ids,
        "revision": 0,
        "payload": data.payloads,
        "media_type": "text/plain" if data.schema.media == "text" else "image/png",
        "payload_digest": [f"d{n}" for n in range(len(data.ids))],
        "source": "benchmark",
        "group": data.groups,
        "attributes": "{}",
        "purposes": '["training"]',
        "ingested_at": _START,
    }
    workspace.tables.append("items", frame_of(ITEMS, columns, len(data.ids)))
    return workspace


class _Seats:
    """Fills the plan's open seats with the votes laid down for each item, in their order."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._next = np.zeros(len(crowd.who), dtype=np.int64)
        self._given = 0

    def fill(self, workspace: Workspace, now: datetime) -> int:
        """Give the votes that are asked for; return how many."""
        state = load(workspace)
        # A flagged annotator is paused in the queue: nothing is offered to them any more.
        paused = {int(name.rpartition(":")[2]) for name in state.flagged}
        rows: list[tuple[str, str, int, str, int]] = []
        wanted = state.open_seats.sort_values("priority", ascending=False, kind="stable")
        for item, round_, purpose, seats in wanted[
            ["item_id", "round", "purpose", "open"]
        ].itertuples(index=False):
            for _ in range(seats):
                found = self._turn(int(item[1:]), paused)
                if found is None:
                    break
                rows.append((item, f"human:{found[0]}", found[1], purpose, round_))
        if rows:
            workspace.tables.append("votes", self._votes(rows, workspace, now))
            self._given += len(rows)
        return len(rows)

    def _turn(self, place: int, paused: set[int]) -> tuple[int, int] | None:
        who, said = self._crowd.who[place], self._crowd.said[place]
        while self._next[place] < len(who):
            n = self._next[place]
            self._next[place] += 1
            if who[n] not in paused:
                return int(who[n]), int(said[n])
        return None

    def _votes(
        self, rows: list[tuple[str, str, int, str, int]], workspace: Workspace, now: datetime
    ) -> pd.DataFrame:
        items, annotators, codes, purposes, rounds = zip(*rows, strict=True)
        columns = {
            "vote_id": [f"v{self._given + n:06d}" for n in range(len(rows))],
            "revision": 0,
            "item_id": items,
            "annotator": annotators,
            "value": values_of(np.array(codes), workspace.schema),
            "status": "given",
            "purpose": purposes,
            "round": rounds,
            "saw_proposal": False,
            "queue": "memory",
            "schema_digest": workspace.schema.digest,
            "given_at": now,
        }
        return frame_of(VOTES, columns, len(rows))


def _outcome(state: State, data: LabelSet, note: str = "") -> Outcome:
    labels = state.labels.loc[state.labels["value"].notna()]
    if not note and state.candidate is not None:
        labels = state.frozen
    given = state.votes.loc[state.votes["status"] == "given", "purpose"].value_counts()
    truth = data.truth[[int(i[1:]) for i in labels["item_id"]]]
    wrong = codes_of(labels["value"], data.schema) != truth
    certificate = None if note or state.audit is None else state.audit.certificate
    passed = certificate is not None and certificate.status == "pass"
    return Outcome(
        items=len(data.ids),
        released=0 if note else len(labels),
        accepted=int((labels["method"] == "accepted").sum()),
        votes={str(k): int(n) for k, n in given.items()},
        certified=certificate.certified if certificate is not None and passed else None,
        error=float(wrong.mean()),
        note=note,
    )
