"""Rows that cannot be read, in any file: each is named with its place, and nothing is ingested."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from labelops.app import open_app
from labelops.state import load

from ..label_sets import MAIL

pytestmark = pytest.mark.slow  # journeys that fail


HEAD = b"id,text\nmail-900,all is well\n"


CSV: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "wrong encoding": (
        HEAD + "mail-901,caf\xe9\n".encode("latin-1"),
        ("mail.csv", "line 3", "0xe9", "save the file as UTF-8"),
    ),
    "UTF-16": ((HEAD.decode()).encode("utf-16"), ("mail.csv", "UTF-16", "save it as UTF-8")),
    "ragged": (
        HEAD + b"mail-901,one,two\n",
        ("mail.csv, row 2", "line 3 has 3 cells", "header has 2", "mail-901,one,two"),
    ),
    "unclosed quote": (HEAD + b'mail-901,"one\n', ("mail.csv", "line 3", "never closed")),
    "duplicate keys": (
        HEAD + b"mail-900,again\n",
        ("mail.csv, row 2", "column 'id'", "'mail-900'"),
    ),
    "empty key": (HEAD + b",no key\n", ("mail.csv, row 2", "column 'id'", "empty")),
    "empty payload": (HEAD + b"mail-901,\n", ("mail.csv, row 2", "column 'text'", "empty")),
    "blank payload": (HEAD + b"mail-901,  \n", ("mail.csv, row 2", "column 'text'", "empty")),
    "100 MB in one cell": (
        HEAD + b"mail-901," + b"x" * 100_000_000 + b"\n",
        ("mail.csv", "column 'text'", "line 3", "more than", "1,000,000"),
    ),
    "missing column": (b"id,body\nmail-900,x\n", ("mail.csv", "'text'", "there are 'id', 'body'")),
    "no rows": (b"id,text\n", ("mail.csv", "no rows")),
    "changed payload": (
        b"id,text\nmail-000,something else\n",
        ("mail.csv, row 1", "'mail-000'", "--revise", "payload "),
    ),
}


@pytest.mark.parametrize("case", CSV)
def test_bad_csv(folder: Path, refused: Callable[..., str], case: str) -> None:
    """A bad CSV file is refused whole, naming where and what; code 2."""
    content, facts = CSV[case]
    (folder / "mail.csv").write_bytes(content)
    message = refused(folder, "ingest", 2, str(folder / "mail.csv"), *facts)
    assert len(message) < 600


JSONL = {
    "NaN": ('{"id": "m", "text": NaN}', ("row 1", "NaN is not JSON, use null")),
    "null": ('{"id": "m", "text": null}', ("row 1", "column 'text'")),
    "a number": ('{"id": "m", "text": 3.5}', ("row 1", "column 'text'", "found 3.5")),
    "no object": ('["m", "x"]', ("row 1", "object", "found")),
    "not JSON": ('{"id": "m", ', ("row 1", "not JSON", "mend the line")),
}


@pytest.mark.parametrize("case", JSONL)
def test_bad_json_lines(folder: Path, refused: Callable[..., str], case: str) -> None:
    """A bad line is named, with what is wrong in it; code 2."""
    content, facts = JSONL[case]
    (folder / "mail.jsonl").write_text(content + "\n")
    (folder / "labelops.toml").write_text(MAIL.replace("mail.csv", "mail.jsonl"))
    refused(folder, "ingest", 2, str(folder / "mail.jsonl"), *facts)


@pytest.mark.parametrize("value", [None, float("nan"), ""])
def test_missing_text_in_parquet(folder: Path, refused: Callable[..., str], value: object) -> None:
    """A missing text in a Parquet file is named by row and column; code 2."""
    frame = pd.DataFrame({"id": ["m1", "m2"], "text": ["fine", value]})
    frame.to_parquet(folder / "mail.parquet")
    (folder / "labelops.toml").write_text(MAIL.replace("mail.csv", "mail.parquet"))
    refused(folder, "ingest", 2, "mail.parquet, row 2", "column 'text'")


def test_missing_file(folder: Path, refused: Callable[..., str]) -> None:
    """A source that is not there is named."""
    (folder / "mail.csv").unlink()
    refused(folder, "ingest", 2, str(folder / "mail.csv"), "mend the path")


def test_good_source_beside_a_bad_one(folder: Path, refused: Callable[..., str]) -> None:
    """When one of two sources is bad, nothing of the other is taken in."""
    (folder / "mail.csv").write_bytes(HEAD)
    (folder / "chat.csv").write_bytes(b"id,text\nchat-1,\n")
    more = '[source.chat]\npath = "chat.csv"\nkey = "id"\ntext = "text"\n'
    (folder / "labelops.toml").write_text(MAIL + more)
    refused(folder, "ingest", 2, "chat.csv, row 1", "column 'text'")


def test_the_remedy_for_another_encoding_works(folder: Path, refused: Callable[..., str]) -> None:
    """The message names the setting `encoding`, and with it the file is read."""
    (folder / "mail.csv").write_bytes("id,text\nmail-950,caf\u00e9\n".encode("cp1252"))
    refused(folder, "ingest", 2, "mail.csv: line 2", "encoding = 'cp1252'")
    (folder / "labelops.toml").write_text(
        MAIL.replace('text = "text"', 'text = "text"\nencoding = "cp1252"')
    )
    app = open_app(folder)
    app.ingest()
    items = load(app.workspace).items.set_index("item_id")["payload"]
    assert items["mail-950"] == "caf\u00e9"


def test_unknown_class_as_known_answer(folder: Path, refused: Callable[..., str]) -> None:
    """A known answer outside the schema is named with its row, column and value."""
    (folder / "mail.csv").write_bytes(b"id,text,gold\nmail-900,x,bill\nmail-901,y,bils\n")
    (folder / "labelops.toml").write_text(
        MAIL.replace('text = "text"', 'text = "text"\ngold = "gold"')
    )
    refused(folder, "ingest", 2, "mail.csv, row 2", "column 'gold'", "'bils'", "bill", "mend")


def test_misspelt_column_of_known_answers(folder: Path, refused: Callable[..., str]) -> None:
    """A column for known answers that is not there is an error, not silence."""
    (folder / "mail.csv").write_bytes(HEAD)
    (folder / "labelops.toml").write_text(
        MAIL.replace('text = "text"', 'text = "text"\ngold = "glod"')
    )
    refused(folder, "ingest", 2, "mail.csv", "'glod'")


def test_known_answers_in_the_column_of_the_text(folder: Path, refused: Callable[..., str]) -> None:
    """A column that is something else already is not said to be missing."""
    (folder / "mail.csv").write_bytes(HEAD)
    (folder / "labelops.toml").write_text(
        MAIL.replace('text = "text"', 'text = "text"\ngold = "text"')
    )
    refused(folder, "ingest", 2, "column 'text'", "beside key, text", "correct `gold`")
