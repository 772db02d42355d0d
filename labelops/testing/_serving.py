"""What the servers of this package have in common: how they run as commands, and send."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer

__all__ = ["JsonHandler", "serve"]


def serve(server: HTTPServer) -> None:
    """Serve until interrupted, after writing ``{"port": N}`` to standard output."""
    sys.stdout.write(json.dumps({"port": server.server_address[1]}) + "\n")
    sys.stdout.flush()
    server.serve_forever()


class JsonHandler(BaseHTTPRequestHandler):
    """A handler that sends JSON, or what it says is JSON, and writes no log."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited name
        """Stay quiet."""

    def content(self) -> bytes:
        """Read what was sent with the request."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def send(
        self,
        status: int,
        content: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        length: int | None = None,
        pause: float | None = None,
    ) -> None:
        """Send an answer: of a length that need not be true, or byte by byte with a pause."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        try:
            if pause is None:
                self.wfile.write(content)
            else:
                self._drip(content, pause)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # The caller hung up, which is what some tests are about.

    def _drip(self, content: bytes, pause: float) -> None:
        for byte in content:
            self.wfile.write(bytes([byte]))
            time.sleep(pause)
