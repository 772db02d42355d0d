"""Filters over a table's columns, built from values, never from text: nothing to inject into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.dataset as ds

from ..errors import UsageError, shown
from ..tables import Column, TableSpec
from ._arrow import ARROW

__all__ = ["column_of", "condition_of"]


def column_of(spec: TableSpec, name: str) -> Column:
    """Give a table's column, or refuse its name."""
    if name not in spec.names:
        raise UsageError(f"table {spec.name} has no column {shown(name)}")
    return spec[name]


def condition_of(
    spec: TableSpec, where: Mapping[str, str | int | Sequence[str]]
) -> ds.Expression | None:
    """Build the filter that every value given for a column must pass; None lets all rows pass.

    Parameters
    ----------
    spec : TableSpec
    where : mapping
        Column → value it must equal, or values it must be among.

    Raises
    ------
    UsageError
        If there is no such column, or a value does not fit it.

    Examples
    --------
    >>> from labelops.tables import ITEMS
    >>> condition_of(ITEMS, {"item_id": "a"})
    <pyarrow.compute.Expression (item_id == "a")>
    """
    condition: ds.Expression | None = None
    for name, wanted in where.items():
        column = column_of(spec, name)
        single = isinstance(wanted, str | int)
        values = [wanted] if single else list(wanted)  # type: ignore[arg-type]
        try:
            if column.type == "floats" or any(v is None for v in values):
                raise TypeError("no comparison")
            typed = pa.array(values, type=ARROW[column.type])
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            raise UsageError(
                f"table {spec.name}, column {name!r}: {shown(wanted)} does not fit a "
                f"{column.type} column"
            ) from None
        field = ds.field(name)
        part = field == typed[0] if single else field.isin(typed)
        condition = part if condition is None else condition & part
    return condition
