"""What annotators see: a schema as a labeling configuration, and back.

The configuration carries a comment that lists every schema it has had, oldest first. With it
a vote is filed under the schema it was given under, and a configuration that somebody edited
by hand is told from one of ours.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from labelops.errors import EndProtocolError, SchemaError, counted, shown
from labelops.schema import Schema

__all__ = ["CONTROL", "OBJECT", "Known", "asks", "config_for", "read_config", "widened"]

CONTROL = "label"
"""The name of the control that holds the answer."""

OBJECT = "item"
"""The name of the thing that is looked at."""

_MARK = "labelops:"
_RADIO_UP_TO = 30
"""With more classes than this a list with search is faster than buttons."""
_TEXT_STYLE = (
    ".labelops-text * { unicode-bidi:plaintext; text-align:start; overflow-wrap:anywhere }"
)
"""A line runs the way its script does, and one without spaces stays on the page."""


@dataclass(frozen=True, slots=True)
class Known:
    """A schema as far as a configuration remembers it."""

    digest: str
    classes: tuple[str, ...]


def config_for(schema: Schema, history: Sequence[Known] = ()) -> str:
    r"""Write the labeling configuration for a schema.

    Old names of renamed classes stay in it, hidden, so that answers given under them can
    still be opened.

    Parameters
    ----------
    schema : Schema
    history : sequence of Known
        The schemas the project had before, oldest first.

    Examples
    --------
    >>> config_for(Schema("s", ("a & b", "<c>"))).count('value="&lt;c&gt;"')
    1
    """
    now = Known(schema.digest, schema.classes)
    known = [*(k for k in history if k.digest != now.digest), now]
    hidden = [old for old in schema.renames if any(old in k.classes for k in known)]
    many = len(schema.classes) > _RADIO_UP_TO
    keys = _hotkeys(schema.classes)
    choices = "".join(
        f"    {_choice(name, keys[n] if keys else '', schema.descriptions.get(name, ''))}\n"
        for n, name in enumerate(schema.classes)
    )
    if hidden:
        gone = "".join(_choice(name) for name in hidden)
        choices += f'    <View style="display:none">{gone}</View>\n'
    # Round buttons say that there is one answer; a text is as high as leaves them on the page.
    layout = (
        'choice="single" layout="select"' if many else 'choice="single-radio" showInline="true"'
    )
    return (
        "<View>\n"
        f"  {_comment(known)}\n"
        f'  {_header(schema)} size="4"/>\n'
        f"{_object(schema.media)}"
        f'  <Choices name="{CONTROL}" toName="{OBJECT}" {layout} required="true" '
        f'requiredMessage="Choose one answer, or skip.">\n'
        f"{choices}"
        "  </Choices>\n"
        "</View>\n"
    )


def asks(config: str, schema: Schema) -> bool:
    """Say whether a configuration that was read shows the words that are no part of the digest.

    The question, and what is said of classes.

    Examples
    --------
    >>> before = Schema("s", ("a", "b"), question="Which?")
    >>> asks(config_for(before), before), asks(config_for(before), Schema("s", ("a", "b")))
    (True, False)
    """
    return _header(schema) in config and _hints(config) == _hints(config_for(schema))


def _header(schema: Schema) -> str:
    return f"<Header value={_shown_attribute(schema.question)}"


def _object(media: str) -> str:
    if media == "image":
        return (
            '  <View style="max-width:400px; margin-bottom:16px">\n'
            f'    <Image name="{OBJECT}" value="$image" zoom="true" zoomControl="true" '
            'width="100%" maxWidth="400px"/>\n'
            "  </View>\n"
        )
    # `valueType` keeps a text that looks like an address a text.
    return (
        f"  <Style>{_TEXT_STYLE}</Style>\n"
        '  <View className="labelops-text" style="white-space:pre-wrap; font-size:18px; '
        "line-height:1.5; padding:12px 0; margin-bottom:16px; max-height:60vh; "
        'overflow-y:auto">\n'
        f'    <Text name="{OBJECT}" value="$text" valueType="text"/>\n'
        "  </View>\n"
    )


def _comment(known: Sequence[Known]) -> str:
    body = json.dumps([[k.digest, list(k.classes)] for k in known], separators=(",", ":"))
    # A comment may not hold two hyphens; in JSON a hyphen can be written as its number.
    return f"<!-- {_MARK} {body.replace('-', chr(92) + 'u002d')} -->"


def _shown_attribute(value: str) -> str:
    """Quote a text for an attribute that is shown: `$name` would be filled in from the item."""
    return quoteattr("".join(c for c in value if c.isprintable()).replace("$", "\uff04"))


def _hints(config: str) -> dict[str, str]:
    """Return what is said of classes, by the name that is shown."""
    # Read before, so there is no document type, and with it no entity.
    choices = ET.fromstring(config).iter("Choice")  # noqa: S314
    return {c.get("value", ""): c.get("hint", "") for c in choices if c.get("hint")}


def _choice(name: str, key: str = "", described: str = "") -> str:
    hotkey = f" hotkey={quoteattr(key)}" if key else ""
    alias = f" alias={quoteattr(name)}" if "$" in name else ""
    # Shown where the pointer rests on the class.
    hint = f" hint={_shown_attribute(described)}" if described else ""
    return f"<Choice value={_shown_attribute(name)}{alias}{hotkey}{hint}/>"


def _hotkeys(classes: Sequence[str]) -> list[str]:
    """Give up to ten classes a key each; a class named by one character gets that one."""
    keys = [c.lower() for c in classes if len(c) == 1 and c.isascii() and c.isalnum()]
    if len(keys) == len(set(keys)) == len(classes):
        return keys
    return list("1234567890")[: len(classes)] if len(classes) <= 10 else []


def read_config(config: str, where: str) -> tuple[Known, ...]:
    """Check a project's configuration and return the schemas it remembers, oldest first.

    Raises
    ------
    EndProtocolError
        If somebody edited it so that answers can no longer be understood; says what is wrong
        and what to do.
    """
    remedy = (
        f"somebody edited {where}; undo it under Settings → Labeling Interface, or rename that "
        "project and send again, which makes a new one"
    )
    try:
        # No entities: a document type is the only way to bring them in, and it is refused.
        if "<!DOCTYPE" in config.upper():
            raise ET.ParseError("a document type is not allowed")
        root = ET.fromstring(config)  # noqa: S314 - see above
    except ET.ParseError as error:
        raise EndProtocolError(
            f"its labeling configuration is not XML ({error}): {remedy}"
        ) from None
    control = next((e for e in root.iter("Choices") if e.get("name") == CONTROL), None)
    if control is None or control.get("toName") != OBJECT:
        raise EndProtocolError(f"the choices named {CONTROL!r} are gone: {remedy}")
    there = [e.get("alias") or e.get("value") or "" for e in control.iter("Choice")]
    known = _remembered(config)
    if not known:
        raise EndProtocolError(f"the list of schemas (a comment) is gone: {remedy}")
    missing = [c for c in known[-1].classes if c not in there]
    extra = [c for c in there if not any(c in k.classes for k in known)]
    if missing or extra:
        what = (
            f"class {shown(missing[0])} is gone" if missing else f"class {shown(extra[0])} is new"
        )
        raise EndProtocolError(f"{what}: {remedy}")
    return known


def _remembered(config: str) -> tuple[Known, ...]:
    _, mark, rest = config.partition(f"<!-- {_MARK} ")
    body, end, _ = rest.partition(" -->")
    try:
        raw = json.loads(body) if mark and end else []
        return tuple(Known(str(digest), tuple(map(str, classes))) for digest, classes in raw)
    except (ValueError, TypeError):
        return ()


def widened(known: Sequence[Known], schema: Schema, answers: Mapping[str, int], where: str) -> None:
    """Make sure that no answer loses its class when the schema replaces the last known one.

    Parameters
    ----------
    known : sequence of Known
        The schemas a project had, oldest first.
    schema : Schema
    answers : mapping of str to int
        Class name → how many answers in the project name it.
    where : str
        The project, for the message.

    Raises
    ------
    SchemaError
        If a class that has answers would go without a rename.
    """
    names = (name for k in known for name in k.classes)
    gone = [c for c in names if c not in schema.classes and c not in schema.renames]
    for name in gone:
        if answers.get(name):
            raise SchemaError(
                f"class {shown(name)} is no longer in schema {schema.name!r}, but {where} has "
                f"{counted(answers[name], 'answer')} that name it; say what it became under "
                "[schema.renames], keep it, delete these answers in Label Studio, or give the "
                "label set a new name"
            )
