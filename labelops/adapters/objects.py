"""Write-once objects: files in a folder, or objects in an S3 bucket.

The local half is written with the standard library, because the vendor's local store does not
flush to disk: a power cut could leave a released name over empty bytes.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import LabelopsError, NotFoundError, StorageError, UsageError, shown
from ._disk import flush, write_flushed
from ._storage import bucket_options, is_bucket, root_of, storage_error

if TYPE_CHECKING:
    from ..ports import BatchObjects, Objects

__all__ = ["BucketObjects", "LocalObjects", "check_name", "open_objects"]

_PARTIAL = ".partial-"
_WRITERS = 8
_CLIENT_OPTIONS = ("allow_http", "timeout", "connect_timeout", "proxy_url", "user_agent")


def open_objects(root: str, storage_options: Mapping[str, str] | None = None) -> Objects:
    """Return the objects of a workspace: a folder's, or a bucket's for `s3://…`.

    Raises
    ------
    SettingsError
        If the root is neither a folder nor an S3 address.

    Examples
    --------
    >>> import tempfile
    >>> objects = open_objects(tempfile.mkdtemp())
    >>> objects.put_new("a/b", b"1"), objects.put_new("a/b", b"2"), objects.get("a/b")
    (True, False, b'1')
    """
    if is_bucket(root):
        return BucketObjects(root, storage_options)
    return LocalObjects(root)


def check_name(name: str) -> str:
    """Return an object's name if it is relative, plain and stays inside the root.

    Raises
    ------
    UsageError
        For an empty, absolute or over-long name, a part that is empty, '.' or '..', a
        backslash, or a character that does not print.

    Examples
    --------
    >>> check_name("../etc/passwd")
    Traceback (most recent call last):
    labelops.errors.UsageError: object name '../etc/passwd': a name is relative, without '..'
    """
    parts = name.split("/")
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise UsageError(f"object name {shown(name)}: a name is relative, without '..'")
    if "\\" in name or not name.isprintable():
        raise UsageError(
            f"object name {shown(name)}: a name has no backslash and no control character"
        )
    if len(name.encode()) > 1000 or any(len(part.encode()) > 200 for part in parts):
        raise UsageError(
            f"object name {shown(name)}: at most 1000 bytes, and 200 between two slashes"
        )
    if any(part.startswith(_PARTIAL) for part in parts):
        raise UsageError(f"object name {shown(name)}: {_PARTIAL!r} marks unfinished writes")
    return name


_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
"""What file systems without hard links answer: FAT, some network shares, mounts of containers."""


class LocalObjects:
    """Objects as files under a folder, each created whole or not at all.

    A write goes to a temporary file beside its place, is flushed, and then gets its name by a
    hard link, which the system refuses if the name is taken. A killed write leaves at most a
    temporary file that no listing shows.

    Parameters
    ----------
    root : str
        The folder; created by the first write.
    """

    __slots__ = ("_flushed", "_root")

    def __init__(self, root: str) -> None:
        self._root = Path(root_of(root))
        self._flushed: set[Path] = set()

    def __repr__(self) -> str:
        """Name the folder."""
        return f"LocalObjects({str(self._root)!r})"

    def put_new(self, name: str, content: bytes) -> bool:
        """Create the object whole or not at all; False if the name was taken.

        Either way the object of that name is safe when this returns.

        Raises
        ------
        UsageError
            If the name is malformed, or runs through another object.
        StorageError
            If the disk is full, or has no hard links.
        """
        target = self._root / check_name(name)
        with self._mapped(f"writing {target}"):
            if target.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            new = not target.exists() and self._write(target, content)
            # A taken name, too: who took it may have died before flushing it.
            self._flush_folders(target.parent)
        return new

    def _write(self, target: Path, content: bytes) -> bool:
        """Write content beside its place and give it its name; say whether that was free."""
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.parent / f"{_PARTIAL}{secrets.token_hex(8)}"
        try:
            write_flushed(partial, content)
            try:
                os.link(partial, target)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                raise StorageError(
                    f"writing {target}: this file system has no hard links, by which names are "
                    "given once; keep the workspace on a local disk, or in a bucket (s3://…)"
                ) from error
        finally:
            with suppress(FileNotFoundError):
                partial.unlink()
        return True

    def put_all(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Create many objects as `put_new` does; all are safe when this returns.

        Raises
        ------
        As `put_new`; some of the others are created then.
        """
        _put_all(self.put_new, contents)

    def get(self, name: str) -> bytes:
        """Return an object's bytes.

        Raises
        ------
        NotFoundError
            If there is none of that name.
        """
        path = self._root / check_name(name)
        with self._mapped(f"reading {path}"):
            try:
                return path.read_bytes()
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                raise NotFoundError(f"no object {shown(name)} in {self._root}") from None

    def list(self, prefix: str = "") -> list[str]:
        """Return the names that start with `prefix`, sorted."""
        folder = prefix.rpartition("/")[0]
        if folder:
            check_name(folder)
        names = []
        with self._mapped(f"listing {self._root}"):
            for where, _, files in os.walk(self._root / folder, onerror=_raise_unless_absent):
                base = Path(where).relative_to(self._root)
                names += [(base / f).as_posix() for f in files if not f.startswith(_PARTIAL)]
        return sorted(name for name in names if name.startswith(prefix))

    def _flush_folders(self, folder: Path) -> None:
        """Flush the new name, and the folders that may have been made for it."""
        flush(folder)
        for place in (folder, *folder.parents):
            if place == self._root or place in self._flushed:
                break
            flush(place.parent)
            # Whoever made the folder, its own name is on the disk now, and folders stay.
            self._flushed.add(place)

    @contextmanager
    def _mapped(self, what: str) -> Iterator[None]:
        try:
            yield
        except LabelopsError:
            raise
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
                raise UsageError(
                    f"{what}: the name runs through another object, a file where a folder should "
                    "be; name another place"
                ) from error
            raise storage_error(error, what) from error


def _put_all(put_new: Callable[[str, bytes], bool], contents: Iterable[tuple[str, bytes]]) -> None:
    """Put many at once: what takes time is to wait for the disk or the bucket."""
    with ThreadPoolExecutor(_WRITERS) as pool:
        for _ in pool.map(lambda named: put_new(*named), contents):
            pass


def _raise_unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


class BucketObjects:
    """Objects in an S3 bucket, created with `If-None-Match: *`.

    Parameters
    ----------
    root : str
        `s3://bucket/prefix`.
    storage_options : mapping of str to str, optional
        Options on top of the `AWS_*` environment.
    """

    __slots__ = ("_options", "_root", "_store")

    def __init__(self, root: str, storage_options: Mapping[str, str] | None = None) -> None:
        from obstore.store import S3Store

        self._root = root_of(root)
        self._options = bucket_options(storage_options)
        client: Any = {k: v for k, v in self._options.items() if k in _CLIENT_OPTIONS}
        client["allow_http"] = client.get("allow_http") == "true"
        config: Any = {k: v for k, v in self._options.items() if k not in _CLIENT_OPTIONS}
        retries: Any = {"max_retries": int(config.pop("max_retries"))}
        with self._mapped(f"opening {self._root}"):
            self._store = S3Store.from_url(
                self._root, config=config, client_options=client, retry_config=retries
            )

    def __repr__(self) -> str:
        """Name the bucket and nothing else: options can hold secrets."""
        return f"BucketObjects({self._root!r})"

    def put_new(self, name: str, content: bytes) -> bool:
        """Create the object whole or not at all; False if the name was taken.

        Raises
        ------
        UsageError
            If the name is malformed.
        EndUnavailable, EndTimeout, EndRefused
            If the bucket cannot be reached or refuses.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with self._mapped(f"writing {self._root}/{check_name(name)}"):
            try:
                obstore.put(self._store, name, content, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def put_all(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Create many objects as `put_new` does; all are safe when this returns.

        Raises
        ------
        As `put_new`; some of the others are created then.
        """
        _put_all(self.put_new, contents)

    def get(self, name: str) -> bytes:
        """Return an object's bytes.

        Raises
        ------
        NotFoundError
            If there is none of that name.
        EndUnavailable, EndTimeout, EndRefused
            If the bucket cannot be reached or refuses.
        """
        import obstore

        with self._mapped(f"reading {self._root}/{check_name(name)}"):
            try:
                return obstore.get(self._store, name).bytes().to_bytes()
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                raise NotFoundError(f"no object {shown(name)} in {self._root}") from None

    def list(self, prefix: str = "") -> list[str]:
        """Return the names that start with `prefix`, sorted."""
        import obstore

        # The vendor matches whole parts of a path; ours matches text, as S3 itself does.
        folder = prefix.rpartition("/")[0]
        if folder:
            check_name(folder)
        with self._mapped(f"listing {self._root}"):
            found = [
                meta["path"]
                for block in obstore.list(self._store, prefix=folder or None)
                for meta in block
            ]
        return sorted(name for name in found if name.startswith(prefix))

    @contextmanager
    def _mapped(self, what: str) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except LabelopsError:
            raise
        except (BaseError, OSError, ValueError) as error:
            mapped = storage_error(error, what, self._options)
            raise mapped from error


if TYPE_CHECKING:
    _: tuple[type[BatchObjects], type[BatchObjects]] = (LocalObjects, BucketObjects)
