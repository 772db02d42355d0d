"""Rights fail closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from labelops.errors import UsageError
from labelops.ingest import Rights, forbids

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def items(*rights: Rights) -> pd.DataFrame:
    frame = pd.DataFrame([r.columns() for r in rights])
    return frame.assign(expires=pd.to_datetime(frame["expires"], utc=True))


def test_each_reason() -> None:
    """Allowed, another purpose, nothing said, nothing allowed, expired: each with its reason."""
    mask, reasons = forbids(
        items(
            Rights(purposes=("train", "evaluate")),
            Rights(purposes=("evaluate",)),
            Rights(),
            Rights(purposes=()),
            Rights(purposes=("train",), expires=NOW),
            Rights(purposes=("train",), expires=NOW + timedelta(microseconds=1)),
        ),
        "train",
        NOW,
    )
    assert mask.tolist() == [False, True, True, True, True, False]
    assert reasons[1] == "it may be used for evaluate, not for train"
    assert "nothing was said" in reasons[2]
    assert "nothing, not for train" in reasons[3]
    assert reasons[4] == "its rights ended on 2026-01-02T00:00:00+00:00"


def test_region() -> None:
    """An item bound to a region is forbidden elsewhere, and only if one asks."""
    frame = items(Rights(purposes=("train",), region="EU"), Rights(purposes=("train",)))
    assert forbids(frame, "train", NOW).mask.tolist() == [False, False]
    assert forbids(frame, "train", NOW, region="EU").mask.tolist() == [False, False]
    assert forbids(frame, "train", NOW, region="US").mask.tolist() == [True, False]


def test_no_items() -> None:
    """No items: nothing forbidden."""
    assert forbids(items(Rights()).iloc[:0], "train", NOW).mask.tolist() == []


def test_malformed() -> None:
    """A text for the list, an empty name, or a time without zone is refused."""
    with pytest.raises(UsageError, match="list"):
        Rights(purposes="train")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="non-empty"):
        Rights(purposes=("",))
    with pytest.raises(UsageError, match="time zone"):
        Rights(expires=datetime(2026, 1, 1))
    with pytest.raises(UsageError, match="time zone"):
        forbids(items(Rights()), "train", datetime(2026, 1, 1))
