"""What a labeler's answers will cost, before anybody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import counted
from .base import Session

if TYPE_CHECKING:
    from ..ports import Estimate

__all__ = ["plan_labeler"]


def plan_labeler(session: Session) -> None:
    """Show what asking the labeler about all items taken in will cost; asks nobody."""
    found = session.app.estimate()
    session.show(found, "The labeler's answers cost nothing." if found is None else _said(found))


def _said(found: Estimate) -> str:
    rest = found.items - found.answered
    if not rest:
        text = f"All {counted(found.items, 'item')} are answered; asking again costs nothing."
    else:
        text = (
            f"{counted(rest, 'item')} are to be asked about: at most about "
            f"{counted(found.input_tokens)} tokens asked, {counted(found.output_tokens)} answered."
        )
        if found.answered:
            text += f"\n{counted(found.answered, 'item')} are answered already, or are copies."
    text += "\nOnly items taken in are counted: `labelops ingest` takes in what is new."
    if found.cost is None:
        return f"{text}\nNo prices are set: input_price and output_price are under [chat]."
    most = f", of {found.most:,.4f} that may be spent" if found.most else ""
    return f"{text}\nAbout {found.cost:,.4f} more; {found.spent or 0:,.4f} is spent{most}."
