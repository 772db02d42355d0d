"""Exports found on the disk, and any file of one that is not as it was exported."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import IntegrityError, NotFoundError, UsageError, shown
from ..release import Problem
from ..reuse import SIDECAR, read_sidecar
from ._storage import storage_error
from .objects import check_name

__all__ = ["Exported", "is_export", "read_export"]

_BLOCK = 1 << 20
_SAID = ("release", "manifest_digest", "deprecated")


@dataclass(frozen=True, slots=True)
class Exported:
    """What an exported folder says of itself, and what of it is not so.

    Parameters
    ----------
    release : str
        `name@version`; empty if its labels come from no release, or nothing can be read.
    manifest_digest : str
        Of that release.
    deprecated : str
        Why that release should not be used, as it was known at the export.
    problems : tuple of Problem
        Files that are changed, missing or new since.
    """

    release: str
    manifest_digest: str
    deprecated: str
    problems: tuple[Problem, ...]


def is_export(folder: str | Path) -> bool:
    """Say whether a folder says that it is an export."""
    return (Path(folder).expanduser() / SIDECAR).is_file()


def read_export(folder: str | Path) -> Exported:
    """Compare every file of an exported folder with what was exported.

    Parameters
    ----------
    folder : str or Path
        Wherever it was copied to. Files may be links, as some stores of data make them.

    Raises
    ------
    NotFoundError
        If there is no export there.
    StorageError, EndRefused
        If a file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp())
    >>> (place / SIDECAR).write_bytes(b"{}")
    2
    >>> [(p.kind, p.file) for p in read_export(place).problems]
    [('changed', '_labelops.json')]
    """
    place = Path(folder).expanduser()
    try:
        facts = read_sidecar((place / SIDECAR).read_bytes())
        files = {check_name(name): _size_and_digest(said) for name, said in _named(facts)}
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(
            f"{shown(str(place), 200)} holds no {SIDECAR}, so it is no export; name the folder "
            "that `labelops export` wrote"
        ) from None
    except (IntegrityError, UsageError) as error:
        return Exported("", "", "", (Problem("changed", SIDECAR, str(error)),))
    except OSError as error:
        raise storage_error(error, f"reading {place / SIDECAR}") from error
    problems = [p for name, said in files.items() for p in _problems(place, name, *said)]
    problems += [_unknown(name) for name in sorted(_there(place) - files.keys() - {SIDECAR})]
    release, digest, why = (str(facts.get(n, "")) for n in _SAID)
    return Exported(release, digest, why, tuple(problems))


def _named(facts: Mapping[str, object]) -> list[tuple[str, object]]:
    files = facts["files"]
    return list(files.items()) if isinstance(files, dict) else []


def _size_and_digest(said: object) -> tuple[int, str]:
    size, sha256 = (said.get("bytes"), said.get("sha256")) if isinstance(said, dict) else (0, 0)
    if not isinstance(size, int) or not isinstance(sha256, str):
        raise UsageError(f"{SIDECAR} says of a file {shown(said)}, no size and digest")
    return size, sha256


def _problems(place: Path, name: str, size: int, sha256: str) -> Iterator[Problem]:
    path = place / name
    try:
        found = path.stat().st_size if path.is_file() else None
        good = found == size and _digest(path) == sha256
    except OSError as error:
        raise storage_error(error, f"reading {path}") from error
    if found is None:
        yield Problem("missing", name, "the file is gone; copy it again, or export again")
    elif not good:
        yield Problem(
            "changed", name, "the bytes are not those exported; copy it again, or export again"
        )


def _digest(path: Path) -> str:
    """Digest a file block by block: exports of images may be larger than the memory."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            state.update(block)
    return state.hexdigest()


def _there(place: Path) -> set[str]:
    """Return the names of all files below a folder; of folders that are links only the links."""
    found: set[str] = set()
    for folder, inner, files in os.walk(place):
        links = [name for name in inner if (Path(folder) / name).is_symlink()]
        found.update((Path(folder) / n).relative_to(place).as_posix() for n in (*files, *links))
    return found


def _unknown(name: str) -> Problem:
    """Name a file that was not exported: readers of folders take it for data, if it is not hidden.

    They skip names that begin with a dot or an underscore, at any depth.
    """
    hidden = any(part.startswith((".", "_")) for part in name.split("/"))
    said = (
        "it was not exported, and nothing reads it" if hidden else "it was not exported; remove it"
    )
    return Problem("extra", name, said, harmful=not hidden)
