"""The sections on where items come from, where people label, when flows run, and the split."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ..errors import SettingsError, shown
from ..schedule import check_schedule, check_timezone
from .values import check_one_of

__all__ = ["QueueSettings", "ScheduleSettings", "SourceSettings", "SplitSettings"]


_FORMATS = ("csv", "jsonl", "parquet", "folder")
_QUEUES = ("local", "label-studio")


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """`[source.NAME]`: where items come from and what may be done with them.

    Parameters
    ----------
    name : str
        The section's NAME.
    path : str
        File or folder, relative to labelops.toml.
    format : {"csv", "jsonl", "parquet", "folder", ""}
        Empty: by the path's ending.
    key : str
        Column with the owner's key; empty: a keyed digest of the content.
    text, image : str
        Column with the text, or with an image file's path relative to `path`'s folder.
    group : str
        Column with the owner's group (user, document) that must not be split.
    gold : str
        Column with known answers for some items, used to measure annotators, never as votes.
    encoding : str
        Of text files and CSV, such as cp1252.
    delimiter : str
        Between the cells of CSV, such as ; where commas are decimal; empty: a tab for .tsv, else a
        comma.
    suffixes : tuple of str
        Which files of a folder are read, such as .py; none named: all, and one that is not of the
        media is refused.
    bad_rows : float in [0, 1]
        Most bad rows that a pass sets aside to take all others, as a share of the source's, rounded
        up to whole rows. With more, or with 0 any, nothing of the source is taken.
    licence : str
        Licence of the payloads, as SPDX where one exists.
    purposes : tuple of str
        What they may be used for, such as training; `[gate] purpose` has to be among them. None
        named: nothing is allowed, and the gate says so.
    region : str
        Where they may be used.
    expires : str
        Date when the rights end, such as 2026-12-31.
    """

    name: str
    path: str
    format: str = ""
    key: str = ""
    text: str = ""
    image: str = ""
    group: str = ""
    gold: str = ""
    encoding: str = "utf-8"
    delimiter: str = ""
    suffixes: tuple[str, ...] = ()
    bad_rows: float = 0.1
    licence: str = ""
    purposes: tuple[str, ...] = ()
    region: str = ""
    expires: str = ""

    def __post_init__(self) -> None:
        if self.format:
            check_one_of(f"source.{self.name}.format", self.format, _FORMATS)
        if not 0.0 <= self.bad_rows <= 1.0:
            raise SettingsError(f"source.{self.name}.bad_rows is {self.bad_rows}, expected 0 to 1")
        try:
            _ = self.ends
        except ValueError:
            raise SettingsError(
                f"source.{self.name}.expires is {shown(self.expires)}, expected a date such as "
                "2026-12-31"
            ) from None

    @property
    def ends(self) -> datetime | None:
        """When the rights end; a date without a zone is one of UTC."""
        if not self.expires:
            return None
        when = datetime.fromisoformat(self.expires)
        return when if when.tzinfo else when.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """`[queue]`: where people label.

    Parameters
    ----------
    type : {"local", "label-studio"}
        The embedded queue, or a Label Studio server.
    url : str
        Its address; `LABEL_STUDIO_URL` goes first. The key is `LABEL_STUDIO_API_KEY`.
    timeout : float
        Seconds to wait for one answer.
    """

    type: str = "local"
    url: str = ""
    timeout: float = 30.0

    def __post_init__(self) -> None:
        check_one_of("queue.type", self.type, _QUEUES)

    @property
    def place(self) -> str:
        """The address of the server in use; empty for the embedded queue."""
        return "" if self.type == "local" else self.url.rstrip("/")


@dataclass(frozen=True, slots=True)
class ScheduleSettings:
    """`[schedule]`: when the flows run; a cron expression, or seconds between runs.

    Parameters
    ----------
    send, receive, publish : str
        Five cron fields, or a number of seconds; empty: only by hand.
    timezone : str
        Of the cron expressions.

    Raises
    ------
    SettingsError
        If one of them is no schedule, or there is no such time zone.
    """

    send: str = "0 * * * *"
    receive: str = "*/15 * * * *"
    publish: str = "30 * * * *"
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        for name in ("send", "receive", "publish"):
            check_schedule(getattr(self, name), name)
        check_timezone(self.timezone)


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """`[split]`: shares of leakage groups on each side of the training frame.

    Parameters
    ----------
    train, validation, test : float
        Shares that sum to 1.
    """

    train: float = 0.8
    validation: float = 0.1
    test: float = 0.1

    def __post_init__(self) -> None:
        shares = (self.train, self.validation, self.test)
        if not (min(shares) >= 0 and abs(sum(shares) - 1.0) <= 1e-9):
            raise SettingsError(f"split: shares {shares} must be 0 or more and sum to 1")
