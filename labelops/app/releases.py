"""What was released of a label set: read back, verified, compared, named and exported."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from .. import released
from ..adapters.export_files import holds_export, refuse_occupied, write_export
from ..adapters.parquet import decode_parquet, encode_parquet
from ..deprecating import Deprecation, News, deprecate, deprecated_in, news_of
from ..digest import digest_bytes
from ..errors import IntegrityError, shown
from ..release import (
    Diff,
    Manifest,
    Problem,
    Release,
    diff,
    manifest_name,
    parse_reference,
    release_folder,
    released_versions,
    verify,
    verify_files,
)
from ..reuse import export, training_frame
from ..state import load_events
from .ends import Ends
from .warned import warn_if_deprecated

__all__ = ["Releases"]


class Releases(Ends):
    """A label set's ends, and what was released of it."""

    @property
    def names(self) -> dict[str, str]:
        """Names that move → release."""
        return released.names_of(load_events(self.as_it_is))

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
        return deprecated_in(load_events(self.as_it_is))

    def deprecate(self, reference: str, because: str) -> Deprecation:
        """Say that a release should not be used any more; no reason takes that back."""
        return deprecate(self.workspace, reference, because, now=self.clock())

    def news(self, manifest: Manifest) -> News:
        """Return what has become known of a release since it was made."""
        return news_of(load_events(self.as_it_is), self.objects, manifest)

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
            key=self.key_to_read,
            weights=weights,
            contents=self._files(found) if images else None,
            release=found.manifest.reference,
            manifest_digest=found.manifest.digest,
            certificate=found.manifest.certificate,
            rights=found.manifest.rights,
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
        expected = released.noted_digests(load_events(self.as_it_is))
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

    def name(self, alias: str, reference: str) -> str:
        """Let a name such as `prod` mean a release."""
        return released.name_release(self.workspace, alias, reference, now=self.clock())
