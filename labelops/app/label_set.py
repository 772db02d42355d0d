"""A label set: one method a stage, and what can be read of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property

from .. import journey, released, releasing
from ..adapters.parquet import decode_parquet, encode_parquet
from ..adapters.source_files import Signature
from ..errors import EndProtocolError, UsageError
from ..gate.candidate import Candidate
from ..gate.checks import evaluate
from ..gate.verdict import Verdict
from ..ingest import Ingested
from ..parts import Parts, keep_or_raise
from ..ports import Estimate, Metered, Sent
from ..release import Explanation, explain
from ..releasing import Released
from ..report.facts import facts_json
from ..report.html import render
from ..report.of_state import report_facts
from ..reuse import split_conflicts
from ..state import State, load, load_events
from ..state.facts import gate_facts
from ..state.reading import content_came
from ..state.splits import left_out, splits_of
from ..tables import ITEMS, VOTES, newest
from ..withdrawing import Withdrawn, withdraw
from .intake import intake_of
from .labelers import made_from
from .releases import Releases
from .tools import tool_versions

__all__ = ["App"]


class App(Releases):
    """A label set with its ends and releases; one method a stage.

    Parameters
    ----------
    settings : Settings
    clock : callable
        Returns the time, with a time zone.
    tell : callable
        Is told what is waited for while work goes on.
    """

    # --- stages --------------------------------------------------------------------------

    def ingest(self, *, revise: bool = False, parts: Parts | None = None) -> dict[str, Ingested]:
        """Take in every source of the settings; source name → what changed.

        All sources are read before anything of them is stored as an item. In a pass, which goes on
        with all else, each is taken in by itself; what was refused is handed to `parts`.
        """
        known, settings = self._known_images(), self.settings
        intakes = [intake_of(source, settings, known, self._seen) for source in settings.sources]
        now, found = self.clock(), dict[str, Ingested]()
        if parts is None:
            return journey.ingest(self.workspace, intakes, now=now, revise=revise)
        for intake in intakes:
            found |= journey.ingest_apart(self.workspace, intake, parts, now=now)
        return found

    @cached_property
    def _seen(self) -> dict[str, tuple[Signature, str]]:
        """Files read while this label set was open, so that they are not read at every ingest."""
        return {}

    def _known_images(self) -> dict[str, tuple[str, str, str | None]]:
        """Return the images taken in before by digest, so that they are not decoded again."""
        if self.settings.schema.media != "image":
            return {}
        items = load(self.workspace).items
        columns = (items[c] for c in ("payload", "media_type", "sketch"))
        return dict(zip(items["payload_digest"], zip(*columns, strict=True), strict=True))

    def autolabel(self, *, going_on: bool = False) -> journey.Autolabeled:
        """Let rules vote; fit the labeler, let it propose, and try whether it may be accepted.

        In a pass that is `going_on` without it the state says when it could not be asked.
        """
        parts, votes = Parts(), 0
        with parts.each():
            votes = journey.vote_by_rules(self.workspace, self.rules, now=self.clock()).votes
        with parts.each():
            found = journey.autolabel(
                self.workspace,
                self.labeler,
                now=self.clock(),
                going_on=going_on,
                made_from=made_from(self.settings),
            )
        parts.raise_first()
        return dataclasses.replace(found, rule_votes=votes)

    def estimate(self) -> Estimate | None:
        """Say what answers about all items taken in will cost; None if they cost nothing.

        Raises
        ------
        UsageError
            If none was taken in: an estimate of nothing would read as if all were answered.
        """
        labeler: object = self.labeler
        if not isinstance(labeler, Metered):
            return None
        items = load(self.to_read).items
        if not len(items):
            raise UsageError(
                "no item was taken in yet, so there is nothing to price; run `labelops ingest`, "
                "which asks no labeler, and then this again"
            )
        return labeler.estimate(items, self.settings.schema)

    def route(self, parts: Parts | None = None) -> journey.Routed:
        """Plan who should look at what next; in a pass also where features cannot be had."""
        return journey.route(self.workspace, self.features, now=self.clock(), parts=parts)

    def send(self, parts: Parts | None = None) -> Sent:
        """Offer the plan to people; parts of the queue that are broken keep none of the others."""
        sent = journey.send(self.workspace, self.queue, now=self.clock())
        keep_or_raise(parts, [*map(EndProtocolError, sent.broken)])
        return sent

    def collect(self, parts: Parts | None = None) -> journey.Collected:
        """Take people's answers in; parts of the queue that are broken keep none of the others."""
        found = journey.collect(self.workspace, self.queue, now=self.clock())
        keep_or_raise(parts, [*map(EndProtocolError, found.broken)])
        return found

    def consolidate(self) -> journey.Consolidated:
        """Decide labels from votes."""
        return journey.consolidate(self.workspace, now=self.clock())

    def audit(self) -> journey.Audited:
        """Look for wrong labels."""
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        # Matrices this narrow gain nothing by threads, which spin while others want the cores.
        with threadpool_limits(1):
            return journey.audit(
                self.workspace,
                self.audit_features,
                self.detectors,
                now=self.clock(),
                search=self.search,
            )

    def gate(self) -> journey.Gated:
        """Freeze the labels when they are ready and hold them against the policy."""
        conflicts = split_conflicts(load(self.workspace).items)
        return journey.gate(self.workspace, now=self.clock(), split_groups=conflicts)

    def release(self) -> Released:
        """Judge the frozen labels once more and write them as the next version.

        Labels that were released as they are stay that release.

        Raises
        ------
        GateNotPassed
            If the gate does not pass now.
        """
        if released.released_as(load(self.workspace)) is None:
            verdict = self.gate().verdict
            # Somebody else may have released them meanwhile.
            if released.released_as(load(self.workspace)) is None:
                verdict.raise_if_failed()
        return releasing.release(
            self.workspace,
            tools=tool_versions(),
            encode=encode_parquet,
            decode=decode_parquet,
            extras=self._extras,
            now=self.clock(),
        )

    def _extras(
        self, state: State, verdict: Mapping[str, object], when: str, reference: str
    ) -> Mapping[str, bytes]:
        facts = report_facts(state, verdict, when, self.read_payload, reference)
        return {
            "report.html": render(facts).encode(),
            "report.json": facts_json(facts).encode(),
        }

    # --- the labels as they stand ---------------------------------------------------------

    def withdraw(
        self, items: Sequence[str], because: str, by: str, *, back: bool = False
    ) -> Withdrawn:
        """Take items out of the label set, or `back` into it."""
        return withdraw(
            self.workspace,
            items,
            because=because,
            by=by,
            now=self.clock(),
            decode=decode_parquet,
            back=back,
        )

    def explain(self, item_id: str) -> Explanation:
        """Say who voted what on an item, what a model proposed, and why its label stands."""
        workspace = self.to_read
        read = workspace.tables.read
        mine = {"item_id": item_id}
        items = read("items", where=mine)
        revised = content_came(items, newest(ITEMS, items))[1]
        labels, votes = read("labels", where=mine), read("votes", where=mine)
        schemas = read("events", where={"kind": "schema"})["body"]
        newest_votes = newest(VOTES, votes)
        splits = splits_of(workspace.schema, schemas, labels, newest_votes)
        return explain(
            item_id,
            labels,
            votes,
            read("proposals", where=mine),
            read("plan", where=mine),
            read("findings", where=mine),
            read("events", where={"subject": item_id}),
            fits=read("events", where={"kind": "fit"}),
            refused=read("events", where={"kind": "refused"}),
            items=items,
            revised=revised.get(item_id),
            split=newest_votes.loc[left_out(newest_votes, splits), "vote_id"].tolist(),
        )

    def verdict(self) -> Verdict:
        """Return what the gate would say of the labels as they stand; freezes nothing."""
        state = load(self.to_read)
        facts = gate_facts(state, self.clock(), split_conflicts(state.items))
        return evaluate(facts, state.workspace.policies.gate)

    def last_candidate(self) -> Candidate | None:
        """Return the candidate under audit, or the last one, with what its audit allows for.

        None before there is any.
        """
        state = load_events(self.to_read)
        if not state.candidates:
            return None
        last = state.candidate or state.candidates[-1]
        return dataclasses.replace(last, missed=state.missed(last))

    def report(self) -> tuple[str, str]:
        """Return the report on the label set as it stands now, as HTML and as JSON text."""
        state, now = load(self.to_read), self.clock()
        facts = report_facts(state, self.verdict().to_json(), now.isoformat(), self.read_payload)
        return render(facts), facts_json(facts)
