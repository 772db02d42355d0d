"""Mapping one label set into another: many classes to one, some dropped, none forgotten."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import SchemaError, counted, shown
from ..schema import Schema
from .frame import provenance, with_provenance

__all__ = ["map_labels"]


def map_labels(
    frame: pd.DataFrame, mapping: Mapping[str, str | None], target: Schema
) -> pd.DataFrame:
    """Rewrite a training frame's labels in another label set.

    Rows of a dropped class go. Probabilities of classes that become one are summed; what a
    row believed of dropped classes is shared out over the rest, in proportion. `posterior`
    and `weight` stay: the label is right at least as often as the finer one was. The certificate is
    of all labels released, and says so where rows go.

    Parameters
    ----------
    frame : training frame
        With its `attrs`.
    mapping : mapping of class to class or None
        Every class of the frame's schema, to a class of `target`, or None to drop it.
    target : Schema
        Of the same media.

    Returns
    -------
    A training frame in the target's class order; `attrs["mapped_from"]` tells the mapping.

    Raises
    ------
    SchemaError
        Naming the class that is not mapped, not known, or not one of the target's.
    UsageError
        If the frame lost its `attrs`.

    Examples
    --------
    >>> from labelops.reuse.frame import Provenance
    >>> frame = pd.DataFrame({"label": ["cat", "oak"], "code": [0, 2],
    ...     "probs": [np.array([0.5, 0.3, 0.2]), np.array([0.0, 0.1, 0.9])]})
    >>> frame.attrs = Provenance(Schema("things", ("cat", "dog", "oak"))).to_json()
    >>> coarse = Schema("kinds", ("plant", "animal"))
    >>> mapped = map_labels(frame, {"cat": "animal", "dog": "animal", "oak": "plant"}, coarse)
    >>> mapped["label"].tolist(), mapped["probs"].iloc[0].round(6).tolist()
    (['animal', 'plant'], [0.2, 0.8])
    """
    found = provenance(frame)
    matrix = _matrix(found.schema, mapping, target)
    codes = frame["code"].to_numpy(dtype=np.int64)
    goes_somewhere: npt.NDArray[np.bool_] = matrix.sum(axis=1) > 0.0
    kept = goes_somewhere[codes]
    rows = frame.loc[kept].reset_index(drop=True)
    new_codes = matrix.argmax(axis=1)[codes[kept]]
    rows["label"] = np.array(target.classes, dtype=object)[new_codes]
    rows["code"] = new_codes
    rows["probs"] = pd.Series(list(_summed(rows["probs"], matrix, new_codes)), dtype=object)
    step = {
        "schema": found.schema.name,
        "schema_digest": found.schema.digest,
        "classes": list(found.schema.classes),
        "mapping": {c: mapping[c] for c in found.schema.classes},
    }
    certificate = found.certificate
    if certificate and len(rows) < len(frame):
        # All that it allows to be wrong may be among those that are left.
        gone = counted(len(frame) - len(rows), "label was", "labels were")
        certificate += f"; of all labels released: {gone} dropped, of the others more may be wrong"
    mapped = (*found.mapped_from, step)
    return with_provenance(rows, found, schema=target, mapped_from=mapped, certificate=certificate)


def _matrix(
    source: Schema, mapping: Mapping[str, str | None], target: Schema
) -> npt.NDArray[np.float64]:
    """Return the (K, L) matrix with a 1 where a class goes; a row of zeros is dropped."""
    if source.media != target.media:
        raise SchemaError(
            f"schema {source.name!r} labels {source.media} and {target.name!r} {target.media}; "
            "labels are mapped between schemas of the same media"
        )
    unmapped = [c for c in source.classes if c not in mapping]
    if unmapped:
        raise SchemaError(
            f"class {shown(unmapped[0])} of schema {source.name!r} is not mapped; map it to a "
            f"class of {target.name!r}, or to None to drop it"
        )
    unknown = [c for c in mapping if c not in source.classes]
    if unknown:
        raise SchemaError(
            f"the mapping names {shown(unknown[0])}, which is no class of schema {source.name!r}"
        )
    matrix = np.zeros((len(source.classes), len(target.classes)))
    for place, name in enumerate(source.classes):
        goes_to = mapping[name]
        if goes_to is not None:
            matrix[place, target.code_of(goes_to)] = 1.0
    return matrix


def _summed(
    probs: pd.Series, matrix: npt.NDArray[np.float64], codes: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    size = matrix.shape
    stacked = np.stack(probs.to_list()) if len(probs) else np.empty((0, size[0]))
    mapped: npt.NDArray[np.float64] = stacked @ matrix
    total = mapped.sum(axis=1)
    # All belief on dropped classes: only the label itself is left to go by.
    mapped[total <= 0.0] = np.eye(size[1])[codes[total <= 0.0]]
    if matrix.sum() == size[0]:
        return mapped  # nothing dropped: identical to the last bit
    normalised: npt.NDArray[np.float64] = mapped / mapped.sum(axis=1, keepdims=True)
    return normalised
