"""The sections that say what proposes labels, and which rules vote beside people."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import SettingsError, shown
from .values import check_one_of

__all__ = ["ChatSettings", "LabelerSettings", "RuleSettings"]

_LABELERS = ("sklearn", "http", "chat", "rules", "none")


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
    earlier_labels : tuple of str
        Columns of your data with labels from before, right or not: a spreadsheet's, another
        tool's, one person's each. They are no votes. The built-in labeler learns from people's
        votes how far each is right, in each class, and weighs it beside the content.
    url : str
        Address of a server of the ML-backend protocol; for `chat`, the root of a server of the
        OpenAI chat protocol, such as https://api.openai.com/v1.
    timeout : float
        Seconds to wait for one answer.
    patience : float
        Seconds that a run waits in all for a server which is busy, slow or away, counted from its
        last answer; then it goes on without it. 0: it is asked once. A server that refuses
        connections and has not answered this run is waited for five seconds at most.
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
    earlier_labels: tuple[str, ...] = ()
    url: str = ""
    timeout: float = 30.0
    patience: float = 60.0
    token_env: str = ""
    rules: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_one_of("labeler.type", self.type, _LABELERS)
        if not 0.0 <= self.patience < float("inf"):
            raise SettingsError(
                f"labeler.patience is {self.patience:g}, expected seconds, 0 or more"
            )
        if self.earlier_labels and self.type != "sklearn":
            raise SettingsError(
                f"labeler.earlier_labels is for the built-in labeler, and labeler.type is "
                f"{self.type!r}; leave one of them out"
            )
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
        How often a question is asked at most, where the server is busy, away or slow; see also
        `[labeler] patience`.
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
