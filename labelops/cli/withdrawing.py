"""`labelops withdraw`: taking single items out of a label set."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import click

from ..errors import UsageError, counted
from .base import Session, command
from .words import columns, safe

if TYPE_CHECKING:
    from ..withdrawing import Withdrawn

__all__ = ["withdraw"]

_SHOWN = 5


@command(
    'labelops withdraw T-0042 T-0043 --because "the writer asked for it"',
    'labelops withdraw T-0042 --undo --because "another writer was meant"',
)
@click.argument("items", metavar="ITEM...", nargs=-1, required=True)
@click.option("--because", metavar="TEXT", required=True, help="Why; kept for good.")
@click.option("--by", metavar="NAME", help="Who says so; by default the user of this computer.")
@click.option("--undo", is_flag=True, help="Take the items back into the label set.")
def withdraw(
    session: Session, items: tuple[str, ...], because: str, by: str | None, undo: bool
) -> None:
    """Take items out of the label set.

    Nobody is asked about them any more, and no model proposes for them; no release is made with
    them, also when they are ingested again. Releases that hold them are named and stay as they
    are. Nothing is erased.
    """
    found = session.app.withdraw(items, because, by or _user(), back=undo)
    session.show(found, _said(found))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise UsageError("this computer does not say who you are; give --by NAME") from None


def _listed(ids: tuple[str, ...]) -> str:
    more = f" and {counted(len(ids) - _SHOWN)} more" if len(ids) > _SHOWN else ""
    return ", ".join(map(safe, ids[:_SHOWN])) + more


def _said(found: Withdrawn) -> str:
    done = counted(len(found.changed), "item")
    before = len(found.items) - len(found.changed)
    now = "out of" if found.out else "back in"
    parts = [f"{done} {'is' if len(found.changed) == 1 else 'are'} {now} the label set now."]
    if before:
        parts.append(f"{counted(before, 'item')} {'was' if before == 1 else 'were'} so before.")
    text = [" ".join(parts)]
    if found.audited:
        text.append(
            f"{counted(found.audited, 'label')} of the candidate under audit went with that: its "
            "audit goes on with each as an error that is gone, and takes more looks."
        )
    if found.copies:
        text.append(f"The same content is still there as {_listed(found.copies)}.")
    if found.releases and found.out:
        rows = [
            [safe(release), counted(n, "item"), "deprecated" if release in found.deprecated else ""]
            for release, n in found.releases.items()
        ]
        text.append(
            "Releases that hold them, and go on doing so:\n"
            + columns(rows, right=[1], indent=2)
            + "\n`labelops deprecate REF --because TEXT` warns who reads one."
        )
    if found.out:
        text.append(
            "`labelops send` stops asking people about them. Nothing is erased: the guide to "
            "withdrawing says where their content still is."
        )
    return "\n".join(text)
