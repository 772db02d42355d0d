"""Training frames as files: CSV, JSON Lines, Parquet, and the layouts of other tools.

An export is a mapping of relative file name to bytes; who writes it where is another
matter. Every export holds `_labelops.json`: the release, its manifest's digest, the class
order, and the digest of every file. Texts are exact in every format: a class called `NA` or
`1.0` comes back as text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from ..errors import UsageError, shown
from ._files import SIDECAR, Encode, image_files, read_sidecar, utf8, with_sidecar
from .frame import provenance
from .hugging_face import hugging_face_files
from .label_studio_json import label_studio_files

__all__ = [
    "FORMATS",
    "SIDECAR",
    "csv_files",
    "export",
    "jsonl_files",
    "parquet_files",
    "read_sidecar",
]

Files = dict[str, bytes]

# Legal in JSON, but `str.splitlines` and many line readers take them for line ends.
_LINE_ENDS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def csv_files(frame: pd.DataFrame, encode: Encode | None = None) -> Files:
    r"""Write a training frame as `data.csv` (RFC 4180, UTF-8, CRLF between rows).

    Every text is quoted and every number is not, so that a text is told from a missing cell.
    Texts are kept exactly as they are, also where a spreadsheet would take one for a formula
    (`=…`, `+…`, `-…`, `@…`): labels to learn from must not change on their way. Do not open
    an export of untrusted items in a spreadsheet; read it with
    `pandas.read_csv("data.csv", keep_default_na=False, dtype={"label": str})`.

    Parameters
    ----------
    frame : training frame
        With its `attrs`. Images become files, named in the column `image`.
    encode : optional
        Not used; so that every format is called alike.

    Raises
    ------
    UsageError
        If a text cannot be written as UTF-8, or the frame lost its `attrs`.

    Examples
    --------
    >>> from labelops.reuse.frame import Provenance
    >>> from labelops.schema import Schema
    >>> frame = pd.DataFrame({"item_id": ["a"], "label": ["NA"], "code": [0]})
    >>> frame.attrs = Provenance(Schema("s", ("NA", "b"))).to_json()
    >>> csv_files(frame)["data.csv"]
    b'"item_id","label","code"\r\n"a","NA",0\r\n'
    """
    flat, images = image_files(frame)
    columns = [_csv_cells(flat[name]) for name in flat.columns]
    header = ",".join(_quoted(str(name)) for name in flat.columns)
    lines = [header, *(",".join(cells) for cells in zip(*columns, strict=True))]
    text = "".join(f"{line}\r\n" for line in lines)
    return with_sidecar({"data.csv": utf8(text, frame), **images}, frame, "csv")


def _csv_cells(series: pd.Series) -> list[str]:
    if series.dtype == object:
        return [
            "" if cell is None else _quoted(cell if isinstance(cell, str) else _json(_plain(cell)))
            for cell in series
        ]
    return ["" if cell is None else repr(cell) for cell in map(_plain, series)]


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def jsonl_files(frame: pd.DataFrame, encode: Encode | None = None) -> Files:
    r"""Write a training frame as `data.jsonl`: one JSON object a line, UTF-8.

    A missing cell is null, `probs` a list. Images become files, named in the column `image`.

    Parameters
    ----------
    frame : training frame
        With its `attrs`.
    encode : optional
        Not used; so that every format is called alike.

    Raises
    ------
    UsageError
        If a text cannot be written as UTF-8, or the frame lost its `attrs`.

    Examples
    --------
    >>> from labelops.reuse.frame import Provenance
    >>> from labelops.schema import Schema
    >>> frame = pd.DataFrame({"item_id": ["a"], "label": ["NA"], "code": [0]})
    >>> frame.attrs = Provenance(Schema("s", ("NA", "b"))).to_json()
    >>> jsonl_files(frame)["data.jsonl"]
    b'{"item_id":"a","label":"NA","code":0}\n'
    """
    flat, images = image_files(frame)
    names = [str(name) for name in flat.columns]
    columns = [[_plain(cell) for cell in flat[name]] for name in flat.columns]
    rows = (dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True))
    text = "".join(f"{_json(row).translate(_LINE_ENDS)}\n" for row in rows)
    return with_sidecar({"data.jsonl": utf8(text, frame), **images}, frame, "jsonl")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _plain(cell: object) -> object:
    if isinstance(cell, np.ndarray):
        return cell.tolist()
    if isinstance(cell, np.generic):
        cell = cell.item()
    return None if isinstance(cell, float) and np.isnan(cell) else cell


def parquet_files(frame: pd.DataFrame, encode: Encode | None = None) -> Files:
    """Write a training frame as `data.parquet`; images are bytes in the column `image`.

    The provenance is in the file's metadata too, under `labelops`.

    Parameters
    ----------
    frame : training frame
        With its `attrs`.
    encode : callable
        Writes a frame as Parquet bytes; see `labelops.adapters.parquet.encode_parquet`.

    Raises
    ------
    UsageError
        If no encoder was given, or the frame lost its `attrs`.
    """
    if encode is None:
        raise UsageError("a Parquet export needs an encoder; give `encode`")
    types = {"probs": "floats", "image": "bytes"}
    metadata = {"labelops": _json(provenance(frame).to_json())}
    return with_sidecar({"data.parquet": encode(frame, types, metadata)}, frame, "parquet")


FORMATS: Mapping[str, Callable[[pd.DataFrame, Encode | None], Files]] = {
    "csv": csv_files,
    "jsonl": jsonl_files,
    "parquet": parquet_files,
    "hugging-face": hugging_face_files,
    "label-studio": label_studio_files,
}
"""Every export format by name."""


def export(frame: pd.DataFrame, format: str, encode: Encode | None = None) -> Files:  # noqa: A002
    """Write a training frame in one of `FORMATS`.

    Parameters
    ----------
    frame : training frame
        With its `attrs`.
    format : str
        One of `FORMATS`.
    encode : callable, optional
        Writes a frame as Parquet bytes; needed by `parquet` and `hugging-face`.

    Returns
    -------
    dict
        Relative file name → bytes, `_labelops.json` among them. The same frame gives the same
        bytes.

    Raises
    ------
    UsageError
        If the format is unknown, or the frame cannot be written in it.
    """
    if format not in FORMATS:
        raise UsageError(f"export format {shown(format)} is not one of {', '.join(FORMATS)}")
    return FORMATS[format](frame, encode)
