"""A Label Studio that refuses, fails, is slow or down: exit code 3, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event

import pytest

from ...loopback import loopback
from ..label_sets import MAIL, PATIENT

pytestmark = pytest.mark.slow  # journeys that fail

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

    with loopback(Handler) as address:
        yield address


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
