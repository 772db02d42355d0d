"""The kind `choice`: exactly one class of the schema, stored as its name in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..digest import canonical_json
from ..errors import SchemaError, shown
from ..schema import Schema

__all__ = ["canonical", "codes_of", "distance", "parse", "renamed", "values_of"]


def canonical(raw: object, schema: Schema) -> str:
    """Check a raw answer and return its canonical JSON text; old class names become new ones.

    Raises
    ------
    SchemaError
        If `raw` is not one class of the schema.

    Examples
    --------
    >>> canonical("cat", Schema("pets", ("cat", "dog")))
    '"cat"'
    """
    if not isinstance(raw, str):
        raise SchemaError(f"{shown(raw)} is not a class name of schema {schema.name!r}")
    return canonical_json(schema.classes[schema.code_of(raw)])


def parse(value: str, schema: Schema) -> str:
    """Read a canonical value back as the class name it means under `schema`.

    Raises
    ------
    SchemaError
        If `value` is not JSON text of a class.

    Examples
    --------
    >>> parse('"cat"', Schema("pets", ("cat", "dog")))
    'cat'
    """
    try:
        raw = json.loads(value)
    except ValueError:
        raise SchemaError(f"{shown(value)} is not a JSON value") from None
    if not isinstance(raw, str):
        raise SchemaError(f"{shown(value)} is not a class name in JSON")
    return schema.classes[schema.code_of(raw)]


def distance(a: str, b: str) -> float:
    """Return 0.0 for the same class and 1.0 for different ones.

    Examples
    --------
    >>> distance('"cat"', '"dog"')
    1.0
    """
    return float(a != b)


def codes_of(values: Iterable[object], schema: Schema) -> npt.NDArray[np.int64]:
    """Turn canonical values into class codes in the schema's order.

    Parameters
    ----------
    values : iterable of str or None
        N canonical JSON texts; None (or NaN) is a missing value.
    schema : Schema
        Gives the order; its renames apply.

    Returns
    -------
    (N,) int64 array, -1 where the value is missing.

    Raises
    ------
    SchemaError
        If a value is not one of the schema's.

    Examples
    --------
    >>> codes_of(['"dog"', None, '"cat"'], Schema("pets", ("cat", "dog"))).tolist()
    [1, -1, 0]
    """
    places, uniques = pd.factorize(np.asarray(list(values), dtype=object))
    table = np.array(
        [schema.code_of(parse(str(u), schema)) for u in uniques] + [-1], dtype=np.int64
    )
    codes: npt.NDArray[np.int64] = table[places]
    return codes


def values_of(codes: npt.ArrayLike, schema: Schema) -> npt.NDArray[np.object_]:
    """Turn class codes into canonical values; -1 becomes None.

    Examples
    --------
    >>> values_of([1, -1], Schema("pets", ("cat", "dog"))).tolist()
    ['"dog"', None]
    """
    table = np.array([canonical_json(c) for c in schema.classes] + [None], dtype=object)
    return table[np.asarray(codes, dtype=np.int64)]


def renamed(values: pd.Series, schema: Schema) -> pd.Series:
    """Return canonical values under the present names of their classes; all others stay.

    Also a class that nothing but a suggestion ever named, and that is gone.

    Examples
    --------
    >>> renamed(pd.Series(['"tom"', '"ox"']), Schema("pets", ("cat", "dog"), renames={"tom": "cat"})
    ...     ).tolist()
    ['"cat"', '"ox"']
    """
    if not schema.renames:
        return values
    names = {canonical_json(old): canonical_json(new) for old, new in schema.renames.items()}
    return values.where(~values.isin(list(names)), values.map(names))
