"""Tables on the way into a classifier and out of it: what it learns from, what it answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import TableError, UsageError, shown
from ..kinds.choice import values_of
from ..schema import Schema

__all__ = ["answer_rows", "training_rows"]


def training_rows(
    items: pd.DataFrame,
    codes: Sequence[int],
    groups: Sequence[str],
    schema: Schema,
    more: Sequence[str] = (),
) -> pd.DataFrame:
    """Return item_id, payload, payload_digest, `more`, group, code sorted by item_id, checked."""
    if not len(items) == len(codes) == len(groups):
        raise UsageError(
            f"fit got {len(items)} items, {len(codes)} codes and {len(groups)} groups; "
            "give one code and one group an item"
        )
    rows = items[["item_id", "payload", "payload_digest", *more]].assign(
        group=list(groups), code=np.asarray(codes, dtype=np.int64)
    )
    wrong = (rows["code"] < 0) | (rows["code"] >= len(schema.classes))
    if wrong.any():
        bad = rows[wrong].iloc[0]
        raise UsageError(
            f"item {shown(bad['item_id'])}: code {bad['code']} is not one of schema "
            f"{schema.name!r}'s 0 to {len(schema.classes) - 1}; leave unlabeled items out"
        )
    twice = rows["item_id"].duplicated()
    if twice.any():
        found = shown(rows.loc[twice, "item_id"].iloc[0])
        raise TableError("items", [f"item {found} is given twice to learn from; give it once"])
    return rows.sort_values("item_id", kind="stable").reset_index(drop=True)


def answer_rows(
    ids: pd.Series, probs: npt.NDArray[np.float64], folds: pd.Series, schema: Schema
) -> pd.DataFrame:
    """Return proposals, one row an item; a row of NaN in (N, K) `probs` abstains."""
    silent: npt.NDArray[np.bool_] = np.isnan(probs[:, 0])
    best = np.where(silent, -1, np.nan_to_num(probs, nan=-1.0).argmax(axis=1))
    cells = pd.Series(np.empty(len(ids), dtype=object))
    cells[:] = [None if s else row for s, row in zip(silent, probs, strict=True)]
    return pd.DataFrame(
        {
            "item_id": ids,
            "value": values_of(best, schema),
            "confidence": np.where(silent, np.nan, probs.max(axis=1)),
            "probs": cells,
            "fold": folds,
        }
    )
