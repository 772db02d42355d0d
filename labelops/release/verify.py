"""Finding any byte of a release that is not the byte that was released; needs no server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from ..digest import digest_bytes
from ..errors import IntegrityError, NotFoundError
from .manifest import Manifest, Parent, Part, manifest_name, release_folder
from .version import Version

__all__ = ["Problem", "intact", "verify", "verify_files"]

_PART_FILE = re.compile(r"[a-z_]+-([0-9a-f]{16})\.[a-z]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing about a release that is not as it was released.

    Parameters
    ----------
    kind : {"manifest", "changed", "missing", "extra", "leftover", "parent"}
        `leftover` is a whole part that the manifest does not name: a killed run left it, and
        nothing reads it.
    file : str
        The object's name.
    message : str
        What is wrong and what to do.
    harmful : bool
        False for what takes nothing from the release: leftovers, and a parent that is not here.
    """

    kind: str
    file: str
    message: str
    harmful: bool = True


def verify(
    manifest_bytes: bytes,
    get: Callable[[str], bytes],
    listed: Sequence[str],
    *,
    expected: str | None = None,
) -> list[Problem]:
    """Compare a release's bytes with what its manifest says; an empty list means all is well.

    Parameters
    ----------
    manifest_bytes : bytes
        The manifest as it is stored.
    get : callable
        As of `labelops.ports.Objects`.
    listed : sequence of str
        All object names under the release's folder.
    expected : str, optional
        The manifest's digest as somebody noted it: the workspace's events, a child release, a
        consumer. With it even a manifest rewritten together with its parts is found.

    Examples
    --------
    >>> verify(b"{}", lambda name: b"", [])[0].kind
    'manifest'
    """
    try:
        manifest = Manifest.from_bytes(manifest_bytes)
    except IntegrityError as error:
        return [Problem("manifest", "manifest.json", str(error))]
    found = list(_manifest_problems(manifest, listed, expected))
    folder = release_folder(manifest.name, manifest.version)
    for part in manifest.parts:
        found += _part_problems(folder + part.file, part, get)
    known = {folder + part.file for part in manifest.parts} | {manifest.object_name}
    found += [_unknown(name, get) for name in sorted(set(listed) - known)]
    for parent in manifest.parents:
        found += _parent_problems(parent, get)
    return found


def intact(part: Part, content: bytes) -> bool:
    """Say whether these are the bytes that a part was released with."""
    return len(content) == part.bytes and digest_bytes(content) == part.sha256


def verify_files(items: pd.DataFrame, get: Callable[[str], bytes]) -> list[Problem]:
    """Compare the files that a release's items show with those that were labeled.

    Parameters
    ----------
    items : ITEMS rows
        Of the release; texts are in these rows and have no files.
    get : callable
        As of `labelops.ports.Objects`.

    Examples
    --------
    >>> items = pd.DataFrame({"payload": ["object:a.png", "object: I said"],
    ...     "payload_digest": ["0f" * 32, "1e" * 32], "media_type": ["image/png", "text/plain"]})
    >>> [(p.kind, p.file) for p in verify_files(items, lambda name: b"another picture")]
    [('changed', 'a.png')]
    """
    files = [not media.startswith("text/") for media in items["media_type"]]
    shown = items.loc[files, ["payload", "payload_digest"]].drop_duplicates()
    found = []
    for uri, wanted in shown.sort_values("payload").itertuples(index=False):
        scheme, _, name = uri.partition(":")
        if scheme != "object":
            continue  # Elsewhere than in the workspace: nobody keeps it as it was.
        try:
            good = digest_bytes(get(name)) == wanted
        except NotFoundError:
            found.append(Problem("missing", name, "the file is gone; restore it from a backup"))
            continue
        if not good:
            said = "the file is not the one that was labeled; restore it from a backup"
            found.append(Problem("changed", name, said))
    return found


def _manifest_problems(
    manifest: Manifest, listed: Sequence[str], expected: str | None
) -> Iterator[Problem]:
    if manifest.object_name not in listed:
        yield Problem(
            "manifest",
            manifest.object_name,
            f"the manifest says it is {manifest.reference}, but does not stand there: it was "
            "moved from another release",
        )
    if expected is not None and manifest.digest != expected:
        yield Problem(
            "manifest",
            manifest.object_name,
            f"the manifest's digest is {manifest.digest}, released was {expected}: it was "
            "rewritten; restore it from a backup",
        )


def _part_problems(name: str, part: Part, get: Callable[[str], bytes]) -> Iterator[Problem]:
    try:
        content = get(name)
    except NotFoundError:
        yield Problem("missing", name, "the part is gone; restore it from a backup")
        return
    if not intact(part, content):
        yield Problem(
            "changed",
            name,
            f"the bytes are not those released ({len(content)} bytes, SHA-256 "
            f"{digest_bytes(content)}; released {part.bytes}, {part.sha256}); restore them "
            "from a backup",
        )


def _unknown(name: str, get: Callable[[str], bytes]) -> Problem:
    promised = _PART_FILE.fullmatch(name.rpartition("/")[2])
    if promised and digest_bytes(get(name)).startswith(promised.group(1)):
        return Problem(
            "leftover", name, "a killed run left this part; nothing reads it", harmful=False
        )
    return Problem("extra", name, "the manifest does not name this file; remove it")


def _parent_problems(parent: Parent, get: Callable[[str], bytes]) -> Iterator[Problem]:
    name = manifest_name(parent.name, Version.parse(parent.version))
    try:
        found = Manifest.from_bytes(get(name)).digest
    except NotFoundError:
        yield Problem("parent", name, "the parent release is not here to compare", harmful=False)
        return
    except IntegrityError as error:
        yield Problem("parent", name, str(error))
        return
    if found != parent.digest:
        yield Problem(
            "parent", name, f"the parent's digest is {found}, when released it was {parent.digest}"
        )
