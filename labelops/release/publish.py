"""Writing a release: parts first, the manifest last, each created only if it is not there."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ConflictError, IntegrityError
from .build import ReleaseParts
from .manifest import Manifest

__all__ = ["publish"]


def publish(
    parts: ReleaseParts,
    put_new: Callable[[str, bytes], bool],
    get: Callable[[str], bytes],
) -> str:
    """Write a release once and return its manifest's digest; doing it again is fine.

    The manifest's creation is the release: a process killed before it leaves only parts that
    a later run finds equal or does not use, because their names carry their digests. Of two
    processes releasing different things under one version, one wins.

    Parameters
    ----------
    parts : ReleaseParts
    put_new, get
        As of `labelops.ports.Objects`.

    Returns
    -------
    str
        The digest of the manifest that is there now. If the same release was written before,
        at another time or with other tools, that is the earlier one's.

    Raises
    ------
    ConflictError
        If the version exists with other content; build again on top of it.
    IntegrityError
        If a part is there under its name with other bytes.
    """
    for name, content in parts.files.items():
        if not put_new(name, content) and get(name) != content:
            raise IntegrityError(
                f"object {name} exists, but its bytes are not those its name promises; "
                "remove it and release again"
            )
    manifest = parts.manifest
    if put_new(manifest.object_name, manifest.to_bytes()):
        return manifest.digest
    there = Manifest.from_bytes(get(manifest.object_name))
    if there.content_digest != manifest.content_digest:
        raise ConflictError(
            f"release {manifest.reference} was made by somebody else meanwhile, with other "
            "content; run again to build on top of it"
        )
    return there.digest
