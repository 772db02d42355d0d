"""What can be set: a frozen dataclass for each section, and all of them together."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ..audit.policy import AuditPolicy
from ..autolabel.policy import AcceptancePolicy
from ..consolidate.policy import ConsolidatePolicy
from ..errors import SettingsError, shown
from ..gate.policy import GatePolicy
from ..route.policy import RoutePolicy
from ..schedule import check_schedule, check_timezone
from ..schema import Schema
from .values import check_one_of

__all__ = [
    "FILE",
    "ChatSettings",
    "LabelerSettings",
    "QueueSettings",
    "RuleSettings",
    "ScheduleSettings",
    "Secret",
    "Settings",
    "SourceSettings",
    "SplitSettings",
]

FILE = "labelops.toml"

_FORMATS = ("csv", "jsonl", "parquet", "folder")
_LABELERS = ("sklearn", "http", "chat", "rules", "none")
_QUEUES = ("local", "label-studio")


class Secret:
    """A text that shows itself only when asked by name.

    Examples
    --------
    >>> str(Secret("token")), Secret("token").reveal()
    ('********', 'token')
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "********"

    def __bool__(self) -> bool:
        return bool(self._text)

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._text


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
        What they may be used for. None named: nothing is allowed, and the gate says so.
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
class LabelerSettings:
    """`[labeler]`: what proposes labels.

    Parameters
    ----------
    type : {"sklearn", "http", "chat", "rules", "none"}
        Which labeler end; `chat` has a section of its own, `[chat]`.
    estimator : str
        Dotted name of a scikit-learn classifier; empty: the default for the media.
    params : table
        Its keyword arguments; for `chat`, more keys of the request.
    vectors : str
        For texts: `wordllama` (the extra `vectors`), or a Python function that makes an encoder of
        yours, as `module:function`. The built-in labeler learns from its vectors beside the words,
        and audits compare items by them. Empty: words alone.
    url : str
        Address of a server of the ML-backend protocol; for `chat`, the root of a server of the
        OpenAI chat protocol, such as https://api.openai.com/v1.
    timeout : float
        Seconds to wait for one answer.
    token_env : str
        Name of the environment variable that holds the server's token, sent as
        `Authorization: Bearer …`; empty: none is sent, and for `chat` OPENAI_API_KEY.
    rules : tuple of str
        Python functions as `module:function`.
    """

    type: str = "sklearn"
    estimator: str = ""
    params: Mapping[str, object] = field(default_factory=dict)
    vectors: str = ""
    url: str = ""
    timeout: float = 30.0
    token_env: str = ""
    rules: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_one_of("labeler.type", self.type, _LABELERS)
        named = self.vectors
        if named and named != "wordllama" and ":" not in named:
            near = difflib.get_close_matches(named.lower(), ("wordllama",), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise SettingsError(
                f"labeler.vectors is {shown(named)}, expected 'wordllama', or a function as "
                f"'module:function'{hint}"
            )


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """`[chat]`: a language model as labeler, where `[labeler] type` is `chat`.

    Parameters
    ----------
    model : str
        Which model the server should use; with its date, where the provider moves names on.
    prompt : str
        File with the prompt, relative to labelops.toml; empty: the one that ships. It must hold
        {classes}, and may hold {question} and {form}. A changed prompt is another labeler.
    answer : {"json_schema", "text"}
        How answers are bound to the classes: by a JSON schema that the server enforces, or by
        the prompt, for servers that know no `response_format`.
    top_logprobs : int
        Alternatives asked for at each token, 0 to 20: from them come confidence and
        probabilities. 0 asks for none, and then no proposal can be accepted as a label.
    served_as : str
        What the server calls the model in its answers; empty: its name, dated or not.
    concurrency : int
        Questions asked at a time.
    requests_per_minute, tokens_per_minute : float
        Most to send; 0 is no bound.
    attempts : int
        How often a question is asked at most, where the server is busy, away or slow.
    input_price, output_price : float
        Price of a million tokens asked and answered, in any currency.
    max_cost : float
        Most that may be spent on one model and prompt, in the same currency; 0 is no bound.
    """

    model: str = ""
    prompt: str = ""
    answer: str = "json_schema"
    top_logprobs: int = 20
    served_as: str = ""
    concurrency: int = 4
    requests_per_minute: float = 0.0
    tokens_per_minute: float = 0.0
    attempts: int = 5
    input_price: float = 0.0
    output_price: float = 0.0
    max_cost: float = 0.0


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """`[rule.NAME]`: a labeling function; it votes as `rule:NAME` beside people.

    Give it one of `words`, `pattern` and `function`.

    Parameters
    ----------
    name : str
        The section's NAME.
    label : str
        The class it votes for where `words` or `pattern` is found; elsewhere it abstains.
    words : tuple of str
        Words or phrases; any of them, standing as words, in upper or lower case.
    pattern : str
        A regular expression, in upper or lower case; its run time is bounded.
    function : str
        A Python function as `module:function`. It is given the item and returns a class, or
        None to abstain.
    """

    name: str
    label: str = ""
    words: tuple[str, ...] = ()
    pattern: str = ""
    function: str = ""

    def __post_init__(self) -> None:
        ways = [n for n in ("words", "pattern", "function") if getattr(self, n)]
        if len(ways) != 1:
            found = " and ".join(ways) or "none"
            raise SettingsError(
                f"rule.{self.name}: found {found}, expected one of words, pattern and function"
            )
        if bool(self.label) == bool(self.function):
            raise SettingsError(
                f"rule.{self.name}: words and pattern need `label`, the class they vote for; "
                "a function returns the class itself and has none"
            )


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


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a label set's labelops.toml says, checked.

    Parameters
    ----------
    root : Path
        The folder of labelops.toml; relative paths start there.
    workspace : str
        Folder or `s3://bucket/prefix` where everything is kept.
    schema : Schema
    sources : tuple of SourceSettings
    labeler, accept, route, consolidate, audit, gate, split, queue, schedule
        The sections, each with defaults.
    label_studio_key : Secret
        From `LABEL_STUDIO_API_KEY`.
    key : Secret
        From `LABELOPS_KEY`: keys item digests and random draws; empty: the workspace's own.
    labeler_token : Secret
        From the variable that `labeler.token_env` names.
    rules : tuple of RuleSettings
    chat : ChatSettings
    file : str
        The file's name as it was given, for messages.
    """

    root: Path
    workspace: str
    schema: Schema
    sources: tuple[SourceSettings, ...]
    labeler: LabelerSettings
    accept: AcceptancePolicy
    route: RoutePolicy
    consolidate: ConsolidatePolicy
    audit: AuditPolicy
    gate: GatePolicy
    split: SplitSettings
    queue: QueueSettings
    schedule: ScheduleSettings
    label_studio_key: Secret
    key: Secret
    labeler_token: Secret = field(default_factory=lambda: Secret(""))
    rules: tuple[RuleSettings, ...] = ()
    chat: ChatSettings = field(default_factory=ChatSettings)
    file: str = FILE

    @contextmanager
    def named(self) -> Iterator[None]:
        """Begin what is said of the settings with the file's name, unless it does."""
        try:
            yield
        except SettingsError as error:
            said = str(error)
            if said.startswith(f"{self.file}: "):
                raise
            raise SettingsError(f"{self.file}: {said}") from error
