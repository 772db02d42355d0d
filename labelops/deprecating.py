"""Telling people not to use a release: nothing of it changes, and whoever reads it is warned."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from .digest import canonical_json
from .errors import UsageError
from .release import parse_reference
from .released import names_of, resolve
from .state import Event, State, Workspace, decide, load_events

__all__ = ["Deprecation", "deprecate", "deprecated_in"]

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
    """

    release: str
    deprecated: str
    new: bool


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
    body = canonical_json({"because": said})

    def conclude(state: State) -> tuple[bool, list[Event]]:
        if deprecated_in(state).get(found, "") == said:
            return False, []
        return True, [state.next_event("deprecated", found, body)]

    return Deprecation(found, said, decide(workspace, conclude, now, read=load_events))
