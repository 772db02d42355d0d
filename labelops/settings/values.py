"""One table of TOML → the dataclass of its section: known keys, declared types, overrides."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar, get_type_hints

from ..errors import SettingsError, shown

__all__ = ["check_one_of", "known_only", "named_sections", "section_of"]

T = TypeVar("T")

_SECRET_WORDS = ("key", "token", "secret", "password")
_CALLED: Mapping[object, str] = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}
"""Types, as who writes settings calls them."""


def known_only(table: object, known: tuple[str, ...], where: str) -> None:
    """Refuse what is no table, and keys nobody knows; one that looks like a secret, as such.

    Parameters
    ----------
    table : object
        What stands at a place of the file.
    known : tuple of str
        Its keys.
    where : str
        The place, for messages.

    Raises
    ------
    SettingsError
        With the nearest known key.

    Examples
    --------
    >>> known_only({"erorr": 0.1}, ("error", "risk"), "[gate]")
    Traceback (most recent call last):
    labelops.errors.SettingsError: [gate]: unknown key 'erorr'; did you mean 'error'?
    """
    if not isinstance(table, Mapping):
        raise SettingsError(f"{where}: expected a table, found {shown(table)}")
    for key in table:
        if key in known:
            continue
        if any(word in str(key).lower() for word in _SECRET_WORDS):
            raise SettingsError(
                f"{where}: {key!r} looks like a secret; secrets come from the environment only"
            )
        near = difflib.get_close_matches(str(key), known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        raise SettingsError(f"{where}: unknown key {key!r}; {hint}")


def check_one_of(where: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse a word that is none of those a setting may have; the nearest of them is named.

    Raises
    ------
    SettingsError
        With all of them.

    Examples
    --------
    >>> check_one_of("queue.type", "paper", ("local", "label-studio"))
    Traceback (most recent call last):
    labelops.errors.SettingsError: queue.type is 'paper', expected one of local, label-studio
    """
    if value in known:
        return
    near = difflib.get_close_matches(value.lower(), known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise SettingsError(f"{where} is {shown(value)}, expected one of {', '.join(known)}{hint}")


def named_sections(cls: type[T], raw: object, what: str, env: Mapping[str, str]) -> tuple[T, ...]:
    """Return the sections `[what.NAME]`, each with its name, in the file's order.

    Raises
    ------
    SettingsError
        As `section_of`.
    """
    if not isinstance(raw, Mapping):
        raise SettingsError(f"[{what}.NAME] sections are missing or not tables")
    return tuple(
        section_of(cls, {"name": name, **_table(table, what, name)}, f"{what}.{name}", env)
        for name, table in raw.items()
    )


def _table(raw: object, what: str, name: str) -> Mapping[str, object]:
    if not isinstance(raw, Mapping):
        raise SettingsError(f"[{what}.{name}] is not a table; write it as a section of its own")
    return raw


def section_of(cls: type[T], raw: object, where: str, env: Mapping[str, str]) -> T:
    """Return a section: what the file says, over it what the environment says, else defaults.

    Parameters
    ----------
    cls : dataclass
        The section; its annotations are the types that its keys must have.
    raw : object
        What stands in the file; anything but a table is refused.
    where : str
        The section's name, such as ``gate`` or ``rule.money``.
    env : mapping
        ``LABELOPS_GATE_ERROR`` overrides ``gate.error``.

    Raises
    ------
    SettingsError
        Naming the key, what was found and what was expected.
    """
    hints = get_type_hints(cls)
    known_only(raw, tuple(hints), f"[{where}]")
    values = dict(raw) if isinstance(raw, Mapping) else {}
    for key in hints:
        override = env.get(f"LABELOPS_{where.replace('.', '_')}_{key}".upper())
        if override is not None:
            values[key] = _from_text(override, hints[key], f"{where}.{key}")
    typed = {k: _typed(v, hints[k], f"{where}.{k}") for k, v in values.items()}
    try:
        return cls(**typed)
    except TypeError as error:
        missing = str(error).split("argument")[-1].strip(": s")
        raise SettingsError(f"[{where}] needs {missing}") from None


def _from_text(text: str, hint: object, where: str) -> object:
    try:
        if hint is bool:
            return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]
        if hint is int:
            return int(text)
        if hint is float:
            return float(text)
    except (KeyError, ValueError):
        expected = _CALLED.get(hint, "a text")
        raise SettingsError(
            f"{where} from the environment is {shown(text)}, expected {expected}"
        ) from None
    return text.split(",") if hint == tuple[str, ...] else text


def _typed(value: object, hint: object, where: str) -> object:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if hint == tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(v, str) for v in value):
            return tuple(value)
        raise SettingsError(f"{where} is {_said(value)}, expected a list of texts")
    if hint in _CALLED:
        if type(value) is hint:
            return value
        quotes = ", without quotes" if isinstance(value, str) else ""
        raise SettingsError(f"{where} is {_said(value)}, expected {_CALLED[hint]}{quotes}")
    if isinstance(value, Mapping):
        return value
    raise SettingsError(f"{where} is {_said(value)}, expected a table")


def _said(value: object) -> str:
    """Quote a value as the file has it: `true`, not Python's `True`."""
    return str(value).lower() if isinstance(value, bool) else shown(value)
