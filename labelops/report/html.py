"""The page: one file, no script, nothing loaded from anywhere, every text escaped.

The content policy allows exactly one style sheet (by its hash) and pictures inside the file; a
browser refuses everything else even if something slipped through the escaping. Style attributes
are refused as well, so lengths in pictures are SVG attributes and shades are classes.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from ..errors import percent
from . import words
from .facts import AnnotatorRow, Confusion, ReportFacts

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["page", "render"]

_SHADES = 8
_PIECES = re.compile(r"[^_\s]{1,24}_?\s*|_|\s+")
_FEW = 10  # Votes below which a share says nothing of people.
_MATRIX = 16
"""More classes than this and the commonest mistakes are listed instead."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where the certificate's numbers lie in its picture; every number is a position."""

    low: float
    high: float
    estimate: float
    bound: float
    ticks: tuple[tuple[float, str], ...]


def render(facts: ReportFacts) -> str:
    """Write the facts as one HTML page that needs nothing but a browser.

    Parameters
    ----------
    facts : ReportFacts
        Its texts are untrusted: they are escaped, and characters that hide or reorder text are
        shown by their code.

    Returns
    -------
    str
        Encodes as UTF-8 whatever the texts held.

    References
    ----------
    Content Security Policy Level 3, https://www.w3.org/TR/CSP3/
    """
    return page(
        "report.html.j2",
        facts,
        said=words.statement(facts),
        asked=words.ASKED,
        axis=_axis(facts),
        few_votes=_FEW,
    )


def page(template: str, facts: object, **more: object) -> str:
    """Fill in a template under the one style sheet and the content policy that allows it.

    Parameters
    ----------
    template : str
        A file of `templates/` that extends the page.
    facts : dataclass
        With a `title`; texts are escaped.
    **more
        What else the template names.

    Returns
    -------
    str
    """
    from markupsafe import Markup

    style = files("labelops.report").joinpath("templates", "report.css").read_text("utf-8")
    filled = _environment().get_template(template)
    return filled.render(
        facts=facts,
        style=Markup(style),  # noqa: S704 - our own file, no text of anybody else
        policy=_content_policy(style),
        matrix_limit=_MATRIX,
        odd_kinds=words.ODD_KINDS,
        view_names=words.VIEW_NAMES,
        **more,
    )


@cache  # Reading the template takes longer than filling it in.
def _environment() -> Environment:
    """Return the templates' environment: every text escaped, hidden characters shown."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # lazy: only reports need it

    environment = Environment(
        loader=PackageLoader("labelops.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": words.count,
        "percent": lambda *shown, **how: _unbroken(percent(*shown, **how)),
        "unbroken": _unbroken,
        "cut": words.cut,
        "breaks": _breaks,
        "kind_name": words.kind_name,
        "moment": words.moment,
        "px": _px,
    }
    environment.globals |= {"shade": _shade, "interval": _interval}
    return environment


def _breaks(name: str) -> Markup:
    """Let a long name go on in the next line: after an underscore, or inside a very long word."""
    from markupsafe import Markup

    return Markup("<wbr>").join(_PIECES.findall(words.visible(name)))


def _finalize(value: object) -> object:
    """Make hidden characters visible in every text that the template puts out."""
    return words.visible(value) if type(value) is str else value


def _unbroken(text: str) -> str:
    """Keep a number and its percent sign on one line."""
    return text.replace(" %", "\u00a0%")


def _content_policy(style: str) -> str:
    """Allow this style sheet and pictures inside the page, nothing else."""
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{hashed}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _px(position: float, width: float = 100.0) -> str:
    """Turn a position in [0, 1] into an SVG length."""
    return f"{width * min(max(position, 0.0), 1.0):.2f}".rstrip("0").rstrip(".")


def _shade(confusion: Confusion, row: int, column: int) -> str:
    """Give the CSS class of a cell of the heat map: how much of its row it holds."""
    cells = confusion.counts[row]
    n = cells[column]
    if not n:
        return "zero"
    # The square root makes a mistake of one in a hundred still visible.
    level = math.ceil(_SHADES * math.sqrt(n / sum(cells)))
    return f"{'hit' if row == column else 'miss'} s{max(1, level)}"


def _interval(row: AnnotatorRow) -> str:
    return f"{percent(row.low, 0)} to {percent(row.high, 0)}"


def _axis(facts: ReportFacts) -> _Axis | None:
    certificate = facts.certificate
    if certificate is None or certificate.n == 0:
        return None
    interval = certificate.interval or certificate.anytime
    top = _round_up(1.15 * max(certificate.bound * 1.5, interval.high))
    steps = 4
    ticks = tuple((i / steps, percent(top * i / steps, 2)) for i in range(steps + 1))
    return _Axis(
        interval.low / top,
        interval.high / top,
        certificate.estimate / top,
        certificate.bound / top,
        ticks,
    )


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 4, 6, 8 × a power of ten, at most 1: axis ends that read well."""
    power: float = 10.0 ** math.floor(math.log10(value)) if value > 0 else 0.01
    steps = (s * power for s in (1, 2, 4, 6, 8, 10))
    return min(1.0, next((s for s in steps if s >= value - 1e-12), 10 * power))
