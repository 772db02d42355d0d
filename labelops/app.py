"""The composition root: settings and the ends they name, wired to the journey.

The command line, the flows and `labelops.load` all start here, so that a label set is
opened in one way only. Vendors are imported when their end is first used.
"""

from __future__ import annotations

import dataclasses
import json
import platform
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from . import __version__, journey, releasing
from .adapters.export_files import write_export
from .adapters.objects import open_objects
from .adapters.parquet import decode_parquet, encode_parquet
from .adapters.source_files import Signature
from .adapters.sources import SourceSpec, open_source
from .errors import NotFoundError, SettingsError
from .gate.checks import evaluate
from .gate.verdict import Verdict
from .ingest import Ingested, Rights
from .ports import (
    Detector,
    Estimate,
    Labeler,
    Metered,
    NeighbourSearch,
    Objects,
    Queue,
    Sent,
)
from .release import (
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
)
from .releasing import Released
from .report.facts import facts_json
from .report.html import render
from .report.of_state import report_facts
from .reuse import export, split_conflicts, training_frame
from .settings import RuleSettings, Settings, SourceSettings, find_settings, read_settings
from .state import Policies, State, Workspace, load, load_events
from .state.facts import gate_facts

if TYPE_CHECKING:
    from .adapters.sklearn_features import Grey

__all__ = ["App", "open_app"]


def open_app(config: str | Path | None = None) -> App:
    """Open the label set of a labelops.toml: the one named, or the nearest above this folder.

    Raises
    ------
    SettingsError
        If there is none, or something in it is wrong.
    """
    path = Path(config) if config is not None else find_settings(Path.cwd())
    return App(read_settings(path / "labelops.toml" if path.is_dir() else path))


@dataclass(frozen=True)
class App:
    """A label set with its ends; one method a stage.

    Parameters
    ----------
    settings : Settings
    clock : callable
        Returns the time, with a time zone.
    """

    settings: Settings
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @cached_property
    def objects(self) -> Objects:
        """The workspace's write-once objects."""
        return open_objects(self.settings.workspace)

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace, with its schema checked against the one it was made with."""
        from .adapters.delta import DeltaTables

        s = self.settings
        root = s.workspace.rstrip("/") + "/tables"
        workspace = Workspace(
            tables=DeltaTables(root),
            objects=self.objects,
            schema=s.schema,
            key=self._key(),
            policies=Policies(s.accept, s.route, s.consolidate, s.audit, s.gate),
        )
        journey.adopt_schema(workspace, now=self.clock())
        return workspace

    def _key(self) -> bytes:
        """Return the key of digests and draws: from the environment, else the workspace's own."""
        own = self._identity["key"]  # drawn now in any case: a later failure must not leave it
        return self.settings.key.reveal().encode()[:64] if self.settings.key else bytes.fromhex(own)

    @cached_property
    def _identity(self) -> dict[str, str]:
        """The workspace's own random id and key, drawn when it is first opened."""
        fresh = json.dumps({"id": secrets.token_hex(4), "key": secrets.token_hex(32)}).encode()
        self.objects.put_new("workspace.json", fresh)
        found: dict[str, str] = json.loads(self.objects.get("workspace.json"))
        return found

    @property
    def namespace(self) -> str:
        """What tells this workspace's projects from others' on a shared labeling server."""
        return self._identity["id"]

    def read_payload(self, uri: str) -> bytes:
        """Return the bytes a payload URI of this workspace names."""
        if not uri.startswith("object:"):
            raise NotFoundError(f"{uri!r} is not a payload of this workspace")
        return self.objects.get(uri.removeprefix("object:"))

    @cached_property
    def queue(self) -> Queue:
        """Where people label."""
        settings = self.settings
        if settings.queue.type == "local":
            from .adapters.local_queue import LocalQueue

            if "://" in settings.workspace:
                raise SettingsError(
                    "queue.type is 'local' and the workspace a bucket; "
                    "set it to 'label-studio', or keep the workspace in a folder"
                )
            return LocalQueue(Path(settings.workspace) / "queue")
        if settings.queue.type != "label-studio":
            raise SettingsError(
                f"queue.type is {settings.queue.type!r}, expected 'local' or 'label-studio'"
            )
        from .adapters.label_studio import LabelStudioQueue

        if not settings.queue.url or not settings.label_studio_key:
            raise SettingsError(
                "Label Studio needs LABEL_STUDIO_URL (or [queue] url) and LABEL_STUDIO_API_KEY"
            )
        return LabelStudioQueue(
            settings.queue.url,
            settings.label_studio_key.reveal(),
            settings.schema.name,
            namespace=self.namespace,
            timeout=settings.queue.timeout,
        )

    @cached_property
    def labeler(self) -> Labeler | None:
        """What proposes labels; None where people label everything."""
        settings = self.settings.labeler
        if settings.type == "none":
            return None
        if settings.type == "sklearn":
            from .adapters.sklearn_labeler import SklearnLabeler

            return SklearnLabeler(
                settings.estimator or None,
                params=settings.params,
                media=self.settings.schema.media,
                load=self.read_payload,
                kept=self._greys,
            )
        if settings.type == "http":
            from .adapters.http_labeler import HttpLabeler

            media = self.settings.schema.media
            if settings.token_env and not self.settings.labeler_token:
                # Without the name: somebody may have put the token itself there.
                raise SettingsError(
                    "the environment has no variable of the name in labeler.token_env; export it "
                    "with the labeler's token, or leave the setting out"
                )
            return HttpLabeler(
                settings.url,
                media=media,
                timeout=settings.timeout,
                token=self.settings.labeler_token.reveal() or None,
                load=self.read_payload,
            )
        if settings.type == "chat":
            return self._chat_labeler()
        if settings.type == "rules":
            from .adapters.rule_labeler import RuleLabeler

            return RuleLabeler({name.partition(":")[2] or name: name for name in settings.rules})
        raise SettingsError(
            f"labeler.type is {settings.type!r}, expected 'sklearn', 'http', 'chat', "
            "'rules' or 'none'"
        )

    def _chat_labeler(self) -> Labeler:
        from .adapters._pace import Pace
        from .adapters.chat_cache import Prices
        from .adapters.chat_client import ChatClient
        from .adapters.chat_labeler import ChatLabeler
        from .adapters.chat_request import PROMPT

        settings, chat = self.settings, self.settings.chat
        client = ChatClient(
            settings.labeler.url,
            settings.labeler_token.reveal(),
            timeout=settings.labeler.timeout,
            attempts=chat.attempts,
            pace=Pace(chat.requests_per_minute, chat.tokens_per_minute),
        )
        return ChatLabeler(
            client,
            chat.model,
            objects=self.objects,
            prompt=self._text(chat.prompt, "chat.prompt") if chat.prompt else PROMPT,
            answer=chat.answer,
            params=settings.labeler.params,
            top_logprobs=chat.top_logprobs,
            served_as=chat.served_as,
            media=settings.schema.media,
            load=self.read_payload,
            prices=Prices(chat.input_price, chat.output_price, chat.max_cost),
            concurrency=chat.concurrency,
        )

    def _text(self, name: str, setting: str) -> str:
        """Read a text file of the project."""
        path = self.settings.root / name
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{setting}: {path} cannot be read as UTF-8 ({error})") from None

    @cached_property
    def rules(self) -> tuple[Labeler, ...]:
        """Labeling functions, each of which votes under its own name."""
        from .adapters.rule_labeler import Rule, RuleLabeler, contains, matches

        def made(rule: RuleSettings) -> Rule | str:
            if rule.words:
                return contains(rule.words, rule.label)
            return matches(rule.pattern, rule.label) if rule.pattern else rule.function

        rules = {rule.name: made(rule) for rule in self.settings.rules}
        return RuleLabeler(rules).each() if rules else ()

    @cached_property
    def _greys(self) -> dict[str, Grey]:
        """Images decoded while this label set was open, by digest."""
        return {}

    def features(self, items: pd.DataFrame) -> Any:
        """Return features of items that are not learned from their labels."""
        from .adapters.sklearn_features import TfidfMap, few_dimensions, pixels, word_counts

        if self.settings.schema.media == "image":
            return few_dimensions(pixels(items, self.read_payload, self._greys))
        counts = word_counts(items["payload"].tolist())
        return few_dimensions(TfidfMap.learned(counts)(counts))

    @property
    def detectors(self) -> tuple[Detector, ...]:
        """Second opinions on label noise."""
        from .adapters.cleanlab_detector import CleanlabDetector

        return (CleanlabDetector(),)

    @property
    def search(self) -> NeighbourSearch | None:
        """How neighbours are found among very many items; None without the extra `neighbours`."""
        if find_spec("faiss") is None:
            return None
        from .adapters.faiss_search import FaissSearch

        return FaissSearch()

    # --- stages --------------------------------------------------------------------------

    def ingest(self, *, revise: bool = False) -> dict[str, Ingested]:
        """Take in every source of the settings; source name → what changed.

        All sources are read before anything of them is stored as an item.
        """
        intakes = []
        for source in self.settings.sources:
            spec = self._spec(source)
            intakes.append(journey.Intake(open_source(spec), spec.rights, source.gold))
        return journey.ingest(self.workspace, intakes, now=self.clock(), revise=revise)

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

    def _spec(self, source: SourceSettings) -> SourceSpec:
        settings = self.settings
        expires = None
        if source.expires:
            try:
                expires = datetime.fromisoformat(source.expires)
            except ValueError:
                raise SettingsError(
                    f"source.{source.name}.expires is {source.expires!r}, expected an ISO date"
                ) from None
            expires = expires if expires.tzinfo else expires.replace(tzinfo=UTC)
        return SourceSpec(
            name=source.name,
            path=settings.root / source.path,
            format=source.format or None,
            key=source.key or None,
            text=source.text or None,
            image=source.image or None,
            group=source.group or None,
            media=settings.schema.media,
            known=self._known_images(),
            seen=self._seen,
            rights=Rights(
                licence=source.licence or None,
                purposes=source.purposes or None,
                region=source.region or None,
                expires=expires,
            ),
        )

    def autolabel(self) -> journey.Autolabeled:
        """Let rules vote; fit the labeler, let it propose, and try whether it may be accepted."""
        ruled = journey.vote_by_rules(self.workspace, self.rules, now=self.clock())
        labeler = self.labeler
        if labeler is None:
            reason = "no labeler is configured"
            return journey.Autolabeled(None, 0, 0, 0, reason, rule_votes=ruled.votes)
        found = journey.autolabel(self.workspace, labeler, now=self.clock())
        return dataclasses.replace(found, rule_votes=ruled.votes)

    def estimate(self) -> Estimate | None:
        """Say what the labeler's answers about all items will cost; None if they cost nothing."""
        labeler: object = self.labeler
        if isinstance(labeler, Metered):
            return labeler.estimate(load(self.workspace).items, self.settings.schema)
        return None

    def route(self) -> journey.Routed:
        """Plan who should look at what next."""
        return journey.route(self.workspace, self.features, now=self.clock())

    def send(self) -> Sent:
        """Offer the plan to people."""
        return journey.send(self.workspace, self.queue)

    def collect(self) -> journey.Collected:
        """Take people's answers in."""
        return journey.collect(self.workspace, self.queue, now=self.clock())

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
                self.features,
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
        if releasing.released_as(load(self.workspace)) is None:
            verdict = self.gate().verdict
            # Somebody else may have released them meanwhile.
            if releasing.released_as(load(self.workspace)) is None:
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
        self, state: State, verdict: Mapping[str, object], when: str
    ) -> Mapping[str, bytes]:
        facts = report_facts(state, verdict, when, self.read_payload)
        return {
            "report.html": render(facts).encode(),
            "report.json": facts_json(facts).encode(),
        }

    # --- reading -------------------------------------------------------------------------

    @property
    def names(self) -> dict[str, str]:
        """Names that move → release."""
        return releasing.names_of(load_events(self.workspace))

    def manifest(self, reference: str | None = None) -> Manifest:
        """Return the manifest of a release; the latest of this label set by default."""
        wanted = parse_reference(reference or f"{self.settings.schema.name}@latest")
        return releasing.resolve(self.objects, wanted, self.names)

    def manifests(self) -> list[Manifest]:
        """Return the manifests of all releases, oldest first."""
        name = self.settings.schema.name
        versions = released_versions(name, self.objects.list(f"releases/{name}/"))
        return [Manifest.from_bytes(self.objects.get(manifest_name(name, v))) for v in versions]

    def read(self, reference: str | None = None) -> Release:
        """Read a release's labels and items back."""
        return releasing.read_release(self.objects, self.manifest(reference), decode_parquet)

    def load(self, reference: str | None = None, *, weights: str = "hard") -> pd.DataFrame:
        """Return a release as a frame to train on; see `labelops.load`."""
        found = self.read(reference)
        images = found.manifest.schema.media == "image"
        contents = (
            {
                item_id: self.read_payload(uri)
                for item_id, uri in zip(found.items["item_id"], found.items["payload"], strict=True)
            }
            if images
            else None
        )
        split = self.settings.split
        return training_frame(
            found.labels,
            found.items,
            found.manifest.schema,
            shares={"train": split.train, "validation": split.validation, "test": split.test},
            key=self.workspace.key,
            weights=weights,
            contents=contents,
            release=found.manifest.reference,
            manifest_digest=found.manifest.digest,
        )

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
        files = export(self.load(reference, weights=weights), format, encode_parquet)
        return write_export(files, target, overwrite=overwrite)

    def verify(self, reference: str | None = None) -> list[Problem]:
        """Compare every byte of a release with what was released."""
        manifest = self.manifest(reference)
        expected = {
            json.loads(b)["release"]: json.loads(b)["digest"]
            for b in load_events(self.workspace).latest("name")["body"]
        }
        return verify(
            self.objects.get(manifest.object_name),
            self.objects.get,
            self.objects.list(release_folder(manifest.name, manifest.version)),
            expected=expected.get(manifest.reference),
        )

    def diff(self, before: str, after: str) -> Diff:
        """Say what changed between two releases."""
        a, b = self.read(before), self.read(after)
        return diff(a.labels, b.labels, a.manifest.schema, b.manifest.schema)

    def explain(self, item_id: str) -> Explanation:
        """Say who voted what on an item, what a model proposed, and why its label stands."""
        read = self.workspace.tables.read
        mine = {"item_id": item_id}
        return explain(
            item_id,
            read("labels", where=mine),
            read("votes", where=mine),
            read("proposals", where=mine),
            read("plan", where=mine),
            read("findings", where=mine),
            read("events", where={"subject": item_id}),
            known=len(read("items", columns=["item_id"], where=mine)) > 0,
        )

    def name(self, alias: str, reference: str) -> str:
        """Let a name such as `prod` mean a release."""
        return releasing.name_release(self.workspace, alias, reference, now=self.clock())

    def verdict(self) -> Verdict:
        """Return what the gate would say of the labels as they stand; freezes nothing."""
        state = load(self.workspace)
        facts = gate_facts(state, self.clock(), split_conflicts(state.items))
        return evaluate(facts, self.workspace.policies.gate)

    def report(self) -> tuple[str, str]:
        """Return the report on the label set as it stands now, as HTML and as JSON text."""
        state, now = load(self.workspace), self.clock()
        facts = report_facts(state, self.verdict().to_json(), now.isoformat(), self.read_payload)
        return render(facts), facts_json(facts)


def tool_versions() -> dict[str, str]:
    """Return the versions of what made a release."""
    names = ("cleanlab", "deltalake", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy")
    found = {name: metadata.version(name) for name in names}
    return {"labelops": __version__, "python": platform.python_version(), **found}
