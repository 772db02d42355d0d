"""Arrays of numbers in numpy's files, of which nothing is ever executed.

``.npy`` is mapped into memory and read where it is looked at. An array of ``.npz`` is read whole,
but not before its header says that it is what is asked for.
"""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from labelops.errors import UsageError, shown

__all__ = ["is_array_file", "open_array"]

_OF_SEVERAL = re.compile(r"(?P<file>.*\.npz):(?P<name>[^:]+)", re.IGNORECASE | re.DOTALL)
_SUFFIXES = (".npy", ".npz")
_BROKEN = (
    *(ValueError, TypeError, OverflowError, EOFError, SyntaxError, MemoryError),
    *(zlib.error, TokenError, RecursionError),
)
"""What numpy raises of files that are none, or whose header says what cannot be."""


def is_array_file(named: str) -> bool:
    """Say whether a name is that of an array: FILE.npy, FILE.npz or FILE.npz:NAME.

    Examples
    --------
    >>> is_array_file("p.npy"), is_array_file("a.npz:probs"), is_array_file("p_")
    (True, True, False)
    """
    return _parted(named)[0].suffix.lower() in _SUFFIXES


def _parted(named: str) -> tuple[Path, str]:
    of_several = _OF_SEVERAL.fullmatch(named)
    return (Path(of_several["file"]), of_several["name"]) if of_several else (Path(named), "")


def open_array(named: str) -> NDArray[Any]:
    """Open a table of real numbers, (N, D).

    Parameters
    ----------
    named : str
        FILE.npy; FILE.npz with one array; or FILE.npz:NAME.

    Raises
    ------
    UsageError
        There is no such file or array, it is broken or none, it holds Python objects, or anything
        but a table of real numbers.
    """
    file, name = _parted(named)
    if not file.is_file():
        raise UsageError(f"{file}: no such file; mend the path")
    try:
        array = _mapped(file) if file.suffix.lower() == ".npy" else _packed(file, name)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror or error})") from None
    if array.ndim != 2:
        flat = (
            "; one number a row is array[:, None], two classes are numpy.column_stack([1 - p, p])"
        )
        raise UsageError(
            f"{named}: an array of shape {array.shape}, expected (rows, columns)"
            f"{flat if array.ndim == 1 else ''}"
        )
    return array


def _mapped(file: Path) -> NDArray[Any]:
    with file.open("rb") as opened:
        _header(opened, str(file))
    try:
        return np.asarray(npy.open_memmap(file, mode="r"))  # type: ignore[no-untyped-call]
    except _BROKEN as error:
        raise _broken(str(file), error) from None


def _packed(file: Path, name: str) -> NDArray[Any]:
    try:
        with zipfile.ZipFile(file) as pack:
            member = _member(pack, str(file), name)
            with pack.open(member) as opened:
                shape, dtype = _header(opened, str(file))
                rest = member.file_size - opened.tell()
                if math.prod(shape) * dtype.itemsize != rest:
                    raise ValueError(f"{rest} bytes for an array of shape {shape}")
            with pack.open(member) as opened:
                return np.asarray(npy.read_array(opened, allow_pickle=False))  # type: ignore[no-untyped-call]
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError) as error:
        raise _broken(str(file), error) from None
    except UsageError:
        raise
    except _BROKEN as error:
        raise _broken(str(file), error) from None


def _member(pack: zipfile.ZipFile, file: str, name: str) -> zipfile.ZipInfo:
    """Return the only array of a file, or the one that is named."""
    arrays = {m.filename.removesuffix(".npy"): m for m in pack.infolist()}
    there = ", ".join(shown(key) for key in list(arrays)[:20]) or "none"
    if {"indptr", "indices", "shape"} <= set(arrays):
        raise UsageError(
            f"{file}: a sparse matrix of scipy; save it by numpy.save(FILE, m.toarray())"
        )
    if not name and len(arrays) == 1:
        (name,) = arrays
    if name not in arrays:
        what = f"no array {shown(name)} is in it" if name else "name one of its arrays"
        raise UsageError(f"{file}: {what}, as {Path(file).name}:NAME; there are {there}")
    return arrays[name]


def _header(opened: BinaryIO | Any, file: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read what an array claims to be; refuse all but real numbers before any of it is read."""
    try:
        version = npy.read_magic(opened)  # type: ignore[no-untyped-call]
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(opened)  # type: ignore[no-untyped-call]
    except _BROKEN as error:
        raise _broken(file, error) from None
    if dtype.hasobject:
        raise UsageError(
            f"{file}: holds Python objects, which only running what is in it could read; save "
            "numbers, such as by numpy.save(FILE, numpy.stack(rows).astype(float))"
        )
    if dtype.kind not in "fiub":
        raise UsageError(f"{file}: expected numbers, found {dtype}; save it as floats")
    return shape, dtype


def _broken(file: str, error: Exception) -> UsageError:
    said = str(error).partition("\n")[0][:120]
    return UsageError(f"{file}: broken, or no array of numpy ({said}); save it again by numpy.save")
