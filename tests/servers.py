"""The servers that ship for tests, in other processes: one alone, or many that share one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Start = Callable[..., str]
"""Starts a server with some arguments and returns its address."""

_MANY = """
import importlib, json, sys, threading
server_of = importlib.import_module(sys.argv[1]).server_of
for line in sys.stdin:
    server = server_of(json.loads(line))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_address[1]}), flush=True)
"""


@contextmanager
def served(module: str, *arguments: str) -> Iterator[str]:
    """Run a server of `labelops.testing` in a process of its own; the value is its address."""
    command = [sys.executable, "-m", f"labelops.testing.{module}", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _address(process)
        finally:
            process.kill()


@contextmanager
def serving(module: str) -> Iterator[Start]:
    """Run a process that starts servers: to start one for each of them would take seconds."""
    pipe, command = subprocess.PIPE, [sys.executable, "-c", _MANY, f"labelops.testing.{module}"]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:

        def start(*arguments: str) -> str:
            print(json.dumps(arguments), file=process.stdin, flush=True)
            return _address(process)

        yield start


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
