"""Taking single items out of a label set, and taking that back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from .deprecating import deprecated_in
from .digest import canonical_json
from .errors import NotFoundError, UsageError, counted, shown
from .release import Reference, released_versions
from .released import Decode, read_release, resolve
from .state import Event, State, Workspace, decide, load
from .state.withdrawn import TAKEN_OUT

__all__ = ["Withdrawn", "withdraw"]

_LONGEST = 500
"""So many characters of a reason are kept."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What `withdraw` left behind.

    Parameters
    ----------
    items : tuple of str
        The items that were named, each once.
    out : bool
        Whether they are out of the label set now.
    changed : tuple of str
        Those of which that was not so before.
    audited : int
        How many of them an open candidate has among its labels: its audit goes on with each as an
        error.
    copies : tuple of str
        Other items, not withdrawn, that have the very content of one of them.
    releases : mapping of `name@version` to int
        Releases that hold some of them, oldest first, and how many: releases never change.
    deprecated : tuple of str
        Those of these releases that people are warned of.
    """

    items: tuple[str, ...]
    out: bool
    changed: tuple[str, ...]
    audited: int
    copies: tuple[str, ...]
    releases: Mapping[str, int]
    deprecated: tuple[str, ...]


def withdraw(
    workspace: Workspace,
    items: Sequence[str],
    *,
    because: str,
    by: str,
    now: datetime,
    decode: Decode,
    back: bool = False,
) -> Withdrawn:
    """Take items out of the label set, or back into it; all of them or none, and again is fine.

    Nobody is asked about them any more, no model or rule proposes for them, and no release is made
    with them, also when their rows are ingested again. What people said of them stays evidence of
    people and models. Nothing is erased.

    Parameters
    ----------
    workspace : Workspace
    items : sequence of str
        Item ids.
    because, by : str
        Why, up to 500 characters, and who says so; both are kept for good.
    now : datetime
    decode : callable
        Reads a part of a release.
    back : bool
        Take them back: they have the labels they had.

    Raises
    ------
    UsageError
        If no item, no reason or nobody is named, or the reason is too long.
    NotFoundError
        If an item is none of the label set's: then none is withdrawn.
    """
    named = tuple(dict.fromkeys(items))
    why, who = " ".join(because.split()), " ".join(by.split())
    _check(named, why, who)

    def conclude(state: State) -> tuple[tuple[str, ...], list[Event]]:
        _refuse_unknown(state, named)
        changed = tuple(i for i in named if (i in state.withdrawn) == back)
        body = canonical_json(
            {"because": why, "by": who, "candidates": len(state.candidates), "out": not back}
        )
        return changed, [state.next_event(TAKEN_OUT, item, body) for item in changed]

    changed = decide(workspace, conclude, now)
    state = load(workspace)
    frozen = () if state.candidate is None else state.labels_of(state.candidate).index
    releases = dict(_holding(workspace, set(named), decode))
    warned = deprecated_in(state)
    return Withdrawn(
        items=named,
        out=not back,
        changed=changed,
        audited=0 if back else len(set(frozen) & set(named)),
        copies=() if back else _copies(state, named),
        releases=releases,
        deprecated=tuple(release for release in releases if release in warned),
    )


def _check(named: tuple[str, ...], why: str, who: str) -> None:
    if not named:
        raise UsageError("no item is named; name items by their ids, as `labelops explain` does")
    if not why or not who:
        raise UsageError("say why (--because TEXT) and who says so (--by NAME): both are kept")
    if len(why) > _LONGEST or len(who) > _LONGEST:
        longest = max(len(why), len(who))
        raise UsageError(f"the reason has {longest} characters; {_LONGEST} at most are kept")


def _refuse_unknown(state: State, named: tuple[str, ...]) -> None:
    known = set(state.item_ids)
    unknown = [item for item in named if item not in known]
    if unknown:
        more = f" (and {counted(len(unknown) - 1, 'more')})" if len(unknown) > 1 else ""
        raise NotFoundError(
            f"no item {shown(unknown[0])} among the items{more}, so nothing was changed; ids are "
            "those of the source's key column, of a folder the files' paths in it"
        )


def _copies(state: State, named: tuple[str, ...]) -> tuple[str, ...]:
    """Return other items with the very content of one of these: they are not withdrawn by that."""
    items = state.items
    content = items.loc[items["item_id"].isin(named), "payload_digest"]
    same = items.loc[items["payload_digest"].isin(content), "item_id"]
    return tuple(sorted(set(same) - set(named) - set(state.withdrawn)))


def _holding(
    workspace: Workspace, named: Collection[str], decode: Decode
) -> Iterator[tuple[str, int]]:
    """Give each release that holds some of these items, and how many."""
    name = workspace.schema.name
    for version in released_versions(name, workspace.objects.list(f"releases/{name}/")):
        manifest = resolve(workspace.objects, Reference(name, version=version), {})
        found = read_release(workspace.objects, manifest, decode).items["item_id"].isin(named)
        if found.any():
            yield manifest.reference, int(found.sum())
