"""The same rows in whatever table they come: the same answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from labelops.checking import LabelCheck, check_labels
from labelops.consolidate import Consolidated, consolidate
from labelops.errors import SourceError, TableError, UsageError
from labelops.tables.brought import as_frame


class OnlyCapsule:
    """Rows that nobody can read but by Arrow's C interface."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._rows.__arrow_c_stream__(requested_schema)


def _arrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def _chunked(frame: pd.DataFrame) -> pa.Table:
    """Return rows in pieces, one of them empty, with a dictionary of its own in each."""
    cuts = [frame.iloc[:7], frame.iloc[7:7], frame.iloc[7:]]
    schema = _arrow(frame).schema
    parts = [pa.Table.from_pandas(cut, schema=schema, preserve_index=False) for cut in cuts]
    return pa.concat_tables(
        pa.table({n: part[n].dictionary_encode() for n in part.column_names}) for part in parts
    )


def _cast(frame: pd.DataFrame, text: Any, number: Any) -> pa.Table:
    table = _arrow(frame)
    types = {pa.string(): text, pa.int64(): number}
    return pa.table(
        [c.cast(types.get(c.type, c.type)) for c in table.columns], names=table.column_names
    )


def _odd_dictionary(frame: pd.DataFrame) -> pa.Table:
    """Return dictionaries with each value twice, and a missing one that is a value."""
    columns = {}
    for name in frame:
        values = [*_arrow(frame)[name].drop_null().unique().to_pylist(), None]
        places = [
            values.index(None if pd.isna(v) else v) + len(values) * (row % 2)
            for row, v in enumerate(frame[name])
        ]
        columns[name] = pa.DictionaryArray.from_arrays(pa.array(places), pa.array(values * 2))
    return pa.table(columns)


def _relation(frame: pd.DataFrame) -> Any:
    rows = _arrow(frame)
    return duckdb.connect().from_arrow(rows)


FORMS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "table": _arrow,
    "chunks of dictionaries": _chunked,
    "large": lambda f: _cast(f, pa.large_string(), pa.int32()),
    "views": lambda f: _cast(f, pa.string_view(), pa.int16()),
    "odd dictionary": _odd_dictionary,
    "reader": lambda f: _arrow(f).to_reader(),
    "batch": lambda f: _arrow(f).combine_chunks().to_batches()[0],
    "capsule": lambda f: OnlyCapsule(_arrow(f)),
    "duckdb": _relation,
    "index as metadata": lambda f: pa.Table.from_pandas(f.set_index(next(iter(f)))),
    "dict of lists": lambda f: {n: f[n].tolist() for n in f},
    "dict of arrays": lambda f: {n: f[n].to_numpy() for n in f},
    "dict of arrow": lambda f: {n: _arrow(f)[n] for n in f},
    "dict of series": lambda f: {n: f[n].set_axis(np.arange(len(f)) + i) for i, n in enumerate(f)},
    "nullable": lambda f: f.convert_dtypes(),
    "categories": lambda f: f.astype("category"),
    "arrow in pandas": lambda f: f.convert_dtypes(dtype_backend="pyarrow"),
}


def _votes(kind: str) -> pd.DataFrame:
    """Draw 240 votes of six people, an eighth of them without a label; as names or as numbers."""
    rng = np.random.default_rng(4)
    items, who = np.repeat(np.arange(60), 4), np.tile([0, 1, 2, 3, 4, 5], 40)
    codes = np.where(rng.random(240) < 0.8, items % 3, rng.integers(0, 3, 240))
    frame = pd.DataFrame({"item": items, "annotator": who, "label": pd.array(codes, "Int64")})
    if kind == "names":
        frame["item"], frame["annotator"] = (
            "i" + frame["item"].astype(str),
            "p" + frame["annotator"].astype(str),
        )
        frame["label"] = np.array(["ant", "bee", "cow"], dtype=object)[codes]
    frame.loc[rng.choice(240, 30, replace=False), "label"] = None
    return frame


@cache
def _of_frame(kind: str) -> Consolidated:
    return consolidate(_votes(kind), method="dawid_skene")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["names", "numbers"])
@pytest.mark.parametrize("form", FORMS)
def test_votes_in_any_form(kind: str, form: str) -> None:
    """Labels, names, posterior and skills are those of the plain frame, to the last bit."""
    expected = _of_frame(kind)
    found = consolidate(FORMS[form](_votes(kind)), method="dawid_skene")
    assert found.items.tolist() == expected.items.tolist()
    assert found.annotators.tolist() == expected.annotators.tolist()
    assert found.classes.tolist() == expected.classes.tolist()
    assert found.labels.tolist() == expected.labels.tolist()
    assert np.array_equal(found.posterior, expected.posterior)
    pd.testing.assert_frame_equal(found.skills(), expected.skills())


def test_three_columns_of_arrow() -> None:
    """A tuple may hold Arrow's columns, dictionaries among them."""
    frame = _votes("names")
    columns = tuple(_chunked(frame).columns)
    found = consolidate(columns, method="dawid_skene")  # type: ignore[arg-type]
    assert found.labels.tolist() == _of_frame("names").labels.tolist()


def _same(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def _weighed(make: Callable[[pd.DataFrame], Any]) -> Consolidated:
    return consolidate(make(_votes("names").assign(weight=np.linspace(0.2, 1, 240))))


def _beside_a_model(make: Callable[[pd.DataFrame], Any]) -> Consolidated:
    """Consolidate one vote an item, some with the proposal in sight, beside probabilities."""
    single = _votes("names").drop_duplicates("item").assign(saw_proposal=np.arange(60) % 2 == 0)
    drawn = np.random.default_rng(5).dirichlet(np.ones(3), 60)
    probs = pd.DataFrame(drawn, single["item"], ["cow", "ant", "bee"])
    given = probs if make is _same else make(probs.reset_index())
    return consolidate(make(single), classes=["ant", "bee", "cow"], probs=given)


def _checked(make: Callable[[pd.DataFrame], Any]) -> LabelCheck:
    votes = _votes("names")
    rows = pd.DataFrame({"id": votes["item"].unique(), "kind": ["ant", "bee", "cow"] * 20})
    rows.loc[5, "kind"] = "bee"
    return check_labels(make(rows), "kind", votes=make(votes), key="id")


@cache
def _plainly(what: Callable[[Callable[[pd.DataFrame], Any]], Any]) -> Any:
    """Return what plain frames give."""
    return what(_same)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["table", "capsule", "duckdb", "dict of arrays"])
def test_weights_sights_and_probs_in_any_form(form: str) -> None:
    """So are weights, what was in sight, and a model's probabilities, whose columns have names."""
    assert np.array_equal(_weighed(FORMS[form]).posterior, _plainly(_weighed).posterior)
    assert _plainly(_beside_a_model).method == "votes_and_model"
    found = _beside_a_model(FORMS[form])
    assert np.array_equal(found.posterior, _plainly(_beside_a_model).posterior)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["table", "chunks of dictionaries", "capsule", "dict of lists"])
def test_labels_are_checked_in_any_form(form: str) -> None:
    """A check finds the same wrong labels, of rows and votes that come in any table."""
    worst = _plainly(_checked).worst()
    assert worst.index[0] == 5
    pd.testing.assert_frame_equal(_checked(FORMS[form]).worst(), worst)


def test_a_frame_stays() -> None:
    """A frame is not copied."""
    frame = _votes("names")
    assert as_frame("votes", frame) is frame


def test_exact_numbers() -> None:
    """Whole numbers above 2⁵³ with gaps stay what they are: as floats two of them would be one."""
    ids = [2**53, 2**53 + 1, None]
    assert as_frame("votes", pa.table({"item": ids}))["item"].tolist() == ids
    assert as_frame("votes", pa.table({"item": pa.array(ids).dictionary_encode()}))[
        "item"
    ].tolist() == ids  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([("a", "x", "cat")], r"votes: expected .*, found a list; rows become a table by"),
        ("votes.csv", "found a str"),
        (pd.Series([1]), "found a Series"),
        (pa.chunked_array([[1, 2]]), "Arrow cannot make a table of this ChunkedArray"),
        ({"item": [1], "annotator": [1, 2]}, r"columns differ in length: \{'item': 1"),
        ({"item": "abc"}, "column 'item' is 'abc', expected one value a row"),
        ({"item": iter([1])}, "column 'item' is .*, expected one value a row"),
        ({"item": np.zeros((2, 2))}, "expected one value a row"),
    ],
)
def test_what_is_no_table(given: Any, said: str) -> None:
    """One line says what was found and what is taken."""
    with pytest.raises(UsageError, match=said) as refused:
        consolidate(given)
    assert "\n" not in str(refused.value)
    with pytest.raises(UsageError):
        check_labels(given, "kind")


def test_columns_that_are_missing_or_twice() -> None:
    """A table of Arrow is refused for its columns as a frame is."""
    votes = _arrow(_votes("names"))
    with pytest.raises(TableError, match="no column annotator"):
        consolidate(votes.drop_columns("annotator"))
    with pytest.raises(TableError, match="column item is there twice"):
        consolidate(votes.append_column("item", votes["item"]))
    with pytest.raises(SourceError, match="has it twice"):
        check_labels(votes.append_column("item", votes["item"]), "item", votes=["label"])
    with pytest.raises(UsageError, match="probs: no column item or item_id or task"):
        consolidate(votes, probs=pa.table({"ant": [0.5], "bee": [0.5]}))


def test_errors_name_the_row_that_was_given() -> None:
    """Votes without a label above a bad one do not move its number."""
    rows = {"item": [1, 1, None], "annotator": [1, 2, 3], "label": [None, "cat", "dog"]}
    with pytest.raises(TableError, match="row 2 has no item"):
        consolidate(rows)
    rows["item"] = [1, 1, 2]
    with pytest.raises(TableError, match="row 2 says 'dog'"):
        consolidate(rows, classes=["cat", "cow"])
    with pytest.raises(TableError, match="row 2: weight is 'much'"):
        consolidate({**rows, "weight": ["", 1, "much"]})
    with pytest.raises(TableError, match="row 1: saw_proposal is 'no'"):
        consolidate({**rows, "saw_proposal": [None, "no", True]})
