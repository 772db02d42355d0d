"""`labelops init` writes settings that work, and never over others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labelops.app import open_app
from labelops.settings import read_settings
from labelops.state import load

from .world import (
    mails,
    run,
    shown_as_json,
)


def _init(folder: Path, *arguments: str) -> int:
    return run(folder, "init", *arguments)


def test_init_then_ingest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a CSV alone: the file it writes can be used at once."""
    rows = "".join(f"{i},{text.split(chr(27))[0]},x\n" for i, text, _ in mails(20))
    (tmp_path / "mails.csv").write_text("mail_id,message,channel\n" + rows, encoding="utf-8")
    assert _init(tmp_path, str(tmp_path / "mails.csv"), "--classes", "billing, delivery") == 0
    settings = read_settings(tmp_path / "labelops.toml", {})
    assert settings.schema.classes == ("billing", "delivery")
    (source,) = settings.sources
    assert (source.name, source.path, source.key, source.text) == (
        "mails",
        "mails.csv",
        "mail_id",
        "message",
    )
    assert shown_as_json(capsys, tmp_path, "ingest")["mails"]["added"] == 20


def test_init_shows_every_default(tmp_path: Path) -> None:
    """With all marks removed, the file holds every setting, and says what the defaults are."""
    (tmp_path / "a.csv").write_text("id,text\n1,hello\n", encoding="utf-8")
    assert _init(tmp_path, str(tmp_path / "a.csv"), "--classes", "a,b") == 0
    path = tmp_path / "labelops.toml"
    as_written = read_settings(path, {})
    lines = [
        line.removeprefix("# ") if line.startswith("# ") and " = " in line else line
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.startswith('# "')  # Examples of renames and splits name no class of this set.
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    for section in ("gate", "accept", "route", "consolidate", "audit", "labeler", "chat", "queue"):
        assert getattr(read_settings(path, {}), section) == getattr(as_written, section)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", '{"n": 1, "body": "hello you", "label": "x"}\n{"body": "a", "label": "y"}\n',
         {"format": "jsonl", "text": "body", "known": "label", "classes": ["x", "y"]}),
        ("a.csv", "id,x1,x2,received,body\n" + "7,0.123456789,12.5,2026-01-02,hi you\n" * 2,
         {"text": "body", "known": ""}),
        ("a.tsv", "file\tid\na.png\t1\nb.png\t2\n",
         {"format": "csv", "image": "file", "key": "id", "text": "", "media": "image"}),
    ],
)  # fmt: skip
def test_init_guesses(
    name: str,
    content: str,
    expected: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Format, media, columns and classes are read off the first rows."""
    (tmp_path / name).write_text(content, encoding="utf-8")
    guess = shown_as_json(capsys, tmp_path, "init", str(tmp_path / name))["guess"]
    assert {key: guess[key] for key in expected} == expected


def test_init_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of images is one; nothing in it needs to be opened."""
    (tmp_path / "My Photos!").mkdir()
    for place in range(3):
        (tmp_path / "My Photos!" / f"{place}.png").write_bytes(b"")
    found = shown_as_json(capsys, tmp_path, "init", str(tmp_path / "My Photos!"))
    assert (found["name"], found["guess"]["media"]) == ("my-photos", "image")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none.csv"], "no such file or folder"),
        (["empty"], "there are no files in this folder"),
        (["a.docx"], "expected a folder, or a table whose name ends in .csv"),
        (["a.csv", "--text", "body"], "there is no such column; there are 'id', 'text'"),
        (["numbers.csv"], "no column seems to hold texts or image files; name it with --text or"),
        (
            ["a.json"],
            "a.json: write one JSON object a line, into a file ending in .jsonl; from Label Studio",
        ),
        (["a.csv", "--classes", "one"], "needs at least two classes"),
        (["a.csv", "--classes", ""], "class ''"),
        (["a.csv", "--classes", 'a,"b'], "is no line of CSV"),
        (["a.csv", "--name", "a b"], "name 'a b'"),
        (["latin.csv"], "line 2: byte 0xfc is not utf-8; save the file as UTF-8, or run"),
        (["latin.csv"], "or run again with --encoding cp1252 if it is that"),
        (["a.csv", "--encoding", "klingon"], "encoding 'klingon' is not known"),
    ],
)
def test_init_refuses(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot work is said in one line, and nothing is written."""
    (tmp_path / "a.csv").write_text("id,text\n1,hello\n", encoding="utf-8")
    (tmp_path / "a.docx").write_bytes(b"PK")
    (tmp_path / "a.json").write_text('[{"text": "hello"}]')
    (tmp_path / "numbers.csv").write_text("x1,x2,label\n0.5,12.0,a\n1.5,9.0,b\n1.7,9.5,b\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin.csv").write_bytes("text\nGrüße\n".encode("latin-1"))
    assert _init(tmp_path, str(tmp_path / arguments[0]), *arguments[1:]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err
    assert not (tmp_path / "labelops.toml").exists()


@pytest.mark.parametrize(
    ("written", "classes"),
    [
        ('card,"transfer, in/out"', ("card", "transfer, in/out")),
        ('a , "b ""x"""', ("a", 'b "x"')),
        ('a,5" pipe', ("a", '5" pipe')),
    ],
)
def test_init_reads_classes_as_csv(
    written: str, classes: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name with a comma or a quote is quoted as in CSV, and the names taken are said."""
    (tmp_path / "a.csv").write_text("id,text\n1,hello\n", encoding="utf-8")
    assert _init(tmp_path, str(tmp_path / "a.csv"), "--classes", written) == 0
    assert read_settings(tmp_path / "labelops.toml", {}).schema.classes == classes
    assert f"It has 2 classes: {' · '.join(classes)}" in capsys.readouterr().out


def test_init_reads_the_classes_of_all_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is sorted by class has most of them behind the first rows."""
    rows = "".join(f"the message {n} of {n // 9},{n // 9}\n" for n in range(900))
    (tmp_path / "a.csv").write_text(f"text,category\n{rows}", encoding="utf-8")
    assert _init(tmp_path, str(tmp_path / "a.csv")) == 0
    assert "check the 100 classes, found in column 'category'" in capsys.readouterr().out
    classes = read_settings(tmp_path / "labelops.toml", {}).schema.classes
    assert classes == tuple(str(n) for n in range(100))


def test_init_says_that_rows_have_no_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no column looks like one, it is the first thing to do."""
    (tmp_path / "a.csv").write_text("No.,text\n1,hello\n", encoding="utf-8")
    assert _init(tmp_path, str(tmp_path / "a.csv"), "--classes", "a,b") == 0
    assert "name the column that identifies a row (key)" in capsys.readouterr().out
    (tmp_path / "labelops.toml").unlink()
    assert _init(tmp_path, str(tmp_path / "a.csv"), "--classes", "a,b", "--key", "No.") == 0
    assert "(key)" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("1,hello\n2,you\n1,there\n", "column 'id' is no key: '1' is in rows 1 and 3"),
        ("1,hello\n,there\n", "column 'id' is no key: it is empty in row 2"),
    ],
)
def test_init_says_why_a_column_is_no_key(
    rows: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column that is named like a key and repeats itself is not left out silently."""
    (tmp_path / "a.csv").write_text(f"id,text\n{rows}", encoding="utf-8")
    assert _init(tmp_path, str(tmp_path / "a.csv"), "--classes", "a,b") == 0
    assert f"{says}; items are named by their text" in capsys.readouterr().out
    assert read_settings(tmp_path / "labelops.toml", {}).sources[0].key == ""


def test_init_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A labelops.toml that is there stays as it is."""
    (tmp_path / "a.csv").write_text("id,text\n1,hello\n", encoding="utf-8")
    (tmp_path / "labelops.toml").write_text("# mine\n", encoding="utf-8")
    assert _init(tmp_path, str(tmp_path / "a.csv")) == 2
    assert "is there already and is never overwritten" in capsys.readouterr().err
    assert (tmp_path / "labelops.toml").read_text(encoding="utf-8") == "# mine\n"


def test_init_of_a_file_of_another_country(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Semicolons are seen, an encoding may be said, and both stand in the file that is written."""
    content = "id;text\n1;Grüße, Tom\n2;Größe 1,5\n"
    (tmp_path / "semi.csv").write_bytes(content.encode("cp1252"))
    arguments = (str(tmp_path / "semi.csv"), "--classes", "a,b", "--encoding", "cp1252")
    guess = shown_as_json(capsys, tmp_path, "init", *arguments)["guess"]
    assert (guess["key"], guess["text"], guess["delimiter"]) == ("id", "text", ";")
    (source,) = read_settings(tmp_path / "labelops.toml", {}).sources
    assert (source.delimiter, source.encoding) == (";", "cp1252")
    assert shown_as_json(capsys, tmp_path, "ingest")["semi"]["added"] == 2


def test_ingest_refuses_semicolons_that_nobody_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A settings file written for commas does not take `1;hello` as a text."""
    (tmp_path / "labelops.toml").write_text(
        '[schema]\nname = "a"\nclasses = ["x", "y"]\n[source.s]\npath = "s.csv"\ntext = "id;text"\n'
    )
    (tmp_path / "s.csv").write_text("id;text\n1;hello\n")
    assert run(tmp_path, "ingest") == 2
    assert 'set `delimiter = ";"`' in capsys.readouterr().err


def test_init_with_labels_from_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The classes come from the labels, and the model is told where they are."""
    rows = "".join(f"{i},{text.split(chr(27))[0]},{name}\n" for i, text, name in mails(20))
    (tmp_path / "old.csv").write_text("id,message,topic\n" + rows, encoding="utf-8")
    assert _init(tmp_path, str(tmp_path / "old.csv"), "--labels", "topic") == 0
    assert "the labels in 'topic' are evidence for the model" in capsys.readouterr().out
    settings = read_settings(tmp_path / "labelops.toml", {})
    assert settings.schema.classes == ("billing", "delivery", "recipe")
    assert settings.labeler.earlier_labels == ("topic",)
    assert settings.sources[0].gold == ""


def test_init_says_what_else_answers_may_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column named like an answer may hold labels from before, or what is known to be right."""
    (tmp_path / "a.csv").write_text("id,text,label\n1,hello you,x\n2,bye,y\n", encoding="utf-8")
    assert _init(tmp_path, str(tmp_path / "a.csv")) == 0
    assert "name it as earlier_labels under [labeler]" in capsys.readouterr().out
    written = (tmp_path / "labelops.toml").read_text(encoding="utf-8")
    assert '# gold = "label"' in written


def test_init_refuses_labels_that_are_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt column is named with those that there are; a folder has no columns."""
    (tmp_path / "a.csv").write_text("id,text,label\n1,hello you,x\n2,bye,y\n", encoding="utf-8")
    assert _init(tmp_path, str(tmp_path / "a.csv"), "--labels", "labels") == 2
    assert "column 'labels': there is no such column; there are 'id'" in capsys.readouterr().err
    for column, what in (("text", "text"), ("id", "key")):
        asked = (str(tmp_path / "a.csv"), "--labels", column, "--text", "text")
        assert _init(tmp_path, *asked) == 2
        assert f"column '{column}' is the {what} of the rows" in capsys.readouterr().err
    assert _init(tmp_path, str(tmp_path), "--labels", "label") == 2
    assert "it has no columns; `--labels folder` takes" in capsys.readouterr().err
    assert _init(tmp_path, str(tmp_path), "--labels", "folder") == 2
    assert "it has 0 subfolders; `--labels folder` takes" in capsys.readouterr().err
    assert not (tmp_path / "labelops.toml").exists()


def test_init_with_subfolders_as_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files that were sorted into folders by class: each file says where it lay."""
    for name in ("cat", "dog"):
        (tmp_path / "pets" / "new" / name).mkdir(parents=True)
        (tmp_path / "pets" / "new" / name / "1.txt").write_text(f"about a {name}")
    (tmp_path / "pets" / "other.txt").write_text("about nothing")
    assert _init(tmp_path, str(tmp_path / "pets"), "--labels", "folder") == 0
    settings = read_settings(tmp_path / "labelops.toml", {})
    assert settings.schema.classes == ("cat", "dog")
    assert settings.labeler.earlier_labels == ("folder",)
    assert shown_as_json(capsys, tmp_path, "ingest")["pets"]["added"] == 3
    items = load(open_app(tmp_path).workspace).items.set_index("item_id")["attributes"]
    assert items.to_dict() == {
        "new/cat/1.txt": '{"folder":"cat"}',
        "new/dog/1.txt": '{"folder":"dog"}',
        "other.txt": "{}",
    }


def test_init_names_a_column_that_may_be_the_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its cells all differ and it is no measurement or date; it is named, not taken."""
    rows = "".join(
        f"{n / 7:.3f},R{n},{text.split(chr(27))[0]}\n" for n, (_, text, _) in enumerate(mails(30))
    )
    (tmp_path / "a.csv").write_text("score,ref,message\n" + rows, encoding="utf-8")
    assert _init(tmp_path, str(tmp_path / "a.csv"), "--classes", "x,y") == 0
    assert "column 'ref' has another value in each row: name it as key" in capsys.readouterr().out
    assert read_settings(tmp_path / "labelops.toml").sources[0].key == ""
