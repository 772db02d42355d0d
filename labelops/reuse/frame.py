"""A release as a training frame: one row an item, payload, label, weight and side joined.

The frame carries what it is in `frame.attrs`: the release and its manifest's digest, the
schema with its class order, and how rows are weighted. Exports and mappings read it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import SchemaError, TableError, UsageError, shown
from ..kinds.choice import codes_of
from ..schema import Schema
from ..tables import probs_matrix
from .splits import assign_splits

__all__ = ["IMAGE_COLUMNS", "TEXT_COLUMNS", "WEIGHTS", "Provenance", "provenance", "training_frame"]

WEIGHTS = ("hard", "soft", "weighted")
"""How sure labels are told to a learner; see `training_frame`."""

_LABEL_COLUMNS = (
    "label",
    "code",
    "split",
    "group",
    "posterior",
    "method",
    "weight",
    "probs",
)
TEXT_COLUMNS = ("item_id", "text", *_LABEL_COLUMNS)
"""Columns of a training frame of texts, in order."""

IMAGE_COLUMNS = ("item_id", "image", "path", "media_type", *_LABEL_COLUMNS)
"""Columns of a training frame of images, in order."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a training frame is, as kept in its `attrs`.

    Parameters
    ----------
    schema : Schema
        The label set; its class order is the order of `code` and `probs`.
    release : str
        `name@version` of the release; empty if the labels come from no release.
    manifest_digest : str
        SHA-256 of the release's manifest; empty if there is none.
    weights : str
        One of `WEIGHTS`.
    mapped_from : tuple of mapping
        One object a mapping applied, oldest first: the schema before, and class → class.
    deprecated : str
        Why the release should not be used any more, as it was known when it was read.
    certificate : str
        How many of the release's labels are wrong at most, in the gate's words.
    rights : mapping
        What the owners of the items allow, as in the release's manifest; empty if there is none.
    """

    schema: Schema
    release: str = ""
    manifest_digest: str = ""
    weights: str = "hard"
    mapped_from: tuple[Mapping[str, object], ...] = ()
    deprecated: str = ""
    certificate: str = ""
    rights: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return the provenance as a JSON object; it is also what `attrs` holds."""
        return {
            "release": self.release,
            "manifest_digest": self.manifest_digest,
            "schema": self.schema.to_json(),
            "schema_digest": self.schema.digest,
            "classes": list(self.schema.classes),
            "weights": self.weights,
            "mapped_from": [dict(step) for step in self.mapped_from],
            "deprecated": self.deprecated,
            "certificate": self.certificate,
            "rights": dict(self.rights),
        }


def provenance(frame: pd.DataFrame) -> Provenance:
    """Read what a training frame is from its `attrs`.

    Raises
    ------
    UsageError
        If the frame lost them, as some pandas operations make it.
    SchemaError
        If the schema in them is malformed.
    """
    raw = frame.attrs
    if not isinstance(raw.get("schema"), Mapping):
        raise UsageError(
            "the frame does not say which schema its labels follow: its `attrs` were lost; "
            "copy them from the frame that `load` returned (`new.attrs = old.attrs`)"
        )
    return Provenance(
        schema=Schema.from_json(raw["schema"]),
        release=str(raw.get("release", "")),
        manifest_digest=str(raw.get("manifest_digest", "")),
        weights=str(raw.get("weights", "hard")),
        mapped_from=tuple(raw.get("mapped_from", ())),
        deprecated=str(raw.get("deprecated", "")),
        certificate=str(raw.get("certificate", "")),
        rights=raw.get("rights", {}),
    )


def training_frame(
    labels: pd.DataFrame,
    items: pd.DataFrame,
    schema: Schema,
    *,
    shares: Mapping[str, float],
    key: bytes,
    weights: str = "hard",
    contents: Mapping[str, bytes] | None = None,
    release: str = "",
    manifest_digest: str = "",
    certificate: str = "",
    deprecated: str = "",
    rights: Mapping[str, object] | None = None,
) -> pd.DataFrame:
    """Join labels and items into a frame to train on; undecided items are left out.

    Every choice of `weights` gives the same columns:

    ========== ============================== ==========================================
    weights    `weight`                       `probs`
    ========== ============================== ==========================================
    hard       1.0                            1 for the label, 0 for the rest
    weighted   posterior, 1.0 where it is     1 for the label, 0 for the rest
               missing
    soft       1.0                            the posterior over all classes (the model's
                                              for an accepted label); 1 for the label
                                              where a label has none
    ========== ============================== ==========================================

    Parameters
    ----------
    labels : LABELS rows
        One row an item; rows without a value are undecided.
    items : ITEMS rows
        One row an item; items without a label are left out.
    schema : Schema
        Gives the class order; its renames apply to the labels.
    shares, key
        See `assign_splits`.
    weights : {"hard", "soft", "weighted"}
    contents : mapping of item id to bytes, optional
        The files of image items; `image` is None where there is none.
    release, manifest_digest, certificate, deprecated : str
        Where the labels come from; see `Provenance`.
    rights : mapping, optional
        See `Provenance`.

    Returns
    -------
    pandas.DataFrame
        Sorted by item_id, columns `TEXT_COLUMNS` or `IMAGE_COLUMNS`: `label` is the class
        name, `code` its place in the order, `posterior` NaN where there is none, `probs` a
        (K,) array in class order, `path` the image's address. `attrs` hold `Provenance`.

    Raises
    ------
    UsageError
        If `weights` or `shares` are malformed.
    TableError
        If an item has two rows, a label has no item, or probabilities do not fit.
    SchemaError
        If a label is none of the schema's classes, or its class order is not known.

    Examples
    --------
    >>> labels = pd.DataFrame({"item_id": ["a"], "value": ['"dog"'], "posterior": [0.9],
    ...     "probs": [None], "method": ["majority"], "schema_digest": ["…"]})
    >>> items = pd.DataFrame({"item_id": ["a"], "payload": ["Woof"], "group": ["g"],
    ...     "media_type": ["text/plain"]})
    >>> frame = training_frame(labels, items, Schema("pets", ("cat", "dog")),
    ...     shares={"train": 1.0}, key=b"key", weights="weighted")
    >>> frame[["text", "label", "code", "split", "weight"]].values.tolist()
    [['Woof', 'dog', 1, 'train', 0.9]]
    """
    if weights not in WEIGHTS:
        raise UsageError(f"weights {shown(weights)} is not one of {', '.join(WEIGHTS)}")
    decided = labels.loc[labels["value"].notna()].sort_values("item_id", kind="stable")
    _refuse_repeats("labels", decided["item_id"])
    _refuse_repeats("items", items["item_id"])
    known = items.set_index("item_id")
    _refuse_unknown(decided["item_id"], known.index)
    known = known.loc[decided["item_id"]]
    codes = codes_of(decided["value"], schema)
    posterior = decided["posterior"].to_numpy(dtype=np.float64)
    columns: dict[str, object] = {
        "item_id": decided["item_id"].to_numpy(dtype=object),
        **_payload_columns(known, schema, contents or {}),
        "label": np.array(schema.classes, dtype=object)[codes],
        "code": codes,
        "split": assign_splits(known["group"].to_numpy(dtype=object), shares, key),
        "group": known["group"].to_numpy(dtype=object),
        "posterior": posterior,
        "method": decided["method"].to_numpy(dtype=object),
        "weight": _row_weights(posterior, weights),
        "probs": list(_targets(decided, codes, schema, weights)),
    }
    frame = pd.DataFrame(columns, index=pd.RangeIndex(len(decided)))
    found = Provenance(
        schema,
        release,
        manifest_digest,
        weights,
        certificate=certificate,
        deprecated=deprecated,
        rights=rights or {},
    )
    frame.attrs.update(found.to_json())
    return frame


def with_provenance(frame: pd.DataFrame, found: Provenance, **changes: object) -> pd.DataFrame:
    """Return a copy of the frame whose `attrs` hold the provenance with some parts changed."""
    result = frame.copy(deep=False)
    result.attrs = replace(found, **changes).to_json()  # type: ignore[arg-type]
    return result


def _refuse_repeats(table: str, ids: pd.Series) -> None:
    twice = np.flatnonzero(ids.duplicated())
    if len(twice):
        raise TableError(
            table,
            [
                f"row {row}, column 'item_id': found {shown(ids.iloc[row])} again, "
                "expected one row an item"
                for row in twice[:100]
            ],
        )


def _refuse_unknown(ids: pd.Series, known: pd.Index) -> None:
    missing = np.flatnonzero(~ids.isin(known))
    if len(missing):
        raise TableError(
            "labels",
            [
                f"column 'item_id': found {shown(ids.iloc[row])}, expected an id of the items table"
                for row in missing[:100]
            ],
        )


def _payload_columns(
    items: pd.DataFrame, schema: Schema, contents: Mapping[str, bytes]
) -> dict[str, object]:
    payload = items["payload"].to_numpy(dtype=object)
    if schema.media == "text":
        return {"text": payload}
    images = np.empty(len(items), dtype=object)
    images[:] = [contents.get(item_id) for item_id in items.index]
    return {
        "image": images,
        "path": payload,
        "media_type": items["media_type"].to_numpy(dtype=object),
    }


def _row_weights(posterior: npt.NDArray[np.float64], weights: str) -> npt.NDArray[np.float64]:
    if weights != "weighted":
        return np.ones(len(posterior))
    # A missing posterior is absent, not zero: the label was decided all the same.
    known: npt.NDArray[np.float64] = np.where(np.isnan(posterior), 1.0, posterior)
    return known


def _targets(
    labels: pd.DataFrame, codes: npt.NDArray[np.int64], schema: Schema, weights: str
) -> npt.NDArray[np.float64]:
    classes = len(schema.classes)
    targets: npt.NDArray[np.float64] = np.eye(classes)[codes]
    given = labels["probs"].notna().to_numpy()
    if weights != "soft" or not given.any():
        return targets
    rows = labels.loc[given]
    _refuse_other_schema(rows, schema)
    probs = probs_matrix(rows["probs"], classes)
    wrong = np.flatnonzero(~(probs >= 0.0).all(axis=1) | (np.abs(probs.sum(axis=1) - 1.0) > 1e-6))
    if len(wrong):
        raise TableError(
            "labels",
            [
                f"item {shown(rows['item_id'].iloc[row])}, column 'probs': found "
                f"{shown(probs[row].tolist())}, expected {classes} numbers of 0 or more that "
                "sum to 1"
                for row in wrong[:100]
            ],
        )
    targets[given] = probs
    return targets


def _refuse_other_schema(labels: pd.DataFrame, schema: Schema) -> None:
    """Refuse probabilities whose class order is not known: they would train wrong classes."""
    other = labels.loc[labels["schema_digest"] != schema.digest, "item_id"]
    if len(other):
        raise SchemaError(
            f"item {shown(other.iloc[0])}: its probabilities were given under another schema than "
            f"{schema.name!r} (digest {schema.digest[:12]}…), so their class order is not known; "
            "use hard or weighted labels, or decide the label again"
        )
