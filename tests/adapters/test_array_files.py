"""Arrays in numpy's files: read as they were saved, and nothing in them is ever run."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from labelops.adapters.array_files import is_array_file, open_array
from labelops.errors import UsageError

NUMBERS = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.uint64, bool])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_was_saved_is_read(dtype: Any, order: Any, tmp_path: Path) -> None:
    """From .npy as a map of the file, not a copy; from .npz packed or not, alone or by name."""
    saved = np.asarray(NUMBERS, dtype=dtype, order=order)
    np.save(tmp_path / "a.npy", saved)
    np.savez(tmp_path / "a.npz", saved)
    np.savez_compressed(tmp_path / "b.npz", probs=saved, emb=saved[:, :2])
    found = open_array(str(tmp_path / "a.npy"))
    assert isinstance(found.base, np.memmap) and not found.flags.writeable
    for named in ("a.npy", "a.npz", "b.npz:probs"):
        read = open_array(str(tmp_path / named))
        np.testing.assert_array_equal(read, saved)
        assert read.dtype == saved.dtype
    assert open_array(str(tmp_path / "b.npz:emb")).shape == (4, 2)


def test_names_of_arrays() -> None:
    """An ending says so, in any case; a colon only names an array of an .npz."""
    assert all(map(is_array_file, ("p.npy", "P.NPY", "a/b.npz", "b.npz:probs", "c:/b.NPZ:x")))
    assert not any(map(is_array_file, ("p_", "p.npy:x", "npy", "b.npz:", "x*", "a.pt", "")))


class _Evil:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.file}",)


def _npy(header: bytes, rest: bytes = b"") -> bytes:
    header += b" " * (-(10 + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + rest


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    """Neither a pickle under such a name, nor objects in an array, nor code in its header."""
    mark = tmp_path / "run"
    evil = _Evil(mark)
    code = f"{{'descr': __import__('os').system('touch {mark}'), 'fortran_order': False}}"
    (tmp_path / "a.npy").write_bytes(pickle.dumps(evil))
    (tmp_path / "a.npz").write_bytes(pickle.dumps(evil))
    np.save(tmp_path / "b.npy", np.array([[evil]], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", probs=np.array([[evil]], dtype=object))
    (tmp_path / "c.npy").write_bytes(_npy(code.encode()))
    for name, says in (
        *((f"a.{end}", "broken, or no array of numpy") for end in ("npy", "npz")),
        *((f"b.{end}", "holds Python objects, which only running") for end in ("npy", "npz")),
        ("c.npy", "broken, or no array of numpy"),
    ):
        with pytest.raises(UsageError, match=says) as caught:
            open_array(str(tmp_path / name))
        assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)
    assert not mark.exists()


def _header(shape: str) -> bytes:
    return _npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}".encode(), bytes(96))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"a,b\n1,2\n", b"\x93NUMPY", b"\x93NUMPY\x09\x00ab", _header("(4, 4)"),
        _header("(4, 300000000000000)"), _header("(4, -3)"), _header("(4, 'x')"), _header("4"),
        _header("(" * 90), _header("(" * 4000),
        _header("-" * 4000 + "1"), _npy(b"{'descr': '<f8'}"), _npy(b"\xff" * 40),
        _header("(4, 3)")[:-8],
    ],
)  # fmt: skip
def test_a_broken_file_is_one_line(content: bytes, tmp_path: Path) -> None:
    """However it is broken, alone or in an .npz; nothing of what it claims to be is set aside."""
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as pack:
        pack.writestr("probs.npy", content)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(UsageError, match="broken, or no array of numpy") as caught:
            open_array(str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_a_packed_file_that_lost_bytes(tmp_path: Path) -> None:
    """In its middle or at its end."""
    file = tmp_path / "a.npz"
    np.savez_compressed(file, probs=np.random.default_rng(0).random((50, 50)))
    whole = file.read_bytes()
    for content in (whole[:-30], whole[:400] + bytes(300) + whole[700:]):
        file.write_bytes(content)
        with pytest.raises(UsageError, match="broken, or no array of numpy"):
            open_array(str(file))


@pytest.mark.parametrize(
    ("saved", "says"),
    [
        (NUMBERS.astype(str), "expected numbers, found <U"),
        (NUMBERS.astype(complex), "expected numbers, found complex128"),
        (np.zeros((4, 3), dtype="M8[s]"), "expected numbers, found datetime64"),
        (np.zeros(4, dtype=[("a", "<f8")]), "expected numbers, found"),
        (NUMBERS[:, 0], r"shape \(4,\), expected \(rows, columns\); one number a row is a"),
        (NUMBERS[None], r"shape \(1, 4, 3\), expected \(rows, columns\)$"),
        (np.float64(3), r"shape \(\), expected"),
    ],
)
def test_what_is_no_table_of_numbers(saved: Any, says: str, tmp_path: Path) -> None:
    """Its type or shape is named."""
    np.save(tmp_path / "a.npy", saved)
    np.savez(tmp_path / "a.npz", saved)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(UsageError, match=says):
            open_array(str(tmp_path / name))


def test_an_array_that_is_not_named_or_not_there(tmp_path: Path) -> None:
    """What there is is listed; a sparse matrix is said to be one."""
    np.savez(tmp_path / "a.npz", probs=NUMBERS, emb=NUMBERS)
    sparse.save_npz(tmp_path / "s.npz", sparse.csr_matrix(NUMBERS))
    for name, says in (
        ("a.npz", r"name one of its arrays, as a\.npz:NAME; there are 'probs', 'emb'"),
        ("a.npz:p", "no array 'p' is in it.*there are 'probs', 'emb'"),
        ("s.npz", "a sparse matrix of scipy"),
        ("b.npy", "no such file"),
    ):
        with pytest.raises(UsageError, match=says):
            open_array(str(tmp_path / name))
