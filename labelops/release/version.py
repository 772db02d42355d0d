"""Version numbers of releases, and the ways to name a release."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import UsageError, shown

__all__ = [
    "CHANGES",
    "LATEST",
    "Reference",
    "Version",
    "check_alias",
    "next_version",
    "parse_reference",
]

CHANGES = ("major", "minor", "patch")
"""Schema changed; labels or payloads changed; only metadata changed."""

LATEST = "latest"
"""The name that every release takes over by itself."""

_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A semantic version; versions sort by number, not by text.

    Examples
    --------
    >>> Version.parse("1.10.0") > Version.parse("1.9.3"), str(Version(2, 0, 1))
    (True, '2.0.1')
    """

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read a version.

        Raises
        ------
        UsageError
            If the text is not three plain numbers with dots.
        """
        found = _VERSION.fullmatch(text)
        if found is None:
            raise UsageError(f"version {shown(text)}: expected three numbers, such as 1.4.0")
        return cls(*map(int, found.groups()))


def next_version(parent: Version | None, change: str) -> Version:
    """Return the version after `parent`; 1.0.0 where there is none.

    Parameters
    ----------
    parent : Version or None
        The newest release.
    change : {"major", "minor", "patch"}

    Raises
    ------
    UsageError
        For another change.

    Examples
    --------
    >>> [str(next_version(Version(1, 2, 3), c)) for c in ("major", "minor", "patch")]
    ['2.0.0', '1.3.0', '1.2.4']
    """
    if change not in CHANGES:
        raise UsageError(f"change {shown(change)} is not one of {', '.join(CHANGES)}")
    if parent is None:
        return Version(1, 0, 0)
    if change == "major":
        return Version(parent.major + 1, 0, 0)
    if change == "minor":
        return Version(parent.major, parent.minor + 1, 0)
    return Version(parent.major, parent.minor, parent.patch + 1)


@dataclass(frozen=True, slots=True)
class Reference:
    """How somebody names a release: by its version, or by a name that moves.

    Parameters
    ----------
    name : str
        The label set.
    version : Version or None
        The version, if it is named by one.
    alias : str or None
        Otherwise the moving name: `latest`, `prod`, …
    """

    name: str
    version: Version | None = None
    alias: str | None = None

    def __str__(self) -> str:
        return f"{self.name}@{self.version or self.alias}"


def check_alias(text: str) -> str:
    """Return a name that may be given to a release.

    Raises
    ------
    UsageError
        If no reference could be read with it, or it is `latest`, which is the newest release.

    Examples
    --------
    >>> check_alias("prod")
    'prod'
    """
    if text == LATEST:
        raise UsageError(
            f"the name {LATEST!r} always means the newest release; give another, such as 'prod'"
        )
    if not _ALIAS.fullmatch(text):
        raise UsageError(
            f"the name {shown(text)} could not be read after '@'; a name is up to 64 small "
            "letters, digits, '-' and '_', a letter first"
        )
    return text


def parse_reference(text: str) -> Reference:
    """Read `name@version` or `name@latest`; a name alone means its latest release.

    Raises
    ------
    UsageError
        If the name or what follows it is malformed.

    Examples
    --------
    >>> str(parse_reference("digits")), parse_reference("digits@1.2.0").version
    ('digits@latest', Version(major=1, minor=2, patch=0))
    """
    name, at, rest = text.partition("@")
    if not _NAME.fullmatch(name) or (at and not rest):
        raise UsageError(
            f"release {shown(text)}: expected name@version, such as digits@1.4.0 or digits@latest"
        )
    if not at:
        return Reference(name, alias=LATEST)
    if rest[0].isdigit():
        return Reference(name, version=Version.parse(rest))
    if not _ALIAS.fullmatch(rest):
        raise UsageError(
            f"release {shown(text)}: after '@' comes a version such as 1.4.0, or a name of small "
            "letters, digits, '-' and '_'"
        )
    return Reference(name, alias=rest)
