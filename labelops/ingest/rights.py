"""What a payload may be used for, until when, and where; silence is not permission."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from labelops.digest import canonical_json
from labelops.errors import UsageError, shown

__all__ = ["Forbidden", "Rights", "forbids"]


@dataclass(frozen=True, slots=True)
class Rights:
    """What the owner of a source allows.

    Parameters
    ----------
    licence : str or None
        Licence of the payloads, as SPDX where one exists.
    purposes : tuple of str or None
        What the payloads may be used for, e.g. ``("train", "evaluate")``. None: nothing was
        said, and then every purpose is forbidden.
    region : str or None
        Where they may be used; None: anywhere.
    expires : datetime or None
        When the rights end; None: never. Needs a time zone.

    Raises
    ------
    UsageError
        If `purposes` is not a list of names, or `expires` has no time zone.
    """

    licence: str | None = None
    purposes: tuple[str, ...] | None = None
    region: str | None = None
    expires: datetime | None = None

    def __post_init__(self) -> None:
        purposes: object = self.purposes
        if isinstance(purposes, str):
            raise UsageError(f"purposes {shown(purposes)}: give a list of names, not one text")
        if self.purposes is not None:
            object.__setattr__(self, "purposes", tuple(sorted(set(self.purposes))))
            if not all(isinstance(p, str) and p.strip() for p in self.purposes):
                raise UsageError(f"purposes {shown(self.purposes)}: a purpose is a non-empty name")
        if self.expires is not None and self.expires.tzinfo is None:
            raise UsageError(f"expires {self.expires.isoformat()}: give a time zone, e.g. +00:00")

    def columns(self) -> dict[str, object]:
        """Return the rights as cells of the items table.

        Examples
        --------
        >>> Rights("CC-BY-4.0", ("train",)).columns()["purposes"]
        '["train"]'
        """
        said = None if self.purposes is None else canonical_json(list(self.purposes))
        return {
            "licence": self.licence,
            "purposes": said,
            "region": self.region,
            "expires": self.expires,
        }


class Forbidden(NamedTuple):
    """Which of N items may not be used, and why.

    Parameters
    ----------
    mask : (N,) bool array
        True where the item is forbidden.
    reasons : (N,) object array
        One line for a forbidden item, None for an allowed one.
    """

    mask: npt.NDArray[np.bool_]
    reasons: npt.NDArray[np.object_]


def forbids(
    items: pd.DataFrame, purpose: str, now: datetime, *, region: str | None = None
) -> Forbidden:
    """Say which items may not be used for a purpose at a time, and why.

    It fails closed: an item about whose purposes nothing was said is forbidden.

    Parameters
    ----------
    items : (N,) items frame
        Needs `purposes`, `expires`, `region`.
    purpose : str
        What the items are wanted for.
    now : datetime
        With a time zone; rights that end at `now` have ended.
    region : str, optional
        Where the items are to be used. Items bound to another region are forbidden. Without
        it the region is not looked at.

    Returns
    -------
    Forbidden

    Examples
    --------
    >>> from datetime import UTC
    >>> items = pd.DataFrame({"purposes": ['["train"]', None], "expires": pd.NaT, "region": None})
    >>> forbids(items, "train", datetime(2026, 1, 1, tzinfo=UTC)).reasons.tolist()
    [None, 'nothing was said about what it may be used for']
    """
    if now.tzinfo is None:
        raise UsageError("`now` needs a time zone")
    reasons = _purpose_reasons(items["purposes"], purpose)
    if region is not None:
        bound = items["region"]
        elsewhere = (bound.notna() & (bound != region)).to_numpy(dtype=bool)
        reasons[elsewhere] = f"it may not be used in {region}"
    ends = pd.to_datetime(items["expires"], utc=True)
    expired = (ends.notna() & (ends <= pd.Timestamp(now))).to_numpy(dtype=bool)
    for row in np.flatnonzero(expired):
        reasons[row] = f"its rights ended on {ends.iloc[row].isoformat()}"
    mask = np.fromiter((r is not None for r in reasons), dtype=bool, count=len(reasons))
    return Forbidden(mask, reasons)


def _purpose_reasons(cells: pd.Series, purpose: str) -> npt.NDArray[np.object_]:
    # A source has one set of purposes: judge each distinct text once, not each row.
    codes, distinct = pd.factorize(cells.to_numpy(dtype=object), use_na_sentinel=True)
    judged = [
        *(_purpose_reason(cell, purpose) for cell in distinct),
        _purpose_reason(None, purpose),
    ]
    return np.asarray(np.array(judged, dtype=object)[codes], dtype=object)


def _purpose_reason(cell: str | None, purpose: str) -> str | None:
    if cell is None:
        return "nothing was said about what it may be used for"
    allowed = json.loads(cell)
    if purpose in allowed:
        return None
    return f"it may be used for {', '.join(allowed) or 'nothing'}, not for {purpose}"
