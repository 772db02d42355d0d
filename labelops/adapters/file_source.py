"""What sources of files are: a specification, and rows in blocks, with or without bad ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from labelops.ports import BadRow, RowBlock

from .source_rows import Blocks
from .source_spec import SourceSpec

__all__ = ["FileSource"]


class FileSource(ABC):
    """Rows of a file or folder; one class a format says how they are read.

    Parameters
    ----------
    spec : SourceSpec
    """

    def __init__(self, spec: SourceSpec) -> None:
        self.spec = spec
        self.name = spec.name

    def rows(self) -> Iterator[RowBlock]:
        """Yield all rows in blocks.

        Raises
        ------
        SourceError
            With the place: the file, and the row where there are rows.
        """
        yield from self._rows(Blocks(self.spec))

    def rows_but(self, bad: BadRow) -> Iterator[RowBlock]:
        """Yield all rows in blocks, but bad ones; see `labelops.ports.SettingAside`."""
        yield from self._rows(Blocks(self.spec, bad))

    @abstractmethod
    def _rows(self, blocks: Blocks) -> Iterator[RowBlock]:
        """Read what there is, and give each row to `blocks`."""
