"""How the servers of this package run as commands."""

from __future__ import annotations

import json
import sys
from http.server import HTTPServer

__all__ = ["serve"]


def serve(server: HTTPServer) -> None:
    """Serve until interrupted, after writing ``{"port": N}`` to standard output."""
    sys.stdout.write(json.dumps({"port": server.server_address[1]}) + "\n")
    sys.stdout.flush()
    server.serve_forever()
