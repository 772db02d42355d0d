"""Tasks and annotations as a Label Studio server answers them."""

from __future__ import annotations

from typing import Any

from labelops.adapters.label_studio import offers
from labelops.adapters.label_studio.config import Known
from labelops.testing.queues import PETS

KEY = b"secret"
PETS_KNOWN = (Known(PETS.digest, PETS.classes),)


def annotation(choice: object = "cat", **changes: Any) -> dict[str, Any]:
    """Return what somebody submitted: one choice."""
    region = {"from_name": "label", "to_name": "item", "type": "choices"}
    return {
        "id": 7,
        "completed_by": 2,
        "result": [{**region, "value": {"choices": [choice]}}],
        "was_cancelled": False,
        "updated_at": "2026-01-05T12:00:00.000123Z",
        "lead_time": 2.5,
        "parent_prediction": None,
        **changes,
    }


def task_of(*annotations: dict[str, Any], **data: Any) -> dict[str, Any]:
    """Return a task that this workspace made, as the server tells it."""
    said = {"item": "a", "round": 3, "purpose": "audit"} | data
    row = offers.key_of(KEY, said["item"], said["round"], said["purpose"])
    return {
        "id": 11,
        "updated_at": "2026-01-06T00:00:00Z",
        "total_predictions": 0,
        "annotations": list(annotations),
        "data": {
            "labelops_key": row,
            "labelops_item": said["item"],
            "labelops_round": said["round"],
            "labelops_schema": PETS.digest,
            "labelops_exclude": [offers.person_of(KEY, row, "human:away")],
        },
    }
