"""Bad input and failing ends: one line with the facts, exit code 2 or 3, nothing changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from labelops.adapters.local_queue import LocalQueue
from labelops.app import App, open_app
from labelops.cli import main
from labelops.errors import ConflictError, LabelopsError, SchemaError
from labelops.ports import Labeler
from labelops.schema import Schema
from labelops.state import load
from labelops.testing.annotators import work

from .label_sets import MAIL, contents, team, until_passed, write_mails

pytestmark = pytest.mark.slow  # eighty journeys that fail

PATIENT = 300.0
"""Seconds after which what should have ended long ago hangs, on however busy a machine."""

_QUIET = {"OMP_NUM_THREADS": "1"} | {n: os.environ[n] for n in ("LABELOPS_KEY", "PATH")}


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know no Label Studio of the machine's, and give no traceback."""
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "LABELOPS_DEBUG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def labeled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a label set in the middle of its way: votes collected, more planned but not sent."""
    folder = tmp_path_factory.mktemp("labeled") / "set"
    truth = write_mails(folder, 48)
    app = open_app(folder)
    app.ingest()
    people = team(app, 0.99, 0.98, 0.97, 0.96)
    for _ in range(2):
        app.route()
        app.send()
        work(app.queue, people, truth)  # type: ignore[arg-type]
        app.collect()
        app.consolidate()
    app.route()
    return folder


@pytest.fixture
def folder(labeled: Path, tmp_path: Path) -> Path:
    """Give each test its own copy."""
    return Path(shutil.copytree(labeled, tmp_path / "set"))


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must fail: check its code, its one line, and that nothing changed."""

    def check(folder: Path, command: str, code: int, *facts: str) -> str:
        before = contents(folder)
        capfd.readouterr()
        found = main(["--config", str(folder / "labelops.toml"), "-q", *command.split()])
        message = capfd.readouterr().err.strip()
        assert (found, message.count("\n")) == (code, 0), message
        assert [f for f in facts if f not in message] == [], message
        assert contents(folder) == before
        return message

    return check


# --- files -------------------------------------------------------------------------------

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


# --- classes -----------------------------------------------------------------------------


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


@pytest.mark.parametrize("command", ["status", "collect", "consolidate", "release"])
def test_class_renamed_midway(folder: Path, refused: Callable[..., str], command: str) -> None:
    """A class that is suddenly gone is refused before anything reads answers by it."""
    (folder / "labelops.toml").write_text(MAIL.replace('"parcel"]', '"package"]'))
    refused(folder, command, 2, "'parcel'", "[schema.renames]")


def test_class_renamed_midway_with_a_rename(folder: Path) -> None:
    """With the rename said, every answer and label is still there under the new name."""
    before = _values(open_app(folder))
    renamed = MAIL.replace('"parcel"]', '"package"]')
    (folder / "labelops.toml").write_text(
        renamed.replace("[source.mail]", '[schema.renames]\nparcel = "package"\n[source.mail]')
    )
    app = open_app(folder)
    app.collect()
    app.consolidate()
    after = _values(app)
    expected = before.replace({'"parcel"': '"package"'})
    pd.testing.assert_series_equal(after, expected)
    assert '"package"' in set(after)


def test_looks_on_offer_are_asked_in_the_classes_there_are_now(folder: Path) -> None:
    """A class that is added while people look is sent to them, and what they say with it counts."""
    (folder / "labelops.toml").write_text(MAIL.replace('"parcel"]', '"parcel", "lost"]'))
    app = open_app(folder)
    app.route()
    app.send()
    queue = LocalQueue(folder / "workspace" / "queue")
    offer = queue.offers("human:new")[0]
    queue.answer("human:new", offer, '"lost"')
    app.collect()
    votes = load(app.workspace).votes
    mine = votes[votes["annotator"] == "human:new"].iloc[0]
    assert (mine["value"], mine["schema_digest"]) == ('"lost"', app.settings.schema.digest)


def test_a_class_that_was_added_in_vain_may_go(folder: Path) -> None:
    """Until somebody says it; what is on offer is asked in the classes that are left."""
    longer = MAIL.replace('"parcel"]', '"parcel", "lost"]')
    for settings in (longer, MAIL):
        (folder / "labelops.toml").write_text(settings)
        app = open_app(folder)
        app.route()
        app.send()
    queue = LocalQueue(folder / "workspace" / "queue")
    queue.answer("human:new", queue.offers("human:new")[0], '"parcel"')
    app.collect()
    app.consolidate()
    assert "human:new" in set(load(app.workspace).votes["annotator"])
    (folder / "labelops.toml").write_text(longer)
    app = open_app(folder)
    app.send()
    queue.answer("human:new", queue.offers("human:new")[0], '"lost"')
    app.collect()
    (folder / "labelops.toml").write_text(MAIL)
    with pytest.raises(SchemaError, match=r"'lost'.*votes on 1 item;"):
        open_app(folder).collect()


def _values(app: App) -> pd.Series:
    return load(app.workspace).labels.set_index("item_id")["value"]


# --- images and paths --------------------------------------------------------------------

PETS = """
[schema]
name = "pets"
media = "image"
classes = ["cat", "dog"]
[source.photos]
path = "photos.csv"
key = "id"
image = "file"
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Make a label set of two ingested photos, with a file beside it that nobody may read."""
    folder = tmp_path / "pets"
    (folder / "img").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in "ab":
        Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)).save(
            folder / "img" / f"{name}.png"
        )
    shutil.copy(folder / "img" / "a.png", tmp_path / "secret.png")
    (folder / "labelops.toml").write_text(PETS)
    (folder / "photos.csv").write_text("id,file\na,img/a.png\nb,img/b.png\n")
    open_app(folder).ingest()
    return folder


def _cut(folder: Path) -> None:
    content = (folder / "img" / "a.png").read_bytes()
    (folder / "img" / "c.png").write_bytes(content[: len(content) // 2])


def _loop(folder: Path) -> None:
    (folder / "img" / "c.png").symlink_to("d.png")
    (folder / "img" / "d.png").symlink_to("c.png")


IMAGES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "not an image": (lambda f: (f / "img/c.png").write_text("hello"), "img/c.png", "image"),
    "half an image": (_cut, "img/c.png", "image"),
    "an empty file": (lambda f: (f / "img/c.png").write_bytes(b""), "img/c.png", ""),
    "no such file": (lambda f: None, "img/c.png", "no such file"),
    "leaves the folder": (lambda f: None, "../secret.png", "leaves the source's folder"),
    "absolute": (lambda f: None, "/etc/passwd", "relative"),
    "link out": (
        lambda f: (f / "img/c.png").symlink_to(f.parent / "secret.png"),
        "img/c.png",
        "leads out",
    ),
    "symlink loop": (_loop, "img/c.png", "circle"),
    "a folder": (lambda f: (f / "img/c.png").mkdir(), "img/c.png", ""),
    "a pipe": (lambda f: os.mkfifo(f / "img/c.png"), "img/c.png", "not an ordinary file"),
}


@pytest.mark.parametrize("case", IMAGES)
def test_bad_image(photos: Path, refused: Callable[..., str], case: str) -> None:
    """A file that is no image of the folder is named by row, column and path; code 2."""
    make, name, why = IMAGES[case]
    make(photos)
    (photos / "photos.csv").write_text(f"id,file\na,img/a.png\nc,{name}\n")
    refused(photos, "ingest", 2, "photos.csv, row 2", "column 'file'", name, why)


def test_folder_that_links_to_itself(photos: Path, refused: Callable[..., str]) -> None:
    """A folder source does not follow a link to a folder, so it cannot go in circles."""
    (photos / "img" / "again").symlink_to(photos / "img")
    toml = PETS.replace("photos.csv", "img").replace('key = "id"\nimage = "file"\n', "")
    (photos / "labelops.toml").write_text(toml)
    refused(photos, "ingest", 2, str(photos / "img" / "again"), "copy the files in")


# --- labelers ----------------------------------------------------------------------------


class Custom:
    """A labeler of the user's own, wrong in one way."""

    name = "model:custom"

    def __init__(self, probs: list[float], fold: int | None) -> None:
        self._probs, self._fold = probs, fold

    def fit(self, items: pd.DataFrame, codes: object, groups: object, schema: Schema) -> str:
        return "1"

    def propose(self, items: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "item_id": items["item_id"],
                "value": '"bill"',
                "confidence": np.nan,
                "probs": [np.array(self._probs)] * len(items),
                "fold": pd.array([self._fold] * len(items), dtype="Int64"),
            }
        )


@pytest.mark.parametrize(
    ("labeler", "code", "facts"),
    [
        (Custom([0.5, 0.3, 0.3], 0), 3, ("'probs'", "0.5, 0.3, 0.3", "a sum of 1")),
        (Custom([0.5, 0.5], 0), 3, ("'probs'", "3 numbers, one a class")),
        (Custom([1.2, -0.1, -0.1], 0), 3, ("'probs'", "numbers from 0 to 1")),
        (Custom([0.5, float("nan"), 0.5], 0), 3, ("'probs'",)),
        (Custom([0.5, 0.3, 0.2], None), 2, ("'fold'", "held them out")),
    ],
)
def test_custom_labeler_with_wrong_probabilities(
    folder: Path, labeler: Labeler, code: int, facts: tuple[str, ...]
) -> None:
    """Wrong probabilities, or in-sample ones, are refused naming item, column and value."""
    app = open_app(folder)
    app.__dict__["labeler"] = labeler
    before = contents(folder)
    with pytest.raises(LabelopsError) as caught:
        app.autolabel()
    message = str(caught.value)
    assert caught.value.exit_code == code
    assert "\n" not in message
    assert [f for f in ("'mail-", *facts) if f not in message] == [], message
    assert contents(folder) == before


@contextmanager
def ml_backend(behaviour: str) -> Iterator[int]:
    """Run a model server in another process; give its port."""
    command = [sys.executable, "-m", "labelops.testing.ml_backend", "--behaviour", behaviour]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["port"]
        finally:
            process.terminate()


HTTP = {
    "slow": ("no whole answer in 0.5 s", "raise `timeout`"),
    "error": ("status 500", "see the backend's log"),
    "refuse": ("status 401", "check the credentials"),
    "half": ("results for", "the first unanswered is 'mail-"),
    "badprobs": ("item 'mail-", "probabilities sum to 1.2, expected 1"),
    "missing": ("item 'mail-", "probabilities without class", "all 3 classes"),
    "nan": ("item 'mail-", "probability nan"),
    "badclass": ("item 'mail-", "'no such class'"),
    "junk": ("not JSON", "ML-backend protocol"),
}


@pytest.mark.parametrize("behaviour", HTTP)
def test_labeler_misbehaves(folder: Path, refused: Callable[..., str], behaviour: str) -> None:
    """A model server that is late, fails or answers wrongly: code 3, and nothing is proposed."""
    timeout = 0.5 if behaviour == "slow" else PATIENT
    with ml_backend(behaviour) as port:
        url = f"http://127.0.0.1:{port}"
        (folder / "labelops.toml").write_text(
            f'{MAIL}[labeler]\ntype = "http"\nurl = "{url}"\ntimeout = {timeout}\n'
        )
        refused(folder, "autolabel", 3, f"127.0.0.1:{port}", *HTTP[behaviour])


def test_labeler_is_away(folder: Path, refused: Callable[..., str]) -> None:
    """A model server that is not there: code 3."""
    (folder / "labelops.toml").write_text(
        f'{MAIL}[labeler]\ntype = "http"\nurl = "http://127.0.0.1:9"\n'
    )
    refused(folder, "autolabel", 3, "127.0.0.1:9", "no connection", "start the backend")


# --- Label Studio ------------------------------------------------------------------------

LABEL_STUDIO = f'{MAIL}[queue]\ntype = "label-studio"\ntimeout = {PATIENT}\n'


@contextmanager
def server_that(answers: Callable[[BaseHTTPRequestHandler], object]) -> Iterator[str]:
    """Run an HTTP server that answers everything the same way."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Stay quiet."""

        def do_GET(self) -> None:
            answers(self)

        do_POST = do_PATCH = do_GET  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _status(code: int, content: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


@pytest.mark.parametrize("command", ["send", "collect"])
@pytest.mark.parametrize(
    ("code", "content", "fact"),
    [
        (401, b'{"detail": "Invalid token."}', "LABEL_STUDIO_API_KEY"),
        (500, b"{}", "500"),
        (200, b"<html>hello</html>", ""),
    ],
)
def test_label_studio_refuses_or_fails(
    folder: Path,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    code: int,
    content: bytes,
    fact: str,
) -> None:
    """A wrong token, a failing server, another server: code 3, the address, no token shown."""
    (folder / "labelops.toml").write_text(LABEL_STUDIO)
    with server_that(_status(code, content)) as url:
        monkeypatch.setenv("LABEL_STUDIO_URL", url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", "a-secret-token")
        message = refused(folder, command, 3, url.removeprefix("http://"), fact)
        assert "a-secret-token" not in message


@pytest.mark.parametrize("command", ["send", "collect"])
def test_label_studio_is_slow(
    folder: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """A server that does not answer in time: code 3."""
    (folder / "labelops.toml").write_text(LABEL_STUDIO.replace(f"{PATIENT}", "0.5"))
    over = Event()
    with server_that(lambda _: over.wait()) as url:
        monkeypatch.setenv("LABEL_STUDIO_URL", url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", "token")
        try:
            refused(folder, command, 3, url.removeprefix("http://"), "0.5")
        finally:
            over.set()


@pytest.mark.parametrize("command", ["send", "collect"])
def test_label_studio_is_down(
    folder: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """No server at the address: code 3, with the address."""
    (folder / "labelops.toml").write_text(LABEL_STUDIO)
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "token")
    refused(folder, command, 3, "127.0.0.1:9")


def test_label_studio_without_a_token(folder: Path, refused: Callable[..., str]) -> None:
    """No address and token: code 2, naming the variables."""
    (folder / "labelops.toml").write_text(LABEL_STUDIO)
    refused(folder, "send", 2, "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY")


# --- storage -----------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [b'{"add": ', b"", b"\xff\xfe\x00"])
@pytest.mark.parametrize("command", ["status", "consolidate", "release"])
def test_corrupted_table(
    folder: Path, refused: Callable[..., str], command: str, damage: bytes
) -> None:
    """A damaged log is named with its table and the remedy: code 3, never silently fewer rows."""
    log = folder / "workspace" / "tables" / "votes" / "_delta_log"
    sorted(log.glob("*.json"))[-1].write_bytes(damage)
    refused(folder, command, 3, str(folder / "workspace" / "tables" / "votes"), "damaged", "backup")


def test_corrupted_data_file(folder: Path, refused: Callable[..., str]) -> None:
    """A data file that is cut off is named by its table: code 3."""
    data = next((folder / "workspace" / "tables" / "votes").glob("*.parquet"))
    data.write_bytes(data.read_bytes()[:100])
    refused(folder, "consolidate", 3, "table votes", "damaged")


def _with_full_disk(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process in which no file can grow beyond 1,000 bytes."""
    code = (
        "import resource, signal, sys; import labelops.cli as cli; import labelops.app;"
        "import labelops.adapters.delta, labelops.adapters.local_queue;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    return subprocess.run(
        [sys.executable, "-c", code, "--config", str(folder), "-q", command],
        capture_output=True,
        text=True,
        env=_QUIET,
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=PATIENT,
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", ["ingest", "send", "collect"])
def test_full_disk(folder: Path, command: str) -> None:
    """When nothing more can be written: code 3, one line with the remedy, nothing changed."""
    if command == "ingest":
        write_mails(folder, 60)
    if command == "collect":
        _answer_something(folder)
    before = contents(folder)
    done = _with_full_disk(folder, command)
    # The storage library's own threads may complain before us; what we say is one line.
    said = [line for line in done.stderr.splitlines() if line.startswith("labelops:")]
    message = done.stderr.strip().splitlines()[-1]
    assert (done.returncode, said) == (3, [message]), done.stderr
    assert "disk" in message
    assert "free some space" in message
    assert contents(folder) == before


def _answer_something(folder: Path) -> None:
    app = open_app(folder)
    app.send()
    for offer in app.queue.offers("human:new"):  # type: ignore[attr-defined]
        app.queue.answer("human:new", offer, '"bill"')  # type: ignore[attr-defined]


# --- two at once -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a label set whose gate passes, not released yet."""
    folder = tmp_path_factory.mktemp("passed") / "set"
    truth = write_mails(folder, 36)
    until_passed(folder, team(open_app(folder), 0.99, 0.99, 0.99, 0.99), truth)
    return folder


@pytest.mark.slow
def test_two_release_at_once(passed: Path, tmp_path: Path) -> None:
    """Two processes releasing at once make one release, whole and the same for both."""
    folder = Path(shutil.copytree(passed, tmp_path / "set"))
    command = [sys.executable, "-m", "labelops", "--config", str(folder), "-q", "release", "--json"]
    place = Path(__file__).parents[2]
    both = [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_QUIET,
            cwd=place,
        )
        for _ in range(2)
    ]
    said = [(p.communicate(timeout=PATIENT), p.returncode) for p in both]
    assert {code for _, code in said} <= {0, ConflictError.exit_code}, said
    assert 0 in {code for _, code in said}
    app = open_app(folder)
    assert [m.reference for m in app.manifests()] == ["tickets@1.0.0"]
    assert app.verify() == []
    assert not app.release().new


def test_released_by_somebody_else_while_judging(passed: Path, tmp_path: Path) -> None:
    """Labels that another process releases after our gate, or before it, are released once."""
    folder = Path(shutil.copytree(passed, tmp_path / "set"))
    late, early = open_app(folder), open_app(folder)
    judge = late.gate

    def judged_too_late() -> object:
        assert early.release().new
        return judge()

    late.__dict__["gate"] = judged_too_late
    found = late.release()
    assert (found.reference, found.new) == ("tickets@1.0.0", False)
    assert early.manifests() == [found.manifest]
