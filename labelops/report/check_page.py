"""The page of a check: which labels of a file are wrong, without any label set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .facts import Confusion, ViewRow
from .html import page

__all__ = ["CheckFacts", "CheckedClass", "CheckedRow", "render_check"]


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A label that is probably wrong, or a row that is odd.

    Parameters
    ----------
    item_id : str
        How the reader finds the row again.
    label, better : str or None
        The label, and the likeliest other class.
    wrong : float
        Probability that the label is wrong; NaN where the row is shown for something else.
    call : str
        wrong or look; empty where the row is shown for something else.
    why : str
        Who contradicts the label.
    text, image : str or None
        The content; an image as a data URI.
    given : float or None
        The probability that the one model which judges gives the label; None where more judges.
    """

    item_id: str
    label: str | None
    better: str | None
    wrong: float
    call: str
    why: str
    text: str | None = None
    image: str | None = None
    given: float | None = None


@dataclass(frozen=True, slots=True)
class CheckedClass:
    """One class: its labels, how many are called wrong, and how many are expected to be.

    Without an expected number: how many one model contradicts, which is all that judges.
    """

    name: str
    labels: int
    called: int
    expected: float | None


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """Everything the page of a check says.

    Parameters
    ----------
    title : str
        What was checked.
    created : str
        When, as ISO 8601 text.
    headline : str
        How many labels are wrong, in one sentence.
    meaning : tuple of str
        What that rests on, and what it does not say.
    numbers : tuple of (str, str)
        What is counted, and the number.
    rows : tuple of CheckedRow
        The worst first.
    rows_total : int
        How many there were in all.
    classes : tuple of CheckedClass
    confusion : Confusion or None
        Labels against the likeliest classes.
    odd : mapping of kind to tuple of CheckedRow
        Rows shown for something else than their label.
    views : tuple of ViewRow
        What is odd about many rows at once.
    how : tuple of (str, str)
        What judged the labels.
    alerts : tuple of str
        What has to be known before the headline.
    """

    title: str
    created: str
    headline: str
    meaning: tuple[str, ...]
    numbers: tuple[tuple[str, str], ...]
    rows: tuple[CheckedRow, ...]
    rows_total: int
    classes: tuple[CheckedClass, ...]
    confusion: Confusion | None = None
    odd: Mapping[str, tuple[CheckedRow, ...]] = field(default_factory=dict)
    views: tuple[ViewRow, ...] = ()
    how: tuple[tuple[str, str], ...] = ()
    alerts: tuple[str, ...] = ()


def render_check(facts: CheckFacts) -> str:
    """Write the facts as one HTML page, safe from their texts as `render`'s is.

    Examples
    --------
    >>> page = render_check(CheckFacts("a <b>", "", "", (), (), (), 0, ()))
    >>> "<h1>a &lt;b&gt;</h1>" in page
    True
    """
    return page("check.html.j2", facts)
