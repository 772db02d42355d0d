"""A training frame as a folder that `datasets.load_dataset("<folder>")` reads.

One Parquet file a split under `data/`, and a dataset card: its front matter names splits, column
types and the class names in order, its text holds the certificate. An image is stored the way the
library's `image` feature stores it: an object with `bytes` and `path`.

References
----------
https://huggingface.co/docs/datasets/repository_structure
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..errors import UsageError, counted, shown
from ..schema import Schema
from ._files import SIDECAR, Encode, image_name, with_sidecar
from .frame import Provenance, provenance

__all__ = ["hugging_face_files"]

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|!~$&]")
"""What Markdown or HTML takes for more than text."""

_SPLIT = re.compile(r"\w+(\.\w+)*", re.ASCII)
_DTYPES = {
    "item_id": "string",
    "text": "string",
    "image": "image",
    "path": "string",
    "media_type": "string",
    "group": "string",
    "posterior": "float64",
    "method": "string",
    "weight": "float64",
}
_MEANS = {
    "item_id": "the item's name",
    "text": "what was labeled",
    "image": "what was labeled",
    "path": "the file's name",
    "media_type": "the file's type",
    "label": "the class, by its place in the order below",
    "group": "items of one group belong together, such as near-duplicates; a group is in one split",
    "posterior": "the probability that the label is right",
    "method": "how the label was decided",
    "weight": "how much to count the row in training",
    "probs": "a number for each class, in the order below: what to train on",
}
"""What the card says of each column."""


def hugging_face_files(frame: pd.DataFrame, encode: Encode | None = None) -> dict[str, bytes]:
    """Write a training frame in the layout of Hugging Face's `datasets`.

    The columns `label` (name) and `code` become one `label` of type ClassLabel, whose integers
    follow the class order; `split` becomes the file. A split without rows has no file.

    Parameters
    ----------
    frame : training frame
        With its `attrs`.
    encode : callable
        Writes a frame as Parquet bytes; see `labelops.adapters.parquet.encode_parquet`.

    Raises
    ------
    UsageError
        If no encoder was given, the frame lost its `attrs`, has no rows, or a split has a name
        the library refuses.
    """
    if encode is None:
        raise UsageError("a Hugging Face export needs a Parquet encoder; give `encode`")
    found = provenance(frame)
    splits = sorted(frame["split"].unique(), key=_split_order)
    for split in splits:
        if not _SPLIT.fullmatch(split):
            raise UsageError(
                f"split {shown(split)}: a Hugging Face split is named with letters, digits and '_'"
            )
    if not splits:
        raise UsageError("the frame has no rows; a Hugging Face export needs at least one")
    rows = _rows(frame)
    types = {"image": "image", "probs": "floats"}
    files = {"README.md": _card(rows, found, splits).encode()}
    for split in splits:
        part = rows.loc[(frame["split"] == split).to_numpy()]
        files[f"data/{split}-00000-of-00001.parquet"] = encode(part, types, {})
    return with_sidecar(files, frame, "hugging-face")


def _split_order(split: str) -> tuple[int, str]:
    usual = ("train", "validation", "test")
    return (usual.index(split) if split in usual else len(usual), split)


def _rows(frame: pd.DataFrame) -> pd.DataFrame:
    rows = frame.assign(label=frame["code"]).drop(columns=["code", "split"])
    if "image" in rows.columns:
        images = [
            None if content is None else {"bytes": content, "path": image_name(item_id, media)}
            for item_id, media, content in zip(
                rows["item_id"], rows["media_type"], rows["image"], strict=True
            )
        ]
        rows["image"] = pd.Series(images, index=rows.index, dtype=object)
    return rows.reset_index(drop=True)


def _card(rows: pd.DataFrame, found: Provenance, splits: list[str]) -> str:
    task = "text-classification" if found.schema.media == "text" else "image-classification"
    features = "".join(_feature(str(name), found.schema) for name in rows.columns)
    files = "".join(
        f"  - split: {_text(split)}\n    path: {_text(f'data/{split}-*')}\n" for split in splits
    )
    facts = found.to_json()
    about = json.dumps(facts["classes"], ensure_ascii=False, indent=2)
    columns = "".join(f"| `{name}` | {_MEANS[str(name)]} |\n" for name in rows.columns)
    source = found.release or "labels of no release"
    return (
        "---\n"
        f"pretty_name: {_text(found.schema.name)}\n"
        f"{_licences(found)}"
        f"task_categories:\n- {task}\n"
        f"dataset_info:\n  features:\n{features}"
        f"configs:\n- config_name: default\n  data_files:\n{files}"
        "labelops:\n"
        f"  release: {_text(found.release)}\n"
        f"  manifest_digest: {_text(found.manifest_digest)}\n"
        f"  schema_digest: {_text(found.schema.digest)}\n"
        "---\n"
        f"# {found.schema.name}\n\n"
        f"{_warning(found)}Labels: {source}. "
        f"`{SIDECAR}` has their release, schema and files with digests.\n\n"
        f"| column | what it holds |\n|---|---|\n{columns}\n"
        f"Classes, in the order of `label` and `probs`:\n\n```json\n{about}\n```\n\n"
        f"{_described(found.schema)}"
        f"{_rights(found)}## Certificate\n\n{_certificate(found)}"
    )


def _described(schema: Schema) -> str:
    """Say what belongs in each class; empty where nothing is said of any."""
    said = ((name, schema.descriptions.get(name)) for name in schema.classes)
    rows = "".join(f"| {_escaped(name)} | {_escaped(text)} |\n" for name, text in said if text)
    return f"| class | what belongs there |\n|---|---|\n{rows}\n" if rows else ""


def _licences(found: Provenance) -> str:
    """Name the items' licences as the Hub does, where every item has one."""
    licences: Any = found.rights.get("licences") or {}
    if not licences or "" in licences:
        return ""
    return "license:\n" + "".join(f"- {_text(name.lower())}\n" for name in sorted(licences))


def _rights(found: Provenance) -> str:
    """Say what the owners of the items allow; empty where nothing is known of that."""
    rights: Any = found.rights
    if not rights:
        return ""
    lacking = rights["items_without_purposes"]
    rows = {
        "licence": _tallied(rights["licences"]),
        "allowed for": ", ".join(map(_escaped, rights["purposes"] or [])) or "not said",
        "region": _tallied(rights["regions"]),
        "until": _escaped(rights["earliest_expiry"] or "no end"),
    }
    if lacking:
        rows["allowed for"] += f"; of {counted(lacking, 'item')} it is not said"
    table = "".join(f"| {name} | {text} |\n" for name, text in rows.items())
    return f"## Rights\n\nOf the items, as their owners gave them:\n\n| | |\n|---|---|\n{table}\n"


def _tallied(tally: Mapping[str, int]) -> str:
    """Name each value; of several also how many items have it."""
    if len(tally) == 1:
        return _escaped(next(iter(tally))) or "not said"
    return ", ".join(f"{_escaped(v) or 'not said'} ({counted(n)})" for v, n in tally.items())


def _warning(found: Provenance) -> str:
    if not found.deprecated:
        return ""
    return f"**Should not be used any more:** {_escaped(found.deprecated)}\n\n"


def _certificate(found: Provenance) -> str:
    """Say how many labels are wrong at most, how that was shown, and what voids it."""
    if not found.certificate:
        return "None: these labels were not audited, so how many of them are wrong is not known.\n"
    rows = {
        "wrong labels": _escaped(found.certificate),
        "of": f"all labels of {found.release} together; a part of them, such as a class or a "
        "split, may have a larger share",
        "shown by": "an audit before the release: people judged labels drawn at random, without "
        "seeing them. Who had a part in a label did not audit it, unless the first line says so. "
        "Errors that people agreed on were corrected",
        "wrong means": "people who look without seeing the label decide on another class",
        "void if": "labels were changed after the release; auditors saw the label or others' "
        "answers, agreed on them, or make the same mistake as the label more often than was "
        'allowed for; or somebody chose which audited items were answered (all of it: "What voids '
        "it\" in labelops' docs/guarantees.md)",
    }
    if found.mapped_from:
        rows["mapped since"] = (
            "other class names, or classes merged, keep the bound; it does not hold if a class was "
            f"dropped ({SIDECAR} names the mapping)"
        )
    table = "".join(f"| {name} | {text} |\n" for name, text in rows.items())
    return f"| | |\n|---|---|\n{table}"


def _escaped(text: str) -> str:
    r"""Return a text as one line of Markdown that shows it and does nothing else.

    Examples
    --------
    >>> print(_escaped("a | b\n<b>"))
    a \| b \<b\>
    """
    line = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    return _SPECIAL.sub(r"\\\g<0>", line)


def _feature(name: str, schema: Schema) -> str:
    if name == "label":
        names = "".join(
            f"          {_text(str(code))}: {_text(label)}\n"
            for code, label in enumerate(schema.classes)
        )
        return f"  - name: label\n    dtype:\n      class_label:\n        names:\n{names}"
    if name == "probs":
        return "  - name: probs\n    sequence: float64\n"
    return f"  - name: {_text(name)}\n    dtype: {_DTYPES[name]}\n"


def _text(text: str) -> str:
    """Quote a text for YAML, which reads every JSON string as the same text."""
    return json.dumps(text, ensure_ascii=False)
