"""File sources: CSV, JSON Lines, Parquet, and folders of images or texts."""

from __future__ import annotations

from labelops.ports import Source

from .source_folder import FolderSource
from .source_spec import SourceSpec
from .source_text import CsvSource, JsonlSource

__all__ = ["CsvSource", "FolderSource", "JsonlSource", "SourceSpec", "open_source"]


def open_source(spec: SourceSpec) -> Source:
    """Return the source that reads the spec's format. Nothing is read before `rows()`.

    Examples
    --------
    >>> from pathlib import Path
    >>> open_source(SourceSpec("mails", Path("mails.csv"), text="body")).name
    'mails'
    """
    if spec.format == "parquet":
        # pyarrow is heavy; the other formats do without it.
        from .source_parquet import ParquetSource

        return ParquetSource(spec)
    if spec.format == "folder":
        return FolderSource(spec)
    return CsvSource(spec) if spec.format == "csv" else JsonlSource(spec)
