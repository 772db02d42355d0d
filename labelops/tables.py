"""The tables that stages meet in: keys, columns, and a check that names every bad row.

Every table is append-only. A row is an event; a reader collapses rows by the table's key
and keeps, for each key, the row of the newest revision (`newest`). So the order in which
rows arrive, and whether they arrive twice, changes nothing.

In pandas, text is `object` holding `str` or None, JSON is text, lists of numbers are 1-D
float64 arrays (or None), timestamps are UTC microseconds, and a nullable integer or
boolean is the pandas type `Int64` or `boolean`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import infer_dtype

from .errors import TableError, shown

__all__ = [
    "EVENTS",
    "FINDINGS",
    "ITEMS",
    "LABELS",
    "PLAN",
    "PROPOSALS",
    "PURPOSES",
    "TABLES",
    "VOTES",
    "VOTE_STATUS",
    "Column",
    "TableSpec",
    "check",
    "empty",
    "frame_of",
    "newest",
    "probs_matrix",
]

PURPOSES = ("label", "review", "calibrate", "audit", "gold")
"""Why somebody looks at an item; `calibrate` and `audit` are random and never trained on."""

VOTE_STATUS = ("given", "skipped", "deleted")
"""What a vote's newest revision says happened."""

_PANDAS = {
    "text": "object",
    "json": "object",
    "floats": "object",
    "int": "int64",
    "int?": "Int64",
    "float": "float64",
    "bool": "bool",
    "bool?": "boolean",
    "time": "datetime64[us, UTC]",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column's contract.

    Parameters
    ----------
    name : str
        The column.
    type : {"text", "json", "floats", "int", "float", "bool", "time"}
        What a cell holds; `json` is canonical JSON text, `floats` a list of numbers.
    nullable : bool
        Whether a cell may be missing (None, NaN, NaT). A missing `float` is NaN.
    among : tuple of str
        The only values allowed, or empty for any.
    low, high : float
        Bounds of a number, inclusive.
    meaning : str
        What the column says, in one line.
    """

    name: str
    type: str
    nullable: bool = False
    among: tuple[str, ...] = ()
    low: float = -np.inf
    high: float = np.inf
    meaning: str = ""

    @property
    def pandas(self) -> str:
        """The pandas dtype of this column."""
        nullable_key = f"{self.type}?"
        key = nullable_key if self.nullable and nullable_key in _PANDAS else self.type
        return _PANDAS[key]


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table's contract: its key, the column that says which row is newest, and its columns.

    Parameters
    ----------
    name : str
        The table.
    key : tuple of str
        The columns that say which rows are about the same thing.
    columns : tuple of Column
        All columns, in order.
    revision : str or None
        The column whose largest value wins among rows of one key; None if a key has one row only.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    revision: str | None = None

    @property
    def names(self) -> list[str]:
        """The column names in order."""
        return [c.name for c in self.columns]

    def __getitem__(self, name: str) -> Column:
        """Return a column by name."""
        return next(c for c in self.columns if c.name == name)


def _text(name: str, meaning: str, *, nullable: bool = False, among: Iterable[str] = ()) -> Column:
    return Column(name, "text", nullable, tuple(among), meaning=meaning)


def _json(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, "json", nullable, meaning=meaning)


def _time(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, "time", nullable, meaning=meaning)


ITEMS = TableSpec(
    "items",
    ("item_id",),
    (
        _text("item_id", "the owner's key, else a keyed digest of the content"),
        Column("revision", "int", low=0, meaning="0 at first; +1 for a revised payload or group"),
        _text("payload", "the text, or the URI of the file"),
        _text("media_type", "text/plain, image/png, …"),
        _text("payload_digest", "SHA-256 of the content (of the file's bytes for a URI)"),
        _text("sketch", "near-duplicate sketch: MinHash or perceptual hash", nullable=True),
        _text("source", "the source's name in the settings"),
        _text("group", "leakage group: items that must stay on one side of a split"),
        _text("owner_group", "the owner's own group (user, document)", nullable=True),
        _text("licence", "licence of the payload, as SPDX where one exists", nullable=True),
        _json("purposes", "list of allowed purposes; missing: nothing was said", nullable=True),
        _text("region", "where the payload may be used", nullable=True),
        _time("expires", "when the rights end; missing: never", nullable=True),
        _json("attributes", "the row's other columns, as an object"),
        _time("ingested_at", "when it came in"),
    ),
    revision="revision",
)

PROPOSALS = TableSpec(
    "proposals",
    ("item_id", "labeler_version"),
    (
        _text("item_id", "the item"),
        _text("labeler", "who proposes: model:…, rule:…"),
        _text("labeler_version", "digest of what the labeler is: code, settings, training votes"),
        _json("value", "the proposed value; missing: it abstained", nullable=True),
        Column("confidence", "float", True, low=0, high=1, meaning="of the value; NaN: none given"),
        Column("probs", "floats", True, meaning="(K,) probabilities in class order, if given"),
        Column(
            "fold", "int", True, low=0, meaning="held out of this fold; missing: not trained on"
        ),
        _text("schema_digest", "the schema in force"),
        _time("proposed_at", "when"),
    ),
)

PLAN = TableSpec(
    "plan",
    ("item_id", "round", "purpose"),
    (
        _text("item_id", "the item"),
        Column("round", "int", low=1, meaning="which routing round decided this"),
        _text("purpose", "why somebody should look", among=PURPOSES),
        Column("annotators", "int", low=1, meaning="how many different people, in this purpose"),
        _text("reason", "why this item, in words"),
        Column("priority", "float", meaning="larger is earlier"),
        Column("show_proposal", "bool", meaning="false: the annotator sees no pre-label"),
        _text("labeler_version", "the proposal shown or in force", nullable=True),
        _json("value", "the pre-label shown, if any", nullable=True),
        _json("exclude", "list of annotators who must not look (they labeled it)"),
        _text("schema_digest", "the schema in force"),
        _time("planned_at", "when"),
    ),
)

VOTES = TableSpec(
    "votes",
    ("vote_id",),
    (
        _text("vote_id", "fixed by queue, item, purpose and the queue's own answer id"),
        Column("revision", "int", low=0, meaning="microseconds of the edit; the largest wins"),
        _text("item_id", "the item"),
        _text("annotator", "human:…, model:…, rule:…"),
        _json("value", "the answer; missing when skipped or deleted", nullable=True),
        _text("status", "what happened", among=VOTE_STATUS),
        _text("purpose", "why they looked", among=PURPOSES),
        Column("round", "int", low=1, meaning="the plan round that asked"),
        Column("saw_proposal", "bool", meaning="whether a pre-label was on the screen"),
        Column("seconds", "float", True, low=0, meaning="time taken; NaN: not known"),
        _text("queue", "which queue it came from"),
        _text("schema_digest", "the schema it was given under"),
        _time("given_at", "when the answer was last changed"),
    ),
    revision="revision",
)

LABELS = TableSpec(
    "labels",
    ("item_id",),
    (
        _text("item_id", "the item"),
        Column("revision", "int", low=0, meaning="the round that decided; the largest wins"),
        _json("value", "the decided value; missing: not enough evidence", nullable=True),
        Column("posterior", "float", True, low=0, high=1, meaning="calibrated P(value is right)"),
        Column("probs", "floats", True, meaning="(K,) posterior in class order"),
        _text("method", "majority, dawid_skene, accepted, …"),
        _text("reason", "why it was decided, or what is missing, in words"),
        _json("evidence", "object: votes [vote ids], labeler_version, threshold, hypothesis"),
        _text("schema_digest", "the schema in force"),
        _time("decided_at", "when"),
    ),
    revision="revision",
)

FINDINGS = TableSpec(
    "findings",
    ("item_id", "kind", "round"),
    (
        _text("item_id", "the item"),
        _text("kind", "label_error, duplicate_conflict, planted, …"),
        Column("round", "int", low=1, meaning="the audit that found it"),
        Column("score", "float", low=0, high=1, meaning="low = bad"),
        _json("value", "the label under suspicion", nullable=True),
        _json("suggestion", "a value that fits better, if any", nullable=True),
        _text("detector", "which detectors said so"),
        _json("evidence", "object: what they saw"),
        Column("planted", "bool", meaning="an error planted to measure recall; never released"),
        _time("found_at", "when"),
    ),
)

EVENTS = TableSpec(
    "events",
    ("event_id",),
    (
        _text("event_id", "fixed by what happened, so that saying it twice is saying it once"),
        _text("kind", "schema, round, sent, collected, hypothesis, candidate, verdict, name, …"),
        _text("subject", "what it is about"),
        Column("revision", "int", low=0, meaning="order among events of one kind and subject"),
        _json("body", "object"),
        _time("at", "when"),
    ),
)

TABLES: Mapping[str, TableSpec] = {
    t.name: t for t in (ITEMS, PROPOSALS, PLAN, VOTES, LABELS, FINDINGS, EVENTS)
}
"""Every table of a workspace by name."""


def empty(spec: TableSpec) -> pd.DataFrame:
    """Return the table with no rows and the right dtypes.

    Examples
    --------
    >>> len(empty(VOTES)), str(empty(VOTES)["given_at"].dtype)
    (0, 'datetime64[us, UTC]')
    """
    return _empty(spec).copy()


@cache
def _empty(spec: TableSpec) -> pd.DataFrame:
    return pd.DataFrame({c.name: pd.Series([], dtype=c.pandas) for c in spec.columns})


def frame_of(spec: TableSpec, columns: Mapping[str, object], rows: int) -> pd.DataFrame:
    """Build and check a table from columns; a scalar fills its column, an absent one is missing.

    Parameters
    ----------
    spec : TableSpec
        The table.
    columns : mapping
        Column name → sequence of `rows` values, or one scalar (text, number, time, None).
    rows : int
        The number of rows.

    Raises
    ------
    TableError
        As `check`.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> frame_of(EVENTS, {"event_id": ["a", "b"], "kind": "round", "subject": "digits",
    ...     "revision": 0, "body": "{}", "at": datetime(2026, 1, 1, tzinfo=UTC)}, 2).shape
    (2, 6)
    """
    unknown = sorted(set(columns) - set(spec.names))
    if unknown:
        raise TableError(spec.name, [f"column {unknown[0]!r} is not one of the table's"])
    cells = {c.name: _cells(c, columns.get(c.name), rows) for c in spec.columns}
    return _checked(spec, cells, rows)


# One column's cells, one a row, in numpy's or pandas' array: both know dtype, len and repeat.
_Cells = Any


def _cells(column: Column, values: object, rows: int) -> _Cells:
    """Return the cells of a column as they were given; a scalar in every row."""
    if isinstance(values, pd.Series):
        return _cells_of(values)
    if isinstance(values, str) or not isinstance(values, Iterable):
        filled = _filled(column, values, rows)
        return pd.Series([values] * rows).array if filled is None else filled
    if column.pandas == "object":
        return pd.Series(values, dtype=object).to_numpy()
    return _cells_of(pd.Series(values))


def _cells_of(series: pd.Series) -> _Cells:
    """Return a series' cells without its index, by which pandas would align rows."""
    return series.to_numpy() if isinstance(series.dtype, np.dtype) else series.array


def _filled(column: Column, value: object, rows: int) -> _Cells | None:
    """Fill a column with one value of its own type; None if the value is of another."""
    if value is None and column.nullable:
        if column.pandas in _NUMPY:
            return np.full(rows, np.nan if column.type == "float" else None, _NUMPY[column.pandas])
        return pd.array([None] * rows, dtype=column.pandas)
    if column.type == "time":
        aware = isinstance(value, datetime) and value.tzinfo is not None
        return pd.array([value], dtype=_TIME).repeat(rows) if aware else None
    if _OF_TYPE.get(column.type) is not type(value) or column.pandas not in _NUMPY:
        return None
    return np.full(rows, value, dtype=_NUMPY[column.pandas])


def check(spec: TableSpec, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the table's columns, order and dtypes, or name every bad row.

    Columns the table does not have are refused; rows keep their order; the index is renewed.
    Duplicate keys are allowed: rows are events (see `newest`).

    Raises
    ------
    TableError
        With one line a problem: row (from 0), column, value, what was expected.

    Examples
    --------
    >>> check(VOTES, empty(VOTES).drop(columns="round"))
    Traceback (most recent call last):
    labelops.errors.TableError: table votes: column 'round' is missing
    """
    problems = [f"column {n!r} is missing" for n in spec.names if n not in frame.columns]
    problems += [
        f"column {n!r} is not one of the table's" for n in frame.columns if n not in spec.names
    ]
    if problems:
        raise TableError(spec.name, problems)
    if not len(frame):
        return empty(spec)
    return _checked(spec, {name: _cells_of(frame[name]) for name in spec.names}, len(frame))


def _checked(spec: TableSpec, columns: Mapping[str, _Cells], rows: int) -> pd.DataFrame:
    result: dict[str, _Cells] = {}
    problems: list[str] = []
    for column in spec.columns:
        cells = columns[column.name]
        if not _is_as_declared(column, cells):
            series = pd.Series(cells)
            cells, bad = _coerce(column, series)
            problems += _describe(column, series, bad)
        result[column.name] = cells
    if problems:
        raise TableError(spec.name, problems)
    return pd.DataFrame(result, index=pd.RangeIndex(rows))


_Bad = npt.NDArray[np.bool_]
_TIME = pd.DatetimeTZDtype("us", "UTC")
_NUMPY = {name: np.dtype(name) for name in ("object", "int64", "float64", "bool")}
_OF_TYPE = {"text": str, "json": str, "int": int, "float": float, "bool": bool}


def _is_as_declared(column: Column, cells: _Cells) -> bool:
    """Say, quickly, that all cells are right, as they come from our own code."""
    if column.type == "time":
        return cells.dtype == _TIME and (column.nullable or not cells.isna().any())
    if cells.dtype != _NUMPY.get(column.pandas, column.pandas):
        return False
    if column.pandas not in _NUMPY:
        cells = cells.dropna().to_numpy(dtype=np.float64)  # nullable: Int64, boolean
    if column.type == "floats":
        vectors = [cell for cell in cells if cell is not None]
        whole = (column.nullable or len(vectors) == len(cells)) and all(map(_is_vector, vectors))
        return whole and bool(np.isfinite(np.concatenate([[], *vectors])).all())
    if column.pandas == "object":
        texts = infer_dtype(cells, skipna=False) == "string"
        if not texts and not (column.nullable and set(map(type, cells)) <= {str, type(None)}):
            return False
        return not column.among or {*column.among, None}.issuperset(cells)
    if column.type == "bool":
        return True
    if not column.nullable and column.type == "float" and np.isnan(cells).any():
        return False
    return not ((cells < column.low) | (cells > column.high)).any()


def _is_vector(cell: object) -> bool:
    return type(cell) is np.ndarray and cell.dtype == np.float64 and cell.ndim == 1


def _coerce(column: Column, series: pd.Series) -> tuple[pd.Series, _Bad]:
    if column.type in ("text", "json"):
        return _coerce_text(column, series)
    if column.type == "floats":
        return _coerce_each(column, series)
    if column.type == "time":
        return _coerce_time(column, series)
    return _coerce_number(column, series)


def _none(series: pd.Series) -> _Bad:
    return np.zeros(len(series), dtype=bool)


def _coerce_text(column: Column, series: pd.Series) -> tuple[pd.Series, _Bad]:
    missing = series.isna().to_numpy()
    values = series.astype(object)
    if missing.any():
        values = values.where(~missing, None)
    bad = missing & (not column.nullable) | ~_is_text(values, missing)
    if column.among:
        bad |= ~missing & ~values.isin(column.among).to_numpy()
    return values, bad


def _is_text(values: pd.Series, missing: _Bad) -> _Bad:
    """Say which cells are text or missing; only where one is neither are all looked at."""
    if infer_dtype(values, skipna=True) in ("string", "empty"):
        return np.ones(len(values), dtype=bool)
    found = np.fromiter((isinstance(v, str) for v in values), dtype=bool, count=len(values))
    return np.asarray(missing | found)


def _coerce_each(column: Column, series: pd.Series) -> tuple[pd.Series, _Bad]:
    cells: list[object] = []
    bad = _none(series)
    for row, cell in enumerate(series):
        if cell is None or (isinstance(cell, float) and np.isnan(cell)) or cell is pd.NA:
            bad[row] = not column.nullable
            cells.append(None)
            continue
        try:
            array = np.asarray(cell, dtype=np.float64)
            bad[row] = array.ndim != 1 or not np.isfinite(array).all()
        except (TypeError, ValueError):
            array, bad[row] = np.empty(0), True
        cells.append(array)
    result = pd.Series(np.empty(len(cells), dtype=object))
    result[:] = cells
    return result, bad


def _coerce_time(column: Column, series: pd.Series) -> tuple[pd.Series, _Bad]:
    missing = series.isna().to_numpy()
    if series.dtype == _TIME:
        return series, missing & (not column.nullable)
    times = pd.to_datetime(series, utc=True, errors="coerce")
    bad = times.isna().to_numpy() & ~(missing & column.nullable)
    return times.astype(_TIME), bad


def _coerce_number(column: Column, series: pd.Series) -> tuple[pd.Series, _Bad]:
    missing = series.isna().to_numpy()
    numbers = pd.to_numeric(series, errors="coerce").astype("Float64")
    plain = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    unread = np.isnan(plain) & ~missing
    bad = unread | (missing & (not column.nullable))
    with np.errstate(invalid="ignore"):
        bad |= (plain < column.low) | (plain > column.high)
        if column.type in ("int", "bool"):
            bad |= ~np.isnan(plain) & (plain != np.floor(plain))
        if column.type == "bool":
            bad |= (plain < 0) | (plain > 1)
    if bad.any():
        return series, bad
    if column.type == "float":
        return pd.Series(plain), bad
    if column.type == "int" and not column.nullable:
        # Exact: a float64 would round integers above 2**53, such as microseconds times 1000.
        return pd.to_numeric(series).astype("int64"), bad
    return numbers.astype(column.pandas), bad


def _describe(column: Column, series: pd.Series, bad: _Bad) -> list[str]:
    if not bad.any():
        return []
    expected = " or ".join(column.among) if column.among else column.type
    if column.low > -np.inf or column.high < np.inf:
        expected += f" in [{column.low:g}, {column.high:g}]"
    rows = np.flatnonzero(bad)
    return [
        f"row {row}, column {column.name!r}: found {shown(series.iloc[row])}, expected {expected}"
        for row in rows[:100]
    ]


def newest(spec: TableSpec, frame: pd.DataFrame) -> pd.DataFrame:
    """Collapse events to one row a key: the newest revision; equal rows said twice count once.

    The result does not depend on the order of the rows: among rows of one key and revision
    with different content, the one whose cells are largest as text wins. Sorted by key.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> def event(revision, body):
    ...     return {"event_id": "e", "kind": "k", "subject": "s", "revision": revision,
    ...             "body": body, "at": datetime(2026, 1, 1, tzinfo=UTC)}
    >>> frame = pd.DataFrame([event(2, '"new"'), event(1, '"old"'), event(2, '"new"')])
    >>> spec = TableSpec("events", ("event_id",), EVENTS.columns, revision="revision")
    >>> newest(spec, check(spec, frame))["body"].tolist()
    ['"new"']
    """
    key = list(spec.key)
    repeated = frame.duplicated(key, keep=False).to_numpy()
    if repeated.any():
        kept = [frame[~repeated], _newest_of(spec, frame[repeated])]
        frame = pd.concat([part for part in kept if len(part)])
    if len(key) == 1 and frame[key[0]].is_monotonic_increasing:
        return frame.reset_index(drop=True)
    return frame.sort_values(key, kind="stable", ignore_index=True)


def _newest_of(spec: TableSpec, rivals: pd.DataFrame) -> pd.DataFrame:
    """Return the winner of each key among rows whose keys repeat."""
    # Numbers for keys: sorting text costs more than everything else here.
    places = rivals.groupby(list(spec.key), sort=False, dropna=False).ngroup().to_numpy()
    revisions = rivals[spec.revision].to_numpy() if spec.revision else np.zeros(len(rivals))
    order = np.lexsort((revisions, places))
    last = np.append(places[order][1:] != places[order][:-1], True)
    best = np.empty(places.max() + 1, dtype=revisions.dtype)
    best[places[order[last]]] = revisions[order[last]]
    leading = revisions == best[places]
    tied = leading & (np.bincount(places, weights=leading)[places] > 1)
    if not tied.any():
        return rivals[leading]
    # Rare: only repeated events reach this. Break ties by content, never by arrival.
    rows = rivals[tied]
    content = rows.astype(str).agg("\x1f".join, axis=1)
    ranked = rows.iloc[np.argsort(content.to_numpy(dtype=object), kind="stable")]
    winners = ranked.drop_duplicates(list(spec.key), keep="last")
    alone = rivals[leading & ~tied]
    return pd.concat([alone, winners]) if len(alone) else winners


def probs_matrix(cells: pd.Series, classes: int) -> npt.NDArray[np.float64]:
    """Stack a `floats` column into an (N, K) matrix; a missing cell is a row of NaN.

    Parameters
    ----------
    cells : pandas.Series
        N cells, each a (K,) array or None.
    classes : int
        K.

    Raises
    ------
    TableError
        If a cell has another length than K.

    Examples
    --------
    >>> probs_matrix(pd.Series([np.array([0.2, 0.8]), None]), 2).tolist()
    [[0.2, 0.8], [nan, nan]]
    """
    result = np.full((len(cells), classes), np.nan)
    known = cells.notna().to_numpy()
    rows = [np.asarray(cell, dtype=np.float64) for cell in cells[known]]
    wrong = next((i for i, row in enumerate(rows) if row.shape != (classes,)), None)
    if wrong is not None:
        raise TableError(
            "proposals",
            [
                f"row {np.flatnonzero(known)[wrong]}, column 'probs': found "
                f"{rows[wrong].shape[0]} numbers, expected {classes}"
            ],
        )
    if rows:
        result[known] = np.concatenate(rows).reshape(-1, classes)
    return result
