"""Texts and images of a frame as items: near-duplicates found, features read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..adapters.source_files import Folder, read_bounded
from ..audit.few_dimensions import few_dimensions
from ..digest import digest_bytes
from ..errors import SourceError
from ..ingest import RAW_COLUMNS, Rights, ingest_rows
from ..measure.progress import Progress
from ..tables import ITEMS, empty
from .columns import Evidence, bad_cell, names_of

__all__ = ["NO_TIME", "Features", "read_contents", "text_features"]

_LARGEST = 50_000_000  # Bytes of an image file, and its pixels: as of a source.
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Nothing of a check is stored, so nothing has a date."""


@dataclass(frozen=True, slots=True)
class Features:
    """What is read off the rows' contents, without their labels.

    Parameters
    ----------
    dense : (N, D) array or None
    words : (N, W) sparse matrix or None
        Of texts, beside the dense features.
    pixels : (N, P) array or None
        Of images.
    """

    dense: Any = None
    words: Any = None
    pixels: Any = None

    def beside(self, numbers: Any) -> Features:
        """Put columns of numbers beside what was read, and do without words then; None are none."""
        if numbers is None:
            return self
        dense = numbers if self.dense is None else np.hstack([self.dense, numbers])
        return Features(dense, pixels=self.pixels)


def text_features(texts: Sequence[str]) -> Features:
    """Read texts.

    Examples
    --------
    >>> read = text_features(["a red cat", "the red dog", "a blue dog"])
    >>> read.dense.shape[0], read.words.shape[0]
    (3, 3)
    """
    from ..adapters.text_features import TextRows, comparable, word_counts, words_of

    read = TextRows(word_counts(texts))
    return Features(comparable(read), words_of(read))


def read_contents(
    frame: pd.DataFrame,
    evidence: Evidence,
    attributes: list[str],
    folder: Path,
    progress: Progress,
) -> tuple[pd.DataFrame, Features]:
    """Read the texts, or the image files, of rows that all have one.

    Parameters
    ----------
    frame : (N,) frame
    evidence : Evidence
        With a text or an image column.
    attributes : list of str
        What else is said of each row, as JSON.
    folder : Path
        Where paths of images begin.
    progress : callable
        Is told of them.

    Returns
    -------
    (N,) items frame, Features
        Both in the order of the rows; near-duplicates share a group.

    Raises
    ------
    SourceError
        An image file that is missing or none, with its row.
    """
    raw: dict[str, Any] = dict.fromkeys(RAW_COLUMNS)
    files: dict[str, bytes] = {}
    raw |= {"file": "", "row": np.arange(1, len(frame) + 1), "attributes": attributes}
    raw["key"] = [f"{n:09d}" for n in raw["row"]]
    if evidence.group is not None:
        raw["owner_group"] = names_of(frame, evidence.group)
    if evidence.text is not None:
        progress("reading texts", 0, 1)
        raw |= {"payload": list(frame[evidence.text]), "media_type": "text/plain"}
    else:
        raw |= _images(frame, str(evidence.image), folder, files, progress)
    rows = pd.DataFrame(raw, columns=list(RAW_COLUMNS)).astype(object)
    rows["row"] = rows["row"].astype("int64")
    found = ingest_rows(
        rows, empty(ITEMS), source="rows", rights=Rights(), key=b"check", now=NO_TIME
    ).new.sort_values("item_id", ignore_index=True)
    if evidence.text is not None:
        return found, text_features(list(found["payload"]))
    from ..adapters.image_features import pixels

    grey = pixels(found, files.__getitem__)
    return found, Features(few_dimensions(grey), pixels=grey)


def _images(
    frame: pd.DataFrame, column: str, folder: Path, files: dict[str, bytes], progress: Progress
) -> dict[str, list[Any]]:
    """Read every file; its bytes go into `files` under the URI that its item has."""
    from ..adapters.images import read_image

    inside = Folder(folder)
    found: dict[str, list[Any]] = {
        n: [] for n in ("content", "uri", "digest", "media_type", "sketch")
    }
    for place, name in enumerate(frame[column]):
        progress("reading images", place, len(frame))
        try:
            content = read_bounded(inside.find(name), _LARGEST)
            image = read_image(content, _LARGEST)
        except SourceError as error:
            raise bad_cell(frame, place, column, error.problem, name) from None
        digest = digest_bytes(content)
        uri = f"object:{digest}"
        files[uri] = content
        for part, value in zip(
            found, (content, uri, digest, image.media_type, image.sketch), strict=True
        ):
            found[part].append(value)
    return found
