"""What a release says of itself: its parts with digests, where it comes from, and its facts.

The manifest is canonical JSON and carries the digest of all its other fields, which identifies
the release. So a changed byte in the manifest is found with nothing else at hand, a changed
byte in a part is found with the manifest, and a manifest that was rewritten as a whole is
found by whoever noted its digest: the child release, or the workspace's events.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from ..digest import canonical_json, digest
from ..errors import IntegrityError, LabelopsError, UsageError, shown
from ..schema import Schema
from .version import Version

__all__ = [
    "FORMAT",
    "Manifest",
    "Parent",
    "Part",
    "manifest_name",
    "release_folder",
    "released_versions",
]

FORMAT = "labelops-release/1"
_MANIFEST = "manifest.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


def release_folder(name: str, version: Version) -> str:
    """Return the start of the names of a release's objects.

    Examples
    --------
    >>> release_folder("digits", Version(1, 0, 0))
    'releases/digits/1.0.0/'
    """
    return f"releases/{name}/{version}/"


def manifest_name(name: str, version: Version) -> str:
    """Return the name of a release's manifest object."""
    return release_folder(name, version) + _MANIFEST


def released_versions(name: str, listed: Iterable[str]) -> list[Version]:
    """Return the versions that exist, oldest first: those with a manifest.

    Parameters
    ----------
    name : str
        The label set.
    listed : iterable of str
        Object names, at least those under `releases/<name>/`.

    Examples
    --------
    >>> found = released_versions("d", ["releases/d/1.10.0/manifest.json",
    ...     "releases/d/1.9.0/manifest.json", "releases/d/2.0.0/labels-00.parquet"])
    >>> [str(v) for v in found]
    ['1.9.0', '1.10.0']
    """
    start, end = f"releases/{name}/", f"/{_MANIFEST}"
    middles = [n[len(start) : -len(end)] for n in listed if n.startswith(start) and n.endswith(end)]
    found = []
    for middle in middles:
        try:
            found.append(Version.parse(middle))
        except UsageError:
            continue  # somebody's own file; no release is called that
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a release.

    Parameters
    ----------
    role : str
        What it holds: labels, votes, items, proposals, or an extra file's name.
    file : str
        Its name in the release's folder; carries the start of the digest.
    sha256 : str
        Digest of its bytes.
    bytes : int
        Its size.
    rows : int or None
        Rows of a table; None for another file.
    """

    role: str
    file: str
    sha256: str
    bytes: int
    rows: int | None


@dataclass(frozen=True, slots=True)
class Parent:
    """A release that this one follows.

    Parameters
    ----------
    name, version : str
        Which.
    digest : str
        Its manifest's digest.
    """

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a release says of itself.

    Parameters
    ----------
    name : str
        The label set.
    version : Version
    created_at : str
        ISO 8601, UTC.
    schema : Schema
        With the class order.
    parents : tuple of Parent
    parts : tuple of Part
    counts : mapping
        Items, by class, by method, accepted from the model, decided by people, votes, annotators.
    verdict : mapping
        The gate's verdict as JSON.
    rights : mapping
        Licences, the purposes every item allows, regions, the earliest expiry.
    tools : mapping of str to str
        What made it, with versions.
    change : mapping
        `level` (first, major, minor, patch) and how many labels were added, removed, changed.
    """

    name: str
    version: Version
    created_at: str
    schema: Schema
    parents: tuple[Parent, ...]
    parts: tuple[Part, ...]
    counts: Mapping[str, object]
    verdict: Mapping[str, object]
    rights: Mapping[str, object]
    tools: Mapping[str, str]
    change: Mapping[str, object]

    @property
    def reference(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def digest(self) -> str:
        """What identifies the release: SHA-256 of everything the manifest says."""
        return digest(self._body())

    @property
    def content_digest(self) -> str:
        """The digest without when and with which tools: equal for the same release made twice."""
        body = self._body()
        return digest({k: v for k, v in body.items() if k not in ("created_at", "tools")})

    @property
    def certificate(self) -> str:
        """The audit's result in the gate's words: bound, confidence and looks; else empty."""
        checks = self.verdict.get("checks")
        for check in checks if isinstance(checks, list | tuple) else ():
            if (check["name"], check["status"]) == ("certified error", "pass"):
                return str(check["message"])
        return ""

    @property
    def object_name(self) -> str:
        """The name of the manifest's object."""
        return manifest_name(self.name, self.version)

    def part(self, role: str) -> Part:
        """Return the part of a role.

        Raises
        ------
        UsageError
            If there is none.
        """
        for part in self.parts:
            if part.role == role:
                return part
        raise UsageError(f"release {self.reference} has no part {shown(role)}")

    def part_name(self, role: str) -> str:
        """Return the object name of the part of a role."""
        return release_folder(self.name, self.version) + self.part(role).file

    def to_json(self) -> dict[str, object]:
        """Return the manifest as a JSON object, with its digest."""
        return {**self._body(), "digest": self.digest}

    def to_bytes(self) -> bytes:
        """Return the manifest's one canonical form in bytes."""
        return canonical_json(self.to_json()).encode("utf-8", "surrogatepass")

    @classmethod
    def from_bytes(cls, content: bytes) -> Manifest:
        """Read a manifest; any changed byte is refused.

        Raises
        ------
        IntegrityError
            If the bytes are not exactly what `to_bytes` wrote.
        """
        try:
            manifest = _read(json.loads(content.decode("utf-8", "surrogatepass")))
            again = manifest.to_bytes()
        except (ValueError, KeyError, TypeError, RecursionError, LabelopsError) as error:
            raise IntegrityError(
                f"the manifest is damaged, or not one of format {FORMAT}: {shown(str(error))}"
            ) from None
        if again != content:
            raise IntegrityError(
                f"the manifest of {shown(manifest.reference)} does not match its own digest"
            )
        return manifest

    def _body(self) -> dict[str, object]:
        return {
            "change": dict(self.change),
            "counts": dict(self.counts),
            "created_at": self.created_at,
            "format": FORMAT,
            "name": self.name,
            "parents": [asdict(p) for p in self.parents],
            "parts": [asdict(p) for p in self.parts],
            "rights": dict(self.rights),
            "schema": self.schema.to_json(),
            "tools": dict(self.tools),
            "verdict": dict(self.verdict),
            "version": str(self.version),
        }


def _read(raw: object) -> Manifest:
    body = _mapping(raw)
    return Manifest(
        name=_plain(body["name"]),
        version=Version.parse(str(body["version"])),
        created_at=str(body["created_at"]),
        schema=Schema.from_json(_mapping(body["schema"])),
        parents=tuple(_parent(_mapping(p)) for p in _list(body["parents"])),
        parts=tuple(_part(_mapping(p)) for p in _list(body["parts"])),
        counts=_mapping(body["counts"]),
        verdict=_mapping(body["verdict"]),
        rights=_mapping(body["rights"]),
        tools={k: str(v) for k, v in _mapping(body["tools"]).items()},
        change=_mapping(body["change"]),
    )


def _part(raw: dict[str, object]) -> Part:
    rows = raw["rows"]
    return Part(
        role=str(raw["role"]),
        file=_plain(raw["file"]),
        sha256=str(raw["sha256"]),
        bytes=int(str(raw["bytes"])),
        rows=None if rows is None else int(str(rows)),
    )


def _parent(raw: dict[str, object]) -> Parent:
    return Parent(_plain(raw["name"]), str(raw["version"]), str(raw["digest"]))


def _plain(raw: object) -> str:
    """Return a name that cannot lead out of its folder: a manifest may come from a stranger."""
    if not isinstance(raw, str) or not _NAME.fullmatch(raw):
        raise ValueError(f"{shown(raw)} is no plain name")
    return raw


def _mapping(raw: object) -> dict[str, object]:
    if not isinstance(raw, dict):
        raise TypeError(f"expected an object, found {shown(raw)}")
    return raw


def _list(raw: object) -> list[object]:
    if not isinstance(raw, list):
        raise TypeError(f"expected a list, found {shown(raw)}")
    return raw
