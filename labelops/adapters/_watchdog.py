"""Run a command for as long as somebody holds our standard input open, then end its group.

A process of its own: whoever started it may be killed at any moment, and the operating
system then closes the pipe, which is all this waits for. Run as a file, it needs nothing
but the standard library.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time

_PATIENCE = 10.0
"""Seconds between asking the group to end and making it."""


def _end_group() -> None:
    """Ask our process group to end, and make what is left of it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(os.getpgrp(), signal.SIGTERM)


def main(command: list[str]) -> int:
    """Run `command`; return its exit code, or 0 when it was ended because the pipe closed."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - our own caller's
    while child.poll() is None:
        ready, _, _ = select.select([sys.stdin], [], [], 0.5)
        if ready and not os.read(sys.stdin.fileno(), 1024):
            _end_group()
            deadline = time.monotonic() + _PATIENCE
            while child.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            if child.poll() is None:
                os.killpg(os.getpgrp(), signal.SIGKILL)
            return 0
    return child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
