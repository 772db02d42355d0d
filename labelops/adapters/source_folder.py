"""A folder: every file is an item, its path in the folder is its key."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from labelops.errors import SourceError
from labelops.ports import RowBlock

from .file_source import FileSource
from .source_files import Folder
from .source_rows import Blocks

__all__ = ["FolderSource"]

SUFFIXES = {
    "text": (".txt", ".md", ".text"),
    "image": (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"),
}
"""Suffixes that are read if the source does not say which."""

_MOST = 100
"""Problems after which the rest of a folder is not looked at: it is hardly the folder meant."""


class FolderSource(FileSource):
    """The texts or images in a folder and the folders in it, in the order of their names.

    Names that start with a dot are not read. A link to a file in the folder is followed, a
    link to a folder or out of it is refused.

    Parameters
    ----------
    spec : SourceSpec
    """

    def _rows(self, blocks: Blocks) -> Iterator[RowBlock]:
        row = 0
        folder = Folder(self.spec.path)
        for path in _walk(self.spec.path):
            if self.spec.suffixes is None or path.suffix.lower() in self.spec.suffixes:
                row += 1
                name = path.relative_to(self.spec.path).as_posix()
                block = blocks.add_file(row, name, partial(self._find, folder, path, name))
                if block is not None:
                    yield block
                if len(blocks.problems) > _MOST:
                    yield from blocks.finish(stopped=True)
        if row == 0:
            raise SourceError("there are no files to read in this folder", file=str(self.spec.path))
        yield from blocks.finish()

    def _find(self, folder: Folder, path: Path, name: str) -> Path:
        spec = self.spec
        if not name.isprintable() or not name.encode("utf-8", "ignore").decode() == name:
            raise SourceError("the file's name is not printable Unicode; rename it")
        if path.is_symlink() and path.is_dir():
            raise SourceError("a link to a folder is not followed; copy the files in")
        known = SUFFIXES[spec.media]
        if spec.suffixes is None and path.suffix.lower() not in known:
            # A text may have any name; what is no image is none under a suffix of its own either.
            read = [path.suffix.lower() or known[0]] if spec.media == "text" else [*known[:2]]
            raise SourceError(
                f"not one of {', '.join(known)}; move it out, or say which files to read, such as "
                f"`suffixes = {read}`"
            )
        return folder.find(name)


def _walk(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(
            f"the folder cannot be read ({error.strerror}); mend the path", file=str(folder)
        ) from None
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)
        else:
            yield entry
