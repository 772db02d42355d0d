"""The labeler and the rules that the settings name; a vendor is imported when it is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..adapters._patience import Patience, silent
from ..digest import digest
from ..errors import LabelopsError, SettingsError, shown
from ..ports import Labeler, Objects
from ..settings import RuleSettings, Settings

if TYPE_CHECKING:
    from ..adapters.image_features import Grey
    from ..adapters.text_vectors import TextVectors

__all__ = ["LabelerParts", "make_labeler", "make_rules", "make_vectors"]


@dataclass(frozen=True, slots=True)
class LabelerParts:
    """What a labeler may need beside its settings.

    Parameters
    ----------
    objects : Objects
        Where paid answers are kept.
    load : callable
        Payload URI → bytes.
    greys : mapping
        Images decoded before, by digest.
    vectors : TextVectors or None
        Vectors of texts, and those made before.
    tell : callable
        Is told who is asked, and what is waited for.
    """

    objects: Objects
    load: Callable[[str], bytes]
    greys: MutableMapping[str, Grey]
    vectors: TextVectors | None = None
    tell: Callable[[str], None] = silent


def made_from(settings: Settings) -> str:
    """Return a digest of the settings that may make a labeler another one."""
    own = dataclasses.replace(settings.labeler, timeout=30.0, patience=60.0, token_env="")
    return digest(repr((own, settings.chat)))


def make_labeler(settings: Settings, parts: LabelerParts) -> Labeler | None:
    """Return what proposes labels; None where people label everything.

    Raises
    ------
    SettingsError
        If the settings of its type do not fit.
    """
    makers = {"sklearn": _sklearn, "http": _http, "chat": _chat, "rules": _rules}
    kind = settings.labeler.type
    if kind == "none":
        return None
    return makers[kind](settings, parts)


def _sklearn(settings: Settings, parts: LabelerParts) -> Labeler:
    from ..adapters.sklearn_labeler import SklearnLabeler

    return SklearnLabeler(
        settings.labeler.estimator or None,
        params=settings.labeler.params,
        media=settings.schema.media,
        load=parts.load,
        kept=parts.greys,
        vectors=parts.vectors,
        earlier_labels=_earlier(settings),
    )


def _earlier(settings: Settings) -> tuple[str, ...]:
    """Return the columns with labels from before, none of which may hold known answers."""
    for source in settings.sources:
        if source.gold and source.gold in settings.labeler.earlier_labels:
            raise SettingsError(
                f"labeler.earlier_labels names {shown(source.gold)}, which source.{source.name} "
                "holds as known answers (gold): people could not be judged by what the labeler "
                "shows them; leave it out of one"
            )
    return settings.labeler.earlier_labels


def make_vectors(settings: Settings) -> TextVectors | None:
    """Return what gives vectors of texts; None where the settings name nothing.

    Raises
    ------
    SettingsError
        If it is not installed, or the function is not there or makes no encoder.
    """
    named = settings.labeler.vectors
    if not named:
        return None
    from ..adapters.text_vectors import TextVectors

    if settings.schema.media != "text":
        raise SettingsError(
            f"labeler.vectors is {named!r}, and the schema is about {settings.schema.media}; "
            "vectors are of texts, so leave the setting out"
        )
    if named == "wordllama":
        from ..adapters.wordllama_encoder import WordLlamaEncoder

        return TextVectors(WordLlamaEncoder())
    from ..adapters.own_code import own_function

    make = own_function(named, "labeler.vectors")
    if not callable(make):
        raise SettingsError(f"labeler.vectors: {named!r} is not a function that makes an encoder")
    try:
        encoder = make()
    except LabelopsError:
        raise
    except Exception as error:
        raise SettingsError(
            f"labeler.vectors: {named!r} raised {type(error).__name__}: {shown(str(error), 200)}"
        ) from error
    return TextVectors(encoder)


def _http(settings: Settings, parts: LabelerParts) -> Labeler:
    from ..adapters.http_labeler import HttpLabeler

    _needs_url(settings)
    if settings.labeler.token_env and not settings.labeler_token:
        # Without the name: somebody may have put the token itself there.
        raise SettingsError(
            "the environment has no variable of the name in labeler.token_env; export it with the "
            "labeler's token, or leave the setting out"
        )
    return HttpLabeler(
        settings.labeler.url,
        media=settings.schema.media,
        timeout=settings.labeler.timeout,
        token=settings.labeler_token.reveal() or None,
        load=parts.load,
        patience=Patience(settings.labeler.patience, parts.tell),
    )


def _needs_url(settings: Settings) -> None:
    kind = settings.labeler.type
    if not settings.labeler.url:
        raise SettingsError(
            f"labeler.url is missing: labeler.type is {kind!r}; give the server's address, "
            "https://host[:port][/path]"
        )


def _chat(settings: Settings, parts: LabelerParts) -> Labeler:
    from ..adapters._pace import Pace
    from ..adapters.chat_cache import Prices
    from ..adapters.chat_client import ChatClient
    from ..adapters.chat_labeler import ChatLabeler
    from ..adapters.chat_request import PROMPT

    _needs_url(settings)
    chat = settings.chat
    client = ChatClient(
        settings.labeler.url,
        settings.labeler_token.reveal(),
        timeout=settings.labeler.timeout,
        attempts=chat.attempts,
        pace=Pace(chat.requests_per_minute, chat.tokens_per_minute),
        patience=Patience(settings.labeler.patience, parts.tell),
    )
    return ChatLabeler(
        client,
        chat.model,
        objects=parts.objects,
        prompt=_text(settings, chat.prompt, "chat.prompt") if chat.prompt else PROMPT,
        answer=chat.answer,
        params=settings.labeler.params,
        top_logprobs=chat.top_logprobs,
        served_as=chat.served_as,
        media=settings.schema.media,
        load=parts.load,
        prices=Prices(chat.input_price, chat.output_price, chat.max_cost),
        concurrency=chat.concurrency,
    )


def _text(settings: Settings, name: str, setting: str) -> str:
    """Read a text file of the project."""
    path = settings.root / name
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{setting}: {path} cannot be read as UTF-8 ({error})") from None


def _rules(settings: Settings, parts: LabelerParts) -> Labeler:
    from ..adapters.rule_labeler import RuleLabeler

    names = settings.labeler.rules
    return RuleLabeler({name.partition(":")[2] or name: name for name in names})


def make_rules(rules: tuple[RuleSettings, ...]) -> tuple[Labeler, ...]:
    """Return labeling functions, each of which votes under its own name."""
    from ..adapters.rule_labeler import Rule, RuleLabeler, contains, matches

    def made(rule: RuleSettings) -> Rule | str:
        if rule.words:
            return contains(rule.words, rule.label)
        if not rule.pattern:
            return rule.function
        try:
            return matches(rule.pattern, rule.label)
        except SettingsError as error:
            raise SettingsError(f"rule.{rule.name}.pattern: {error}") from None

    return RuleLabeler({rule.name: made(rule) for rule in rules}).each() if rules else ()
