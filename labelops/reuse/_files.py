"""What all export formats share: the sidecar, image files, UTF-8."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Protocol

import pandas as pd

from ..digest import digest, digest_bytes
from ..errors import IntegrityError, UsageError, shown
from .frame import provenance

__all__ = [
    "SIDECAR",
    "Encode",
    "image_files",
    "image_name",
    "read_sidecar",
    "utf8",
    "with_sidecar",
]

SIDECAR = "_labelops.json"
"""The file in every export that says what it is. What reads a folder of Parquet files (Arrow,
and so pandas; Spark) skips names that begin with an underscore."""

_ENDINGS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
    "image/tiff": ".tif",
}


class Encode(Protocol):
    """Writes a frame as Parquet bytes, deterministically."""

    def __call__(
        self, frame: pd.DataFrame, types: Mapping[str, str], metadata: Mapping[str, str]
    ) -> bytes:
        """Return the file; `types` say what object columns hold (text, floats, bytes, image)."""
        ...


def with_sidecar(files: Mapping[str, bytes], frame: pd.DataFrame, layout: str) -> dict[str, bytes]:
    """Add `_labelops.json`: release, manifest digest, schema and class order, and every file.

    Each file is named with its size and digest, and the last entry is the digest of all others.
    """
    facts = {"format": layout, "rows": len(frame), **provenance(frame).to_json()}
    facts["files"] = {
        name: {"bytes": len(content), "sha256": digest_bytes(content)}
        for name, content in sorted(files.items())
    }
    return {**files, SIDECAR: _sidecar({**facts, "digest": digest(facts)})}


def _sidecar(facts: Mapping[str, object]) -> bytes:
    text = json.dumps(facts, ensure_ascii=False, indent=2)
    return f"{text}\n".encode("utf-8", "surrogatepass")


def read_sidecar(content: bytes) -> dict[str, object]:
    """Read what an export says of itself; any changed byte is refused.

    Raises
    ------
    IntegrityError
        If the bytes are not what `with_sidecar` wrote.
    """
    try:
        facts = json.loads(content.decode("utf-8", "surrogatepass"))
        said = {k: v for k, v in facts.items() if k != "digest"}
        good = _sidecar(facts) == content
        good = good and isinstance(facts.get("files"), dict) and facts["digest"] == digest(said)
    except (ValueError, KeyError, AttributeError, RecursionError):
        good = False
    if not good:
        raise IntegrityError(
            f"{SIDECAR} is damaged, or of an export that does not name its files; export again"
        )
    return dict(facts)


def image_name(item_id: str, media_type: str) -> str:
    """Return a file name for an item's image; item ids are untrusted, so it is a digest.

    Examples
    --------
    >>> image_name("../../etc/passwd", "image/png")
    '3754d6cb3a38e1185e5b382d5f3ef3f1.png'
    """
    name = digest_bytes(item_id.encode("utf-8", "surrogatepass"))[:32]
    return name + _ENDINGS.get(media_type, "")


def image_files(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, bytes]]:
    """Put images into files of their own: the frame with file names, and the files.

    A frame of texts comes back as it is. An image whose bytes are not there stays None.
    """
    if "image" not in frame.columns:
        return frame, {}
    names: list[str | None] = []
    files: dict[str, bytes] = {}
    rows = zip(frame["item_id"], frame["media_type"], frame["image"], strict=True)
    for item_id, media_type, content in rows:
        if content is None:
            names.append(None)
            continue
        names.append(f"images/{image_name(item_id, media_type)}")
        files[str(names[-1])] = content
    return frame.assign(image=pd.Series(names, index=frame.index, dtype=object)), files


def utf8(text: str, frame: pd.DataFrame) -> bytes:
    """Encode an export's text, or name the item that UTF-8 cannot hold.

    Raises
    ------
    UsageError
        If the text has a lone surrogate.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{_culprit(frame)}: UTF-8 cannot hold this text; ingest it again"
        ) from None


def _culprit(frame: pd.DataFrame) -> str:
    for column in frame.columns:
        for row, cell in enumerate(frame[column]):
            if isinstance(cell, str) and any(0xD800 <= ord(c) <= 0xDFFF for c in cell):
                return f"item {shown(frame['item_id'].iloc[row])}, column {column!r}"
    return "an item"
