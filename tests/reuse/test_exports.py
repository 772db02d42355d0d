"""What goes out comes back: the same labels from every format."""

from __future__ import annotations

import base64
import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pyarrow.dataset import dataset

from labelops.adapters.export_files import write_export
from labelops.adapters.parquet import decode_parquet, encode_parquet
from labelops.errors import UsageError
from labelops.reuse import FORMATS, SIDECAR, export, map_labels, provenance
from labelops.schema import Schema

yaml = pytest.importorskip("yaml")
Maker = Callable[..., pd.DataFrame]


def _pairs(frame: pd.DataFrame) -> list[tuple[str, str, str]]:
    return list(zip(frame["item_id"], frame["text"], frame["label"], strict=True))


def _out(frame: pd.DataFrame, layout: str) -> dict[str, bytes]:
    return export(frame, layout, encode_parquet)


@pytest.mark.parametrize("layout", FORMATS)
def test_bytes_are_deterministic(hard_frame: Maker, layout: str) -> None:
    """The same frame gives the same bytes, also after the rows came in another order."""
    assert _out(hard_frame(), layout) == _out(hard_frame(), layout)


@pytest.mark.parametrize("layout", FORMATS)
def test_sidecar(hard_frame: Maker, layout: str) -> None:
    """Every export says release, manifest digest, class order, schema digest and rows."""
    frame = hard_frame()
    facts = json.loads(_out(frame, layout)[SIDECAR])
    schema = provenance(frame).schema
    assert (facts["release"], facts["manifest_digest"]) == ("hard@1.2.3", "ab" * 32)
    assert facts["classes"] == list(schema.classes)
    assert Schema.from_json(facts["schema"]) == schema
    assert (facts["format"], facts["rows"], facts["weights"]) == (layout, 10, "soft")


def test_csv_by_the_standard_reader(hard_frame: Maker) -> None:
    """The standard library reads every text and label back as it was."""
    frame = hard_frame()
    text = _out(frame, "csv")["data.csv"].decode()
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert [(r["item_id"], r["text"], r["label"]) for r in rows] == _pairs(frame)
    assert [float(r["posterior"]) for r in rows] == frame["posterior"].tolist()
    assert [json.loads(r["probs"]) for r in rows] == [p.tolist() for p in frame["probs"]]


def test_csv_by_pandas_as_documented(hard_frame: Maker) -> None:
    """The call in the docstring reads "NA" and "1.0" back as text."""
    frame = hard_frame()
    content = io.BytesIO(_out(frame, "csv")["data.csv"])
    back = pd.read_csv(content, keep_default_na=False, dtype={"label": str})
    assert back["label"].tolist() == frame["label"].tolist()
    assert back["code"].tolist() == frame["code"].tolist()


def test_csv_missing_is_not_text(hard_frame: Maker) -> None:
    """A missing number is an empty cell without quotes."""
    frame = hard_frame()
    frame.loc[0, "posterior"] = np.nan
    first = _out(frame, "csv")["data.csv"].decode().split("\r\n")[1]
    assert ',,"majority"' in first


def test_jsonl(hard_frame: Maker) -> None:
    """One object a line however lines are split; texts, numbers and lists come back."""
    frame = hard_frame()
    text = _out(frame, "jsonl")["data.jsonl"].decode()
    rows = [json.loads(line) for line in text.splitlines()]
    assert [(r["item_id"], r["text"], r["label"]) for r in rows] == _pairs(frame)
    assert [r["probs"] for r in rows] == [p.tolist() for p in frame["probs"]]
    assert list(rows[0]) == list(frame.columns)


def test_jsonl_missing_is_null(hard_frame: Maker) -> None:
    """A missing number is null, not NaN, which is no JSON."""
    frame = hard_frame()
    frame["posterior"] = np.nan
    line = _out(frame, "jsonl")["data.jsonl"].decode().splitlines()[0]
    assert json.loads(line, parse_constant=pytest.fail)["posterior"] is None


def test_parquet(hard_frame: Maker) -> None:
    """The frame comes back with its dtypes, and the file says where it is from."""
    frame = hard_frame()
    content = _out(frame, "parquet")["data.parquet"]
    pd.testing.assert_frame_equal(decode_parquet(content), frame)
    assert json.loads(pq.read_schema(io.BytesIO(content)).metadata[b"labelops"]) == frame.attrs


def test_parquet_by_another_reader(hard_frame: Maker) -> None:
    """Arrow alone reads the same labels, and no pandas index column."""
    frame = hard_frame()
    table = pq.read_table(io.BytesIO(_out(frame, "parquet")["data.parquet"]))
    assert table.column_names == list(frame.columns)
    assert table["label"].to_pylist() == frame["label"].tolist()


def test_the_folder_of_a_parquet_export_is_a_table(hard_frame: Maker, tmp_path: Path) -> None:
    """Readers of folders take it for the frame, whatever lies beside the data."""
    frame = hard_frame()
    folder = write_export(_out(frame, "parquet"), tmp_path / "hard@1.2.3")
    assert sorted(p.name for p in folder.iterdir()) == [SIDECAR, "data.parquet"]
    columns = ["item_id", "label", "code"]
    by_pandas = pd.read_parquet(folder)
    pd.testing.assert_frame_equal(by_pandas[columns], frame[columns])
    assert dataset(folder).to_table()["label"].to_pylist() == frame["label"].tolist()
    found = duckdb.sql("SELECT label FROM read_parquet($p)", params={"p": f"{folder}/*.parquet"})
    assert [row[0] for row in found.fetchall()] == frame["label"].tolist()


def test_hugging_face(hard_frame: Maker) -> None:
    """Card and files agree: splits, columns in order, class names as text, integer labels."""
    frame = hard_frame()
    files = _out(frame, "hugging-face")
    _, front, body = files["README.md"].decode().split("---\n", 2)
    card = yaml.safe_load(front)
    features = card["dataset_info"]["features"]
    names = next(f for f in features if f["name"] == "label")["dtype"]["class_label"]["names"]
    assert [names[str(i)] for i in range(10)] == list(provenance(frame).schema.classes)
    assert card["labelops"]["release"] == "hard@1.2.3"
    assert "hard@1.2.3" in body
    assert all(f"| `{f['name']}` | " in body for f in features)
    seen = []
    for entry in card["configs"][0]["data_files"]:
        part = decode_parquet(files[entry["path"].replace("*", "00000-of-00001.parquet")])
        assert [f["name"] for f in features] == list(part.columns)
        sides = frame.set_index("item_id")["split"]
        assert (sides[part["item_id"]] == entry["split"]).all()
        seen += [
            (i, t, names[str(c)])
            for i, t, c in zip(part["item_id"], part["text"], part["label"], strict=True)
        ]
    assert sorted(seen) == _pairs(frame)


def test_the_card_and_the_sidecar_have_the_rights(hard_frame: Maker) -> None:
    """Licences, purposes, regions and the end: what an export says of its items goes with it."""
    frame = hard_frame()
    assert "## Rights" not in _out(frame, "hugging-face")["README.md"].decode()
    rights: dict[str, object] = {
        "licences": {"CC-BY-4.0": 9, "MIT": 1}, "purposes": ["training", "a|b"],
        "regions": {"": 10},
        "items_without_purposes": 2, "earliest_expiry": "2027-01-31", "sources": {"s": 10},
    }  # fmt: skip
    frame.attrs["rights"] = rights
    files = _out(frame, "hugging-face")
    assert json.loads(files[SIDECAR])["rights"] == rights
    _, front, body = files["README.md"].decode().split("---\n", 2)
    assert yaml.safe_load(front)["license"] == ["cc-by-4.0", "mit"]
    assert "| licence | CC-BY-4.0 (9), MIT (1) |" in body
    assert "| allowed for | training, a\\|b; of 2 items it is not said |" in body
    assert "| region | not said |" in body and "| until | 2027-01-31 |" in body
    frame.attrs["rights"] = {**rights, "licences": {"": 1, "MIT": 9}}
    unsaid = _out(frame, "hugging-face")["README.md"].decode()
    assert "license:" not in unsaid and "| licence | not said (1), MIT (9) |" in unsaid


def test_the_card_says_what_belongs_in_a_class(
    hard_frame: Maker, image_frame: pd.DataFrame
) -> None:
    """Where the schema does, unharmed by marks; else there is no table of it."""
    card = _out(hard_frame(), "hugging-face")["README.md"].decode()
    table = card.split("| class | what belongs there |\n|---|---|\n")[1].split("\n\n")[0]
    assert table == '| a,b | One \\| "two", \\<b\\>three |'
    assert "what belongs there" not in _out(image_frame, "hugging-face")["README.md"].decode()


def test_the_card_has_the_certificate(hard_frame: Maker) -> None:
    """Bound, confidence and looks, as text that neither Markdown nor HTML takes for more."""
    frame = hard_frame()
    body = _out(frame, "hugging-face")["README.md"].decode().split("## Certificate\n\n")[1]
    assert body.splitlines()[:3] == [
        "| | |",
        "|---|---|",
        "| wrong labels | ≤ 2 % at 95 % confidence: 0 wrong in 172 looks "
        "(before 'a\\|b \\<b\\>' could be named) |",
    ]
    assert "all labels of hard@1.2.3 together" in body
    assert "| void if | " in body
    assert "mapped since" not in body
    other = Schema("other", ("x", "y"))
    mapped = map_labels(frame, dict.fromkeys(provenance(frame).schema.classes, "x"), other)
    assert "| mapped since | " in _out(mapped, "hugging-face")["README.md"].decode()


def test_the_card_of_labels_without_an_audit_says_so(image_frame: pd.DataFrame) -> None:
    """No certificate is none; a release that should not be used any more is named first."""
    card = _out(image_frame, "hugging-face")["README.md"].decode()
    assert card.endswith(
        "## Certificate\n\n"
        "None: these labels were not audited, so how many of them are wrong is not known.\n"
    )
    assert "Should not be used" not in card
    image_frame.attrs["deprecated"] = "<img src=x> \x1b[0m*swapped*"
    card = _out(image_frame, "hugging-face")["README.md"].decode()
    assert card.split("# shapes\n\n")[1].startswith(
        "**Should not be used any more:** \\<img src=x\\> \ufffd\\[0m\\*swapped\\*\n\n"
    )


def test_hugging_face_images(image_frame: pd.DataFrame) -> None:
    """An image is an object with bytes and a path without folders."""
    files = _out(image_frame, "hugging-face")
    table = pq.read_table(io.BytesIO(files["data/train-00000-of-00001.parquet"]))
    cells = table["image"].to_pylist()
    assert [c and c["bytes"] for c in cells] == image_frame["image"].tolist()
    assert all("/" not in c["path"] for c in cells if c)
    assert b"dtype: image" in files["README.md"]


def test_hugging_face_refuses(hard_frame: Maker) -> None:
    """No encoder, no rows, or a split name the library refuses: an error, not a bad folder."""
    frame = hard_frame()
    with pytest.raises(UsageError, match="encoder"):
        export(frame, "hugging-face")
    with pytest.raises(UsageError, match="no rows"):
        _out(frame.head(0), "hugging-face")
    frame["split"] = "../up"
    with pytest.raises(UsageError, match=r"split '\.\./up'"):
        _out(frame, "hugging-face")


def test_label_studio(hard_frame: Maker) -> None:
    """Tasks hold the item, its label for people, and a prediction with score and version."""
    frame = hard_frame()
    files = _out(frame, "label-studio")
    tasks = json.loads(files["tasks.json"])
    back = [
        (
            t["data"]["item_id"],
            t["data"]["text"],
            t["annotations"][0]["result"][0]["value"]["choices"][0],
        )
        for t in tasks
    ]
    assert back == _pairs(frame)
    predictions = [t["predictions"][0] for t in tasks]
    assert [p["score"] for p in predictions] == frame["posterior"].tolist()
    assert {p["model_version"] for p in predictions} == {"hard@1.2.3"}
    choices = ET.fromstring(files["labeling_config.xml"]).findall(".//Choice")
    assert [c.attrib["value"] for c in choices] == list(provenance(frame).schema.classes)
    hints = {c.attrib["value"]: c.attrib["hint"] for c in choices if "hint" in c.attrib}
    assert hints == provenance(frame).schema.descriptions


@pytest.mark.slow
def test_label_studio_is_understood_by_its_sdk(hard_frame: Maker) -> None:
    """The vendor's own check of tasks against a configuration finds nothing wrong."""
    objects = pytest.importorskip("label_studio_sdk.label_interface.interface")
    files = _out(hard_frame(), "label-studio")
    interface = objects.LabelInterface(files["labeling_config.xml"].decode())
    for task in json.loads(files["tasks.json"]):
        assert interface.validate_annotation({"result": task["annotations"][0]["result"]})
        assert interface.validate_prediction(task["predictions"][0])


def test_label_studio_accepted_labels(labels_of: Maker, items_of: Maker) -> None:
    """A label nobody looked at is a prediction only, and no score is better than a false one."""
    from labelops.reuse import training_frame

    schema = Schema("s", ("a$b", "c"))
    labels = labels_of([0], schema, method="accepted")
    labels["posterior"] = np.nan
    frame = training_frame(labels, items_of(["t"]), schema, shares={"train": 1.0}, key=b"k")
    files = _out(frame, "label-studio")
    (task,) = json.loads(files["tasks.json"])
    assert task["annotations"] == []
    assert "score" not in task["predictions"][0]
    assert b'alias="a$b"' in files["labeling_config.xml"]


@pytest.mark.parametrize("layout", ["csv", "jsonl"])
def test_images_become_files(image_frame: pd.DataFrame, layout: str) -> None:
    """Images are files of their own, named by digest whatever the item is called."""
    files = _out(image_frame, layout)
    text = files[f"data.{layout}"].decode()
    rows: list[dict[str, str]] = (
        list(csv.DictReader(io.StringIO(text, newline="")))
        if layout == "csv"
        else [json.loads(line) for line in text.splitlines()]
    )
    assert [files.get(r["image"]) for r in rows] == image_frame["image"].tolist()
    assert all(".." not in name for name in files)
    assert rows[2]["image"] in ("", None)


def test_label_studio_embeds_images(image_frame: pd.DataFrame) -> None:
    """Image bytes travel inside the task; without them the address does."""
    tasks = json.loads(_out(image_frame, "label-studio")["tasks.json"])
    head, encoded = tasks[0]["data"]["image"].split(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(encoded) == image_frame["image"].iloc[0]
    assert tasks[2]["data"]["image"] == "object:3"


@pytest.mark.parametrize("layout", ["csv", "jsonl", "label-studio"])
def test_lone_surrogate_is_named(hard_frame: Maker, layout: str) -> None:
    """A text that UTF-8 cannot hold is refused with its item."""
    frame = hard_frame()
    frame.loc[3, "text"] = "broken \ud800"
    with pytest.raises(UsageError, match="item 'i03', column 'text'"):
        _out(frame, layout)


@pytest.mark.parametrize("layout", ["csv", "jsonl", "parquet", "label-studio"])
def test_empty_frame(hard_frame: Maker, layout: str) -> None:
    """A frame without rows is a file without rows."""
    assert json.loads(_out(hard_frame().head(0), layout)[SIDECAR])["rows"] == 0


def test_mapped_frames_say_so(hard_frame: Maker) -> None:
    """An export of mapped labels carries the mapping and the new class order."""
    frame = hard_frame()
    target = Schema("two", ("odd", "even"))
    mapping = {c: target.classes[i % 2] for i, c in enumerate(provenance(frame).schema.classes)}
    facts = json.loads(_out(map_labels(frame, mapping, target), "csv")[SIDECAR])
    assert facts["classes"] == ["odd", "even"]
    assert facts["mapped_from"][0]["mapping"] == mapping


def test_unknown_format(hard_frame: Maker) -> None:
    """A format nobody knows is named with those there are."""
    with pytest.raises(UsageError, match="'xls' is not one of csv, jsonl"):
        export(hard_frame(), "xls")
