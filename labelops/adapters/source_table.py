"""A file's rows as one frame, every column as it is: for what needs no items."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from .source_spec import SourceSpec
from .sources import open_source

__all__ = ["read_table"]


def read_table(
    path: Path, *, encoding: str = "utf-8", delimiter: str | None = None
) -> pd.DataFrame:
    """Read a CSV, JSON Lines or Parquet file as strictly as a source is read.

    Parameters
    ----------
    path : Path
    encoding : str
        Of CSV and JSON Lines.
    delimiter : str, optional
        Of CSV; without one a tab for ``.tsv``, else a comma.

    Returns
    -------
    (N, columns) frame
        Cells of CSV are texts; a missing cell is None. The index is the row's number in the file,
        from 1 after any header, and ``attrs["header"]`` how many lines the header has.

    Raises
    ------
    SourceError
        With the row.
    SettingsError
        If the file is of no known format.
    """
    spec = SourceSpec(path.stem, path, whole=True, encoding=encoding, delimiter=delimiter)
    raw = [block.frame for block in open_source(spec).rows()]
    records = [json.loads(text) for frame in raw for text in frame["attributes"]]
    rows = pd.Index([row for frame in raw for row in frame["row"]], name="row")
    table = pd.DataFrame.from_records(records, index=rows).astype(object)
    table = table.where(table.notna(), None)
    table.attrs["header"] = int(spec.format == "csv")
    return table
