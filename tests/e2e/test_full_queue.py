"""A queue that takes no more: the run says so, nothing is lost, and the next one goes on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest

from labelops.adapters import _sqlite
from labelops.adapters.label_studio import offers
from labelops.adapters.label_studio_server import LabelStudioServer
from labelops.app import App, open_app
from labelops.cli import main
from labelops.state import load
from labelops.testing.annotators import work
from labelops.testing.label_studio import LabelStudioHands

from ..loopback import loopback
from .label_sets import MAIL, team, write_mails

pytestmark = pytest.mark.slow  # whole passes


def _plan(app: App) -> set[tuple[str, int, str]]:
    rows = load(app.workspace).plan[["item_id", "round", "purpose"]]
    return set(rows.itertuples(index=False, name=None))


def test_the_embedded_queue_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line and code 3; the plan stays, nothing of it is on offer, and the next run offers it.

    What was answered before is there, and can be taken in meanwhile.
    """
    folder = tmp_path / "set"
    truth = write_mails(folder, 400)
    config = ["-q", "--config", str(folder)]
    assert main([*config, "run", "send"]) == 0
    app = open_app(folder)
    answered = work(app.queue, team(app, 1.0), truth)  # type: ignore[arg-type]
    toml = folder / "labelops.toml"
    toml.write_text(toml.read_text().replace("training = 16", "training = 300"))
    before, plan = load(app.workspace), _plan(app)
    opened, full = _sqlite._opened, [True]

    def limited(path: Path, mode: str, begin: str) -> sqlite3.Connection:
        connection = opened(path, mode, begin)
        if full[0]:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(_sqlite, "_opened", limited)
    capsys.readouterr()
    assert main([*config, "run", "receive"]) == 0
    assert len(load(open_app(folder).workspace).votes) == answered
    capsys.readouterr()
    assert main([*config, "run", "send"]) == 3
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and "queue.sqlite: the disk is full; free some space" in err
    assert "Round 2 asks for " in out
    app = open_app(folder)
    state, new = load(app.workspace), _plan(app) - plan
    assert len(new) > 100 and state.sent() == before.sent() == 1
    offered = {(o.item_id, o.round, o.purpose) for o in app.queue.offers("human:new")}  # type: ignore[attr-defined]
    assert not offered & new, "all of a plan or nothing"
    assert main([*config, "status"]) == 0
    assert "`labelops send` offers them" in capsys.readouterr().out
    full[0] = False
    assert main([*config, "run", "send"]) == 0
    offered = [(o.item_id, o.round, o.purpose) for o in app.queue.offers("human:new")]  # type: ignore[attr-defined]
    assert new <= set(offered) and len(set(offered)) == len(offered)
    assert _plan(app) == plan | new, "nothing is asked for twice"


@contextmanager
def _in_front_of(server: LabelStudioServer, room: list[int], status: int) -> Iterator[str]:
    """Pass requests on to a server, but for imports beyond the room there is."""

    class Proxy(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Stay quiet."""

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if "/import" in self.path:
                wanted = len(json.loads(body))
                if wanted > room[0]:
                    self._answer(status, b'{"detail": "no more tasks in this plan"}')
                    return
                room[0] -= wanted
            kept = ("authorization", "content-type")
            headers = {k: v for k, v in self.headers.items() if k.lower() in kept}
            url = server.url + self.path
            found = httpx.request(self.command, url, content=body, headers=headers, timeout=60)
            self._answer(found.status_code, found.content)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def _answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if status != 204:
                self.wfile.write(content)

    with loopback(Proxy) as address:
        yield address


@pytest.mark.server
@pytest.mark.parametrize(
    ("status", "says"),
    [
        (507, "its disk is full; free some space there"),
        (403, "no more tasks in this plan"),
        (429, "no more tasks in this plan"),
        (400, "no more tasks in this plan"),
    ],
)
def test_a_label_studio_that_refuses_more_tasks(
    tmp_path: Path,
    label_studio: LabelStudioServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    says: str,
) -> None:
    """It says how many were offered; these are answered, and the next run offers the rest."""
    folder, room = tmp_path / "set", [8]
    toml = MAIL.replace('"tickets"', f'"tickets{status}"') + '[queue]\ntype = "label-studio"\n'
    truth = write_mails(folder, 40, toml)
    config = ["-q", "--config", str(folder)]
    monkeypatch.setattr(offers, "_BATCH_TASKS", 4)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.api_key)
    with _in_front_of(label_studio, room, status) as url:
        monkeypatch.setenv("LABEL_STUDIO_URL", url)
        assert main([*config, "run", "send"]) == 3
        out, err = capsys.readouterr()
        assert err.count("\n") == 1 and says in err
        assert " of " in err and "were offered before; `labelops send` offers the rest" in err
        assert "Round 1 asks for " in out
        app = open_app(folder)
        state = load(app.workspace)
        assert state.sent("label-studio", url) == 0
        hands = LabelStudioHands(
            label_studio.url, label_studio.api_key, f"tickets{status}",
            key=app.key, namespace=app.namespace,
        )  # fmt: skip
        first = hands.offers("human:ann1")
        assert 0 < len(first) <= 8
        for offer in first:
            hands.answer("human:ann1", offer, truth[offer.item_id])
        assert main([*config, "collect"]) == 0
        assert len(load(app.workspace).votes) == len(first)
        room[0] = 1_000
        assert main([*config, "send"]) == 0
        asked = load(app.workspace).plan
        offered = [(o.item_id, o.purpose) for o in hands.offers("human:ann2")]
        assert len(set(offered)) == len(offered)
        seats = load(app.workspace).open_seats
        assert set(offered) == set(zip(seats["item_id"], seats["purpose"], strict=True))
        assert asked["round"].max() == 1
        hands.close()
