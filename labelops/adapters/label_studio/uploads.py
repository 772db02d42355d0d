"""What items show: texts and small images in the task itself, large images as uploaded files."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import pandas as pd

from labelops.digest import digest
from labelops.errors import EndProtocolError, NotFoundError, UsageError, shown
from labelops.ports import Objects
from labelops.tables import ITEMS, check, newest

from .api import Api, text
from .offers import Row
from .projects import Project

__all__ = ["EMBED_UP_TO", "payload_of", "shown_items"]

EMBED_UP_TO = 32 * 1024
"""Bytes of an image that is embedded in its task. Larger ones are uploaded: every listing
carries what is embedded."""

_OBJECT_SCHEME = "object:"
_FILES_A_REQUEST = 20

_Files = dict[str, tuple[str, bytes, str]]
"""item_id → file name, content, media type."""


def payload_of(item: Mapping[str, object], payloads: Objects | None) -> str | tuple[str, bytes]:
    """Return what an item shows: a text or data URI to embed, or a file's name and bytes.

    Raises
    ------
    UsageError
        If the payload is a file and no objects were given, or it is no `object:` address.
    """
    payload, media = str(item["payload"]), str(item["media_type"])
    if not media.startswith("image/"):
        return payload
    if not payload.startswith(_OBJECT_SCHEME) or payloads is None:
        raise UsageError(
            f"item {shown(item['item_id'])}: an image for Label Studio needs an `object:` payload "
            f"and the workspace's objects, found {shown(payload)}"
        )
    content = payloads.get(payload.removeprefix(_OBJECT_SCHEME))
    if len(content) <= EMBED_UP_TO:
        return f"data:{media};base64,{base64.b64encode(content).decode()}"
    suffix = media.removeprefix("image/").partition("+")[0]
    return f"{digest(item['item_id'])[:16]}.{suffix}", content


def shown_items(
    api: Api,
    project: Project,
    rows: Sequence[Row],
    items: pd.DataFrame,
    payloads: Objects | None,
) -> dict[str, str]:
    """Return what each row's item shows, after uploading what is too large to embed.

    Raises
    ------
    NotFoundError
        If an item is in the plan but not among the items.
    UsageError
        As `payload_of`.
    """
    table = newest(ITEMS, check(ITEMS, items)).set_index("item_id", drop=False)
    shows: dict[str, str] = {}
    files: _Files = {}
    for item_id in dict.fromkeys(row.item_id for row in rows):
        if item_id not in table.index:
            raise NotFoundError(f"item {shown(item_id)} is in the plan but not among the items")
        item = table.loc[item_id].to_dict()
        found = payload_of(item, payloads)
        if isinstance(found, str):
            shows[item_id] = found
        else:
            files[item_id] = (*found, str(item["media_type"]))
        if len(files) >= _FILES_A_REQUEST:
            shows |= _upload(api, project, files)
            files = {}
    return shows | _upload(api, project, files)


def _upload(api: Api, project: Project, files: _Files) -> dict[str, str]:
    """Upload files and return item_id → the server's own path."""
    if not files:
        return {}
    path = f"/api/projects/{project.id}/import"
    answer = api.upload(path, list(files.values()), {"commit_to_project": "false"})
    ids = api.record(answer, f"POST {path}").get("file_upload_ids")
    if not isinstance(ids, list):
        raise EndProtocolError("Label Studio: an upload answered no file ids")
    stored: dict[str, str] = {}
    for number in ids:
        asked = f"/api/import/file-upload/{number}"
        place = text(api.record(api.get(asked), f"GET {asked}"), "file")
        # The server puts characters of its own before the name we gave.
        stored[place.rpartition("-")[2]] = f"/data/{place}"
    missing = [name for name, _, _ in files.values() if name not in stored]
    if missing:
        raise EndProtocolError(f"Label Studio: upload {shown(missing[0])} is not there")
    return {item_id: stored[name] for item_id, (name, _, _) in files.items()}
