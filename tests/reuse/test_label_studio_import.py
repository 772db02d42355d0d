"""A real Label Studio takes the export as it is and gives the same labels back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import pandas as pd
import pytest

from labelops.reuse import export

if TYPE_CHECKING:
    from labelops.adapters.label_studio_server import LabelStudioServer


@pytest.mark.server
def test_import(label_studio: LabelStudioServer, hard_frame: Callable[..., pd.DataFrame]) -> None:
    """After an import every item has its text, its annotation and its scored prediction."""
    frame = hard_frame()
    files = export(frame, "label-studio")
    client = httpx.Client(
        base_url=label_studio.url,
        headers={"Authorization": f"Token {label_studio.api_key}"},
        timeout=60.0,
    )
    with client:
        config = files["labeling_config.xml"].decode()
        made = client.post("/api/projects", json={"title": "export", "label_config": config})
        made.raise_for_status()
        project = made.json()["id"]
        body = json.loads(files["tasks.json"])
        client.post(f"/api/projects/{project}/import", json=body).raise_for_status()
        answer = client.get(f"/api/projects/{project}/export", params={"exportType": "JSON"})
        answer.raise_for_status()
        scores = client.get("/api/predictions", params={"project": project}).json()
        client.delete(f"/api/projects/{project}").raise_for_status()
    back = sorted(
        (
            task["data"]["item_id"],
            task["data"]["text"],
            task["annotations"][0]["result"][0]["value"]["choices"][0],
        )
        for task in answer.json()
    )
    assert back == list(zip(frame["item_id"], frame["text"], frame["label"], strict=True))
    assert sorted(p["score"] for p in scores) == sorted(frame["posterior"])
    assert {p["model_version"] for p in scores} == {"hard@1.2.3"}
