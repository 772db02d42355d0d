"""Small releases for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from labelops.kinds.choice import values_of
from labelops.reuse import training_frame
from labelops.schema import Schema

HARD_CLASSES = (
    "NA",
    "null",
    "1.0",
    "a,b",
    '"quoted"',
    "tröt 🐘",
    "=1+1",
    "yes: #no",
    "None",
    "<b>",
)
"""Class names that readers like to take for something else than text."""

HARD_TEXTS = (
    "plain",
    'line one\r\nline "two", with a comma\n',
    "  spaces around  ",
    "=HYPERLINK(1)",
    "tab\tand \u2028 and \x85 ends",
    "日本語 🐘 \u0301",
    "NULL",
    "\x00 nul \x1b[0m",
    "'single'\\backslash\\n",
    "1e5",
)

CERTIFICATE = "≤ 2 % at 95 % confidence: 0 wrong in 172 looks (before 'a|b\n<b>' could be named)"
KEY = b"split key"
SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
SCHEMA = Schema(
    "hard", HARD_CLASSES, question="Which is it?", descriptions={"a,b": 'One | "two", <b>three'}
)
PNG = b"\x89PNG\r\n\x1a\n not decoded here \x00\xff"


def _labels_of(
    codes: Sequence[int], schema: Schema = SCHEMA, *, method: str = "majority"
) -> pd.DataFrame:
    """Return one label an item `i00`, `i01`, …; -1 is undecided; posteriors fall from 0.99."""
    n, classes = len(codes), len(schema.classes)
    posterior = 0.99 - 0.5 * np.arange(n) / max(n, 1)
    cells = []
    for code, p in zip(codes, posterior, strict=True):
        probs = np.full(classes, (1 - p) / (classes - 1))
        probs[code] = p
        cells.append(probs)
    return pd.DataFrame(
        {
            "item_id": [f"i{i:02d}" for i in range(n)],
            "value": values_of(codes, schema),
            "posterior": np.where(np.asarray(codes) < 0, np.nan, posterior),
            "probs": cells,
            "method": [method if code >= 0 else "undecided" for code in codes],
            "schema_digest": schema.digest,
        }
    )


def _items_of(
    texts: Sequence[str], *, groups: Sequence[str] | None = None, media_type: str = "text/plain"
) -> pd.DataFrame:
    """Return items `i00`, `i01`, …, each in a group of its own unless `groups` says otherwise."""
    n = len(texts)
    return pd.DataFrame(
        {
            "item_id": [f"i{i:02d}" for i in range(n)],
            "payload": list(texts),
            "group": list(groups) if groups else [f"g{i:02d}" for i in range(n)],
            "media_type": media_type,
        }
    )


def _hard_frame(weights: str = "soft") -> pd.DataFrame:
    """Return a frame of ten texts, one of each hard class, with everything set."""
    return training_frame(
        _labels_of(range(len(HARD_CLASSES))),
        _items_of(HARD_TEXTS),
        SCHEMA,
        shares=SHARES,
        key=KEY,
        weights=weights,
        release="hard@1.2.3",
        manifest_digest="ab" * 32,
        certificate=CERTIFICATE,
    )


@pytest.fixture(scope="session")
def labels_of() -> Callable[..., pd.DataFrame]:
    """Make labels from codes; see `_labels_of`."""
    return _labels_of


@pytest.fixture(scope="session")
def items_of() -> Callable[..., pd.DataFrame]:
    """Make items from texts; see `_items_of`."""
    return _items_of


@pytest.fixture(scope="session")
def hard_frame() -> Callable[..., pd.DataFrame]:
    """Make a frame of texts and classes that are hard to write; see `_hard_frame`."""
    return _hard_frame


@pytest.fixture
def image_frame() -> pd.DataFrame:
    """Return a frame of three images, one without its bytes, one item id like a path."""
    schema = Schema("shapes", ("disc", "box"), media="image")
    labels = _labels_of([0, 1, 0], schema)
    items = _items_of(["object:1", "object:2", "object:3"], media_type="image/png")
    labels.loc[1, "item_id"] = items.loc[1, "item_id"] = "../../evil"
    return training_frame(
        labels,
        items,
        schema,
        shares={"train": 1.0},
        key=KEY,
        contents={"i00": PNG, "../../evil": PNG + b"2"},
        release="shapes@1.0.0",
        manifest_digest="cd" * 32,
    )
