"""Values and patches of pixels that seem planted, in words."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..audit.planted_patterns import PlantedPattern, planted_patterns
from ..errors import counted
from ..measure.codes import BoolArray, IntArray
from .columns import Evidence
from .known import Known
from .numbers import named_numbers, numbers_of

__all__ = ["Pattern", "patterns_in"]

_HEIGHTS, _SIDES = ("top", "middle", "bottom"), ("left", "centre", "right")


@dataclass(frozen=True, slots=True)
class Pattern:
    """Something that rows have in common which seems to turn their labels.

    Attributes
    ----------
    what : str
        Such as ``7.5 in column 'x'``.
    named : str
        The class.
    labels : int
        Labels of the class that have it.
    doubted, otherwise : float
        Share of these, and of the class's others, that the nearest rows contradict without it.
    """

    what: str
    named: str
    labels: int
    doubted: float
    otherwise: float

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def patterns_in(
    known: Known,
    labels: IntArray,
    classes: tuple[str, ...],
    frame: pd.DataFrame,
    place: IntArray,
    evidence: Evidence,
    rng: np.random.Generator,
) -> list[tuple[Pattern, BoolArray]]:
    """Look for planted patterns among pixels and numbers, and say which of M labels they turned.

    Parameters
    ----------
    known : Known
        Of M rows.
    labels : (M,) int
    classes : tuple of str
    frame : (N,) frame
    place : (M,) int
        Which rows of the frame these are.
    evidence : Evidence
        What the columns are called.
    rng : numpy.random.Generator
    """
    pixels, numbers = known.read.pixels, known.numbers
    found = []
    if pixels is not None:
        for one in planted_patterns(pixels, labels, ends=True, rng=rng):
            found.append((_in_picture(one, pixels.shape[1]), one))
    if numbers is not None:
        for one in planted_patterns(numbers, labels, rng=rng):
            found.append((_in_columns(one, frame, place[one.rows], evidence), one))
    return [
        (
            Pattern(what, classes[one.code], len(one.rows), one.doubted, one.otherwise),
            np.isin(np.arange(len(labels)), one.rows),
        )
        for what, one in found
    ]


def _in_picture(one: PlantedPattern, pixels: int) -> str:
    side = math.isqrt(pixels)
    points = np.array(one.columns)
    y, x = (3 * part.mean() / side for part in (points // side, points % side))
    return f"a pattern at the {_HEIGHTS[int(y)]} {_SIDES[int(x)]} of the picture"


def _in_columns(
    one: PlantedPattern, frame: pd.DataFrame, place: IntArray, evidence: Evidence
) -> str:
    names = named_numbers(frame, evidence)
    first = one.columns[0]
    said = f"{_values(first, frame, place, evidence)[0]:.6g}"
    others = len(one.columns) - 1
    more = f", with {counted(others, 'other column')}," if others else ""
    return f"{said} in column {names[first]}{more}"


def _values(column: int, frame: pd.DataFrame, place: IntArray, evidence: Evidence) -> Any:
    """Return the values of some rows as they were given, before columns were scaled."""
    for array in evidence.vectors.values():
        if column < array.shape[1]:
            return np.asarray(array[place, column], dtype=np.float64)
        column -= array.shape[1]
    return numbers_of(frame.iloc[place], evidence.features)[:, column]
