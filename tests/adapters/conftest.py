"""Servers that several test files start."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from .chat import Start


@pytest.fixture
def start_chat() -> Iterator[Start]:
    """Start a server process with some arguments; return its URL."""
    running = []

    def start_one(*arguments: str) -> str:
        command = [sys.executable, "-m", "labelops.testing.chat_server", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        return f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}/v1"

    yield start_one
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
