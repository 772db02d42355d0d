"""Telling people not to use a release: nothing of it changes, and whoever reads it is warned."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from .digest import canonical_json
from .errors import UsageError
from .ports import Objects
from .release import Manifest, parse_reference, released_versions
from .released import names_of, resolve
from .state import Event, State, Workspace, decide, load_events

__all__ = ["Deprecation", "News", "deprecate", "deprecated_in", "news_of"]

_LONGEST = 500
"""So many characters are kept, and shown wherever the warning is."""


@dataclass(frozen=True, slots=True)
class Deprecation:
    """What `deprecate` left behind.

    Parameters
    ----------
    release : str
        `name@version`.
    deprecated : str
        The warning as it is kept: white space is one space. Empty where there is none.
    new : bool
        False if that was so already.
    names : tuple of str
        Names that mean the release, and go on meaning it.
    """

    release: str
    deprecated: str
    new: bool
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class News:
    """What has become known of a release since it was made.

    Parameters
    ----------
    deprecated : str
        Why it should not be used any more; empty where nobody said so.
    newer : str
        The newest later release that may be used, as `name@version`; empty if there is none.
    """

    deprecated: str
    newer: str

    def in_words(self, release: str) -> str:
        """Return the warning not to use a deprecated release, with what to use instead.

        Examples
        --------
        >>> News("labels were swapped", "digits@1.1.0").in_words("digits@1.0.0")
        'digits@1.0.0 should not be used any more: labels were swapped; newer is digits@1.1.0'
        """
        newer = f"; newer is {self.newer}" if self.newer else ""
        return f"{release} should not be used any more: {self.deprecated}{newer}"


def news_of(state: State, objects: Objects, manifest: Manifest) -> News:
    """Return what has become known of a release since it was made."""
    deprecated, name = deprecated_in(state), manifest.name
    versions = released_versions(name, objects.list(f"releases/{name}/"))
    later = [f"{name}@{v}" for v in versions if v > manifest.version]
    usable = [release for release in later if release not in deprecated]
    return News(deprecated.get(manifest.reference, ""), usable[-1] if usable else "")


def deprecated_in(state: State) -> dict[str, str]:
    """Return the releases that should not be used any more: `name@version` → why."""
    rows = state.latest("deprecated")
    why = (json.loads(body)["because"] for body in rows["body"])
    return {release: said for release, said in zip(rows["subject"], why, strict=True) if said}


def deprecate(workspace: Workspace, reference: str, because: str, *, now: datetime) -> Deprecation:
    """Say that a release should not be used any more, and why; saying it again is fine.

    Its bytes stay, names that mean it go on meaning it, and it can still be read.

    Parameters
    ----------
    workspace : Workspace
    reference : str
    because : str
        For people who read it, up to 500 characters; empty takes the warning back.
    now : datetime

    Raises
    ------
    UsageError
        If the reason is too long.
    NotFoundError
        If there is no such release.
    """
    said = " ".join(because.split())
    if len(said) > _LONGEST:
        raise UsageError(f"the reason has {len(said)} characters; {_LONGEST} at most are kept")
    names = names_of(load_events(workspace))
    found = resolve(workspace.objects, parse_reference(reference), names).reference
    meant = tuple(sorted(alias for alias, release in names.items() if release == found))
    body = canonical_json({"because": said})

    def conclude(state: State) -> tuple[bool, list[Event]]:
        if deprecated_in(state).get(found, "") == said:
            return False, []
        return True, [state.next_event("deprecated", found, body)]

    return Deprecation(found, said, decide(workspace, conclude, now, read=load_events), meant)
