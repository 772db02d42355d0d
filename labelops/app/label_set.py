"""A label set: one method a stage, and what can be read of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import pandas as pd

from .. import journey, released, releasing
from ..adapters.export_files import holds_export, refuse_occupied, write_export
from ..adapters.parquet import decode_parquet, encode_parquet
from ..adapters.source_files import Signature
from ..deprecating import Deprecation, News, deprecate, deprecated_in, news_of
from ..digest import digest_bytes
from ..errors import EndProtocolError, IntegrityError, UsageError, shown
from ..gate.candidate import Candidate
from ..gate.checks import evaluate
from ..gate.verdict import Verdict
from ..ingest import Ingested
from ..parts import Parts, keep_or_raise
from ..ports import Estimate, Metered, Sent
from ..release import (
    Diff,
    Explanation,
    Manifest,
    Problem,
    Release,
    diff,
    explain,
    manifest_name,
    parse_reference,
    release_folder,
    released_versions,
    verify,
    verify_files,
)
from ..releasing import Released
from ..report.facts import facts_json
from ..report.html import render
from ..report.of_state import report_facts
from ..reuse import export, split_conflicts, training_frame
from ..state import State, load, load_events
from ..state.facts import gate_facts
from ..state.reading import content_came
from ..state.splits import left_out, splits_of
from ..tables import ITEMS, VOTES, newest
from ..withdrawing import Withdrawn, withdraw
from .ends import WORKSPACE, Ends
from .intake import intake_of
from .labelers import made_from
from .tools import tool_versions
from .warned import warn_if_deprecated

__all__ = ["App"]


class App(Ends):
    """A label set with its ends; one method a stage.

    Parameters
    ----------
    settings : Settings
    clock : callable
        Returns the time, with a time zone.
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
        # Where no workspace was begun, none is begun.
        items = load(self.workspace).items if self.objects.list(WORKSPACE) else ()
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

    # --- reading -------------------------------------------------------------------------

    @property
    def names(self) -> dict[str, str]:
        """Names that move → release."""
        return released.names_of(load_events(self.workspace))

    def manifest(self, reference: str | None = None) -> Manifest:
        """Return the manifest of a release; the latest of this label set by default."""
        wanted = parse_reference(reference or f"{self.settings.schema.name}@latest")
        return released.resolve(self.objects, wanted, self.names)

    def manifests(self) -> list[Manifest]:
        """Return the manifests of all releases, oldest first."""
        name = self.settings.schema.name
        versions = released_versions(name, self.objects.list(f"releases/{name}/"))
        return [Manifest.from_bytes(self.objects.get(manifest_name(name, v))) for v in versions]

    def read(self, reference: str | None = None) -> Release:
        """Read a release's labels and items back."""
        return released.read_release(self.objects, self.manifest(reference), decode_parquet)

    @property
    def deprecated(self) -> dict[str, str]:
        """Releases that should not be used any more → why."""
        return deprecated_in(load_events(self.workspace))

    def deprecate(self, reference: str, because: str) -> Deprecation:
        """Say that a release should not be used any more; no reason takes that back."""
        return deprecate(self.workspace, reference, because, now=self.clock())

    def withdraw(self, items: Sequence[str], because: str, by: str, **how: bool) -> Withdrawn:
        """Take items out of the label set; `back=True` takes them back."""
        now, read = self.clock(), decode_parquet
        return withdraw(self.workspace, items, because=because, by=by, now=now, decode=read, **how)

    def news(self, manifest: Manifest) -> News:
        """Return what has become known of a release since it was made."""
        return news_of(load_events(self.workspace), self.objects, manifest)

    def load(self, reference: str | None = None, *, weights: str = "hard") -> pd.DataFrame:
        """Return a release as a frame to train on; see `labelops.load`."""
        found = self.read(reference)
        deprecated = warn_if_deprecated(self.news(found.manifest), found.manifest.reference)
        images = found.manifest.schema.media == "image"
        split = self.settings.split
        return training_frame(
            found.labels,
            found.items,
            found.manifest.schema,
            shares={"train": split.train, "validation": split.validation, "test": split.test},
            key=self.workspace.key,
            weights=weights,
            contents=self._files(found) if images else None,
            release=found.manifest.reference,
            manifest_digest=found.manifest.digest,
            certificate=found.manifest.certificate,
            deprecated=deprecated,
        )

    def _files(self, release: Release) -> dict[str, bytes]:
        """Return what each item of a release shows, as it was labeled."""
        columns = ("item_id", "payload", "payload_digest")
        found = {}
        for item_id, uri, digest in zip(*(release.items[c] for c in columns), strict=True):
            found[item_id] = self.read_payload(uri)
            if digest_bytes(found[item_id]) != digest:
                raise IntegrityError(
                    f"{uri}: this is not the file that was labeled as item {shown(item_id)}; "
                    "restore it from a backup"
                )
        return found

    def check_export(
        self, target: str | Path, reference: str | None = None, *, overwrite: bool = False
    ) -> None:
        """Refuse, before the work, a release that is not there or a folder that is not free.

        Raises
        ------
        NotFoundError, UsageError
        """
        self.manifest(reference)
        refuse_occupied(target, overwrite=overwrite)

    def export(
        self,
        target: str | Path,
        reference: str | None = None,
        *,
        format: str = "parquet",  # noqa: A002 - the word users know
        weights: str = "hard",
        overwrite: bool = False,
    ) -> Path:
        """Write a release's training frame into a folder."""
        self.check_export(target, reference, overwrite=overwrite)
        files = export(self.load(reference, weights=weights), format, encode_parquet)
        return write_export(files, target, overwrite=overwrite)

    def export_newest(self) -> tuple[Manifest, Path]:
        """Write the newest release's training frame beside labelops.toml, unless it is there.

        An earlier export in its place, such as that of a workspace which is gone, is replaced.
        """
        manifest = self.manifest()
        folder = self.settings.root / "exports" / manifest.reference
        if not holds_export(folder, manifest.digest):
            self.export(folder, manifest.reference, overwrite=True)
        return manifest, folder

    def verify(self, reference: str | None = None) -> list[Problem]:
        """Compare every byte of a release, and of what its items show, with what was released."""
        manifest = self.manifest(reference)
        expected = released.noted_digests(load_events(self.workspace))
        found = verify(
            self.objects.get(manifest.object_name),
            self.objects.get,
            self.objects.list(release_folder(manifest.name, manifest.version)),
            expected=expected.get(manifest.reference),
        )
        if manifest.schema.media == "image" and not any(p.harmful for p in found):
            items = released.read_release(self.objects, manifest, decode_parquet).items
            found += verify_files(items, self.objects.get)
        return found

    def diff(self, before: str, after: str) -> Diff:
        """Say what changed between two releases."""
        a, b = self.read(before), self.read(after)
        return diff(a.labels, b.labels, a.manifest.schema, b.manifest.schema)

    def explain(self, item_id: str) -> Explanation:
        """Say who voted what on an item, what a model proposed, and why its label stands."""
        read = self.workspace.tables.read
        mine = {"item_id": item_id}
        items = read("items", where=mine)
        revised = content_came(items, newest(ITEMS, items))[1]
        labels, votes = read("labels", where=mine), read("votes", where=mine)
        schemas = read("events", where={"kind": "schema"})["body"]
        newest_votes = newest(VOTES, votes)
        splits = splits_of(self.workspace.schema, schemas, labels, newest_votes)
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
            known=len(items) > 0,
            revised=revised.get(item_id),
            split=newest_votes.loc[left_out(newest_votes, splits), "vote_id"].tolist(),
        )

    def name(self, alias: str, reference: str) -> str:
        """Let a name such as `prod` mean a release."""
        return released.name_release(self.workspace, alias, reference, now=self.clock())

    def verdict(self) -> Verdict:
        """Return what the gate would say of the labels as they stand; freezes nothing."""
        state = load(self.workspace)
        facts = gate_facts(state, self.clock(), split_conflicts(state.items))
        return evaluate(facts, self.workspace.policies.gate)

    def last_candidate(self) -> Candidate | None:
        """Return the candidate under audit, or the last one, with what its audit allows for.

        None before there is any; where no workspace was begun, none is begun.
        """
        if not self.objects.list(WORKSPACE):
            return None
        state = load_events(self.workspace)
        if not state.candidates:
            return None
        last = state.candidate or state.candidates[-1]
        return dataclasses.replace(last, missed=state.missed(last))

    def report(self) -> tuple[str, str]:
        """Return the report on the label set as it stands now, as HTML and as JSON text."""
        state, now = load(self.workspace), self.clock()
        facts = report_facts(state, self.verdict().to_json(), now.isoformat(), self.read_payload)
        return render(facts), facts_json(facts)
