"""Python functions as labelers: each proposes under its own name, and all of them together.

A rule is a function ``f(item) -> class name | None``; None abstains. `item` is a mapping
with `item_id`, `payload`, `media_type`, `source` and `attributes` (an object).
"""

from __future__ import annotations

import inspect
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ..digest import digest
from ..errors import EndProtocolError, EndTimeout, SchemaError, SettingsError, shown
from ..kinds.choice import canonical
from ..schema import Schema
from .bounded_regex import bounded_search, checked_pattern
from .own_code import own_function

__all__ = ["Matches", "Rule", "RuleLabeler", "contains", "matches"]

Rule = Callable[[Mapping[str, Any]], str | None]
"""item → class name, or None to abstain."""

_COLUMNS = ("item_id", "payload", "media_type", "source")


@dataclass(frozen=True, slots=True)
class Matches:
    """A rule: a regular expression found in the payload proposes a class.

    Parameters
    ----------
    pattern : str
    choice : str
        The class proposed where it is found.
    flags : int
        Of `re`.
    seconds : float
        Processor time allowed for all items of one call together; then `EndTimeout`.

    Examples
    --------
    >>> Matches("refunds?", "billing", re.IGNORECASE)({"payload": "REFUND please"})
    'billing'
    """

    pattern: str
    choice: str
    flags: int = 0
    seconds: float = 10.0

    def __post_init__(self) -> None:
        checked_pattern(self.pattern, self.flags)

    def __call__(self, item: Mapping[str, Any]) -> str | None:
        """Return the class, or None if the pattern is not found."""
        return self.all([item["payload"]])[0]

    def all(self, texts: Sequence[str]) -> list[str | None]:
        """Return the class or None for each text."""
        found = bounded_search(self.pattern, texts, flags=self.flags, seconds=self.seconds)
        return [self.choice if f else None for f in found]


def matches(regex: str, choice: str, *, ignore_case: bool = True, seconds: float = 10.0) -> Matches:
    """Propose `choice` where `regex` is found in the payload; run time is bounded.

    Raises
    ------
    SettingsError
        If the regular expression does not compile.
    """
    return Matches(regex, choice, int(re.IGNORECASE if ignore_case else 0), seconds)


def contains(words: Sequence[str], choice: str) -> Matches:
    """Propose `choice` where any of the words stands in the payload as a word, in any case.

    Raises
    ------
    SettingsError
        If there is no word.

    Examples
    --------
    >>> rule = contains(["card", "pin code"], "cards")
    >>> rule({"payload": "My PIN code?"}), rule({"payload": "discard"})
    ('cards', None)
    """
    if isinstance(words, str) or not words or not all(w.strip() for w in words):
        raise SettingsError(f"contains: {shown(words)} is not a list of words")
    either = "|".join(re.escape(w.strip()) for w in words)
    return matches(rf"(?<!\w)(?:{either})(?!\w)", choice)


class RuleLabeler:
    """Rules that vote; a value needs more than half of those that do not abstain.

    Where rules disagree without such a majority, it abstains. Confidence and probabilities
    are absent: a rule says what, not how surely.

    Parameters
    ----------
    rules : mapping
        Rule name → function, or its dotted name ``"module:function"``.
    name : str
        What the combined proposals are signed with.

    Raises
    ------
    SettingsError
        If there is no rule, or one cannot be imported or called.

    Examples
    --------
    >>> from labelops.schema import Schema
    >>> labeler = RuleLabeler({"card": contains(["card"], "cards"), "pin": matches("pin", "pins")})
    >>> items = pd.DataFrame({"item_id": ["a", "b", "c"], "payload": ["my card", "card pin", "?"],
    ...     "media_type": "text/plain", "source": "s", "attributes": "{}"})
    >>> labeler.propose(items, Schema("topics", ("cards", "pins")))["value"].tolist()
    ['"cards"', None, None]
    >>> [each.name for each in labeler.each()]
    ['rule:card', 'rule:pin']
    """

    learns = False
    """Rules are written, not fitted."""

    def __init__(self, rules: Mapping[str, Rule | str], *, name: str = "rule:all") -> None:
        if not rules:
            raise SettingsError("a rule labeler needs at least one rule")
        self.name = name
        self._rules = {n: _checked_rule(n, r) for n, r in rules.items()}
        self._version = {n: _identity(r) for n, r in self._rules.items()}

    def each(self) -> tuple[RuleLabeler, ...]:
        """Return one labeler a rule, named ``rule:<name>``."""
        return tuple(RuleLabeler({n: r}, name=f"rule:{n}") for n, r in self._rules.items())

    def fit(
        self, items: pd.DataFrame, codes: Sequence[int], groups: Sequence[str], schema: Schema
    ) -> str:
        """Learn nothing; return the version: a digest of the rules' source text.

        What a function reads from outside itself (a closure, a module's constant) is not seen.
        """
        return digest({"labeler": self.name, "rules": self._version, "schema": schema.digest})

    def propose(self, items: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        """Return one row an item, in the order asked (see `ports.Labeler.propose`).

        Raises
        ------
        EndProtocolError
            If a rule raises or names an unknown class, naming the rule and the item.
        EndTimeout
            If a regular expression takes too long.
        """
        ids = items["item_id"].tolist()
        votes = [self._votes(rule, items, schema) for rule in self._rules]
        values = [_majority(cast) for cast in zip(*votes, strict=True)]
        return pd.DataFrame(
            {
                "item_id": pd.Series(ids, dtype=object),
                "value": pd.Series(values, dtype=object),
                "confidence": np.full(len(ids), np.nan),
                "probs": pd.Series([None] * len(ids), dtype=object),
                "fold": pd.array([pd.NA] * len(ids), dtype="Int64"),
            }
        )

    def _votes(self, name: str, items: pd.DataFrame, schema: Schema) -> list[str | None]:
        rule, ids = self._rules[name], items["item_id"].tolist()
        if isinstance(rule, Matches):
            try:
                said: Sequence[object] = rule.all(items["payload"].tolist())
            except EndTimeout as error:
                raise EndTimeout(f"rule {name!r}: {error}") from None
        else:
            said = [_called(rule, name, item) for item in _mappings(items)]
        known: dict[object, str | None] = {None: None}
        for item, raw in zip(ids, said, strict=True):
            if not isinstance(raw, str | None):
                problem = f"it returned {shown(raw)}; return a class name, or None to abstain"
                raise EndProtocolError(_where(name, item, problem))
            if raw not in known:
                try:
                    known[raw] = canonical(raw, schema)
                except SchemaError as error:
                    raise EndProtocolError(_where(name, item, str(error))) from None
        return [known[raw] for raw in said]


def _where(rule: str, item: object, problem: str) -> str:
    return f"rule {rule!r}, item {shown(item)}: {problem}"


def _called(rule: Rule, name: str, item: Mapping[str, Any]) -> object:
    try:
        return rule(item)
    except Exception as error:
        problem = f"it raised {type(error).__name__}: {shown(str(error))}; mend the rule"
        raise EndProtocolError(_where(name, item["item_id"], problem)) from error


def _majority(cast: Sequence[str | None]) -> str | None:
    counted = Counter(v for v in cast if v is not None)
    value, votes = max(counted.items(), key=lambda kv: kv[1], default=(None, 0))
    return value if 2 * votes > counted.total() else None


def _mappings(items: pd.DataFrame) -> list[Mapping[str, Any]]:
    cells = zip(*(items[c].tolist() for c in (*_COLUMNS, "attributes")), strict=True)
    return [
        {**dict(zip(_COLUMNS, row, strict=False)), "attributes": json.loads(row[-1] or "{}")}
        for row in cells
    ]


def _checked_rule(name: str, given: object) -> Rule:
    found = own_function(given, f"rule {name!r}") if isinstance(given, str) else given
    if not callable(found):
        raise SettingsError(f"rule {name!r}: {shown(found)} is not a function")
    return found


def _identity(rule: Rule) -> object:
    if isinstance(rule, Matches):
        return ["matches", rule.pattern, rule.choice, rule.flags]
    plain: Any = rule.func if isinstance(rule, partial) else rule
    extra = [repr(rule.args), repr(rule.keywords)] if isinstance(rule, partial) else []
    if not inspect.isroutine(plain):
        plain = type(plain)
    place = [str(getattr(plain, "__module__", "")), str(getattr(plain, "__qualname__", ""))]
    try:
        return [*place, *extra, inspect.getsource(plain)]
    except (OSError, TypeError):
        # Typed at a prompt: no source to be had, the compiled code has to do.
        code = getattr(plain, "__code__", None)
        return [*place, *extra, "" if code is None else code.co_code.hex() + repr(code.co_consts)]
