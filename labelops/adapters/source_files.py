"""Files beside a source: names that stay inside its folder, and reads of bounded size."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path, PurePosixPath, PureWindowsPath

from labelops.errors import SourceError

__all__ = ["Folder", "Signature", "inside", "read_bounded", "settled", "signature"]

Signature = tuple[int, ...]
"""What of a file changes with its content, as its file system says: see `signature`."""

_TICK = 2_000_000_000
"""Nanoseconds in which a file may change twice without its times showing it."""


class Folder:
    """Finds many files in one folder; each folder on the way is looked at once.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, str] = {}

    def find(self, name: str) -> Path:
        """Return the file that `name` means; see `inside`, which says the same.

        Raises
        ------
        SourceError
            As `inside` does.
        """
        head, _, tail = name.rpartition("/")
        if name.startswith("/") or tail in ("", ".", "..") or set(tail) & set("\\:\0"):
            return inside(self._folder, name)
        if head not in self._places:
            try:
                self._places[head] = str(inside(self._folder, head or "."))
            except SourceError:
                return inside(self._folder, name)  # the error is about the file's name
        found = f"{self._places[head]}/{tail}"
        try:
            plain = not stat.S_ISLNK(os.lstat(found).st_mode)
        except OSError:
            plain = False
        return Path(found) if plain else inside(self._folder, name)


def signature(path: Path) -> Signature:
    """Return a file's identity, size and times; another content has another one, if `settled`.

    Raises
    ------
    SourceError
        If there is no such file any more.
    """
    try:
        facts = path.stat()
    except OSError as error:
        raise SourceError(f"the file cannot be read ({error.strerror})") from None
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def settled(found: Signature) -> bool:
    """Say whether a file was last changed so long ago that the next change shows in its times.

    Examples
    --------
    >>> settled((0, 0, 10, 1_000, 1_000)), settled((0, 0, 10, time.time_ns(), 1_000))
    (True, False)
    """
    return max(found[3:]) < time.time_ns() - _TICK


def inside(folder: Path, name: str) -> Path:
    """Return the file that `name` means in `folder`, if it is in there.

    Raises
    ------
    SourceError
        If the name is absolute or leads out (by ``..`` or a symbolic link), if links go in a
        circle, or if there is no such file; without a place.
    """
    windows = PureWindowsPath(name)
    if PurePosixPath(name).is_absolute() or windows.drive or windows.root or "\x00" in name:
        raise SourceError("the path must be relative to the source's folder", value=name)
    if ".." in windows.parts:
        raise SourceError("the path leaves the source's folder; move the file inside", value=name)
    try:
        # As texts: of thousands of files, making path objects is most of the cost.
        root = os.path.realpath(folder, strict=True)
        found = os.path.realpath(os.path.join(folder, name), strict=True)  # noqa: PTH118
    except FileNotFoundError:
        raise SourceError(f"no such file in {folder}; mend the path", value=name) from None
    except (OSError, RuntimeError) as error:
        # Python before 3.13 says RuntimeError for a circle of links.
        raise SourceError(f"the path cannot be followed ({_why(error)})", value=name) from None
    if os.path.commonpath((root, found)) != root:
        raise SourceError("a link leads out of the source's folder; copy the file in", value=name)
    return Path(found)


def _why(error: Exception) -> str:
    if isinstance(error, RuntimeError) or getattr(error, "errno", None) == 40:
        return "its symbolic links go in a circle; remove the link"
    return getattr(error, "strerror", None) or str(error)


def read_bounded(path: Path, limit: int) -> bytes:
    """Return an ordinary file's bytes, at most `limit`.

    Raises
    ------
    SourceError
        If it is no ordinary file, larger, or cannot be read; without a place.
    """
    try:
        # Not blocking: a named pipe must be refused, not waited for.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise SourceError("not an ordinary file; remove it")
            content = file.read(limit + 1)
    except OSError as error:
        raise SourceError(f"the file cannot be read ({error.strerror})") from None
    if len(content) > limit:
        size = max(facts.st_size, len(content))
        raise SourceError(f"the file has {size:,} bytes, at most {limit:,} are allowed")
    return content
