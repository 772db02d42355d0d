"""A training frame as a file that Label Studio imports, and the configuration that fits it.

`tasks.json` is Label Studio's own JSON format. Every released label is there as a
prediction, with its posterior as score and the release as model version; what people decided
is there as an annotation too.

References
----------
https://labelstud.io/guide/task_format.html
"""

from __future__ import annotations

import base64
import json
import math
from xml.sax.saxutils import quoteattr

import pandas as pd

from ..schema import Schema
from ._files import Encode, utf8, with_sidecar
from .frame import Provenance, provenance

__all__ = ["label_studio_files"]

CONTROL, OBJECT = "label", "item"
"""Names of the choices and of what is looked at, in the configuration."""

ACCEPTED = "accepted"
"""The method of a label that a model gave and nobody looked at."""


def label_studio_files(frame: pd.DataFrame, encode: Encode | None = None) -> dict[str, bytes]:
    """Write a training frame as `tasks.json` and `labeling_config.xml`.

    Import the file into a project with that configuration. An image is embedded where its
    bytes are at hand, else its address is given. Label Studio numbers tasks anew at every
    import; `data.item_id` says which item it is.

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
    """
    found = provenance(frame)
    tasks = [_task(row, found) for row in frame.to_dict("records")]
    text = json.dumps(tasks, ensure_ascii=False, allow_nan=False, indent=1)
    files = {
        "tasks.json": utf8(f"{text}\n", frame),
        "labeling_config.xml": _config(found.schema).encode(),
    }
    return with_sidecar(files, frame, "label-studio")


def _task(row: dict[str, object], found: Provenance) -> dict[str, object]:
    result = [
        {
            "id": CONTROL,
            "from_name": CONTROL,
            "to_name": OBJECT,
            "type": "choices",
            "value": {"choices": [row["label"]]},
        }
    ]
    prediction: dict[str, object] = {
        "model_version": found.release or found.schema.name,
        "result": result,
    }
    posterior = row["posterior"]
    if isinstance(posterior, float) and not math.isnan(posterior):
        prediction["score"] = posterior
    by_people = row["method"] != ACCEPTED
    return {
        "data": _data(row, found),
        "annotations": [{"result": result, "was_cancelled": False}] if by_people else [],
        "predictions": [prediction],
    }


def _data(row: dict[str, object], found: Provenance) -> dict[str, object]:
    about = {
        "item_id": row["item_id"],
        "split": row["split"],
        "group": row["group"],
        "release": found.release,
        "manifest_digest": found.manifest_digest,
    }
    if found.schema.media == "text":
        return {"text": row["text"], **about}
    content = row["image"]
    if not isinstance(content, bytes):
        return {"image": row["path"], **about}
    encoded = base64.b64encode(content).decode()
    return {"image": f"data:{row['media_type']};base64,{encoded}", **about}


def _config(schema: Schema) -> str:
    # `valueType` keeps a text that looks like an address a text.
    seen = (
        f'<Text name="{OBJECT}" value="$text" valueType="text"/>'
        if schema.media == "text"
        else f'<Image name="{OBJECT}" value="$image"/>'
    )
    choices = "".join(
        f"    {_choice(name, schema.descriptions.get(name, ''))}\n" for name in schema.classes
    )
    return (
        "<View>\n"
        f"  <Header value={_attribute(schema.question)}/>\n"
        f"  {seen}\n"
        f'  <Choices name="{CONTROL}" toName="{OBJECT}" choice="single" required="true">\n'
        f"{choices}"
        "  </Choices>\n"
        "</View>\n"
    )


def _choice(name: str, described: str) -> str:
    # `$name` would be filled in from the item; the alias is what results hold.
    alias = f" alias={quoteattr(name)}" if "$" in name else ""
    hint = f" hint={_attribute(described)}" if described else ""
    return f"<Choice value={_attribute(name)}{alias}{hint}/>"


def _attribute(value: str) -> str:
    return quoteattr(value.replace("$", "\uff04"))
